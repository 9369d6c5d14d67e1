/* Steps and forward passes on the caller's own rows. */
#include <stdlib.h>

#include "host/train/quantize.h"

/* Rows of the caller's own, with targets, or with the gradient of an external loss. */
typedef struct own_batch {
  const vise_array *x, *y, *row_weights;
  const vise_array *delta;
  double loss;
} own_batch;

/* Its rows as a backend sees them. */
typedef struct own_rows {
  vise_dataset *dataset; /* of borrowed arrays */
  uint8_t *integers;     /* x of an integer net; else NULL */
  vise_i_view view;
} own_rows;

static void free_rows(own_rows *rows) {
  vise_dataset_free(rows->dataset);
  free(rows->integers);
}

/* The same checks as for data from files. */
static vise_status make_rows(const vise_trainer *t, const own_batch *batch, own_rows *out, vise_error *err) {
  vise_status status;
  if (batch->x->n_rows == 0) VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "a batch of no rows"));
  VISE_TRY(vise_dataset_from_arrays(batch->x, batch->y, batch->row_weights, false, &out->dataset, err));
  VISE_TRY(vise_i_view_make(out->dataset, t->net, t->config.loss, batch->y != NULL, &t->scales, &out->view, err));
  VISE_TRY(vise_i_quantize_view(t->quantization, &out->view, &out->integers, err));
done:
  return status;
}

static vise_status check_delta(const vise_trainer *t, const vise_array *x, const vise_array *delta, vise_error *err) {
  const size_t n_outputs = t->net->widths[t->net->n_layers];

  if (delta->data == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "delta: the data pointer is NULL");
  if (delta->dtype != VISE_F32 && delta->dtype != VISE_F64) {
    return vise_i_fail(err, VISE_ERR_USAGE, "delta is %s, expected f32 or f64", vise_dtype_name(delta->dtype));
  }
  if (delta->n_rows != x->n_rows || delta->n_cols != n_outputs) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "delta is [%zu, %zu], expected [%zu, %zu]: a row for each of x, a column "
                       "for each output",
                       delta->n_rows, delta->n_cols, x->n_rows, n_outputs);
  }

  return VISE_OK;
}

/* Takes the step, counts it, and applies a weight operation that is due. */
static vise_status take_step(vise_trainer *t, const own_batch *batch, vise_step_stats *made, vise_error *err) {
  vise_status status;
  own_rows own = {0};

  VISE_TRY(make_rows(t, batch, &own, err));
  if (batch->delta != NULL) VISE_TRY(check_delta(t, batch->x, batch->delta, err));
  if (own.view.n_rows == 1 && vise_i_net_has_batch_norm(t->net)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "a batch of 1 row: batch norm needs at least 2, one has no variance"));
  }
  if (vise_i_trainer_is_local(t)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "`sync_every`: between the means of weights, steps are on the training data alone"));
  }
  if (own.view.n_rows > t->spec.max_batch) VISE_TRY(vise_i_trainer_rebuild(t, own.view.n_rows, t->spec.use_mask, err));

  const vise_i_hyper hyper = vise_i_trainer_hyper(t);
  const vise_i_batch rows = {
      .data = &own.view.data, .n = own.view.data.x.n_rows, .delta = batch->delta, .external_loss = batch->loss};
  status = t->ops->step(t->backend, &rows, &hyper, made, err);
  if (status == VISE_OK || status == VISE_ERR_NONFINITE) {
    made->step = t->state.step + 1;
    made->epoch = 0;
    vise_i_trainer_count(t, made, false);
  }
  if (status == VISE_OK) status = vise_i_trainer_apply_weight_op(t, made->skipped, false, err);
  if (status == VISE_OK) status = vise_i_trainer_refit(t, err);

done:
  free_rows(&own);
  return status;
}

static vise_status step_on(vise_trainer *t, const own_batch *batch, vise_step_stats *stats, size_t stats_bytes,
                           vise_error *err) {
  vise_step_stats made = {.bad_tensor = -1};
  const vise_status status = take_step(t, batch, &made, err);
  if (made.step > 0) vise_i_struct_give(stats, stats_bytes, &made, sizeof(made));
  return vise_i_trainer_note(t, status, err);
}

vise_status vise_trainer_step_batch_sized(size_t stats_bytes, vise_trainer *trainer, const vise_array *x,
                                          const vise_array *y, const vise_array *row_weights, vise_step_stats *stats,
                                          vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer, x, y);
  if (trainer->config.loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_STATE, "the loss is external: use vise_trainer_step_external");
  }
  const own_batch batch = {.x = x, .y = y, .row_weights = row_weights};
  return step_on(trainer, &batch, stats, stats_bytes, err);
}

vise_status vise_trainer_step_external_sized(size_t stats_bytes, vise_trainer *trainer, const vise_array *x,
                                             const vise_array *delta, double loss, vise_step_stats *stats,
                                             vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer, x, delta);
  if (trainer->config.loss != VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_STATE, "the loss is %s, not external: use vise_trainer_step_batch",
                       vise_loss_name(trainer->config.loss));
  }
  const own_batch batch = {.x = x, .delta = delta, .loss = loss};
  return step_on(trainer, &batch, stats, stats_bytes, err);
}

vise_status(vise_trainer_step_batch)(vise_trainer *trainer, const vise_array *x, const vise_array *y,
                                     const vise_array *row_weights, vise_step_stats *stats, vise_error *err) {
  return vise_trainer_step_batch_sized(VISE_I_FIRST_STATS_BYTES, trainer, x, y, row_weights, stats, err);
}

vise_status(vise_trainer_step_external)(vise_trainer *trainer, const vise_array *x, const vise_array *delta,
                                        double loss, vise_step_stats *stats, vise_error *err) {
  return vise_trainer_step_external_sized(VISE_I_FIRST_STATS_BYTES, trainer, x, delta, loss, stats, err);
}

vise_status vise_trainer_forward(vise_trainer *trainer, const vise_array *x, double *out, vise_error *err) {
  vise_status status;
  own_rows own = {0};
  VISE_ENTER_TRAINER(err, trainer, x, out);

  const own_batch batch = {.x = x};
  VISE_TRY(make_rows(trainer, &batch, &own, err));
  const vise_i_batch rows = {.data = &own.view.data, .n = own.view.n_rows};
  status = trainer->ops->forward(trainer->backend, &rows, out, err);

done:
  free_rows(&own);
  return vise_i_trainer_note(trainer, status, err);
}

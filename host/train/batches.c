/* Steps and forward passes on the caller's own rows. */
#include "host/train/trainer.h"

/* Counts the step, and applies a weight operation that is due. */
static vise_status finish_step(vise_trainer *t, vise_status status, vise_step_stats *made, vise_step_stats *stats,
                               vise_error *err) {
  if (status == VISE_OK || status == VISE_ERR_NONFINITE) {
    made->step = t->state.step + 1;
    made->epoch = 0;
    vise_i_trainer_count(t, made, false);
    if (stats != NULL) *stats = *made;
  }
  if (status == VISE_OK) status = vise_i_trainer_apply_weight_op(t, made->skipped, false, err);
  return vise_i_trainer_note(t, status, err);
}

/* x as a dataset of borrowed arrays, and its view; the same checks as for data from files. */
static vise_status view_of_arrays(const vise_trainer *t, const vise_array *x, const vise_array *y,
                                  const vise_array *row_weights, vise_dataset **dataset, vise_i_view *view,
                                  vise_error *err) {
  vise_status status;
  if (x == NULL || x->n_rows == 0) VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "a batch of no rows"));
  VISE_TRY(vise_dataset_from_arrays(x, y, row_weights, false, dataset, err));
  VISE_TRY(vise_i_view_make(*dataset, t->net, t->config.loss, y != NULL, &t->scales, view, err));
done:
  return status;
}

vise_status vise_trainer_step_batch(vise_trainer *trainer, const vise_array *x, const vise_array *y,
                                    const vise_array *row_weights, vise_step_stats *stats, vise_error *err) {
  vise_status status;
  vise_dataset *dataset = NULL;
  vise_i_view view;
  vise_step_stats made = {.bad_tensor = -1};

  VISE_TRY(vise_i_trainer_check(trainer, err));
  if (trainer->config.loss == VISE_LOSS_EXTERNAL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_STATE, "the loss is external: use vise_trainer_step_external"));
  }
  if (y == NULL) VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "a batch without targets (y is NULL)"));

  VISE_TRY(view_of_arrays(trainer, x, y, row_weights, &dataset, &view, err));
  if (view.n_rows > trainer->spec.max_batch) {
    VISE_TRY(vise_i_trainer_rebuild(trainer, view.n_rows, trainer->spec.use_mask, err));
  }

  const vise_i_hyper hyper = vise_i_trainer_hyper(trainer);
  status = trainer->ops->step(trainer->backend, &view.data, NULL, 0, &hyper, &made, err);
  status = finish_step(trainer, status, &made, stats, err);

done:
  vise_dataset_free(dataset);
  return status;
}

static vise_status check_delta(const vise_trainer *t, const vise_array *x, const vise_array *delta, vise_error *err) {
  const size_t n_outputs = t->net->widths[t->net->n_layers];

  if (delta == NULL || delta->data == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "delta is NULL");
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

vise_status vise_trainer_step_external(vise_trainer *trainer, const vise_array *x, const vise_array *delta, double loss,
                                       vise_step_stats *stats, vise_error *err) {
  vise_status status;
  vise_dataset *dataset = NULL;
  vise_i_view view;
  vise_step_stats made = {.bad_tensor = -1};

  VISE_TRY(vise_i_trainer_check(trainer, err));
  if (trainer->config.loss != VISE_LOSS_EXTERNAL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_STATE, "the loss is %s, not external: use vise_trainer_step_batch",
                         vise_loss_name(trainer->config.loss)));
  }

  VISE_TRY(view_of_arrays(trainer, x, NULL, NULL, &dataset, &view, err));
  VISE_TRY(check_delta(trainer, x, delta, err));
  if (view.n_rows > trainer->spec.max_batch) {
    VISE_TRY(vise_i_trainer_rebuild(trainer, view.n_rows, trainer->spec.use_mask, err));
  }

  const vise_i_hyper hyper = vise_i_trainer_hyper(trainer);
  status = trainer->ops->step(trainer->backend, &view.data, delta, loss, &hyper, &made, err);
  status = finish_step(trainer, status, &made, stats, err);

done:
  vise_dataset_free(dataset);
  return status;
}

vise_status vise_trainer_forward(vise_trainer *trainer, const vise_array *x, double *out, vise_error *err) {
  vise_status status;
  vise_dataset *dataset = NULL;
  vise_i_view view;
  VISE_TRY(vise_i_trainer_check(trainer, err));
  VISE_TRY(view_of_arrays(trainer, x, NULL, NULL, &dataset, &view, err));
  status = trainer->ops->forward(trainer->backend, &view.data, NULL, view.n_rows, out, err);
  vise_i_trainer_note(trainer, status, err);
done:
  vise_dataset_free(dataset);
  return status;
}

/* The table of the float64 backend: memory, state, and the entry points that train and evaluate through it. */
#include <cblas.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/base/memory.h"

/* Rows at a time: enough for dgemm to be efficient, and not more than some tens of MiB of activations. */
#define CHUNK_ROWS 1024
#define CHUNK_ELEMENTS ((size_t)4 << 20)

static void cpu64_destroy(vise_i_backend *b) {
  if (!b) return;

  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(b->preactivations[l]);
    free(b->activations[l]);
  }

  free(b->params);
  free(b->moment1);
  free(b->moment2);
  free(b->mask);
  free(b->grad);
  free(b->delta);
  free(b->delta_below);
  free(b->targets);
  free(b->labels);
  free(b->row_weights);

  free(b);
}

static vise_status alloc_state(vise_i_backend *b, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n = b->net->n_params;

  VISE_TRY(vise_i_alloc_zero(&b->params, n, sizeof *b->params, "weights", err));
  VISE_TRY(vise_i_alloc_zero(&b->grad, n, sizeof *b->grad, "gradient", err));
  if (vise_i_keeps_moment1(&b->spec.rule))
    VISE_TRY(vise_i_alloc_zero(&b->moment1, n, sizeof *b->moment1, "first moments", err));
  if (vise_i_keeps_moment2(&b->spec.rule))
    VISE_TRY(vise_i_alloc_zero(&b->moment2, n, sizeof *b->moment2, "second moments", err));

  if (b->spec.use_mask) {
    VISE_TRY(vise_i_alloc(&b->mask, n, sizeof *b->mask, "mask", err));
    memset(b->mask, 1, n);
  }

done:
  return status;
}

static vise_status alloc_rows(double **out, size_t n_rows, size_t width, const char *what, vise_error *err) {
  size_t n;
  if (!vise_i_size_mul(n_rows, width, &n)) return vise_i_fail(err, VISE_ERR_MEMORY, "%s: too large", what);
  return vise_i_alloc_aligned(out, n, sizeof **out, what, err);
}

static vise_status alloc_scratch(vise_i_backend *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;
  size_t widest = 0, n_out = vise_i_cpu64_n_outputs(b);

  for (size_t l = 0; l <= net->n_layers; l++) widest = net->widths[l] > widest ? net->widths[l] : widest;
  b->chunk = CHUNK_ELEMENTS / widest;
  if (b->chunk > CHUNK_ROWS) b->chunk = CHUNK_ROWS;
  if (b->chunk < 1) b->chunk = 1;

  for (size_t l = 0; l < net->n_layers; l++) {
    VISE_TRY(alloc_rows(&b->activations[l], b->chunk, net->widths[l], "activations", err));
    VISE_TRY(alloc_rows(&b->preactivations[l], b->chunk, net->widths[l + 1], "activations", err));
  }

  VISE_TRY(alloc_rows(&b->delta, b->chunk, widest, "gradients of activations", err));
  VISE_TRY(alloc_rows(&b->delta_below, b->chunk, widest, "gradients of activations", err));
  VISE_TRY(alloc_rows(&b->targets, b->chunk, n_out, "targets of a batch", err));
  VISE_TRY(vise_i_alloc(&b->labels, b->chunk, sizeof *b->labels, "labels of a batch", err));
  VISE_TRY(vise_i_alloc(&b->row_weights, b->chunk, sizeof *b->row_weights, "row weights of a batch", err));

done:
  return status;
}

static vise_status cpu64_create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_backend *b = NULL;

  VISE_TRY(vise_i_alloc_zero(&b, 1, sizeof *b, "backend", err));
  b->spec = *spec;
  b->net = spec->net;
  b->counters.beta1_t = b->counters.beta2_t = 1;

  VISE_TRY(alloc_state(b, err));
  VISE_TRY(alloc_scratch(b, err));
  *out = b;
  b = NULL;

done:
  cpu64_destroy(b);
  return status;
}

/* The array of state `which` and its size in bytes; NULL when it is not kept. */
static void *state_array(const vise_i_backend *b, vise_i_state which, size_t *n_bytes) {
  *n_bytes = b->net->n_params * (which == VISE_I_MASK ? sizeof(uint8_t) : sizeof(double));

  switch (which) {
    case VISE_I_PARAMS:
      return b->params;
    case VISE_I_MOMENT1:
      return b->moment1;
    case VISE_I_MOMENT2:
      return b->moment2;
    case VISE_I_MASK:
      return b->mask;
  }

  return NULL;
}

static bool cpu64_has_state(const vise_i_backend *b, vise_i_state which) {
  size_t n_bytes;
  return state_array(b, which, &n_bytes) != NULL;
}

static vise_status cpu64_get_state(vise_i_backend *b, vise_i_state which, void *out, vise_error *err) {
  size_t n_bytes;
  const void *from = state_array(b, which, &n_bytes);
  if (!from) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: state %d is not kept", (int)which);
  memcpy(out, from, n_bytes);
  return VISE_OK;
}

static vise_status cpu64_set_state(vise_i_backend *b, vise_i_state which, const void *values, vise_error *err) {
  size_t n_bytes;
  void *to = state_array(b, which, &n_bytes);
  if (!to) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: state %d is not kept", (int)which);
  memcpy(to, values, n_bytes);
  return VISE_OK;
}

static vise_i_counters cpu64_get_counters(const vise_i_backend *b) {
  return b->counters;
}

static void cpu64_set_counters(vise_i_backend *b, const vise_i_counters *counters) {
  b->counters = *counters;
}

static vise_status cpu64_project(vise_i_backend *b, const vise_i_hyper *hyper, vise_error *err) {
  (void)err;
  vise_i_cpu64_apply_mask(b);
  vise_i_cpu64_project(b, hyper->clamp_factor);
  return VISE_OK;
}

static vise_status cpu64_bind(vise_i_backend *b, const vise_i_data *data, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_cpu64_check_data(b, data, b->spec.rule.loss != VISE_LOSS_EXTERNAL, err));
  b->bound = *data;
  b->is_bound = true;
  b->order = NULL;
  b->n_order = 0;
done:
  return status;
}

static vise_status cpu64_set_order(vise_i_backend *b, const size_t *rows, size_t n_rows, vise_error *err) {
  if (!b->is_bound) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: an order without data");
  for (size_t i = 0; i < n_rows; i++) {
    if (rows[i] >= b->bound.x.n_rows) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: row %zu in the order, the data have %zu", rows[i],
                         b->bound.x.n_rows);
    }
  }
  b->order = rows;
  b->n_order = n_rows;
  return VISE_OK;
}

static vise_status check_batch(const vise_i_backend *b, size_t n, vise_error *err) {
  if (n < 1 || n > b->spec.max_batch) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: a batch of %zu rows, expected 1 to %zu", n, b->spec.max_batch);
  }
  return VISE_OK;
}

static vise_status cpu64_run(vise_i_backend *b, size_t first, size_t batch, size_t n_steps, const vise_i_hyper *hyper,
                             vise_step_stats *stats, size_t *n_done, vise_error *err) {
  vise_status status = VISE_OK;
  size_t done_steps = 0;

  openblas_set_num_threads(b->spec.n_threads);
  VISE_TRY(check_batch(b, batch, err));
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: the external loss has steps one by one only");
    goto done;
  }

  for (size_t i = 0; i < n_steps; i++) {
    size_t at = first + i * batch, n;
    if (at >= b->n_order) {
      status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: a batch at %zu, the order has %zu rows", at, b->n_order);
      goto done;
    }

    n = b->n_order - at < batch ? b->n_order - at : batch;
    status = vise_i_cpu64_step(b, &b->bound, b->order + at, n, NULL, 0, &hyper[i], &stats[i], err);
    if (status == VISE_OK || status == VISE_ERR_NONFINITE) done_steps++;
    if (status != VISE_OK) goto done;
  }

done:
  *n_done = done_steps;
  return status;
}

static vise_status cpu64_step(vise_i_backend *b, const vise_i_data *data, const vise_array *delta, double external_loss,
                              const vise_i_hyper *hyper, vise_step_stats *stats, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n = data->x.n_rows, n_out = vise_i_cpu64_n_outputs(b);

  openblas_set_num_threads(b->spec.n_threads);
  VISE_TRY(check_batch(b, n, err));
  if ((b->spec.rule.loss == VISE_LOSS_EXTERNAL) != (delta != NULL)) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: the external loss, and it alone, takes a delta");
    goto done;
  }

  if (delta && (delta->n_rows != n || delta->n_cols != n_out)) {
    status = vise_i_fail(err, VISE_ERR_SHAPE, "delta is [%zu, %zu], expected [%zu, %zu]", delta->n_rows, delta->n_cols,
                         n, n_out);
    goto done;
  }

  status = vise_i_cpu64_step(b, data, NULL, n, delta, external_loss, hyper, stats, err);
done:
  return status;
}

static vise_status cpu64_forward(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n, double *out,
                                 vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_out = vise_i_cpu64_n_outputs(b);

  openblas_set_num_threads(b->spec.n_threads);
  VISE_TRY(vise_i_cpu64_check_data(b, data, false, err));

  for (size_t first = 0; first < n; first += b->chunk) {
    size_t n_chunk = n - first < b->chunk ? n - first : b->chunk;
    vise_i_cpu64_gather_features(b, data, rows ? rows + first : NULL, first, n_chunk);
    vise_i_cpu64_forward(b, n_chunk);
    memcpy(out + first * n_out, b->preactivations[b->net->n_layers - 1], n_chunk * n_out * sizeof *out);
  }

done:
  return status;
}

static vise_status cpu64_full_gradient(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n,
                                       double *out, double *loss, double *penalty, vise_error *err) {
  vise_status status = VISE_OK;
  double data_loss;
  uint64_t n_correct;

  openblas_set_num_threads(b->spec.n_threads);
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: the external loss has no gradient of its own");
    goto done;
  }

  VISE_TRY(vise_i_cpu64_gradient(b, data, rows, n, NULL, out, &data_loss, &n_correct, err));
  /* L1 is part of the objective even if steps apply its proximal map. */
  vise_i_cpu64_add_penalty_gradient(b, true, out);

  if (loss) *loss = data_loss;
  if (penalty) *penalty = vise_i_cpu64_penalty(b);

done:
  return status;
}

static const vise_tensor_stats *cpu64_tensor_stats(const vise_i_backend *b) {
  return b->tensor_stats;
}

static uint64_t cpu64_n_launches(const vise_i_backend *b) {
  (void)b;
  return 0;
}

const vise_i_backend_ops vise_i_backend_cpu64 = {
    .name = "cpu64",
    .dtype = VISE_F64,
    .create = cpu64_create,
    .destroy = cpu64_destroy,
    .has_state = cpu64_has_state,
    .get_state = cpu64_get_state,
    .set_state = cpu64_set_state,
    .get_counters = cpu64_get_counters,
    .set_counters = cpu64_set_counters,
    .project = cpu64_project,
    .bind = cpu64_bind,
    .set_order = cpu64_set_order,
    .run = cpu64_run,
    .step = cpu64_step,
    .forward = cpu64_forward,
    .full_gradient = cpu64_full_gradient,
    .tensor_stats = cpu64_tensor_stats,
    .n_launches = cpu64_n_launches,
};

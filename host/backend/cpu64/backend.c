/* The table of the float64 backend: memory, state, and the entry points that train and evaluate through it. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cpu64/cpu64.h"
#include "host/base/memory.h"
#include "host/ops/rounding.h"

/* Rows at a time: enough for products to be efficient, and not more than some tens of MiB of activations. */
#define CHUNK_ROWS 1024
#define CHUNK_ELEMENTS ((size_t)4 << 20)

static vise_i_cpu64 *own(vise_i_backend *backend) {
  return (vise_i_cpu64 *)backend;
}

static void destroy(vise_i_backend *backend) {
  vise_i_cpu64 *b = own(backend);
  if (!b) return;

  for (size_t i = 0; i <= VISE_I_MOST_LISTED; i++) free(b->values[i]);
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(b->statistics[l]);
    free(b->levels[l]);
  }
  free(b->row);

  free(b->grad);
  free(b->delta);
  free(b->delta_below);
  free(b->delta_skip);
  free(b->targets);
  free(b->labels);
  free(b->row_weights);
  for (size_t p = 0; p < VISE_I_MOST_PARTS; p++) free(b->part_grads[p]);
  free(b->part_sums);

  vise_i_host_free(&b->host);
  free(b);
}

static vise_status alloc_rows(double **out, size_t n_rows, size_t width, const char *what, vise_error *err) {
  size_t n;
  if (!vise_i_size_mul(n_rows, width, &n)) return vise_i_fail(err, VISE_ERR_MEMORY, "%s: too large", what);
  return vise_i_alloc_aligned(out, n, sizeof **out, what, err);
}

static bool has_residual(const vise_i_net *net) {
  for (size_t l = 0; l < net->n_layers; l++) {
    if (net->blocks[l].residual) return true;
  }
  return false;
}

static vise_status alloc_scratch(vise_i_cpu64 *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;
  size_t widest = 0, n_out = vise_i_cpu64_n_outputs(b);

  for (size_t l = 0; l <= net->n_layers; l++) widest = net->widths[l] > widest ? net->widths[l] : widest;
  b->chunk = CHUNK_ELEMENTS / widest;
  if (b->chunk > CHUNK_ROWS) b->chunk = CHUNK_ROWS;
  if (b->chunk < 1) b->chunk = 1;
  /* Batch norm needs all rows of a batch at once. */
  if (vise_i_net_has_batch_norm(net) && b->chunk < b->spec->max_batch) b->chunk = b->spec->max_batch;

  for (size_t i = 0; i <= net->n_listed; i++) {
    const size_t width = i == 0 ? net->widths[0] : net->layers[i - 1].n_out;
    VISE_TRY(alloc_rows(&b->values[i], b->chunk, width, "activations", err));
  }
  for (size_t l = 0; l < net->n_layers; l++) {
    if (!vise_i_rounds_outputs(b->spec->quantization, l)) continue;
    VISE_TRY(alloc_rows(&b->levels[l], b->chunk, net->widths[l + 1], "activations", err));
  }
  if (b->spec->quantization) VISE_TRY(vise_i_alloc(&b->row, widest, sizeof *b->row, "a row of weights", err));
  for (size_t l = 0; l < net->n_layers; l++) {
    if (!net->blocks[l].batch_norm) continue;
    VISE_TRY(vise_i_alloc_zero(&b->statistics[l], 2 * net->widths[l + 1], sizeof(double), "statistics", err));
  }

  VISE_TRY(vise_i_alloc_zero(&b->grad, net->n_params, sizeof *b->grad, "gradient", err));
  VISE_TRY(alloc_rows(&b->delta, b->chunk, widest, "gradients of activations", err));
  VISE_TRY(alloc_rows(&b->delta_below, b->chunk, widest, "gradients of activations", err));
  if (has_residual(net)) VISE_TRY(alloc_rows(&b->delta_skip, b->chunk, widest, "gradients of activations", err));
  VISE_TRY(alloc_rows(&b->targets, b->chunk, n_out, "targets of a batch", err));
  VISE_TRY(vise_i_alloc(&b->labels, b->chunk, sizeof *b->labels, "labels of a batch", err));
  VISE_TRY(vise_i_alloc(&b->row_weights, b->chunk, sizeof *b->row_weights, "row weights of a batch", err));

done:
  return status;
}

static vise_status alloc_parts(vise_i_cpu64 *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_step_spec *spec = b->spec;
  size_t widest = 0;
  if (spec->parts == 0) return VISE_OK;

  const size_t n =
      vise_i_most_parts(spec->parts, spec->max_batch, vise_ranks_rank(spec->ranks), vise_ranks_size(spec->ranks));
  for (size_t p = 1; p < n; p++) {
    VISE_TRY(vise_i_alloc(&b->part_grads[p], b->net->n_params, sizeof(double), "gradient of a part", err));
  }
  for (size_t l = 1; l <= b->net->n_layers; l++) widest = b->net->widths[l] > widest ? b->net->widths[l] : widest;
  VISE_TRY(vise_i_alloc(&b->part_sums, VISE_I_MOST_PARTS * 2 * widest, sizeof(double), "sums of parts", err));

done:
  return status;
}

static vise_status create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cpu64 *b = NULL;

  VISE_TRY(vise_i_alloc_zero(&b, 1, sizeof *b, "backend", err));
  VISE_TRY(vise_i_host_open(&b->host, &vise_i_backend_cpu64, spec, err));
  b->spec = &b->host.base.spec;
  b->rule = &b->spec->rule;
  b->net = spec->net;
  b->params = b->host.state[VISE_I_PARAMS];
  b->moment1 = b->host.state[VISE_I_MOMENT1];
  b->moment2 = b->host.state[VISE_I_MOMENT2];
  b->mask = b->host.state[VISE_I_MASK];
  b->used = spec->quantization ? b->host.state[VISE_I_ROUNDED] : b->params;

  VISE_TRY(alloc_scratch(b, err));
  VISE_TRY(alloc_parts(b, err));
  *out = &b->host.base;
  b = NULL;

done:
  if (b) destroy(&b->host.base);
  return status;
}

static vise_status set_state(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err) {
  const vise_status status = vise_i_host_set_state(backend, which, values, err);
  if (status == VISE_OK) vise_i_cpu64_round(own(backend), false);
  return status;
}

static vise_status project(vise_i_backend *backend, const vise_i_hyper *hyper, vise_error *err) {
  vise_i_cpu64 *b = own(backend);
  (void)err;
  vise_i_cpu64_apply_mask(b);
  vise_i_cpu64_project(b, hyper);
  vise_i_cpu64_round(b, true);
  return VISE_OK;
}

static vise_status step_of_run(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                               vise_step_stats *stats, vise_error *err) {
  return vise_i_cpu64_step(own(backend), batch, hyper, stats, err);
}

static vise_status run(vise_i_backend *backend, const vise_i_steps *steps, size_t *n_done, vise_error *err) {
  return vise_i_host_run(backend, steps, step_of_run, n_done, err);
}

static vise_status step(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                        vise_step_stats *stats, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_check_step(backend, batch, err));
  status = vise_i_cpu64_step(own(backend), batch, hyper, stats, err);
done:
  return status;
}

static vise_status forward(vise_i_backend *backend, const vise_i_batch *batch, double *out, vise_error *err) {
  vise_i_cpu64 *b = own(backend);
  vise_status status;
  const size_t n_out = vise_i_cpu64_n_outputs(b);

  VISE_TRY(vise_i_check_data(b->spec, batch->data, false, err));

  for (size_t first = 0; first < batch->n; first += b->chunk) {
    const size_t n = batch->n - first < b->chunk ? batch->n - first : b->chunk;
    vise_i_cpu64_gather_features(b, batch, first, n);
    vise_i_cpu64_forward(b, &(vise_i_op_pass){.first = first, .n = n});
    memcpy(out + first * n_out, b->values[b->net->n_listed], n * n_out * sizeof *out);
  }

done:
  return status;
}

static vise_status full_gradient(vise_i_backend *backend, const vise_i_batch *batch, double *out, double *loss,
                                 double *penalty, vise_error *err) {
  vise_i_cpu64 *b = own(backend);
  vise_status status;
  double data_loss;
  uint64_t n_correct;

  VISE_TRY(vise_i_check_gradient(backend, batch, err));
  VISE_TRY(vise_i_cpu64_gradient(b, batch, &(vise_i_cpu64_result){out, &data_loss, &n_correct}, err));
  /* L1 is part of the objective even if steps apply its proximal map. */
  vise_i_cpu64_add_penalty_gradient(b, true, out);

  if (loss) *loss = data_loss;
  if (penalty) *penalty = vise_i_cpu64_penalty(b);

done:
  return status;
}

const vise_i_backend_ops vise_i_backend_cpu64 = {
    .name = "cpu64",
    .dtype = VISE_F64,
    .create = create,
    .destroy = destroy,
    .has_state = vise_i_host_has_state,
    .get_state = vise_i_host_get_state,
    .set_state = set_state,
    .get_counters = vise_i_host_get_counters,
    .set_counters = vise_i_host_set_counters,
    .project = project,
    .bind = vise_i_host_bind,
    .set_order = vise_i_host_set_order,
    .run = run,
    .step = step,
    .forward = forward,
    .full_gradient = full_gradient,
    .n_launches = vise_i_host_n_launches,
};

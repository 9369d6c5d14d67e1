/* The table of the float32 backend: memory, state, and the entry points that train and evaluate through it. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"

/* Rows worked on at a time: a training batch as a whole, within these bounds and some tens of MiB of activations; small
   batches leave room for evaluation. */
#define CHUNK_ROWS_LEAST 64
#define CHUNK_ROWS_MOST 1024
#define CHUNK_ELEMENTS ((size_t)4 << 20)

void vise_i_cpu_free_rows(vise_i_backend *b) {
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(b->act[l]);
    free(b->pre[l]);
  }

  for (int i = 0; i < 2; i++) free(b->delta[i]);
  for (int i = 0; i < 4; i++) free(b->row_tmp[i]);

  free(b->x);
  free(b->y);
  free(b->labels);
  free(b->row_weight);
  free(b->row_sum);
}

static void cpu_destroy(vise_i_backend *b) {
  if (!b) return;

  vise_i_cpu_views_destroy(b);
  vise_i_team_destroy(b->team);
  free(b->parts);
  vise_i_cpu_free_rows(b);

  free(b->params);
  free(b->grads);
  free(b->moment1);
  free(b->moment2);
  free(b->mask);

  free(b->unit_scale);
  free(b->unit_sum_sq);
  free(b->unit_max);
  free(b->class_weights);
  free(b->scale_shift);
  free(b->scale_inverse);

  free(b);
}

static vise_status alloc_state(vise_i_backend *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_step_spec *spec = &b->spec;
  const size_t n = b->net->n_params;

  VISE_TRY(vise_i_alloc_aligned(&b->params, n, sizeof(float), "weights", err));
  memset(b->params, 0, n * sizeof(float));
  VISE_TRY(vise_i_alloc_aligned(&b->grads, n, sizeof(float), "gradient", err));
  memset(b->grads, 0, n * sizeof(float));

  if (vise_i_keeps_moment1(&spec->rule)) {
    VISE_TRY(vise_i_alloc_aligned(&b->moment1, n, sizeof(float), "first moments", err));
    memset(b->moment1, 0, n * sizeof(float));
  }
  if (vise_i_keeps_moment2(&spec->rule)) {
    VISE_TRY(vise_i_alloc_aligned(&b->moment2, n, sizeof(float), "second moments", err));
    memset(b->moment2, 0, n * sizeof(float));
  }

  if (spec->use_mask) {
    VISE_TRY(vise_i_alloc_aligned(&b->mask, n, sizeof(uint8_t), "mask", err));
    memset(b->mask, 1, n);
  }

done:
  return status;
}

/* Array for chunk rows of this width. */
static vise_status alloc_rows(vise_i_backend *b, float **out, size_t width, const char *what, vise_error *err) {
  return vise_i_alloc_aligned(out, b->chunk * width, sizeof **out, what, err); /* within CHUNK_ELEMENTS or one row */
}

static size_t widest_behind_inputs(const vise_i_net *net) {
  size_t widest = 0;
  for (size_t l = 1; l <= net->n_layers; l++) {
    if (net->widths[l] > widest) widest = net->widths[l];
  }
  return widest;
}

vise_status vise_i_cpu_alloc_rows(vise_i_backend *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;

  for (size_t l = 0; l < net->n_layers; l++) {
    const bool keeps = l + 1 < net->n_layers && vise_i_activation_needs_z(net->activation);
    VISE_TRY(alloc_rows(b, &b->act[l], net->widths[l + 1], "activations", err));
    if (keeps) VISE_TRY(alloc_rows(b, &b->pre[l], net->widths[l + 1], "activations", err));
  }

  VISE_TRY(alloc_rows(b, &b->x, net->widths[0], "features of a batch", err));
  VISE_TRY(alloc_rows(b, &b->y, net->widths[net->n_layers], "targets of a batch", err));
  for (int i = 0; i < 2; i++) {
    VISE_TRY(alloc_rows(b, &b->delta[i], widest_behind_inputs(net), "gradients of activations", err));
  }

  for (int i = 0; i < 4; i++) VISE_TRY(alloc_rows(b, &b->row_tmp[i], 1, "scratch of the loss", err));
  VISE_TRY(alloc_rows(b, &b->row_weight, 1, "row weights of a batch", err));
  VISE_TRY(vise_i_alloc_aligned(&b->row_sum, b->chunk, sizeof(double), "scratch of the loss", err));
  VISE_TRY(vise_i_alloc_aligned(&b->labels, b->chunk, sizeof(int32_t), "labels of a batch", err));

done:
  return status;
}

static vise_status alloc_scratch(vise_i_backend *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;
  const size_t n_in = net->widths[0], n_out = net->widths[net->n_layers], behind = widest_behind_inputs(net);
  const size_t widest = behind > n_in ? behind : n_in;

  b->chunk = b->spec.max_batch < CHUNK_ROWS_LEAST ? CHUNK_ROWS_LEAST : b->spec.max_batch;
  if (b->chunk > CHUNK_ROWS_MOST) b->chunk = CHUNK_ROWS_MOST;
  if (b->chunk > CHUNK_ELEMENTS / widest) b->chunk = CHUNK_ELEMENTS / widest;

  VISE_TRY(vise_i_cpu_alloc_rows(b, err));
  VISE_TRY(vise_i_alloc_zero(&b->scale_shift, 2 * (n_in + n_out), sizeof(double), "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&b->scale_inverse, 2 * (n_in + n_out), sizeof(double), "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_scale, b->n_units, sizeof(float), "norms of units", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_sum_sq, b->n_units, sizeof(double), "norms of units", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_max, b->n_units, sizeof(float), "norms of units", err));

done:
  return status;
}

static vise_status copy_class_weights(vise_i_backend *b, vise_error *err) {
  const size_t n_out = b->net->widths[b->net->n_layers], n = n_out == 1 ? 2 : n_out;
  if (!b->spec.class_weights) return VISE_OK;
  vise_status status = vise_i_alloc(&b->class_weights, n, sizeof(float), "class weights", err);
  if (status != VISE_OK) return status;
  for (size_t k = 0; k < n; k++) {
    b->class_weights[k] = (float)b->spec.class_weights[k];
    b->class_weight_sum += (double)b->class_weights[k];
  }
  return VISE_OK;
}

static void describe_tensors(vise_i_backend *b) {
  const vise_i_step_spec *spec = &b->spec;

  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_tensor *shape = &b->net->tensors[i];
    const bool by_row = vise_i_clips_units(&spec->rule) && !shape->is_bias;

    b->tensors[i] = (vise_i_cpu_tensor){
        .shape = shape,
        .n = shape->n_rows * shape->n_cols,
        .n_units = by_row ? shape->n_rows : 1,
        .first_unit = b->n_units,
        .k = vise_i_strengths_of(&spec->rule, shape->is_bias),
    };
    b->n_units += b->tensors[i].n_units;
  }
}

/* Points the tensors into the flat arrays, once these exist. */
static void place_tensors(vise_i_backend *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    const size_t at = t->shape->offset;
    t->w = b->params + at;
    t->g = b->grads + at;
    t->m1 = b->moment1 ? b->moment1 + at : NULL;
    t->m2 = b->moment2 ? b->moment2 + at : NULL;
    t->mask = b->mask ? b->mask + at : NULL;
  }
}

static vise_status cpu_create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_backend *b = NULL;

  VISE_TRY(vise_i_alloc_zero(&b, 1, sizeof *b, "backend", err));
  b->spec = *spec;
  b->net = spec->net;
  b->counters.beta1_t = b->counters.beta2_t = 1;
  describe_tensors(b);

  VISE_TRY(copy_class_weights(b, err));
  VISE_TRY(alloc_state(b, err));
  VISE_TRY(alloc_scratch(b, err));
  place_tensors(b);
  VISE_TRY(vise_i_team_create(spec->n_threads, &b->team, err));
  VISE_TRY(vise_i_alloc_aligned(&b->parts, vise_i_team_size(b->team), sizeof *b->parts, "threads", err));
  VISE_TRY(vise_i_cpu_views_create(b, err));

  *out = b;
  b = NULL;

done:
  cpu_destroy(b);
  return status;
}

/* The team's threads share a whole step, so in each of them BLAS has one thread. */
static void claim_blas(void) {
  if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

/* The array of state `which` and its size in bytes; NULL when it is not kept. */
static void *state_array(const vise_i_backend *b, vise_i_state which, size_t *n_bytes) {
  *n_bytes = b->net->n_params * (which == VISE_I_MASK ? sizeof(uint8_t) : sizeof(float));

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

static bool cpu_has_state(const vise_i_backend *b, vise_i_state which) {
  size_t n_bytes;
  return state_array(b, which, &n_bytes) != NULL;
}

static vise_status cpu_get_state(vise_i_backend *b, vise_i_state which, void *out, vise_error *err) {
  size_t n_bytes;
  const void *from = state_array(b, which, &n_bytes);
  if (!from) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: state %d is not kept", (int)which);
  memcpy(out, from, n_bytes);
  return VISE_OK;
}

static vise_status cpu_set_state(vise_i_backend *b, vise_i_state which, const void *values, vise_error *err) {
  size_t n_bytes;
  void *to = state_array(b, which, &n_bytes);
  if (!to) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: state %d is not kept", (int)which);
  memcpy(to, values, n_bytes);
  return VISE_OK;
}

static vise_i_counters cpu_get_counters(const vise_i_backend *b) {
  return b->counters;
}

static void cpu_set_counters(vise_i_backend *b, const vise_i_counters *counters) {
  b->counters = *counters;
}

static vise_status cpu_project(vise_i_backend *b, const vise_i_hyper *hyper, vise_error *err) {
  (void)err;
  vise_i_cpu_set_box(b, hyper);
  vise_i_cpu_project(b);
  return VISE_OK;
}

static vise_status cpu_bind(vise_i_backend *b, const vise_i_data *data, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_check_data(&b->spec, data, b->spec.rule.loss != VISE_LOSS_EXTERNAL, err));
  b->data = *data;
  b->is_bound = true;
  b->order = NULL;
  b->n_order = 0;
  vise_i_cpu_prepare_scaling(b, data, VISE_I_CPU_BOUND);
done:
  return status;
}

static vise_status cpu_set_order(vise_i_backend *b, const size_t *rows, size_t n_rows, vise_error *err) {
  if (!b->is_bound) return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: an order without data");
  for (size_t i = 0; i < n_rows; i++) {
    if (rows[i] >= b->data.x.n_rows) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: row %zu in the order, the data have %zu", rows[i],
                         b->data.x.n_rows);
    }
  }
  b->order = rows;
  b->n_order = n_rows;
  return VISE_OK;
}

static vise_status check_batch(const vise_i_backend *b, size_t n, vise_error *err) {
  if (n < 1 || n > b->spec.max_batch) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: a batch of %zu rows, expected 1 to %zu", n, b->spec.max_batch);
  }
  return VISE_OK;
}

static vise_status cpu_run(vise_i_backend *b, size_t first, size_t batch, size_t n_steps, const vise_i_hyper *hyper,
                           vise_step_stats *stats, size_t *n_done, vise_error *err) {
  vise_status status = VISE_OK;
  size_t done_steps = 0;

  claim_blas();
  VISE_TRY(check_batch(b, batch, err));
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: the external loss has steps one by one only");
    goto done;
  }

  for (size_t i = 0; i < n_steps; i++) {
    const size_t at = first + i * batch;
    if (at >= b->n_order) {
      status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: a batch at %zu, the order has %zu rows", at, b->n_order);
      goto done;
    }

    const size_t n = b->n_order - at < batch ? b->n_order - at : batch;
    status = vise_i_cpu_step(b, &b->data, VISE_I_CPU_BOUND, b->order + at, n, NULL, 0, &hyper[i], &stats[i], err);
    if (status == VISE_OK || status == VISE_ERR_NONFINITE) done_steps++;
    if (status != VISE_OK) goto done;
  }

done:
  *n_done = done_steps;
  return status;
}

static vise_status cpu_step(vise_i_backend *b, const vise_i_data *data, const vise_array *delta, double external_loss,
                            const vise_i_hyper *hyper, vise_step_stats *stats, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n = data->x.n_rows, n_out = b->net->widths[b->net->n_layers];

  claim_blas();
  VISE_TRY(check_batch(b, n, err));
  if ((b->spec.rule.loss == VISE_LOSS_EXTERNAL) != (delta != NULL)) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: the external loss, and it alone, takes a delta");
    goto done;
  }

  VISE_TRY(vise_i_check_data(&b->spec, data, !delta, err));
  if (delta && (delta->n_rows != n || delta->n_cols != n_out)) {
    status = vise_i_fail(err, VISE_ERR_SHAPE, "delta is [%zu, %zu], expected [%zu, %zu]", delta->n_rows, delta->n_cols,
                         n, n_out);
    goto done;
  }

  vise_i_cpu_prepare_scaling(b, data, VISE_I_CPU_SINGLE);
  status = vise_i_cpu_step(b, data, VISE_I_CPU_SINGLE, NULL, n, delta, external_loss, hyper, stats, err);

done:
  return status;
}

static vise_status cpu_forward(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n, double *out,
                               vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_out = b->net->widths[b->net->n_layers];
  const float *z = b->act[b->net->n_layers - 1];

  claim_blas();
  VISE_TRY(vise_i_check_data(&b->spec, data, false, err));
  vise_i_cpu_prepare_scaling(b, data, VISE_I_CPU_SINGLE);

  for (size_t first = 0; first < n; first += b->chunk) {
    const size_t n_chunk = n - first < b->chunk ? n - first : b->chunk;
    vise_i_cpu_gather_x(b, data, VISE_I_CPU_SINGLE, rows ? rows + first : NULL, first, n_chunk);
    vise_i_cpu_forward(b, n_chunk);
    for (size_t r = 0; r < n_chunk; r++) {
      for (size_t k = 0; k < n_out; k++) out[(first + r) * n_out + k] = (double)z[k * n_chunk + r];
    }
  }

done:
  return status;
}

static vise_status cpu_full_gradient(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n,
                                     double *out, double *loss, double *penalty, vise_error *err) {
  vise_status status = VISE_OK;
  double data_loss;
  uint64_t n_correct;

  claim_blas();
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: the external loss has no gradient of its own");
    goto done;
  }
  VISE_TRY(vise_i_check_data(&b->spec, data, true, err));

  vise_i_cpu_prepare_scaling(b, data, VISE_I_CPU_SINGLE);
  VISE_TRY(vise_i_cpu_gradient(b, data, VISE_I_CPU_SINGLE, rows, n, NULL, &data_loss, &n_correct, err));
  for (size_t i = 0; i < b->net->n_params; i++) out[i] = (double)b->grads[i];
  vise_i_cpu_set_penalty(b, true); /* L1 is part of the objective even if steps apply its proximal map */
  vise_i_cpu_add_penalty(b, out);

  if (loss) *loss = data_loss;
  if (penalty) *penalty = vise_i_cpu_penalty(b);

done:
  return status;
}

static const vise_tensor_stats *cpu_tensor_stats(const vise_i_backend *b) {
  return b->tensor_stats;
}

static uint64_t cpu_n_launches(const vise_i_backend *b) {
  (void)b;
  return 0;
}

const vise_i_backend_ops vise_i_backend_cpu = {
    .name = "cpu",
    .dtype = VISE_F32,
    .create = cpu_create,
    .destroy = cpu_destroy,
    .has_state = cpu_has_state,
    .get_state = cpu_get_state,
    .set_state = cpu_set_state,
    .get_counters = cpu_get_counters,
    .set_counters = cpu_set_counters,
    .project = cpu_project,
    .bind = cpu_bind,
    .set_order = cpu_set_order,
    .run = cpu_run,
    .step = cpu_step,
    .forward = cpu_forward,
    .full_gradient = cpu_full_gradient,
    .tensor_stats = cpu_tensor_stats,
    .n_launches = cpu_n_launches,
};

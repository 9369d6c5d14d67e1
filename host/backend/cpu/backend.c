/* The table of the float32 backend: memory, state, and the entry points that train and evaluate through it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/base/memory.h"

/* Rows worked on at a time: a training batch as a whole, within these bounds and some tens of MiB of activations; small
   batches leave room for evaluation. */
#define CHUNK_ROWS_LEAST 64
#define CHUNK_ROWS_MOST 1024
#define CHUNK_ELEMENTS ((size_t)4 << 20)

static vise_i_cpu *own(vise_i_backend *backend) {
  return (vise_i_cpu *)backend;
}

static void destroy(vise_i_backend *backend) {
  vise_i_cpu *b = own(backend);
  if (!b) return;

  vise_i_cpu_views_destroy(b);
  vise_i_cpu_lists_free(b);
  vise_i_cpu_rounded_free(b);
  free(b->ahead);
  vise_i_team_destroy(b->team);
  free(b->found);
  vise_i_cpu_free_rows(b);

  free(b->grads);
  free(b->unit_scale);
  free(b->unit_sum_sq);
  free(b->unit_max);
  free(b->sums);
  free(b->thresholds);
  free(b->verified);
  free(b->verified_mask);
  free(b->class_weights);
  free(b->scale_shift);
  free(b->scale_inverse);

  vise_i_host_free(&b->host);
  free(b);
}

static vise_status alloc_thresholds(vise_i_cpu *b, vise_error *err) {
  size_t n = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) n += 2 * b->net->tensors[i].n_rows;
  const vise_status status = vise_i_alloc_zero(&b->thresholds, n, sizeof(float), "thresholds of rows", err);
  if (status != VISE_OK) return status;

  n = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_row_ball ball = vise_i_tensor_ball(b->spec, &b->net->tensors[i]);
    if (ball.radius > 0) b->tensors[i].last_thresholds = b->thresholds + n;
    n += 2 * b->net->tensors[i].n_rows;
  }
  return VISE_OK;
}

static vise_status alloc_scratch(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;
  const size_t n_in = net->widths[0], n_out = net->widths[net->n_layers], output = vise_i_cpu_widest_output(net);
  const size_t widest = output > n_in ? output : n_in;

  b->chunk = b->spec->max_batch < CHUNK_ROWS_LEAST ? CHUNK_ROWS_LEAST : b->spec->max_batch;
  if (b->chunk > CHUNK_ROWS_MOST) b->chunk = CHUNK_ROWS_MOST;
  if (b->chunk > CHUNK_ELEMENTS / widest) b->chunk = CHUNK_ELEMENTS / widest;
  /* Batch norm needs all rows of a batch at once. */
  if (vise_i_net_has_batch_norm(net) && b->chunk < b->spec->max_batch) b->chunk = b->spec->max_batch;

  VISE_TRY(vise_i_cpu_alloc_rows(b, err));
  VISE_TRY(vise_i_alloc_aligned(&b->grads, net->n_params, sizeof(float), "gradient", err));
  memset(b->grads, 0, net->n_params * sizeof(float));
  VISE_TRY(vise_i_alloc_zero(&b->scale_shift, 2 * (n_in + n_out), sizeof(double), "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&b->scale_inverse, 2 * (n_in + n_out), sizeof(double), "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_scale, b->n_units, sizeof(double), "norms of units", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_sum_sq, b->n_units, sizeof(double), "norms of units", err));
  VISE_TRY(vise_i_alloc_zero(&b->unit_max, b->n_units, sizeof(float), "norms of units", err));
  VISE_TRY(vise_i_alloc_zero(&b->sums, vise_i_cpu_place_sums(b), sizeof *b->sums, "sums", err));

  if (b->bounds_rows) VISE_TRY(alloc_thresholds(b, err));
  if (b->spec->assert_projection) {
    VISE_TRY(vise_i_alloc(&b->verified, net->n_values, sizeof(float), "weights to verify", err));
    VISE_TRY(vise_i_alloc(&b->verified_mask, net->n_params, 1, "a mask to verify", err));
  }

done:
  return status;
}

static vise_status copy_class_weights(vise_i_cpu *b, vise_error *err) {
  const size_t n_out = b->net->widths[b->net->n_layers], n = n_out == 1 ? 2 : n_out;
  if (!b->spec->class_weights) return VISE_OK;
  vise_status status = vise_i_alloc(&b->class_weights, n, sizeof(float), "class weights", err);
  if (status != VISE_OK) return status;
  for (size_t k = 0; k < n; k++) {
    b->class_weights[k] = (float)b->spec->class_weights[k];
    b->class_weight_sum += (double)b->class_weights[k];
  }
  return VISE_OK;
}

static void describe_tensors(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_tensor *shape = &b->net->tensors[i];
    const size_t at = shape->offset;

    b->tensors[i] = (vise_i_cpu_tensor){
        .shape = shape,
        .n = shape->n_rows * shape->n_cols,
        .n_units = vise_i_scales_units(b->rule) && !shape->is_bias ? shape->n_rows : 1,
        .first_unit = b->n_units,
        .w = b->params + at,
        .used = (b->spec->quantization ? (const float *)b->host.state[VISE_I_ROUNDED] : b->params) + at,
        .m1 = b->moment1 ? b->moment1 + at : NULL,
        .m2 = b->moment2 ? b->moment2 + at : NULL,
        .mask = b->mask ? b->mask + at : NULL,
        .k = vise_i_strengths_of(b->rule, shape->is_bias),
    };
    b->n_units += b->tensors[i].n_units;
  }
}

static vise_status create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cpu *b = NULL;

  VISE_TRY(vise_i_alloc_zero(&b, 1, sizeof *b, "backend", err));
  VISE_TRY(vise_i_host_open(&b->host, &vise_i_backend_cpu, spec, err));
  b->spec = &b->host.base.spec;
  b->rule = &b->spec->rule;
  b->net = spec->net;
  b->params = b->host.state[VISE_I_PARAMS];
  b->moment1 = b->host.state[VISE_I_MOMENT1];
  b->moment2 = b->host.state[VISE_I_MOMENT2];
  b->mask = b->host.state[VISE_I_MASK];
  b->has_panels = vise_i_cpu_has_panels(b->rule);
  b->bounds_rows = vise_i_bounds_rows(b->spec);
  describe_tensors(b);

  VISE_TRY(copy_class_weights(b, err));
  VISE_TRY(alloc_scratch(b, err));
  for (size_t i = 0; i < b->net->n_tensors; i++) b->tensors[i].g = b->grads + b->net->tensors[i].offset;
  VISE_TRY(vise_i_team_create(spec->n_threads, &b->team, err));
  vise_i_team_allow_parking(b->team);
  VISE_TRY(vise_i_alloc_aligned(&b->found, vise_i_team_size(b->team), sizeof *b->found, "threads", err));
  memset(b->found, 0, vise_i_team_size(b->team) * sizeof *b->found);
  VISE_TRY(vise_i_cpu_rounded_create(b, err));
  VISE_TRY(vise_i_cpu_ahead_create(b, err));
  VISE_TRY(vise_i_cpu_views_create(b, err));

  *out = &b->host.base;
  b = NULL;

done:
  if (b) destroy(&b->host.base);
  return status;
}

/* State has the first weights in panels; outside it has them as the net says. */
static vise_status get_state(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err) {
  const vise_i_cpu *b = own(backend);
  const vise_status status = vise_i_host_get_state(backend, which, out, err);
  const bool in_panels = b->has_panels && which != VISE_I_SCALES;
  if (status == VISE_OK && in_panels) vise_i_cpu_first_convert(b, which, false, b->host.state[which], out);
  return status;
}

static void check_first_is_finite(vise_i_cpu *b) {
  const vise_i_cpu_tensor *t = &b->tensors[b->net->blocks[0].weight];
  b->first_is_finite = isfinite(vise_i_cpu_sum_squares(t->w, t->n));
}

static vise_status set_state(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err) {
  vise_i_cpu *b = own(backend);
  const vise_status status = vise_i_host_set_state(backend, which, values, err);
  const bool in_panels = b->has_panels && which != VISE_I_SCALES;
  if (status == VISE_OK && in_panels) vise_i_cpu_first_convert(b, which, true, values, b->host.state[which]);
  if (status != VISE_OK) return status;
  check_first_is_finite(b);
  vise_i_cpu_round(b, &VISE_I_ALONE, false);
  return VISE_OK;
}

static vise_status project(vise_i_backend *backend, const vise_i_hyper *hyper, vise_error *err) {
  vise_i_cpu *b = own(backend);
  (void)err;
  vise_i_cpu_set_box(b, hyper);
  vise_i_cpu_project(b);
  vise_i_cpu_round(b, &VISE_I_ALONE, true);
  check_first_is_finite(b);
  return VISE_OK;
}

/* What calls that read the data need to know of them. */
static vise_status prepare_data(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source, vise_error *err) {
  vise_i_cpu_prepare_scaling(b, data, source);
  return vise_i_cpu_choose_sparse(b, data, source, err);
}

static vise_status bind(vise_i_backend *backend, const vise_i_data *data, vise_error *err) {
  vise_i_cpu *b = own(backend);
  const vise_status status = vise_i_host_bind(backend, data, err);
  if (status != VISE_OK) return status;
  return prepare_data(b, data, VISE_I_CPU_BOUND, err);
}

static vise_status step_of_run(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                               vise_step_stats *stats, vise_error *err) {
  return vise_i_cpu_step(own(backend), batch, hyper, stats, err);
}

static vise_status run(vise_i_backend *backend, const vise_i_steps *steps, size_t *n_done, vise_error *err) {
  return vise_i_host_run(backend, steps, step_of_run, n_done, err);
}

static vise_status step(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                        vise_step_stats *stats, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_check_step(backend, batch, err));
  VISE_TRY(prepare_data(own(backend), batch->data, VISE_I_CPU_SINGLE, err));
  status = vise_i_cpu_step(own(backend), batch, hyper, stats, err);
done:
  return status;
}

typedef struct forward_work {
  vise_i_cpu *b;
  vise_i_cpu_rows rows;
  double *out;
} forward_work;

static void forward_part(void *context, size_t part, size_t n_parts) {
  const forward_work *work = context;
  const vise_i_crew crew = {work->b->team, part, n_parts};
  if (work->b->views) {
    vise_i_cpu_outputs_by_rows(work->b, &crew, &work->rows, work->out);
  } else {
    vise_i_cpu_outputs_of_rows(work->b, &crew, &work->rows, work->out);
  }
}

static vise_status forward(vise_i_backend *backend, const vise_i_batch *batch, double *out, vise_error *err) {
  vise_i_cpu *b = own(backend);
  vise_status status;
  forward_work work = {b, {.batch = batch, .source = VISE_I_CPU_SINGLE, .end = batch->n}, out};

  VISE_TRY(vise_i_check_data(b->spec, batch->data, false, err));
  VISE_TRY(prepare_data(b, batch->data, VISE_I_CPU_SINGLE, err));
  vise_i_cpu_run(b, batch->n, forward_part, &work);

done:
  return status;
}

static vise_status full_gradient(vise_i_backend *backend, const vise_i_batch *batch, double *out, double *loss,
                                 double *penalty, vise_error *err) {
  vise_i_cpu *b = own(backend);
  vise_status status;
  vise_i_cpu_found found;

  VISE_TRY(vise_i_check_gradient(backend, batch, err));
  VISE_TRY(prepare_data(b, batch->data, VISE_I_CPU_SINGLE, err));
  VISE_TRY(vise_i_cpu_gradient(b, batch, &found, err));
  vise_i_cpu_set_penalty(b, true); /* L1 is part of the objective even if steps apply its proximal map */
  vise_i_cpu_total_gradient(b, out);

  if (loss) *loss = found.loss;
  if (penalty) *penalty = vise_i_cpu_penalty(b);

done:
  return status;
}

const vise_i_backend_ops vise_i_backend_cpu = {
    .name = "cpu",
    .dtype = VISE_F32,
    .create = create,
    .destroy = destroy,
    .has_state = vise_i_host_has_state,
    .get_state = get_state,
    .set_state = set_state,
    .get_counters = vise_i_host_get_counters,
    .set_counters = vise_i_host_set_counters,
    .project = project,
    .bind = bind,
    .set_order = vise_i_host_set_order,
    .run = run,
    .step = step,
    .forward = forward,
    .full_gradient = full_gradient,
    .n_launches = vise_i_host_n_launches,
};

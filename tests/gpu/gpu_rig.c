#include "tests/gpu/gpu_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/unfused.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

gpu_rig *gpu_rig_make(vise_optimizer optimizer) {
  static const size_t widths[] = {RIG_IN, 21, RIG_OUT};
  gpu_rig *r = calloc(1, sizeof *r);
  uint64_t state = 77;
  r->net = rig_net(2, widths, VISE_SILU, true);
  r->spec = rig_spec(&r->net);
  r->spec.loss = VISE_LOSS_CROSS_ENTROPY;
  r->spec.optimizer = optimizer;
  r->spec.momentum = optimizer == VISE_ADAM ? 0 : 0.9;
  r->spec.k2 = 1e-3;
  r->spec.k1 = 1e-4;
  r->spec.kF = 1e-4;
  r->spec.k2d = 1e-3;
  r->spec.clip_value = true;
  r->spec.clip_lo = -0.05;
  r->spec.clip_hi = 0.05;
  r->spec.clip_norm = 0.1;
  r->spec.clip_norm_type = VISE_CLIP_UNIT;
  r->spec.max_norm = 1;
  r->spec.use_mask = true;
  r->spec.max_batch = RIG_BATCH;
  for (size_t l = 0; l < 2; l++) {
    r->spec.box_lo[l] = -0.2;
    r->spec.box_hi[l] = 0.2;
  }
  r->params = calloc(r->net.n_params, sizeof *r->params);
  rig_fill(&state, 0.3, r->params, r->net.n_params);
  rig_fill(&state, 1, r->x, RIG_ROWS * RIG_IN);
  for (size_t i = 0; i < RIG_ROWS; i++) {
    r->y[i] = (double)(i % RIG_OUT);
    r->row_weights[i] = 0.5 + (double)(i % 3);
    r->order[i] = (i * 13) % RIG_ROWS;
  }
  for (size_t i = 0; i < RIG_STEPS; i++) r->hyper[i] = rig_hyper(0.05);
  r->data = rig_data(r->x, RIG_ROWS, RIG_IN, r->y, 1, true, r->row_weights);
  return r;
}

void gpu_rig_free(gpu_rig *r) {
  free(r->params);
  free(r);
}

vise_i_backend *gpu_rig_start(const gpu_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = rig_create(OPS, &r->spec, r->params);
  cr_assert(OPS->project(b, &r->hyper[0], &err) == VISE_OK && OPS->bind(b, &r->data, &err) == VISE_OK &&
                OPS->set_order(b, r->order, RIG_ROWS, &err) == VISE_OK,
            "%s", err.text);
  return b;
}

void gpu_rig_run(const gpu_rig *r, vise_i_backend *b, size_t n_steps, size_t most, vise_step_stats *stats) {
  enum { PER_EPOCH = (RIG_ROWS + RIG_BATCH - 1) / RIG_BATCH };
  vise_step_stats own[RIG_STEPS];
  memset(own, 0, sizeof own);
  for (size_t s = 0; s < n_steps;) {
    vise_error err = VISE_ERROR_INIT;
    size_t n_done, n = n_steps - s;
    const size_t left = PER_EPOCH - s % PER_EPOCH;
    if (n > left) n = left;
    if (n > most) n = most;
    cr_assert(OPS->run(b, s % PER_EPOCH * RIG_BATCH, RIG_BATCH, n, r->hyper + s, own + s, &n_done, &err) == VISE_OK,
              "%s", err.text);
    cr_assert_eq(n_done, n);
    s += n;
  }
  if (stats) memcpy(stats, own, n_steps * sizeof *own);
}

float *gpu_rig_snapshot(const gpu_rig *r, vise_i_backend *b) {
  float *all = calloc(3 * r->net.n_params, sizeof *all);
  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    vise_error err = VISE_ERROR_INIT;
    if (!OPS->has_state(b, (vise_i_state)which)) continue;
    cr_assert(OPS->get_state(b, (vise_i_state)which, all + (size_t)which * r->net.n_params, &err) == VISE_OK, "%s",
              err.text);
  }
  return all;
}

bool gpu_rig_same(const gpu_rig *r, const float *a, const float *b) {
  return memcmp(a, b, 3 * r->net.n_params * sizeof *a) == 0;
}

float *gpu_rig_train(const gpu_rig *r, size_t most, vise_step_stats *stats) {
  vise_i_backend *b = gpu_rig_start(r);
  gpu_rig_run(r, b, RIG_STEPS, most, stats);
  float *end = gpu_rig_snapshot(r, b);
  OPS->destroy(b);
  return end;
}

/* The less there is, the less the step takes for many rows at a time. */
size_t gpu_rig_limit(const gpu_rig *r, size_t extra) {
  vise_i_step_spec spec = r->spec;
  size_t limit = 0;
  for (;;) {
    spec.device_memory_limit = limit;
    vise_i_backend *b = rig_create(OPS, &spec, r->params);
    const size_t next = b->arena_bytes + (b->unfused ? b->unfused->n_bytes : 0) + extra;
    OPS->destroy(b);
    if (limit != 0 && next >= limit) return limit;
    limit = next;
  }
}

size_t gpu_rig_limit_for_rows(const gpu_rig *r, size_t n_rows) {
  const size_t row_bytes = 16 * ((RIG_IN * sizeof(double) + 15) / 16) + sizeof(double) + sizeof(float);
  return gpu_rig_limit(r, (2 * n_rows * row_bytes + 6 * VISE_I_PLAN_ALIGN) * 8 / 7);
}

bool gpu_rig_same_stats(const vise_step_stats *a, const vise_step_stats *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x[] = {a[i].loss, a[i].penalty, a[i].lr, a[i].grad_norm, a[i].grad_norm_clipped};
    const double y[] = {b[i].loss, b[i].penalty, b[i].lr, b[i].grad_norm, b[i].grad_norm_clipped};
    const uint64_t m[] = {a[i].n_rows,      a[i].n_clipped_values, a[i].norm_clipped, a[i].n_at_lo, a[i].n_at_hi,
                          a[i].n_nonfinite, a[i].n_correct,        a[i].skipped,      a[i].n_boxed};
    const uint64_t n_[] = {b[i].n_rows,      b[i].n_clipped_values, b[i].norm_clipped, b[i].n_at_lo, b[i].n_at_hi,
                           b[i].n_nonfinite, b[i].n_correct,        b[i].skipped,      b[i].n_boxed};
    if (memcmp(x, y, sizeof x) != 0 || memcmp(m, n_, sizeof m) != 0 || a[i].bad_tensor != b[i].bad_tensor) return false;
  }
  return true;
}

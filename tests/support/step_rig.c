#include "tests/support/step_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/same_bits.h"

static const size_t WIDTHS[] = {RIG_IN, 21, RIG_OUT};

step_rig *step_rig_make(const vise_i_backend_ops *ops, vise_optimizer optimizer) {
  step_rig *r = calloc(1, sizeof *r);
  uint64_t state = 77;

  r->ops = ops;
  r->net = rig_net(2, WIDTHS, VISE_SILU, true);

  r->spec = rig_spec(&r->net);
  r->spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  r->spec.rule.optimizer = optimizer;
  r->spec.rule.momentum = vise_i_optimizer_has(optimizer) & VISE_HAS_MOMENTUM ? 0.9 : 0;

  r->spec.rule.k2 = 1e-3;
  r->spec.rule.k1 = 1e-4;
  r->spec.rule.kF = 1e-4;
  r->spec.rule.k2d = 1e-3;

  r->spec.rule.clip_value = true;
  r->spec.rule.clip_lo = -0.05;
  r->spec.rule.clip_hi = 0.05;
  r->spec.rule.clip_norm = 0.1;
  r->spec.rule.clip_norm_type = VISE_CLIP_UNIT;

  r->spec.rule.max_norm = 1;
  r->spec.use_mask = true;
  r->spec.max_batch = RIG_BATCH;

  for (size_t l = 0; l < 2; l++) {
    r->spec.boxes[l].lo = -0.2;
    r->spec.boxes[l].hi = 0.2;
  }

  r->params = calloc(r->net.n_params, sizeof *r->params);
  rig_fill(&state, 0.3, r->params, r->net.n_params);
  rig_fill(&state, 1, r->x, RIG_ROWS * RIG_IN);
  for (size_t i = 0; i < RIG_ROWS; i++) {
    r->y[i] = (double)(i % RIG_OUT);
    r->row_weights[i] = 0.5 + (double)(i % 3);
  }

  for (size_t i = 0; i < RIG_STEPS * RIG_BATCH; i++) r->order[i] = (i * 13) % RIG_ROWS;
  r->n_order = RIG_ROWS;
  for (size_t i = 0; i < RIG_STEPS; i++) r->hyper[i] = rig_hyper(0.05);

  r->data = rig_data(r->x, RIG_ROWS, RIG_IN, r->y, 1, true, r->row_weights);
  return r;
}

void step_rig_activate(step_rig *r, vise_activation activation) {
  r->net = rig_net(2, WIDTHS, activation, true);
}

void step_rig_free(step_rig *r) {
  free(r->params);
  free(r);
}

vise_i_backend *step_rig_start(const step_rig *r) {
  return rig_begin(r->ops, &r->spec, r->params, &r->hyper[0], &r->data, r->order, r->n_order);
}

void step_rig_run(const step_rig *r, vise_i_backend *b, size_t n_steps, size_t most, vise_step_stats *stats) {
  vise_step_stats own[RIG_STEPS];
  rig_run(r->ops, b, r->n_order, RIG_BATCH, n_steps, most, r->hyper, stats ? stats : own);
}

void step_rig_expect(step_rig *r, vise_i_backend *b, size_t first_step, size_t n, vise_status expected,
                     size_t n_expected, vise_error *err) {
  size_t n_done = 12345;
  vise_error_clear(err);
  const vise_status status =
      r->ops->run(b, &(vise_i_steps){first_step * RIG_BATCH, RIG_BATCH, n, r->hyper, r->stats}, &n_done, err);
  cr_expect(status == expected, "%s: %s", vise_status_name(status), err->text);
  cr_expect(n_done == n_expected, "%zu steps, expected %zu", n_done, n_expected);
}

float *step_rig_snapshot(const step_rig *r, vise_i_backend *b) {
  float *all = calloc(3 * r->net.n_params, sizeof *all);
  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    vise_error err = VISE_ERROR_INIT;
    float *to = all + (size_t)which * r->net.n_params;
    if (!r->ops->has_state(b, (vise_i_state)which)) continue;
    cr_assert(r->ops->get_state(b, (vise_i_state)which, to, &err) == VISE_OK, "%s", err.text);
  }
  return all;
}

bool step_rig_same(const step_rig *r, const float *a, const float *b) {
  return same_floats(a, b, 3 * r->net.n_params);
}

float *step_rig_train(const step_rig *r, size_t most, vise_step_stats *stats) {
  vise_i_backend *b = step_rig_start(r);
  step_rig_run(r, b, RIG_STEPS, most, stats);
  float *end = step_rig_snapshot(r, b);
  r->ops->destroy(b);
  return end;
}

bool step_rig_same_stats(const vise_step_stats *a, const vise_step_stats *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x[] = {a[i].loss, a[i].penalty, a[i].lr, a[i].grad_norm, a[i].grad_norm_clipped};
    const double y[] = {b[i].loss, b[i].penalty, b[i].lr, b[i].grad_norm, b[i].grad_norm_clipped};
    const uint64_t m[] = {a[i].n_rows,      a[i].n_clipped_values, a[i].norm_clipped, a[i].n_at_lo, a[i].n_at_hi,
                          a[i].n_nonfinite, a[i].n_correct,        a[i].skipped,      a[i].n_boxed};
    const uint64_t n_[] = {b[i].n_rows,      b[i].n_clipped_values, b[i].norm_clipped, b[i].n_at_lo, b[i].n_at_hi,
                           b[i].n_nonfinite, b[i].n_correct,        b[i].skipped,      b[i].n_boxed};
    if (!same_doubles(x, y, sizeof x / sizeof *x) || memcmp(m, n_, sizeof m) != 0 || a[i].bad_tensor != b[i].bad_tensor)
      return false;
  }
  return true;
}

#include "tests/support/step_checks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect_untouched(const step_rig *r, vise_i_backend *b, const float *before, const char *what) {
  float *after = step_rig_snapshot(r, b);
  cr_expect(step_rig_same(r, before, after), "%s: state was touched", what);
  free(after);
}

vise_i_backend *check_nonfinite_data(step_rig *r, double bad, bool is_copied, uint64_t *n_launched) {
  vise_error err = VISE_ERROR_INIT;
  r->spec.rule.max_skips = 3;
  vise_i_backend *b = step_rig_start(r);

  step_rig_expect(r, b, 0, 4, VISE_OK, 4, &err);
  const uint64_t at_lo = r->stats[3].n_at_lo;
  *n_launched = r->ops->n_launches(b);
  float *before = step_rig_snapshot(r, b);

  for (size_t j = 0; j < RIG_ROWS * RIG_IN; j += 3) r->x[j] = bad;
  if (is_copied) {
    cr_assert(r->ops->bind(b, &r->data, &err) == VISE_OK, "%s", err.text);
    cr_assert(r->ops->set_order(b, r->order, r->n_order, &err) == VISE_OK, "%s", err.text);
  }

  step_rig_expect(r, b, 4, 5, VISE_ERR_NONFINITE, 3, &err);
  cr_expect(strstr(err.text, "3 steps in a row") != NULL, "%s", err.text);
  for (size_t s = 0; s < 3; s++) {
    cr_expect(r->stats[s].skipped && r->stats[s].n_at_lo == at_lo && r->stats[s].n_rows == RIG_BATCH);
  }

  const vise_i_counters counters = r->ops->get_counters(b);
  cr_expect(counters.applied_steps == 4 && counters.consecutive_skips == 3);
  expect_untouched(r, b, before, vise_optimizer_name(r->spec.rule.optimizer));

  free(before);
  return b;
}

void check_nonfinite_weights(step_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = step_rig_start(r);

  step_rig_expect(r, b, 0, 2, VISE_OK, 2, &err);
  float *state = step_rig_snapshot(r, b);
  state[r->net.tensors[0].offset + 40] = NAN;
  cr_assert(r->ops->set_state(b, VISE_I_PARAMS, state, &err) == VISE_OK, "%s", err.text);

  step_rig_expect(r, b, 2, 2, VISE_OK, 2, &err);
  cr_expect(r->stats[0].skipped && r->stats[1].skipped && isnan(r->stats[0].loss));
  expect_untouched(r, b, state, "a weight that is NaN");

  free(state);
  r->ops->destroy(b);
}

void check_penalty_overflow(step_rig *r) {
  r->spec.rule.k2 = 1e39;

  for (int scope = VISE_CLIP_SCOPE_TOTAL; scope <= VISE_CLIP_SCOPE_DATA; scope++) {
    vise_error err = VISE_ERROR_INIT;
    r->spec.rule.clip_scope = (vise_clip_scope)scope;
    vise_i_backend *b = step_rig_start(r);
    float *before = step_rig_snapshot(r, b);

    step_rig_expect(r, b, 0, 1, VISE_OK, 1, &err);
    cr_expect(r->stats[0].skipped && r->stats[0].bad_tensor == 0 && r->stats[0].n_nonfinite == 0);
    expect_untouched(r, b, before, vise_clip_scope_name((vise_clip_scope)scope));

    free(before);
    r->ops->destroy(b);
  }
}

void check_going_on_after_skips(step_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  r->x[r->order[0] * RIG_IN + 5] = NAN;
  r->spec.rule.max_skips = 1;
  vise_i_backend *b = step_rig_start(r);
  step_rig_expect(r, b, 0, 3, VISE_ERR_NONFINITE, 1, &err);
  step_rig_expect(r, b, 1, 3, VISE_OK, 3, &err);
  const vise_i_counters counters = r->ops->get_counters(b);
  cr_expect(!r->stats[0].skipped && counters.applied_steps == 3 && counters.consecutive_skips == 0);
  r->ops->destroy(b);
}

vise_i_backend *check_halt(step_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  r->x[r->order[0] * RIG_IN] = NAN;
  r->spec.rule.nonfinite = VISE_NONFINITE_HALT;

  vise_i_backend *b = step_rig_start(r);
  float *before = step_rig_snapshot(r, b);

  step_rig_expect(r, b, 0, RIG_EPOCH, VISE_ERR_NONFINITE, 1, &err);
  cr_expect(r->stats[0].skipped && r->stats[0].n_nonfinite > 0 && r->stats[0].bad_tensor == 0);
  cr_expect(b->tensor_stats[0].n_nonfinite > 0);
  cr_expect(strstr(err.text, "the step was not finite (policy halt): loss nan, gradient norm nan, first in 0.weight"),
            "%s", err.text);
  expect_untouched(r, b, before, "halt");

  free(before);
  return b;
}

void check_propagate(step_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  r->x[r->order[0] * RIG_IN] = NAN;
  r->spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;

  vise_i_backend *b = step_rig_start(r);
  step_rig_expect(r, b, 0, 2, VISE_OK, 2, &err);
  cr_expect(!r->stats[0].skipped && !r->stats[1].skipped && isnan(r->stats[1].loss));

  float *after = step_rig_snapshot(r, b);
  size_t n_nan = 0;
  for (size_t i = 0; i < r->net.n_params; i++) n_nan += isnan(after[i]);
  cr_expect(n_nan > 0, "no NaN went through clip, clamp and max-norm");

  free(after);
  r->ops->destroy(b);
}

/* ---- state ---- */

/* The rig's steps from step s on. */
static void run_from(const step_rig *r, vise_i_backend *b, size_t s) {
  const size_t per_epoch = (r->n_order + RIG_BATCH - 1) / RIG_BATCH;
  vise_step_stats stats[RIG_STEPS];
  vise_error err = VISE_ERROR_INIT;

  while (s < RIG_STEPS) {
    const size_t at = s % per_epoch, left = RIG_STEPS - s;
    const size_t n = per_epoch - at < left ? per_epoch - at : left;
    size_t n_done;
    cr_assert(
        r->ops->run(b, &(vise_i_steps){at * RIG_BATCH, RIG_BATCH, n, &r->hyper[s], stats}, &n_done, &err) == VISE_OK,
        "%s", err.text);
    s += n;
  }
}

void check_carried_state(const step_rig *r) {
  const char *name = vise_optimizer_name(r->spec.rule.optimizer);
  vise_i_backend *first = step_rig_start(r), *second = step_rig_start(r);
  vise_error err = VISE_ERROR_INIT;
  float *whole = step_rig_train(r, RIG_STEPS, NULL);

  step_rig_run(r, first, 9, 9, NULL);
  float *half = step_rig_snapshot(r, first);
  const vise_i_counters counters = r->ops->get_counters(first);
  cr_expect(counters.applied_steps == 9 && counters.consecutive_skips == 0, "%s", name);
  if (r->spec.rule.optimizer == VISE_ADAM) cr_expect(rig_near(counters.beta1_t, pow(0.9, 9), 1e-15, 0));

  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    const float *from = half + (size_t)which * r->net.n_params;
    if (!r->ops->has_state(second, (vise_i_state)which)) continue;
    cr_assert(r->ops->set_state(second, (vise_i_state)which, from, &err) == VISE_OK, "%s", err.text);
  }
  r->ops->set_counters(second, &counters);

  run_from(r, second, 9);
  float *end = step_rig_snapshot(r, second);
  cr_expect(step_rig_same(r, whole, end), "%s", name);

  free(whole);
  free(half);
  free(end);
  r->ops->destroy(first);
  r->ops->destroy(second);
}

/* ---- rates and bounds ---- */

/* Compares weights and r->stats with the rig's training on cpu64. */
static void expect_as_cpu64(const step_rig *r, const float *weights) {
  const vise_i_backend_ops *oracle = &vise_i_backend_cpu64;
  vise_step_stats stats[RIG_STEPS];
  double *reference = calloc(r->net.n_params, sizeof *reference);

  vise_i_backend *b = rig_begin(oracle, &r->spec, r->params, &r->hyper[0], &r->data, r->order, r->n_order);
  rig_run(oracle, b, r->n_order, RIG_BATCH, RIG_STEPS, 1, r->hyper, stats);
  rig_get_state(oracle, b, VISE_I_PARAMS, r->net.n_params, reference);
  oracle->destroy(b);

  for (size_t s = 0; s < RIG_STEPS; s++) {
    const vise_step_stats *got = &r->stats[s], *ref = &stats[s];
    cr_expect(got->lr == r->hyper[s].lr && rig_near(got->loss, ref->loss, 5e-5, 5e-5) &&
                  rig_near(got->grad_norm_clipped, ref->grad_norm_clipped, 5e-5, 5e-5),
              "step %zu: rate %g, loss %.9g, norm %.9g; cpu64 %g, %.9g, %.9g", s, got->lr, got->loss,
              got->grad_norm_clipped, r->hyper[s].lr, ref->loss, ref->grad_norm_clipped);
  }

  size_t n_bad = 0;
  for (size_t i = 0; i < r->net.n_params; i++) n_bad += !rig_near((double)weights[i], reference[i], 2e-5, 2e-5);
  cr_expect(n_bad == 0, "%zu weights of %zu differ from cpu64's", n_bad, r->net.n_params);

  free(reference);
}

vise_i_backend *check_changing_rates(step_rig *r, size_t most) {
  r->data.row_weights = NULL;
  float *constant = step_rig_train(r, RIG_STEPS, NULL);

  for (size_t i = 0; i < RIG_STEPS; i++) {
    r->hyper[i] = (vise_i_hyper){0.05 / (1 + (double)i), 1 + 0.1 * (double)(i % 4), 1 - 0.03 * (double)i, i, 1};
  }

  vise_i_backend *b = step_rig_start(r);
  step_rig_run(r, b, RIG_STEPS, most, r->stats);
  float *changed = step_rig_snapshot(r, b);

  cr_expect(!step_rig_same(r, constant, changed), "other rates and bounds, the same weights");
  expect_as_cpu64(r, changed);

  const float bound = (float)(0.2 * r->hyper[RIG_STEPS - 1].clamp_factor);
  for (size_t i = 0; i < r->net.tensors[0].n_rows * r->net.tensors[0].n_cols; i++) {
    cr_assert(fabsf(changed[i]) <= bound, "[%zu] %g", i, (double)changed[i]);
  }

  free(constant);
  free(changed);
  return b;
}

/*
 * Many steps in a launch: the team goes on while one CTA reports, and gathers ahead. What each step reports and leaves
 * agrees with cpu64, and to the bit with launches of one step, also where steps are skipped or end the run.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/gpu_rig.h"
#include "tests/support/cpu_options.h"
#include "tests/support/same_bits.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;
static const uint64_t PER_LAUNCH[] = {1, 2, 7};
enum { N_LAUNCHES = sizeof PER_LAUNCH / sizeof *PER_LAUNCH };

static bool same(const double *a, const double *b, size_t n) {
  return !a == !b && (!a || same_doubles(a, b, n));
}

/* The eight steps of an epoch: launches of one step agree with cpu64, the others with them. */
static void check(cpu_case *c, const char *what) {
  char text[256];
  cpu_result results[N_LAUNCHES] = {{.n_launches = 0}}, *first = &results[0];
  static size_t n_cases;
  const size_t left_out = rig_is_short() ? 1 + n_cases++ / 2 % 2 : N_LAUNCHES;

  c->n_rows = 7 * c->batch + 1;
  c->n_steps = c->steps_per_call = 8;
  c->spec.assert_projection = false; /* it would take the steps one by one */

  for (size_t i = 0; i < N_LAUNCHES; i++) {
    if (i == left_out) continue;
    cpu_result *r = &results[i];
    c->spec.steps_per_launch = PER_LAUNCH[i];
    *r = cpu_case_run(c, OPS);
    if (i == 0) continue;

    const size_t n = r->net.n_params;
    cr_expect(step_rig_same_stats(first->stats, r->stats, c->n_steps) &&
                  memcmp(first->tensor_sum, r->tensor_sum, sizeof r->tensor_sum) == 0,
              "%s, %zu layers, launches of %d: statistics", what, c->n_layers, (int)PER_LAUNCH[i]);
    cr_expect(
        same(first->params, r->params, n) && same(first->moment1, r->moment1, n) && same(first->moment2, r->moment2, n),
        "%s, %zu layers, launches of %d: weights", what, c->n_layers, (int)PER_LAUNCH[i]);
  }

  cr_expect(cpu_result_agrees(c, first, 1, text, sizeof text), "%s, %zu layers %zu-%zu.., bad rows %zu: %s", what,
            c->n_layers, c->widths[0], c->widths[1], c->bad_every, text);
  for (size_t i = 0; i < N_LAUNCHES; i++) cpu_result_free(&results[i]);
}

/* One layer, with and without an exchange for its losses; narrow and wide outputs; many exchanges. */
static const struct shape {
  size_t n_layers, widths[6];
} SHAPES[] = {{1, {9, 3}}, {1, {9, 70}}, {2, {33, 20, 5}}, {2, {12, 9, 66}}, {4, {9, 8, 7, 6, 3}}};

static void options_over_shapes(const char *const *options, size_t n) {
  for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
    for (size_t o = 0; o < n; o++) {
      if (rig_is_short() && (s + o) % 2 != 0) continue;
      cpu_case c = cpu_case_make();
      cpu_case_shape(&c, SHAPES[s].n_layers, SHAPES[s].widths);
      c.bad_every = (s / 2 + o) % 2 ? 30 : 0; /* in the third and fifth step */
      cpu_option_apply(&c, options[o]);
      check(&c, options[o]);
    }
  }
}

Test(launches, without_sums_of_weights) {
  static const char *const options[] = {"plain", "adam"};
  options_over_shapes(options, 2);
}

Test(launches, penalties) {
  static const char *const options[] = {"l2", "frobenius"};
  options_over_shapes(options, 2);
}

Test(launches, norm_clips) {
  static const char *const options[] = {"norm clip", "norm clip per tensor", "norm clip inf"};
  options_over_shapes(options, 3);
}

Test(launches, norm_clips_by_units) {
  static const char *const options[] = {"norm clip per unit", "norm clip per unit inf"};
  options_over_shapes(options, 2);
}

Test(launches, max_norm) {
  static const char *const options[] = {"max-norm", "max-norm per tensor"};
  options_over_shapes(options, 2);
}

Test(launches, sums_of_rows) {
  static const char *const options[] = {"row l1", "row l1 by sides"};
  options_over_shapes(options, 2);

  for (size_t s = rig_is_short(); s < sizeof SHAPES / sizeof *SHAPES; s += rig_is_short() ? 3 : 1) {
    static const char *const norms[] = {"max-norm", "max-norm per tensor"};
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, SHAPES[s].n_layers, SHAPES[s].widths);
    c.batch = 33;
    c.bad_every = s % 2 ? 75 : 0;
    c.row_l1_factor = 0.8;
    cpu_option_apply(&c, "l2");
    cpu_option_apply(&c, "signs");
    cpu_option_apply(&c, "row l1 by sides");
    cpu_option_apply(&c, norms[s % 2]);
    check(&c, "sums of rows and norms");
  }
}

/* A penalty with norms of units, whose sums a phase makes; max-norm with both; gradients in parts. */
Test(launches, together) {
  for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
    if (rig_is_short() && s % 3 == 0) continue;
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, SHAPES[s].n_layers, SHAPES[s].widths);
    c.batch = 33;
    c.bad_every = s % 2 ? 75 : 0;
    c.spec.hooks.gradient_parts = 1;

    cpu_option_apply(&c, "l2");
    check(&c, "parts");

    cpu_option_apply(&c, "norm clip per unit");
    cpu_option_apply(&c, "max-norm");
    check(&c, "parts, clip by units, max-norm");

    cpu_option_apply(&c, "norm clip per tensor");
    cpu_option_apply(&c, "max-norm per tensor");
    c.spec.hooks.gradient_parts = 0;
    check(&c, "clip by tensors, max-norm by tensors");
  }
}

/* On four multiprocessors: three members have work, the fourth reports. */
Test(launches, member_without_work) {
  static const char *const options[] = {"plain",    "l2",    "norm clip per tensor", "norm clip per unit",
                                        "max-norm", "row l1"};
  for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, 1 + o % 2, (const size_t[]){9, 7, 3});
    c.batch = 3;
    c.bias = o % 2 == 0;
    c.bad_every = 8;
    cpu_option_apply(&c, options[o]);
    check(&c, options[o]);
  }
}

/* ---- launches that end early ---- */

typedef struct ending {
  vise_step_stats stats[RIG_STEPS];
  float *state;
  vise_i_counters counters;
  uint32_t progress;
} ending;

/* A run of nine steps that ends after n; then two more. */
static ending end_early(step_rig *r, uint64_t per_launch, size_t n) {
  ending e = {.state = NULL};
  vise_error err = VISE_ERROR_INIT;
  size_t n_done = 0;

  r->spec.steps_per_launch = per_launch;
  vise_i_backend *b = step_rig_start(r);

  cr_expect(OPS->run(b, &(vise_i_steps){0, RIG_BATCH, 9, r->hyper, e.stats}, &n_done, &err) == VISE_ERR_NONFINITE, "%s",
            err.text);
  cr_expect(n_done == n, "launches of %d: %zu steps, expected %zu", (int)per_launch, n_done, n);
  e.progress = vise_i_cuda_of(b)->train.state.cursor;
  cr_expect(e.progress == n);

  vise_error_clear(&err);
  cr_expect(OPS->run(b, &(vise_i_steps){9 * RIG_BATCH, RIG_BATCH, 2, r->hyper, e.stats + 9}, &n_done, &err) == VISE_OK,
            "%s", err.text);

  e.counters = OPS->get_counters(b);
  e.state = step_rig_snapshot(r, b);
  OPS->destroy(b);
  return e;
}

static void ends_alike(step_rig *r, size_t n, uint64_t applied) {
  ending first = end_early(r, 1, n);
  cr_expect(first.counters.applied_steps == applied && first.counters.consecutive_skips == 0);

  for (size_t i = 1; i < N_LAUNCHES; i++) {
    ending e = end_early(r, PER_LAUNCH[i], n);
    cr_expect(step_rig_same_stats(first.stats, e.stats, n) && step_rig_same_stats(first.stats + 9, e.stats + 9, 2),
              "launches of %d", (int)PER_LAUNCH[i]);
    cr_expect(step_rig_same(r, first.state, e.state), "launches of %d", (int)PER_LAUNCH[i]);
    cr_expect(memcmp(&first.counters, &e.counters, sizeof e.counters) == 0);
    free(e.state);
  }

  free(first.state);
}

/* Puts a NaN into the first row of the step. */
static void spoil(step_rig *r, size_t step) {
  r->x[r->order[step * RIG_BATCH] * RIG_IN + 2] = NAN;
}

Test(launches, end_with_a_halt) {
  for (size_t last = 0; last < 9; last += 4) {
    step_rig *r = gpu_rig_make(VISE_ADAM);
    r->spec.rule.nonfinite = VISE_NONFINITE_HALT;
    spoil(r, last);
    ends_alike(r, last + 1, last + 2);
    step_rig_free(r);
  }
}

Test(launches, end_with_too_many_skips) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  r->spec.rule.max_skips = 2;
  spoil(r, 1);
  spoil(r, 4);
  spoil(r, 5);
  ends_alike(r, 6, 5);
  step_rig_free(r);
}

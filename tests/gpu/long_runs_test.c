/* Runs so long that the host reads statistics of some steps while others are still running. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/support/step_rig.h"

enum { STEPS = 1100, IN = 4, OUT = 3, PER_LAUNCH = 7 };

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

typedef struct long_run {
  vise_i_net net;
  double params[(IN + 1) * OUT];
  float x[STEPS * IN], y[STEPS * OUT];
  size_t order[STEPS];
  vise_i_hyper hyper[STEPS];
  vise_step_stats stats[STEPS];
} long_run;

/* One row per step. */
static long_run *make(void) {
  static const size_t widths[] = {IN, OUT};
  long_run *r = calloc(1, sizeof *r);
  uint64_t state = 5;
  cr_assert(r != NULL);

  r->net = rig_net(1, widths, VISE_IDENTITY, true);
  rig_fill(&state, 0.25, r->params, r->net.n_params);

  for (size_t i = 0; i < STEPS * IN; i++) r->x[i] = (float)(i * 37 % 101) / 101.0f - 0.5f;
  for (size_t i = 0; i < STEPS * OUT; i++) r->y[i] = (float)(i * 53 % 89) / 89.0f;
  for (size_t i = 0; i < STEPS; i++) {
    r->order[i] = i * 13 % STEPS;
    r->hyper[i] = (vise_i_hyper){0.01 + 1e-5 * (double)i, 1, 1, (uint64_t)i, 1};
  }

  return r;
}

static vise_i_backend *start(long_run *r, uint64_t per_launch, vise_nonfinite nonfinite) {
  vise_i_step_spec spec = rig_spec(&r->net);
  vise_error err = VISE_ERROR_INIT;

  spec.max_batch = 1;
  spec.steps_per_launch = per_launch;
  spec.rule.nonfinite = nonfinite;

  vise_i_backend *b = rig_create(OPS, &spec, r->params);
  const vise_i_data data = {.x = vise_array_of(r->x, VISE_F32, STEPS, IN),
                            .y = vise_array_of(r->y, VISE_F32, STEPS, OUT)};

  cr_assert(OPS->bind(b, &data, &err) == VISE_OK, "%s", err.text);
  cr_assert(OPS->set_order(b, r->order, STEPS, &err) == VISE_OK, "%s", err.text);
  return b;
}

/* Runs all steps in calls of `most`. */
static vise_status run(long_run *r, vise_i_backend *b, size_t most, size_t *n_done, vise_error *err) {
  vise_status status = VISE_OK;
  memset(r->stats, 0, sizeof r->stats);
  *n_done = 0;
  for (size_t at = 0; at < STEPS && status == VISE_OK; at += most) {
    const size_t n = STEPS - at < most ? STEPS - at : most;
    size_t done_steps = 0;
    status = OPS->run(b, &(vise_i_steps){at, 1, n, r->hyper + at, r->stats + at}, &done_steps, err);
    *n_done += done_steps;
  }
  return status;
}

Test(long_runs, one_call_is_as_many) {
  static const uint64_t per_launch[] = {PER_LAUNCH, 600, 0};
  long_run *r = make();
  vise_step_stats *first = calloc(STEPS, sizeof *first);
  float weights[2][(IN + 1) * OUT];

  for (size_t i = 0; i <= 3; i++) {
    vise_error err = VISE_ERROR_INIT;
    size_t n_done;
    vise_i_backend *b = start(r, i == 0 ? 0 : per_launch[i - 1], VISE_NONFINITE_SKIP);

    cr_assert(run(r, b, i == 0 ? 100 : STEPS, &n_done, &err) == VISE_OK, "%s", err.text);
    cr_expect_eq(n_done, STEPS);
    cr_assert(OPS->get_state(b, VISE_I_PARAMS, weights[i > 0], &err) == VISE_OK, "%s", err.text);

    if (i == 0) {
      memcpy(first, r->stats, STEPS * sizeof *first);
    } else {
      cr_expect(step_rig_same_stats(first, r->stats, STEPS), "%d steps a launch", (int)per_launch[i - 1]);
      cr_expect(memcmp(weights[0], weights[1], sizeof weights[0]) == 0);
    }

    if (i == 1) cr_expect_eq(OPS->n_launches(b), (STEPS + PER_LAUNCH - 1) / PER_LAUNCH);
    if (i == 2) cr_expect_eq(OPS->n_launches(b), 2);
    OPS->destroy(b);
  }

  free(first);
  free(r);
}

Test(long_runs, a_halt_ends_them_wherever_it_is) {
  static const size_t bad_steps[] = {0, 100, 600, STEPS - 1};

  for (size_t i = 0; i < sizeof bad_steps / sizeof *bad_steps; i++) {
    const size_t bad = bad_steps[i];
    long_run *r = make();
    vise_error err = VISE_ERROR_INIT;
    size_t n_done;

    for (size_t k = 0; k < STEPS; k++) r->order[k] = k;
    r->x[bad * IN] = NAN;
    vise_i_backend *b = start(r, PER_LAUNCH, VISE_NONFINITE_HALT);

    cr_expect_eq(run(r, b, STEPS, &n_done, &err), VISE_ERR_NONFINITE, "%s", err.text);
    cr_expect_eq(n_done, bad + 1, "%zu steps, expected %zu", n_done, bad + 1);
    cr_expect(r->stats[bad].skipped);
    cr_expect_eq(OPS->n_launches(b), bad / PER_LAUNCH + 1);
    cr_expect(OPS->n_launches(b) + vise_i_cuda_of(b)->n_idle_launches <= (STEPS + PER_LAUNCH - 1) / PER_LAUNCH + 2);
    cr_expect(bad + 1 == STEPS || r->stats[bad + 1].n_rows == 0, "a step after the halt was reported");

    /* The device is ready for more. */
    r->x[bad * IN] = 0;
    const vise_i_data data = {.x = vise_array_of(r->x, VISE_F32, STEPS, IN),
                              .y = vise_array_of(r->y, VISE_F32, STEPS, OUT)};

    vise_error_clear(&err);
    cr_assert(OPS->bind(b, &data, &err) == VISE_OK && OPS->set_order(b, r->order, STEPS, &err) == VISE_OK);
    cr_expect_eq(run(r, b, STEPS, &n_done, &err), VISE_OK, "%s", err.text);
    cr_expect_eq(n_done, STEPS);

    OPS->destroy(b);
    free(r);
  }
}

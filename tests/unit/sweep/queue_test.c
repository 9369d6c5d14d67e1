/* The queue of fits: each is what a trainer's run is, bit for bit, whatever else is under way. */
#include <math.h>
#include <stdlib.h>

#include "tests/unit/sweep/queue_rig.h"

static void enter(void) {
  queue_make_data();
}

TestSuite(sweep_queue, .init = enter, .fini = queue_free_data);

/* ---- bits ------------------------------------------------------------------------------------------------------------------ */

Test(sweep_queue, fits_are_runs) {
  queue_expect_runs(VISE_BACKEND_CPU, 1);
  queue_expect_runs(VISE_BACKEND_CPU64, 1);
}

Test(sweep_queue, fits_are_runs_whatever_else_is_under_way) {
  queue_expect_runs(VISE_BACKEND_CPU, 3);
  queue_expect_runs(VISE_BACKEND_CPU64, 3);
  queue_expect_runs(VISE_BACKEND_AUTO, 4);
}

/* ---- in parts ---------------------------------------------------------------------------------------------------------- */

Test(sweep_queue, fits_go_on_as_if_they_had_never_stopped) {
  queue_expect_parts(VISE_BACKEND_CPU);
  queue_expect_parts(VISE_BACKEND_CPU64);
}

Test(sweep_queue, damaged_states_are_errors) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_sweep_result result = {0};
  queue_configure(0, VISE_BACKEND_CPU, &c);
  queue_run_part(sweep, &c, 1, &result);
  char *bytes = result.state;
  const size_t n = result.n_state_bytes;
  result.state = NULL;
  vise_sweep_result_clear(&result);

  size_t n_refused = 0;
  c.fit.state = bytes;
  c.fit.n_state_bytes = n;
  for (size_t at = 0; at < n; at += 1 + n / 40) {
    bytes[at] = (char)~bytes[at];
    queue_submit(sweep, &c, 0);
    bytes[at] = (char)~bytes[at];
    cr_assert(queue_next(sweep, &result));
    cr_assert_eq(result.status, VISE_ERR_FORMAT, "byte %zu: %d %s", at, (int)result.status, result.error.text);
    cr_assert(result.model == NULL && result.state == NULL && isnan(result.score));
    cr_assert_eq(result.reason, VISE_STOP_ERROR);
    n_refused++;
  }
  cr_assert_gt(n_refused, 20);

  c.fit.n_state_bytes = n / 2;
  queue_submit(sweep, &c, 0);
  cr_assert(queue_next(sweep, &result));
  cr_assert_eq(result.status, VISE_ERR_FORMAT);
  free(bytes);
  vise_sweep_free(sweep);
}

/* ---- what is copied --------------------------------------------------------------------------------------------------- */

/* Lists, nets and data may be freed at once. */
Test(sweep_queue, what_is_submitted_may_be_freed) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_sweep_result result;
  queue_configure(0, VISE_BACKEND_CPU, &c);
  double weights[] = {1, 5, 0.5};
  vise_layer_clamp clamps[] = {{0, -0.1, 0.1}};
  c.training.class_weights = weights;
  c.training.n_class_weights = 3;
  c.training.layer_clamps = clamps;
  c.training.n_layer_clamps = 1;
  vise_run_result run;
  vise_model *wanted = queue_run_alone(&c, &run);

  queue_busy(sweep);
  queue_submit(sweep, &c, 1);
  weights[0] = weights[1] = 77;
  clamps[0] = (vise_layer_clamp){1, -9, 9};
  memset(&c, 0x55, sizeof c);
  queue_free_data();
  while (queue_next(sweep, &result)) {
    if (result.id == 1) cr_assert(rig_same_params(result.model, wanted));
    vise_sweep_result_clear(&result);
  }
  cr_assert_gt(run.n_boxed, 0);
  vise_model_free(wanted);
  vise_sweep_free(sweep);
}

/* A fit begins with a copy of the model: its weights, scaling and mask. */
Test(sweep_queue, fits_begin_with_a_model) {
  vise_sweep *sweep = queue_sweep(2);
  queue_case c;
  queue_configure(3, VISE_BACKEND_CPU, &c);
  c.training.weight_op_when = 1;
  vise_run_result run;
  vise_model *initial = queue_run_alone(&c, &run);
  cr_assert(vise_model_mask(initial) != NULL);
  double *before = rig_params(initial);

  queue_configure(0, VISE_BACKEND_CPU, &c);
  c.training.scale = VISE_SCALE_AUTO;
  c.initial = initial;
  queue_submit(sweep, &c, 0);
  vise_sweep_result result;
  cr_assert(queue_next(sweep, &result));
  queue_expect_run(&c, &result);
  double *after = rig_params(result.model), *same = rig_params(initial);
  size_t n_zero = 0;
  for (size_t i = 0; i < 4 * 6; i++) {
    cr_assert(before[i] == same[i]);
    if (before[i] != 0) continue;
    cr_assert(after[i] == 0);
    n_zero++;
  }
  cr_assert_gt(n_zero, 0);
  cr_assert(vise_model_mask(result.model) != NULL);

  vise_sweep_result_clear(&result);
  free(before);
  free(after);
  free(same);
  vise_model_free(initial);
  vise_sweep_free(sweep);
}

/* ---- fits that fail --------------------------------------------------------------------------------------------------------- */

Test(sweep_queue, fits_that_are_not_finite_hurt_nobody) {
  queue_expect_bad_fits_alone(VISE_BACKEND_CPU);
}

Test(sweep_queue, what_a_trainer_refuses_is_told_by_the_result) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_sweep_result result;
  queue_configure(0, VISE_BACKEND_CPU, &c);
  c.training.lr = -1;
  queue_submit(sweep, &c, 3);
  cr_assert(queue_next(sweep, &result));
  cr_assert_eq(result.id, 3);
  cr_assert_eq(result.status, VISE_ERR_USAGE);
  cr_assert_eq(result.reason, VISE_STOP_ERROR);
  cr_assert(strstr(result.error.text, "lr") != NULL, "%s", result.error.text);
  vise_sweep_free(sweep);
}

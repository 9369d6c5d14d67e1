/* The queue of fits: each is what a trainer's run is, bit for bit, whatever else is under way. */
#include <math.h>
#include <stdlib.h>

#include "queue_rig.h"

enum { N_KINDS = 6 };

/* Fits of all sorts: what a trainer keeps between steps, and what ends it. */
static void configure(size_t kind, vise_backend backend, queue_case *c) {
  queue_case_init(c, backend);
  c->training.seed = kind;

  switch (kind % N_KINDS) {
    case 0:
      c->training.optimizer = VISE_SGD;
      c->training.lr = 0.1;
      c->training.momentum = 0.9;
      break;

    case 1:
      c->training.patience = 2;
      c->training.lr = 0.05;
      break;

    case 2:
      c->net.batch_norm = true;
      c->net.dropout = 0.2;
      break;

    case 3:
      c->training.weight_op.kind = VISE_PRUNE;
      c->training.weight_op.fraction = 0.4;
      c->training.weight_op_at = VISE_AT_EPOCH;
      c->training.weight_op_when = 2;
      c->training.lr_schedule.kind = VISE_SCHEDULE_COSINE;
      break;

    case 4:
      c->training.optimizer = VISE_RMSPROP;
      c->training.clip_norm = 0.1;
      c->training.clamp = true;
      c->training.clamp_lo = -0.2;
      c->training.clamp_hi = 0.2;
      break;

    default:
      c->training.l2 = 0.01;
      c->training.steps = 17;
      break;
  }
}

static void enter(void) {
  queue_make_data();
}

TestSuite(sweep_queue, .init = enter, .fini = queue_free_data);

/* ---- bits ------------------------------------------------------------------------------------------------------------------ */

static void expect_same_metrics(const vise_metrics *a, const vise_metrics *b) {
  cr_assert_eq(a->n_rows, b->n_rows);
  cr_assert(a->loss == b->loss, "%.17g, %.17g", a->loss, b->loss);
  cr_assert(a->accuracy == b->accuracy);
}

/* The result is what the case comes to without a queue. */
static void expect_run(const queue_case *c, const vise_sweep_result *result) {
  vise_run_result run;
  vise_model *model = queue_run_alone(c, &run);
  cr_assert_eq(result->status, VISE_OK, "%s", result->error.text);
  cr_assert(rig_same_params(result->model, model), "fit %zu", (size_t)result->id);
  expect_same_metrics(&result->train, &run.train);
  expect_same_metrics(&result->validation, &run.validation);
  cr_assert(result->score == run.validation.loss);
  cr_assert_eq(result->reason, run.reason);
  cr_assert_eq(result->steps, run.steps);
  cr_assert_eq(result->epochs, run.epochs);
  cr_assert_eq(result->best_epoch, run.best_epoch);
  cr_assert_eq(result->n_norm_clipped, run.n_norm_clipped);
  cr_assert_eq(result->n_at_lo + result->n_at_hi, run.n_at_lo + run.n_at_hi);
  cr_assert_eq(result->n_boxed, run.n_boxed);
  vise_model_free(model);
}

static void expect_runs(vise_backend backend, int n_jobs) {
  enum { N = 3 * N_KINDS };
  vise_sweep *sweep = queue_sweep(n_jobs);
  bool seen[N] = {false};
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure(i, backend, &c);
    queue_submit(sweep, &c, i);
  }

  vise_sweep_result result;
  for (size_t n = 0; queue_next(sweep, &result); n++) {
    queue_case c;
    cr_assert(result.id < N && !seen[result.id]);
    seen[result.id] = true;
    configure(result.id, backend, &c);
    expect_run(&c, &result);
    cr_assert_eq(vise_sweep_n_open(sweep), N - 1 - n);
    vise_sweep_result_clear(&result);
  }
  for (size_t i = 0; i < N; i++) cr_assert(seen[i]);
  vise_sweep_free(sweep);
}

Test(sweep_queue, fits_are_runs) {
  expect_runs(VISE_BACKEND_CPU, 1);
  expect_runs(VISE_BACKEND_CPU64, 1);
}

Test(sweep_queue, fits_are_runs_whatever_else_is_under_way) {
  expect_runs(VISE_BACKEND_CPU, 3);
  expect_runs(VISE_BACKEND_CPU64, 3);
  expect_runs(VISE_BACKEND_AUTO, 4);
}

/* ---- in parts ---------------------------------------------------------------------------------------------------------- */

/* Ends after the epoch, and gives its state. */
static void run_part(vise_sweep *sweep, const queue_case *c, uint64_t until, vise_sweep_result *last) {
  queue_case part = *c;
  part.training.stop_after_epoch = until;
  vise_sweep_result before = *last;
  part.fit.state = before.state;
  part.fit.n_state_bytes = before.n_state_bytes;
  part.fit.keep_state = true;
  queue_submit(sweep, &part, 7);
  vise_sweep_result_clear(&before); /* copied */
  cr_assert(queue_next(sweep, last));
  cr_assert_eq(last->status, VISE_OK, "%s", last->error.text);
}

Test(sweep_queue, fits_go_on_as_if_they_had_never_stopped) {
  static const vise_backend backends[] = {VISE_BACKEND_CPU, VISE_BACKEND_CPU64};
  vise_sweep *sweep = queue_sweep(2);
  for (size_t i = 0; i < 2 * N_KINDS; i++) {
    queue_case c;
    vise_sweep_result result = {0};
    configure(i, backends[i / N_KINDS], &c);
    run_part(sweep, &c, 1, &result);
    cr_assert_eq(result.reason, VISE_STOP_AFTER_EPOCH);
    cr_assert_eq(result.epochs, 1);
    run_part(sweep, &c, 3, &result);
    cr_assert_eq(result.epochs, 3);
    run_part(sweep, &c, 0, &result);
    expect_run(&c, &result);
    vise_sweep_result_clear(&result);
  }
  vise_sweep_free(sweep);
}

Test(sweep_queue, damaged_states_are_errors) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_sweep_result result = {0};
  configure(0, VISE_BACKEND_CPU, &c);
  run_part(sweep, &c, 1, &result);
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
  configure(0, VISE_BACKEND_CPU, &c);
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
  configure(3, VISE_BACKEND_CPU, &c);
  c.training.weight_op_when = 1;
  vise_run_result run;
  vise_model *initial = queue_run_alone(&c, &run);
  cr_assert(vise_model_mask(initial) != NULL);
  double *before = rig_params(initial);

  configure(0, VISE_BACKEND_CPU, &c);
  c.training.scale = VISE_SCALE_AUTO;
  c.initial = initial;
  queue_submit(sweep, &c, 0);
  vise_sweep_result result;
  cr_assert(queue_next(sweep, &result));
  expect_run(&c, &result);
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
  enum { N = 12 };
  vise_sweep *sweep = queue_sweep(3);
  vise_sweep_result result;
  size_t n_bad = 0;
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure(i % 2 == 0 ? 0 : i, VISE_BACKEND_CPU, &c);
    if (i % 2 == 0) c.training.lr = 1e38;
    c.fit.keep_state = true;
    queue_submit(sweep, &c, i);
  }

  while (queue_next(sweep, &result)) {
    queue_case c;
    if (result.id % 2 == 0) {
      cr_assert_eq(result.status, VISE_ERR_NONFINITE, "%d: %s", (int)result.status, result.error.text);
      cr_assert(strlen(result.error.text) > 0 && isnan(result.score));
      cr_assert(result.model == NULL && result.state == NULL);
      n_bad++;
    } else {
      configure(result.id, VISE_BACKEND_CPU, &c);
      expect_run(&c, &result);
    }
    vise_sweep_result_clear(&result);
  }
  cr_assert_eq(n_bad, N / 2);
  vise_sweep_free(sweep);
}

Test(sweep_queue, what_a_trainer_refuses_is_told_by_the_result) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_sweep_result result;
  configure(0, VISE_BACKEND_CPU, &c);
  c.training.lr = -1;
  queue_submit(sweep, &c, 3);
  cr_assert(queue_next(sweep, &result));
  cr_assert_eq(result.id, 3);
  cr_assert_eq(result.status, VISE_ERR_USAGE);
  cr_assert_eq(result.reason, VISE_STOP_ERROR);
  cr_assert(strstr(result.error.text, "lr") != NULL, "%s", result.error.text);
  vise_sweep_free(sweep);
}

/* The calls of the queue: when they wait, what they refuse, scores of the caller's own, and its end. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/sweep/queue_rig.h"

TestSuite(sweep_queue_calls, .init = queue_make_data, .fini = queue_free_data);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------ */

Test(sweep_queue_calls, waiting_ends_when_there_is_nothing_to_wait_for) {
  vise_sweep *sweep = queue_sweep(2);
  vise_sweep_result result = {.id = 77};
  bool found = true;
  cr_assert_eq(vise_sweep_n_open(sweep), 0);
  cr_assert_eq(vise_sweep_n_wanted(sweep), 8);
  OK(vise_sweep_next(sweep, INFINITY, &result, &found, &rig_err));
  cr_assert_not(found);

  queue_endless(sweep);
  const double start = now();
  OK(vise_sweep_next(sweep, 0.05, &result, &found, &rig_err));
  cr_assert_not(found);
  cr_assert_geq(now() - start, 0.05);
  OK(vise_sweep_next(sweep, 0, &result, &found, &rig_err));
  cr_assert_not(found);
  cr_assert_eq(result.id, 77);
  cr_assert_eq(vise_sweep_n_open(sweep), 1);
  vise_sweep_free(sweep);
}

Test(sweep_queue_calls, it_wants_no_more_than_it_can_use) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  queue_endless(sweep);
  for (size_t i = 0; i < 10; i++) queue_submit(sweep, &c, i);
  cr_assert_eq(vise_sweep_n_wanted(sweep), 0);
  cr_assert_eq(vise_sweep_n_open(sweep), 11);
  vise_sweep_free(sweep);
}

/* One thread takes them as they come. */
Test(sweep_queue_calls, first_in_is_first_out) {
  vise_sweep *sweep = queue_sweep(1);
  vise_sweep_result result;
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  c.training.epochs = 1;
  for (size_t i = 0; i < 50; i++) queue_submit(sweep, &c, i);
  for (size_t i = 0; i < 50; i++) {
    cr_assert(queue_next(sweep, &result));
    cr_assert_eq(result.id, i);
    vise_sweep_result_clear(&result);
    cr_assert(result.model == NULL);
    if (i == 25) queue_submit(sweep, &c, 50);
  }
  cr_assert(queue_next(sweep, &result));
  cr_assert_eq(result.id, 50);
  vise_sweep_result_clear(&result);
  vise_sweep_free(sweep);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------- */

Test(sweep_queue_calls, stop_ends_all_as_interrupted) {
  vise_sweep *sweep = queue_sweep(2);
  vise_sweep_result result;
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  queue_endless(sweep);
  queue_endless(sweep);
  for (size_t i = 0; i < 5; i++) queue_submit(sweep, &c, i);
  while (vise_sweep_n_wanted(sweep) < 3) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);

  vise_sweep_stop(sweep);
  vise_sweep_stop(sweep);
  queue_submit(sweep, &c, 9);
  size_t n = 0, n_begun = 0;
  while (queue_next(sweep, &result)) {
    cr_assert_eq(result.status, VISE_OK);
    cr_assert_eq(result.reason, VISE_STOP_INTERRUPTED, "fit %zu: %d", (size_t)result.id, (int)result.reason);
    cr_assert(result.model == NULL && result.state == NULL && isnan(result.score));
    n_begun += result.steps > 0;
    n++;
    vise_sweep_result_clear(&result);
  }
  cr_assert_eq(n, 8);
  cr_assert_leq(n_begun, 2);
  vise_sweep_free(sweep);
}

Test(sweep_queue_calls, it_may_be_freed_at_any_time) {
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  c.fit.keep_state = true;
  for (int i = 0; i < 20; i++) {
    vise_sweep *sweep = queue_sweep(1 + i % 4);
    if (i % 3 == 0) queue_endless(sweep);
    for (int k = 0; k < i; k++) queue_submit(sweep, &c, (uint64_t)k);
    nanosleep(&(struct timespec){.tv_nsec = i * 100000}, NULL);
    vise_sweep_free(sweep);
  }
  vise_sweep_free(NULL);
  vise_sweep_stop(NULL);
  vise_sweep_result_clear(NULL);
}

/* ---- scores of the caller's own ----------------------------------------------------------------------------------------------- */

/* What all threads are told of. */
typedef struct asked {
  atomic_size_t n;
  uint64_t fails;
} asked;

/* The first weight; of one fit an error. */
static vise_status first_weight(void *user, uint64_t id, const vise_model *model, const vise_dataset *validation,
                                double *out, vise_error *err) {
  asked *a = user;
  double values[24];
  atomic_fetch_add(&a->n, 1);
  if (validation == NULL || vise_dataset_n_rows(validation) != 9) return VISE_ERR_INTERNAL;
  if (id == a->fails) {
    vise_error_clear(err);
    err->code = VISE_ERR_VALUE;
    strcpy(err->text, "no score for this one");
    return VISE_ERR_VALUE;
  }
  const vise_status status = vise_model_get_tensor(model, 0, values, 24, err);
  *out = values[0];
  return status;
}

Test(sweep_queue_calls, scores_of_the_callers_own) {
  asked a = {.fails = 3};
  vise_sweep *sweep = NULL;
  vise_sweep_result result;
  vise_sweep_config config;
  vise_sweep_config_init(&config);
  config.n_jobs = 3;
  config.score = first_weight;
  config.user = &a;
  OK(vise_sweep_create(&config, &sweep, &rig_err));
  for (size_t i = 0; i < 9; i++) {
    queue_case c;
    queue_case_init(&c, VISE_BACKEND_CPU);
    c.training.seed = i;
    if (i == 5) c.training.lr = 1e38; /* not finite: it is not asked of */
    queue_submit(sweep, &c, i);
  }

  while (queue_next(sweep, &result)) {
    if (result.id == 3) {
      cr_assert_eq(result.status, VISE_ERR_VALUE);
      cr_assert_str_eq(result.error.text, "no score for this one");
      cr_assert(result.model == NULL);
    } else if (result.id == 5) {
      cr_assert_eq(result.status, VISE_ERR_NONFINITE);
    } else {
      double *params = rig_params(result.model);
      cr_assert(result.score == params[0]);
      free(params);
    }
    vise_sweep_result_clear(&result);
  }
  cr_assert_eq(atomic_load(&a.n), 8);
  vise_sweep_free(sweep);
}

/* ---- what is refused -------------------------------------------------------------------------------------------------------- */

Test(sweep_queue_calls, numbers_of_jobs) {
  vise_sweep *sweep = NULL;
  vise_sweep_config config;
  vise_sweep_config_init(&config);
  config.n_jobs = -1;
  REFUSED(vise_sweep_create(&config, &sweep, &rig_err), VISE_ERR_USAGE, "`n_jobs` -1: expected 0 (the processors) to");
  config.n_jobs = 1025;
  REFUSED(vise_sweep_create(&config, &sweep, &rig_err), VISE_ERR_USAGE, "`n_jobs` 1025");
  REFUSED(vise_sweep_create(NULL, NULL, &rig_err), VISE_ERR_USAGE, "the argument out is NULL");
  cr_assert(sweep == NULL);

  OK(vise_sweep_create(NULL, &sweep, &rig_err));
  cr_assert_geq(vise_sweep_n_jobs(sweep), 1);
  vise_sweep_free(sweep);
  cr_assert_eq(vise_sweep_n_jobs(NULL), 0);
  cr_assert_eq(vise_sweep_n_wanted(NULL), 0);
  cr_assert_eq(vise_sweep_n_open(NULL), 0);
}

Test(sweep_queue_calls, fits_that_are_incomplete) {
  vise_sweep *sweep = queue_sweep(1);
  queue_case c;
  vise_dataset *rows = rig_classes(5, 4, 3, 1);
  vise_model *model = rig_model((const size_t[]){4, 3}, 2, true, VISE_F32);
  queue_case_init(&c, VISE_BACKEND_CPU);
  vise_sweep_fit fit = c.fit;
  REFUSED(vise_sweep_submit(NULL, &fit, &rig_err), VISE_ERR_USAGE, "the argument sweep is NULL");
  REFUSED(vise_sweep_submit(sweep, NULL, &rig_err), VISE_ERR_USAGE, "the argument fit is NULL");
  REFUSED(vise_sweep_submit(sweep, &fit, &rig_err), VISE_ERR_USAGE, "`training` is NULL");
  fit.training = &c.training;
  REFUSED(vise_sweep_submit(sweep, &fit, &rig_err), VISE_ERR_USAGE, "`train` is NULL");
  fit.train = rows;
  REFUSED(vise_sweep_submit(sweep, &fit, &rig_err), VISE_ERR_USAGE, "give either `net` or `initial`");
  fit.net = &c.net;
  fit.initial = model;
  REFUSED(vise_sweep_submit(sweep, &fit, &rig_err), VISE_ERR_USAGE, "give either `net` or `initial`");
  fit.initial = NULL;
  fit.n_state_bytes = 5;
  REFUSED(vise_sweep_submit(sweep, &fit, &rig_err), VISE_ERR_USAGE, "`state` is NULL");
  fit.n_state_bytes = 0;
  cr_assert_eq(vise_sweep_n_open(sweep), 0);

  /* Without validation rows there is no score. */
  c.training.backend = VISE_BACKEND_CPU;
  vise_sweep_result result;
  OK(vise_sweep_submit(sweep, &fit, &rig_err));
  cr_assert(queue_next(sweep, &result));
  cr_assert_eq(result.status, VISE_OK, "%s", result.error.text);
  cr_assert(isnan(result.score) && result.validation.n_rows == 0);
  vise_sweep_result_clear(&result);
  vise_model_free(model);
  vise_dataset_free(rows);
  vise_sweep_free(sweep);
}

Test(sweep_queue_calls, arguments_of_next) {
  vise_sweep *sweep = queue_sweep(1);
  vise_sweep_result result;
  bool found;
  REFUSED(vise_sweep_next(NULL, 1, &result, &found, &rig_err), VISE_ERR_USAGE, "the argument sweep is NULL");
  REFUSED(vise_sweep_next(sweep, 1, NULL, &found, &rig_err), VISE_ERR_USAGE, "the argument result is NULL");
  REFUSED(vise_sweep_next(sweep, 1, &result, NULL, &rig_err), VISE_ERR_USAGE, "the argument found is NULL");
  REFUSED(vise_sweep_next(sweep, -1, &result, &found, &rig_err), VISE_ERR_USAGE, "`seconds` -1: expected at least 0");
  REFUSED(vise_sweep_next(sweep, (double)NAN, &result, &found, &rig_err), VISE_ERR_USAGE, "expected at least 0");
  vise_sweep_free(sweep);
}

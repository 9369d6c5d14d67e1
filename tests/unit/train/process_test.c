/* A trainer keeps its bits whatever else goes on in the process: other trainers, another floating-point state, signals,
   forks, locales. */
#include <errno.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "vise/sweep.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

enum { N_ROWS = 256, N_FEATURES = 40, N_STEPS = 60 };

/* So wide that its steps are shared by threads. */
static const size_t widths[] = {N_FEATURES, 150, 130, 1};

typedef struct job {
  vise_backend backend;
  int n_threads;
  vise_trainer *trainer;
  vise_model *model;
  vise_dataset *rows;
} job;

/* The last feature is always 0, */
static vise_dataset *make_rows(void) {
  double *x = malloc(N_ROWS * N_FEATURES * sizeof *x), y[N_ROWS];
  for (size_t i = 0; i < N_ROWS * N_FEATURES; i++) {
    x[i] = i % N_FEATURES == N_FEATURES - 1 ? 0 : (double)(i * 37 % 101) / 50 - 1;
  }
  for (size_t i = 0; i < N_ROWS; i++) y[i] = x[i * N_FEATURES] - 0.5 * x[i * N_FEATURES + 1];

  vise_dataset *rows = rig_dataset(x, N_ROWS, N_FEATURES, y, 1);
  free(x);
  return rows;
}

/* so the weights of it, which are subnormal numbers, stay. */
static vise_model *make_model(vise_dtype dtype) {
  double w[N_FEATURES * 150];
  vise_model *model = rig_model(widths, 4, true, dtype);
  OK(vise_model_get_tensor(model, 0, w, N_FEATURES * 150, &rig_err));
  for (size_t i = 0; i < 150; i++) w[(i + 1) * N_FEATURES - 1] = dtype == VISE_F64 ? 1e-310 : 1e-40;
  OK(vise_model_set_tensor(model, 0, w, N_FEATURES * 150, &rig_err));
  return model;
}

static void make_data(job *j) {
  j->rows = make_rows();
  j->model = make_model(j->backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32);
}

static void make_trainer(job *j) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = j->backend;
  config.n_threads = j->backend == VISE_BACKEND_CPU ? j->n_threads : 0;
  config.loss = VISE_LOSS_MSE;
  config.optimizer = VISE_ADAM;
  config.lr = 1e-3;
  config.batch = 32;

  vise_error err = VISE_ERROR_INIT;
  const vise_status status = vise_trainer_create(&config, j->model, j->rows, NULL, NULL, &j->trainer, &err);
  cr_assert_eq(status, VISE_OK, "%s", err.text);
}

static void begin(job *j) {
  make_data(j);
  make_trainer(j);
}

static void step(job *j, size_t n_steps) {
  vise_error err = VISE_ERROR_INIT;
  vise_status status = vise_trainer_step(j->trainer, n_steps, NULL, NULL, &err);
  if (status == VISE_OK) status = vise_trainer_sync(j->trainer, &err);
  cr_assert_eq(status, VISE_OK, "%s", err.text);
}

static void end(job *j) {
  vise_trainer_free(j->trainer);
  vise_dataset_free(j->rows);
}

static job run(vise_backend backend, int n_threads, size_t n_steps) {
  job j = {.backend = backend, .n_threads = n_threads};
  begin(&j);
  step(&j, n_steps);
  end(&j);
  return j;
}

static void expect_same(const vise_model *got, const vise_model *wanted, const char *how) {
  cr_expect(rig_same_params(got, wanted), "other bits: %s", how);
}

/* ---- other trainers ------------------------------------------------------------------------------------------------ */

static void *run_beside(void *argument) {
  job *j = argument;
  begin(j);
  for (size_t i = 0; i < N_STEPS; i += 4) step(j, 4);
  end(j);
  return NULL;
}

Test(process, trainers_do_not_hear_each_other) {
  job alone = run(VISE_BACKEND_CPU, 1, N_STEPS), many[4];
  pthread_t threads[4];

  for (int i = 0; i < 4; i++) {
    many[i] = (job){.backend = VISE_BACKEND_CPU, .n_threads = i + 1};
    cr_assert_eq(pthread_create(&threads[i], NULL, run_beside, &many[i]), 0);
  }
  for (size_t i = 0; i < 4; i++) {
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
    expect_same(many[i].model, alone.model, "four trainers at once");
    vise_model_free(many[i].model);
  }
  vise_model_free(alone.model);
}

/* ---- floating-point state ------------------------------------------------------------------------------------------ */

static unsigned float_state(void) {
#if defined(__SSE2__)
  return _mm_getcsr() & ~0x3fu;
#else
  return (unsigned)fegetround();
#endif
}

static void flush_subnormals(void) {
#if defined(__SSE2__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

static void trap_exceptions(void) {
#if defined(__SSE2__)
  _mm_setcsr(_mm_getcsr() & ~0x1f80u); /* SIGFPE, also for inexact results */
#endif
}

static void round_up(void) {
  cr_assert_eq(fesetround(FE_UPWARD), 0);
}

static void expect_same_bits_after(void (*change)(void), const char *how) {
  const vise_backend backends[] = {VISE_BACKEND_CPU, VISE_BACKEND_CPU64};
  for (size_t b = 0; b < 2; b++) {
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
      job wanted = run(backends[b], n_threads, N_STEPS), got = {.backend = backends[b], .n_threads = n_threads};
      fenv_t before;
      fegetenv(&before);
      make_data(&got);

      change();
      const unsigned mine = float_state();
      make_trainer(&got);
      step(&got, N_STEPS);
      const unsigned after = float_state();
      end(&got);
      fesetenv(&before);

      cr_expect_eq(after, mine, "%s: the caller's state is another after the call", how);
      expect_same(got.model, wanted.model, how);
      vise_model_free(got.model);
      vise_model_free(wanted.model);
    }
  }
}

Test(process, results_do_not_depend_on_the_callers_floating_point_state) {
  expect_same_bits_after(flush_subnormals, "subnormals are flushed");
  expect_same_bits_after(round_up, "rounded up");
}

Test(process, a_program_that_traps_exceptions_is_not_stopped) {
  job got = {.backend = VISE_BACKEND_CPU, .n_threads = 2};
  vise_error err = VISE_ERROR_INIT;
  fenv_t before;
  fegetenv(&before);
  make_data(&got);

  trap_exceptions();
  make_trainer(&got);
  const vise_status status = vise_trainer_step(got.trainer, 3, NULL, NULL, &err);
  end(&got);
  fesetenv(&before);

  cr_expect_eq(status, VISE_OK, "%s", err.text);
  vise_model_free(got.model);
}

/* ---- signals --------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t n_caught;

static void count(int number) {
  (void)number;
  n_caught++;
}

/* Calls of the system are interrupted all the time, and none is begun again by the system. */
static void begin_signals(void) {
  struct sigaction action = {.sa_handler = count};
  const struct itimerval often = {{0, 200}, {0, 200}};
  cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
  cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void end_signals(void) {
  const struct itimerval never = {{0, 0}, {0, 0}};
  cr_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
  cr_assert_gt(n_caught, 20);
}

static char *run_into(const char *folder, vise_model **model) {
  vise_dataset *rows = rig_classes(300, 4, 3, 1);
  vise_trainer *trainer = NULL;
  vise_train_config config;
  vise_run_config run_config = rig_run_config(folder, NULL);
  const size_t small[] = {4, 6, 3};
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.n_threads = 1;
  config.epochs = 40;
  run_config.checkpoint_each_epoch = true;
  run_config.log_every = 1;

  *model = rig_model(small, 3, true, VISE_F32);
  OK(vise_trainer_create(&config, *model, rows, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run_config, NULL, &rig_err));
  vise_trainer_free(trainer);
  vise_dataset_free(rows);
  return rig_metrics(folder);
}

Test(process, signals_neither_stop_a_run_nor_change_it) {
  char folders[2][256];
  vise_model *models[2];
  char *metrics[2];

  for (int i = 0; i < 2; i++) {
    rig_folder(folders[i]);
    if (i == 1) begin_signals();
    metrics[i] = run_into(folders[i], &models[i]);
    if (i == 1) end_signals();
  }

  expect_same(models[1], models[0], "signals");
  cr_expect_str_eq(metrics[0], metrics[1]);
  for (int i = 0; i < 2; i++) {
    free(metrics[i]);
    vise_model_free(models[i]);
    rig_remove(folders[i]);
  }
}

/* ---- forks ----------------------------------------------------------------------------------------------------------- */

/* Ends the test if the child does not end by itself; returns its exit code. */
static int wait_for(pid_t child) {
  int status = 0;
  for (int i = 0; i < 3000; i++) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    usleep(10000);
  }
  (void)kill(child, SIGKILL);
  (void)waitpid(child, &status, 0);
  cr_assert_fail("the child did not end");
  return -1;
}

/* The child of a fork goes on with the trainer and frees it, and so does its parent. */
Test(process, a_trainer_works_in_the_child_of_a_fork) {
  job wanted = run(VISE_BACKEND_CPU, 1, 2 * N_STEPS), j = {.backend = VISE_BACKEND_CPU, .n_threads = 3};
  begin(&j);
  step(&j, N_STEPS);

  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    vise_error err = VISE_ERROR_INIT;
    vise_status status = vise_trainer_step(j.trainer, N_STEPS, NULL, NULL, &err);
    if (status == VISE_OK) status = vise_trainer_sync(j.trainer, &err);
    const bool same = status == VISE_OK && rig_same_params(j.model, wanted.model);
    vise_trainer_free(j.trainer);
    _exit(same ? 0 : 1);
  }

  cr_expect_eq(wait_for(child), 0);
  step(&j, N_STEPS);
  expect_same(j.model, wanted.model, "a fork");
  end(&j);
  vise_model_free(j.model);
  vise_model_free(wanted.model);
}

Test(process, a_sweep_is_refused_in_the_child_of_a_fork) {
  vise_sweep *sweep = NULL;
  OK(vise_sweep_create(NULL, &sweep, &rig_err));

  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    vise_error err = VISE_ERROR_INIT;
    vise_sweep_result result;
    bool found = false;
    const vise_status status = vise_sweep_next(sweep, 1, &result, &found, &err);
    const bool refused = status == VISE_ERR_STATE && strstr(err.text, "forked") != NULL;
    const bool empty = vise_sweep_n_open(sweep) == 0 && vise_sweep_n_wanted(sweep) == 0;
    vise_sweep_free(sweep);
    _exit(refused && empty ? 0 : 1);
  }

  cr_expect_eq(wait_for(child), 0);
  vise_sweep_free(sweep);
}

/* ---- locales --------------------------------------------------------------------------------------------------------- */

/* One whose numbers have a comma, where the system has such; else the test says nothing. */
Test(process, files_have_points_in_every_locale) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
  bool has = false;
  for (size_t i = 0; i < 4 && !has; i++) has = setlocale(LC_ALL, names[i]) != NULL;
  if (!has) cr_skip_test("no locale with a decimal comma");

  char folder[256];
  vise_model *model = NULL;
  rig_folder(folder);
  char *metrics = run_into(folder, &model);
  cr_expect(strstr(metrics, "\"lr\":0.01") != NULL, "%.300s", metrics);
  free(metrics);
  vise_model_free(model);
  rig_remove(folder);
}

#include "tests/unit/sweep/queue_rig.h"

#include <math.h>
#include <string.h>

static vise_dataset *train, *validation;

void queue_make_data(void) {
  train = rig_classes(23, 4, 3, 1);
  validation = rig_classes(9, 4, 3, 2);
}

void queue_free_data(void) {
  vise_dataset_free(train);
  vise_dataset_free(validation);
  train = validation = NULL;
}

void queue_case_init(queue_case *c, vise_backend backend) {
  memset(c, 0, sizeof *c);
  vise_train_config_init(&c->training);
  vise_net_config_init(&c->net);
  vise_sweep_fit_init(&c->fit);
  OK(vise_net_config_set(&c->net, "layers", "4-6-3", &rig_err));
  c->training.backend = backend;
  c->training.optimizer = VISE_ADAM;
  c->training.scale = VISE_SCALE_STANDARD;
  c->training.batch = 5;
  c->training.epochs = 5;
  c->fit.keep_model = true;
}

vise_model *queue_run_alone(const queue_case *c, vise_run_result *result) {
  vise_train_config config = c->training;
  vise_run_config run;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  if (config.backend == VISE_BACKEND_AUTO) config.backend = VISE_BACKEND_CPU;
  const vise_dtype dtype = config.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;

  if (c->initial != NULL) {
    OK(vise_model_clone(c->initial, dtype, &model, &rig_err));
  } else {
    OK(vise_model_create(&c->net, dtype, &model, &rig_err));
    OK(vise_model_initialize(model, VISE_INIT_LINEAR, config.seed, &rig_err));
  }
  vise_run_config_init(&run);
  OK(vise_trainer_create(&config, model, train, validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, result, &rig_err));
  vise_trainer_free(trainer);
  return model;
}

vise_sweep *queue_sweep(int n_jobs) {
  vise_sweep *sweep = NULL;
  vise_sweep_config config;
  vise_sweep_config_init(&config);
  config.n_jobs = n_jobs;
  OK(vise_sweep_create(&config, &sweep, &rig_err));
  cr_assert_eq(vise_sweep_n_jobs(sweep), n_jobs);
  return sweep;
}

void queue_submit(vise_sweep *sweep, const queue_case *c, uint64_t id) {
  vise_sweep_fit fit = c->fit;
  fit.id = id;
  fit.training = &c->training;
  fit.net = c->initial == NULL ? &c->net : NULL;
  fit.initial = c->initial;
  fit.train = train;
  fit.validation = validation;
  OK(vise_sweep_submit(sweep, &fit, &rig_err));
}

static void submit_long(vise_sweep *sweep, uint64_t epochs, uint64_t id) {
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  c.training.epochs = epochs;
  c.fit.keep_state = true;
  queue_submit(sweep, &c, id);
}

void queue_busy(vise_sweep *sweep) {
  submit_long(sweep, 2000, 1000);
}

void queue_endless(vise_sweep *sweep) {
  submit_long(sweep, UINT64_MAX / 1000, 2000);
}

bool queue_next(vise_sweep *sweep, vise_sweep_result *result) {
  bool found = false;
  OK(vise_sweep_next(sweep, INFINITY, result, &found, &rig_err));
  return found;
}

/* ---- what must hold for every backend ---- */

void queue_configure(size_t kind, vise_backend backend, queue_case *c) {
  queue_case_init(c, backend);
  c->training.seed = kind;

  switch (kind % QUEUE_KINDS) {
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

static void expect_same_metrics(const vise_metrics *a, const vise_metrics *b) {
  cr_assert_eq(a->n_rows, b->n_rows);
  cr_assert(a->loss == b->loss, "%.17g, %.17g", a->loss, b->loss);
  cr_assert(a->accuracy == b->accuracy);
}

void queue_expect_run(const queue_case *c, const vise_sweep_result *result) {
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

size_t queue_drain(vise_sweep *sweep, vise_sweep_result *results, size_t most) {
  vise_sweep_result result;
  size_t n = 0;
  while (queue_next(sweep, &result)) {
    cr_assert(n < most && result.id < most);
    results[result.id] = result;
    n++;
    cr_assert_eq(vise_sweep_n_open(sweep), most - n);
  }
  return n;
}

void queue_expect_runs(vise_backend backend, int n_jobs) {
  enum { N = 3 * QUEUE_KINDS };
  vise_sweep *sweep = queue_sweep(n_jobs);
  vise_sweep_result results[N];
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    queue_configure(i, backend, &c);
    queue_submit(sweep, &c, i);
  }

  /* All have ended before any is trained alone: an emulated device is one thread's at a time. */
  cr_assert_eq(queue_drain(sweep, results, N), N);
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    cr_assert_eq(results[i].id, i);
    queue_configure(i, backend, &c);
    queue_expect_run(&c, &results[i]);
    vise_sweep_result_clear(&results[i]);
  }
  vise_sweep_free(sweep);
}

void queue_run_part(vise_sweep *sweep, const queue_case *c, uint64_t until, vise_sweep_result *last) {
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

void queue_expect_parts(vise_backend backend) {
  vise_sweep *sweep = queue_sweep(2);
  for (size_t i = 0; i < QUEUE_KINDS; i++) {
    queue_case c;
    vise_sweep_result result = {0};
    queue_configure(i, backend, &c);
    queue_run_part(sweep, &c, 1, &result);
    cr_assert_eq(result.reason, VISE_STOP_AFTER_EPOCH);
    cr_assert_eq(result.epochs, 1);
    queue_run_part(sweep, &c, 3, &result);
    cr_assert_eq(result.epochs, 3);
    queue_run_part(sweep, &c, 0, &result);
    queue_expect_run(&c, &result);
    vise_sweep_result_clear(&result);
  }
  vise_sweep_free(sweep);
}

void queue_expect_bad_fits_alone(vise_backend backend) {
  enum { N = 12 };
  vise_sweep *sweep = queue_sweep(3);
  vise_sweep_result results[N];
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    queue_configure(i % 2 == 0 ? 0 : i, backend, &c);
    if (i % 2 == 0) c.training.lr = 1e38;
    c.fit.keep_state = true;
    queue_submit(sweep, &c, i);
  }

  cr_assert_eq(queue_drain(sweep, results, N), N);
  for (size_t i = 0; i < N; i++) {
    vise_sweep_result *result = &results[i];
    queue_case c;
    if (i % 2 == 0) {
      cr_assert_eq(result->status, VISE_ERR_NONFINITE, "%d: %s", (int)result->status, result->error.text);
      cr_assert(strlen(result->error.text) > 0 && isnan(result->score));
      cr_assert(result->model == NULL && result->state == NULL);
    } else {
      queue_configure(i, backend, &c);
      queue_expect_run(&c, result);
    }
    vise_sweep_result_clear(result);
  }
  vise_sweep_free(sweep);
}

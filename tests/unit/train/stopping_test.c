/* The rules that end a run, and known numbers for data A (docs/step.md) through the public calls. */
#include <jansson.h>
#include <stdlib.h>

#include "rig.h"

static double *numbers(const json_t *array) {
  double *out = malloc(json_array_size(array) * sizeof(double));
  for (size_t i = 0; i < json_array_size(array); i++) out[i] = json_number_value(json_array_get(array, i));
  return out;
}

static vise_dataset *data_a(void) {
  json_t *root = json_load_file(VISE_SOURCE_DIR "/tests/golden/data_a.json", 0, NULL);
  cr_assert(root != NULL);
  double *x = numbers(json_object_get(root, "x")), *y = numbers(json_object_get(root, "y"));
  cr_assert_eq(json_array_size(json_object_get(root, "x")), 100);
  vise_dataset *dataset = rig_dataset(x, 100, 1, y, 1);
  free(x);
  free(y);
  json_decref(root);
  return dataset;
}

static vise_model *line(double w, double b) {
  const size_t widths[] = {1, 1};
  vise_model *model = rig_model(widths, 2, true, VISE_F64);
  OK(vise_model_set_tensor(model, 0, &w, 1, &rig_err));
  OK(vise_model_set_tensor(model, 1, &b, 1, &rig_err));
  return model;
}

/* 1/n sum r^2 + 0.01 w^2, full batch, value clip 0.5 on the total gradient. */
static vise_train_config config_a(uint64_t steps) {
  vise_train_config config;
  vise_train_config_init(&config);

  config.loss = VISE_LOSS_MSE;
  config.mse_reduction = VISE_MSE_MEAN;
  config.l2 = 0.01;
  config.backend = VISE_BACKEND_CPU64;
  config.lr = 0.01;
  config.batch = 0;
  config.epochs = 0;
  config.steps = steps;

  config.clip_value = true;
  config.clip_value_lo = -0.5;
  config.clip_value_hi = 0.5;
  config.assert_projection = true;
  return config;
}

/* Runs from (0.05, 0); returns w and b. */
static vise_run_result run_a(const vise_train_config *config, double *w, double *b) {
  vise_dataset *train = data_a();
  vise_model *model = line(0.05, 0);
  vise_trainer *trainer = NULL;
  const vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;

  OK(vise_trainer_create(config, model, train, train, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  OK(vise_model_get_tensor(model, 0, w, 1, &rig_err));
  OK(vise_model_get_tensor(model, 1, b, 1, &rig_err));

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
  return result;
}

Test(stopping, clipped_descent_ends_where_it_should) {
  double w = 0, b = 0;
  vise_train_config config = config_a(1000);
  vise_run_result result = run_a(&config, &w, &b);

  EXPECT_NEAR(w, 2.516765, 5e-7);
  EXPECT_NEAR(b, 2.329732, 5e-7);
  cr_expect_eq(result.n_clipped_values, 859);
  cr_expect_eq(result.reason, VISE_STOP_STEPS);

  config = config_a(20000);
  run_a(&config, &w, &b);
  EXPECT_NEAR(w, 2.649681, 5e-7);
  EXPECT_NEAR(b, 2.261796, 5e-7);
}

Test(stopping, the_projected_gradient_vanishes_at_an_active_box) {
  double w = 0, b = 0;
  vise_train_config config = config_a(100000);
  config.clamp = true;
  config.clamp_lo = -2.5;
  config.clamp_hi = 2.5;
  config.stop_projected_gradient = 1e-9;

  vise_run_result result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_PROJECTED_GRADIENT, "%s", vise_stop_reason_name(result.reason));
  cr_expect_lt(result.steps, 20000);
  cr_expect(w == 2.5);
  EXPECT_NEAR(b, 2.332564, 5e-7);
  cr_expect(result.n_at_hi == 1 && result.n_at_lo == 0 && result.n_boxed == 1);

  config.clamp_lo = -1;
  config.clamp_hi = 1;
  result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_PROJECTED_GRADIENT);
  cr_expect(w == 1);
  EXPECT_NEAR(b, 3.041755, 5e-7);
  EXPECT_NEAR(result.validation.loss + 0.01 * w * w, 0.580, 5e-4);

  config.clamp_bias = true;
  result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_PROJECTED_GRADIENT);
  cr_expect(w == 1 && b == 1);
  cr_expect_eq(result.n_boxed, 2);
  EXPECT_NEAR(result.validation.loss + 0.01 * w * w, 4.749, 5e-4);
}

Test(stopping, the_projected_gradient_knows_l1_and_max_norm) {
  double w = 0, b = 0;
  vise_train_config config = config_a(200000);
  config.l1 = 10;
  config.prox_l1 = true;
  config.stop_projected_gradient = 1e-9;

  vise_run_result result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_PROJECTED_GRADIENT);
  cr_expect(w == 0, "w = %g", w);
  cr_expect_eq(result.n_zero_weights, 1);

  config = config_a(200000);
  config.max_norm = 1.5;
  config.stop_projected_gradient = 1e-9;
  result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_PROJECTED_GRADIENT);
  EXPECT_NEAR(w, 1.5, 1e-12);
  cr_expect(result.n_norms_at_bound == 1 && result.n_bounded_norms == 1);
  config.max_norm = 4; /* more than the 2.5 that it would have without */
  result = run_a(&config, &w, &b);
  cr_expect(result.n_norms_at_bound == 0 && result.n_bounded_norms == 1);
}

Test(stopping, ends_at_a_loss) {
  double w = 0, b = 0;
  vise_train_config config = config_a(100000);
  config.stop_loss_on = true;
  config.stop_loss = 1;
  const vise_run_result result = run_a(&config, &w, &b);
  cr_expect_eq(result.reason, VISE_STOP_LOSS);
  cr_expect(result.train.loss <= 1 && result.train.loss > 0.9, "%g", result.train.loss);
  cr_expect_eq(result.steps, result.epochs);
}

Test(stopping, ends_at_the_first_of_two_limits) {
  double w = 0, b = 0;
  vise_train_config config = config_a(7);
  config.epochs = 5;
  vise_run_result result = run_a(&config, &w, &b);
  cr_expect(result.reason == VISE_STOP_EPOCHS && result.steps == 5);
  config.epochs = 9;
  result = run_a(&config, &w, &b);
  cr_expect(result.reason == VISE_STOP_STEPS && result.steps == 7);
}

/* Under a schedule that is planned for all epochs: the weights are those of the longer training at that point. */
Test(stopping, after_an_epoch_leaves_schedules_as_planned) {
  enum { N_EPOCHS = 6, LAST = 2, PER_EPOCH = 4 };
  static const size_t widths[] = {3, 5, 2};
  vise_dataset *train = rig_classes(20, 3, 2, 4);
  vise_model *ended = rig_model(widths, 3, true, VISE_F32), *longer = rig_model(widths, 3, true, VISE_F32);
  vise_trainer *trainer = NULL;
  const vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.batch = 5;
  config.epochs = N_EPOCHS;
  config.lr = 0.2;
  config.lr_schedule.kind = VISE_SCHEDULE_COSINE;

  OK(vise_trainer_create(&config, longer, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_step(trainer, LAST * PER_EPOCH, NULL, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  vise_trainer_free(trainer);

  config.stop_after_epoch = LAST;
  OK(vise_trainer_create(&config, ended, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);
  cr_expect_eq(result.reason, VISE_STOP_AFTER_EPOCH);
  cr_expect(result.epochs == LAST && result.steps == (size_t)LAST * PER_EPOCH);
  cr_expect(rig_same_params(ended, longer));

  /* A limit that ends the run anyway is what ended it. */
  config.epochs = LAST;
  OK(vise_trainer_create(&config, ended, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  cr_expect_eq(result.reason, VISE_STOP_EPOCHS);

  vise_trainer_free(trainer);
  vise_model_free(ended);
  vise_model_free(longer);
  vise_dataset_free(train);
}

/* ---- a training loss that falls no more ------------------------------------------------------------------------- */

enum { STALL_EPOCHS = 60, STALL = 3 };
#define STALL_DELTA 0.01

typedef struct stalling {
  vise_dataset *train;
  vise_train_config config;
} stalling;

static stalling make_stalling(vise_backend backend) {
  stalling s = {.train = rig_classes(40, 4, 3, 1)};
  vise_train_config_init(&s.config);
  s.config.backend = backend;
  s.config.lr = 0.3;
  s.config.batch = 8;
  s.config.epochs = STALL_EPOCHS;
  return s;
}

/* A run from the rig's weights; losses [STALL_EPOCHS] or NULL. */
static vise_run_result run_stalling(const stalling *s, const char *folder, bool resume, double *losses,
                                    vise_model **model) {
  static const size_t widths[] = {4, 6, 3};
  const vise_dtype dtype = s->config.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  vise_run_config run = rig_run_config(folder, NULL);
  run.resume = resume;
  run.losses = losses;
  run.n_losses = losses != NULL ? STALL_EPOCHS : 0;

  vise_trainer *trainer = NULL;
  vise_run_result result;
  *model = rig_model(widths, 3, true, dtype);
  OK(vise_trainer_create(&s->config, *model, s->train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);
  return result;
}

/* The epoch at which the rule ends a training with these losses, and through *best the last that was better. */
static uint64_t stall_of(const double losses[STALL_EPOCHS], uint64_t *best) {
  double lowest = INFINITY;
  for (uint64_t epoch = 1; epoch <= STALL_EPOCHS; epoch++) {
    if (losses[epoch - 1] < lowest - STALL_DELTA) {
      lowest = losses[epoch - 1];
      *best = epoch;
    }
    if (epoch - *best >= STALL) return epoch;
  }
  return STALL_EPOCHS;
}

static void check_stall(vise_backend backend) {
  stalling s = make_stalling(backend);
  double losses[STALL_EPOCHS];
  uint64_t best = 0;
  vise_model *stopped = NULL, *last = NULL;
  (void)run_stalling(&s, NULL, false, losses, &last);
  vise_model_free(last);
  const uint64_t expected = stall_of(losses, &best);
  cr_assert(best > 1 && expected < STALL_EPOCHS, "the case is too easy: %llu", (unsigned long long)expected);

  s.config.stop_stall = STALL;
  s.config.min_delta = STALL_DELTA;
  const vise_run_result result = run_stalling(&s, NULL, false, NULL, &stopped);
  cr_expect_eq(result.reason, VISE_STOP_STALL);
  cr_expect_eq(result.epochs, expected);
  cr_expect_eq(result.best_epoch, 0);

  /* The last weights are kept. */
  s.config.stop_stall = 0;
  s.config.min_delta = 0;
  s.config.epochs = expected;
  (void)run_stalling(&s, NULL, false, NULL, &last);
  cr_expect(rig_same_params(stopped, last));

  vise_model_free(stopped);
  vise_model_free(last);
  vise_dataset_free(s.train);
}

Test(stopping, ends_where_the_training_loss_rests) {
  check_stall(VISE_BACKEND_CPU64);
  check_stall(VISE_BACKEND_CPU);
}

static void forget_stall(json_t *state, void *user) {
  (void)user;
  json_object_del(state, "stall_epoch");
  json_object_del(state, "stall_loss");
}

/* Interrupted between the best epoch and the end; a checkpoint of a version without the rule counts from there. */
Test(stopping, a_stall_is_counted_across_a_resume) {
  stalling s = make_stalling(VISE_BACKEND_CPU);
  double losses[STALL_EPOCHS];
  uint64_t best = 0;
  vise_model *whole = NULL, *parts = NULL;
  (void)run_stalling(&s, NULL, false, losses, &whole);
  vise_model_free(whole);
  const uint64_t expected = stall_of(losses, &best), stop = best + 1;
  s.config.stop_stall = STALL;
  s.config.min_delta = STALL_DELTA;
  (void)run_stalling(&s, NULL, false, NULL, &whole);

  for (int forgets = 0; forgets < 2; forgets++) {
    char folder[256], checkpoint[64];
    rig_folder(folder);
    s.config.stop_after_epoch = stop;
    (void)run_stalling(&s, folder, false, NULL, &parts);
    vise_model_free(parts);
    snprintf(checkpoint, sizeof checkpoint, "checkpoints/step-%09llu", (unsigned long long)stop * 5);
    if (forgets) rig_edit_state(rig_path(folder, checkpoint), forget_stall, NULL);

    s.config.stop_after_epoch = 0;
    const vise_run_result result = run_stalling(&s, folder, true, NULL, &parts);
    cr_expect_eq(result.reason, VISE_STOP_STALL);
    if (forgets) {
      cr_expect_gt(result.epochs, expected); /* its first epoch is better than none */
    } else {
      cr_expect_eq(result.epochs, expected);
      cr_expect(rig_same_params(whole, parts));
    }
    vise_model_free(parts);
    rig_remove(folder);
  }

  vise_model_free(whole);
  vise_dataset_free(s.train);
}

/* ---- patience --------------------------------------------------------------------------------------------------- */

/* Few training rows and a wide net: it memorizes them, and the validation loss rises again. */
typedef struct overfit {
  vise_dataset *train, *validation;
  vise_train_config config;
} overfit;

static const size_t wide[] = {4, 24, 3};

static overfit make_overfit(vise_backend backend) {
  overfit o = {.train = rig_classes(15, 4, 3, 1), .validation = rig_classes(40, 4, 3, 2)};
  vise_train_config_init(&o.config);
  o.config.backend = backend;
  o.config.lr = 0.5;
  o.config.batch = 5;
  o.config.epochs = 500;
  o.config.patience = 10;
  return o;
}

static void check_best(vise_backend backend, vise_dtype dtype) {
  overfit o = make_overfit(backend);
  vise_model *model = rig_model(wide, 3, true, dtype), *twin = rig_model(wide, 3, true, dtype), *loaded = NULL;
  vise_trainer *trainer = NULL;

  char folder[256];
  rig_folder(folder);
  const vise_run_config run = rig_run_config(folder, NULL);
  vise_run_result result;

  OK(vise_trainer_create(&o.config, model, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  cr_expect_eq(result.reason, VISE_STOP_PATIENCE);
  cr_assert_gt(result.best_epoch, 0);
  cr_expect_eq(result.epochs, result.best_epoch + 10);

  /* The trainer itself stays at the last weights. */
  vise_model *last = rig_model(wide, 3, true, dtype);
  vise_trainer *other = NULL;
  vise_step_stats went_on, expected;
  OK(vise_trainer_create(&o.config, last, o.train, o.validation, NULL, &other, &rig_err));
  OK(vise_trainer_step(other, (size_t)result.steps, NULL, NULL, &rig_err));
  OK(vise_trainer_step(other, 1, &expected, NULL, &rig_err));
  OK(vise_trainer_step(trainer, 1, &went_on, NULL, &rig_err));
  cr_expect(went_on.loss == expected.loss && went_on.grad_norm == expected.grad_norm && went_on.step == expected.step);

  vise_trainer_free(other);
  vise_model_free(last);
  vise_trainer_free(trainer);

  OK(vise_trainer_create(&o.config, twin, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_step(trainer, (size_t)(3 * result.best_epoch), NULL, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  cr_expect(rig_same_params(model, twin), "the model does not have the weights of epoch %llu",
            (unsigned long long)result.best_epoch);

  OK(vise_model_load(rig_path(folder, "model.safetensors"), &loaded, &rig_err));
  cr_expect(rig_same_params(loaded, twin));
  vise_eval_config eval;
  vise_eval_config_init(&eval);
  eval.backend = backend;
  vise_metrics metrics;
  OK(vise_evaluate(loaded, o.validation, &eval, &metrics, &rig_err));
  EXPECT_NEAR(result.validation.loss, metrics.loss, 1e-6 * metrics.loss);
  cr_expect(metrics.accuracy == result.validation.accuracy);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_model_free(twin);
  vise_model_free(loaded);
  vise_dataset_free(o.train);
  vise_dataset_free(o.validation);
  rig_remove(folder);
}

Test(stopping, patience_restores_the_best_weights) {
  check_best(VISE_BACKEND_CPU64, VISE_F64);
  check_best(VISE_BACKEND_CPU, VISE_F32);
}

Test(stopping, patience_counts_only_improvements_above_min_delta) {
  overfit o = make_overfit(VISE_BACKEND_CPU64);
  o.config.min_delta = 100;
  o.config.patience = 4;

  vise_model *model = rig_model(wide, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  const vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;

  OK(vise_trainer_create(&o.config, model, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  cr_expect_eq(result.reason, VISE_STOP_PATIENCE);
  cr_expect_eq(result.best_epoch, 1);
  cr_expect_eq(result.epochs, 5);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(o.train);
  vise_dataset_free(o.validation);
}

/* More patience later: the run goes on from its last weights, not from the best ones. */
Test(stopping, a_run_that_lost_patience_can_go_on) {
  overfit o = make_overfit(VISE_BACKEND_CPU64);
  vise_model *model = rig_model(wide, 3, true, VISE_F64), *whole = rig_model(wide, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;

  char folder[256];
  rig_folder(folder);
  vise_run_config run = rig_run_config(folder, NULL);
  vise_run_result result, expected;

  OK(vise_trainer_create(&o.config, model, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);

  o.config.patience = 20;
  run.resume = true;
  OK(vise_trainer_create(&o.config, model, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);

  run = rig_run_config(NULL, NULL);
  OK(vise_trainer_create(&o.config, whole, o.train, o.validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &expected, &rig_err));
  vise_trainer_free(trainer);

  cr_expect_eq(result.epochs, expected.epochs);
  cr_expect_eq(result.best_epoch, expected.best_epoch);
  cr_expect(rig_same_params(model, whole));

  vise_model_free(model);
  vise_model_free(whole);
  vise_dataset_free(o.train);
  vise_dataset_free(o.validation);
  rig_remove(folder);
}

/* Epochs of a run by the score, whose curve it fills. */
static vise_run_result run_by_score(overfit *o, double *scores, size_t n, vise_model *model) {
  vise_trainer *trainer = NULL;
  vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;
  run.validation_scores = scores;
  run.n_losses = n;
  OK(vise_trainer_create(&o->config, model, o->train, o->validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);
  return result;
}

Test(stopping, patience_by_score_keeps_the_most_accurate_epoch) {
  enum { N = 500 };
  overfit o = make_overfit(VISE_BACKEND_CPU64);
  vise_model *model = rig_model(wide, 3, true, VISE_F64), *by_loss = rig_model(wide, 3, true, VISE_F64);
  static double scores[N], others[N];
  const vise_run_result loss = run_by_score(&o, others, N, by_loss);
  o.config.patience_by = VISE_PATIENCE_BY_SCORE;

  const vise_run_result result = run_by_score(&o, scores, N, model);
  cr_expect_eq(result.reason, VISE_STOP_PATIENCE);
  cr_expect_eq(result.epochs, result.best_epoch + 10);
  const double best = scores[result.best_epoch - 1];
  for (size_t i = 0; i < result.epochs; i++) {
    cr_expect(i + 1 < result.best_epoch ? scores[i] < best : scores[i] <= best);
  }
  cr_expect_eq(result.validation.accuracy, best);
  cr_expect(memcmp(&result.lowest_loss, &result.validation.loss, sizeof(double)) == 0);
  cr_expect_neq(result.best_epoch, loss.best_epoch); /* the two rules tell epochs apart */

  vise_model_free(model);
  vise_model_free(by_loss);
  vise_dataset_free(o.train);
  vise_dataset_free(o.validation);
}

Test(stopping, patience_by_score_refuses_one_row_of_numbers) {
  const double x[] = {1, 2, 3}, y[] = {1, 2, 4};
  vise_dataset *train = rig_dataset(x, 3, 1, y, 1), *one = rig_dataset(x, 1, 1, y, 1);
  vise_train_config config = config_a(10);
  vise_model *model = line(0, 0);
  vise_trainer *trainer = NULL;
  config.patience = 2;
  config.patience_by = VISE_PATIENCE_BY_SCORE;
  EXPECT_ERROR(vise_trainer_create(&config, model, train, one, NULL, &trainer, &rig_err), &rig_err, VISE_ERR_USAGE,
               "R^2 needs at least 2 validation rows");
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(one);
}

/* A learning rate at which weights overflow after some epochs. */
static void check_kept(const char *folder, vise_nonfinite policy, bool keeps) {
  vise_dataset *train = data_a();
  vise_model *model = line(0.05, 0);
  vise_trainer *trainer = NULL;
  const vise_run_config run = rig_run_config(folder, NULL);
  vise_run_result result;
  vise_train_config config = config_a(0);
  config.clip_value = false;
  config.lr = 100;
  config.epochs = 400;
  config.patience = 400;
  config.nonfinite = policy;
  config.keep_best = keeps;

  OK(vise_trainer_create(&config, model, train, train, NULL, &trainer, &rig_err));
  if (keeps) {
    double w = NAN;
    OK(vise_trainer_run(trainer, &run, &result, &rig_err));
    cr_expect(result.reason == VISE_STOP_HALT || result.reason == VISE_STOP_SKIPS);
    cr_expect_eq(result.best_epoch, 1);
    OK(vise_model_get_tensor(model, 0, &w, 1, &rig_err));
    cr_expect(isfinite(w));
    cr_expect(memcmp(&result.lowest_loss, &result.validation.loss, sizeof(double)) == 0);
  } else {
    EXPECT_ERROR(vise_trainer_run(trainer, &run, &result, &rig_err), &rig_err, VISE_ERR_NONFINITE, "not finite");
    cr_expect_eq(result.best_epoch, 0);
  }
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(stopping, keep_best_ends_well_where_numbers_went_wrong) {
  static const vise_nonfinite policies[] = {VISE_NONFINITE_SKIP, VISE_NONFINITE_HALT, VISE_NONFINITE_PROPAGATE};
  for (size_t i = 0; i < 3; i++) {
    char folder[256];
    vise_model *saved = NULL;
    rig_folder(folder);
    check_kept(NULL, policies[i], false);
    check_kept(folder, policies[i], true);
    OK(vise_model_load(folder, &saved, &rig_err));
    vise_model_free(saved);
    rig_remove(folder);
  }
}

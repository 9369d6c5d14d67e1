/* Whole trainings on cuda through the API: launches, checkpoints, device errors. */
#include "host/train/trainer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/unit/train/rig.h"

static vise_train_config config_of(void) {
  vise_train_config config;
  vise_train_config_init(&config);

  config.backend = VISE_BACKEND_CUDA;
  config.optimizer = VISE_ADAM;
  config.l2 = 1e-3;
  config.clip_norm = 1;
  config.clamp = true;
  config.clamp_lo = -0.4;
  config.clamp_hi = 0.4;
  config.batch = 16;
  config.epochs = 4;

  return config;
}

typedef struct training {
  vise_dataset *data;
  vise_model *model;
  vise_trainer *trainer;
} training;

static training start(const vise_train_config *config) {
  static const size_t widths[] = {9, 20, 3};
  vise_error err = VISE_ERROR_INIT;
  training t = {.data = rig_classes(100, 9, 3, 1), .model = rig_model(widths, 3, true, VISE_F32)};
  cr_assert_eq(vise_trainer_create(config, t.model, t.data, NULL, NULL, &t.trainer, &err), VISE_OK, "%s", err.text);
  return t;
}

static void end(training *t) {
  vise_trainer_free(t->trainer);
  vise_model_free(t->model);
  vise_dataset_free(t->data);
}

static void step(training *t, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;
  cr_assert_eq(vise_trainer_step(t->trainer, n, NULL, &n_done, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(n_done, n);
}

static double *weights(training *t) {
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_trainer_sync(t->trainer, &err), VISE_OK, "%s", err.text);
  return rig_params(t->model);
}

Test(trainer, auto_is_cuda_where_there_is_one) {
  vise_train_config config = config_of();
  config.backend = VISE_BACKEND_AUTO;
  training t = start(&config);
  cr_expect_eq(vise_trainer_backend(t.trainer), VISE_BACKEND_CUDA);
  cr_expect_eq(vise_trainer_step_mode(t.trainer), VISE_STEP_FUSED);
  cr_expect_eq(vise_trainer_precision(t.trainer), VISE_FP32);
  end(&t);
}

/* cuda takes up to sixteen layers; beyond that auto means cpu, and asking for cuda is an error. */
Test(trainer, auto_is_cpu_for_nets_that_cuda_does_not_take) {
  size_t widths[18];
  vise_error err = VISE_ERROR_INIT;
  vise_trainer *trainer = NULL;

  for (size_t i = 0; i < 18; i++) widths[i] = 3;
  vise_train_config config = config_of();
  vise_dataset *data = rig_classes(20, 3, 3, 1);
  vise_model *model = rig_model(widths, 18, true, VISE_F32);

  cr_expect_eq(vise_trainer_create(&config, model, data, NULL, NULL, &trainer, &err), VISE_ERR_UNSUPPORTED);
  cr_expect(strstr(err.text, "up to 16 layers") != NULL, "%s", err.text);
  vise_error_clear(&err);

  config.backend = VISE_BACKEND_AUTO;
  cr_assert_eq(vise_trainer_create(&config, model, data, NULL, NULL, &trainer, &err), VISE_OK, "%s", err.text);
  cr_expect_eq(vise_trainer_backend(trainer), VISE_BACKEND_CPU);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(data);
}

Test(trainer, run_counts_launches) {
  static const uint64_t per_launch[] = {1, 3};

  for (size_t i = 0; i < 2; i++) {
    vise_train_config config = config_of();
    vise_run_config run;
    vise_run_result result;
    vise_error err = VISE_ERROR_INIT;

    config.steps_per_launch = per_launch[i];
    training t = start(&config);
    vise_run_config_init(&run);

    cr_assert_eq(vise_trainer_run(t.trainer, &run, &result, &err), VISE_OK, "%s", err.text);
    cr_expect_eq(result.steps, 4 * 7);
    /* an epoch of 7 steps is cut into launches of 3, 3 and 1 */
    cr_expect_eq(result.launches, per_launch[i] == 1 ? 28 : 12, "%llu", (unsigned long long)result.launches);
    cr_expect(result.train.accuracy > 0.5);
    end(&t);
  }
}

Test(trainer, checkpoints_carry_on_with_the_same_bits) {
  const vise_train_config config = config_of();
  vise_error err = VISE_ERROR_INIT;
  char dir[256];

  rig_folder(dir);
  const char *const path = rig_path(dir, "checkpoint");
  training whole = start(&config), first = start(&config), second = start(&config);

  step(&whole, 17);
  step(&first, 10);
  cr_assert_eq(vise_trainer_save(first.trainer, path, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_trainer_restore(second.trainer, path, &err), VISE_OK, "%s", err.text);
  step(&second, 7);

  double *a = weights(&whole), *b = weights(&second);
  cr_expect(memcmp(a, b, vise_model_n_parameters(whole.model) * sizeof *a) == 0);

  free(a);
  free(b);
  end(&whole);
  end(&first);
  end(&second);
  rig_remove(dir);
}

/* A batch larger than any before remakes the backend with all of its state. */
Test(trainer, batches_of_the_callers_own) {
  vise_train_config config = config_of();
  vise_error err = VISE_ERROR_INIT;
  training t = start(&config);
  double x[40 * 9], y[40], out[40 * 3];

  for (size_t i = 0; i < 40 * 9; i++) x[i] = (double)(i % 17) / 17;
  for (size_t i = 0; i < 40; i++) y[i] = (double)(i % 3);
  const vise_array features = vise_array_of(x, VISE_F64, 40, 9), labels = vise_array_of(y, VISE_F64, 40, 1);
  vise_step_stats stats;

  step(&t, 3);
  cr_assert_eq(vise_trainer_step_batch(t.trainer, &features, &labels, NULL, &stats, &err), VISE_OK, "%s", err.text);
  cr_expect(stats.n_rows == 40 && stats.step == 4 && stats.loss > 0);
  cr_assert_eq(vise_trainer_forward(t.trainer, &features, out, &err), VISE_OK, "%s", err.text);
  step(&t, 3);
  end(&t);
}

/* The trainer keeps the error, and an earlier checkpoint stays good. */
Test(trainer, a_device_error_poisons) {
  const vise_train_config config = config_of();
  vise_error err = VISE_ERROR_INIT, later = VISE_ERROR_INIT;
  char dir[256];
  size_t n_done;

  rig_folder(dir);
  const char *const path = rig_path(dir, "checkpoint");
  training t = start(&config), other = start(&config);

  step(&t, 5);
  cr_assert_eq(vise_trainer_save(t.trainer, path, &err), VISE_OK, "%s", err.text);

  const uint32_t n_members = vise_i_cuda_of(t.trainer->backend)->train.step.n_members;
  vise_i_cuda_of(t.trainer->backend)->train.step.n_members = 100000;
  cr_expect_eq(vise_trainer_step(t.trainer, 1, NULL, &n_done, &err), VISE_ERR_DEVICE);
  vise_i_cuda_of(t.trainer->backend)->train.step.n_members = n_members;

  cr_expect_eq(vise_trainer_step(t.trainer, 1, NULL, &n_done, &later), VISE_ERR_DEVICE);
  cr_expect(strstr(later.text, "the trainer failed before: CUDA device 0: ") != NULL, "%s", later.text);
  cr_expect_eq(vise_trainer_sync(t.trainer, NULL), VISE_ERR_DEVICE);
  cr_expect_eq(vise_trainer_save(t.trainer, rig_path(dir, "never"), NULL), VISE_ERR_DEVICE);
  cr_expect(!rig_exists(rig_path(dir, "never")));

  vise_error_clear(&err);
  cr_expect_eq(vise_trainer_restore(other.trainer, path, &err), VISE_OK, "%s", err.text);
  step(&other, 2);

  end(&t);
  end(&other);
  rig_remove(dir);
}

/* ---- integer nets ---- */

static vise_train_config integer_config(vise_step_mode mode) {
  vise_train_config config = config_of();
  config.clamp = false;
  config.quantize = "int8,acc14,act4";
  config.step_mode = mode;
  config.epochs = 10;
  config.lr = 0.02;
  return config;
}

enum { INTEGER_STEPS = 10 * 7 };

/* What the model gets is the integer net, and a training that was interrupted is the same. */
static void check_integers(vise_step_mode mode) {
  const vise_train_config config = integer_config(mode);
  training whole = start(&config);
  vise_error err = VISE_ERROR_INIT;
  step(&whole, INTEGER_STEPS);
  double *expected = weights(&whole);

  vise_eval_config eval;
  vise_metrics metrics;
  vise_integer_report report = {0};
  vise_eval_config_init(&eval);
  eval.as = config.quantize;
  eval.integer = &report;
  cr_assert_eq(vise_evaluate(whole.model, whole.data, &eval, &metrics, &err), VISE_OK, "%s", err.text);
  cr_expect(report.is_trained && report.is_proven);
  cr_expect(metrics.accuracy > 0.8, "%g", metrics.accuracy);

  for (size_t at = 9; at < INTEGER_STEPS; at += 40) { /* before ranges stay as they are, and after that */
    training first = start(&config), second = start(&config);
    void *bytes = NULL;
    size_t n_bytes = 0;
    step(&first, at);
    cr_assert_eq(vise_trainer_save_memory(first.trainer, &bytes, &n_bytes, &err), VISE_OK, "%s", err.text);
    cr_assert_eq(vise_trainer_restore_memory(second.trainer, bytes, n_bytes, &err), VISE_OK, "%s", err.text);
    step(&second, INTEGER_STEPS - at);
    double *got = weights(&second);
    cr_expect(memcmp(got, expected, vise_model_n_parameters(second.model) * sizeof *got) == 0, "at %zu", at);
    free(got);
    vise_buffer_free(bytes);
    end(&first);
    end(&second);
  }
  free(expected);
  end(&whole);
}

Test(trainer, integer_nets) {
  check_integers(VISE_STEP_FUSED);
  check_integers(VISE_STEP_UNFUSED);
}

Test(trainer, integer_nets_of_other_precisions_are_refused) {
  static const size_t widths[] = {9, 20, 3};
  vise_error err = VISE_ERROR_INIT;
  vise_trainer *trainer = NULL;
  vise_train_config config = integer_config(VISE_STEP_FUSED);
  vise_dataset *data = rig_classes(100, 9, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  config.precision = VISE_BF16;
  cr_expect_eq(vise_trainer_create(&config, model, data, NULL, NULL, &trainer, &err), VISE_ERR_UNSUPPORTED);
  cr_expect(strstr(err.text, "`quantize`: not with `precision` bf16") != NULL, "%s", err.text);
  vise_model_free(model);
  vise_dataset_free(data);
}

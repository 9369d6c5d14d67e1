/* How a run ends whose numbers are not finite: never well, and with nothing saved that is not. */
#include <stdlib.h>

#include "rig.h"

enum { N_ROWS = 12, BATCH = 3, STEPS_IN_EPOCH = 4 };

/* One feature, one target; the values of the rows in bad are so large that the loss overflows. */
static vise_dataset *rows(uint32_t bad) {
  double x[N_ROWS], y[N_ROWS];
  for (size_t i = 0; i < N_ROWS; i++) {
    x[i] = bad >> i & 1 ? 1e300 : 1 + (double)i / N_ROWS;
    y[i] = 1000 * x[i];
  }
  return rig_dataset(x, N_ROWS, 1, y, 1);
}

static vise_train_config in_order(void) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.loss = VISE_LOSS_MSE;
  config.batch = BATCH;
  config.shuffle = false;
  config.epochs = 3;
  config.lr = 0.001;
  config.max_skips = 100;
  return config;
}

typedef struct outcome {
  char folder[256];
  rig_notes notes;
  vise_run_result result;
} outcome;

/* Trains a linear model of one weight; says: part of the error, NULL: it ends well. */
static void run(const vise_train_config *config, uint32_t bad, const char *says, outcome *out) {
  const size_t one[] = {1, 1};
  vise_dataset *train = rows(bad);
  vise_model *model = rig_model(one, 2, true, VISE_F64);
  vise_trainer *trainer = NULL;

  memset(out, 0, sizeof(*out));
  rig_folder(out->folder);
  vise_run_config run_config = rig_run_config(out->folder, &out->notes);
  run_config.checkpoint_every = 1;
  OK(vise_trainer_create(config, model, train, NULL, NULL, &trainer, &rig_err));
  if (says == NULL) {
    OK(vise_trainer_run(trainer, &run_config, &out->result, &rig_err));
  } else {
    REFUSED(vise_trainer_run(trainer, &run_config, &out->result, &rig_err), VISE_ERR_NONFINITE, says);
  }

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}

/* After a run that failed: no model, no checkpoint beyond this step, and an end that says why. */
static void expect_nothing_bad_saved(const outcome *out, const char *newest) {
  cr_expect_eq(out->result.reason, VISE_STOP_HALT);
  cr_expect(!rig_exists(rig_path(out->folder, "model.safetensors")));
  (void)rig_whole_checkpoints(out->folder, "run", 0);
  if (newest != NULL) cr_expect(rig_exists(rig_path(out->folder, newest)), "%s", newest);

  char *metrics = rig_metrics(out->folder);
  cr_expect(strstr(metrics, "\"reason\":\"nonfinite\"") != NULL, "%s", metrics);
  free(metrics);
  rig_remove(out->folder);
}

Test(finite, weights_that_an_update_made_infinite_end_the_run) {
  outcome out;
  vise_train_config config = in_order();
  config.lr = 1e308;
  run(&config, 0, "after step 1 the weights are not finite: 0.weight, element 0 is", &out);
  cr_expect(!rig_exists(rig_path(out.folder, "checkpoints/step-000000001")));
  expect_nothing_bad_saved(&out, NULL);
}

Test(finite, weights_are_looked_at_without_a_checkpoint_too) {
  const size_t one[] = {1, 1};
  vise_dataset *train = rows(0);
  vise_model *model = rig_model(one, 2, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_train_config config = in_order();
  vise_run_result result;
  config.lr = 1e308;
  config.epochs = 50;

  const vise_run_config run_config = rig_run_config(NULL, NULL);
  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  REFUSED(vise_trainer_run(trainer, &run_config, &result, &rig_err), VISE_ERR_NONFINITE, "after step 1 the weights");
  cr_expect_eq(result.reason, VISE_STOP_HALT);
  cr_expect_eq(result.epochs, 1);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(finite, the_limit_of_skips_tells_what_the_weights_are) {
  outcome out;
  vise_train_config config = in_order();
  config.lr = 1e308;
  config.max_skips = 2;
  const size_t one[] = {1, 1};
  vise_dataset *train = rows(0);
  vise_model *model = rig_model(one, 2, true, VISE_F64);
  vise_trainer *trainer = NULL;
  memset(&out, 0, sizeof(out));

  const vise_run_config run_config = rig_run_config(NULL, NULL);
  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  REFUSED(vise_trainer_run(trainer, &run_config, &out.result, &rig_err), VISE_ERR_NONFINITE, "2 steps in a row");
  cr_expect(strstr(rig_err.text, "after step 1 the weights are not finite") != NULL, "said: %s", rig_err.text);
  cr_expect_eq(out.result.reason, VISE_STOP_SKIPS);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(finite, numbers_that_were_to_propagate_end_the_run_all_the_same) {
  outcome out;
  vise_train_config config = in_order();
  config.nonfinite = VISE_NONFINITE_PROPAGATE;
  run(&config, 1u << 4, "after step 2 the weights are not finite", &out);
  cr_expect_eq(out.result.n_skipped, 0);
  expect_nothing_bad_saved(&out, "checkpoints/step-000000001");
}

Test(finite, a_last_epoch_without_a_finite_loss_is_an_error) {
  outcome out;
  const vise_train_config config = in_order();
  run(&config, 0xfff, "the last epoch has no finite loss (skipped steps: 12 of 12)", &out);
  cr_expect_eq(out.result.epochs, 3);
  cr_expect(strstr(out.notes.log, "warning: epoch 1 has no finite loss: every step of it was skipped") != NULL,
            "said: %s", out.notes.log);
  cr_expect(strstr(out.notes.log, "epoch 2") == NULL, "said: %s", out.notes.log);
  expect_nothing_bad_saved(&out, "checkpoints/step-000000012");
}

Test(finite, a_bad_batch_at_the_end_is_not_a_bad_epoch) {
  outcome out;
  vise_train_config config = in_order();
  config.steps = STEPS_IN_EPOCH + 1;
  run(&config, 0x7, NULL, &out); /* the first batch of each epoch */
  cr_expect_eq(out.result.n_skipped, 2);
  cr_expect_eq(out.result.reason, VISE_STOP_STEPS);
  cr_expect(rig_exists(rig_path(out.folder, "model.safetensors")));
  rig_remove(out.folder);
}

/* Rows that overflow in the hidden layer of a net whose first weights are all 1, so that outputs are not numbers. */
static vise_dataset *huge_classes(void) {
  double x[3 * 4];
  const double y[3] = {0, 1, 2};
  for (size_t i = 0; i < 12; i++) x[i] = 1.7e308;
  return rig_dataset(x, 3, 4, y, 1);
}

static vise_model *net_of_ones(void) {
  const size_t widths[] = {4, 6, 3};
  double ones[6 * 4];
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  for (size_t i = 0; i < 24; i++) ones[i] = 1;
  OK(vise_model_set_tensor(model, 0, ones, 24, &rig_err));
  return model;
}

Test(finite, a_validation_loss_that_is_no_number_is_not_patience) {
  vise_dataset *train = rig_classes(23, 4, 3, 1), *validation = huge_classes();
  vise_model *model = net_of_ones();
  vise_trainer *trainer = NULL;
  vise_train_config config = in_order();
  vise_run_result result;
  config.loss = VISE_LOSS_CROSS_ENTROPY;
  config.epochs = 50;
  config.patience = 2;

  rig_notes notes = {.n_progress = 0};
  const vise_run_config run_config = rig_run_config(NULL, &notes);
  OK(vise_trainer_create(&config, model, train, validation, NULL, &trainer, &rig_err));
  REFUSED(vise_trainer_run(trainer, &run_config, &result, &rig_err), VISE_ERR_NONFINITE,
          "epoch 1: the validation loss is not a number");
  cr_expect_eq(result.reason, VISE_STOP_HALT);
  vise_trainer_free(trainer);

  config.patience = 0;
  config.epochs = 2;
  OK(vise_trainer_create(&config, model, train, validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run_config, &result, &rig_err));
  cr_expect(strstr(notes.log, "warning: the validation loss of epoch 1 is not finite") != NULL, "said: %s", notes.log);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
}

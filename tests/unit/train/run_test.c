/* A run's folder, its events, its ends by non-finite numbers, and when weight operations are applied. */
#include <stdio.h>
#include <stdlib.h>

#include "host/model/checkpoint.h"
#include "rig.h"

static vise_train_config small_config(void) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.batch = 5;
  config.epochs = 2;
  config.lr = 0.1;
  return config;
}

static const size_t widths[] = {4, 6, 3};

static vise_status run_with(const vise_train_config *config, const vise_dataset *train, const vise_dataset *validation,
                            const vise_run_config *run, vise_model *model, vise_run_result *result) {
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(config, model, train, validation, NULL, &trainer, &rig_err));
  const vise_status status = vise_trainer_run(trainer, run, result, &rig_err);
  vise_trainer_free(trainer);
  return status;
}

/* ---- the folder ------------------------------------------------------------------------------------------------- */

Test(run, leaves_the_documented_files) {
  vise_dataset *train = rig_classes(23, 4, 3, 1), *validation = rig_classes(9, 4, 3, 2);
  vise_model *model = rig_model(widths, 3, true, VISE_F64), *loaded = NULL;
  vise_train_config config = small_config();
  config.epochs = 4;

  char base[256], folder[300];
  rig_folder(base);
  snprintf(folder, sizeof(folder), "%s/new", base);

  rig_notes notes = {.n_progress = 0};
  vise_run_config run = rig_run_config(folder, &notes);
  run.config_json = "{\"lr\": 0.1}\n";
  run.log_every = 3;
  run.checkpoint_each_epoch = true;
  vise_run_result result;

  OK(run_with(&config, train, validation, &run, model, &result));
  cr_expect_eq(result.steps, 20);
  cr_expect_eq(result.epochs, 4);
  cr_expect_eq(notes.n_epochs, 4);
  cr_expect_eq(notes.last_epoch.planned_steps, 20);
  cr_expect_eq(result.n_weights, 4 * 6 + 6 * 3);
  cr_expect_eq(result.validation.n_rows, 9);
  cr_expect(result.seconds_to_first_step > 0 && result.seconds_to_first_step <= result.seconds);

  char *config_json = rig_read(rig_path(folder, "config.json"));
  cr_expect_str_eq(config_json, run.config_json);
  free(config_json);

  uint64_t *steps = NULL;
  size_t n = 0;
  OK(vise_i_checkpoint_list(rig_path(folder, "checkpoints"), &steps, &n, &rig_err));
  cr_assert_eq(n, 2);
  cr_expect(steps[0] == 20 && steps[1] == 15);
  free(steps);

  OK(vise_model_load(rig_path(folder, "model.safetensors"), &loaded, &rig_err));
  cr_expect(rig_same_params(model, loaded));
  cr_expect(!rig_exists(rig_path(folder, "mask.safetensors")));

  vise_model_free(loaded);
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
  rig_remove(base);
}

Test(run, writes_step_epoch_and_end_events) {
  vise_dataset *train = rig_classes(23, 4, 3, 1), *validation = rig_classes(9, 4, 3, 2);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_train_config config = small_config();

  char folder[256];
  rig_folder(folder);
  vise_run_config run = rig_run_config(folder, NULL);
  run.log_every = 2;
  vise_run_result result;
  OK(run_with(&config, train, validation, &run, model, &result));

  size_t n = 0;
  json_t **events = rig_events(folder, &n);
  const char *wanted[] = {"step", "step", "epoch", "step", "step", "step", "epoch", "end"};
  const int steps[] = {2, 4, 5, 6, 8, 10, 10, 10};
  cr_assert_eq(n, 8);
  for (size_t i = 0; i < n; i++) {
    cr_expect_str_eq(rig_event_of(events[i]), wanted[i]);
    const char *key = strcmp(wanted[i], "end") == 0 ? "steps" : "step";
    cr_expect_eq(json_integer_value(json_object_get(events[i], key)), steps[i]);
  }

  const char *step_keys[] = {"loss",           "penalty", "lr", "grad_norm", "at_bound", "grad_norm_clipped",
                             "clipped_values", "skipped"};
  for (size_t i = 0; i < 8; i++) cr_expect(json_object_get(events[0], step_keys[i]) != NULL, "%s", step_keys[i]);
  cr_expect_eq(json_object_size(events[0]), 11);
  const char *epoch_keys[] = {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"};
  for (size_t i = 0; i < 5; i++) cr_expect(json_object_get(events[2], epoch_keys[i]) != NULL, "%s", epoch_keys[i]);
  cr_expect_eq(json_object_size(events[2]), 17);

  cr_expect_str_eq(json_string_value(json_object_get(events[7], "reason")), "epochs");
  cr_expect(json_real_value(json_object_get(events[6], "val_loss")) == result.validation.loss);
  cr_expect(json_real_value(json_object_get(events[6], "train_loss")) == result.train.loss);

  rig_events_free(events, n);
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
  rig_remove(folder);
}

Test(run, needs_something_that_ends_it) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_train_config config = small_config();
  config.epochs = 0;

  vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_USAGE, "`epochs`, `steps`");

  rig_notes notes = {.interrupt_at = 3};
  run = rig_run_config(NULL, &notes);
  OK(run_with(&config, train, NULL, &run, model, &result));
  cr_expect_eq(result.reason, VISE_STOP_INTERRUPTED);

  run.struct_size = 1;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_USAGE, "vise_run_config_init");
  vise_model_free(model);
  vise_dataset_free(train);
}

/* Trains two epochs of five steps with these settings; returns the steps of the checkpoints that are left. */
static size_t checkpoints_of(const vise_run_config *settings, uint64_t steps[2]) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  const vise_train_config config = small_config();

  char folder[256];
  rig_folder(folder);
  vise_run_config run = *settings;
  vise_run_result result;
  run.out_dir = folder;
  OK(run_with(&config, train, NULL, &run, model, &result));

  uint64_t *listed = NULL;
  size_t n = 0;
  OK(vise_i_checkpoint_list(rig_path(folder, "checkpoints"), &listed, &n, &rig_err));
  cr_assert(n == 1 || n == 2, "%zu checkpoints", n);
  memcpy(steps, listed, n * sizeof(*steps));

  free(listed);
  vise_model_free(model);
  vise_dataset_free(train);
  rig_remove(folder);
  return n;
}

Test(run, checkpoints_when_asked_and_at_the_end) {
  uint64_t steps[2];
  vise_run_config run = rig_run_config(NULL, NULL);
  cr_expect_eq(checkpoints_of(&run, steps), 1); /* half a minute never passes */
  cr_expect_eq(steps[0], 10);

  run.checkpoint_every = 3;
  cr_expect_eq(checkpoints_of(&run, steps), 2);
  cr_expect(steps[0] == 10 && steps[1] == 9);

  run.checkpoint_every = 0;
  run.checkpoint_each_epoch = true;
  cr_expect_eq(checkpoints_of(&run, steps), 2);
  cr_expect(steps[0] == 10 && steps[1] == 5);

  run.checkpoint_each_epoch = false;
  run.checkpoint_seconds = 1e-9; /* at every look at the clock */
  cr_expect_eq(checkpoints_of(&run, steps), 2);
  cr_expect_eq(steps[0], 10);

  run.checkpoint_seconds = 0;
  cr_expect_eq(checkpoints_of(&run, steps), 1);
}

Test(run, refuses_checkpoints_that_contradict) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  const vise_train_config config = small_config();
  vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;

  run.checkpoint_seconds = -1;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_USAGE, "`checkpoint_seconds` -1");
  run.checkpoint_seconds = 30;
  run.checkpoint_every = 5;
  run.checkpoint_each_epoch = true;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_USAGE, "contradict");

  vise_model_free(model);
  vise_dataset_free(train);
}

/* ---- numbers that are not finite -------------------------------------------------------------------------------- */

/* 12 rows of one feature; the values of the rows in bad are so large that the loss overflows. */
static vise_dataset *overflowing(uint32_t bad) {
  double x[12], y[12];
  for (size_t i = 0; i < 12; i++) {
    x[i] = bad >> i & 1 ? 1e300 : (double)i / 12;
    y[i] = 2 * (double)i / 12;
  }
  return rig_dataset(x, 12, 1, y, 1);
}

static vise_train_config in_order(vise_nonfinite policy) {
  vise_train_config config = small_config();
  config.loss = VISE_LOSS_MSE;
  config.batch = 3;
  config.shuffle = false;
  config.epochs = 3;
  config.nonfinite = policy;
  return config;
}

Test(run, skips_a_batch_that_is_not_finite) {
  const size_t one[] = {1, 1};
  vise_dataset *train = overflowing(1u << 4); /* the second batch of four */
  vise_model *model = rig_model(one, 2, true, VISE_F64);
  const vise_train_config config = in_order(VISE_NONFINITE_SKIP);

  char folder[256];
  rig_folder(folder);
  rig_notes notes = {.n_progress = 0};
  vise_run_config run = rig_run_config(folder, &notes);
  run.log_every = 1;
  vise_run_result result;

  OK(run_with(&config, train, NULL, &run, model, &result));
  cr_expect_eq(result.steps, 12);
  cr_expect_eq(result.n_skipped, 3);
  cr_expect(strstr(notes.log, "step 2:") != NULL && strstr(notes.log, "skipped") != NULL, "said: %s", notes.log);
  cr_expect(strstr(notes.log, "step 6:") == NULL, "said: %s", notes.log);

  size_t n = 0;
  json_t **events = rig_events(folder, &n);
  double sum = 0;
  for (size_t i = 0; i < 4; i++) {
    const json_t *loss = json_object_get(events[i], "loss");
    cr_expect_eq(json_is_true(json_object_get(events[i], "skipped")), i == 1);
    cr_expect_eq(json_is_null(loss), i == 1);
    if (i != 1) sum += 3 * json_real_value(loss);
  }

  const double mean = json_real_value(json_object_get(events[4], "train_loss"));
  cr_expect_str_eq(rig_event_of(events[4]), "epoch");
  EXPECT_NEAR(mean, sum / 9, 1e-15 * mean); /* over the batches that were taken */

  rig_events_free(events, n);
  vise_model_free(model);
  vise_dataset_free(train);
  rig_remove(folder);
}

static void ends_by_skips(vise_nonfinite policy, uint32_t bad, uint64_t max_skips, uint64_t steps,
                          vise_stop_reason reason) {
  const size_t one[] = {1, 1};
  vise_dataset *train = overflowing(bad);
  vise_model *model = rig_model(one, 2, true, VISE_F64), *start = rig_model(one, 2, true, VISE_F64);
  vise_train_config config = in_order(policy);
  config.max_skips = max_skips;

  char folder[256];
  rig_folder(folder);
  rig_notes notes = {.n_progress = 0};
  const vise_run_config run = rig_run_config(folder, &notes);
  vise_run_result result;

  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_NONFINITE,
          steps == 5 ? "5 steps in a row were not finite" : "not finite");
  cr_expect_eq(result.reason, reason);
  cr_expect_eq(strstr(notes.log, "skipped") == NULL, policy == VISE_NONFINITE_HALT, "said: %s", notes.log);
  cr_expect_eq(result.steps, steps);
  if (bad == 0xfff) cr_expect(rig_same_params(model, start), "skipped steps changed the weights");

  size_t n = 0;
  json_t **events = rig_events(folder, &n);
  cr_assert_gt(n, 0);
  cr_expect_str_eq(rig_event_of(events[n - 1]), "end");
  cr_expect_str_eq(json_string_value(json_object_get(events[n - 1], "reason")), vise_stop_reason_name(reason));

  rig_events_free(events, n);
  vise_model_free(model);
  vise_model_free(start);
  vise_dataset_free(train);
  rig_remove(folder);
}

Test(run, ends_at_the_limit_of_skips_or_at_once) {
  ends_by_skips(VISE_NONFINITE_SKIP, 0xfff, 5, 5, VISE_STOP_SKIPS);
  ends_by_skips(VISE_NONFINITE_SKIP, 0xfff, 1, 1, VISE_STOP_SKIPS);
  /* Two bad batches of four: the second and the third. */
  ends_by_skips(VISE_NONFINITE_SKIP, 0x1f8, 2, 3, VISE_STOP_SKIPS);
  ends_by_skips(VISE_NONFINITE_HALT, 1u << 4, 8, 2, VISE_STOP_HALT);
}

Test(run, counts_skips_across_a_resumption) {
  const size_t one[] = {1, 1};
  vise_dataset *train = overflowing(0xfff);
  vise_model *model = rig_model(one, 2, true, VISE_F64);
  vise_train_config config = in_order(VISE_NONFINITE_SKIP);
  config.max_skips = 5;
  config.steps = 3;

  char folder[256];
  rig_folder(folder);
  vise_run_config run = rig_run_config(folder, NULL);
  vise_run_result result;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_NONFINITE, "no finite loss");
  cr_expect_eq(result.n_skipped, 3);

  config.steps = 0;
  run.resume = true;
  REFUSED(run_with(&config, train, NULL, &run, model, &result), VISE_ERR_NONFINITE, "not finite");
  cr_expect_eq(result.steps, 5);
  cr_expect_eq(result.n_skipped, 5);

  vise_model_free(model);
  vise_dataset_free(train);
  rig_remove(folder);
}

/* ---- weight operations ------------------------------------------------------------------------------------------ */

/* Weights after n steps of config. */
static vise_model *after_steps(const vise_train_config *config, const vise_dataset *train, size_t n) {
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(config, model, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_step(trainer, n, NULL, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  vise_trainer_free(trainer);
  return model;
}

static void check_timing(vise_weight_op_kind kind, vise_weight_op_timing at, uint64_t when, size_t step) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_train_config config = small_config();
  vise_model *before = after_steps(&config, train, step - 1), *wanted = after_steps(&config, train, step);

  config.weight_op.kind = kind;
  config.weight_op.t = 0.5;
  config.weight_op.fraction = 0.5;
  config.weight_op_at = at;
  config.weight_op_when = when;
  OK(vise_model_apply_weight_op(wanted, &config.weight_op, NULL, &rig_err));

  vise_model *early = after_steps(&config, train, step - 1), *got = after_steps(&config, train, step);
  cr_expect(rig_same_params(early, before), "applied before its time");
  cr_expect(rig_same_params(got, wanted), "not applied after step %zu", step);

  if (kind == VISE_PRUNE) {
    cr_assert(vise_model_mask(got) != NULL);
    vise_model *later = after_steps(&config, train, step + 7);
    double *p = rig_params(later);
    const uint8_t *mask = vise_model_mask(got);
    for (size_t i = 0; i < vise_model_n_parameters(later); i++) {
      if (mask[i] == 0) cr_expect(p[i] == 0, "weight %zu came back", i);
    }
    free(p);
    vise_model_free(later);
  }

  vise_model_free(before);
  vise_model_free(wanted);
  vise_model_free(early);
  vise_model_free(got);
  vise_dataset_free(train);
}

Test(run, weight_operations_come_when_asked_for) {
  check_timing(VISE_REL_CLIP, VISE_AT_STEP, 3, 3);
  check_timing(VISE_REL_RETAIN, VISE_AT_STEP, 1, 1);
  check_timing(VISE_REL_DROP_LARGE, VISE_AT_EPOCH, 1, 5);
  check_timing(VISE_PRUNE, VISE_AT_EPOCH, 2, 10);
  check_timing(VISE_PRUNE, VISE_AT_STEP, 4, 4);
}

Test(run, an_operation_at_every_step_freezes_its_maximum) {
  const vise_weight_op_kind kinds[] = {VISE_REL_CLIP, VISE_REL_DROP_LARGE};
  vise_dataset *train = rig_classes(23, 4, 3, 1);

  for (size_t i = 0; i < 2; i++) {
    vise_train_config config = small_config();
    config.lr = 0;
    config.weight_op.kind = kinds[i];
    config.weight_op.t = 0.7;
    config.weight_op_at = VISE_AT_EVERY;

    vise_model *wanted = rig_model(widths, 3, true, VISE_F64);
    OK(vise_model_apply_weight_op(wanted, &config.weight_op, NULL, &rig_err));
    vise_model *once = after_steps(&config, train, 1), *often = after_steps(&config, train, 40);

    cr_expect(rig_same_params(once, wanted));
    cr_expect(rig_same_params(often, wanted), "%s shrinks the weights again and again",
              vise_weight_op_kind_name(kinds[i]));
    vise_model_free(wanted);
    vise_model_free(once);
    vise_model_free(often);
  }
  vise_dataset_free(train);
}

Test(run, an_operation_at_every_step_leaves_a_skipped_one_alone) {
  const size_t one[] = {1, 1};
  vise_dataset *train = overflowing(1);
  vise_model *model = rig_model(one, 2, true, VISE_F64), *start = rig_model(one, 2, true, VISE_F64);

  vise_train_config config = in_order(VISE_NONFINITE_SKIP);
  config.weight_op.kind = VISE_REL_CLIP;
  config.weight_op.t = 0.5;
  config.weight_op_at = VISE_AT_EVERY;

  vise_trainer *trainer = NULL;
  vise_step_stats stats;
  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_step(trainer, 1, &stats, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  cr_expect(stats.skipped && rig_same_params(model, start));

  OK(vise_trainer_step(trainer, 1, &stats, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  cr_expect(!stats.skipped && !rig_same_params(model, start));

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_model_free(start);
  vise_dataset_free(train);
}

Test(run, saves_the_mask_of_a_pruned_net) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64), *loaded = NULL;
  vise_train_config config = small_config();
  config.weight_op.kind = VISE_PRUNE;
  config.weight_op.fraction = 0.5;

  char folder[256];
  rig_folder(folder);
  const vise_run_config run = rig_run_config(folder, NULL);
  vise_run_result result;

  OK(run_with(&config, train, NULL, &run, model, &result));
  cr_expect_eq(result.n_zero_weights, 12 + 9);
  OK(vise_model_load(rig_path(folder, "model.safetensors"), &loaded, &rig_err));
  OK(vise_model_load_mask(loaded, rig_path(folder, "mask.safetensors"), &rig_err));
  cr_expect(memcmp(vise_model_mask(loaded), vise_model_mask(model), vise_model_n_parameters(model)) == 0);

  vise_model_free(loaded);
  vise_model_free(model);
  vise_dataset_free(train);
  rig_remove(folder);
}

/* The target rises with the first input, whose weight may not, so that it ends at 0; the second's may; the third's is
   pruned. */
Test(run, counts_what_signs_and_norms_hold_back) {
  static const double x[] = {1, 1, 1, 2, 2, 0.1, 3, 3, 0.1}, y[] = {1, 2, 3};
  static const int8_t signs[] = {-1, 1, 1, 1};
  static const uint8_t mask[] = {1, 1, 0, 1};
  static const size_t one_layer[] = {3, 1};

  for (int i = 0; i < 2; i++) {
    vise_dataset *train = rig_dataset(x, 3, 3, y, 1);
    vise_model *model = rig_model(one_layer, 2, true, i == 0 ? VISE_F64 : VISE_F32);
    OK(vise_model_set_signs(model, signs, 4, &rig_err));
    OK(vise_model_set_mask(model, mask, 4, &rig_err));

    vise_train_config config = small_config();
    config.backend = i == 0 ? VISE_BACKEND_CPU64 : VISE_BACKEND_CPU;
    config.loss = VISE_LOSS_MSE;
    config.epochs = 300;
    config.max_norm = 0.5;
    vise_run_result result;
    OK(run_with(&config, train, NULL, NULL, model, &result));

    cr_expect(result.n_signed == 3 && result.n_signed_at_zero == 1, "%d of %d", (int)result.n_signed_at_zero,
              (int)result.n_signed);
    cr_expect(result.n_bounded_norms == 1 && result.n_norms_at_bound == 1);
    vise_model_free(model);
    vise_dataset_free(train);
  }
}

/* ---- what a run tells without calling back ---------------------------------------------------------------------- */

Test(run, writes_losses_to_the_callers_arrays) {
  vise_dataset *train = rig_classes(23, 4, 3, 1), *validation = rig_classes(9, 4, 3, 2);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_train_config config = small_config();
  config.epochs = 4;

  double losses[4] = {-1, -1, -1, -1}, validation_losses[4] = {-1, -1, -1, -1};
  rig_notes notes = {.n_progress = 0};
  vise_run_config run = rig_run_config(NULL, &notes);
  run.losses = losses;
  run.validation_losses = validation_losses;
  run.n_losses = 3; /* the fourth epoch has no place */
  run.progress_by_time = true;
  vise_run_result result;

  OK(run_with(&config, train, validation, &run, model, &result));
  cr_expect(losses[0] > losses[2] && losses[2] > 0 && validation_losses[2] > 0);
  cr_expect(losses[3] == -1 && validation_losses[3] == -1);
  cr_expect_eq(notes.n_epochs, 0);

  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
}

Test(run, ends_when_the_callers_flag_is_set) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_train_config config = small_config();
  int flag = 1;
  vise_run_config run;
  vise_run_config_init(&run);
  run.interrupted = vise_flag_is_set;
  run.user = &flag;
  vise_run_result result;

  OK(run_with(&config, train, NULL, &run, model, &result));
  cr_expect(result.reason == VISE_STOP_INTERRUPTED && result.steps == 0);
  flag = 0;
  OK(run_with(&config, train, NULL, &run, model, &result));
  cr_expect(result.reason == VISE_STOP_EPOCHS && !vise_flag_is_set(NULL));

  vise_model_free(model);
  vise_dataset_free(train);
}

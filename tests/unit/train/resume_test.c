/* A run stopped at any step and resumed ends with the same bits as one that was not stopped. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/checkpoint.h"
#include "rig.h"

/* 23 rows in batches of 5: 5 steps an epoch, the last of 3 rows; 3 epochs. */
enum { N_ROWS = 23, BATCH = 5, EPOCHS = 3, STEPS = 15 };

typedef struct setup {
  vise_dataset *train, *validation, *test;
  vise_train_config config;
  vise_dtype dtype;
  vise_net_config net;
} setup;

static void configure(setup *s, vise_optimizer optimizer, vise_backend backend) {
  vise_train_config_init(&s->config);
  vise_net_config_init(&s->net);
  OK(vise_net_config_set(&s->net, "layers", "4-6-3", &rig_err));

  s->train = rig_classes(N_ROWS, 4, 3, 1);
  s->validation = rig_classes(9, 4, 3, 2);
  s->test = rig_classes(7, 4, 3, 3);

  s->dtype = backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  s->config.backend = backend;
  s->config.optimizer = optimizer;
  s->config.lr = optimizer == VISE_SGD ? 0.2 : 0.01;
  s->config.momentum = optimizer == VISE_SGD || optimizer == VISE_RMSPROP ? 0.9 : 0;
  s->config.nesterov = optimizer == VISE_SGD;

  s->config.l2 = 1e-3;
  s->config.clip_norm = 0.5;
  s->config.clamp = true;
  s->config.clamp_lo = -0.4;
  s->config.clamp_hi = 0.4;

  s->config.scale = VISE_SCALE_STANDARD;
  s->config.batch = BATCH;
  s->config.epochs = EPOCHS;
  s->config.seed = 5;
  s->config.n_threads = 1;
}

static void clean(setup *s) {
  vise_dataset_free(s->train);
  vise_dataset_free(s->validation);
  vise_dataset_free(s->test);
}

/* One call of run on a fresh trainer, as a separate process would do it. */
static vise_status run_once(const setup *s, const vise_run_config *run, vise_model **model, vise_run_result *result) {
  vise_trainer *trainer = NULL;
  OK(vise_model_create(&s->net, s->dtype, model, &rig_err));
  OK(vise_model_initialize(*model, VISE_INIT_LINEAR, 1, &rig_err));
  OK(vise_trainer_create(&s->config, *model, s->train, s->validation, s->test, &trainer, &rig_err));
  const vise_status status = vise_trainer_run(trainer, run, result, &rig_err);
  vise_trainer_free(trainer);
  return status;
}

static void expect_same_files(const char *a, const char *b, uint64_t step) {
  char *p = rig_metrics(a), *q = rig_metrics(b);
  cr_expect_str_eq(p, q, "metrics differ after going on from step %llu", (unsigned long long)step);
  free(p);
  free(q);
}

static void expect_same_models(const vise_model *a, const vise_model *b, uint64_t step) {
  void *bytes[2] = {NULL, NULL};
  size_t n[2] = {0, 0};
  OK(vise_model_save_memory(a, &bytes[0], &n[0], &rig_err));
  OK(vise_model_save_memory(b, &bytes[1], &n[1], &rig_err));
  cr_expect(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0, "models differ after going on from step %llu",
            (unsigned long long)step);
  vise_buffer_free(bytes[0]);
  vise_buffer_free(bytes[1]);
}

/* Stops at each step by --steps, resumes without it. */
static void resume_from_every_step(setup given) {
  setup s = given;
  char whole[256];
  rig_folder(whole);
  vise_model *reference = NULL;
  vise_run_result result, expected;
  vise_run_config run = rig_run_config(whole, NULL);
  run.log_every = 2;
  OK(run_once(&s, &run, &reference, &expected));
  cr_assert_eq(expected.steps, STEPS);

  for (uint64_t step = 1; step < STEPS; step++) {
    char folder[256];
    vise_model *model = NULL;
    rig_folder(folder);

    run.out_dir = folder;
    run.resume = false;
    s.config.steps = step;
    OK(run_once(&s, &run, &model, &result));
    cr_expect_eq(result.reason, VISE_STOP_STEPS);
    cr_expect_eq(result.steps, step);
    vise_model_free(model);

    s.config.steps = 0;
    run.resume = true;
    OK(run_once(&s, &run, &model, &result));

    cr_expect_eq(result.resumed_from_step, step);
    cr_expect_eq(result.steps, STEPS);
    cr_expect_eq(result.epochs, EPOCHS);
    cr_expect_eq(result.n_norm_clipped, expected.n_norm_clipped);
    cr_expect_eq(result.best_epoch, expected.best_epoch);
    expect_same_models(model, reference, step);
    cr_expect(memcmp(&result.validation.loss, &expected.validation.loss, sizeof(double)) == 0);
    cr_expect(memcmp(&result.train.loss, &expected.train.loss, sizeof(double)) == 0);
    expect_same_files(folder, whole, step);
    vise_model_free(model);
    rig_remove(folder);
  }

  vise_model_free(reference);
  rig_remove(whole);
  clean(&s);
}

/* change, if given, adjusts the configuration. */
static void check_resume(vise_optimizer optimizer, vise_backend backend, void (*change)(vise_train_config *)) {
  setup s;
  configure(&s, optimizer, backend);
  if (change != NULL) change(&s.config);
  resume_from_every_step(s);
}

Test(resume, sgd_from_every_step) {
  check_resume(VISE_SGD, VISE_BACKEND_CPU, NULL);
  check_resume(VISE_SGD, VISE_BACKEND_CPU64, NULL);
}

Test(resume, adam_from_every_step) {
  check_resume(VISE_ADAM, VISE_BACKEND_CPU, NULL);
  check_resume(VISE_ADAM, VISE_BACKEND_CPU64, NULL);
}

Test(resume, rmsprop_from_every_step) {
  check_resume(VISE_RMSPROP, VISE_BACKEND_CPU, NULL);
  check_resume(VISE_RMSPROP, VISE_BACKEND_CPU64, NULL);
}

Test(resume, lion_from_every_step) {
  check_resume(VISE_LION, VISE_BACKEND_CPU, NULL);
  check_resume(VISE_LION, VISE_BACKEND_CPU64, NULL);
}

static void with_patience(vise_train_config *c) {
  c->patience = 10;
  c->lr = 5; /* so that the best epoch is not the last */
  c->clip_norm = 0;
}

static void with_frozen_clip(vise_train_config *c) {
  c->weight_op.kind = VISE_REL_CLIP;
  c->weight_op.t = 0.9;
  c->weight_op_at = VISE_AT_EVERY;
}

static void with_pruning(vise_train_config *c) {
  c->weight_op.kind = VISE_PRUNE;
  c->weight_op.fraction = 0.4;
  c->weight_op_at = VISE_AT_STEP;
  c->weight_op_when = 1;
}

static void in_file_order(vise_train_config *c) {
  c->shuffle = false;
  c->lr_schedule.kind = VISE_SCHEDULE_STEP;
  c->lr_schedule.step_epochs = 1;
  c->lr_schedule.gamma = 0.5;
}

Test(resume, keeps_patience_frozen_maxima_masks_and_schedules) {
  check_resume(VISE_SGD, VISE_BACKEND_CPU, with_patience);
  check_resume(VISE_SGD, VISE_BACKEND_CPU64, with_frozen_clip);
  check_resume(VISE_ADAM, VISE_BACKEND_CPU, with_pruning);
  check_resume(VISE_RMSPROP, VISE_BACKEND_CPU, in_file_order);
}

/* Running statistics, their count and the place in the stream of dropout are state. */
Test(resume, keeps_batch_norm_and_dropout) {
  const vise_optimizer optimizers[] = {VISE_SGD, VISE_ADAM};
  for (size_t i = 0; i < 2; i++) {
    setup s;
    configure(&s, optimizers[i], VISE_BACKEND_CPU64);
    OK(vise_net_config_set(&s.net, "layers", "4-6-6-3", &rig_err));
    s.net.batch_norm = s.net.residual = true;
    s.net.dropout = 0.3;
    s.net.input_dropout = 0.1;
    resume_from_every_step(s);
  }
}

Test(resume, an_interrupted_run_from_every_question) {
  setup s;
  configure(&s, VISE_ADAM, VISE_BACKEND_CPU);

  char whole[256];
  rig_folder(whole);
  vise_model *reference = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(whole, NULL);
  OK(run_once(&s, &run, &reference, &result));

  for (size_t question = 1; question < 6; question++) {
    rig_notes notes = {.interrupt_at = question};
    char folder[256];
    vise_model *model = NULL;
    rig_folder(folder);
    run = rig_run_config(folder, &notes);

    OK(run_once(&s, &run, &model, &result));
    cr_expect_eq(result.reason, VISE_STOP_INTERRUPTED);
    cr_expect(result.steps < STEPS);
    cr_expect(rig_exists(rig_path(folder, "model.safetensors")));
    char *metrics = rig_metrics(folder);
    cr_expect(strstr(metrics, "\"reason\":\"interrupted\"") != NULL, "%s", metrics);
    free(metrics);
    vise_model_free(model);

    run = rig_run_config(folder, NULL);
    run.resume = true;
    OK(run_once(&s, &run, &model, &result));
    cr_expect_eq(result.reason, VISE_STOP_EPOCHS);
    cr_expect(rig_same_params(model, reference));
    expect_same_files(folder, whole, result.resumed_from_step);
    vise_model_free(model);
    rig_remove(folder);
  }

  vise_model_free(reference);
  rig_remove(whole);
  clean(&s);
}

/* Changes a byte in the middle of a file. */
static void damage(const char *path) {
  FILE *file = fopen(path, "r+b");
  cr_assert(file != NULL, "%s", path);
  fseek(file, 0, SEEK_END);
  const long at = ftell(file) / 2;
  fseek(file, at, SEEK_SET);
  const int byte = fgetc(file);
  fseek(file, at, SEEK_SET);
  fputc(byte ^ 1, file);
  fclose(file);
}

Test(resume, passes_over_a_damaged_checkpoint_and_names_it) {
  const char *files[] = {"tensors.safetensors", "state.json"};
  setup s;
  configure(&s, VISE_SGD, VISE_BACKEND_CPU);

  char whole[256];
  rig_folder(whole);
  vise_model *reference = NULL, *model = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(whole, NULL);
  OK(run_once(&s, &run, &reference, &result));

  for (size_t i = 0; i < 2; i++) {
    char folder[256], name[128];
    rig_folder(folder);
    run = rig_run_config(folder, NULL);
    run.checkpoint_each_epoch = true;
    s.config.epochs = 2;
    OK(run_once(&s, &run, &model, &result));
    vise_model_free(model);

    snprintf(name, sizeof(name), "checkpoints/step-000000010/%s", files[i]);
    damage(rig_path(folder, name));

    rig_notes notes = {.n_progress = 0};
    run = rig_run_config(folder, &notes);
    run.resume = true;
    run.checkpoint_each_epoch = true;
    s.config.epochs = EPOCHS;
    OK(run_once(&s, &run, &model, &result));

    cr_expect_eq(result.resumed_from_step, 5);
    cr_expect(strstr(notes.log, "warning: ") != NULL && strstr(notes.log, "step-000000010 is damaged") != NULL,
              "said: %s", notes.log);
    cr_expect(strstr(notes.log, "kept as ") != NULL, "said: %s", notes.log);
    cr_expect(rig_exists(rig_path(folder, "checkpoints/step-000000010.damaged/state.json")));
    cr_expect(rig_same_params(model, reference));
    expect_same_files(folder, whole, 5);
    vise_model_free(model);

    damage(rig_path(folder, "checkpoints/step-000000010/tensors.safetensors"));
    damage(rig_path(folder, "checkpoints/step-000000015/tensors.safetensors"));
    REFUSED(run_once(&s, &run, &model, &result), VISE_ERR_FORMAT, "none of the 2 checkpoints");
    vise_model_free(model);
    rig_remove(folder);
  }

  vise_model_free(reference);
  rig_remove(whole);
  clean(&s);
}

Test(resume, refuses_changes_of_anything_but_limits) {
  setup s;
  configure(&s, VISE_SGD, VISE_BACKEND_CPU);

  char folder[256];
  rig_folder(folder);
  vise_model *model = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(folder, NULL);
  OK(run_once(&s, &run, &model, &result));
  vise_model_free(model);

  char *before = rig_read(rig_path(folder, "metrics.jsonl"));
  run.resume = true;
  const vise_train_config good = s.config;

#define REFUSE(change, says)                                            \
  do {                                                                  \
    s.config = good;                                                    \
    change;                                                             \
    REFUSED(run_once(&s, &run, &model, &result), VISE_ERR_USAGE, says); \
    vise_model_free(model);                                             \
  } while (0)

  REFUSE(s.config.lr = 0.1, "`lr` = 0.2");
  REFUSE(s.config.clamp_hi = 0.5, "`clamp` = ");
  REFUSE(s.config.clamp = false, "now it is not set");
  REFUSE(s.config.batch = 4, "`batch` = 5, now it is 4");
  REFUSE(s.config.seed = 6, "`seed` = 5, now it is 6");
  REFUSE(s.config.optimizer = VISE_RMSPROP; s.config.nesterov = false, "`optimizer` = sgd");
  REFUSE(s.config.lr_schedule.kind = VISE_SCHEDULE_COSINE, "`lr_schedule` = constant");

  vise_dataset *train = s.train;
  s.train = rig_classes(N_ROWS, 4, 3, 9);
  REFUSE(s.config.epochs = 4, "the training data");
  vise_dataset_free(s.train);
  s.train = train;

  char *after = rig_read(rig_path(folder, "metrics.jsonl"));
  cr_expect_str_eq(before, after, "a refused resume touched the folder");

  /* Limits, logging and threads may change. */
  s.config = good;
  s.config.epochs = 5;
  s.config.stop_loss_on = true;
  s.config.stop_loss = -1;
  s.config.max_skips = 3;
  run.log_every = 1;
  OK(run_once(&s, &run, &model, &result));
  cr_expect_eq(result.epochs, 5);
  vise_model_free(model);

  free(before);
  free(after);
  rig_remove(folder);
  clean(&s);
}

Test(resume, refuses_new_limits_under_a_schedule_that_ends) {
  setup s;
  configure(&s, VISE_SGD, VISE_BACKEND_CPU);
  s.config.lr_schedule.kind = VISE_SCHEDULE_COSINE;

  char folder[256];
  rig_folder(folder);
  vise_model *model = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(folder, NULL);
  OK(run_once(&s, &run, &model, &result));
  vise_model_free(model);

  run.resume = true;
  s.config.epochs = 4;
  REFUSED(run_once(&s, &run, &model, &result), VISE_ERR_USAGE, "`epochs` and `steps`");
  vise_model_free(model);
  rig_remove(folder);
  clean(&s);
}

Test(resume, ends_at_once_at_a_limit) {
  setup s;
  configure(&s, VISE_SGD, VISE_BACKEND_CPU);

  char folder[256];
  rig_folder(folder);
  vise_model *first = NULL, *again = NULL;
  vise_run_result before, after;
  vise_run_config run = rig_run_config(folder, NULL);
  OK(run_once(&s, &run, &first, &before));
  char *metrics = rig_metrics(folder);

  run.resume = true;
  for (size_t i = 0; i < 3; i++) {
    OK(run_once(&s, &run, &again, &after));
    cr_expect_eq(after.reason, VISE_STOP_EPOCHS);
    cr_expect_eq(after.steps, STEPS);
    cr_expect_eq(after.resumed_from_step, STEPS);
    cr_expect(after.test.loss == before.test.loss && after.train.loss == before.train.loss);
    cr_expect(rig_same_params(first, again));

    char *now = rig_metrics(folder);
    cr_expect_str_eq(now, metrics);
    free(now);
    vise_model_free(again);
  }

  vise_model_free(first);
  free(metrics);
  rig_remove(folder);
  clean(&s);
}

Test(resume, needs_a_checkpoint) {
  setup s;
  configure(&s, VISE_SGD, VISE_BACKEND_CPU);

  char folder[256];
  rig_folder(folder);
  vise_model *model = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(folder, NULL);

  run.resume = true;
  REFUSED(run_once(&s, &run, &model, &result), VISE_ERR_USAGE, "no checkpoint");
  vise_model_free(model);

  rig_remove(folder);
  REFUSED(run_once(&s, &run, &model, &result), VISE_ERR_USAGE, "there is no folder");
  cr_expect(!rig_exists(folder), "a refused resume made the folder");
  vise_model_free(model);
  clean(&s);
}

/* vise_trainer_save and restore without a run around them. */
Test(resume, a_restored_trainer_goes_on_with_the_same_bits) {
  setup s;
  configure(&s, VISE_ADAM, VISE_BACKEND_CPU);

  const size_t widths[] = {4, 6, 3};
  char folder[256];
  rig_folder(folder);
  vise_model *a = rig_model(widths, 3, true, VISE_F32), *b = rig_model(widths, 3, true, VISE_F32);
  vise_trainer *first = NULL, *second = NULL;
  vise_step_stats p[9], q[9];

  OK(vise_trainer_create(&s.config, a, s.train, NULL, NULL, &first, &rig_err));
  OK(vise_trainer_step(first, 7, NULL, NULL, &rig_err));
  OK(vise_trainer_set_lr(first, 0.03, &rig_err));
  OK(vise_trainer_save(first, rig_path(folder, "saved"), &rig_err));
  OK(vise_trainer_step(first, 9, p, NULL, &rig_err));

  OK(vise_trainer_create(&s.config, b, s.train, NULL, NULL, &second, &rig_err));
  OK(vise_trainer_step(second, 3, NULL, NULL, &rig_err));
  REFUSED(vise_trainer_restore(second, rig_path(folder, "missing"), &rig_err), VISE_ERR_IO, "missing");
  OK(vise_trainer_restore(second, rig_path(folder, "saved"), &rig_err));
  OK(vise_trainer_step(second, 9, q, NULL, &rig_err));

  for (size_t i = 0; i < 9; i++) {
    cr_expect(p[i].loss == q[i].loss && p[i].grad_norm == q[i].grad_norm && p[i].step == q[i].step &&
                  p[i].epoch == q[i].epoch && p[i].lr == q[i].lr,
              "step %zu", i);
  }
  cr_expect(p[0].lr == 0.03);

  OK(vise_trainer_sync(first, &rig_err));
  OK(vise_trainer_sync(second, &rig_err));
  cr_expect(rig_same_params(a, b));

  vise_trainer_free(first);
  vise_trainer_free(second);
  vise_model_free(a);
  vise_model_free(b);
  rig_remove(folder);
  clean(&s);
}

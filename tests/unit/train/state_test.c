/* States of checkpoints that somebody made up, with hashes that fit: numbers that no training reaches are refused, before one of
   them is converted or subtracted, and the trainer stays as it was. */
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static const size_t widths[] = {3, 4, 2};

typedef struct change {
  const char *key, *text; /* a text of bits, or an integer */
  json_int_t number;
  const char *says;
} change;

static void make(json_t *state, void *user) {
  const change *c = user;
  json_t *value = c->text != NULL ? json_string(c->text) : json_integer(c->number);
  cr_assert(json_object_get(state, c->key) != NULL, "%s", c->key);
  json_object_set_new(state, c->key, value);
}

/* A trainer, and a place for its checkpoint. */
typedef struct setup {
  char folder[256], dir[300];
  vise_dataset *rows;
  vise_model *model;
  vise_trainer *trainer;
} setup;

static void begin(setup *s) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.loss = VISE_LOSS_CROSS_ENTROPY;
  config.n_threads = 1;
  config.batch = 5;
  config.epochs = 9;

  rig_folder(s->folder);
  snprintf(s->dir, sizeof s->dir, "%s/checkpoint", s->folder);
  s->rows = rig_classes(23, 3, 2, 1);
  s->model = rig_model(widths, 3, true, VISE_F32);
  OK(vise_trainer_create(&config, s->model, s->rows, NULL, NULL, &s->trainer, &rig_err));
}

static void end(setup *s) {
  vise_trainer_free(s->trainer);
  vise_model_free(s->model);
  vise_dataset_free(s->rows);
  rig_remove(s->folder);
}

#define INF "7ff0000000000000"
#define NOT_A_NUMBER "7ff8000000000000"
#define MINUS_ONE "bff0000000000000"
#define HALF "3fe0000000000000"
#define TWO "4000000000000000"
#define LARGEST "7fefffffffffffff"

Test(state, numbers_that_no_training_reaches_are_refused) {
  static const change changes[] = {
      {"epoch_rows", INF, 0, "epoch_rows"},
      {"epoch_rows", NOT_A_NUMBER, 0, "epoch_rows"},
      {"epoch_rows", MINUS_ONE, 0, "epoch_rows"},
      {"epoch_rows", HALF, 0, "epoch_rows"},
      {"epoch_rows", LARGEST, 0, "epoch_rows"},
      {"last_epoch_rows", INF, 0, "last_epoch_rows"},
      {"last_epoch_rows", LARGEST, 0, "last_epoch"},
      {"lr", INF, 0, "lr"},
      {"lr", NOT_A_NUMBER, 0, "lr"},
      {"lr", MINUS_ONE, 0, "lr"},
      {"beta1_t", TWO, 0, "beta1_t"},
      {"beta2_t", INF, 0, "beta1_t"},
      {"beta1_t", NOT_A_NUMBER, 0, "beta1_t"},
      {"best_loss", NOT_A_NUMBER, 0, "best_loss"},
      {"lr", "7ff0", 0, "not 16 hexadecimal digits"},
      {"step", NULL, INT64_MAX, "step"},
      {"step", NULL, 1, "step"},
      {"step", NULL, -1, "step"},
      {"epoch", NULL, INT64_MAX, "step"},
      {"steps_in_epoch", NULL, INT64_MAX, "step"},
      {"best_epoch", NULL, 1000, "best_epoch"},
      {"stall_epoch", NULL, 1000, "stall_epoch"},
      {"stall_loss", NOT_A_NUMBER, 0, "stall_loss"},
      {"skipped", NULL, 1000, "skipped"},
      {"first_skip_step", NULL, 1000, "skipped"},
      {"norm_clipped", NULL, 1000, "norm_clipped"},
      {"clipped_values", NULL, INT64_MAX, "clipped_values"},
      {"applied_steps", NULL, 1000, "applied_steps"},
      {"consecutive_skips", NULL, INT64_MAX, "applied_steps"},
      {"epoch_correct", NULL, 1000, "epoch_rows"},
      {"last_epoch_correct", NULL, INT64_MAX, "last_epoch_rows"},
      {"record_steps", NULL, 1000, "record_steps"},
      {"record_skipped", NULL, 1000, "record_steps"},
      {"record_norm_clipped", NULL, INT64_MAX, "record_steps"},
      {"record_clipped_values", NULL, INT64_MAX, "record_clipped_values"},
      {"first_bad_tensor", NULL, 4, "first_bad"},
      {"first_bad_tensor", NULL, INT64_MIN, "first_bad"},
  };
  setup s;
  begin(&s);

  vise_step_stats stats[12];
  size_t n_done = 0;
  OK(vise_trainer_step(s.trainer, 12, stats, &n_done, &rig_err));
  OK(vise_trainer_save(s.trainer, s.dir, &rig_err));
  char *whole = rig_read(rig_path(s.dir, "state.json"));

  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    change c = changes[i];
    void *before = NULL, *after = NULL;
    size_t n_before, n_after;
    rig_write(rig_path(s.dir, "state.json"), whole);
    rig_edit_state(s.dir, make, &c);
    OK(vise_trainer_save_memory(s.trainer, &before, &n_before, &rig_err));
    REFUSED(vise_trainer_restore(s.trainer, s.dir, &rig_err), VISE_ERR_FORMAT, changes[i].says);
    OK(vise_trainer_save_memory(s.trainer, &after, &n_after, &rig_err));
    cr_assert(n_before == n_after && memcmp(before, after, n_before) == 0, "%s changed the trainer", c.key);
    vise_buffer_free(before);
    vise_buffer_free(after);
  }

  rig_write(rig_path(s.dir, "state.json"), whole);
  OK(vise_trainer_restore(s.trainer, s.dir, &rig_err));
  OK(vise_trainer_step(s.trainer, 1, stats, &n_done, &rig_err));
  free(whole);
  end(&s);
}

/* Sums of losses may be anything: a training that got so far would have saved them. */
Test(state, losses_that_are_not_finite_are_read) {
  static const change changes[] = {
      {"epoch_loss_sum", INF, 0, ""}, {"last_epoch_loss_sum", NOT_A_NUMBER, 0, ""}, {"best_loss", INF, 0, ""}};
  setup s;
  begin(&s);

  OK(vise_trainer_save(s.trainer, s.dir, &rig_err));
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    change c = changes[i];
    rig_edit_state(s.dir, make, &c);
    OK(vise_trainer_restore(s.trainer, s.dir, &rig_err));
  }
  end(&s);
}

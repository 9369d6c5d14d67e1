/* What a caller adds to the "end" event, and the best epoch of a run. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static const size_t widths[] = {4, 6, 3};

/* The text to hand over, and what was seen. */
typedef struct caller {
  const char *text;
  vise_status status;
  int n_calls;
  uint64_t steps;
} caller;

static vise_status describe(void *user, const vise_run_result *result, char **out, vise_error *err) {
  caller *c = user;
  c->n_calls++;
  c->steps = result->steps;
  *out = c->text != NULL ? strdup(c->text) : NULL;
  if (c->status != VISE_OK) err->code = c->status;
  return c->status;
}

/* Runs with this callback in folder; the result may be looked at. */
static vise_status run_described(caller *c, const char *folder, uint64_t patience, vise_run_result *result) {
  vise_dataset *train = rig_classes(23, 4, 3, 1), *validation = rig_classes(9, 4, 3, 2);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.batch = 5;
  config.epochs = 2;
  config.patience = patience;

  vise_run_config run = rig_run_config(folder, NULL);
  run.log = NULL;
  run.describe = describe;
  run.user = c;
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(&config, model, train, validation, NULL, &trainer, &rig_err));
  const vise_status status = vise_trainer_run(trainer, &run, result, &rig_err);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
  return status;
}

Test(describe, its_members_stand_in_the_end_event) {
  char folder[256];
  vise_run_result result;
  caller c = {.text = "{\"score\": [1, {\"a\": null}],\n \"seconds\": 99, \"event\": \"x\"}"};
  rig_folder(folder);
  OK(run_described(&c, folder, 0, &result));
  cr_expect(c.n_calls == 1 && c.steps == 10);

  char *text = rig_read(rig_path(folder, "metrics.jsonl"));
  const char *line = strstr(text, "{\"event\":\"end\"");
  cr_assert(line != NULL);
  json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
  cr_assert(event != NULL, "%s", line);
  cr_expect_str_eq(json_string_value(json_object_get(event, "reason")), "epochs");
  cr_expect(json_is_real(json_object_get(event, "seconds")), "the run's own stays");
  cr_expect_eq(json_array_size(json_object_get(event, "score")), 2);
  cr_expect_eq(json_object_size(event), 6);
  json_decref(event);
  free(text);
  rig_remove(folder);
}

Test(describe, what_is_no_object_or_fails_is_an_error_of_the_run) {
  static const char *const texts[] = {"[1]", "{", "", "3"};
  vise_run_result result;
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
    caller c = {.text = texts[i]};
    cr_expect_eq(run_described(&c, NULL, 0, &result), VISE_ERR_USAGE, "%s", texts[i]);
    cr_expect_eq(result.reason, VISE_STOP_ERROR);
    vise_error_clear(&rig_err);
  }

  caller failing = {.text = NULL, .status = VISE_ERR_MEMORY};
  cr_expect_eq(run_described(&failing, NULL, 0, &result), VISE_ERR_MEMORY);
  vise_error_clear(&rig_err);
  caller silent = {.text = NULL};
  OK(run_described(&silent, NULL, 0, &result));
}

Test(describe, the_best_epoch_is_known_with_and_without_patience) {
  vise_run_result plain, patient;
  caller c = {.text = NULL};
  OK(run_described(&c, NULL, 0, &plain));
  OK(run_described(&c, NULL, 5, &patient));
  cr_expect_eq(plain.best_epoch, 0);
  cr_expect(plain.lowest_epoch > 0 && isfinite(plain.lowest_loss));
  cr_expect_eq(plain.lowest_epoch, patient.lowest_epoch);
  cr_expect_eq(patient.best_epoch, patient.lowest_epoch);
  cr_expect(memcmp(&plain.lowest_loss, &patient.lowest_loss, sizeof(double)) == 0);
  cr_expect(memcmp(&patient.lowest_loss, &patient.validation.loss, sizeof(double)) == 0);
}

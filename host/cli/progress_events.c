/* The progress of a training as events. */
#include <math.h>

#include "host/cli/progress.h"
#include "host/cli/tell.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

/* 0 stands for what is not limited, or not known. */
static void add_limit(json_t **event, const char *name, uint64_t value) {
  vise_i_json_put(event, name, value > 0 ? json_integer((json_int_t)value) : json_null());
}

static void add_set(json_t **event, const char *const names[2], const vise_metrics *metrics, bool classifies) {
  vise_i_cli_event_real(event, names[0], metrics->loss);
  if (classifies) vise_i_cli_event_real(event, names[1], metrics->accuracy);
}

static json_t *layer_json(const vise_layer_record *layer) {
  json_t *object = json_object();
  vise_i_json_put(&object, "name", vise_i_cli_name_json(layer->name));
  vise_i_cli_event_real(&object, "norm", layer->norm);
  vise_i_cli_event_real(&object, "max_abs", layer->max_abs);
  vise_i_cli_event_count(&object, "weights", layer->n_weights);
  vise_i_cli_event_count(&object, "zero_weights", layer->n_zero);
  if (layer->n_boxed == 0) return object;

  vise_i_cli_event_real(&object, "lower_bound", layer->lo);
  vise_i_cli_event_real(&object, "upper_bound", layer->hi);
  vise_i_cli_event_count(&object, "at_lower_bound", layer->n_at_lo);
  vise_i_cli_event_count(&object, "at_upper_bound", layer->n_at_hi);
  return object;
}

static void add_record(json_t **event, const vise_record *record) {
  json_t *layers = json_array();
  vise_i_cli_event_real(event, "lr", record->lr);
  vise_i_cli_event_real(event, "penalty", record->penalty);
  vise_i_cli_event_real(event, "grad_norm", record->grad_norm);
  vise_i_cli_event_real(event, "grad_norm_clipped", record->grad_norm_clipped);
  vise_i_cli_event_count(event, "steps", record->n_steps);
  vise_i_cli_event_count(event, "steps_norm_clipped", record->n_norm_clipped);
  vise_i_cli_event_count(event, "skipped_steps", record->n_skipped);
  vise_i_cli_event_count(event, "clipped_values", record->n_clipped_values);

  for (size_t l = 0; l < record->n_layers; l++) vise_i_json_add(&layers, layer_json(&record->layers[l]));
  vise_i_json_put(event, "layers", layers);
}

void vise_i_cli_progress_tell_epoch(const vise_i_cli_progress *progress, const vise_progress *state) {
  static const char *const names[3][2] = {
      {"train_loss", "train_accuracy"}, {"val_loss", "val_accuracy"}, {"test_loss", "test_accuracy"}};
  const bool classifies = progress->classifies;
  json_t *event = vise_i_cli_event("epoch");
  vise_i_cli_event_count(&event, "step", state->step);
  vise_i_cli_event_count(&event, "epoch", state->epoch);

  add_set(&event, names[0], &state->train, classifies);
  if (state->validation.n_rows > 0) add_set(&event, names[1], &state->validation, classifies);
  if (state->test.n_rows > 0) add_set(&event, names[2], &state->test, classifies);
  if (progress->weighted) vise_i_json_put(&event, "class_weighted", json_true());
  if (state->record != NULL) add_record(&event, state->record);
  vise_i_cli_event_real(&event, "seconds", state->seconds);
  vise_i_cli_event_write(event);
}

void vise_i_cli_progress_tell_moment(const vise_i_cli_progress *progress, const vise_progress *state, double rate,
                                     double seconds_left) {
  json_t *event = vise_i_cli_event("progress");
  vise_i_cli_event_count(&event, "step", state->step);
  vise_i_cli_event_count(&event, "epoch", state->epoch);
  add_limit(&event, "epochs", progress->epochs);
  add_limit(&event, "planned_steps", state->planned_steps);

  vise_i_cli_event_real(&event, "steps_per_second", rate > 0 ? rate : (double)NAN);
  vise_i_cli_event_real(&event, "seconds_left", seconds_left);
  vise_i_cli_event_real(&event, "train_loss", state->train_loss);
  vise_i_cli_event_real(&event, "seconds", state->seconds);
  vise_i_cli_event_write(event);
}

/* What a run tells on its way: metrics, progress, events. */
#include <stdio.h>

#include "host/base/file.h"
#include "host/train/run.h"
#include "host/train/schedule.h"

/* Over rows that were held out. */
static vise_i_pass pass_over(const vise_trainer *t, const vise_i_view *view) {
  return (vise_i_pass){
      .backend = t->backend, .view = view, .ranks = t->config.ranks, .own_rows = vise_i_trainer_has_own_data(t)};
}

vise_status vise_i_run_evaluate(vise_i_run *run, vise_error *err) {
  vise_status status = VISE_OK;
  vise_trainer *t = run->trainer;
  const vise_i_metrics_spec spec = vise_i_metrics_spec_of_step(&t->spec);

  const vise_i_pass validation = pass_over(t, &t->validation), test = pass_over(t, &t->test);
  if (vise_i_run_is_evaluated(run)) goto done;

  if (t->has_validation) VISE_TRY(vise_i_metrics_of_view(&validation, &spec, &run->validation, err));
  if (t->has_test) VISE_TRY(vise_i_metrics_of_view(&test, &spec, &run->test, err));
  run->evaluated = true;
  run->evaluated_step = t->state.step;

done:
  return status;
}

void vise_i_run_report(vise_i_run *run, bool epoch_ended) {
  if (run->config.progress == NULL) return;

  const vise_trainer *t = run->trainer;
  const double now = vise_i_now();
  const vise_i_epoch_sums *sums = epoch_ended ? &t->state.last : &t->state.current;
  vise_progress progress = {
      .step = t->state.step,
      .epoch = epoch_ended ? t->state.epoch : t->state.epoch + 1,
      .planned_steps = vise_i_last_step(&t->config, t->steps_per_epoch),
      .steps_per_epoch = t->steps_per_epoch,
      .epoch_ended = epoch_ended,
      .train = vise_i_epoch_metrics(t, sums),
      .validation = run->validation,
      .test = run->test,
      .seconds = now - run->start,
      .last = &t->last_stats,
      .record = epoch_ended ? run->record : NULL,
  };

  progress.train_loss = progress.train.loss;
  run->last_progress = now;
  run->config.progress(run->config.user, &progress);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

vise_status vise_i_run_log_step(vise_i_run *run, const vise_step_stats *stats, vise_error *err) {
  vise_i_jsonl *file = &run->out.metrics;

  vise_i_jsonl_begin(file, "step");
  vise_i_jsonl_count(file, "step", stats->step);
  vise_i_jsonl_count(file, "epoch", stats->epoch);
  vise_i_jsonl_number(file, "loss", stats->loss);
  vise_i_jsonl_number(file, "penalty", stats->penalty);
  vise_i_jsonl_number(file, "lr", stats->lr);
  vise_i_jsonl_number(file, "grad_norm", stats->grad_norm);
  vise_i_jsonl_number(file, "grad_norm_clipped", stats->grad_norm_clipped);
  vise_i_jsonl_count(file, "clipped_values", stats->n_clipped_values);
  vise_i_jsonl_count(file, "at_bound", stats->n_at_lo + stats->n_at_hi);
  vise_i_jsonl_flag(file, "skipped", stats->skipped);
  return vise_i_jsonl_end(file, err);
}

static void add_metrics(vise_i_jsonl *file, const char *prefix, const vise_metrics *metrics, bool classifies) {
  char key[32];
  snprintf(key, sizeof(key), "%s_loss", prefix);
  vise_i_jsonl_number(file, key, metrics->loss);
  if (!classifies) return;
  snprintf(key, sizeof(key), "%s_accuracy", prefix);
  vise_i_jsonl_number(file, key, metrics->accuracy);
}

static void add_layer(vise_i_jsonl *file, const vise_layer_record *layer) {
  vise_i_jsonl_object_begin(file);
  vise_i_jsonl_text(file, "name", layer->name);
  vise_i_jsonl_number(file, "norm", layer->norm);
  vise_i_jsonl_number(file, "max_abs", layer->max_abs);
  vise_i_jsonl_count(file, "weights", layer->n_weights);
  vise_i_jsonl_count(file, "zero_weights", layer->n_zero);

  if (layer->n_boxed > 0) {
    vise_i_jsonl_number(file, "lower_bound", layer->lo);
    vise_i_jsonl_number(file, "upper_bound", layer->hi);
    vise_i_jsonl_count(file, "at_lower_bound", layer->n_at_lo);
    vise_i_jsonl_count(file, "at_upper_bound", layer->n_at_hi);
  }
  vise_i_jsonl_object_end(file);
}

static void add_record(vise_i_jsonl *file, const vise_record *record) {
  vise_i_jsonl_number(file, "lr", record->lr);
  vise_i_jsonl_number(file, "penalty", record->penalty);
  vise_i_jsonl_number(file, "grad_norm", record->grad_norm);
  vise_i_jsonl_number(file, "grad_norm_clipped", record->grad_norm_clipped);
  vise_i_jsonl_count(file, "steps", record->n_steps);
  vise_i_jsonl_count(file, "steps_norm_clipped", record->n_norm_clipped);
  vise_i_jsonl_count(file, "skipped_steps", record->n_skipped);
  vise_i_jsonl_count(file, "clipped_values", record->n_clipped_values);

  vise_i_jsonl_list_begin(file, "layers");
  for (size_t l = 0; l < record->n_layers; l++) add_layer(file, &record->layers[l]);
  vise_i_jsonl_list_end(file);
}

vise_status vise_i_run_log_epoch(vise_i_run *run, vise_error *err) {
  const vise_trainer *t = run->trainer;
  const bool classifies = vise_i_loss_classifies(t->config.loss);
  const vise_metrics train = vise_i_epoch_metrics(t, &t->state.last);
  vise_i_jsonl *file = &run->out.metrics;

  vise_i_jsonl_begin(file, "epoch");
  vise_i_jsonl_count(file, "step", t->state.step);
  vise_i_jsonl_count(file, "epoch", t->state.epoch);
  add_metrics(file, "train", &train, classifies);
  if (t->has_validation) add_metrics(file, "val", &run->validation, classifies);
  if (t->has_test) add_metrics(file, "test", &run->test, classifies);
  if (t->config.class_weights != NULL) vise_i_jsonl_flag(file, "class_weighted", true);
  if (run->record != NULL) add_record(file, run->record);
  vise_i_jsonl_number(file, "seconds", vise_i_now() - run->start);
  return vise_i_jsonl_end(file, err);
}

/* What a run tells on its way: metrics, progress, events. */
#include <stdio.h>

#include "host/base/file.h"
#include "host/train/run.h"
#include "host/train/schedule.h"

vise_status vise_i_run_evaluate(vise_i_run *run, vise_error *err) {
  vise_status status = VISE_OK;
  vise_trainer *t = run->trainer;
  const vise_i_metrics_spec spec = vise_i_metrics_spec_of_step(&t->spec);

  const vise_i_pass validation = {t->ops, t->backend, &t->validation, 0}, test = {t->ops, t->backend, &t->test, 0};

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
      .planned_steps = vise_i_planned_steps(&t->config, t->steps_per_epoch),
      .steps_per_epoch = t->steps_per_epoch,
      .epoch_ended = epoch_ended,
      .train = vise_i_epoch_metrics(t, sums),
      .validation = run->validation,
      .test = run->test,
      .seconds = now - run->start,
      .last = &t->last_stats,
  };

  progress.train_loss = progress.train.loss;
  run->last_progress = now;
  run->config.progress(run->config.user, &progress);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* An event being made; a failure to add to it stays. */
typedef struct event {
  json_t *object;
  bool failed;
} event;

static event make_event(const char *name) {
  event e = {.object = json_object()};
  e.failed = json_object_set_new(e.object, "event", json_string(name)) != 0;
  return e;
}

static void set(event *e, const char *key, json_t *value) {
  if (json_object_set_new(e->object, key, value) != 0) e->failed = true;
}

static void set_count(event *e, const char *key, uint64_t value) {
  set(e, key, json_integer((json_int_t)value));
}

static void set_number(event *e, const char *key, double value) {
  set(e, key, vise_i_jsonl_number(value));
}

static vise_status append(vise_i_run *run, event *e, vise_error *err) {
  if (e->failed) {
    json_decref(e->object);
    e->object = NULL; /* append says that memory is exhausted */
  }
  return vise_i_jsonl_append(&run->out.metrics, e->object, err);
}

vise_status vise_i_run_log_step(vise_i_run *run, const vise_step_stats *s, vise_error *err) {
  event e = make_event("step");

  set_count(&e, "step", s->step);
  set_count(&e, "epoch", s->epoch);
  set_number(&e, "loss", s->loss);
  set_number(&e, "penalty", s->penalty);
  set_number(&e, "lr", s->lr);
  set_number(&e, "grad_norm", s->grad_norm);
  set_number(&e, "grad_norm_clipped", s->grad_norm_clipped);
  set_count(&e, "clipped_values", s->n_clipped_values);
  set_count(&e, "at_bound", s->n_at_lo + s->n_at_hi);
  set(&e, "skipped", json_boolean(s->skipped));

  return append(run, &e, err);
}

static void set_metrics(event *e, const char *prefix, const vise_metrics *metrics, bool classifies) {
  char key[32];
  snprintf(key, sizeof(key), "%s_loss", prefix);
  set_number(e, key, metrics->loss);
  if (!classifies) return;
  snprintf(key, sizeof(key), "%s_accuracy", prefix);
  set_number(e, key, metrics->accuracy);
}

vise_status vise_i_run_log_epoch(vise_i_run *run, vise_error *err) {
  const vise_trainer *t = run->trainer;
  const bool classifies = vise_i_loss_classifies(t->config.loss);
  const vise_metrics train = vise_i_epoch_metrics(t, &t->state.last);

  event e = make_event("epoch");
  set_count(&e, "step", t->state.step);
  set_count(&e, "epoch", t->state.epoch);
  set_metrics(&e, "train", &train, classifies);
  if (t->has_validation) set_metrics(&e, "val", &run->validation, classifies);
  if (t->has_test) set_metrics(&e, "test", &run->test, classifies);
  set_number(&e, "seconds", vise_i_now() - run->start);

  return append(run, &e, err);
}

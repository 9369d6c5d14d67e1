/* The loop of a run: steps, ends of epochs, checkpoints, interruption. */
#include "host/train/run.h"

#include <math.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/struct.h"
#include "host/ranks/parts.h"
#include "host/train/local.h"
#include "host/train/stopping.h"
#include "host/train/together.h"

/* The backend gets steps for about this long at a time; in between, the caller is asked and told. */
#define SEGMENT_SECONDS 0.01
#define PROGRESS_SECONDS 0.1

_Static_assert(sizeof(vise_metrics) == VISE_I_BYTES_UP_TO(vise_metrics, r2),
               "vise_progress and vise_run_result hold a vise_metrics: give them one that stays before it grows");

static vise_status check_checkpoints(const vise_trainer *t, const vise_run_config *config, vise_error *err) {
  const unsigned long long every = config->checkpoint_every, sync_every = t->config.sync_every;
  if (vise_i_trainer_is_local(t) && every % sync_every != 0) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "`checkpoint_every` %llu: with `sync_every` %llu a multiple of it, for in between there is no net that "
        "all have",
        every, sync_every);
  }
  if (!(config->checkpoint_seconds >= 0) || isinf(config->checkpoint_seconds)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`checkpoint_seconds` %g: expected a finite number of at least 0",
                       config->checkpoint_seconds);
  }
  if (config->checkpoint_every > 0 && config->checkpoint_each_epoch) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`checkpoint_every` and `checkpoint_each_epoch` contradict each other");
  }
  return VISE_OK;
}

static vise_status check_config(const vise_trainer *t, const vise_run_config *config, vise_error *err) {
  if (!t->has_train) return vise_i_fail(err, VISE_ERR_STATE, "the trainer was made without training data");
  if (config->overwrite && config->resume) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`overwrite` and `resume` contradict each other");
  }
  if (config->out_dir == NULL && (config->overwrite || config->resume)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s` needs `out_dir`", config->overwrite ? "overwrite" : "resume");
  }
  if (config->out_dir != NULL && config->out_dir[0] == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`out_dir` is empty: expected a folder");
  }

  if (!vise_i_stop_is_possible(&t->config) && config->interrupted == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "nothing would end the run: give `epochs`, `steps` or a stopping rule");
  }
  return check_checkpoints(t, config, err);
}

static void note_other_rows(const vise_i_run *run) {
  const vise_i_other_rows other = run->trainer->other_rows;
  if (!other.validation && !other.test) return;
  vise_i_note(
      &run->notes, VISE_LOG_WARNING,
      "the %s rows are not those of before step %llu: what metrics.jsonl tells of them from here on is of others",
      !other.test         ? "validation"
      : !other.validation ? "test"
                          : "validation and test",
      (unsigned long long)run->resumed_from_step);
}

/* The first of the ranks alone has a folder, and tells of the run. */
static void silence(vise_run_config *config) {
  config->out_dir = NULL;
  config->resume = config->overwrite = false;
  config->progress = NULL;
  config->log = NULL;
  config->describe = NULL;
}

static vise_status open_folder(vise_i_run *run, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_run_config *config = &run->config;
  if (config->out_dir == NULL) goto done;

  VISE_TRY(vise_i_recorder_init(&run->recorder, run->trainer, err));
  if (config->resume) {
    VISE_TRY(vise_i_out_dir_resume(&run->out, config->out_dir, run->trainer, config->config_json, &run->notes, err));
    run->resumed_from_step = run->trainer->state.step;
    note_other_rows(run);
  } else {
    VISE_TRY(
        vise_i_out_dir_create(&run->out, config->out_dir, config->overwrite, config->config_json, &run->notes, err));
  }
  run->saves = true;

done:
  return status;
}

/* Ranks that have no part of a batch. */
static void note_idle_ranks(const vise_i_run *run) {
  const vise_trainer *t = run->trainer;
  const size_t n_ranks = vise_ranks_size(t->config.ranks);
  if (n_ranks == 1 || vise_i_trainer_is_local(t)) return;

  const size_t n_parts = vise_i_parts_of(t->spec.parts, t->batch, 0, n_ranks).n;
  if (n_parts >= n_ranks) return;
  vise_i_note(
      &run->notes, VISE_LOG_INFO,
      "%zu of %zu processes have no work in a step: a batch of %zu rows has %zu parts, of at least 32 rows; a larger "
      "one has up to %d",
      n_ranks - n_parts, n_ranks, t->batch, n_parts, VISE_MOST_PARTS);
}

static vise_status open_run(vise_i_run *run, vise_error *err) {
  vise_ranks *ranks = run->trainer->config.ranks;
  const bool resumes = run->config.resume;
  if (!vise_i_ranks_is_first(ranks)) silence(&run->config);

  vise_status status = vise_ranks_agree(ranks, open_folder(run, err), err);
  if (status == VISE_OK && resumes) status = vise_i_trainer_follow(run->trainer, &run->resumed_from_step, err);
  run->skips_seen = run->trainer->state.n_skipped;
  run->checked_step = run->trainer->state.step;
  if (status == VISE_OK) note_idle_ranks(run);
  return status;
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

/* Into the caller's own arrays. */
static void note_losses(const vise_i_run *run) {
  const vise_run_config *config = &run->config;
  const vise_trainer *t = run->trainer;
  const uint64_t epoch = t->state.epoch;
  if (epoch == 0 || epoch > config->n_losses) return;

  if (config->losses != NULL) config->losses[epoch - 1] = vise_i_epoch_metrics(t, &t->state.last).loss;
  if (run->evaluated_step != t->state.step) return;
  if (config->validation_losses != NULL) config->validation_losses[epoch - 1] = run->validation.loss;
  if (config->validation_scores != NULL) {
    config->validation_scores[epoch - 1] = vise_i_metrics_score(&run->validation);
  }
}

/* What fails on the first rank alone, which saves, waits until the ranks meet: they are on their way to the next steps. */
static vise_status keep(vise_i_run *run, vise_status status, vise_error *err) {
  if (status == VISE_OK || !vise_i_ranks_are_many(run->trainer->config.ranks)) return status;
  if (run->kept == VISE_OK) {
    run->kept = status;
    run->kept_error = *err;
  }
  vise_error_clear(err);
  return VISE_OK;
}

vise_status vise_i_run_end_epoch(vise_i_run *run, vise_error *err) {
  vise_status status;
  if (vise_i_run_evaluates_epochs(run)) VISE_TRY(vise_i_run_evaluate(run, err));
  VISE_TRY(vise_i_patience_update(run->trainer, &run->validation, err));
  VISE_TRY(vise_i_recorder_take(&run->recorder, run->trainer, &run->record, err));
  if (run->saves) VISE_TRY(keep(run, vise_i_run_log_epoch(run, err), err));
  note_losses(run);
  if (!run->config.progress_by_time) vise_i_run_report(run, true);
  VISE_TRY(vise_i_run_check_epoch(run, err));
  VISE_TRY(vise_i_trainer_compare_weights(
      run->trainer, "their processors round differently; use machines of one kind, or --backend cpu64", err));
done:
  return status;
}

size_t vise_i_run_next_segment(const vise_i_run *run) {
  const vise_trainer *t = run->trainer;
  const uint64_t step = t->state.step, every = run->config.checkpoint_every;
  const uint64_t in_launch = t->config.steps_per_launch;
  uint64_t n = run->segment;
  if (in_launch > 0) n = n < in_launch ? in_launch : n / in_launch * in_launch;
  if (t->config.steps > 0 && t->config.steps - step < n) n = t->config.steps - step;
  if (run->saves && every > 0 && every - step % every < n) n = every - step % every;
  return (size_t)n;
}

static void adapt_segment(vise_i_run *run, double seconds) {
  if (seconds < SEGMENT_SECONDS / 4 && run->segment < run->trainer->segment_steps) run->segment *= 2;
  if (seconds > SEGMENT_SECONDS && run->segment > 1) run->segment /= 2;
}

static void note_first_skip(vise_i_run *run, const vise_step_stats *s) {
  const vise_trainer *t = run->trainer;
  if (s->step != t->state.first_skip_step) return;
  if (t->config.nonfinite == VISE_NONFINITE_HALT) return; /* the error that ends the run says it */
  vise_i_note(&run->notes, VISE_LOG_WARNING,
              "step %llu: %s not finite%s%s; the batch is skipped (further skips are only counted)",
              (unsigned long long)s->step, s->bad_tensor >= 0 ? "the gradient is" : "the loss or its gradient is",
              s->bad_tensor >= 0 ? ", first in " : "", s->bad_tensor >= 0 ? t->net->tensors[s->bad_tensor].name : "");
}

/* One segment of steps with its events. *ended: an epoch ended with it. */
static vise_status take_steps(vise_i_run *run, bool *ended, vise_error *err) {
  vise_trainer *t = run->trainer;
  const vise_step_stats *stats = t->stats;
  const uint64_t epoch = t->state.epoch, every = run->config.log_every;
  const double before = vise_i_now();
  size_t n_done = 0;

  vise_status status = vise_i_trainer_advance(t, run->next_steps, &n_done, err);
  const double after = vise_i_now();
  if (n_done > 0 && run->first_step == 0) run->first_step = after;
  adapt_segment(run, after - before);

  for (size_t i = 0; i < n_done; i++) {
    if (stats[i].skipped) note_first_skip(run, &stats[i]);
    if (!run->saves || every == 0 || stats[i].step % every != 0) continue;
    const vise_status logged = keep(run, vise_i_run_log_step(run, &stats[i], err), err);
    if (logged != VISE_OK) return logged;
  }

  *ended = t->state.epoch != epoch;
  return status;
}

static bool checkpoint_is_due(const vise_i_run *run, bool epoch_ended) {
  const vise_run_config *config = &run->config;
  if (!vise_i_local_is_met(run->trainer)) return false;
  if (config->checkpoint_every > 0) return run->trainer->state.step % config->checkpoint_every == 0;
  if (config->checkpoint_each_epoch) return epoch_ended;
  return config->checkpoint_seconds > 0 && vise_i_now() - run->last_checkpoint >= config->checkpoint_seconds;
}

/* What a run that saves does between steps. */
static vise_status save_on_the_way(vise_i_run *run, bool epoch_ended, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_jsonl_flush_old(&run->out.metrics, err));
  if (!checkpoint_is_due(run, epoch_ended)) goto done;

  const uint64_t checked = run->checked_step;
  VISE_TRY(vise_i_run_check_weights(run, err));
  if (vise_i_ranks_are_many(run->trainer->config.ranks)) run->checked_step = checked; /* the others do not look now */
  VISE_TRY(vise_i_out_dir_checkpoint(&run->out, run->trainer, &run->notes, err));
  run->last_checkpoint = vise_i_now();

done:
  return status;
}

vise_stop_reason vise_i_run_failure_reason(vise_i_run *run, vise_status status, vise_error *err) {
  if (status != VISE_ERR_NONFINITE) return VISE_STOP_ERROR;
  if (run->has_bad_numbers || run->trainer->config.nonfinite == VISE_NONFINITE_HALT) return VISE_STOP_HALT;
  vise_i_run_explain_skips(run, err);
  return VISE_STOP_SKIPS;
}

/* How this rank fared, with what was kept. */
static vise_status with_kept(const vise_i_run *run, vise_status status, vise_error *err) {
  return status == VISE_OK && run->kept != VISE_OK ? vise_i_fail(err, run->kept, "%s", run->kept_error.text) : status;
}

/* Before steps: how many, which the first rank says, for it alone knows when it saves. */
static vise_status meet(vise_i_run *run, bool *interrupted, vise_error *err) {
  vise_i_meeting meeting = {.interrupted = *interrupted, .segment = vise_i_run_next_segment(run)};
  const vise_status status = vise_i_run_meet(run, &meeting, with_kept(run, VISE_OK, err), err);

  run->met_for_good = meeting.ends;
  run->next_steps = (size_t)meeting.segment;
  *interrupted = meeting.interrupted;
  return status;
}

/* After the last steps, unless a rank has ended the run. */
static vise_status part(vise_i_run *run, vise_status status, vise_error *err) {
  vise_i_meeting meeting = {.ends = true};
  if (run->met_for_good) return status;
  return vise_i_run_meet(run, &meeting, with_kept(run, status, err), err);
}

/* Steps until there is a reason to stop. */
static vise_status loop(vise_i_run *run, vise_stop_reason *reason, vise_error *err) {
  vise_status status;
  vise_trainer *t = run->trainer;

  VISE_TRY(vise_i_stop_check(t, reason, err));
  while (*reason == VISE_STOP_NONE) {
    bool ended = false, interrupted = run->config.interrupted != NULL && run->config.interrupted(run->config.user);
    interrupted = interrupted && vise_i_local_is_met(t); /* else it ends at the next mean */
    VISE_TRY(meet(run, &interrupted, err));
    if (interrupted) {
      *reason = VISE_STOP_INTERRUPTED;
      break;
    }

    VISE_TRY(take_steps(run, &ended, err));
    if (ended) VISE_TRY(vise_i_run_end_epoch(run, err));
    VISE_TRY(vise_i_stop_check(t, reason, err));
    if (*reason != VISE_STOP_NONE) break; /* the end writes a checkpoint itself */

    if (run->saves) VISE_TRY(keep(run, save_on_the_way(run, ended, err), err));
    const bool reported = ended && !run->config.progress_by_time;
    if (!reported && vise_i_now() - run->last_progress >= PROGRESS_SECONDS) vise_i_run_report(run, ended);
  }

done:
  status = part(run, status, err);
  if (status != VISE_OK) *reason = vise_i_run_failure_reason(run, status, err);
  return status;
}

vise_i_run vise_i_run_of(vise_trainer *trainer) {
  const double now = vise_i_now();
  return (vise_i_run){.trainer = trainer,
                      .start = now,
                      .last_progress = now,
                      .last_checkpoint = now,
                      .segment = 1,
                      .validation = vise_i_metrics_none(),
                      .test = vise_i_metrics_none(),
                      .out = VISE_I_OUT_DIR_INIT};
}

bool vise_flag_is_set(void *user) {
  return user != NULL && *(const volatile int *)user != 0;
}

vise_status vise_trainer_run_sized(size_t result_bytes, vise_trainer *trainer, const vise_run_config *config,
                                   vise_run_result *result, vise_error *err) {
  vise_status status;
  vise_stop_reason reason = VISE_STOP_NONE;
  vise_run_result made;
  vise_i_run run = vise_i_run_of(trainer);

  VISE_ENTER_TRAINER(err, trainer);
  vise_run_config_init(&run.config);
  if (config != NULL) VISE_TRY(vise_i_config_take(&run.config, sizeof run.config, config, "vise_run_config", err));
  VISE_TRY(check_config(trainer, &run.config, err));

  run.notes = (vise_i_notes){.log = run.config.log, .user = run.config.user};
  status = open_run(&run, err);
  if (status != VISE_OK && run.out.has_changed) { /* the caller is to know that work had begun */
    memset(&made, 0, sizeof made);
    made.reason = VISE_STOP_ERROR;
    vise_i_struct_give(result, result_bytes, &made, sizeof(made));
  }
  if (status != VISE_OK) goto done;

  status = vise_i_trainer_note(trainer, loop(&run, &reason, err), err);
  status = vise_i_run_finish(&run, status, reason, &made, err);
  vise_i_struct_give(result, result_bytes, &made, sizeof(made));

done:
  vise_i_recorder_free(&run.recorder);
  vise_i_out_dir_close(&run.out);
  return vise_i_trainer_note(trainer, status, err);
}

vise_status(vise_trainer_run)(vise_trainer *trainer, const vise_run_config *config, vise_run_result *result,
                              vise_error *err) {
  return vise_trainer_run_sized(VISE_I_BYTES_UP_TO(vise_run_result, resumed_from_step), trainer, config, result, err);
}

/* A run in progress, shared by its loop and its end. */
#ifndef VISE_I_RUN_H
#define VISE_I_RUN_H

#include "host/train/out_dir.h"
#include "host/train/record.h"
#include "host/train/trainer.h"

typedef struct vise_i_run {
  vise_trainer *trainer;
  vise_run_config config;
  vise_i_notes notes;
  vise_i_out_dir out;
  bool saves; /* out is in use */
  vise_i_recorder recorder;
  const vise_record *record; /* of the epoch that just ended, or NULL */

  double start, last_progress, last_checkpoint, first_step; /* of the clock; first_step 0: none yet */
  size_t segment;                                           /* steps given to the backend at a time, by their time */
  size_t next_steps;                                        /* to take now */
  vise_metrics validation, test;                            /* newest ones */
  bool evaluated;
  uint64_t evaluated_step;
  uint64_t resumed_from_step;
  uint64_t checked_step; /* the weights were looked at after it */
  uint64_t skips_seen;   /* skipped steps up to the last epoch's end */
  bool warned_of_loss, warned_of_validation;
  bool has_bad_numbers; /* an error of finite.c ends the run */
  vise_status kept;     /* of ranks: what went wrong on this one alone, to be said at the next meeting */
  vise_error kept_error;
  bool met_for_good; /* of ranks: the meeting was the last one */
} vise_i_run;

/* A run that has not begun; its config is still to be filled. */
vise_i_run vise_i_run_of(vise_trainer *trainer);

/* ---- steps of the loop (run.c) ---- */

/* How many steps to take now: to the next limit or checkpoint, and not for too long. */
size_t vise_i_run_next_segment(const vise_i_run *run);
/* What is due when an epoch has ended: evaluation, patience, events, checks. */
VISE_WARN_UNUSED vise_status vise_i_run_end_epoch(vise_i_run *run, vise_error *err);
/* Why a run with this error ends. */
vise_stop_reason vise_i_run_failure_reason(vise_i_run *run, vise_status status, vise_error *err);

/* Whether the rows held out are evaluated after each epoch. */
static inline bool vise_i_run_evaluates_epochs(const vise_i_run *run) {
  return !run->config.evaluate_at_end || run->trainer->config.patience > 0;
}

static inline bool vise_i_run_is_evaluated(const vise_i_run *run) {
  return run->evaluated && run->evaluated_step == run->trainer->state.step;
}

/* Validation and test metrics at the backend's current weights, unless they are known. */
VISE_WARN_UNUSED vise_status vise_i_run_evaluate(vise_i_run *run, vise_error *err);

/* Calls the progress function of the caller. */
void vise_i_run_report(vise_i_run *run, bool epoch_ended);

/* ---- numbers that are not finite (finite.c): each fails with VISE_ERR_NONFINITE and sets has_bad_numbers --------- */

/* The backend's current weights. */
VISE_WARN_UNUSED vise_status vise_i_run_check_weights(vise_i_run *run, vise_error *err);
/* After an epoch and its evaluation: a validation loss that decides, and now and then the weights. Warns of the first
   loss that is not finite. */
VISE_WARN_UNUSED vise_status vise_i_run_check_epoch(vise_i_run *run, vise_error *err);
/* A run that ends well has a finite loss in its last epoch. */
VISE_WARN_UNUSED vise_status vise_i_run_check_end(vise_i_run *run, vise_error *err);
/* After steps that were skipped: adds to *err what an update did to the weights, if it did. */
void vise_i_run_explain_skips(vise_i_run *run, vise_error *err);

/* Append a "step" event, an "epoch" event to metrics.jsonl. */
VISE_WARN_UNUSED vise_status vise_i_run_log_step(vise_i_run *run, const vise_step_stats *stats, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_run_log_epoch(vise_i_run *run, vise_error *err);

/*
 * Ends the run for reason: last checkpoint, best weights, model and its files, "end" event, result. status and err are
 * those of the loop; the status returned is that of the whole run. result is filled in any case.
 */
VISE_WARN_UNUSED vise_status vise_i_run_finish(vise_i_run *run, vise_status status, vise_stop_reason reason,
                                               vise_run_result *result, vise_error *err);

#endif

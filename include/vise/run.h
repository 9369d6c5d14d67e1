/**
 * @file
 * A whole run: steps until a limit or a stopping rule ends it, with evaluation at the end of each epoch, metrics and
 * checkpoints in a folder, and callbacks for progress, notes and interruption. The trainer is that of vise/train.h.
 *
 *   vise_run_config_init(&config);
 *   config.out_dir = "run";            (or nothing: then nothing is saved)
 *   config.progress = my_progress;     (or nothing)
 *   vise_trainer_run(trainer, &config, &result, &err);
 */
#ifndef VISE_RUN_H
#define VISE_RUN_H

#include "vise/evaluate.h"
#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The weights of one linear layer at the moment of a record. */
typedef struct vise_layer_record {
  const char *name;                  /**< of the tensor, as in the model's file: "0.weight" */
  vise_array weights;                /**< [out, in], of the backend's type */
  double norm, max_abs;              /**< the 2-norm of all of them, and the largest magnitude */
  double lo, hi;                     /**< the box after the last step; infinite where it is open */
  uint64_t n_weights, n_boxed;       /**< n_boxed: n_weights, or 0 without a box */
  uint64_t n_at_lo, n_at_hi, n_zero; /**< equal to a bound of the box, exactly 0 */
} vise_layer_record;

/**
 * What the regularization did in the steps since the record before, and what the weights are like after them. There is
 * one after each of the first 30 epochs, then after each, every second, fifth, tenth, ..., so that they take about 1 % of
 * the time of the run at most; after 1000 epochs they become rarer.
 */
typedef struct vise_record {
  uint64_t n_steps, n_skipped;         /**< attempted, and those of them that were skipped */
  uint64_t n_norm_clipped;             /**< steps whose norm clip was active */
  uint64_t n_clipped_values;           /**< entries of gradients that the value clip changed */
  double lr;                           /**< of the last step */
  double penalty;                      /**< mean over the steps that were not skipped, like the next two; NaN: none */
  double grad_norm, grad_norm_clipped; /**< the 2-norm of the gradient entering the norm clip, and leaving it */
  size_t n_layers;                     /**< linear layers */
  const vise_layer_record *layers;
} vise_record;

/** State of a run at the end of an epoch, or at a moment within one (for a progress display). */
typedef struct vise_progress {
  uint64_t step, epoch;   /**< epoch: from 1 */
  uint64_t planned_steps; /**< those at whose end the run ends at the latest; 0 when unlimited */
  uint64_t steps_per_epoch;
  bool epoch_ended;                     /**< the metrics below are those of the epoch that just ended */
  double train_loss;                    /**< mean over the epoch so far, at pre-update weights */
  vise_metrics train, validation, test; /**< n_rows 0 where not evaluated */
  double seconds;                       /**< since the run (or its resumption) started */
  const vise_step_stats *last;          /**< the last step; never NULL */
  const vise_record *record;            /**< of a run with out_dir, after an epoch that has one; else NULL. It, and the
                                           weights in it, are there for the time of the call */
} vise_progress;

typedef enum vise_log_level { VISE_LOG_INFO, VISE_LOG_WARNING } vise_log_level;

/** The file in out_dir that a run holds locked while it lasts, by flock and, over the whole of it, by a lock of its open
    file (F_OFD_SETLK of fcntl): F_OFD_GETLK says whether a run is at work there, and takes nothing. It names its process
    and machine ("1234 host"), is gone after a run, and after a crash is there without a lock. */
#define VISE_RUN_LOCK_NAME ".vise-lock"

struct vise_run_result;

typedef struct vise_run_config {
  size_t struct_size;
  const char *out_dir;       /**< NULL: nothing is saved */
  bool overwrite;            /**< out_dir may hold an earlier run, whose files (and no others) are removed; its
                                config.json is known by the names of options in it */
  bool resume;               /**< go on from the newest checkpoint in out_dir that verifies; a run that had none yet
                                starts again */
  const char *config_json;   /**< written as out_dir/config.json: an object of options by name; NULL: none */
  uint64_t checkpoint_every; /**< steps between checkpoints; 0: see checkpoint_seconds. A run that ends well, or is
                                interrupted, writes one at its end in any case */
  uint64_t log_every;        /**< steps between "step" events; 0: none */
  /** Asked between steps; true ends the run (state saved, reason interrupted). NULL: never. */
  bool (*interrupted)(void *user);
  /** Called at the end of each epoch and about ten times a second. NULL: never. */
  void (*progress)(void *user, const vise_progress *progress);
  /** Warnings and notes. NULL: dropped. */
  void (*log)(void *user, vise_log_level level, const char *message);
  void *user;
  void *owned; /**< texts that vise_run_config_set made; freed by vise_run_config_clear (vise/options.h) [NULL] */
  double checkpoint_seconds;  /**< where checkpoint_every is 0: seconds between checkpoints; 0: only at the end [30] */
  bool checkpoint_each_epoch; /**< in the place of the two: a checkpoint at the end of each epoch [false] */
  /** Called once at the end of a run that did not fail, when the model has its weights and is saved: *out may become the
     malloc'ed text of a JSON object, whose members the "end" event has too (those that it has anyway stay as they are).
     A status other than VISE_OK fails the run. NULL: never. */
  vise_status (*describe)(void *user, const struct vise_run_result *result, char **out, vise_error *err);
  bool evaluate_at_end; /**< validation and test rows are evaluated at the end alone, not after each epoch, unless there
                           is patience: lowest_epoch is then 0 [false] */
  double *losses;       /**< [n_losses]: after each epoch losses[epoch - 1] becomes its mean training loss; epochs
                                beyond the end are left out [NULL] */
  double *validation_losses; /**< likewise the validation loss, where it is evaluated [NULL] */
  size_t n_losses;
  bool progress_by_time; /**< progress is called about ten times a second, not at the end of each epoch too [false] */
  double *
      validation_scores; /**< [n_losses], as validation_losses: accuracy or R^2, see patience_by (vise/train.h) [NULL] */
} vise_run_config;

VISE_API void vise_run_config_init(vise_run_config *config);
VISE_API void vise_run_config_init_sized(vise_run_config *config, size_t n_bytes);
#define vise_run_config_init(config) vise_run_config_init_sized(config, sizeof *(config))

/** For `interrupted`, where user points to an int: whether that is not 0. A binding to another language, which would be
    called back between all steps, sets the int from `progress`, or from another thread, and has this asked instead. */
VISE_API bool vise_flag_is_set(void *user);

typedef struct vise_run_result {
  vise_stop_reason reason;
  uint64_t steps, epochs;             /**< attempted steps and completed epochs, in all */
  uint64_t launches;                  /**< of steps: kernels (unfused: with calls of cuBLAS, or nodes of the
                                             graph); 0 on the CPU */
  uint64_t n_skipped;                 /**< skipped steps, in all */
  uint64_t n_norm_clipped;            /**< steps whose norm clip was active */
  uint64_t n_clipped_values;          /**< entries, over all steps */
  uint64_t n_at_lo, n_at_hi, n_boxed; /**< at the end */
  uint64_t n_zero_weights, n_weights; /**< at the end; biases not counted */
  uint64_t best_epoch;                /**< with patience: the epoch whose weights were restored; else 0 */
  double seconds;
  double seconds_to_first_step; /**< from the start of the run */
  vise_metrics train, validation, test;
  uint64_t resumed_from_step; /**< 0: fresh */
  uint64_t lowest_epoch; /**< with validation rows: the epoch whose validation loss (or score, see patience_by) was the
                                  best, by min_delta; whether its weights were kept is said by best_epoch; else 0 */
  double lowest_loss;    /**< the validation loss of that epoch, weighted by class_weights if there are any; NaN where
                                  lowest_epoch is 0, and with patience_by score where its weights were not kept */
  uint64_t n_rows_at_bound, n_bounded_rows;   /**< of row_l1 and row_l1_sided, at the end */
  uint64_t n_norms_at_bound, n_bounded_norms; /**< of max_norm, at the end: rows, or with its scope whole tensors */
  uint64_t n_signed_at_zero, n_signed;        /**< weights and biases that have a sign and are not pruned, and those of
                                                 them that are 0, at the end */
} vise_run_result;

/**
 * Trains until a limit or stopping rule, writes metrics, checkpoints and the final model to out_dir (docs/files.md), and
 * syncs the model. config NULL: the defaults. result (may be NULL) says why the run ended. max-skips and nonfinite return
 * VISE_ERR_NONFINITE with result filled, and so do weights that an update made non-finite (which are never saved), a
 * validation loss (or score) that is NaN under patience, and a last epoch without a finite loss; but see keep_best. One run at a time may use out_dir.
 * overwrite replaces an earlier run at once and as a whole: killed at any moment, the process leaves that run, or this one to
 * go on with; where files are still to be put back, the next run in the folder does it.
 * Errors met before anything was written leave out_dir as it was, and result too: VISE_ERR_USAGE (it holds something else),
 * VISE_ERR_STATE (another run is using it), VISE_ERR_FORMAT (resume: every checkpoint is damaged), VISE_ERR_IO (also: a
 * checkpoint cannot be read). Later ones fill result, with the reason VISE_STOP_ERROR or another one. Others: VISE_ERR_IO, VISE_ERR_DEVICE.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_run(vise_trainer *trainer, const vise_run_config *config,
                                                       vise_run_result *result, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_run_sized(size_t result_bytes, vise_trainer *trainer,
                                                             const vise_run_config *config, vise_run_result *result,
                                                             vise_error *err);
#define vise_trainer_run(...) vise_trainer_run_sized(sizeof(vise_run_result), __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif

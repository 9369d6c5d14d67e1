/**
 * @file
 * Many trainings at once: fits of nets as they are asked for, on the CPU with a thread to each, on a GPU many of one shape in one launch. The caller says what to fit
 * and hears of each fit as it ends, so that a search of any kind can be built on it, one that chooses by what it has
 * heard too.
 *
 *   vise_sweep_create(NULL, &sweep, &err);
 *   for (;;) {
 *     while (vise_sweep_n_wanted(sweep) > 0 && there is more) vise_sweep_submit(sweep, &fit, &err);
 *     vise_sweep_next(sweep, INFINITY, &result, &found, &err);   (waits for the next fit that ends)
 *     if (!found) break;                                         (there are none left)
 *     ... result.validation.loss ...
 *     vise_sweep_result_clear(&result);
 *   }
 *   vise_sweep_free(sweep);
 *
 * A fit computes, bit for bit, what vise_trainer_run computes with the same configuration and data, whatever else is
 * under way. Configurations to try are made by vise/search.h, folds by vise_table_folds and vise_dataset_folds.
 *
 * One thread at a time calls these functions; the fits run in threads of the sweep.
 */
#ifndef VISE_SWEEP_H
#define VISE_SWEEP_H

#include "vise/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_sweep vise_sweep;

typedef struct vise_sweep_config {
  size_t struct_size;
  int n_jobs; /**< fits under way at a time, a thread for each; 0: the processors that this process may use [0] */
  /** Called in the thread of a fit when it has ended well, with its model and the fit's validation rows: *out is the
     fit's score. A status other than VISE_OK is that of the fit. Several threads call it at a time.
     NULL: the score is the validation loss. */
  vise_status (*score)(void *user, uint64_t id, const vise_model *model, const vise_dataset *validation, double *out,
                       vise_error *err);
  void *user; /**< of score */
} vise_sweep_config;

VISE_API void vise_sweep_config_init(vise_sweep_config *config);
VISE_API void vise_sweep_config_init_sized(vise_sweep_config *config, size_t n_bytes);
#define vise_sweep_config_init(config) vise_sweep_config_init_sized(config, sizeof *(config))

/** What to fit. Initialise with vise_sweep_fit_init; all of it is copied or retained by vise_sweep_submit. */
typedef struct vise_sweep_fit {
  size_t struct_size;
  uint64_t id;                       /**< the caller's own; the result has it too */
  const vise_train_config *training; /**< its n_threads does not count: a fit has one */
  const vise_net_config *net;        /**< all sizes filled in (vise_net_config_fill); not with initial */
  vise_init_scheme init_scheme;      /**< of the weights, drawn with the training's seed [linear] */
  const vise_model *initial;         /**< a model to start from a copy of, in the place of net [NULL] */
  const vise_dataset *train;
  const vise_dataset *validation; /**< may be NULL; evaluated at the end, with patience after each epoch */
  const void *state;              /**< what a result had as its state: the fit goes on from there [NULL] */
  size_t n_state_bytes;
  bool keep_model, keep_state; /**< what the result is to have [false] */
} vise_sweep_fit;

VISE_API void vise_sweep_fit_init(vise_sweep_fit *fit);
VISE_API void vise_sweep_fit_init_sized(vise_sweep_fit *fit, size_t n_bytes);
#define vise_sweep_fit_init(fit) vise_sweep_fit_init_sized(fit, sizeof *(fit))

/** How a fit ended. Clear it with vise_sweep_result_clear. */
typedef struct vise_sweep_result {
  uint64_t id;
  vise_status status;      /**< VISE_OK; VISE_ERR_NONFINITE: see vise_trainer_run; or why the fit could not be made */
  vise_error error;        /**< the text for it */
  vise_stop_reason reason; /**< why it ended; interrupted: by vise_sweep_stop, perhaps before it began */
  double score;            /**< NaN unless it ended well */
  vise_metrics train;      /**< over the last epoch, at the weights before each step */
  vise_metrics validation; /**< at the end, or with patience of the best epoch; n_rows 0: there are no rows */
  uint64_t steps, epochs;  /**< in all, those before state among them */
  uint64_t best_epoch;     /**< with patience: the one whose weights the model has; else 0 */
  uint64_t n_skipped, n_norm_clipped;
  uint64_t n_at_lo, n_at_hi, n_boxed; /**< weights at their bounds at the end, and those that have bounds */
  double seconds;                     /**< of this part of the fit, in its thread */
  vise_model *model;                  /**< as asked for, if it ended well; the caller's to free */
  void *state;                        /**< likewise, malloc'ed: a checkpoint, see vise_trainer_save_memory */
  size_t n_state_bytes;
} vise_sweep_result;

/** Frees what the result has, and sets it to 0; what the caller took over is set to NULL before. NULL is allowed. */
VISE_API void vise_sweep_result_clear(vise_sweep_result *result);

/** Starts the threads. config NULL: the defaults. Errors: VISE_ERR_USAGE, VISE_ERR_UNSUPPORTED (a thread does not start),
    VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_sweep_create(const vise_sweep_config *config, vise_sweep **out,
                                                        vise_error *err);

/** Stops what is under way, and frees all. NULL is allowed. */
VISE_API void vise_sweep_free(vise_sweep *sweep);

VISE_API int vise_sweep_n_jobs(const vise_sweep *sweep);

/** Fits that it takes to keep all threads, or the GPU, busy for a while; 0: enough are waiting. More may be submitted. A
    GPU begins when vise_sweep_next is called, with all that were submitted until then. */
VISE_API size_t vise_sweep_n_wanted(const vise_sweep *sweep);

/** Puts a fit in the queue, from which threads take them in this order. Errors: VISE_ERR_USAGE (a pointer that is missing),
    VISE_ERR_UNSUPPORTED (a thread does not start), VISE_ERR_MEMORY. What is wrong with a configuration
    otherwise is told by the result. */
VISE_API VISE_WARN_UNUSED vise_status vise_sweep_submit(vise_sweep *sweep, const vise_sweep_fit *fit, vise_error *err);

/** What is wrong with a fit's configuration, net or data, as its result would tell; nothing is trained. With rows false
    their values are not looked at, which many configurations on the same rows have in common. Errors: those of
    vise_sweep_submit and of vise_trainer_create. */
VISE_API VISE_WARN_UNUSED vise_status vise_sweep_check(const vise_sweep_fit *fit, bool rows, vise_error *err);

/** The next fit that ended, in the order in which they end; waits for it up to `seconds` (INFINITY: as long as it takes).
    *found false: none ended in that time, or none is waiting or under way; *result is untouched then. */
VISE_API VISE_WARN_UNUSED vise_status vise_sweep_next(vise_sweep *sweep, double seconds, vise_sweep_result *result,
                                                      bool *found, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_sweep_next_sized(size_t result_bytes, vise_sweep *sweep, double seconds,
                                                            vise_sweep_result *result, bool *found, vise_error *err);
#define vise_sweep_next(...) vise_sweep_next_sized(sizeof(vise_sweep_result), __VA_ARGS__)

/** Fits that are waiting, under way, or ended and not yet fetched. */
VISE_API size_t vise_sweep_n_open(const vise_sweep *sweep);

/** Ends fits after the step they are at, and those that wait before they begin: each has a result, interrupted. Safe in
    any thread, not in a signal handler. */
VISE_API void vise_sweep_stop(vise_sweep *sweep);

#ifdef __cplusplus
}
#endif
#endif

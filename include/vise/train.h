/**
 * @file
 * Single steps: the configuration of a training, and the trainer that takes its steps, on the training data, on a batch
 * of the caller's own, or with a gradient of the caller's own. A loop of steps, with limits, evaluation and files, is
 * vise_trainer_run (vise/run.h). What a step computes, and in which order, is stated at vise_train_config.
 *
 *   vise_train_config_init(&config);
 *   vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &err);
 *   vise_trainer_step(trainer, 100, stats, &n_done, &err);    (again and again)
 *   vise_trainer_sync(trainer, &err);                         (now the model has the weights)
 *   vise_trainer_free(trainer);
 *
 * A trainer is used by one thread at a time. What it computes depends neither on its number of threads nor on other
 * threads of the process. A device error poisons the trainer: every later call returns it.
 */
#ifndef VISE_TRAIN_H
#define VISE_TRAIN_H

#include "vise/dataset.h"
#include "vise/model.h"
#include "vise/ranks.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A schedule of a factor over steps. At step s (from 0) of T planned ones the factor is warm * f, with
 * warm = min(1, (s + 1) / warmup_steps), p = clamp((s - warmup_steps) / (T - warmup_steps), 0, 1) and
 *  - constant: f = 1;
 *  - linear: f = 1 - (1 - r) p;
 *  - cosine: f = r + (1 - r) (1 + cos(pi p)) / 2;
 *  - step: f = gamma^floor(epoch / step_epochs), epoch from 0.
 */
typedef struct vise_schedule_config {
  vise_schedule kind;
  uint64_t warmup_steps; /**< 0 */
  double final_ratio;    /**< linear, cosine: r (0) */
  double gamma;          /**< step: factor each step_epochs epochs (0.1) */
  uint64_t step_epochs;  /**< step (30) */
} vise_schedule_config;

/** A box for one linear layer's weights (and, with clamp_bias, its biases): lo <= hi, +-infinity = open. */
typedef struct vise_layer_clamp {
  size_t layer;
  double lo, hi;
} vise_layer_clamp;

/** A bound for one linear layer, above 0. */
typedef struct vise_layer_bound {
  size_t layer;
  double bound;
} vise_layer_bound;

/** Most steps of one launch of the cuda backend. */
#define VISE_MAX_STEPS_PER_LAUNCH 4096

/** When a weight operation is applied: once, after a step or after an epoch, or after every step. */
typedef enum vise_weight_op_timing { VISE_AT_STEP, VISE_AT_EPOCH, VISE_AT_EVERY } vise_weight_op_timing;

/**
 * Everything that defines a training. Initialise with vise_train_config_init (the defaults are in brackets).
 *
 * A step computes, in this order (docs/step.md says it in full, under the same numbers):
 *  1. learning rate and factors on the bounds, by their schedules;
 *  2. outputs, data loss and its gradient g for the batch;
 *  3. a count of the entries of g that are not finite;
 *  4. g += k2 w + k1 sign(w) + kF W/||W|| (clip_scope total; with clip_scope data this follows 6);
 *  5. the value clip: each entry of g into [clip_value_lo, clip_value_hi];
 *  6. the norm clip: g *= min(1, clip_norm / n), n the norm over all tensors, a tensor or a unit (row of W);
 *  7. if loss, gradient or norm is not finite, the step is skipped: nothing below happens and no state changes;
 *  8. the optimizer's direction u, and d = lr * u, cut to [-max_update, max_update];
 *  9. w = max(0, 1 - lr * decoupled_decay) w - d;
 *  10. with prox_l1: w = sign(w) max(|w| - lr k1, 0);
 *  11. the mask;
 *  12. the box (clamp), then the sums of rows (row_l1, row_l1_sided), then max_norm;
 *  13. what vise_step_stats reports.
 *
 * Strengths: k2 = 2 l2 and k1 = l1 (lambda_w2), k2 = l2 and k1 = l1 (half; PyTorch's weight_decay is l2 with half,
 * clip_scope data and penalize_bias), k2 = l2/m and k1 = l1/(2m) (over_m; m rows trained on).
 */
typedef struct vise_train_config {
  size_t struct_size;

  /* loss */
  vise_loss loss;                   /**< [cross-entropy] */
  vise_mse_reduction mse_reduction; /**< [half_mean] */
  double label_smoothing;           /**< cross-entropy: 0 <= x < 1 [0] */
  const double *class_weights;      /**< n_class_weights >= 0 numbers, borrowed for vise_trainer_create [NULL] */
  size_t n_class_weights;

  /* data */
  vise_scale scale;  /**< of the features [auto: unit for byte IDX data, else none] */
  bool scale_target; /**< z-score of the targets (mse, huber) [false] */

  /* optimizer */
  vise_optimizer optimizer;         /**< [sgd] */
  double lr;                        /**< [0.01] */
  double momentum;                  /**< sgd, rmsprop: 0 <= mu < 1 [0] */
  bool nesterov;                    /**< sgd with momentum [false] */
  double rho;                       /**< rmsprop [0.9] */
  double beta1, beta2;              /**< adam and the like [0.9, NaN: the optimizer's own] */
  double eps;                       /**< rmsprop, adam [1e-8] */
  double max_update;                /**< |eta*u| <= this; 0 = off [0] */
  vise_schedule_config lr_schedule; /**< [constant] */

  /* penalties */
  double l2, l1;                              /**< in the units of penalty_convention [0] */
  double norm_penalty;                        /**< kF of the unsquared Frobenius norm [0] */
  vise_penalty_convention penalty_convention; /**< [lambda_w2] */
  double decoupled_decay;                     /**< k2d [0] */
  bool prox_l1;                               /**< L1 by its proximal map instead of the subgradient [false] */
  bool penalize_bias;                         /**< [false] */

  /* clipping of gradients */
  bool clip_value; /**< [false] */
  double clip_value_lo, clip_value_hi;
  double clip_norm;                   /**< M; 0 = off [0] */
  vise_clip_norm_type clip_norm_type; /**< [global] */
  vise_norm_p clip_norm_p;            /**< [2] */
  bool clip_norm_torch_eps;           /**< [false] */
  vise_clip_scope clip_scope;         /**< [total] */
  vise_schedule_config clip_schedule; /**< factor on the bounds of both clips [constant] */

  /* projections of weights */
  bool clamp; /**< a box for all layers [false] */
  double clamp_lo, clamp_hi;
  const vise_layer_clamp *layer_clamps; /**< override clamp for their layers, borrowed for create [NULL] */
  size_t n_layer_clamps;
  bool clamp_bias;                     /**< [false] */
  vise_schedule_config clamp_schedule; /**< factor on the box [constant] */
  double max_norm;                     /**< R; 0 = off [0] */
  vise_max_norm_scope max_norm_scope;  /**< [unit] */

  /* relative weight operation during training */
  vise_weight_op weight_op; /**< [none] */
  vise_weight_op_timing weight_op_at;
  uint64_t weight_op_when; /**< the step or epoch (from 1) after which it is applied */

  /* batches and order */
  size_t batch;   /**< rows; 0 = all rows [64] */
  bool shuffle;   /**< [true] */
  bool drop_last; /**< [false] */
  uint64_t seed;  /**< of the sample order [0] */

  /* limits and stopping; 0 or false = off */
  uint64_t epochs;                /**< [10] */
  uint64_t steps;                 /**< [0] */
  bool stop_loss_on;              /**< [false] */
  double stop_loss;               /**< epoch-mean data loss <= this */
  double stop_projected_gradient; /**< [0] */
  uint64_t patience;              /**< epochs without improvement of what patience_by names [0] */
  double min_delta;               /**< what counts as an improvement for patience and stop_stall [0] */
  vise_nonfinite nonfinite;       /**< [skip] */
  uint64_t max_skips;             /**< consecutive skips that end the run [8] */

  /* where and how */
  vise_backend backend;       /**< [auto] */
  vise_step_mode step_mode;   /**< [auto]; modes other than auto need the cuda backend */
  vise_precision precision;   /**< [auto] */
  uint64_t steps_per_launch;  /**< cuda, up to VISE_MAX_STEPS_PER_LAUNCH [0 = chosen by the backend] */
  int n_threads;              /**< of cpu, not cpu64; any number gives the same bits [0 = by the work of a step] */
  int device;                 /**< cuda [0] */
  size_t device_memory_limit; /**< cuda: bytes of the GPU's memory that may be taken; data that do not fit come in
                                 chunks, with the same results [0 = what is free] */
  bool assert_projection;     /**< debug: verify after every step that all projections hold [false] */

  void *owned; /**< lists that vise_train_config_set made; freed by vise_train_config_clear (vise/options.h) [NULL] */

  double clip_agc; /**< adaptive clipping: ||g|| <= clip_agc max(||w||, 1e-3) for each row of a weight; 0 = off [0] */

  uint64_t stop_after_epoch; /**< end after this epoch, while schedules go by epochs and steps; 0 = off [0] */

  /** Train for an integer net: "int8,accP[,actA][,inI]", weights of 8 bits, accumulators of P (10 to 32), hidden values of A
      and inputs of I (2 to 8, else 8). The weights that the model gets are whole multiples of one scale for each row, and no
      sum of a row can leave its accumulator (docs/hardware.md). On cuda fp32, and not in sweeps. Borrowed for create. [NULL: off] */
  const char *quantize;

  /* projections of the rows of weights onto L1 balls (biases are exempt); a box must contain 0 then */
  double row_l1;       /**< R: the magnitudes of a row sum to at most R; 0 = off [0] */
  double row_l1_sided; /**< R: its positive entries do, and those of its negative ones; not with row_l1; 0 = off [0] */
  const vise_layer_bound *row_l1_layers; /**< override row_l1 for their layers, borrowed for create [NULL] */
  size_t n_row_l1_layers;
  const vise_layer_bound *row_l1_sided_layers; /**< the same of row_l1_sided [NULL] */
  size_t n_row_l1_sided_layers;
  vise_schedule_config row_l1_schedule; /**< factor on the radii [constant] */

  double clamp_init; /**< K: the box of each layer is +-K times the range of its initial weights: that of the scheme of
                        vise_model_initialize, else their largest magnitude; layer_clamps override it; not with clamp; 0 = off
                        [0] */

  /** A batch is cut into up to so many parts, of whole slices of 32 rows, whose gradients are added in a binary tree: what
      ranks share. Weights do not depend on how many ranks there are, but on this. 1 to 8; on cuda fp32; auto is cpu. With ranks 0 is 8. [0: rows are added as the backend does by itself] */
  uint64_t parts;
  vise_ranks
      *ranks; /**< who train together (vise/ranks.h); borrowed for the trainer's life [NULL: this process alone] */

  uint64_t
      stop_stall; /**< end after so many epochs in which the epoch-mean data loss fell by no more than min_delta below
                          where it was; 0 = off [0] */

  /** With ranks: each has training rows of its own, takes steps on them by itself, and after so many steps, at the end of an
      epoch and of the run, all go on from the mean of their weights and of the optimizer's, weighed by their rows (local SGD,
      federated averaging). All take as many steps; an epoch is one pass over the rows of the rank that has most batches.
      Weights depend on the number of ranks and on whose rows are whose. Not with parts. [0: all ranks have the same rows] */
  uint64_t sync_every;
  bool own_data; /**< with sync_every: validation and test rows are each rank's own too, else the same on all [false] */
  char unused[7]; /**< so that what follows begins where the struct ended before */
  vise_patience_by
      patience_by; /**< what patience watches: the validation loss, or the score, which is the accuracy of a
                                   loss of classes and R^2 of one of numbers, with min_delta in its units [loss] */
  bool
      keep_best; /**< with patience: training that goes wrong after an epoch whose weights were kept, so that it would be
                     VISE_ERR_NONFINITE, ends well with those, and with a warning; not with ranks [false] */
} vise_train_config;

/** Sets the defaults. The struct may be that of an older or newer header: n_bytes is its size, the macro's the size of
    the header in use. */
VISE_API void vise_train_config_init_sized(vise_train_config *config, size_t n_bytes);
VISE_API void vise_train_config_init(vise_train_config *config);
#define vise_train_config_init(config) vise_train_config_init_sized(config, sizeof *(config))

/** What one step reports; all at the weights before the update unless said otherwise. */
typedef struct vise_step_stats {
  uint64_t step;             /**< 1-based, attempted steps */
  uint64_t epoch;            /**< 1-based; 0 for batches of the caller's own */
  size_t n_rows;             /**< in the batch */
  double loss;               /**< data loss */
  double penalty;            /**< value of the penalties */
  double lr;                 /**< eta of this step */
  double grad_norm;          /**< global 2-norm entering the norm clip */
  double grad_norm_clipped;  /**< and leaving it */
  uint64_t n_clipped_values; /**< entries changed by the value clip */
  bool norm_clipped;         /**< the norm clip scaled something */
  uint64_t n_at_lo, n_at_hi; /**< boxed entries equal to their bound, after the update */
  uint64_t n_boxed;          /**< entries that have a finite bound */
  uint64_t n_nonfinite;      /**< gradient entries */
  uint64_t n_correct;        /**< rows classified correctly (classification losses; else 0) */
  bool skipped;
  int bad_tensor; /**< first tensor with a non-finite gradient; -1: none (or only the loss) */
} vise_step_stats;

/** Per-tensor counts of the last step. */
typedef struct vise_tensor_stats {
  uint64_t n_nonfinite, n_clipped_values, n_at_lo, n_at_hi;
} vise_tensor_stats;

typedef struct vise_trainer vise_trainer;

/**
 * Makes a trainer. The model supplies the starting weights and the mask, and receives the scaling, the loss and, at
 * vise_trainer_sync, the weights. Its dtype must be f64 for cpu64 and f32 for the others. train may be NULL when only the
 * caller's own batches are used; validation and test may be NULL. The trainer retains the model and the datasets, which
 * may be freed before it. Everything is validated here: options against each other,
 * against the data and against the backend; class labels against the number of outputs.
 * Errors: VISE_ERR_USAGE, VISE_ERR_SHAPE, VISE_ERR_VALUE, VISE_ERR_UNSUPPORTED (also where the system does not start
 * one of the threads: the text says which, and why), VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_create(const vise_train_config *config, vise_model *model,
                                                          const vise_dataset *train, const vise_dataset *validation,
                                                          const vise_dataset *test, vise_trainer **out,
                                                          vise_error *err);
VISE_API void vise_trainer_free(vise_trainer *trainer);

/** The backend, step, precision and threads that "auto" became. Step and precision stay auto where a backend offers
    no choice. */
VISE_API vise_backend vise_trainer_backend(const vise_trainer *trainer);
VISE_API vise_step_mode vise_trainer_step_mode(const vise_trainer *trainer);
VISE_API vise_precision vise_trainer_precision(const vise_trainer *trainer);
VISE_API int vise_trainer_n_threads(const vise_trainer *trainer);
VISE_API vise_scale vise_trainer_scale(const vise_trainer *trainer);

/** Runs the next n_steps steps on the training data (the epoch advances by itself; no limit or stopping rule is
   applied, but a skip limit or halt ends the call with VISE_ERR_NONFINITE). stats receives n_steps records, or is
   NULL. n_done (may be NULL) receives the number of steps attempted, also on failure. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step(vise_trainer *trainer, size_t n_steps, vise_step_stats *stats,
                                                        size_t *n_done, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step_sized(size_t stats_bytes, vise_trainer *trainer, size_t n_steps,
                                                              vise_step_stats *stats, size_t *n_done, vise_error *err);
#define vise_trainer_step(...) vise_trainer_step_sized(sizeof(vise_step_stats), __VA_ARGS__)

/** One step on a batch of the caller's own: x [n, n_features], y [n, n_targets] (class labels: [n, 1]), row_weights
   [n, 1] or NULL. Scaling applies as to the training data. Values are checked as for a dataset. stats may be NULL. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step_batch(vise_trainer *trainer, const vise_array *x,
                                                              const vise_array *y, const vise_array *row_weights,
                                                              vise_step_stats *stats, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step_batch_sized(size_t stats_bytes, vise_trainer *trainer,
                                                                    const vise_array *x, const vise_array *y,
                                                                    const vise_array *row_weights,
                                                                    vise_step_stats *stats, vise_error *err);
#define vise_trainer_step_batch(...) vise_trainer_step_batch_sized(sizeof(vise_step_stats), __VA_ARGS__)

/** Loss `external`: one step with the caller's gradient of the loss with respect to the outputs, delta
   [n, n_outputs] (f32 or f64), for the inputs x [n, n_features]. The reported loss is `loss`, the caller's own. stats
   may be NULL. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step_external(vise_trainer *trainer, const vise_array *x,
                                                                 const vise_array *delta, double loss,
                                                                 vise_step_stats *stats, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_step_external_sized(size_t stats_bytes, vise_trainer *trainer,
                                                                       const vise_array *x, const vise_array *delta,
                                                                       double loss, vise_step_stats *stats,
                                                                       vise_error *err);
#define vise_trainer_step_external(...) vise_trainer_step_external_sized(sizeof(vise_step_stats), __VA_ARGS__)

/** Outputs of the net at the current weights for x [n, n_features]: out [n, n_outputs], raw (before any softmax,
   target scaling not undone). */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_forward(vise_trainer *trainer, const vise_array *x, double *out,
                                                           vise_error *err);

/** Sets lr (before its schedule) for the steps to come. Errors: VISE_ERR_USAGE (negative or not finite). */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_set_lr(vise_trainer *trainer, double lr, vise_error *err);

/** Per-tensor counts of the last step: out[n_tensors]. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_tensor_stats(const vise_trainer *trainer, vise_tensor_stats *out,
                                                                size_t n, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_tensor_stats_sized(size_t out_bytes, const vise_trainer *trainer,
                                                                      vise_tensor_stats *out, size_t n,
                                                                      vise_error *err);
#define vise_trainer_tensor_stats(...) vise_trainer_tensor_stats_sized(sizeof(vise_tensor_stats), __VA_ARGS__)

/** Copies the current weights and mask into the model. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_sync(vise_trainer *trainer, vise_error *err);

/** Writes a checkpoint folder (made under a temporary name, synced, renamed; must not exist), or reads one. After a
   restore the trainer continues with the same bits as the one that was saved; a failed restore leaves it as it was. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_save(vise_trainer *trainer, const char *dir, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_restore(vise_trainer *trainer, const char *dir, vise_error *err);

/** The same to and from one block of memory, with the content of such a folder. *out_bytes is freed with
   vise_buffer_free; bytes are borrowed for the call. A block that is damaged or cut is VISE_ERR_FORMAT. */
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_save_memory(vise_trainer *trainer, void **out_bytes,
                                                               size_t *out_n_bytes, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_trainer_restore_memory(vise_trainer *trainer, const void *bytes,
                                                                  size_t n_bytes, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif

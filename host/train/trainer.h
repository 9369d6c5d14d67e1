/* The insides of a trainer, shared by the files of the training layer. */
#ifndef VISE_I_TRAINER_H
#define VISE_I_TRAINER_H

#include "host/backend/backend.h"
#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/integer/integer.h"
#include "host/model/checkpoint.h"
#include "host/model/model.h"
#include "host/train/config_copy.h"
#include "host/train/data_view.h"
#include "host/train/metrics.h"
#include "host/train/orders.h"
#include "vise/run.h"

/* Sums over the unskipped batches of one epoch. */
typedef struct vise_i_epoch_sums {
  double loss, rows; /* sum of N_i * loss_i, sum of N_i */
  uint64_t correct;
} vise_i_epoch_sums;

/* Sums over the steps since the last record (vise_record). */
typedef struct vise_i_record_sums {
  uint64_t steps, skipped, norm_clipped, clipped_values;
  double penalty, grad_norm, grad_norm_clipped; /* of those not skipped */
} vise_i_record_sums;

/* What changes from step to step outside the backend. All of it goes into a checkpoint. */
typedef struct vise_i_train_state {
  uint64_t step;             /* attempted steps */
  uint64_t epoch;            /* completed epochs */
  uint64_t steps_in_epoch;   /* attempted in the epoch at hand */
  double lr;                 /* before its schedule */
  vise_i_epoch_sums current; /* of the epoch at hand */
  vise_i_epoch_sums last;    /* of the last completed epoch */
  uint64_t n_skipped, n_norm_clipped, n_clipped_values;
  vise_i_record_sums since_record;
  uint64_t first_skip_step; /* 0: none yet */
  int first_bad_tensor;     /* of that step; -1: the loss alone */
  bool has_frozen_m;
  double frozen_m[VISE_MAX_LAYERS]; /* of a weight operation at every step */
  uint64_t best_epoch;              /* patience: 0 before the first validation */
  double best_loss;                 /* or minus the best score, see patience_by */
  uint64_t stall_epoch; /* the last epoch whose training loss was lower by more than min_delta, and that loss */
  double stall_loss;
} vise_i_train_state;

/* Of training on rows of a rank's own (local.h); all 0 otherwise. */
typedef struct vise_i_local {
  uint64_t n_rows;    /* of all ranks */
  uint64_t rows_hash; /* of all that they have */
  size_t n_laps;      /* orders of this rank's rows that an epoch is made of */
} vise_i_local;

/* Which of the rows held out are not those that the checkpoint was made with. */
typedef struct vise_i_other_rows {
  bool validation, test;
} vise_i_other_rows;

struct vise_trainer {
  vise_train_config config; /* its pointers lead to the lists */
  vise_i_config_lists lists;

  vise_model *model;         /* retained */
  uint64_t n_batches_before; /* that its running statistics have seen before this training */
  vise_dataset *datasets[3]; /* retained: training, validation, test; NULL for none */
  const vise_i_net *net;
  const vise_i_backend_ops *ops;
  vise_i_backend *backend;
  vise_backend which;
  vise_i_step_spec spec;
  vise_i_scales scales;
  bool has_mask; /* one was set in the backend */

  bool has_train, has_validation, has_test;
  vise_i_view train, validation, test;
  size_t batch; /* rows of a full batch of the training data */
  uint64_t steps_per_epoch;
  size_t n_per_epoch;    /* rows of an epoch: all, or with drop_last those of whole batches */
  size_t *order;         /* stored rows in the order of the epoch [train.n_rows]; NULL where orders are shared */
  vise_i_orders *orders; /* borrowed; NULL: it makes its own */
  bool order_is_set;
  uint64_t order_epoch; /* the epoch that order is for */

  vise_i_local local;
  vise_i_train_state state;
  vise_i_other_rows other_rows; /* of the last restore */
  void *best_params;            /* patience: weights at the best validation loss, or NULL */
  vise_step_stats last_stats;
  bool has_stepped;

  /* For an integer net (quantize.h); quantization NULL: it is not for one. */
  vise_i_quantization *quantization; /* its scales are those of the backend */
  vise_i_folded starting;            /* weights until the trainer starts */
  vise_i_calibration calibration;
  float *calibration_rows;  /* that the calibration borrows */
  uint8_t *integer_rows[3]; /* of the views, as the datasets; NULL where they are another's, or not there */
  float *best_scales;       /* as best_params */

  /* Room for one call of the backend's run: for segment_steps steps. */
  vise_i_hyper *hyper;
  vise_step_stats *stats;
  size_t segment_steps;

  vise_status poison; /* a device error that every later call returns */
  char poison_text[VISE_ERROR_TEXT_BYTES];
};

/* Bytes of a record of a step in the first release. */
#define VISE_I_FIRST_STATS_BYTES VISE_I_BYTES_UP_TO(vise_step_stats, bad_tensor)

/* Most steps given to a backend on the CPU at a time; a device gets up to VISE_I_MOST_STEPS. */
#define VISE_I_SEGMENT_STEPS 256

/* How a public call on a trainer begins (which is named `trainer` and listed): as others do, with the error of a trainer that failed before, and with an error
   of its own if the caller wants none, since vise_i_trainer_note, with which such a call ends, needs the text. */
#define VISE_ENTER_TRAINER(err, ...)                                \
  vise_error own_error_;                                            \
  if ((err) == NULL) (err) = &own_error_;                           \
  VISE_ENTER(err, __VA_ARGS__);                                     \
  do {                                                              \
    const vise_status usable_ = vise_i_trainer_check(trainer, err); \
    if (usable_ != VISE_OK) return usable_;                         \
  } while (0)

/* VISE_OK, or the error that poisoned the trainer. */
VISE_WARN_UNUSED vise_status vise_i_trainer_check(const vise_trainer *trainer, vise_error *err);
/* Poisons the trainer when status is VISE_ERR_DEVICE; returns status. */
vise_status vise_i_trainer_note(vise_trainer *trainer, vise_status status, const vise_error *err);

/* The halves of vise_trainer_create: everything is checked and the step is known, in t->spec; then the backend is made.
   datasets: training, validation, test; all but the first may be NULL. rows false: their values are not looked at, and the
   trainer cannot start. In between, spec.group may be set, and orders: then
   the weights are still to be projected, and steps are taken by the group alone. */
VISE_WARN_UNUSED vise_status vise_i_trainer_prepare(const vise_train_config *config, vise_model *model,
                                                    const vise_dataset *const datasets[3], bool rows,
                                                    vise_trainer **out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_trainer_start(vise_trainer *trainer, vise_error *err);

/* eta and the factors for the next step. */
vise_i_hyper vise_i_trainer_hyper(const vise_trainer *trainer);
/* The same for `ahead` steps later in the same epoch. */
vise_i_hyper vise_i_trainer_hyper_ahead(const vise_trainer *trainer, uint64_t ahead);
/* eta and the factors of the last step (before the first: of the next). */
vise_i_hyper vise_i_trainer_last_hyper(const vise_trainer *trainer);

/* The box of a tensor's entries under the last step's schedule, rounded as the backend's weights are. */
vise_i_box vise_i_trainer_box(const vise_trainer *trainer, const vise_i_tensor *tensor);

/* Remakes the backend for batches of up to max_batch rows, or for a mask, with all of its state. */
VISE_WARN_UNUSED vise_status vise_i_trainer_rebuild(vise_trainer *trainer, size_t max_batch, bool use_mask,
                                                    vise_error *err);

/*
 * Up to n_steps steps on the training data, not past the end of the epoch, nor past a moment at which a weight
 * operation is due (it is applied here). trainer->stats receives *n_done records. When the epoch ended, state.epoch went
 * up, state.steps_in_epoch is 0 and state.last holds its sums.
 */
VISE_WARN_UNUSED vise_status vise_i_trainer_advance(vise_trainer *trainer, size_t n_steps, size_t *n_done,
                                                    vise_error *err);
/* Its two halves, for whoever lets the backend take the steps in between (hyper, stats and the order are the trainer's):
   which of n_steps are to be taken now, perhaps none; and, once they are counted, the end of the epoch and the weight
   operation. status is that of the steps, and is returned if it is not VISE_OK. */
VISE_WARN_UNUSED vise_status vise_i_trainer_begin_steps(vise_trainer *trainer, size_t n_steps, vise_i_steps *out,
                                                        vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_trainer_end_steps(vise_trainer *trainer, vise_status status, vise_error *err);
/* Adds one step's record to the counts of the run; for a step on the training data also to the epoch's sums. */
void vise_i_trainer_count(vise_trainer *trainer, const vise_step_stats *stats, bool in_epoch);
/* Applies the weight operation if it is due after the step just counted; epoch_ended: also if due by epoch. */
VISE_WARN_UNUSED vise_status vise_i_trainer_apply_weight_op(vise_trainer *trainer, bool skipped, bool epoch_ended,
                                                            vise_error *err);

/* Copies the weights and the mask of the backend into the model; with a quantization the rounded weights, and that. */
VISE_WARN_UNUSED vise_status vise_i_trainer_store(vise_trainer *trainer, vise_error *err);

/* Means of an epoch: loss over unskipped batches, accuracy (classification). */
vise_metrics vise_i_epoch_metrics(const vise_trainer *trainer, const vise_i_epoch_sums *sums);

/* Writes a checkpoint with `run` (borrowed, may be NULL) in it; or reads one, *run receiving a new reference (NULL:
   there was none; run itself may be NULL). A restore that fails leaves the trainer as it was. */
VISE_WARN_UNUSED vise_status vise_i_trainer_save(vise_trainer *trainer, const char *dir, json_t *run, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_trainer_restore(vise_trainer *trainer, vise_i_checkpoint_place place, json_t **run,
                                                    vise_error *err);

/* Whether steps are taken on rows of this rank's own, and whether rows held out are its own too. */
static inline bool vise_i_trainer_is_local(const vise_trainer *trainer) {
  return trainer->config.sync_every > 0;
}

static inline bool vise_i_trainer_has_own_data(const vise_trainer *trainer) {
  return vise_i_trainer_is_local(trainer) && trainer->config.own_data;
}

/* Bytes of the flat parameters. */
static inline size_t vise_i_trainer_n_bytes(const vise_trainer *trainer) {
  return trainer->net->n_values * vise_dtype_size(trainer->ops->dtype);
}

#endif

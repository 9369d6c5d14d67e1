/* What is recorded of the weights and of the steps while a run lasts, for metrics.jsonl and whoever draws it. */
#ifndef VISE_I_RECORD_H
#define VISE_I_RECORD_H

#include "host/train/trainer.h"

/* Every how many epochs a run is recorded: one of 1, 2, 5, 10, 20, ..., by the work of an epoch and of a record alone, so
   that runs of the same training have the same records. At most about 1 % of the time goes into them. The first 30 epochs
   are all recorded; after 1000 records become rarer (every second epoch to 2000, every fifth to 5000, ...). */
uint64_t vise_i_record_period(const vise_trainer *trainer);

/* What the weights of one tensor are like, with its box under the last step's schedule; params are all parameters, of
   the backend's type. */
vise_layer_record vise_i_record_tensor(const vise_trainer *trainer, const void *params, size_t tensor);

/* A record with the room that it needs. */
typedef struct vise_i_recorder {
  uint64_t period; /* 0: nothing is recorded */
  void *params;
  vise_layer_record *layers; /* of the linear layers */
  vise_record record;
} vise_i_recorder;

VISE_WARN_UNUSED vise_status vise_i_recorder_init(vise_i_recorder *recorder, const vise_trainer *trainer,
                                                  vise_error *err);
void vise_i_recorder_free(vise_i_recorder *recorder);
/* After an epoch: *out is a record if one is due, good until the next; else NULL. The sums of the steps begin anew. */
VISE_WARN_UNUSED vise_status vise_i_recorder_take(vise_i_recorder *recorder, vise_trainer *trainer,
                                                  const vise_record **out, vise_error *err);

#endif

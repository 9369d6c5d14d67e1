/* Training on rows of a rank's own (vise_train_config.sync_every): steps without the others, and now and then the mean of all
   weights. Everything here is nothing without that option. */
#ifndef VISE_I_LOCAL_H
#define VISE_I_LOCAL_H

#include "host/train/trainer.h"

/* Means and deviations (0 -> 1) of the columns of a dataset's features or targets, as fitted to this rank's rows, become those
   of the rows of all ranks. */
VISE_WARN_UNUSED vise_status vise_i_local_pool_scales(vise_ranks *ranks, const vise_dataset *train,
                                                      const vise_array *columns, double *shift, double *scale,
                                                      vise_error *err);
/* After the data and the batches are known: those of all ranks, and as many steps in an epoch as the rank with the most
   batches has. */
VISE_WARN_UNUSED vise_status vise_i_local_begin(vise_trainer *trainer, vise_error *err);

/* Steps to the next mean, the end of an epoch aside; SIZE_MAX: there is none. */
uint64_t vise_i_local_steps(const vise_trainer *trainer);
/* Whether the ranks meet after attempted step `step`, the one of that number in its epoch. */
bool vise_i_local_meets(const vise_trainer *trainer, uint64_t step, uint64_t step_in_epoch);
/* Whether the weights are those of all ranks now. */
bool vise_i_local_is_met(const vise_trainer *trainer);
/* The mean over the ranks, weighed by their rows, of weights, moments and running statistics; projected. And the epoch's sums
   so far, which the first rank has then, and at its end all. status: how this rank fared; the one returned is that of all. */
VISE_WARN_UNUSED vise_status vise_i_local_mean(vise_trainer *trainer, vise_status status, vise_error *err);

#endif

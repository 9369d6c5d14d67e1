/*
 * Fits on a GPU, many of one shape in one launch. Their trainers go through their epochs together: what a trainer does
 * between steps is what it does alone (host/train), so that results are the same to the bit. A fit that is done leaves,
 * and the next one takes its place.
 */
#ifndef VISE_I_BUCKET_H
#define VISE_I_BUCKET_H

#include "host/sweep/fit.h"

/* What trains fits, and who is told of each. */
typedef struct vise_i_bucket_call {
  const vise_sweep_config *config;
  atomic_bool *stop;
  void (*give)(void *user, vise_i_sweep_fit *fit); /* takes a fit that ended, with its result */
  void *user;
} vise_i_bucket_call;

/* Trains the fits of a list, in groups of one shape, and gives each of them. */
void vise_i_bucket_train(vise_i_sweep_fit *list, const vise_i_bucket_call *call);

#endif

/* A training with everything switched on, for tests of bits: its state before and after, on any float32 backend. */
#ifndef VISE_T_STEP_RIG_H
#define VISE_T_STEP_RIG_H

#include "tests/support/backend_rig.h"

enum { RIG_ROWS = 84, RIG_BATCH = 8, RIG_EPOCH = (RIG_ROWS + RIG_BATCH - 1) / RIG_BATCH, RIG_STEPS = 13 };
enum { RIG_IN = 33, RIG_OUT = 7 };

typedef struct step_rig {
  const vise_i_backend_ops *ops;
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double *params, x[RIG_ROWS * RIG_IN], y[RIG_ROWS], row_weights[RIG_ROWS];
  size_t order[RIG_STEPS * RIG_BATCH], n_order; /* n_order is RIG_ROWS; up to all of them may be used */
  vise_i_hyper hyper[RIG_STEPS];
  vise_step_stats stats[RIG_STEPS];
} step_rig;

/* 33-21-7 with every penalty, clip and projection; an epoch of 84 rows is 10 batches of 8 and one of 4. */
step_rig *step_rig_make(const vise_i_backend_ops *ops, vise_optimizer optimizer);
/* Another activation than silu, before it starts. */
void step_rig_activate(step_rig *r, vise_activation activation);
void step_rig_free(step_rig *r);

/* A backend at the rig's weights, projected, with data and order. */
vise_i_backend *step_rig_start(const step_rig *r);
/* The rig's steps from the first on, through the order over and over; each call of run has up to `most` steps. */
void step_rig_run(const step_rig *r, vise_i_backend *b, size_t n_steps, size_t most, vise_step_stats *stats);
/* One call of run, n steps from first_step of the order on, into r->stats; it must return `expected` and n_expected
   steps done. The error's text goes to err. */
void step_rig_expect(step_rig *r, vise_i_backend *b, size_t first_step, size_t n, vise_status expected,
                     size_t n_expected, vise_error *err);

/* Weights and moments, [3 * n_params]; moments that are not kept are 0. */
float *step_rig_snapshot(const step_rig *r, vise_i_backend *b);
bool step_rig_same(const step_rig *r, const float *a, const float *b);
/* Trains a new backend for all steps, in calls of `most`; returns its snapshot; stats [RIG_STEPS] may be NULL. */
float *step_rig_train(const step_rig *r, size_t most, vise_step_stats *stats);
/* True if n steps reported the same bits. */
bool step_rig_same_stats(const vise_step_stats *a, const vise_step_stats *b, size_t n);

#endif

/* A training with everything switched on, for tests of bits: its state before and after. */
#ifndef VISE_T_GPU_RIG_H
#define VISE_T_GPU_RIG_H

#include "host/backend/cuda/cuda.h"
#include "tests/support/backend_rig.h"

enum { RIG_ROWS = 100, RIG_BATCH = 8, RIG_STEPS = 20, RIG_IN = 33, RIG_OUT = 7 };

typedef struct gpu_rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double *params, x[RIG_ROWS * RIG_IN], y[RIG_ROWS], row_weights[RIG_ROWS];
  size_t order[RIG_ROWS];
  vise_i_hyper hyper[RIG_STEPS];
  vise_step_stats stats[RIG_STEPS];
} gpu_rig;

/* 33-21-7 with every penalty, clip and projection; 12 batches of 8 rows, the last of them 4, to an epoch of 100. */
gpu_rig *gpu_rig_make(vise_optimizer optimizer);
void gpu_rig_free(gpu_rig *r);

/* A backend at the rig's weights, projected, with data and order. */
vise_i_backend *gpu_rig_start(const gpu_rig *r);
/* The rig's steps from the first on, through the order again and again; each call of run has up to `most` steps. */
void gpu_rig_run(const gpu_rig *r, vise_i_backend *b, size_t n_steps, size_t most, vise_step_stats *stats);

/* Weights and moments, [3 * n_params]; moments that are not kept are 0. */
float *gpu_rig_snapshot(const gpu_rig *r, vise_i_backend *b);
bool gpu_rig_same(const gpu_rig *r, const float *a, const float *b);
/* Snapshot after all steps of a backend with the spec, in calls of `most`; stats [RIG_STEPS] may be NULL. */
float *gpu_rig_train(const gpu_rig *r, size_t most, vise_step_stats *stats);
/* A device memory limit that leaves `extra` bytes beside the step, and one that leaves room for two chunks of n_rows
   rows of the data in all. */
size_t gpu_rig_limit(const gpu_rig *r, size_t extra);
size_t gpu_rig_limit_for_rows(const gpu_rig *r, size_t n_rows);
/* What steps reported is the same in every bit. */
bool gpu_rig_same_stats(const vise_step_stats *a, const vise_step_stats *b, size_t n);

#endif

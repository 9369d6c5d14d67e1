/* The training of tests/support/step_rig.h on cuda, and device memory limits for it. */
#ifndef VISE_T_GPU_RIG_H
#define VISE_T_GPU_RIG_H

#include "host/backend/cuda/cuda.h"
#include "tests/support/step_rig.h"

step_rig *gpu_rig_make(vise_optimizer optimizer);

/* Device memory limits: one that leaves `extra` bytes besides the step, one that leaves room for two chunks of n_rows
   rows. */
size_t gpu_rig_limit(const step_rig *r, size_t extra);
size_t gpu_rig_limit_for_rows(const step_rig *r, size_t n_rows);

#endif

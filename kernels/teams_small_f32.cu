/* teams_small_f32: many teams of the fused step, see kernels/teams_kernel.cuh. */
#define VISE_STEP_NAME teams_small_f32
#define VISE_STEP_TEAMS 1
#define VISE_STEP_CTAS 2
#define VISE_STEP_LARGE 0
#define VISE_STEP_MMA 0
#include "kernels/step_variants.h"
#include "kernels/teams_kernel.cuh"

const void *vise_k_teams_small_f32(void) {
  return (const void *)teams_small_f32;
}

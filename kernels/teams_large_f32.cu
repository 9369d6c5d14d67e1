/* teams_large_f32: many teams of the fused step, see kernels/teams_kernel.cuh. */
#define VISE_STEP_NAME teams_large_f32
#define VISE_STEP_TEAMS 1
#define VISE_STEP_CTAS 1
#define VISE_STEP_LARGE 1
#define VISE_STEP_MMA 0
#include "kernels/step_variants.h"
#include "kernels/teams_kernel.cuh"

const void *vise_k_teams_large_f32(void) {
  return (const void *)teams_large_f32;
}

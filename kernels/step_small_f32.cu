/* step_small_f32: the fused step, see kernels/step_kernel.cuh. */
#define VISE_STEP_NAME step_small_f32
#define VISE_STEP_LARGE 0
#define VISE_STEP_MMA 0
#include "kernels/step_kernel.cuh"
#include "kernels/step_variants.h"

const void *vise_k_step_small_f32(void) {
  return (const void *)step_small_f32;
}

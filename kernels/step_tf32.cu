/* step_tf32: the fused step, see kernels/step_kernel.cuh. */
#define VISE_STEP_NAME step_tf32
#define VISE_STEP_LARGE 1
#define VISE_STEP_MMA VISE_MMA_TF32
#include "kernels/step_kernel.cuh"
#include "kernels/step_variants.h"

const void *vise_k_step_tf32(void) {
  return (const void *)step_tf32;
}

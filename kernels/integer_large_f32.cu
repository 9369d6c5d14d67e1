/* integer_large_f32: the fused step of integer nets, see kernels/step_kernel.cuh. */
#define VISE_STEP_NAME integer_large_f32
#define VISE_STEP_LARGE 1
#define VISE_STEP_MMA 0
#define VISE_STEP_INTEGER 1
#include "kernels/step_kernel.cuh"
#include "kernels/step_variants.h"

const void *vise_k_integer_large_f32(void) {
  return (const void *)integer_large_f32;
}

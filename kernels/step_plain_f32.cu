/* step_plain_f32: the fused step of common nets and rules (vise_k_is_plain), see kernels/step_kernel.cuh. */
#define VISE_STEP_NAME step_plain_f32
#define VISE_STEP_LARGE 0
#define VISE_STEP_MMA 0
#define VISE_STEP_PLAIN 1
#include "kernels/step_kernel.cuh"
#include "kernels/step_variants.h"

const void *vise_k_step_plain_f32(void) {
  return (const void *)step_plain_f32;
}

/* Launching the fused step: host code alone. */
#include <limits.h>

#include "kernels/launch.cuh"
#include "kernels/step.h"
#include "kernels/step_variants.h"

/* Nets that a variant has a kernel of their own for, with the same bits (vise_k_is_plain) or with integers. */
typedef enum kind { ANY, PLAIN, INTEGER, N_KINDS } kind;

static kind kind_of(const vise_k_step *step) {
  return step->rounds ? INTEGER : vise_k_is_plain(step) ? PLAIN : ANY;
}

/* NULL: there is none. */
static const void *kernel_of(vise_k_variant variant, kind k) {
  switch (variant) {
    case VISE_K_SMALL_F32:
      return k == INTEGER ? vise_k_integer_small_f32() : k == PLAIN ? vise_k_step_plain_f32() : vise_k_step_small_f32();
    case VISE_K_LARGE_F32:
      return k == INTEGER ? vise_k_integer_large_f32() : vise_k_step_large_f32();
    case VISE_K_TF32:
      return k == INTEGER ? NULL : vise_k_step_tf32();
    case VISE_K_BF16:
      return k == INTEGER ? NULL : vise_k_step_bf16();
    default:
      return NULL;
  }
}

static cudaError_t prepare(const void *kernel, size_t shared_bytes, int *n_ctas_per_sm) {
  if (!kernel || shared_bytes > INT_MAX) return cudaErrorInvalidValue;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes);
  if (error != cudaSuccess) return error;
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(n_ctas_per_sm, kernel, VISE_K_STEP_THREADS, shared_bytes);
}

cudaError_t vise_k_step_prepare(vise_k_variant variant, size_t shared_bytes, int *n_ctas_per_sm) {
  cudaError_t error = prepare(kernel_of(variant, ANY), shared_bytes, n_ctas_per_sm);
  for (int k = 0; k < N_KINDS && error == cudaSuccess; k++) {
    const void *kernel = kernel_of(variant, (kind)k);
    int n = 0;
    if (!kernel || kernel == kernel_of(variant, ANY)) continue;
    error = prepare(kernel, shared_bytes, &n);
    if (error == cudaSuccess && n < *n_ctas_per_sm) *n_ctas_per_sm = n;
  }
  return error;
}

cudaError_t vise_k_step_run(vise_k_variant variant, const vise_k_step *step, size_t shared_bytes, cudaStream_t stream) {
  const void *kernel = kernel_of(variant, kind_of(step));
  if (!kernel || step->n_members == 0 || step->n_layers == 0 || step->n_layers > VISE_K_MAX_LAYERS) {
    return cudaErrorInvalidValue;
  }
  if (step->n_phases > VISE_K_MAX_PHASES || step->n_steps == 0) return cudaErrorInvalidValue;
  vise_k_step p = *step;
  void *arguments[] = {&p};
  return vise_launch(kernel, {p.n_members, VISE_K_STEP_THREADS, shared_bytes, 1}, stream, arguments);
}

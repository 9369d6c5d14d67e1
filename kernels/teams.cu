/* Launching many teams: host code alone. */
#include <limits.h>

#include "kernels/launch.cuh"
#include "kernels/step_variants.h"
#include "kernels/teams.h"

static const void *kernel_of(vise_k_variant variant) {
  switch (variant) {
    case VISE_K_SMALL_F32:
      return vise_k_teams_small_f32();
    case VISE_K_LARGE_F32:
      return vise_k_teams_large_f32();
    default:
      return NULL;
  }
}

cudaError_t vise_k_teams_prepare(vise_k_variant variant, size_t shared_bytes, int *n_ctas_per_sm) {
  const void *kernel = kernel_of(variant);
  if (!kernel) return cudaErrorNotSupported;
  if (shared_bytes > INT_MAX) return cudaErrorInvalidValue;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes);
  if (error != cudaSuccess) return error;
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(n_ctas_per_sm, kernel, VISE_K_STEP_THREADS, shared_bytes);
}

cudaError_t vise_k_teams_run(vise_k_variant variant, const vise_k_teams *teams, size_t shared_bytes,
                             cudaStream_t stream) {
  const void *kernel = kernel_of(variant);
  const uint32_t n = teams->n_members;
  if (!kernel) return cudaErrorNotSupported;
  if (n == 0 || n > VISE_K_MOST_MEMBERS || (n & (n - 1)) != 0) return cudaErrorInvalidValue;
  if (teams->n_teams == 0 || teams->n_teams > INT_MAX / n) return cudaErrorInvalidValue;

  vise_k_teams given = *teams;
  void *arguments[] = {&given};
  return vise_launch_clusters(kernel, {teams->n_teams * n, VISE_K_STEP_THREADS, shared_bytes, 0}, n, stream, arguments);
}

/* How every kernel is launched. */
#ifndef VISE_K_LAUNCH_CUH
#define VISE_K_LAUNCH_CUH

#include "kernels/device.cuh"

typedef struct vise_grid {
  unsigned n_ctas, n_threads;
  size_t n_shared; /* bytes of dynamic shared memory of a CTA */
  int cooperative; /* all CTAs are resident at once, or the launch is refused (cudaErrorCooperativeLaunchTooLarge) */
} vise_grid;

/* With an attribute, if it is not NULL. arguments[i] points at the i-th parameter. */
static inline cudaError_t vise_launch_with(cudaLaunchAttribute *attribute, const void *kernel, vise_grid grid,
                                           cudaStream_t stream, void **arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(grid.n_ctas, 1, 1);
  config.blockDim = dim3(grid.n_threads, 1, 1);
  config.dynamicSmemBytes = grid.n_shared;
  config.stream = stream;
  config.attrs = attribute;
  config.numAttrs = attribute ? 1 : 0;

  return cudaLaunchKernelExC(&config, kernel, arguments);
}

static inline cudaError_t vise_launch(const void *kernel, vise_grid grid, cudaStream_t stream, void **arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  return vise_launch_with(grid.cooperative ? &attribute : NULL, kernel, grid, stream, arguments);
}

/* In clusters of n_together neighbours, which are resident at once; 1: each CTA by itself, on any device. */
static inline cudaError_t vise_launch_clusters(const void *kernel, vise_grid grid, unsigned n_together,
                                               cudaStream_t stream, void **arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = n_together;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  return vise_launch_with(n_together > 1 ? &attribute : NULL, kernel, grid, stream, arguments);
}

#endif

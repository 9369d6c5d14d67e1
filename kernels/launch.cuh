/* How every kernel is launched. */
#ifndef VISE_K_LAUNCH_CUH
#define VISE_K_LAUNCH_CUH

#include "kernels/device.cuh"

typedef struct vise_grid {
  unsigned n_ctas, n_threads;
  size_t n_shared; /* bytes of dynamic shared memory of a CTA */
  int cooperative; /* all CTAs are resident at once, or the launch is refused (cudaErrorCooperativeLaunchTooLarge) */
  unsigned n_together; /* neighbours that are resident at once, a cluster; 0 or 1: each by itself */
} vise_grid;

/* arguments[i] points at the i-th parameter. */
static inline cudaError_t vise_launch(const void *kernel, vise_grid grid, cudaStream_t stream, void **arguments) {
  cudaLaunchAttribute attribute = {};
  if (grid.cooperative) {
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
  } else if (grid.n_together > 1) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = grid.n_together;
    attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  }

  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(grid.n_ctas, 1, 1);
  config.blockDim = dim3(grid.n_threads, 1, 1);
  config.dynamicSmemBytes = grid.n_shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = grid.cooperative || grid.n_together > 1 ? 1 : 0;

  return cudaLaunchKernelExC(&config, kernel, arguments);
}

#endif

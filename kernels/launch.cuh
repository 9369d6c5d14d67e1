/* How every kernel is launched. */
#ifndef VISE_K_LAUNCH_CUH
#define VISE_K_LAUNCH_CUH

#include "kernels/device.cuh"

/* n_ctas CTAs of n_threads with n_shared bytes of dynamic shared memory; arguments[i] points at the i-th parameter.
   cooperative: all CTAs are resident at once, or the launch is refused (cudaErrorCooperativeLaunchTooLarge). */
static inline cudaError_t vise_launch(const void *kernel, unsigned n_ctas, unsigned n_threads, size_t n_shared,
                                      int cooperative, cudaStream_t stream, void **arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;

  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(n_ctas, 1, 1);
  config.blockDim = dim3(n_threads, 1, 1);
  config.dynamicSmemBytes = n_shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = cooperative ? 1 : 0;

  return cudaLaunchKernelExC(&config, kernel, arguments);
}

#endif

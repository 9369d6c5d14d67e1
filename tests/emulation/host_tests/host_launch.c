#include "check.h"

TestSuite(launch, .init = quiet);

static void *none[3];

static cudaError_t add_with(dim3 grid, dim3 block, size_t shared) {
  static float *d;
  int n = 0;
  float v = 0;
  void *arguments[] = {&d, &n, &v};
  return cudaLaunchKernel(kernel_add, grid, block, arguments, shared, NULL);
}

Test(launch, runs) {
  float *d = device_floats(100);
  OK(cudaMemset(d, 0, 400));
  OK(launch_add(d, 100, 1.5f, NULL));
  for (size_t i = 0; i < 100; i += 33) cr_assert_eq(value_at(d, i), 1.5f);
  OK(cudaFree(d));
}

Test(launch, configurations) {
  const dim3 one = {1, 1, 1}, zero = {0, 1, 1}, wide = {1025, 1, 1}, deep = {1, 1, 65}, much = {64, 32, 1},
             tall = {1, 65536, 1}, far = {2147483647u, 65535, 65535};

  OK(add_with(one, one, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(zero, one, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(one, zero, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(one, wide, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(one, deep, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(one, much, 0));
  FAILS(cudaErrorInvalidConfiguration, add_with(tall, one, 0));
  (void)far;
  FAILS(cudaErrorInvalidConfiguration, cudaPeekAtLastError());

  FAILS(cudaErrorInvalidValue, add_with(one, one, 49153));
  FAILS(cudaErrorInvalidDeviceFunction, cudaLaunchKernel(&zero, one, one, none, 0, NULL));
  FAILS(cudaErrorInvalidDeviceFunction, cudaLaunchKernel(NULL, one, one, none, 0, NULL));
  FAILS(cudaErrorInvalidValue, cudaLaunchKernel(kernel_add, one, one, NULL, 0, NULL));
  FAILS(cudaErrorInvalidResourceHandle,
        cudaLaunchKernel(kernel_shared_bytes, one, one, (void *[]){none, none}, 0, (cudaStream_t)none));
}

Test(launch, arguments_are_copied) {
  emu_set_deferred(1);
  float *d = device_floats(4), value = 1.0f;
  int n = 4;
  OK(cudaMemset(d, 0, 16));
  float *pointer = d;
  void *arguments[] = {&pointer, &n, &value};

  OK(cudaLaunchKernel(kernel_add, dim(1), dim(4), arguments, 0, NULL));
  value = 50.0f;
  pointer = NULL;
  n = 0;

  cr_assert_eq(value_at(d, 3), 1.0f);
  OK(cudaFree(d));
}

Test(launch, dynamic_shared_memory) {
  int *d = NULL, bytes = 100000, got = 0;
  OK(cudaMalloc((void **)&d, sizeof *d));
  void *arguments[] = {&d, &bytes};

  FAILS(cudaErrorInvalidValue, cudaLaunchKernel(kernel_shared_bytes, dim(1), dim(1), arguments, 100000, NULL));
  FAILS(cudaErrorInvalidValue,
        cudaFuncSetAttribute(kernel_shared_bytes, cudaFuncAttributeMaxDynamicSharedMemorySize, 232449));
  FAILS(cudaErrorInvalidValue,
        cudaFuncSetAttribute(kernel_shared_bytes, cudaFuncAttributeMaxDynamicSharedMemorySize, -1));

  OK(cudaFuncSetAttribute(kernel_shared_bytes, cudaFuncAttributeMaxDynamicSharedMemorySize, 100000));
  struct cudaFuncAttributes a;
  OK(cudaFuncGetAttributes(&a, kernel_shared_bytes));
  cr_assert_eq(a.maxDynamicSharedSizeBytes, 100000);

  OK(cudaLaunchKernel(kernel_shared_bytes, dim(1), dim(1), arguments, 100000, NULL));
  OK(cudaMemcpy(&got, d, sizeof got, cudaMemcpyDeviceToHost));
  cr_assert_eq(got, 7);

  FAILS(cudaErrorInvalidDeviceFunction, cudaFuncGetAttributes(&a, &got));
  FAILS(cudaErrorInvalidDeviceFunction, cudaFuncSetAttribute(&got, cudaFuncAttributeMaxDynamicSharedMemorySize, 1));
  FAILS(cudaErrorInvalidValue, cudaFuncSetAttribute(kernel_add, cudaFuncAttributePreferredSharedMemoryCarveout, 101));
  OK(cudaFuncSetAttribute(kernel_add, cudaFuncAttributePreferredSharedMemoryCarveout, 100));

  OK(cudaFree(d));
}

Test(launch, occupancy) {
  int n = 0;
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 256, 0));
  cr_assert_eq(n, 8);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 32, 0));
  cr_assert_eq(n, 32);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 1024, 0));
  cr_assert_eq(n, 2);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 128, 49152));
  cr_assert_eq(n, 4);

  OK(cudaFuncSetAttribute(kernel_add, cudaFuncAttributeMaxDynamicSharedMemorySize, 232448));
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 128, 232448));
  cr_assert_eq(n, 1);
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 128, 232449));
  cr_assert_eq(n, 0);

  FAILS(cudaErrorInvalidDeviceFunction, cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, &n, 128, 0));
  FAILS(cudaErrorInvalidValue, cudaOccupancyMaxActiveBlocksPerMultiprocessor(NULL, kernel_add, 128, 0));

  size_t shared = 0;
  OK(cudaOccupancyAvailableDynamicSMemPerBlock(&shared, kernel_add, 2, 128));
  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n, kernel_add, 128, shared));
  cr_assert_eq(n, 2);
}

Test(launch, cooperative) {
  emu_set_sms(3);
  int *counts = NULL, *out = NULL, got[7], fits = 0;
  OK(cudaMalloc((void **)&counts, sizeof *counts));
  OK(cudaMalloc((void **)&out, sizeof got));
  OK(cudaMemset(counts, 0, sizeof *counts));
  void *arguments[] = {&counts, &out};

  OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&fits, kernel_meet, 1024, 0));
  cr_assert_eq(fits, 2);
  FAILS(cudaErrorCooperativeLaunchTooLarge,
        cudaLaunchCooperativeKernel(kernel_meet, dim(7), dim(1024), arguments, 0, NULL));
  REPORTS("cooperative");

  emu_reset_counts();
  OK(cudaLaunchCooperativeKernel(kernel_meet, dim(6), dim(1024), arguments, 0, NULL));
  OK(cudaDeviceSynchronize());
  cr_assert_eq(emu_read_counts().launches, 1);
  cr_assert_eq(emu_read_counts().cooperative_launches, 1);
  OK(cudaMemcpy(got, out, 6 * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < 6; ++i) cr_assert_eq(got[i], 6);

  // The same kernel without the attribute: its grid barrier fails.
  OK(cudaLaunchKernel(kernel_meet, dim(6), dim(32), arguments, 0, NULL));
  cr_assert_neq(cudaDeviceSynchronize(), cudaSuccess);
  OK(cudaDeviceReset());
}

Test(launch, attributes) {
  int *out = NULL, got[8], clusters = 0;
  OK(cudaMalloc((void **)&out, sizeof got));
  cudaLaunchAttribute attributes[2] = {{.id = cudaLaunchAttributeClusterDimension}, {.id = cudaLaunchAttributeIgnore}};
  attributes[0].val.clusterDim.x = 4;
  attributes[0].val.clusterDim.y = attributes[0].val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {.gridDim = dim(8), .blockDim = dim(64), .attrs = attributes, .numAttrs = 2};
  void *arguments[] = {&out};

  OK(cudaLaunchKernelExC(&config, kernel_ranks, arguments));
  OK(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 8; ++i) cr_assert_eq(got[i], i % 4 * 100 + 4);

  emu_set_sms(2);
  OK(cudaOccupancyMaxActiveClusters(&clusters, kernel_ranks, &config));
  cr_assert_eq(clusters, 16);
  int size = 0;
  OK(cudaOccupancyMaxPotentialClusterSize(&size, kernel_ranks, &config));
  cr_assert_eq(size, 8);

  config.gridDim = dim(6);
  FAILS(cudaErrorInvalidClusterSize, cudaLaunchKernelExC(&config, kernel_ranks, arguments));
  config.gridDim = dim(16);
  attributes[0].val.clusterDim.x = 16;
  FAILS(cudaErrorInvalidClusterSize, cudaLaunchKernelExC(&config, kernel_ranks, arguments));
  attributes[0].id = cudaLaunchAttributeProgrammaticEvent;
  FAILS(cudaErrorNotSupported, cudaLaunchKernelExC(&config, kernel_ranks, arguments));
  attributes[0].id = cudaLaunchAttributeCooperative;
  attributes[0].val.cooperative = 1;
  config.gridDim = dim(1000);
  FAILS(cudaErrorCooperativeLaunchTooLarge, cudaLaunchKernelExC(&config, kernel_ranks, arguments));
  FAILS(cudaErrorInvalidValue, cudaLaunchKernelExC(NULL, kernel_ranks, arguments));

  OK(cudaFree(out));
}

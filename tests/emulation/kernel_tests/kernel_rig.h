// What the kernel tests share: device memory between guard bands, through the CUDA runtime alone, so that the tests run
// on the emulated device and on a GPU.
#pragma once
#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"

enum { RIG_GUARD = 256, RIG_GUARD_BYTE = 0xA5 };

#define RIG_OK(call)                                                                      \
  do {                                                                                    \
    const cudaError_t rig_error = (call);                                                 \
    cr_assert_eq(rig_error, cudaSuccess, "%s: %s", #call, cudaGetErrorString(rig_error)); \
  } while (0)

// n_bytes of device memory with the given contents, or NaN bytes when values is NULL.
static inline void *rig_device(const void *values, size_t n_bytes) {
  unsigned char *host = (unsigned char *)malloc(n_bytes + 2 * RIG_GUARD), *device = NULL;
  memset(host, RIG_GUARD_BYTE, n_bytes + 2 * RIG_GUARD);
  if (values) memcpy(host + RIG_GUARD, values, n_bytes);
  if (!values) memset(host + RIG_GUARD, 0xff, n_bytes);
  RIG_OK(cudaMalloc((void **)&device, n_bytes + 2 * RIG_GUARD));
  RIG_OK(cudaMemcpy(device, host, n_bytes + 2 * RIG_GUARD, cudaMemcpyHostToDevice));
  free(host);
  return device + RIG_GUARD;
}

// Waits, checks the guards, copies the contents to out (unless NULL) and frees the memory.
static inline void rig_free(void *device, void *out, size_t n_bytes) {
  unsigned char *host = (unsigned char *)malloc(n_bytes + 2 * RIG_GUARD), *start = (unsigned char *)device - RIG_GUARD;
  RIG_OK(cudaDeviceSynchronize());
  RIG_OK(cudaMemcpy(host, start, n_bytes + 2 * RIG_GUARD, cudaMemcpyDeviceToHost));
  for (size_t i = 0; i < RIG_GUARD; i++) {
    cr_assert_eq(host[i], RIG_GUARD_BYTE, "written %zu bytes before the buffer", RIG_GUARD - i);
    cr_assert_eq(host[RIG_GUARD + n_bytes + i], RIG_GUARD_BYTE, "written %zu bytes after the buffer", i);
  }
  if (out) memcpy(out, host + RIG_GUARD, n_bytes);
  RIG_OK(cudaFree(start));
  free(host);
}

// How many CTAs of 256 threads with a few KB of static shared memory are surely resident at once.
static inline uint32_t rig_resident_ctas(void) {
  int n_sms = 0;
  RIG_OK(cudaDeviceGetAttribute(&n_sms, cudaDevAttrMultiProcessorCount, 0));
  return (uint32_t)n_sms * 4;
}

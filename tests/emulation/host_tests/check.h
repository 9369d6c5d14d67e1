// Helpers for the tests: errors by name, and kernels launched in one line.
#pragma once
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "tests/emulation/host/emulation.h"

#define FAILS(error, call)                                                                                        \
  do {                                                                                                            \
    const cudaError_t got_ = (call), want_ = (error);                                                             \
    cr_assert(got_ == want_, "%s: %s instead of %s (%s)", #call, cudaGetErrorName(got_), cudaGetErrorName(want_), \
              emu_last_report());                                                                                 \
  } while (0)
#define OK(call) FAILS(cudaSuccess, call)

// The last report contains these words.
#define REPORTS(words) cr_assert(strstr(emu_last_report(), words) != NULL, "no \"%s\" in: %s", words, emu_last_report())

static inline void quiet(void) {
  emu_set_printing(0);
}

static inline dim3 dim(unsigned x) {
  const dim3 d = {x, 1, 1};
  return d;
}

static inline float *device_floats(size_t n) {
  void *pointer = NULL;
  OK(cudaMalloc(&pointer, n * sizeof(float)));
  return pointer;
}

static inline float *pinned_floats(size_t n) {
  void *pointer = NULL;
  OK(cudaMallocHost(&pointer, n * sizeof(float)));
  return pointer;
}

static inline cudaError_t launch_add(float *data, int n, float value, cudaStream_t stream) {
  void *arguments[] = {&data, &n, &value};
  return cudaLaunchKernel(kernel_add, dim((unsigned)(n + 63) / 64), dim(64), arguments, 0, stream);
}

static inline cudaError_t launch_copy_plus(float *to, const float *from, int n, float value, cudaStream_t stream) {
  void *arguments[] = {&to, &from, &n, &value};
  return cudaLaunchKernel(kernel_copy_plus, dim((unsigned)(n + 63) / 64), dim(64), arguments, 0, stream);
}

static inline cudaError_t launch_poke(float *data, long index, cudaStream_t stream) {
  void *arguments[] = {&data, &index};
  return cudaLaunchKernel(kernel_poke, dim(1), dim(1), arguments, 0, stream);
}

// An element of device memory, once all work is done.
static inline float value_at(const float *data, size_t i) {
  float value = 0;
  OK(cudaDeviceSynchronize());
  OK(cudaMemcpy(&value, data + i, sizeof value, cudaMemcpyDeviceToHost));
  return value;
}

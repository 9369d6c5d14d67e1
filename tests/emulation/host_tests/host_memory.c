#include "check.h"

TestSuite(memory, .init = quiet);

Test(memory, new_memory_is_nan) {
  float *d = device_floats(100), host[100];
  OK(cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 100; ++i) cr_assert(isnan(host[i]));
  OK(cudaFree(d));
  float *h = pinned_floats(100);
  for (int i = 0; i < 100; ++i) cr_assert(isnan(h[i]));
  OK(cudaFreeHost(h));
}

Test(memory, nothing_and_null) {
  void *p = &p;
  OK(cudaMalloc(&p, 0));
  cr_assert_null(p);
  OK(cudaFree(NULL));
  OK(cudaFreeHost(NULL));
  FAILS(cudaErrorInvalidValue, cudaMalloc(NULL, 8));
  FAILS(cudaErrorInvalidValue, cudaMallocHost(NULL, 8));
}

Test(memory, alignment_and_counts) {
  emu_reset_counts();
  void *p[5];

  for (size_t i = 0; i < 5; ++i) {
    OK(cudaMalloc(&p[i], 1 + i * 37));
    cr_assert_eq((uintptr_t)p[i] % 256, 0);
  }

  cr_assert_eq(emu_live_allocations(), 5);
  for (int i = 0; i < 5; ++i) OK(cudaFree(p[i]));
  cr_assert_eq(emu_live_allocations(), 0);
  cr_assert_eq(emu_read_counts().allocations, 5);
  cr_assert_eq(emu_read_counts().frees, 5);
}

Test(memory, limit) {
  emu_set_memory(1 << 20);
  size_t left = 0, total = 0;
  OK(cudaMemGetInfo(&left, &total));
  cr_assert_eq(total, 1 << 20);

  void *big = NULL, *small = NULL;
  FAILS(cudaErrorMemoryAllocation, cudaMalloc(&big, (1 << 20) + 1));
  cr_assert_null(big);
  FAILS(cudaErrorMemoryAllocation, cudaMalloc(&big, SIZE_MAX / 2));
  FAILS(cudaErrorMemoryAllocation, cudaGetLastError());
  OK(cudaGetLastError());

  OK(cudaMalloc(&big, 1 << 19));
  OK(cudaMemGetInfo(&left, &total));
  cr_assert_leq(left, 1 << 19);
  FAILS(cudaErrorMemoryAllocation, cudaMalloc(&small, (1 << 19) + 4096));
  OK(cudaFree(big));
  OK(cudaMalloc(&small, (1 << 19) + 4096));
  OK(cudaFree(small));
}

Test(memory, freed_twice_or_in_the_middle) {
  float *d = device_floats(16);
  FAILS(cudaErrorInvalidValue, cudaFree(d + 4));
  OK(cudaFree(d));
  FAILS(cudaErrorInvalidValue, cudaFree(d));
  REPORTS("not the start of device memory");

  float host[4];
  FAILS(cudaErrorInvalidValue, cudaFree(host));

  float *h = pinned_floats(16);
  FAILS(cudaErrorInvalidValue, cudaFreeHost(h + 1));
  OK(cudaFreeHost(h));
  FAILS(cudaErrorInvalidValue, cudaFreeHost(h));
}

Test(memory, pinned_overrun_is_found) {
  char *h = NULL;
  OK(cudaHostAlloc((void **)&h, 100, cudaHostAllocDefault));
  volatile char *past = h;
  past[100] = 1;
  FAILS(cudaErrorIllegalAddress, cudaFreeHost(h));
  REPORTS("0 bytes past its end");
  FAILS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  OK(cudaDeviceReset());
  OK(cudaDeviceSynchronize());
}

Test(memory, host_alloc_flags) {
  void *h = NULL;
  OK(cudaHostAlloc(&h, 64, cudaHostAllocPortable | cudaHostAllocMapped));
  void *device = NULL;
  OK(cudaHostGetDevicePointer(&device, h, 0));
  cr_assert_eq(device, h);
  FAILS(cudaErrorInvalidValue, cudaHostGetDevicePointer(&device, (char *)h + 16, 0));
  OK(cudaFreeHost(h));
  FAILS(cudaErrorInvalidValue, cudaHostAlloc(&h, 64, 1u << 20));
  int local = 0;
  FAILS(cudaErrorInvalidValue, cudaHostGetDevicePointer(&device, &local, 0));
}

Test(memory, registered) {
  float *host = calloc(64, sizeof *host);
  OK(cudaHostRegister(host, 64 * sizeof *host, cudaHostRegisterDefault));
  FAILS(cudaErrorHostMemoryAlreadyRegistered, cudaHostRegister(host + 8, 32, cudaHostRegisterDefault));
  FAILS(cudaErrorInvalidValue, cudaFreeHost(host));
  OK(launch_add(host, 64, 2.0f, NULL));  // mapped: kernels may use it
  OK(cudaDeviceSynchronize());
  for (int i = 0; i < 64; ++i) cr_assert_eq(host[i], 2.0f);
  OK(cudaHostUnregister(host));
  FAILS(cudaErrorHostMemoryNotRegistered, cudaHostUnregister(host));
  free(host);
}

Test(memory, pointer_attributes) {
  float *d = device_floats(16), *h = pinned_floats(16), local = 0;
  struct cudaPointerAttributes a;

  OK(cudaPointerGetAttributes(&a, d + 3));
  cr_assert_eq(a.type, cudaMemoryTypeDevice);
  cr_assert_eq(a.devicePointer, d + 3);
  OK(cudaPointerGetAttributes(&a, h + 15));
  cr_assert_eq(a.type, cudaMemoryTypeHost);
  cr_assert_eq(a.hostPointer, h + 15);
  OK(cudaPointerGetAttributes(&a, &local));
  cr_assert_eq(a.type, cudaMemoryTypeUnregistered);

  OK(cudaFree(d));
  OK(cudaPointerGetAttributes(&a, d));
  cr_assert_eq(a.type, cudaMemoryTypeUnregistered);
  OK(cudaFreeHost(h));
}

Test(memory, async_allocation) {
  cudaStream_t s;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  emu_set_deferred(1);
  float *d = NULL, host[8];

  OK(cudaMallocAsync((void **)&d, sizeof host, s));
  OK(cudaMemsetAsync(d, 0, sizeof host, s));
  OK(launch_add(d, 8, 3.0f, s));
  OK(cudaMemcpyAsync(host, d, sizeof host, cudaMemcpyDeviceToHost, s));
  OK(cudaFreeAsync(d, s));
  cr_assert_eq(emu_live_allocations(), 1);

  OK(cudaStreamSynchronize(s));
  cr_assert_eq(emu_live_allocations(), 0);
  for (int i = 0; i < 8; ++i) cr_assert_eq(host[i], 3.0f);

  FAILS(cudaErrorInvalidValue, cudaFreeAsync(d, s));
  OK(cudaStreamDestroy(s));
}

Test(memory, freed_twice_in_stream_order) {
  emu_set_deferred(1);
  float *d = device_floats(8);
  OK(cudaFreeAsync(d, NULL));
  OK(cudaFreeAsync(d, NULL));
  FAILS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  REPORTS("freed twice");
  OK(cudaDeviceReset());
}

Test(memory, pitch) {
  void *p = NULL;
  size_t pitch = 0;
  OK(cudaMallocPitch(&p, &pitch, 100, 7));
  cr_assert_eq(pitch, 512);
  OK(cudaMemset2D(p, pitch, 1, 100, 7));
  FAILS(cudaErrorInvalidPitchValue, cudaMemset2D(p, 99, 1, 100, 7));
  FAILS(cudaErrorInvalidValue, cudaMemset2D(p, pitch, 1, 100, 8));
  OK(cudaFree(p));
}

Test(memory, free_waits_for_the_device) {
  emu_set_deferred(1);
  float *d = device_floats(64), *other = device_floats(64);
  OK(cudaMemsetAsync(d, 0, 256, NULL));
  OK(launch_add(d, 64, 1.0f, NULL));
  cr_assert_eq(emu_pending_work(), 2);
  OK(cudaFree(other));
  cr_assert_eq(emu_pending_work(), 0);
  OK(cudaFree(d));
}

// Under AddressSanitizer these two end the program with its own report.
#ifndef __SANITIZE_ADDRESS__
Test(memory, kernel_overrun_is_found_by_its_guard) {
  float *d = device_floats(10);
  OK(launch_poke(d, 10, NULL));
  cr_assert_neq(cudaDeviceSynchronize(), cudaSuccess);
  cr_assert_neq(strlen(emu_last_report()), 0);
  cr_assert_neq(cudaMalloc((void **)&d, 4), cudaSuccess);  // sticky
  OK(cudaDeviceReset());
  OK(cudaMalloc((void **)&d, 4));
  OK(cudaFree(d));
}

Test(memory, kernel_on_freed_memory) {
  float *d = device_floats(10);
  OK(cudaFree(d));
  OK(launch_poke(d, 0, NULL));
  FAILS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  FAILS(cudaErrorIllegalAddress, cudaGetLastError());
  FAILS(cudaErrorIllegalAddress, cudaGetLastError());  // does not go away
  OK(cudaDeviceReset());
}
#endif

Test(memory, reset_frees_everything) {
  device_floats(10);
  pinned_floats(10);
  cudaStream_t s;
  cudaEvent_t e;
  OK(cudaStreamCreate(&s));
  OK(cudaEventCreate(&e));

  OK(cudaDeviceReset());
  cr_assert_eq(emu_live_allocations(), 0);
  cr_assert_eq(emu_live_host_allocations(), 0);
  cr_assert_eq(emu_live_handles(), 0);
  FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(s));
  FAILS(cudaErrorInvalidResourceHandle, cudaEventSynchronize(e));
}

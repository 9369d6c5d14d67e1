#include "check.h"

TestSuite(streams, .init = quiet);

Test(streams, creation) {
  cudaStream_t s;
  unsigned flags = 9;
  int priority = 9, least = 9, greatest = 9;
  OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  cr_assert_eq(least, 0);
  cr_assert_lt(greatest, 0);

  OK(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, greatest - 10));
  OK(cudaStreamGetFlags(s, &flags));
  OK(cudaStreamGetPriority(s, &priority));
  cr_assert_eq(flags, cudaStreamNonBlocking);
  cr_assert_eq(priority, greatest);  // clamped

  unsigned long long id = 0, other = 0;
  OK(cudaStreamGetId(s, &id));
  OK(cudaStreamGetId(NULL, &other));
  cr_assert_neq(id, other);

  OK(cudaStreamDestroy(s));
  FAILS(cudaErrorInvalidValue, cudaStreamCreateWithFlags(&s, 8));
  FAILS(cudaErrorInvalidValue, cudaStreamCreate(NULL));
  FAILS(cudaErrorInvalidResourceHandle, cudaStreamDestroy(s));
  FAILS(cudaErrorInvalidResourceHandle, cudaStreamDestroy(NULL));
  FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(s));
  FAILS(cudaErrorInvalidResourceHandle, cudaMemsetAsync(device_floats(1), 0, 4, s));
  cr_assert_eq(emu_live_handles(), 0);
}

Test(streams, deferred_work_waits) {
  emu_set_deferred(1);
  cudaStream_t s;
  OK(cudaStreamCreate(&s));
  float *d = device_floats(64), *h = pinned_floats(64);

  OK(cudaMemsetAsync(d, 0, 256, s));
  OK(launch_add(d, 64, 2.0f, s));
  for (int i = 0; i < 64; ++i) h[i] = 5.0f;
  OK(cudaMemcpyAsync(h, d, 256, cudaMemcpyDeviceToHost, s));

  cr_assert_eq(emu_pending_work(), 3);
  cr_assert(isnan(h[0]), "what will be written is garbage until then");
  FAILS(cudaErrorNotReady, cudaStreamQuery(s));
  FAILS(cudaErrorNotReady, cudaGetLastError());

  int asked = 1;
  while (cudaStreamQuery(s) == cudaErrorNotReady) ++asked;
  cr_assert_leq(asked, 4);  // asking makes progress
  for (int i = 0; i < 64; ++i) cr_assert_eq(h[i], 2.0f);

  OK(cudaStreamDestroy(s));
  OK(cudaFree(d));
  OK(cudaFreeHost(h));
}

// The bug that deferred streams are for: the next step's data overwrite what the copy has yet to read.
static float early_reuse(float *host) {
  cudaStream_t s;
  OK(cudaStreamCreate(&s));
  float *d = device_floats(4), value = 0;

  host[0] = 1.0f;
  OK(cudaMemcpyAsync(d, host, 16, cudaMemcpyHostToDevice, s));
  OK(launch_add(d, 4, 1.0f, s));
  host[0] = 100.0f;
  OK(cudaStreamSynchronize(s));
  OK(cudaMemcpy(&value, d, 4, cudaMemcpyDeviceToHost));

  OK(cudaFree(d));
  OK(cudaStreamDestroy(s));
  return value;
}

Test(streams, host_buffer_reused_too_early) {
  float *h = pinned_floats(4), pageable[4];
  emu_set_deferred(0);
  cr_assert_eq(early_reuse(h), 2.0f);
  emu_set_deferred(1);
  cr_assert_eq(early_reuse(h), 101.0f);
  cr_assert_eq(early_reuse(pageable), 101.0f);  // CUDA promises no staging for cudaMemcpyAsync
  OK(cudaFreeHost(h));
}

Test(streams, host_buffer_read_too_early) {
  emu_set_deferred(1);
  float *d = device_floats(4), *h = pinned_floats(4);
  h[0] = 3.0f;
  OK(cudaMemset(d, 0, 16));
  OK(cudaMemcpyAsync(h, d, 16, cudaMemcpyDeviceToHost, NULL));
  cr_assert(isnan(h[0]));
  OK(cudaStreamSynchronize(NULL));
  cr_assert_eq(h[0], 0.0f);
  OK(cudaFree(d));
  OK(cudaFreeHost(h));
}

// A pinned buffer that one copy fills and the next sends on keeps what the first wrote.
Test(streams, host_buffer_passed_on_in_the_stream) {
  emu_set_deferred(1);
  float *a = device_floats(4), *b = device_floats(4), *h = pinned_floats(4);
  h[0] = 7.0f;

  OK(cudaMemcpyAsync(a, h, 16, cudaMemcpyHostToDevice, NULL));
  OK(launch_add(a, 4, 1.0f, NULL));
  OK(cudaMemcpyAsync(h, a, 16, cudaMemcpyDeviceToHost, NULL));
  OK(cudaMemcpyAsync(b, h, 16, cudaMemcpyHostToDevice, NULL));
  cr_assert_eq(value_at(b, 0), 8.0f);

  OK(cudaFree(a));
  OK(cudaFree(b));
  OK(cudaFreeHost(h));
}

// cudaMemcpy from pageable memory has read the buffer when it returns, but the device may not have it yet.
Test(streams, pageable_copy_is_staged) {
  emu_set_deferred(1);
  cudaStream_t aside, s;
  OK(cudaStreamCreateWithFlags(&aside, cudaStreamNonBlocking));
  OK(cudaStreamCreate(&s));
  float *d = device_floats(4), *out = device_floats(4), host[4] = {1, 2, 3, 4}, back = 0;

  OK(cudaMemcpy(d, host, sizeof host, cudaMemcpyHostToDevice));
  host[0] = 50.0f;
  OK(launch_copy_plus(out, d, 4, 0.0f, aside));
  OK(cudaStreamSynchronize(aside));
  OK(cudaMemcpyAsync(&back, out, 4, cudaMemcpyDeviceToHost, aside));
  OK(cudaStreamSynchronize(aside));
  cr_assert(isnan(back), "a stream that does not wait for the legacy stream came first");

  OK(launch_copy_plus(out, d, 4, 0.0f, s));
  cr_assert_eq(value_at(out, 0), 1.0f);

  OK(cudaStreamDestroy(aside));
  OK(cudaStreamDestroy(s));
  OK(cudaFree(d));
  OK(cudaFree(out));
}

Test(streams, legacy_stream_orders_blocking_streams) {
  emu_set_deferred(1);
  cudaStream_t a, b;
  OK(cudaStreamCreate(&a));
  OK(cudaStreamCreate(&b));
  float *d = device_floats(4);

  OK(cudaMemsetAsync(d, 0, 16, a));
  OK(launch_add(d, 4, 1.0f, NULL));
  OK(launch_copy_plus(d, d, 4, 10.0f, b));
  OK(cudaStreamSynchronize(b));
  cr_assert_eq(emu_pending_work(), 0);
  cr_assert_eq(value_at(d, 2), 11.0f);

  OK(cudaFree(d));
  OK(cudaStreamDestroy(a));
  OK(cudaStreamDestroy(b));
}

Test(streams, destroyed_with_work) {
  emu_set_deferred(1);
  cudaStream_t s;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  float *d = device_floats(4);

  OK(cudaMemsetAsync(d, 0, 16, s));
  OK(launch_add(d, 4, 1.0f, s));
  OK(cudaStreamDestroy(s));

  cr_assert_eq(emu_pending_work(), 2);
  OK(cudaDeviceSynchronize());
  cr_assert_eq(value_at(d, 0), 1.0f);
  OK(cudaFree(d));
}

static void set_flag(void *data) {
  *(int *)data += 1;
}
static cudaError_t forbidden;
static void call_cuda(void *data) {
  forbidden = cudaStreamSynchronize((cudaStream_t)data);
}

Test(streams, host_functions) {
  emu_set_deferred(1);
  int flag = 0;
  OK(cudaLaunchHostFunc(NULL, set_flag, &flag));
  OK(cudaLaunchHostFunc(NULL, call_cuda, NULL));
  cr_assert_eq(flag, 0);
  OK(cudaDeviceSynchronize());
  cr_assert_eq(flag, 1);
  cr_assert_eq(forbidden, cudaErrorNotPermitted);
  FAILS(cudaErrorInvalidValue, cudaLaunchHostFunc(NULL, NULL, NULL));
}

Test(streams, mode_of_the_environment) {
  static int flag;
  setenv("VISE_EMU_STREAMS", "deferred", 1);
  OK(cudaLaunchHostFunc(NULL, set_flag, &flag));
  cr_assert_eq(emu_pending_work(), 1);
  OK(cudaDeviceSynchronize());
  cr_assert_eq(flag, 1);
}

Test(streams, counters) {
  float *d = device_floats(64), host[64];
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cudaStream_t s;
  OK(cudaStreamCreate(&s));

  for (int deferred = 0; deferred < 2; ++deferred) {
    emu_set_deferred(deferred);
    emu_reset_counts();
    OK(cudaMemsetAsync(d, 0, 256, s));
    OK(launch_add(d, 64, 1.0f, s));
    OK(launch_add(d, 64, 1.0f, s));
    OK(cudaMemcpyAsync(host, d, 256, cudaMemcpyDeviceToHost, s));
    OK(cudaStreamSynchronize(s));

    emu_counts c = emu_read_counts();
    cr_assert_eq(c.launches, 2);
    cr_assert_eq(c.memsets, 1);
    cr_assert_eq(c.copies, 1);
    cr_assert_eq(c.copied_bytes, 256);
    cr_assert_eq(c.synchronizations, 1);
    cr_assert_eq(c.allocations, 0);

    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
    OK(launch_add(d, 64, 1.0f, s));
    OK(cudaMemsetAsync(d, 0, 256, s));
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    cr_assert_eq(emu_read_counts().launches, 2, "captured work does not run");

    for (int i = 0; i < 3; ++i) OK(cudaGraphLaunch(exec, s));
    OK(cudaStreamSynchronize(s));
    c = emu_read_counts();
    cr_assert_eq(c.launches, 5);
    cr_assert_eq(c.memsets, 4);
    cr_assert_eq(c.graph_launches, 3);

    OK(cudaGraphExecDestroy(exec));
    OK(cudaGraphDestroy(graph));
  }

  OK(cudaStreamDestroy(s));
  OK(cudaFree(d));
  cr_assert_eq(emu_live_handles(), 0);
}

#include <time.h>

#include "check.h"

TestSuite(events, .init = quiet);

Test(events, life) {
  cudaEvent_t e, f;
  OK(cudaEventCreate(&e));
  OK(cudaEventCreateWithFlags(&f, cudaEventDisableTiming | cudaEventBlockingSync));

  FAILS(cudaErrorInvalidValue, cudaEventCreate(NULL));
  FAILS(cudaErrorInvalidValue, cudaEventCreateWithFlags(&f, 64));
  FAILS(cudaErrorInvalidValue, cudaEventCreateWithFlags(&f, cudaEventInterprocess));

  OK(cudaEventQuery(e));  // never recorded: done
  OK(cudaEventSynchronize(e));
  OK(cudaEventDestroy(e));

  FAILS(cudaErrorInvalidResourceHandle, cudaEventDestroy(e));
  FAILS(cudaErrorInvalidResourceHandle, cudaEventRecord(e, NULL));
  FAILS(cudaErrorInvalidResourceHandle, cudaStreamWaitEvent(NULL, e, 0));
  FAILS(cudaErrorInvalidResourceHandle, cudaEventRecord(NULL, NULL));

  OK(cudaEventDestroy(f));
  cr_assert_eq(emu_live_handles(), 0);
}

Test(events, elapsed_time) {
  cudaEvent_t a, b, untimed;
  float ms = -1;
  OK(cudaEventCreate(&a));
  OK(cudaEventCreate(&b));
  OK(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  FAILS(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, a, b));

  float *d = device_floats(64), first = 0;
  for (int round = 0; round < 2; ++round) {
    emu_set_deferred(round);
    OK(cudaMemset(d, 0, 256));
    OK(cudaEventRecord(a, NULL));
    for (int i = 0; i < 10; ++i) OK(launch_add(d, 64, 1.0f, NULL));
    OK(cudaEventRecord(b, NULL));
    if (round) FAILS(cudaErrorNotReady, cudaEventElapsedTime(&ms, a, b));

    OK(cudaEventSynchronize(b));
    OK(cudaEventElapsedTime(&ms, a, b));
    cr_assert_gt(ms, 0);
    if (!round) first = ms;
    cr_assert_eq(ms, first, "the clock depends on the work alone");
  }

  OK(cudaEventRecord(untimed, NULL));
  FAILS(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, a, untimed));
  FAILS(cudaErrorInvalidValue, cudaEventElapsedTime(NULL, a, b));

  OK(cudaEventDestroy(a));
  OK(cudaEventDestroy(b));
  OK(cudaEventDestroy(untimed));
  OK(cudaFree(d));
}

static void pass_time(void *data) {
  nanosleep(data, NULL);
}

Test(events, real_clock) {
  setenv("VISE_EMU_CLOCK", "real", 1);
  cudaEvent_t a, b;
  float ms = 0;
  struct timespec pause = {.tv_nsec = 20000000};
  OK(cudaEventCreate(&a));
  OK(cudaEventCreate(&b));

  OK(cudaEventRecord(a, NULL));
  OK(cudaLaunchHostFunc(NULL, pass_time, &pause));
  OK(cudaEventRecord(b, NULL));
  OK(cudaEventSynchronize(b));
  OK(cudaEventElapsedTime(&ms, a, b));
  cr_assert(ms >= 20.0f, "%g ms", (double)ms);

  OK(cudaEventDestroy(a));
  OK(cudaEventDestroy(b));
}

Test(events, query_makes_progress) {
  emu_set_deferred(1);
  cudaEvent_t e;
  OK(cudaEventCreate(&e));
  float *d = device_floats(4);
  OK(cudaMemsetAsync(d, 0, 16, NULL));
  OK(cudaEventRecord(e, NULL));
  OK(launch_add(d, 4, 1.0f, NULL));

  FAILS(cudaErrorNotReady, cudaEventQuery(e));
  int asked = 0;
  while (cudaEventQuery(e) == cudaErrorNotReady) ++asked;
  cr_assert_leq(asked, 2);
  cr_assert_eq(emu_pending_work(), 1);  // what came after the event was not needed

  OK(cudaDeviceSynchronize());
  OK(cudaEventDestroy(e));
  OK(cudaFree(d));
}

// Producer in one stream, consumer in another, both deferred. The consumer is asked for first.
static float produce_and_consume(int wait) {
  cudaStream_t producer, consumer;
  cudaEvent_t ready;
  OK(cudaStreamCreateWithFlags(&producer, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&consumer, cudaStreamNonBlocking));
  OK(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
  float *d = device_floats(4), *out = device_floats(4), value = 0;

  OK(cudaMemsetAsync(d, 0, 16, producer));
  OK(launch_add(d, 4, 1.0f, producer));
  OK(cudaEventRecord(ready, producer));
  OK(launch_add(d, 4, 100.0f, producer));
  if (wait) OK(cudaStreamWaitEvent(consumer, ready, 0));
  OK(cudaEventRecord(ready, producer));  // recorded again: the wait means the first one
  OK(launch_copy_plus(out, d, 4, 5.0f, consumer));

  OK(cudaStreamSynchronize(consumer));
  OK(cudaMemcpyAsync(&value, out, 4, cudaMemcpyDeviceToHost, consumer));
  OK(cudaStreamSynchronize(consumer));

  OK(cudaEventDestroy(ready));
  OK(cudaStreamDestroy(producer));
  OK(cudaStreamDestroy(consumer));
  OK(cudaFree(d));
  OK(cudaFree(out));
  return value;
}

Test(events, wait_orders_streams) {
  emu_set_deferred(1);
  cr_assert_eq(produce_and_consume(1), 6.0f);
}

Test(events, forgotten_wait_shows) {
  emu_set_deferred(1);
  cr_assert(isnan(produce_and_consume(0)));
}

Test(events, wait_outlives_event_and_stream) {
  emu_set_deferred(1);
  cudaStream_t a, b;
  cudaEvent_t e;
  OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  OK(cudaEventCreate(&e));
  float *d = device_floats(4);

  OK(cudaMemsetAsync(d, 0, 16, a));
  OK(cudaEventRecord(e, a));
  OK(cudaStreamWaitEvent(b, e, 0));
  OK(cudaEventDestroy(e));
  OK(cudaStreamDestroy(a));

  OK(launch_add(d, 4, 1.0f, b));
  OK(cudaStreamSynchronize(b));
  cr_assert_eq(value_at(d, 0), 1.0f);

  OK(cudaStreamDestroy(b));
  OK(cudaFree(d));
}

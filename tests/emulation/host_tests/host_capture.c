// What is not permitted while a stream is captured.
#include "check.h"

static cudaStream_t s;
static float *d;

static void begin(void) {
  quiet();
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  d = device_floats(16);
  OK(cudaMemset(d, 0, 64));
  OK(cudaDeviceSynchronize());  // a non-blocking stream does not wait for it
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(launch_add(d, 16, 1.0f, s));
}

// The capture is lost: its stream refuses work, and ending it gives no graph. After that the stream works again.
static void lost(void) {
  cudaGraph_t graph = (cudaGraph_t)&graph;
  enum cudaStreamCaptureStatus status;
  OK(cudaStreamIsCapturing(s, &status));
  cr_assert_eq(status, cudaStreamCaptureStatusInvalidated);

  FAILS(cudaErrorStreamCaptureInvalidated, launch_add(d, 16, 1.0f, s));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(s, &graph));
  cr_assert_null(graph);

  OK(launch_add(d, 16, 1.0f, s));
  OK(cudaStreamSynchronize(s));
  cr_assert_eq(value_at(d, 0), 1.0f);

  OK(cudaStreamDestroy(s));
  OK(cudaFree(d));
  cr_assert_eq(emu_live_handles(), 0);
}

static void end(void) {
  OK(cudaDeviceReset());
}

TestSuite(capture, .init = begin, .fini = end);

Test(capture, synchronizing_the_stream) {
  FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(s));
  REPORTS("cudaStreamSynchronize");
  lost();
}

Test(capture, asking_the_stream) {
  FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamQuery(s));
  lost();
}

Test(capture, synchronizing_the_device) {
  FAILS(cudaErrorStreamCaptureUnsupported, cudaDeviceSynchronize());
  lost();
}

Test(capture, allocating) {
  void *p = NULL;
  FAILS(cudaErrorStreamCaptureUnsupported, cudaMalloc(&p, 64));
  lost();
}

Test(capture, allocating_pinned) {
  void *p = NULL;
  FAILS(cudaErrorStreamCaptureUnsupported, cudaMallocHost(&p, 64));
  lost();
}

Test(capture, freeing) {
  FAILS(cudaErrorStreamCaptureUnsupported, cudaFree(d));
  lost();
}

Test(capture, synchronous_copy) {
  float host[16] = {0};
  FAILS(cudaErrorStreamCaptureUnsupported, cudaMemcpy(host, d, 64, cudaMemcpyDeviceToHost));
  lost();
}

Test(capture, captured_event) {
  cudaEvent_t e;
  OK(cudaEventCreate(&e));
  OK(cudaEventRecord(e, s));
  FAILS(cudaErrorCapturedEvent, cudaEventSynchronize(e));
  OK(cudaEventDestroy(e));
  lost();
}

Test(capture, asking_a_captured_event) {
  cudaEvent_t e;
  OK(cudaEventCreate(&e));
  OK(cudaEventRecord(e, s));
  FAILS(cudaErrorCapturedEvent, cudaEventQuery(e));
  OK(cudaEventDestroy(e));
  lost();
}

Test(capture, waiting_for_what_is_not_captured) {
  cudaEvent_t e;
  OK(cudaEventCreate(&e));
  OK(cudaEventRecord(e, NULL));
  FAILS(cudaErrorStreamCaptureIsolation, cudaStreamWaitEvent(s, e, 0));
  OK(cudaEventDestroy(e));
  lost();
}

Test(capture, begun_twice) {
  cudaGraph_t graph;
  FAILS(cudaErrorIllegalState, cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(cudaStreamEndCapture(s, &graph));
  FAILS(cudaErrorIllegalState, cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));
}

Test(capture, legacy_stream) {
  cudaGraph_t graph;
  FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamBeginCapture(NULL, cudaStreamCaptureModeGlobal));
  // Streams that do not wait for the legacy stream do not mind its work.
  OK(cudaMemsetAsync(d, 0, 64, NULL));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));
}

Test(capture, legacy_work_beside_a_blocking_stream) {
  cudaGraph_t graph = NULL;
  cudaStream_t blocking;

  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));
  OK(cudaStreamCreate(&blocking));

  OK(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed));
  FAILS(cudaErrorStreamCaptureImplicit, cudaMemsetAsync(d, 0, 64, NULL));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(blocking, &graph));

  OK(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed));
  FAILS(cudaErrorStreamCaptureImplicit, cudaMemcpy(d, d + 8, 16, cudaMemcpyDeviceToDevice));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(blocking, &graph));
}

Test(capture, relaxed_mode_allocates) {
  cudaGraph_t graph;
  void *p = NULL;
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed));
  OK(cudaMalloc(&p, 64));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  enum cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  OK(cudaThreadExchangeStreamCaptureMode(&mode));
  cr_assert_eq(mode, cudaStreamCaptureModeGlobal);
  OK(cudaFree(p));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphDestroy(graph));
}

Test(capture, not_joined) {
  cudaStream_t other;
  cudaEvent_t e;
  cudaGraph_t graph;

  OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  OK(cudaEventCreate(&e));
  OK(cudaEventRecord(e, s));
  OK(cudaStreamWaitEvent(other, e, 0));
  OK(launch_add(d, 16, 1.0f, other));

  FAILS(cudaErrorStreamCaptureUnjoined, cudaStreamEndCapture(s, &graph));
  REPORTS("not joined");
  cr_assert_null(graph);

  OK(launch_add(d, 16, 1.0f, other));  // outside the capture now
  OK(cudaStreamSynchronize(other));
}

Test(capture, ended_in_another_stream) {
  cudaStream_t other;
  cudaEvent_t e;
  cudaGraph_t graph;

  OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  OK(cudaEventCreate(&e));
  OK(cudaEventRecord(e, s));
  OK(cudaStreamWaitEvent(other, e, 0));

  FAILS(cudaErrorStreamCaptureUnmatched, cudaStreamEndCapture(other, &graph));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(s, &graph));
}

Test(capture, two_captures_do_not_merge) {
  cudaStream_t other;
  cudaEvent_t e;
  cudaGraph_t graph;

  OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  OK(cudaEventCreate(&e));
  OK(cudaStreamBeginCapture(other, cudaStreamCaptureModeGlobal));
  OK(cudaEventRecord(e, s));

  FAILS(cudaErrorStreamCaptureMerge, cudaStreamWaitEvent(other, e, 0));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(other, &graph));
  FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(s, &graph));
}

Test(capture, refused_launch_leaves_it_valid) {
  cudaGraph_t graph;
  size_t n = 0;
  float value = 0;
  int count = 0;
  void *arguments[] = {&d, &count, &value};
  FAILS(cudaErrorInvalidConfiguration, cudaLaunchKernel(kernel_add, dim(0), dim(1), arguments, 0, s));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphGetNodes(graph, NULL, &n));
  cr_assert_eq(n, 1);
  OK(cudaGraphDestroy(graph));
}

// Capture into graphs and their replay.
#include "check.h"

TestSuite(graph, .init = quiet);

static cudaStream_t stream(void) {
  cudaStream_t s;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  return s;
}

// The i-th node of this type in the graph.
static cudaGraphNode_t node_of(cudaGraph_t graph, enum cudaGraphNodeType type, int i) {
  cudaGraphNode_t nodes[16];
  size_t n = 16;
  OK(cudaGraphGetNodes(graph, nodes, &n));
  for (size_t j = 0; j < n; ++j) {
    enum cudaGraphNodeType got;
    OK(cudaGraphNodeGetType(nodes[j], &got));
    if (got == type && i-- == 0) return nodes[j];
  }
  return NULL;
}

Test(graph, replay) {
  for (int deferred = 0; deferred < 2; ++deferred) {
    emu_set_deferred(deferred);
    cudaStream_t s = stream();
    float *d = device_floats(64), *h = pinned_floats(64);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    enum cudaStreamCaptureStatus status;

    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
    OK(cudaStreamIsCapturing(s, &status));
    cr_assert_eq(status, cudaStreamCaptureStatusActive);
    OK(cudaMemsetAsync(d, 0, 256, s));
    OK(cudaMemcpyAsync(d, h, 128, cudaMemcpyHostToDevice, s));
    OK(launch_add(d, 64, 1.0f, s));
    OK(cudaMemcpyAsync(h + 32, d, 128, cudaMemcpyDeviceToHost, s));
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaStreamIsCapturing(s, &status));
    cr_assert_eq(status, cudaStreamCaptureStatusNone);

    size_t n = 0;
    OK(cudaGraphGetNodes(graph, NULL, &n));
    cr_assert_eq(n, 4);

    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphDestroy(graph));
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 32; ++i) h[i] = (float)(10 * round + i);
      OK(cudaGraphLaunch(exec, s));
      OK(cudaStreamSynchronize(s));
      for (int i = 0; i < 32; ++i) cr_assert_eq(h[32 + i], (float)(10 * round + i + 1));
    }

    OK(cudaGraphExecDestroy(exec));
    OK(cudaStreamDestroy(s));
    OK(cudaFree(d));
    OK(cudaFreeHost(h));
  }
  cr_assert_eq(emu_live_handles(), 0);
}

Test(graph, parameters_change) {
  emu_set_deferred(1);
  cudaStream_t s = stream();
  float *d = device_floats(64), *e = device_floats(64);
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  OK(cudaMemsetAsync(d, 0, 256, s));
  OK(launch_add(d, 64, 1.0f, s));
  OK(cudaMemcpyAsync(e, d, 256, cudaMemcpyDeviceToDevice, s));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&exec, graph, 0));

  cudaGraphNode_t kernel = node_of(graph, cudaGraphNodeTypeKernel, 0),
                  copy = node_of(graph, cudaGraphNodeTypeMemcpy, 0), set = node_of(graph, cudaGraphNodeTypeMemset, 0);
  struct cudaKernelNodeParams params;
  OK(cudaGraphKernelNodeGetParams(kernel, &params));
  cr_assert_eq(params.func, (void *)(uintptr_t)kernel_add);
  cr_assert_eq(params.blockDim.x, 64);
  cr_assert_eq(*(float *)params.kernelParams[2], 1.0f);

  float value = 9.0f;
  int n = 64;
  void *arguments[] = {&d, &n, &value};
  params.kernelParams = arguments;

  OK(cudaGraphLaunch(exec, s));  // still with 1: the change comes after it
  OK(cudaGraphExecKernelNodeSetParams(exec, kernel, &params));
  value = -1.0f;

  cudaEvent_t first;
  OK(cudaEventCreate(&first));
  OK(cudaEventRecord(first, s));
  OK(cudaGraphLaunch(exec, s));
  OK(cudaEventSynchronize(first));

  float got = 0;
  cudaStream_t t = stream();
  OK(cudaMemcpyAsync(&got, e, 4, cudaMemcpyDeviceToHost, t));
  OK(cudaStreamSynchronize(t));
  cr_assert_eq(got, 1.0f);
  cr_assert_eq(value_at(e, 63), 9.0f);

  // A new target for the copy, a new value for the memset.
  const struct cudaMemsetParams ones = {.dst = d, .elementSize = 4, .value = 0x3f800000, .width = 64, .height = 1};
  OK(cudaGraphExecMemsetNodeSetParams(exec, set, &ones));
  OK(cudaGraphExecMemcpyNodeSetParams1D(exec, copy, e + 32, d, 128, cudaMemcpyDeviceToDevice));
  OK(cudaMemset(e, 0, 256));
  OK(cudaDeviceSynchronize());
  OK(cudaGraphLaunch(exec, s));
  cr_assert_eq(value_at(e, 31), 0.0f);
  cr_assert_eq(value_at(e, 32), 10.0f);

  // A node switched off.
  OK(cudaGraphNodeSetEnabled(exec, kernel, 0));
  OK(cudaGraphLaunch(exec, s));
  cr_assert_eq(value_at(e, 32), 1.0f);

  FAILS(cudaErrorInvalidValue, cudaGraphExecKernelNodeSetParams(exec, copy, &params));
  FAILS(cudaErrorInvalidValue, cudaGraphExecMemcpyNodeSetParams1D(exec, copy, e, d, 260, cudaMemcpyDeviceToDevice));
  params.blockDim.x = 2000;
  FAILS(cudaErrorInvalidConfiguration, cudaGraphExecKernelNodeSetParams(exec, kernel, &params));
  OK(cudaGraphLaunch(exec, s));
  cr_assert_eq(value_at(e, 32), 1.0f);

  OK(cudaGraphDestroy(graph));
  FAILS(cudaErrorInvalidValue, cudaGraphExecKernelNodeSetParams(exec, kernel, &params));
  OK(cudaGraphExecDestroy(exec));
  FAILS(cudaErrorInvalidValue, cudaGraphLaunch(exec, s));
  FAILS(cudaErrorInvalidValue, cudaGraphDestroy(graph));

  OK(cudaStreamDestroy(s));
  OK(cudaStreamDestroy(t));
  OK(cudaEventDestroy(first));
  OK(cudaFree(d));
  OK(cudaFree(e));
}

Test(graph, cooperative_and_cluster_nodes) {
  cudaStream_t s = stream();
  int *counts = NULL, *out = NULL, got[4];
  OK(cudaMalloc((void **)&counts, 4));
  OK(cudaMalloc((void **)&out, sizeof got));
  void *arguments[] = {&counts, &out};

  cudaLaunchAttribute cluster = {.id = cudaLaunchAttributeClusterDimension};
  cluster.val.clusterDim.x = 2;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {.gridDim = dim(4), .blockDim = dim(32), .stream = s, .attrs = &cluster, .numAttrs = 1};

  for (int kind = 0; kind < 2; ++kind) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed));
    OK(cudaMemsetAsync(counts, 0, 4, s));
    if (kind)
      OK(cudaLaunchKernelExC(&config, kernel_ranks, (void *[]){&out}));
    else
      OK(cudaLaunchCooperativeKernel(kernel_meet, dim(4), dim(32), arguments, 0, s));
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));

    emu_reset_counts();
    for (int i = 0; i < 2; ++i) {
      OK(cudaGraphLaunch(exec, s));
      OK(cudaStreamSynchronize(s));
      OK(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
      for (int j = 0; j < 4; ++j) cr_assert_eq(got[j], kind ? j % 2 * 100 + 2 : 4);
    }
    cr_assert_eq(emu_read_counts().launches, 2);
    cr_assert_eq(emu_read_counts().cooperative_launches, kind ? 0 : 2);

    OK(cudaGraphExecDestroy(exec));
    OK(cudaGraphDestroy(graph));
  }

  OK(cudaStreamDestroy(s));
  OK(cudaFree(counts));
  OK(cudaFree(out));
}

static void add_hundred(void *data) {
  *(float *)data += 100.0f;
}

Test(graph, fork_and_join) {
  cudaStream_t s = stream(), t = stream();
  cudaEvent_t fork, join;
  OK(cudaEventCreate(&fork));
  OK(cudaEventCreate(&join));
  float *a = device_floats(4), *b = device_floats(4), counted = 0;
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(cudaMemsetAsync(a, 0, 16, s));
  OK(cudaEventRecord(fork, s));
  OK(cudaStreamWaitEvent(t, fork, 0));
  OK(launch_copy_plus(b, a, 4, 5.0f, t));  // in parallel with the host function
  OK(cudaLaunchHostFunc(s, add_hundred, &counted));
  OK(cudaEventRecord(join, t));
  OK(cudaStreamWaitEvent(s, join, 0));
  OK(launch_add(b, 4, 1.0f, s));
  OK(cudaStreamEndCapture(s, &graph));

  cudaGraphNode_t last = node_of(graph, cudaGraphNodeTypeKernel, 1), before[4];
  size_t n = 4;
  OK(cudaGraphNodeGetDependencies(last, before, NULL, &n));
  cr_assert_eq(n, 2);

  OK(cudaGraphInstantiate(&exec, graph, 0));
  cr_assert_eq(counted, 0.0f);
  for (int i = 1; i <= 2; ++i) {
    OK(cudaGraphLaunch(exec, t));
    OK(cudaStreamSynchronize(t));
    cr_assert_eq(counted, 100.0f * (float)i);
    cr_assert_eq(value_at(b, 0), 6.0f);
  }

  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
  OK(cudaEventDestroy(fork));
  OK(cudaEventDestroy(join));
  OK(cudaStreamDestroy(s));
  OK(cudaStreamDestroy(t));
  OK(cudaFree(a));
  OK(cudaFree(b));
}

Test(graph, built_by_hand) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cudaGraphNode_t set, kernel, copy, empty;
  float *d = device_floats(16), host[16], value = 4.0f;
  int n = 16;
  void *arguments[] = {&d, &n, &value};
  const struct cudaMemsetParams zero = {.dst = d, .elementSize = 1, .width = 64, .height = 1};
  const struct cudaKernelNodeParams add = {
      .func = (void *)(uintptr_t)kernel_add, .gridDim = dim(1), .blockDim = dim(32), .kernelParams = arguments};

  OK(cudaGraphCreate(&graph, 0));
  OK(cudaGraphAddEmptyNode(&empty, graph, NULL, 0));
  OK(cudaGraphAddKernelNode(&kernel, graph, &empty, 1, &add));
  OK(cudaGraphAddMemcpyNode1D(&copy, graph, &kernel, 1, host, d, sizeof host, cudaMemcpyDeviceToHost));
  OK(cudaGraphAddMemsetNode(&set, graph, &empty, 1, &zero));
  OK(cudaGraphAddDependencies(graph, &set, &kernel, NULL, 1));
  FAILS(cudaErrorInvalidValue, cudaGraphAddDependencies(graph, &copy, &set, NULL, 1));    // a circle
  FAILS(cudaErrorInvalidValue, cudaGraphAddDependencies(graph, &set, &kernel, NULL, 1));  // exists

  OK(cudaGraphInstantiate(&exec, graph, 0));
  OK(cudaGraphLaunch(exec, NULL));
  OK(cudaDeviceSynchronize());
  for (int i = 0; i < 16; ++i) cr_assert_eq(host[i], 4.0f);

  // An update works from a graph of the same shape only.
  value = 8.0f;
  OK(cudaGraphKernelNodeSetParams(kernel, &add));
  cudaGraphExecUpdateResultInfo info;
  OK(cudaGraphExecUpdate(exec, graph, &info));
  OK(cudaGraphLaunch(exec, NULL));
  OK(cudaDeviceSynchronize());
  cr_assert_eq(host[0], 8.0f);

  OK(cudaGraphAddEmptyNode(&empty, graph, &copy, 1));
  FAILS(cudaErrorGraphExecUpdateFailure, cudaGraphExecUpdate(exec, graph, &info));
  cr_assert_eq(info.result, cudaGraphExecUpdateErrorTopologyChanged);

  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
  OK(cudaFree(d));
}

Test(graph, memory_freed_between_launches) {
  cudaStream_t s = stream();
  float *d = device_floats(16);
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(cudaMemsetAsync(d, 0, 64, s));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&exec, graph, 0));

  OK(cudaGraphLaunch(exec, s));
  OK(cudaStreamSynchronize(s));

  OK(cudaFree(d));
  OK(cudaGraphLaunch(exec, s));
  FAILS(cudaErrorIllegalAddress, cudaStreamSynchronize(s));
  OK(cudaDeviceReset());
}

// One graph launched during the capture of another.
Test(graph, launched_into_a_capture) {
  cudaStream_t s = stream();
  float *d = device_floats(16), *e = device_floats(16);
  cudaGraph_t inner, outer;
  cudaGraphExec_t exec, whole;

  OK(cudaMemset(d, 0, 64));
  OK(cudaDeviceSynchronize());
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(launch_add(d, 16, 1.0f, s));
  OK(launch_copy_plus(e, d, 16, 1.0f, s));
  OK(cudaStreamEndCapture(s, &inner));
  OK(cudaGraphInstantiate(&exec, inner, 0));

  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  OK(cudaGraphLaunch(exec, s));
  OK(cudaGraphLaunch(exec, s));
  OK(cudaStreamEndCapture(s, &outer));
  OK(cudaGraphInstantiate(&whole, outer, 0));

  OK(cudaGraphLaunch(whole, s));
  cr_assert_eq(value_at(e, 5), 3.0f);  // in the other order it would be 2

  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphExecDestroy(whole));
  OK(cudaGraphDestroy(inner));
  OK(cudaGraphDestroy(outer));
  OK(cudaStreamDestroy(s));
  OK(cudaFree(d));
  OK(cudaFree(e));
}

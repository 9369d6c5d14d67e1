// Unordered work runs in an order that the schedule chooses; ordered work is not affected.
#include "check.h"

TestSuite(order, .init = quiet);

// A chain over two streams through events, and a third stream ordered by the legacy stream.
Test(order, ordered_work_gives_one_result) {
  emu_set_deferred(1);
  cudaStream_t a, b, blocking;
  cudaEvent_t e;
  OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  OK(cudaStreamCreate(&blocking));
  OK(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));

  float *d = device_floats(64), *f = device_floats(64);
  OK(cudaMemsetAsync(f, 0, 256, blocking));
  OK(cudaMemsetAsync(d, 0, 256, a));

  float want = 0;
  for (int i = 0; i < 20; ++i) {
    const cudaStream_t from = i % 2 ? b : a, to = i % 2 ? a : b;
    OK(launch_add(d, 64, (float)i, from));
    OK(launch_copy_plus(d, d, 64, 0.5f, from));
    OK(cudaEventRecord(e, from));
    OK(cudaStreamWaitEvent(to, e, 0));
    OK(launch_add(f, 64, 1.0f, i % 2 ? NULL : blocking));
    want += (float)i + 0.5f;
  }

  OK(cudaDeviceSynchronize());
  cr_assert_eq(value_at(d, 7), want);
  cr_assert_eq(value_at(f, 7), 20.0f);

  OK(cudaEventDestroy(e));
  OK(cudaStreamDestroy(a));
  OK(cudaStreamDestroy(b));
  OK(cudaStreamDestroy(blocking));
  OK(cudaFree(d));
  OK(cudaFree(f));
}

static char trace[64];
static void note(void *data) {
  strncat(trace, (const char *)data, sizeof trace - strlen(trace) - 1);
}

Test(order, unordered_work_follows_the_schedule) {
  emu_set_deferred(1);
  static char *const names[] = {"a", "b", "c"};
  cudaStream_t s[3];
  for (int i = 0; i < 3; ++i) OK(cudaStreamCreateWithFlags(&s[i], cudaStreamNonBlocking));

  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 3; ++i) OK(cudaLaunchHostFunc(s[i], note, names[i]));
  OK(cudaDeviceSynchronize());

  const char *schedule = getenv("VISE_EMU_SCHEDULE");
  if (!schedule || !strcmp(schedule, "forward")) cr_assert_str_eq(trace, "aabbcc");
  if (schedule && !strcmp(schedule, "reverse")) cr_assert_str_eq(trace, "ccbbaa");
  cr_assert_eq(strlen(trace), 6);

  for (int i = 0; i < 3; ++i) OK(cudaStreamDestroy(s[i]));
}

Test(order, graph_nodes_follow_the_schedule) {
  static char *const names[] = {"a", "b", "c"};
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  cudaGraphNode_t nodes[3], last;

  OK(cudaGraphCreate(&graph, 0));
  for (int i = 0; i < 3; ++i) {
    const struct cudaHostNodeParams params = {.fn = note, .userData = names[i]};
    OK(cudaGraphAddHostNode(&nodes[i], graph, NULL, 0, &params));
  }
  static char end[] = "!";
  const struct cudaHostNodeParams params = {.fn = note, .userData = end};
  OK(cudaGraphAddHostNode(&last, graph, nodes, 3, &params));

  OK(cudaGraphInstantiate(&exec, graph, 0));
  OK(cudaGraphLaunch(exec, NULL));
  OK(cudaDeviceSynchronize());

  const char *schedule = getenv("VISE_EMU_SCHEDULE");
  if (!schedule || !strcmp(schedule, "forward")) cr_assert_str_eq(trace, "abc!");
  if (schedule && !strcmp(schedule, "reverse")) cr_assert_str_eq(trace, "cba!");
  cr_assert_eq(trace[3], '!');

  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
}

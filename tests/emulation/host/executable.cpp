// Executable graphs: instantiation, launches, updates. A launch holds the plan as it was then, so that updates do not
// affect launches waiting in a stream.
#include <algorithm>

#include "tests/emulation/host/graph.h"

namespace {

struct Step {
  emu::Work work;
  std::vector<size_t> after;
  const CUgraphNode_st *origin = nullptr;
  bool enabled = true;
};
using Plan = std::vector<Step>;

}  // namespace

struct CUgraphExec_st {
  std::shared_ptr<const Plan> plan;
  emu::Point last;  // launches of one executable graph do not overlap
};

namespace {

std::vector<CUgraphExec_st *> executables;

bool exists(cudaGraphExec_t exec) {
  return std::find(executables.begin(), executables.end(), exec) != executables.end();
}

Plan plan_of(const CUgraph_st &graph) {
  Plan plan;

  for (const auto &node : graph.nodes) {
    Step step;
    step.work = node->work;
    step.origin = node.get();
    for (const CUgraphNode_st *before : node->after)
      for (size_t i = 0; i < graph.nodes.size(); ++i)
        if (graph.nodes[i].get() == before) step.after.push_back(i);
    plan.push_back(std::move(step));
  }

  return plan;
}

// Runs one node after the other; the schedule picks among those that are ready.
void run_plan(const Plan &plan) {
  std::vector<bool> done(plan.size());
  for (;;) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < plan.size(); ++i)
      if (!done[i] && std::all_of(plan[i].after.begin(), plan[i].after.end(), [&](size_t j) { return done[j]; }))
        ready.push_back(i);
    if (ready.empty()) return;

    const size_t i = ready[emu::pick(ready.size())];
    if (plan[i].enabled) emu::perform(plan[i].work);
    done[i] = true;
  }
}

// A copy of the plan to change, and the node's step in it; nullptr when the node is not in the graph.
std::shared_ptr<Plan> changed_plan(cudaGraphExec_t exec, cudaGraphNode_t node, Step **step) {
  if (!exists(exec) || !emu::node_exists(node)) return nullptr;
  auto plan = std::make_shared<Plan>(*exec->plan);
  for (Step &each : *plan)
    if (each.origin == node) {
      *step = &each;
      return plan;
    }
  return nullptr;
}

}  // namespace

namespace emu {
void drop_executables() {
  for (CUgraphExec_st *exec : executables) delete exec;
  executables.clear();
}
size_t live_executables() {
  return executables.size();
}
}  // namespace emu

using emu::misuse;
using emu::result;

#define CHANGED_PLAN(plan, step)                     \
  Step *step = nullptr;                              \
  const auto plan = changed_plan(exec, node, &step); \
  if (!plan) return misuse(cudaErrorInvalidValue, "the node is not of the graph that this was instantiated from")

extern "C" {

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags) {
  EMU_ENTER();
  if (!exec || !emu::graph_exists(graph))
    return misuse(cudaErrorInvalidValue, "no such graph, or no place for the result");

  const unsigned long long known = cudaGraphInstantiateFlagAutoFreeOnLaunch | cudaGraphInstantiateFlagUpload |
                                   cudaGraphInstantiateFlagUseNodePriority;
  if (flags & cudaGraphInstantiateFlagDeviceLaunch)
    return misuse(cudaErrorNotSupported, "graphs launched by the device are not emulated");
  if (flags & ~known) return misuse(cudaErrorInvalidValue, "unknown flags 0x%llx", flags);

  *exec = new CUgraphExec_st();
  (*exec)->plan = std::make_shared<Plan>(plan_of(*graph));
  executables.push_back(*exec);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags) {
  return cudaGraphInstantiate(exec, graph, flags);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  emu::enter(__func__);
  if (!exists(exec)) return misuse(cudaErrorInvalidValue, "the executable graph does not exist");
  executables.erase(std::find(executables.begin(), executables.end(), exec));
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  EMU_ENTER();
  if (!exists(exec)) return misuse(cudaErrorInvalidValue, "the executable graph does not exist");
  if (!emu::find_stream(stream)) return misuse(cudaErrorInvalidResourceHandle, "the stream does not exist");
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle) {
  EMU_ENTER();
  if (!exists(exec)) return misuse(cudaErrorInvalidValue, "the executable graph does not exist");
  EMU_FIND_STREAM(stream, handle);

  if (stream->capture) {
    // Real CUDA makes a child graph; the same nodes in the captured graph do the same.
    if (stream->capture->invalid) return result(cudaErrorStreamCaptureInvalidated);

    std::vector<CUgraphNode_st *> made;
    for (const Step &step : *exec->plan) {
      std::vector<CUgraphNode_st *> after = stream->tail;
      if (!step.after.empty()) after.clear();
      for (size_t i : step.after) after.push_back(made[i]);
      made.push_back(emu::add_node(stream->capture->graph, step.enabled ? step.work : emu::Work(), after));
    }

    if (!made.empty()) {
      made.push_back(emu::add_node(stream->capture->graph, emu::Work(), made));
      stream->tail = {made.back()};
    }
    return cudaSuccess;
  }

  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
  }

  if (cudaError_t error = emu::launch_fault()) return error;
  emu::Task task;
  if (exec->last.stream) task.after.push_back(exec->last);
  task.run = [plan = exec->plan] {
    if (emu::sticky_error()) return;
    ++emu::counters().graph_launches;
    run_plan(*plan);
  };

  exec->last = emu::enqueue(stream, std::move(task));
  return cudaSuccess;
}

cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const struct cudaKernelNodeParams *params) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  if (cudaError_t error = emu::set_kernel(step->work, params)) return error;
  exec->plan = plan;
  return cudaSuccess;
}

cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node, void *to, const void *from,
                                               size_t bytes, enum cudaMemcpyKind kind) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  if (cudaError_t error = emu::set_copy(step->work, to, from, bytes, kind)) return error;
  exec->plan = plan;
  return cudaSuccess;
}

cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const struct cudaMemsetParams *params) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  if (cudaError_t error = emu::set_fill(step->work, params)) return error;
  exec->plan = plan;
  return cudaSuccess;
}

cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const struct cudaHostNodeParams *params) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  if (cudaError_t error = emu::set_host(step->work, params)) return error;
  exec->plan = plan;
  return cudaSuccess;
}

cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t exec, cudaGraphNode_t node, unsigned int enabled) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  const auto kind = step->work.kind;
  if (kind != emu::Work::kKernel && kind != emu::Work::kLibrary && kind != emu::Work::kCopy && kind != emu::Work::kFill)
    return misuse(cudaErrorInvalidValue, "only kernel, memcpy and memset nodes can be switched off");
  step->enabled = enabled != 0;
  exec->plan = plan;
  return cudaSuccess;
}

cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t exec, cudaGraphNode_t node, unsigned int *enabled) {
  EMU_ENTER();
  CHANGED_PLAN(plan, step);
  if (!enabled) return misuse(cudaErrorInvalidValue, "the place for the answer is NULL");
  *enabled = step->enabled;
  return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info) {
  EMU_ENTER();
  if (!exists(exec) || !emu::graph_exists(graph) || !info)
    return misuse(cudaErrorInvalidValue, "no such graphs, or no place for the result");

  *info = cudaGraphExecUpdateResultInfo();
  auto plan = std::make_shared<Plan>(plan_of(*graph));
  info->result =
      plan->size() == exec->plan->size() ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateErrorTopologyChanged;

  for (size_t i = 0; i < plan->size() && info->result == cudaGraphExecUpdateSuccess; ++i) {
    Step &now = (*plan)[i];
    const Step &old = (*exec->plan)[i];
    if (emu::type_of(now.work) != emu::type_of(old.work)) info->result = cudaGraphExecUpdateErrorNodeTypeChanged;
    if (now.after != old.after) info->result = cudaGraphExecUpdateErrorTopologyChanged;
    if (info->result != cudaGraphExecUpdateSuccess) info->errorNode = const_cast<CUgraphNode_st *>(now.origin);

    now.origin = old.origin;  // later changes still name the nodes of the first graph
    now.enabled = old.enabled;
  }

  if (info->result != cudaGraphExecUpdateSuccess) return result(cudaErrorGraphExecUpdateFailure);
  exec->plan = plan;
  return cudaSuccess;
}

}  // extern "C"

// Graphs: nodes, their parameters, and building without capture.
#include "tests/emulation/host/graph.h"

#include <algorithm>
#include <cstring>

namespace emu {
namespace {

std::vector<CUgraph_st *> graphs;

}  // namespace

CUgraph_st *new_graph() {
  graphs.push_back(new CUgraph_st());
  return graphs.back();
}

CUgraphNode_st *add_node(CUgraph_st *graph, Work work, std::vector<CUgraphNode_st *> after) {
  graph->nodes.push_back(std::make_unique<CUgraphNode_st>());
  CUgraphNode_st *node = graph->nodes.back().get();
  node->work = std::move(work);
  node->after = std::move(after);
  node->graph = graph;
  return node;
}

void delete_graph(CUgraph_st *graph) {
  graphs.erase(std::remove(graphs.begin(), graphs.end(), graph), graphs.end());
  delete graph;
}

void drop_graphs() {
  while (!graphs.empty()) delete_graph(graphs.back());
  drop_executables();
}

bool graph_exists(cudaGraph_t graph) {
  return std::find(graphs.begin(), graphs.end(), graph) != graphs.end();
}

bool node_exists(cudaGraphNode_t node) {
  for (CUgraph_st *graph : graphs)
    for (const auto &known : graph->nodes)
      if (known.get() == node) return true;
  return false;
}

size_t live_graphs() {
  return graphs.size();
}

cudaGraphNodeType type_of(const Work &work) {
  switch (work.kind) {
    case Work::kKernel:
    case Work::kLibrary:
      return cudaGraphNodeTypeKernel;
    case Work::kCopy:
      return cudaGraphNodeTypeMemcpy;
    case Work::kFill:
      return cudaGraphNodeTypeMemset;
    case Work::kHost:
      return cudaGraphNodeTypeHost;
    default:
      return cudaGraphNodeTypeEmpty;
  }
}

cudaError_t set_kernel(Work &work, const cudaKernelNodeParams *params) {
  if (!params) return misuse(cudaErrorInvalidValue, "the parameters are NULL");
  if (work.kind != Work::kKernel) return misuse(cudaErrorInvalidValue, "not a kernel node whose kernel is known");
  if (params->extra) return misuse(cudaErrorNotSupported, "`extra` is not emulated, use kernelParams");

  Launch launch;
  launch.grid = params->gridDim;
  launch.block = params->blockDim;
  launch.dynamic_shared = params->sharedMemBytes;
  launch.cluster = work.launch.cluster;  // attributes stay
  launch.cooperative = work.launch.cooperative;

  if (cudaError_t error = make_launch(launch, params->func, params->kernelParams)) return result(error);
  work.launch = std::move(launch);
  return cudaSuccess;
}

cudaError_t set_copy(Work &work, void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  if (work.kind != Work::kCopy) return misuse(cudaErrorInvalidValue, "not a memcpy node");
  Copy copy = flat_copy(to, from, bytes, kind);
  if (cudaError_t error = check_copy(copy)) return error;
  work.copy = copy;
  return cudaSuccess;
}

cudaError_t set_fill(Work &work, const cudaMemsetParams *params) {
  if (!params) return misuse(cudaErrorInvalidValue, "the parameters are NULL");
  if (work.kind != Work::kFill) return misuse(cudaErrorInvalidValue, "not a memset node");
  if (params->elementSize != 1 && params->elementSize != 2 && params->elementSize != 4)
    return misuse(cudaErrorInvalidValue, "elements of %u bytes; 1, 2 or 4 are possible", params->elementSize);

  Fill fill;
  fill.to = params->dst;
  fill.width = params->width;
  fill.height = params->height;
  fill.pitch = params->height > 1 ? params->pitch : params->width * params->elementSize;
  fill.value = params->value;
  fill.element = params->elementSize;

  if (cudaError_t error = check_fill(fill)) return error;
  work.fill = fill;
  return cudaSuccess;
}

cudaError_t set_host(Work &work, const cudaHostNodeParams *params) {
  if (!params || !params->fn) return misuse(cudaErrorInvalidValue, "there is no function");
  if (work.kind != Work::kHost) return misuse(cudaErrorInvalidValue, "not a host node");
  work.function = params->fn;
  work.data = params->userData;
  return cudaSuccess;
}

// Whether `first` comes before `second` (or is it).
static bool comes_before(const CUgraphNode_st *first, const CUgraphNode_st *second) {
  if (first == second) return true;
  for (const CUgraphNode_st *node : second->after)
    if (comes_before(first, node)) return true;
  return false;
}

static cudaError_t append(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n, Work work) {
  if (!out || !graph_exists(graph) || (n && !after)) return misuse(cudaErrorInvalidValue, "no such graph, or NULL");
  for (size_t i = 0; i < n; ++i)
    if (!node_exists(after[i]) || after[i]->graph != graph || std::count(after, after + n, after[i]) != 1)
      return misuse(cudaErrorInvalidValue, "dependency %zu is no node of this graph, or named twice", i);
  *out = add_node(graph, std::move(work), std::vector<CUgraphNode_st *>(after, after + n));
  return cudaSuccess;
}

}  // namespace emu

using emu::misuse;
using emu::Work;

#define NEED_NODE(node) \
  if (!emu::node_exists(node)) return misuse(cudaErrorInvalidValue, "the node does not exist")

extern "C" {

cudaError_t cudaGraphCreate(cudaGraph_t *graph, unsigned int flags) {
  EMU_ENTER();
  if (!graph || flags) return misuse(cudaErrorInvalidValue, "the place for the graph is NULL, or flags are not 0");
  *graph = emu::new_graph();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  emu::enter(__func__);
  if (!emu::graph_exists(graph)) return misuse(cudaErrorInvalidValue, "the graph does not exist");
  emu::delete_graph(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n) {
  EMU_ENTER();
  return emu::append(out, graph, after, n, Work());
}

cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n,
                                   const struct cudaKernelNodeParams *params) {
  EMU_ENTER();
  Work work;
  work.kind = Work::kKernel;
  if (cudaError_t error = emu::set_kernel(work, params)) return error;
  return emu::append(out, graph, after, n, std::move(work));
}

cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n,
                                     void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
  EMU_ENTER();
  Work work;
  work.kind = Work::kCopy;
  if (cudaError_t error = emu::set_copy(work, to, from, bytes, kind)) return error;
  return emu::append(out, graph, after, n, std::move(work));
}

cudaError_t cudaGraphAddMemsetNode(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n,
                                   const struct cudaMemsetParams *params) {
  EMU_ENTER();
  Work work;
  work.kind = Work::kFill;
  if (cudaError_t error = emu::set_fill(work, params)) return error;
  return emu::append(out, graph, after, n, std::move(work));
}

cudaError_t cudaGraphAddHostNode(cudaGraphNode_t *out, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n,
                                 const struct cudaHostNodeParams *params) {
  EMU_ENTER();
  Work work;
  work.kind = Work::kHost;
  if (cudaError_t error = emu::set_host(work, params)) return error;
  return emu::append(out, graph, after, n, std::move(work));
}

cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to,
                                     const cudaGraphEdgeData *edges, size_t n) {
  EMU_ENTER();
  if (!emu::graph_exists(graph) || (n && (!from || !to)) || edges)
    return misuse(cudaErrorInvalidValue, "no such graph, NULL, or edge data (not emulated)");

  for (size_t i = 0; i < n; ++i) {
    if (!emu::node_exists(from[i]) || !emu::node_exists(to[i]) || from[i]->graph != graph || to[i]->graph != graph)
      return misuse(cudaErrorInvalidValue, "edge %zu: not two nodes of this graph", i);
    if (emu::comes_before(to[i], from[i])) return misuse(cudaErrorInvalidValue, "edge %zu would close a circle", i);

    auto &after = to[i]->after;
    if (std::find(after.begin(), after.end(), from[i]) != after.end())
      return misuse(cudaErrorInvalidValue, "edge %zu exists", i);
    after.push_back(from[i]);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n) {
  EMU_ENTER();
  if (!emu::graph_exists(graph) || !n) return misuse(cudaErrorInvalidValue, "no such graph, or no place for the count");
  if (nodes)
    for (size_t i = 0; i < *n; ++i) nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
  *n = nodes ? std::min(*n, graph->nodes.size()) : graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *after, cudaGraphEdgeData *edges,
                                         size_t *n) {
  EMU_ENTER();
  NEED_NODE(node);
  if (!n) return misuse(cudaErrorInvalidValue, "no place for the count");
  const size_t room = after ? *n : 0;
  for (size_t i = 0; i < room; ++i) {
    after[i] = i < node->after.size() ? node->after[i] : nullptr;
    if (edges) edges[i] = cudaGraphEdgeData();
  }
  *n = after ? std::min(room, node->after.size()) : node->after.size();
  return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, enum cudaGraphNodeType *type) {
  EMU_ENTER();
  NEED_NODE(node);
  if (!type) return misuse(cudaErrorInvalidValue, "the place for the type is NULL");
  *type = emu::type_of(node->work);
  return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, struct cudaKernelNodeParams *params) {
  EMU_ENTER();
  NEED_NODE(node);
  if (!params) return misuse(cudaErrorInvalidValue, "the place for the parameters is NULL");
  if (node->work.kind != Work::kKernel) return misuse(cudaErrorInvalidValue, "not a kernel node whose kernel is known");

  emu::Launch &launch = node->work.launch;
  node->parameters.clear();
  for (auto &argument : launch.arguments) node->parameters.push_back(argument.data());

  *params = cudaKernelNodeParams();
  memcpy(&params->func, &launch.kernel->function, sizeof params->func);
  params->gridDim = launch.grid;
  params->blockDim = launch.block;
  params->sharedMemBytes = unsigned(launch.dynamic_shared);
  params->kernelParams = node->parameters.empty() ? nullptr : node->parameters.data();
  return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node, const struct cudaKernelNodeParams *params) {
  EMU_ENTER();
  NEED_NODE(node);
  return emu::set_kernel(node->work, params);
}

cudaError_t cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void *to, const void *from, size_t bytes,
                                           enum cudaMemcpyKind kind) {
  EMU_ENTER();
  NEED_NODE(node);
  return emu::set_copy(node->work, to, from, bytes, kind);
}

cudaError_t cudaGraphMemsetNodeSetParams(cudaGraphNode_t node, const struct cudaMemsetParams *params) {
  EMU_ENTER();
  NEED_NODE(node);
  return emu::set_fill(node->work, params);
}

}  // extern "C"

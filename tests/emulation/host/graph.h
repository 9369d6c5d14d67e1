// What graph.cpp (graphs and nodes) and executable.cpp (instantiated graphs) share.
#pragma once
#include "tests/emulation/host/runtime.h"

struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};

namespace emu {

bool graph_exists(cudaGraph_t graph);
bool node_exists(cudaGraphNode_t node);
cudaGraphNodeType type_of(const Work &work);
void drop_executables();

// New parameters for a node's work; work is unchanged when they are refused.
cudaError_t set_kernel(Work &work, const cudaKernelNodeParams *params);
cudaError_t set_copy(Work &work, void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t set_fill(Work &work, const cudaMemsetParams *params);
cudaError_t set_host(Work &work, const cudaHostNodeParams *params);

}  // namespace emu

/*
 * part_sums_element_per_thread: to[i] = the sum over the nodes of a batch's parts at i, in the tree's order.
 *
 * Layout      arrays of n floats each; `to` may be one of the nodes, the others do not overlap.
 * Work        a thread takes an element.
 * Memory      4 bytes of each node read, 4 written by a thread, coalesced.
 * Numerics    float32 additions in the order of kernels/part_sums.cuh.
 * Limits      8 nodes.
 * Oracle      the sums of the host (host/ranks/sum.c), bit for bit, by trainings of one and more ranks
 *             (tests/package/ranks.py, tests/gpu/batch_parts_test.c).
 */
#include "kernels/launch.cuh"
#include "kernels/part_sums.cuh"

enum { N_THREADS = 256 };

extern "C" __global__ void __launch_bounds__(N_THREADS)
    part_sums_element_per_thread(const __grid_constant__ vise_k_part_sums given) {
  const uint64_t i = (uint64_t)blockIdx.x * N_THREADS + threadIdx.x;
  if (i >= given.n) return;

  float v[VISE_K_MOST_PARTS];
  uint32_t nodes = 0;
#pragma unroll
  for (int p = 0; p < VISE_K_MOST_PARTS; p++) {
    v[p] = given.nodes[p] ? given.nodes[p][i] : 0.0f;
    nodes |= given.nodes[p] ? 1u << p : 0u;
  }
  given.to[i] = vise_tree_of_nodes(v, nodes);
}
VISE_KERNEL(part_sums_element_per_thread);

cudaError_t vise_k_part_sums_run(const vise_k_part_sums *given, cudaStream_t stream) {
  vise_k_part_sums own = *given;
  void *arguments[] = {&own};
  if (own.n == 0) return cudaSuccess;
  return vise_launch((const void *)part_sums_element_per_thread,
                     {(unsigned)((own.n + N_THREADS - 1) / N_THREADS), N_THREADS, 0, 0}, stream, arguments);
}

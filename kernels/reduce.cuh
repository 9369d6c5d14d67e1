/* Sums in the canonical order (kernels/canonical.h) by a thread, a warp and a CTA. Items that are missing count as 0.
 */
#ifndef VISE_K_REDUCE_CUH
#define VISE_K_REDUCE_CUH

#include "kernels/canonical.h"
#include "kernels/ptx.cuh"

/* `width` (2, 4, ... 32) neighbouring lanes, lane 0 of them being a multiple of width; all of them get the sum. A leaf
   is width 32. Addition commutes, so both lanes of a pair have the same bits. */
VISE_FN double vise_sum_lanes(double value, int width) {
#pragma unroll
  for (int step = 1; step < width; step *= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

/* The value of slot `slot` of the 2^depth slots of the lowest level of a tree: one of the n items, or 0. */
VISE_FN double vise_tree_slot(const double *items, uint32_t n, int depth, uint32_t slot) {
  const uint32_t item = vise_tree_begin(slot, depth, n);
  return item < vise_tree_begin(slot + 1, depth, n) ? items[item] : 0.0;
}

/* The tree over items[n], n <= 1024, by one warp; all lanes get the sum. */
VISE_FN_CALLED double vise_sum_tree_warp(const double *items, uint32_t n) {
  const int depth = vise_tree_depth(n), upper = depth > 5 ? depth - 5 : 0;
  const uint32_t lane = threadIdx.x % 32;
  double sums = 0;
#pragma unroll 1
  for (uint32_t node = 0; node < 1u << upper; node++) {
    const uint32_t slot = node * 32 + lane;
    const double value = slot < 1u << depth ? vise_tree_slot(items, n, depth, slot) : 0.0;
    const double sum = vise_sum_lanes(value, 32);
    if (lane == node) sums = sum;
  }
  return vise_sum_lanes(sums, 32) + 0.0;
}

enum { VISE_TREE_SCRATCH = 32 };

/* The tree over items[n], n <= 32768, by a CTA of whole warps; all threads get the sum. scratch: shared memory,
   [VISE_TREE_SCRATCH]. items and scratch are safe to write again when it returns. */
VISE_FN_CALLED double vise_sum_tree_cta(const double *items, uint32_t n, double *scratch) {
  /* Each warp takes whole nodes of the level that has 32 of them (of level 0 when there are few items). */
  const int depth = vise_tree_depth(n), top = depth > 5 ? 5 : 0;
  const uint32_t lane = threadIdx.x % 32, n_below = 1u << (depth - top);
#pragma unroll 1
  for (uint32_t node = threadIdx.x / 32; node < 1u << top; node += blockDim.x / 32) {
    double sums = 0;
#pragma unroll 1
    for (uint32_t part = 0; part * 32 < n_below; part++) {
      const uint32_t below = part * 32 + lane;
      const double value = below < n_below ? vise_tree_slot(items, n, depth, node * n_below + below) : 0.0;
      const double sum = vise_sum_lanes(value, 32);
      if (lane == part) sums = sum;
    }
    sums = vise_sum_lanes(sums, 32);
    if (lane == 0) scratch[node] = sums;
  }
  __syncthreads();
  const double sum = vise_sum_lanes(lane < 1u << top ? scratch[lane] : 0.0, 32) + 0.0;
  __syncthreads();
  return sum;
}

#endif

/* Sums in the canonical order (kernels/canonical.h) by a thread, a warp and a CTA. Missing items count as 0. */
#ifndef VISE_K_REDUCE_CUH
#define VISE_K_REDUCE_CUH

#include "kernels/canonical.h"
#include "kernels/ptx.cuh"

/* `width` (2, 4, ... 32) neighbouring lanes, the first of them a multiple of width; all of them get the sum. A leaf
   is width 32. Addition commutes, so both lanes of a pair have the same bits. */
VISE_FN double vise_sum_lanes(double value, int width) {
#pragma unroll
  for (int step = 1; step < width; step *= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

/* A leaf of the first n lanes' values, in these lanes, but for the + 0.0 at its end; the others have 0. */
VISE_FN double vise_sum_first_lanes(double value, uint32_t n) {
#pragma unroll
  for (int step = 1; step < VISE_LEAF; step *= 2) {
    if ((uint32_t)step >= n) break;
    value += __shfl_xor_sync(0xffffffffu, value, step);
  }
  return value;
}

/* A warp adds four rows of a leaf at a time, a strip (kernels/quads.cuh); eight strips are a cell. */
enum { VISE_STRIP_ROWS = 4, VISE_STRIPS = VISE_GROUP_ROWS / VISE_STRIP_ROWS };

/* The sum of a cell from those of its strips. */
VISE_FN double vise_sum_strips(const double strips[VISE_STRIPS]) {
  return ((strips[0] + strips[1]) + (strips[2] + strips[3])) + ((strips[4] + strips[5]) + (strips[6] + strips[7]));
}

/* The value of slot `slot` of the 2^depth slots of the lowest level of a tree: one of the n items, or 0. */
VISE_FN double vise_tree_slot(const double *items, uint32_t n, int depth, uint32_t slot) {
  const uint32_t item = vise_tree_begin(slot, depth, n);
  return item < vise_tree_begin(slot + 1, depth, n) ? items[item] : 0.0;
}

/* The tree over items[n], n <= 1024, by one warp; all lanes get the sum. */
VISE_FN_CALLED double vise_sum_tree_warp(const double *items, uint32_t n) {
  const int depth = vise_tree_depth(n);
  const uint32_t lane = threadIdx.x % 32;

  if (depth <= 5) { /* each run of 2^depth lanes has all items: no more steps than the tree has levels */
    const int width = 1 << depth;
    double sum = vise_tree_slot(items, n, depth, lane % (uint32_t)width);
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      if (step >= width) break;
      sum += __shfl_xor_sync(0xffffffffu, sum, step);
    }
    return sum + 0.0;
  }

  double sums = 0;
#pragma unroll 1
  for (uint32_t node = 0; node < 1u << (depth - 5); node++) {
    const double sum = vise_sum_lanes(vise_tree_slot(items, n, depth, node * 32 + lane), 32);
    if (lane == node) sums = sum;
  }

  return vise_sum_lanes(sums, 32) + 0.0;
}

/* The larger of two magnitudes; NaN is larger than all. */
VISE_FN float vise_larger(float a, float b) {
  return vise_bits_f32(b) > vise_bits_f32(a) ? b : a;
}

/* The largest of the lanes' magnitudes, in all of them. */
VISE_FN float vise_max_lanes(float magnitude) {
  return vise_f32_bits(__reduce_max_sync(0xffffffffu, vise_bits_f32(magnitude)));
}

/* The largest of the lanes' values, in all of them; of zeros of both signs the positive one, of NaN any or none. */
VISE_FN float vise_largest_lane(float value) {
  const int32_t bits = (int32_t)vise_bits_f32(value), order = bits ^ (bits >> 31 & 0x7fffffff);
  const int32_t most = __reduce_max_sync(0xffffffffu, order);
  return vise_f32_bits((uint32_t)(most ^ (most >> 31 & 0x7fffffff)));
}

/* The largest of n magnitudes, by a warp; all lanes get it. */
VISE_FN float vise_max_warp(const float *magnitudes, size_t n) {
  float most = 0.0f;
#pragma unroll 1
  for (size_t i = threadIdx.x % 32; i < n; i += 32) most = vise_larger(most, magnitudes[i]);
  return vise_max_lanes(most);
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

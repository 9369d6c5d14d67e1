/*
 * Sums over the parts of a batch (host/ranks/parts.h), in the tree that makes their bits: (0 + 1) + (2 + 3), and so on.
 * What is added are nodes of the tree, each known by the part it begins at.
 */
#ifndef VISE_K_PART_SUMS_CUH
#define VISE_K_PART_SUMS_CUH

#include "kernels/device.cuh"
#include "kernels/part_sums.h"

/* The sum of v [VISE_K_MOST_PARTS], of which those count whose bit of `nodes` is set, the first among them. All is unrolled: v
   stays in registers. */
VISE_FN float vise_tree_of_nodes(float v[VISE_K_MOST_PARTS], uint32_t nodes) {
#pragma unroll
  for (int p = 0; p < VISE_K_MOST_PARTS; p += 2) {
    if (nodes >> (p + 1) & 1) v[p] += v[p + 1];
  }
#pragma unroll
  for (int p = 0; p < VISE_K_MOST_PARTS; p += 4) {
    if (nodes >> (p + 2) & 1) v[p] += v[p + 2];
  }
  if (nodes >> 4 & 1) v[0] += v[4];
  return v[0];
}

/* The same of nodes that lie one after the other, `stride` floats apart. */
VISE_FN float vise_sum_of_nodes(const float *from, size_t stride, uint32_t nodes) {
  float v[VISE_K_MOST_PARTS];
  size_t at = 0;
  static_assert(VISE_K_MOST_PARTS == 8, "the tree of eight");

#pragma unroll
  for (int p = 0; p < VISE_K_MOST_PARTS; p++) {
    v[p] = 0.0f;
    if (!(nodes >> p & 1)) continue;
    v[p] = from[at];
    at += stride;
  }
  return vise_tree_of_nodes(v, nodes);
}

#endif

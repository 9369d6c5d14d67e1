/*
 * The canonical order of sums, as plain C: what every kernel must match bit for bit, however its work is split. Sums
 * are in float64; squares of floats are exact there.
 *
 *   leaf    up to 32 consecutive values, added as neighbours: (0+1), (2+3), ... then pairs of those, and so on.
 *   tree    n items. Node j of level k covers the items [j n >> k, (j+1) n >> k); it is the sum of its two halves, the
 *           nodes 2j and 2j+1 of level k+1, left + right. A node of one item is that item. So each of 2^k CTAs owns a
 *           whole node of about equal size, for any n, and a tree of 2^d <= 32 slots is d shuffles of a warp.
 *   vector  the tree over its leaves.
 *   matrix  rows in groups of 32. A cell is the same leaf of the 32 rows, whose sums are added as neighbours like the
 *           values of a leaf; a group is the tree over its cells, the matrix the tree over its groups. So a tile of
 *           32 x 32 becomes one number, and four rows are added by a warp that has them side by side.
 *   net     tensors one after the other, from the left.
 *   column  (of a batch, for batch norm) 32 sums, of every 32nd row in order; these as neighbours like a leaf.
 *
 *   product an element of a matrix product, in float32: K in slices of vise_slice_length(K), fmaf in the order of K
 *           inside a slice, the slices added in order, + 0.0f at the end (so that a sum of zeros has one sign, even
 *           where an implementation runs on with zeros past the last k).
 *
 * What is missing (the end of the last leaf, the rows of the last group) adds nothing; since every sum ends with + 0.0,
 * an implementation may as well add zeros. Maxima and counts need no order.
 */
#ifndef VISE_K_CANONICAL_H
#define VISE_K_CANONICAL_H

#include <math.h>
#include <stddef.h>

#include "kernels/device.cuh"

enum { VISE_LEAF = 32, VISE_GROUP_ROWS = 32 };

/* First item of node j of the level. */
VISE_BOTH uint32_t vise_tree_begin(uint32_t j, int level, uint32_t n) {
  return (uint32_t)((uint64_t)j * n >> level);
}

/* The level at which every node has at most one item: the least d with 2^d >= n. */
VISE_BOTH int vise_tree_depth(uint32_t n) {
  int depth = 0;
  if (n > 1) {
#if defined(__CUDA_ARCH__)
    depth = 32 - __clz((int)(n - 1));
#else
    depth = 32 - __builtin_clz(n - 1);
#endif
  }
  return depth;
}

VISE_BOTH uint32_t vise_n_leaves(uint32_t n_columns) {
  return n_columns / VISE_LEAF + (n_columns % VISE_LEAF != 0);
}

VISE_BOTH uint32_t vise_n_groups(uint32_t n_rows) {
  return n_rows / VISE_GROUP_ROWS + (n_rows % VISE_GROUP_ROWS != 0);
}

/* Length of the slices of a sum over n, a multiple of 32: at most 32 slices up to n = 32768, so that small products can
   be shared by many threads, and long ones for large n, so that there are few of them. */
VISE_BOTH uint32_t vise_slice_length(uint32_t n) {
  uint32_t length = 32;
  while (length < 1024 && length * 32 < n) length *= 2;
  return length;
}

/* ---- the reference, for the host ---- */

/* Element of a product: a[n], b[n] with the given strides. */
static inline float vise_canonical_product(const float *a, size_t a_stride, const float *b, size_t b_stride,
                                           uint32_t n) {
  const uint32_t length = vise_slice_length(n);
  float total = 0.0f;
  for (uint32_t begin = 0; begin < n; begin += length) {
    float sum = 0.0f;
    for (uint32_t k = begin; k < n && k < begin + length; k++) sum = fmaf(a[k * a_stride], b[k * b_stride], sum);
    total += sum;
  }
  return total + 0.0f;
}

static inline double vise_canonical_leaf(const double *values, size_t n) {
  double sums[VISE_LEAF] = {0};
  for (size_t i = 0; i < n; i++) sums[i] = values[i];
  for (size_t width = 1; width < VISE_LEAF; width *= 2) {
    for (size_t i = 0; i < VISE_LEAF; i += 2 * width) sums[i] += sums[i + width];
  }
  return sums[0] + 0.0;
}

static inline double vise_canonical_node(const double *items, uint32_t n, uint32_t j, int level) {
  const uint32_t begin = vise_tree_begin(j, level, n), end = vise_tree_begin(j + 1, level, n);
  if (begin == end) return 0.0;
  if (begin + 1 == end) return items[begin];
  return vise_canonical_node(items, n, 2 * j, level + 1) + vise_canonical_node(items, n, 2 * j + 1, level + 1);
}

static inline double vise_canonical_tree(const double *items, uint32_t n) {
  return vise_canonical_node(items, n, 0, 0) + 0.0;
}

/* values[n]; scratch[vise_n_leaves(n)]. */
static inline double vise_canonical_vector(const double *values, uint32_t n, double *scratch) {
  for (uint32_t leaf = 0; leaf < vise_n_leaves(n); leaf++) {
    const uint32_t left = n - leaf * VISE_LEAF;
    scratch[leaf] = vise_canonical_leaf(values + leaf * VISE_LEAF, left < VISE_LEAF ? left : (uint32_t)VISE_LEAF);
  }
  return vise_canonical_tree(scratch, vise_n_leaves(n));
}

/* Sum of squares of x[n_rows][n_columns], rows stride apart; cells[vise_n_leaves(n_columns)] and
   groups[vise_n_groups(n_rows)] are scratch, groups returns the sums of the groups. */
static inline double vise_canonical_squares(const float *x, uint32_t n_rows, uint32_t n_columns, size_t stride,
                                            double *cells, double *groups) {
  for (uint32_t group = 0; group < vise_n_groups(n_rows); group++) {
    for (uint32_t leaf = 0; leaf < vise_n_leaves(n_columns); leaf++) {
      double rows[VISE_GROUP_ROWS] = {0};
      for (uint32_t r = 0; r < VISE_GROUP_ROWS && group * VISE_GROUP_ROWS + r < n_rows; r++) {
        const float *row = x + (size_t)(group * VISE_GROUP_ROWS + r) * stride;
        double squares[VISE_LEAF];
        uint32_t n = 0;
        for (uint32_t c = leaf * VISE_LEAF; n < VISE_LEAF && c < n_columns; c++) {
          squares[n++] = (double)row[c] * (double)row[c];
        }
        rows[r] = vise_canonical_leaf(squares, n);
      }

      cells[leaf] = vise_canonical_leaf(rows, VISE_GROUP_ROWS);
    }

    groups[group] = vise_canonical_tree(cells, vise_n_leaves(n_columns));
  }

  return vise_canonical_tree(groups, vise_n_groups(n_rows));
}

#endif

#include "kernels/canonical.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/random.h"

/* Values of widely different size and both signs: summing in any other order gives other bits. */
static double wild(uint64_t *state) {
  const double m = (double)(rig_draw(state) >> 8) / 0x1p23 - 1;
  return ldexp(m, (int)(rig_draw(state) >> 27) - 16);
}

Test(canonical, leaf_adds_neighbours) {
  const double four[] = {1e16, 1, -1e16, 1};
  cr_expect_eq(vise_canonical_leaf(four, 4), (1e16 + 1) + (-1e16 + 1));
  const double five[] = {1, 0x1p-53, 0x1p-53, 0x1p-53, 0x1p-54};
  cr_expect_eq(vise_canonical_leaf(five, 5), ((1 + 0x1p-53) + (0x1p-53 + 0x1p-53)) + 0x1p-54);
  const double zeros[] = {-0.0, -0.0};
  cr_expect_not(signbit(vise_canonical_leaf(zeros, 2)));
  cr_expect_eq(vise_canonical_leaf(NULL, 0), 0);
}

Test(canonical, nodes_divide_the_items_evenly) {
  for (uint32_t n = 1; n <= 300; n++) {
    const int depth = vise_tree_depth(n);
    cr_assert((1u << depth) >= n && (depth == 0 || (1u << (depth - 1)) < n));

    for (int level = 0; level <= depth; level++) {
      cr_assert_eq(vise_tree_begin(0, level, n), 0);
      cr_assert_eq(vise_tree_begin(1u << level, level, n), n);
      for (uint32_t j = 0; j < 1u << level; j++) {
        const uint32_t begin = vise_tree_begin(j, level, n), size = vise_tree_begin(j + 1, level, n) - begin;
        cr_assert(size == n >> level || size == (n >> level) + 1);
        cr_assert_eq(begin, vise_tree_begin(2 * j, level + 1, n));
      }
    }
  }

  cr_assert_eq(vise_tree_begin(UINT32_MAX, 32, UINT32_MAX), UINT32_MAX - 1);
}

Test(canonical, tree_of_five) {
  const double v[] = {1, 0x1p-53, 0x1p-53, 3 * 0x1p-53, 0x1p-52};
  /* 5 = 2 + 3; 2 = 1 + 1; 3 = 1 + 2 */
  cr_assert_eq(vise_canonical_tree(v, 5), (v[0] + v[1]) + (v[2] + (v[3] + v[4])));
}

/* Computing the nodes of one level separately and then adding them as a tree gives the same bits. */
Test(canonical, any_level_may_be_cut) {
  uint64_t state = 7;
  double items[300], nodes[512];

  for (uint32_t n = 1; n <= 300; n++) {
    for (uint32_t i = 0; i < n; i++) items[i] = wild(&state);
    const double whole = vise_canonical_tree(items, n);

    for (int level = 0; level <= vise_tree_depth(n); level++) {
      const uint32_t n_nodes = 1u << level;
      for (uint32_t j = 0; j < n_nodes; j++) nodes[j] = vise_canonical_node(items, n, j, level);
      for (uint32_t width = 1; width < n_nodes; width *= 2) {
        for (uint32_t j = 0; j < n_nodes; j += 2 * width) nodes[j] += nodes[j + width];
      }
      cr_assert_eq(nodes[0] + 0.0, whole, "n %u level %d", n, level);
    }
  }
}

Test(canonical, vector_and_matrix_are_sums) {
  static const uint32_t sides[] = {1, 3, 4, 5, 31, 32, 33, 97, 128, 784};
  uint64_t state = 3;

  for (size_t a = 0; a < 10; a++) {
    for (size_t b = 0; b < 10; b++) {
      const uint32_t n_rows = sides[a], n_columns = sides[b];
      const size_t stride = n_columns + 3;
      float *x = malloc(n_rows * stride * sizeof *x);
      double *cells = malloc(vise_n_leaves(n_columns) * sizeof *cells);
      double *groups = malloc(vise_n_groups(n_rows) * sizeof *groups);
      long double sum = 0;

      for (size_t i = 0; i < n_rows * stride; i++) {
        x[i] = i % stride < n_columns ? (float)wild(&state) : NAN;
        if (i % stride < n_columns) sum += (long double)x[i] * x[i];
      }

      const double got = vise_canonical_squares(x, n_rows, n_columns, stride, cells, groups);
      cr_assert(fabs(got - (double)sum) <= 1e-14 * (double)sum, "%u x %u: %g, expected %Lg", n_rows, n_columns, got,
                sum);

      free(x);
      free(cells);
      free(groups);
    }
  }

  double values[1000], scratch[32], exact = 0;
  for (int i = 0; i < 1000; i++) exact += values[i] = i * 0.5; /* without rounding */
  cr_assert_eq(vise_canonical_vector(values, 1000, scratch), exact);
  cr_assert_eq(vise_canonical_vector(values, 1, scratch), 0);
}

Test(canonical, non_finite_values_go_through) {
  double items[100] = {0};
  items[77] = NAN;
  cr_assert(isnan(vise_canonical_tree(items, 100)));
  items[77] = INFINITY;
  cr_assert_eq(vise_canonical_tree(items, 100), INFINITY);
}

#include "host/ranks/parts.h"

#include <criterion/criterion.h>
#include <stdint.h>

Test(parts, cut_rows_into_whole_slices) {
  for (size_t n_rows = 1; n_rows < 700; n_rows++) {
    for (size_t most = 1; most <= VISE_I_MOST_PARTS; most++) {
      const vise_i_parts parts = vise_i_parts_of(most, n_rows, 0, 1);
      size_t at = 0, longest = 0;
      cr_assert(parts.first == 0 && parts.end == parts.n && parts.n >= 1 && parts.n <= most);

      for (size_t p = 0; p < parts.n; p++) {
        size_t first, end;
        vise_i_part_rows(n_rows, parts.n, p, &first, &end);
        cr_assert(first == at && end > first && first % VISE_I_PART_ROWS == 0, "%zu rows, part %zu", n_rows, p);
        longest = end - first > longest ? end - first : longest;
        at = end;
      }
      cr_assert_eq(at, n_rows);
      cr_assert_leq(longest, vise_i_most_part_rows(most, n_rows));
    }
  }
}

Test(parts, ranks_have_each_part_once) {
  for (size_t n_ranks = 1; n_ranks <= 12; n_ranks++) {
    for (size_t n_rows = 1; n_rows < 600; n_rows += 7) {
      size_t at = 0;
      for (size_t r = 0; r < n_ranks; r++) {
        const vise_i_parts parts = vise_i_parts_of(VISE_I_MOST_PARTS, n_rows, r, n_ranks);
        cr_assert_eq(parts.first, at);
        cr_assert_leq(parts.end - parts.first, vise_i_most_parts(VISE_I_MOST_PARTS, 600, r, n_ranks));
        at = parts.end;
      }
      cr_assert_eq(at, vise_i_parts_of(VISE_I_MOST_PARTS, n_rows, 0, 1).n);
    }
  }
}

/* A node must be a whole one of the tree: parts [p, p + 2^k) with p a multiple of 2^k, or up to the last part. */
Test(parts, nodes_are_those_of_the_tree) {
  for (size_t n_ranks = 1; n_ranks <= 12; n_ranks++) {
    for (size_t n = 1; n <= VISE_I_MOST_PARTS; n++) {
      for (size_t r = 0; r < n_ranks; r++) {
        const vise_i_parts parts = vise_i_parts_of(n, n * VISE_I_PART_ROWS, r, n_ranks);
        size_t nodes[VISE_I_MOST_PARTS];
        const size_t n_nodes = vise_i_parts_nodes(&parts, nodes);
        for (size_t i = 0; i < n_nodes; i++) {
          const size_t next = i + 1 < n_nodes ? nodes[i + 1] : parts.end, length = next - nodes[i];
          size_t whole = 1;
          while (whole < length) whole *= 2;
          cr_assert(whole == length || next == parts.n, "%zu parts, rank %zu of %zu: node %zu", n, r, n_ranks,
                    nodes[i]);
          cr_assert_eq(nodes[i] % whole, 0);
        }
        cr_assert(n_nodes > 0 || parts.first == parts.end);
      }
    }
  }
}

Test(parts, two_four_and_eight_ranks_have_one_node_each) {
  for (size_t n_ranks = 2; n_ranks <= 8; n_ranks *= 2) {
    for (size_t r = 0; r < n_ranks; r++) {
      const vise_i_parts parts = vise_i_parts_of(8, 4096, r, n_ranks);
      size_t nodes[VISE_I_MOST_PARTS];
      cr_expect_eq(vise_i_parts_nodes(&parts, nodes), 1);
    }
  }
}

#include "host/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* Known answers published with Random123 (kat_vectors, philox4x32 10). */
Test(philox, known_answers) {
  static const struct {
    uint64_t key;
    uint32_t counter[4], expected[4];
  } cases[] = {
      {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {UINT64_MAX, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822u,
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    uint32_t out[4];
    vise_i_philox(cases[i].key, cases[i].counter, out);
    for (int j = 0; j < 4; ++j) cr_assert_eq(out[j], cases[i].expected[j], "case %zu word %d: %08x", i, j, out[j]);
  }
}

Test(philox, uniform_covers_the_half_open_interval) {
  cr_assert_eq(vise_i_uniform_f32(0), 0.0f);
  cr_assert_eq(vise_i_uniform_f32(UINT32_MAX), 1.0f - 0x1p-24f);
  cr_assert_eq(vise_i_uniform_f32(0x80000000u), 0.5f);
}

Test(permutation, is_one_and_depends_on_seed_stream_and_index) {
  enum { N = 1009 };
  size_t *rows = malloc(N * sizeof *rows), *other = malloc(N * sizeof *other);
  int seen[N] = {0};

  vise_i_permutation(3, VISE_I_STREAM_ORDER, 7, rows, N);
  for (int i = 0; i < N; ++i) {
    cr_assert_lt(rows[i], N);
    seen[rows[i]]++;
  }
  for (int i = 0; i < N; ++i) cr_assert_eq(seen[i], 1);

  vise_i_permutation(3, VISE_I_STREAM_ORDER, 7, other, N);
  cr_assert_arr_eq(rows, other, N * sizeof *rows);

  struct {
    uint64_t seed;
    uint32_t stream, index;
  } changed[] = {{4, VISE_I_STREAM_ORDER, 7}, {3, VISE_I_STREAM_SPLIT, 7}, {3, VISE_I_STREAM_ORDER, 8}};
  for (int c = 0; c < 3; ++c) {
    int same = 0;
    vise_i_permutation(changed[c].seed, changed[c].stream, changed[c].index, other, N);
    for (int i = 0; i < N; ++i) same += rows[i] == other[i];
    cr_assert_lt(same, 20);
  }

  free(rows);
  free(other);
}

Test(permutation, every_order_of_three_is_as_likely) {
  int counts[27] = {0};
  enum { DRAWS = 60000 };

  for (uint32_t e = 0; e < DRAWS; ++e) {
    size_t rows[3];
    vise_i_permutation(11, VISE_I_STREAM_ORDER, e, rows, 3);
    counts[rows[0] * 9 + rows[1] * 3 + rows[2]]++;
  }

  double chi2 = 0;
  int orders = 0;
  for (int i = 0; i < 27; ++i) {
    if (counts[i] == 0) continue;
    orders++;
    chi2 += pow(counts[i] - DRAWS / 6.0, 2) / (DRAWS / 6.0);
  }

  cr_assert_eq(orders, 6);
  cr_assert(chi2 < 20.5, "chi-squared with 5 degrees of freedom: %g", chi2); /* 0.999 quantile */
}

Test(permutation, tiny_ones) {
  size_t rows[1] = {9};
  vise_i_permutation(0, 0, 0, rows, 0);
  cr_assert_eq(rows[0], 9);
  vise_i_permutation(0, 0, 0, rows, 1);
  cr_assert_eq(rows[0], 0);
}

#include "host/ranks/pool.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/ranks_rig.h"

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

/* Numbers whose sum depends on the order. */
static double value_of(size_t rank, size_t i) {
  return (1.0 / (double)(rank + 3)) * (double)(i % 7 + 1) * (rank % 3 == 1 ? -1e9 : 1);
}

/* The tree over ranks [first, first + n), by hand. */
static double tree(size_t first, size_t n, size_t n_ranks, size_t i) {
  if (n == 1) return value_of(first, i);
  const double left = tree(first, n / 2, n_ranks, i);
  return first + n / 2 < n_ranks ? left + tree(first + n / 2, n / 2, n_ranks, i) : left;
}

static void add(vise_ranks *ranks, void *context) {
  const size_t n = *(const size_t *)context, rank = vise_ranks_rank(ranks), size = vise_ranks_size(ranks);
  double *values = malloc(n * sizeof *values), *room = NULL;
  vise_error err = VISE_ERROR_INIT;
  for (size_t i = 0; i < n; i++) values[i] = value_of(rank, i);

  cr_assert_eq(vise_i_ranks_sum_room(ranks, n, &room, &err), VISE_OK);
  cr_assert_eq(vise_i_ranks_sum(ranks, values, n, room, &err), VISE_OK, "%s", err.text);
  for (size_t i = 0; i < n; i++) cr_assert_eq(values[i], tree(0, 16, size, i), "%zu ranks, value %zu", size, i);
  free(values);
  free(room);
}

Test(pool, sums_are_a_tree_over_any_number_of_ranks) {
  static size_t sizes[] = {1, 7, 64, 1001};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (size_t n_ranks = 2; n_ranks <= 12; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, add, &sizes[s]);
  }
}

static void count(vise_ranks *ranks, void *context) {
  uint64_t counts[] = {vise_ranks_rank(ranks) + 1, 10};
  const size_t size = vise_ranks_size(ranks);
  (void)context;
  cr_assert_eq(vise_ranks_add(ranks, counts, 2, NULL), VISE_OK);
  cr_expect_eq(counts[0], size * (size + 1) / 2);
  cr_expect_eq(counts[1], 10 * size);
}

Test(pool, counts_are_added) {
  for (size_t n_ranks = 1; n_ranks <= 5; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, count, NULL);
}

/* ---- bytes of each ------------------------------------------------------------------------------------------------- */

static void gather(vise_ranks *ranks, void *context) {
  static const char text[] = "abcdefgh";
  const size_t rank = vise_ranks_rank(ranks);
  size_t ends[RANKS_MOST];
  char *all = NULL;
  (void)context;
  cr_assert_eq(vise_i_ranks_pool(ranks, text, rank, &all, ends, NULL), VISE_OK); /* the first has nothing */

  for (size_t r = 0, at = 0; r < vise_ranks_size(ranks); at = ends[r++]) {
    cr_assert_eq(ends[r], at + r);
    cr_expect_eq(memcmp(all + at, text, r), 0);
  }
  free(all);
}

Test(pool, each_has_as_many_bytes_as_it_has) {
  for (size_t n_ranks = 1; n_ranks <= 6; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, gather, NULL);
}

/* One fails where the others pool; all hear of it, and none waits for a second word of the one that is gone. */
static void fail_one(vise_ranks *ranks, void *context) {
  char *all = NULL;
  size_t ends[RANKS_MOST];
  vise_error err = VISE_ERROR_INIT;
  (void)context;
  vise_status status = VISE_OK;
  if (vise_ranks_rank(ranks) == 2) {
    status = vise_ranks_agree(ranks, vise_i_fail(&err, VISE_ERR_VALUE, "a bad row"), &err);
  } else {
    status = vise_i_ranks_pool(ranks, "x", 1, &all, ends, &err);
    status = vise_ranks_agree(ranks, status, &err);
  }
  cr_expect_eq(status, VISE_ERR_VALUE);
  cr_expect_str_eq(err.text, "rank 2, on here: a bad row");
}

Test(pool, a_rank_that_fails_is_heard_by_those_who_pool) {
  ranks_run(4, RANKS_NOBODY, fail_one, NULL);
}

/* ---- moments ------------------------------------------------------------------------------------------------------- */

/* Rank r has the numbers r * r .. (r + 1) * (r + 1) of 0, 1, 2, ...; of the second column none but the last. */
static void merge(vise_ranks *ranks, void *context) {
  const size_t rank = vise_ranks_rank(ranks), size = vise_ranks_size(ranks), n = size * size;
  vise_i_moments m[2] = {{0}};
  (void)context;
  for (size_t v = rank * rank; v < (rank + 1) * (rank + 1); v++) {
    vise_i_moments_merge(&m[0], &(vise_i_moments){1, (double)v, 0});
    if (rank + 1 == size) vise_i_moments_merge(&m[1], &(vise_i_moments){1, 5, 0});
  }

  cr_assert_eq(vise_i_ranks_pool_moments(ranks, m, 2, NULL), VISE_OK);
  cr_expect_eq(m[0].n, (double)n);
  cr_expect_float_eq(m[0].mean, ((double)n - 1) / 2, 1e-12);
  cr_expect_float_eq(m[0].squares / m[0].n, ((double)n * (double)n - 1) / 12, 1e-9);
  cr_expect_eq(m[1].mean, 5);
  cr_expect_eq(m[1].squares, 0);
}

Test(pool, moments_are_those_of_all_numbers) {
  for (size_t n_ranks = 1; n_ranks <= 7; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, merge, NULL);
}

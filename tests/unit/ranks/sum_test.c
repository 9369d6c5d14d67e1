#include "host/ranks/sum.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/rng.h"
#include "host/ranks/statistics.h"
#include "tests/support/ranks_rig.h"

/* A sum over n_parts parts of n values, the same on all ranks, and what one process makes of it. */
typedef struct job {
  size_t n_parts, n;
  vise_dtype dtype;
  char *expected;
  double loss;
} job;

/* Of a part: numbers whose sum depends on the order. */
static double value_of(size_t part, size_t i) {
  const uint32_t counter[4] = {(uint32_t)i, (uint32_t)part, 0, 0};
  uint32_t out[4];
  vise_i_philox(5, counter, out);
  return ((double)out[0] / UINT32_MAX - 0.5) * (double)(1u << (out[1] % 20));
}

static void set(vise_dtype dtype, void *values, size_t i, double value) {
  if (dtype == VISE_F64) {
    ((double *)values)[i] = value;
  } else {
    ((float *)values)[i] = (float)value;
  }
}

static void add(vise_ranks *ranks, void *context) {
  job *j = context;
  const size_t bytes = vise_dtype_size(j->dtype);
  vise_error err = VISE_ERROR_INIT;
  vise_i_addends a = {.dtype = j->dtype, .n_values = j->n};
  a.parts = vise_i_parts_of(j->n_parts, j->n_parts * VISE_I_PART_ROWS, vise_ranks_rank(ranks), vise_ranks_size(ranks));

  char *room = malloc((VISE_I_MOST_PARTS + 1) * j->n * bytes);
  a.sum = room + VISE_I_MOST_PARTS * j->n * bytes;
  for (size_t p = a.parts.first; p < a.parts.end; p++) {
    a.values[p] = room + p * j->n * bytes;
    a.found[p] = (vise_i_part_found){1.0 / (double)(p + 3), p + 1};
    for (size_t i = 0; i < j->n; i++) set(j->dtype, a.values[p], i, value_of(p, i));
  }

  cr_assert_eq(vise_i_add_reserve(ranks, VISE_I_MOST_PARTS, j->n, j->dtype, &err), VISE_OK);
  const void *room_before = ranks != NULL ? ranks->room : NULL, *messages = ranks != NULL ? ranks->messages : NULL;
  vise_i_add_own_parts(&a, 0, j->n / 2);
  vise_i_add_own_parts(&a, j->n / 2, j->n);
  cr_assert_eq(vise_i_add_all_parts(ranks, &a, &err), VISE_OK, "%s", err.text);
  cr_expect(ranks == NULL || (ranks->room == room_before && ranks->messages == messages),
            "what was reserved is enough");
  double loss = 0;
  for (size_t p = 0; p < j->n_parts; p++) loss += a.found[p].loss * (double)a.found[p].n_correct;

  if (ranks == NULL) {
    j->expected = malloc(j->n * bytes);
    memcpy(j->expected, a.sum, j->n * bytes);
    j->loss = loss;
  } else {
    cr_expect_eq(memcmp(j->expected, a.sum, j->n * bytes), 0, "%zu parts of %zu, rank %zu of %zu", j->n_parts, j->n,
                 ranks->rank, ranks->size);
    cr_expect_eq(loss, j->loss);
  }
  free(room);
}

/* Short and long sums, fewer values than ranks among them. */
Test(sum, has_the_same_bits_on_any_number_of_ranks) {
  static const size_t sizes[] = {1, 5, 1000, 40003};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (size_t n_parts = 1; n_parts <= VISE_I_MOST_PARTS; n_parts += s == 3 ? 7 : 1) {
      job j = {n_parts, sizes[s], n_parts % 2 ? VISE_F32 : VISE_F64, NULL, 0};
      for (size_t n_ranks = 1; n_ranks <= 10; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, add, &j);
      free(j.expected);
    }
  }
}

/* By hand: the order is that of the tree. */
Test(sum, is_a_binary_tree) {
  float parts[5][1] = {{1e8f}, {1}, {-1e8f}, {1}, {0.5f}};
  float sum = 0;
  vise_i_addends a = {.parts = {5, 0, 5}, .dtype = VISE_F32, .n_values = 1, .sum = &sum};
  for (size_t p = 0; p < 5; p++) a.values[p] = parts[p];
  vise_i_add_own_parts(&a, 0, 1);
  cr_assert_eq(vise_i_add_all_parts(NULL, &a, NULL), VISE_OK);
  cr_expect_eq(sum, ((1e8f + 1) + (-1e8f + 1)) + 0.5f);
}

/* Statistics of 300 rows in parts, against those of all at once. */
typedef struct rows {
  double values[300][2], mean[2], variance[2];
} rows;

static void merge(vise_ranks *ranks, void *context) {
  const rows *r = context;
  vise_i_part_units units = {ranks, vise_i_parts_of(8, 300, vise_ranks_rank(ranks), vise_ranks_size(ranks)), 300, 2};
  double all[VISE_I_MOST_PARTS][2][2], sums[VISE_I_MOST_PARTS][2][2] = {0};
  vise_error err = VISE_ERROR_INIT;

  for (size_t p = units.parts.first; p < units.parts.end; p++) {
    size_t first, end;
    vise_i_part_rows(300, units.parts.n, p, &first, &end);
    for (size_t k = 0; k < 2; k++) {
      double mean = 0, squares = 0;
      for (size_t i = first; i < end; i++) mean += r->values[i][k] / (double)(end - first);
      for (size_t i = first; i < end; i++) squares += (r->values[i][k] - mean) * (r->values[i][k] - mean);
      all[p][0][k] = mean;
      all[p][1][k] = squares / (double)(end - first);
      sums[p][0][k] = mean * (double)(end - first);
    }
  }

  cr_assert_eq(vise_i_merge_statistics(&units, &all[0][0][0], &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_i_merge_sums(&units, &sums[0][0][0], &err), VISE_OK, "%s", err.text);
  for (size_t k = 0; k < 2; k++) {
    cr_expect_float_eq(all[0][0][k], r->mean[k], 1e-12);
    cr_expect_float_eq(all[0][1][k], r->variance[k], 1e-9 * r->variance[k]);
    cr_expect_float_eq(sums[0][0][k], 300 * r->mean[k], 1e-9);
  }
}

Test(sum, statistics_are_those_of_all_rows) {
  static rows r;
  for (size_t i = 0; i < 300; i++) {
    for (size_t k = 0; k < 2; k++) r.values[i][k] = value_of(k, i) / 1e4 + (k ? 1000 : 0);
  }
  for (size_t k = 0; k < 2; k++) {
    for (size_t i = 0; i < 300; i++) r.mean[k] += r.values[i][k] / 300;
    for (size_t i = 0; i < 300; i++) {
      r.variance[k] += (r.values[i][k] - r.mean[k]) * (r.values[i][k] - r.mean[k]) / 300;
    }
  }
  for (size_t n_ranks = 1; n_ranks <= 9; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, merge, &r);
}

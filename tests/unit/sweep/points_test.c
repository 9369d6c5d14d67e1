/* Points of grids, at random and of Sobol's sequence, and which of them are the same. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_support.h"
#include "tests/support/unit.h"

#define AXES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_no_space(vise_search search, size_t n_configs, const char *says) {
  vise_space_options options;
  vise_space *space = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_space_options_init(&options);
  options.search = search;
  options.n_configs = n_configs;

  EXPECT_ERROR(vise_space_create(&options, &space, &err), &err, VISE_ERR_USAGE, says);
  cr_expect_null(space);
}

Test(points, their_number_is_checked) {
  expect_no_space(VISE_SEARCH_GRID, 3, "`n_configs` 3: a grid has as many as its values make");
  expect_no_space(VISE_SEARCH_RANDOM, 0, "`n_configs` 0: `search` random needs a number from 1 to 10000000");
  expect_no_space(VISE_SEARCH_SOBOL, 0, "`n_configs` 0: `search` sobol needs a number");
  expect_no_space(VISE_SEARCH_RANDOM, 10000001, "`n_configs` 10000001");
  expect_no_space((vise_search)9, 1, "`search`: 9 is not one of its 3 values");
}

Test(points, the_last_axis_of_a_grid_varies_fastest) {
  static const char *const wanted[][3] = {{"1", "a", "x"}, {"1", "a", "y"}, {"1", "b", "x"}, {"1", "b", "y"},
                                          {"2", "a", "x"}, {"2", "a", "y"}, {"2", "b", "x"}, {"2", "b", "y"}};
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("p=1,2", "q=a,b", "r=x,y"));

  cr_assert_eq(vise_space_n_points(space), 8);
  for (size_t i = 0; i < 8; i++) {
    for (size_t axis = 0; axis < 3; axis++) cr_expect_str_eq(sweep_text(space, i, axis), wanted[i][axis]);
  }
  vise_space_free(space);
}

/* "name=0,1,...,n-1"; to be freed. */
static char *long_axis(const char *name, size_t n) {
  char *text = malloc(strlen(name) + 2 + 9 * n);
  cr_assert_not_null(text);
  size_t length = (size_t)sprintf(text, "%s=0", name);
  for (size_t i = 1; i < n; i++) length += (size_t)sprintf(text + length, ",%zu", i);
  return text;
}

Test(points, a_grid_has_at_most_ten_million) {
  char *wide = long_axis("own", 2500);
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES(wide));
  vise_error err = VISE_ERROR_INIT;
  char *four_thousand = long_axis("other", 4000), *one_more = long_axis("other", 4001);

  EXPECT_ERROR(vise_space_add_axis(space, one_more, &err), &err, VISE_ERR_USAGE,
               "other: its 4001 values make a grid of more than 10000000 configurations");
  EXPECT_OK(vise_space_add_axis(space, four_thousand, &err), err);
  cr_expect_eq(vise_space_n_points(space), 10000000);
  cr_expect_str_eq(sweep_text(space, 9999999, 0), "2499");
  cr_expect_str_eq(sweep_text(space, 4001, 1), "1");

  vise_space_free(space);
  free(wide);
  free(four_thousand);
  free(one_more);
}

Test(points, more_of_them_extend_a_search) {
  static const vise_search searches[] = {VISE_SEARCH_RANDOM, VISE_SEARCH_SOBOL};
  for (size_t k = 0; k < 2; k++) {
    vise_space *few = sweep_space(searches[k], 10, 5, AXES("lr=0.1..1:log", "l2=0,1,2"));
    vise_space *many = sweep_space(searches[k], 1000, 5, AXES("lr=0.1..1:log", "l2=0,1,2"));
    vise_space *other = sweep_space(searches[k], 10, 6, AXES("lr=0.1..1:log", "l2=0,1,2"));
    size_t n_other = 0;

    for (size_t i = 0; i < 10; i++) {
      cr_expect_str_eq(sweep_text(few, i, 0), sweep_text(many, i, 0));
      cr_expect_str_eq(sweep_text(few, i, 1), sweep_text(many, i, 1));
      n_other += strcmp(sweep_text(few, i, 0), sweep_text(other, i, 0)) != 0;
    }
    cr_expect_geq(n_other, 9, "the seed matters: %zu", n_other);
    vise_space_free(few);
    vise_space_free(many);
    vise_space_free(other);
  }
}

Test(points, random_ones_stay_the_same) {
  vise_space *space =
      sweep_space(VISE_SEARCH_RANDOM, 1000, 1,
                  AXES("lr=0.0001..1:log", "l2=0..1", "batch=8..512:log:int", "epochs=1..9:int", "o=a,b,c"));
  static const char *const wanted[][5] = {{"0.0795629", "0.114522", "45", "8", "c"},
                                          {"0.0815949", "0.34243", "505", "6", "b"}};
  for (size_t k = 0; k < 2; k++) {
    for (size_t axis = 0; axis < 5; axis++) cr_expect_str_eq(sweep_text(space, k * 999, axis), wanted[k][axis]);
  }
  vise_space_free(space);
}

Test(points, sobol_ones_stay_the_same) {
  vise_space *space = sweep_space(VISE_SEARCH_SOBOL, 8, 1, AXES("a=0..1", "b=0..1", "c=0..1"));
  static const char *const wanted[2][3] = {{"0.157781", "0.749203", "0.963856"}, {"0.782781", "0.374203", "0.838856"}};
  for (size_t k = 0; k < 2; k++) {
    for (size_t axis = 0; axis < 3; axis++) cr_expect_str_eq(sweep_text(space, 5 * k, axis), wanted[k][axis]);
  }
  vise_space_free(space);
}

/* Chi squared of counts that should be alike; its mean is n - 1. */
static double chi_squared(const size_t *counts, size_t n) {
  double total = 0, sum = 0;
  for (size_t i = 0; i < n; i++) total += (double)counts[i];
  for (size_t i = 0; i < n; i++) sum += pow((double)counts[i] - total / (double)n, 2) / (total / (double)n);
  return sum;
}

enum { N_RANDOM = 10000 };

Test(points, random_ones_are_uniform) {
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, N_RANDOM, 0,
                                  AXES("u=-1..3", "v=0.001..10:log", "n=-2..7:int", "k=a,b,c,d,e,f,g,h,i,j"));
  size_t counts[4][10] = {{0}}, pairs[100] = {0};

  for (size_t i = 0; i < N_RANDOM; i++) {
    const double u = (vise_space_number(space, i, 0) + 1) / 4, v = (log10(vise_space_number(space, i, 1)) + 3) / 4;
    cr_assert(u >= 0 && u <= 1 && v >= 0 && v <= 1);
    const size_t iu = (size_t)fmin(u * 10, 9), iv = (size_t)fmin(v * 10, 9);
    counts[0][iu]++;
    counts[1][iv]++;
    counts[2][(size_t)(vise_space_number(space, i, 2) + 2)]++;
    counts[3][sweep_text(space, i, 3)[0] - 'a']++;
    pairs[iu * 10 + iv]++;
  }

  /* Above these, one seed in a million. */
  for (size_t axis = 0; axis < 4; axis++) {
    cr_expect_lt(chi_squared(counts[axis], 10), 45, "axis %zu: %g", axis, chi_squared(counts[axis], 10));
  }
  cr_expect_lt(chi_squared(pairs, 100), 180, "%g", chi_squared(pairs, 100));
  vise_space_free(space);
}

Test(points, whole_numbers_can_be_log_uniform) {
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, N_RANDOM, 0, AXES("n=1..8:int:log"));
  size_t counts[9] = {0};
  for (size_t i = 0; i < N_RANDOM; i++) counts[(size_t)vise_space_number(space, i, 0)]++;

  cr_expect_eq(counts[0], 0);
  for (size_t n = 1; n <= 8; n++) {
    const double share = log(((double)n + 0.5) / ((double)n - 0.5)) / log(8.5 / 0.5), wanted = share * N_RANDOM;
    EXPECT_NEAR((double)counts[n], wanted, 5 * sqrt(wanted));
  }
  vise_space_free(space);
}

/* Of 2^k points of a shifted sequence, every 2^-k of a range has one. */
Test(points, sobol_fills_each_axis_evenly) {
  const char *axes[65] = {NULL};
  char texts[64][16];
  for (size_t i = 0; i < 64; i++) {
    snprintf(texts[i], sizeof texts[i], "own-%zu=0..1", i);
    axes[i] = texts[i];
  }
  vise_space *space = sweep_space(VISE_SEARCH_SOBOL, 256, 7, axes);

  for (size_t axis = 0; axis < 64; axis++) {
    size_t counts[256] = {0};
    for (size_t i = 0; i < 256; i++) counts[(size_t)fmin(vise_space_number(space, i, axis) * 256, 255)]++;
    for (size_t i = 0; i < 256; i++) cr_expect_eq(counts[i], 1, "axis %zu, part %zu: %zu", axis, i, counts[i]);
  }
  cr_expect_gt(vise_space_number(space, 0, 0), 0);
  vise_space_free(space);
}

Test(points, sobol_has_64_axes) {
  vise_space *space = sweep_space(VISE_SEARCH_SOBOL, 4, 0, AXES("a=1,2"));
  vise_error err = VISE_ERROR_INIT;
  char text[16];
  for (size_t i = 1; i < 64; i++) {
    snprintf(text, sizeof text, "own-%zu=1,2", i);
    EXPECT_OK(vise_space_add_axis(space, text, &err), err);
  }

  EXPECT_ERROR(vise_space_add_axis(space, "more=1,2", &err), &err, VISE_ERR_USAGE,
               "more: `search` sobol has at most 64 axes; set it to random");
  vise_space_free(space);
}

Test(points, equal_ones_are_found) {
  enum { N = 300 };
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, N, 2, AXES("a=1,2,3,4,5,6", "n=1..5:int", "c=x,y"));
  vise_error err = VISE_ERROR_INIT;
  size_t same[N], n_first = 0;
  EXPECT_OK(vise_space_same_as(space, same, N, &err), err);

  for (size_t i = 0; i < N; i++) {
    size_t first = 0;
    while (strcmp(sweep_text(space, first, 0), sweep_text(space, i, 0)) != 0 ||
           strcmp(sweep_text(space, first, 1), sweep_text(space, i, 1)) != 0 ||
           strcmp(sweep_text(space, first, 2), sweep_text(space, i, 2)) != 0) {
      first++;
    }
    cr_expect_eq(same[i], first, "point %zu: %zu, not %zu", i, same[i], first);
    n_first += first == i;
  }

  cr_expect(n_first > 50 && n_first <= 60, "%zu", n_first);
  EXPECT_ERROR(vise_space_same_as(space, same, N - 1, &err), &err, VISE_ERR_USAGE,
               "room for 299 points, but the space has 300");
  vise_space_free(space);
}

Test(points, those_of_a_grid_differ) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("a=1,2,3", "b=1,2", "c=x,y"));
  vise_error err = VISE_ERROR_INIT;
  size_t same[12];
  EXPECT_OK(vise_space_same_as(space, same, 12, &err), err);
  for (size_t i = 0; i < 12; i++) cr_expect_eq(same[i], i);
  vise_space_free(space);
}

/* Holding rows out. */
#include <stdio.h>

#include "host/base/rng.h"
#include "table_support.h"

static void class_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,%s", i, i < 70 ? "common" : (i < 97 ? "rare" : (i < 100 ? "few" : "one")));
}

static vise_split_options split_options(void) {
  vise_split_options options;
  vise_split_options_init(&options);
  return options;
}

static vise_split split(const vise_table *table, const vise_split_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_split made;
  EXPECT_OK(vise_table_split(table, NULL, options, &made, &err), err);
  cr_assert_eq(made.n_kept + made.n_held_out, vise_table_n_rows(table));
  for (size_t i = 1; i < made.n_kept; i++) cr_assert(made.kept[i] > made.kept[i - 1]);
  for (size_t i = 1; i < made.n_held_out; i++) cr_assert(made.held_out[i] > made.held_out[i - 1]);
  return made;
}

static size_t count_between(const vise_split *s, size_t low, size_t high) {
  size_t n = 0;
  for (size_t i = 0; i < s->n_held_out; i++) n += s->held_out[i] >= low && s->held_out[i] < high;
  return n;
}

Test(table_split, holds_out_each_class_in_proportion) {
  vise_table *table = read_text(rows_of("x,y", 101, class_row), NULL);
  vise_split_options options = split_options();
  static const double fractions[] = {0.1, 0.2, 0.333, 0.5, 0.9};

  for (size_t k = 0; k < 5; k++) {
    options.fraction = fractions[k];
    vise_split made = split(table, &options);
    const size_t total = (size_t)floor(fractions[k] * 101);
    cr_assert_eq(made.n_held_out, total);
    cr_assert(fabs((double)count_between(&made, 0, 70) - fractions[k] * 70) <= 1.5, "fraction %g", fractions[k]);
    cr_assert(fabs((double)count_between(&made, 70, 97) - fractions[k] * 27) <= 1.5, "fraction %g", fractions[k]);
    cr_assert_eq(count_between(&made, 100, 101), 0, "the only row of a class");
    cr_assert(count_between(&made, 97, 100) < 3);
    vise_split_clear(&made);
  }

  vise_table_free(table);
}

Test(table_split, without_classes_is_the_plain_permutation) {
  enum { N = 101 };
  size_t order[N];
  vise_table *table = read_text(rows_of("x,y", N, class_row), NULL);
  vise_split_options options = split_options();
  options.stratify = false;
  options.fraction = 0.2;
  options.seed = 9;
  vise_split made = split(table, &options);
  vise_i_permutation(9, VISE_I_STREAM_SPLIT, 0, order, N);
  for (size_t k = 0; k < made.n_held_out; k++) {
    bool found = false;
    for (size_t i = 0; i < made.n_held_out; i++) found = found || made.held_out[i] == order[k];
    cr_assert(found);
  }
  vise_split_clear(&made);

  options.shuffle = false;
  made = split(table, &options);
  cr_assert(made.held_out[0] == N - 20 && made.kept[N - 21] == N - 21);
  vise_split_clear(&made);
  vise_table_free(table);
}

Test(table_split, two_of_one_seed_differ_and_nest) {
  vise_table *table = read_text(rows_of("x,y", 101, class_row), NULL);
  vise_split_options options = split_options();
  options.fraction = 0.2;
  options.index = 1;
  vise_split test = split(table, &options);
  options.index = 0;
  vise_split other = split(table, &options);
  cr_assert(memcmp(test.held_out, other.held_out, test.n_held_out * sizeof(size_t)) != 0);
  vise_split_clear(&other);

  options.rows = test.kept;
  options.n_rows = test.n_kept;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_table_split(table, NULL, &options, &other, &err), err);
  cr_assert_eq(other.n_held_out, 16);
  for (size_t i = 0; i < other.n_held_out; i++) {
    for (size_t k = 0; k < test.n_held_out; k++) cr_assert_neq(other.held_out[i], test.held_out[k]);
  }
  vise_split_clear(&other);
  vise_split_clear(&test);
  vise_table_free(table);
}

Test(table_split, rows_without_a_target_are_in_no_part) {
  vise_table *table = read_text("x,y\n1,a\n2,\n3,b\n4,a\n5,b\n6,a\n", NULL);
  vise_split_options options = split_options();
  vise_split made;
  options.fraction = 0.4;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_table_split(table, NULL, &options, &made, &err), err);
  cr_assert(made.n_held_out == 2 && made.n_kept == 3);
  cr_assert_eq(count_between(&made, 1, 2), 0);
  vise_split_clear(&made);
  vise_table_free(table);
}

Test(table_split, refuses_empty_parts) {
  vise_table *table = read_text("x,y\n1,a\n2,b\n3,a\n4,b\n", NULL);
  static const struct {
    double fraction;
    const char *expected;
  } cases[] = {{0, "between 0 and 1"}, {1, "between 0 and 1"}, {NAN, "between 0 and 1"}, {0.1, "without rows"}};

  for (size_t k = 0; k < 4; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_split made;
    vise_split_options options = split_options();
    options.fraction = cases[k].fraction;
    EXPECT_ERROR(vise_table_split(table, NULL, &options, &made, &err), &err, VISE_ERR_USAGE, cases[k].expected);
  }

  vise_table_free(table);
}

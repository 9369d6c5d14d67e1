/* Folds of cross-validation. */
#include <stdio.h>

#include "table_support.h"

enum { N = 101, K = 5 };

/* 70 of one class, 27 of another, 3, and 1. */
static size_t class_of(size_t i) {
  return i < 70 ? 0 : i < 97 ? 1 : i < 100 ? 2 : 3;
}

static void class_row(size_t i, char *out, size_t n) {
  static const char *const names[] = {"common", "rare", "few", "one"};
  snprintf(out, n, "%zu,%s", i, names[class_of(i)]);
}

static void number_row(size_t i, char *out, size_t n) {
  if (i % 10 == 3) {
    snprintf(out, n, "%zu,", i);
  } else {
    snprintf(out, n, "%zu,%g", i, (double)i * 0.37);
  }
}

static vise_fold_options fold_options(void) {
  vise_fold_options options;
  vise_fold_options_init(&options);
  return options;
}

static void deal(const vise_table *table, const vise_fold_options *options, size_t folds[N]) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_table_folds(table, NULL, options, folds, N, &err), err);
}

Test(table_folds, are_stratified_and_of_one_size) {
  vise_table *table = read_text(rows_of("x,y", N, class_row), NULL);
  size_t folds[N], sizes[K + 1] = {0}, counts[K + 1][4] = {{0}};
  deal(table, NULL, folds);
  for (size_t i = 0; i < N; i++) {
    cr_assert(folds[i] <= K);
    sizes[folds[i]]++;
    counts[folds[i]][class_of(i)]++;
  }

  cr_assert_eq(sizes[0], 1);
  cr_assert_eq(folds[100], 0, "the only row of a class is in no fold");
  for (size_t f = 1; f <= K; f++) {
    cr_assert_eq(sizes[f], 20);
    cr_assert_eq(counts[f][0], 14);
    cr_assert(counts[f][1] == 5 || counts[f][1] == 6);
    cr_assert_leq(counts[f][2], 1);
  }
  vise_table_free(table);
}

Test(table_folds, depend_on_seed_and_repeat_alone) {
  vise_table *table = read_text(rows_of("x,y", N, class_row), NULL);
  vise_fold_options options = fold_options();
  size_t first[N], again[N], other[N];
  options.seed = 5;
  deal(table, &options, first);
  deal(table, &options, again);
  cr_assert_arr_eq(first, again, sizeof first);
  options.repeat = 1;
  deal(table, &options, other);
  cr_assert(memcmp(first, other, sizeof first) != 0);
  options = fold_options();
  options.seed = 6;
  deal(table, &options, other);
  cr_assert(memcmp(first, other, sizeof first) != 0);
  vise_table_free(table);
}

Test(table_folds, without_shuffling_take_turns) {
  vise_table *table = read_text(rows_of("x,y", N, class_row), NULL);
  vise_fold_options options = fold_options();
  size_t folds[N];
  options.shuffle = options.stratify = false;
  options.n_folds = 3;
  deal(table, &options, folds);
  for (size_t i = 0; i < N; i++) cr_assert_eq(folds[i], 1 + i % 3);
  vise_table_free(table);
}

Test(table_folds, leave_out_rows_without_a_target_and_others) {
  vise_table *table = read_text(rows_of("x,y", N, number_row), NULL);
  vise_fold_options options = fold_options();
  size_t folds[N], rows[50], n_in = 0;
  for (size_t i = 0; i < 50; i++) rows[i] = 2 * i;
  options.rows = rows;
  options.n_rows = 50;
  deal(table, &options, folds);
  for (size_t i = 0; i < N; i++) {
    cr_assert_eq(folds[i] > 0, i % 2 == 0 && i < 100 && i % 10 != 3, "row %zu", i);
    n_in += folds[i] > 0;
  }
  cr_assert_eq(n_in, 50);
  options = fold_options();
  deal(table, &options, folds);
  cr_assert(folds[3] == 0 && folds[13] == 0 && folds[4] > 0);
  vise_table_free(table);
}

Test(table_folds, split_into_kept_and_held_out) {
  static const size_t folds[] = {1, 2, 0, 1, 2, 3}, some[] = {1, 3, 4};
  vise_error err = VISE_ERROR_INIT;
  vise_split made;
  EXPECT_OK(vise_folds_split(folds, NULL, 6, 2, &made, &err), err);
  cr_assert(made.n_held_out == 2 && made.held_out[0] == 1 && made.held_out[1] == 4);
  cr_assert(made.n_kept == 4 && made.kept[1] == 2 && made.kept[3] == 5);
  vise_split_clear(&made);

  EXPECT_OK(vise_folds_split(folds, some, 3, 1, &made, &err), err);
  cr_assert(made.n_held_out == 1 && made.held_out[0] == 3 && made.n_kept == 2 && made.kept[1] == 4);
  vise_split_clear(&made);

  EXPECT_ERROR(vise_folds_split(folds, some, 3, 3, &made, &err), &err, VISE_ERR_USAGE, "fold 3 has no rows");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_folds_split(folds, NULL, 6, 0, &made, &err), &err, VISE_ERR_USAGE, "count from 1");
}

Test(table_folds, refuse_what_cannot_be) {
  vise_table *table = read_text("x,y\n1,a\n2,b\n3,a\n4,b\n", NULL);
  vise_fold_options options = fold_options();
  vise_error err = VISE_ERROR_INIT;
  size_t folds[4];
  EXPECT_ERROR(vise_table_folds(table, NULL, &options, folds, 4, &err), &err, VISE_ERR_USAGE, "too few for 5 folds");
  vise_error_clear(&err);
  options.n_folds = 1;
  EXPECT_ERROR(vise_table_folds(table, NULL, &options, folds, 4, &err), &err, VISE_ERR_USAGE, "at least 2");
  vise_error_clear(&err);
  options.n_folds = 2;
  EXPECT_ERROR(vise_table_folds(table, NULL, &options, folds, 3, &err), &err, VISE_ERR_SHAPE, "there are 4");
  vise_error_clear(&err);
  EXPECT_OK(vise_table_folds(table, NULL, &options, folds, 4, &err), err);
  vise_table_free(table);
}

/* Folds of cross-validation over datasets. */
#include "data_support.h"
#include "vise/vise.h"

enum { N = 60, K = 4 };

static vise_error err = VISE_ERROR_INIT;

/* 40 rows of class 2, 17 of class 7, 2 of class 0 and the only one of class 1. */
static int64_t label_of(size_t i) {
  return i % 3 != 0 ? 2 : i == 9 ? 1 : i % 30 == 0 ? 0 : 7;
}

static vise_dataset *labelled(void) {
  double x[N];
  int64_t y[N];
  for (size_t i = 0; i < N; i++) {
    x[i] = (double)i;
    y[i] = label_of(i);
  }
  const vise_array features = vise_array_of(x, VISE_F64, N, 1), targets = vise_array_of(y, VISE_I64, N, 1);
  vise_dataset *dataset = NULL;
  EXPECT_OK(vise_dataset_from_arrays(&features, &targets, NULL, true, &dataset, &err), err);
  return dataset;
}

static vise_fold_options fold_options(size_t n_folds) {
  vise_fold_options options;
  vise_fold_options_init(&options);
  options.n_folds = n_folds;
  return options;
}

/* Rows of a class in a fold of the dataset. */
static size_t count(const vise_dataset *dataset, const size_t *folds, size_t fold, int64_t label) {
  size_t n = 0;
  for (size_t i = 0; i < vise_dataset_n_rows(dataset); i++) {
    double y = 0;
    EXPECT_OK(vise_dataset_get_targets(dataset, i, &y, &err), err);
    n += folds[i] == fold && (int64_t)y == label;
  }
  return n;
}

Test(dataset_folds, are_stratified_by_labels) {
  vise_dataset *dataset = labelled();
  const vise_fold_options options = fold_options(K);
  size_t folds[N];
  EXPECT_OK(vise_dataset_folds(dataset, &options, folds, N, &err), err);
  for (size_t f = 1; f <= K; f++) {
    cr_assert_eq(count(dataset, folds, f, 2), 10);
    cr_assert(count(dataset, folds, f, 7) == 4 || count(dataset, folds, f, 7) == 5);
    cr_assert_leq(count(dataset, folds, f, 0), 1);
  }
  for (size_t i = 0; i < N; i++) cr_assert_eq(folds[i] == 0, i == 9, "the only row of a class is in no fold");
  vise_dataset_free(dataset);
}

Test(dataset_folds, are_those_of_the_rows_selected) {
  vise_dataset *dataset = labelled(), *part = NULL;
  const vise_fold_options options = fold_options(2);
  size_t rows[30], folds[30], n = 0;
  for (size_t i = N; i-- > 0;) {
    if (i % 3 == 0) rows[n++] = i; /* in another order, and only the rarer classes */
  }
  EXPECT_OK(vise_dataset_select(dataset, rows, n, &part, &err), err);
  EXPECT_OK(vise_dataset_folds(part, &options, folds, n, &err), err);
  for (size_t f = 1; f <= 2; f++) {
    cr_assert_eq(count(part, folds, f, 0), 1);
    cr_assert(count(part, folds, f, 7) == 8 || count(part, folds, f, 7) == 9);
  }
  vise_dataset_free(part);
  vise_dataset_free(dataset);
}

Test(dataset_folds, depend_on_seed_and_repeat_alone) {
  vise_dataset *dataset = labelled();
  vise_fold_options options = fold_options(K);
  size_t first[N], other[N];
  EXPECT_OK(vise_dataset_folds(dataset, NULL, first, N, &err), err);
  EXPECT_OK(vise_dataset_folds(dataset, NULL, other, N, &err), err);
  cr_assert_arr_eq(first, other, sizeof first);
  options.n_folds = 5;
  options.repeat = 1;
  EXPECT_OK(vise_dataset_folds(dataset, &options, other, N, &err), err);
  cr_assert(memcmp(first, other, sizeof first) != 0);
  vise_dataset_free(dataset);
}

/* One-hot rows are labels; numbers are of one class, so that none stays out of the folds. */
Test(dataset_folds, tell_classes_from_numbers) {
  double one_hot[N][3] = {{0}}, numbers[N];
  for (size_t i = 0; i < N; i++) {
    one_hot[i][i == 9 ? 2 : i % 2] = 1;
    numbers[i] = (double)i + 0.5;
  }
  const vise_array x = vise_array_of(numbers, VISE_F64, N, 1), y = vise_array_of(one_hot, VISE_F64, N, 3);
  vise_dataset *dataset = NULL;
  size_t folds[N], n = 0;
  EXPECT_OK(vise_dataset_from_arrays(&x, &y, NULL, true, &dataset, &err), err);
  EXPECT_OK(vise_dataset_folds(dataset, NULL, folds, N, &err), err);
  for (size_t i = 0; i < N; i++) cr_assert_eq(folds[i] == 0, i == 9);
  for (size_t i = 0; i < N; i++) n += folds[i] == 1 && i % 2 == 0;
  cr_assert_eq(n, 6);
  vise_dataset_free(dataset);

  EXPECT_OK(vise_dataset_from_arrays(&x, &x, NULL, true, &dataset, &err), err);
  EXPECT_OK(vise_dataset_folds(dataset, NULL, folds, N, &err), err);
  for (size_t i = 0; i < N; i++) cr_assert_gt(folds[i], 0);
  vise_dataset_free(dataset);
}

Test(dataset_folds, go_by_time_and_by_rows) {
  vise_dataset *dataset = labelled();
  vise_fold_options options = fold_options(3);
  const size_t rows[] = {7, 3, 40, 5, 20, 21};
  size_t folds[N];
  options.time_order = true;
  options.rows = rows;
  options.n_rows = 6; /* 3 5 7 in no fold, then 20, 21, 40 */
  EXPECT_OK(vise_dataset_folds(dataset, &options, folds, N, &err), err);
  for (size_t i = 0; i < N; i++) cr_assert_eq(folds[i], i == 20 ? 1 : i == 21 ? 2 : i == 40 ? 3 : 0, "row %zu", i);
  vise_dataset_free(dataset);
}

Test(dataset_folds, refuse_what_cannot_be) {
  vise_dataset *dataset = labelled();
  vise_fold_options options = fold_options(61);
  const size_t twice[] = {1, 1}, beyond[] = {60};
  size_t folds[N];
  EXPECT_ERROR(vise_dataset_folds(dataset, &options, folds, N, &err), &err, VISE_ERR_USAGE,
               "array: 60 rows with a target are too few for 61 folds");
  EXPECT_ERROR(vise_dataset_folds(dataset, NULL, folds, 59, &err), &err, VISE_ERR_SHAPE, "there are 60");

  options = fold_options(2);
  options.group = "g";
  EXPECT_ERROR(vise_dataset_folds(dataset, &options, folds, N, &err), &err, VISE_ERR_USAGE,
               "`group` names a column of a table");

  options.group = NULL;
  options.rows = twice;
  options.n_rows = 2;
  EXPECT_ERROR(vise_dataset_folds(dataset, &options, folds, N, &err), &err, VISE_ERR_SHAPE,
               "row 1 to deal out is given");

  options.rows = beyond;
  options.n_rows = 1;
  EXPECT_ERROR(vise_dataset_folds(dataset, &options, folds, N, &err), &err, VISE_ERR_SHAPE, "beyond the dataset");
  vise_dataset_free(dataset);
}

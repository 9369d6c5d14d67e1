/* Folds of whole groups, and in order of time. */
#include <stdio.h>

#include "table_support.h"

enum { N = 240, K = 4, N_GROUPS = 40 };

static vise_fold_options fold_options(size_t n_folds, const char *group) {
  vise_fold_options options;
  vise_fold_options_init(&options);
  options.n_folds = n_folds;
  options.group = group;
  return options;
}

static void deal(const vise_table *table, const vise_fold_options *options, size_t *folds) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_table_folds(table, NULL, options, folds, vise_table_n_rows(table), &err), err);
}

static void expect_folds(const char *text, const vise_fold_options *options, const size_t *expected) {
  vise_table *table = read_text(text, NULL);
  const size_t n = vise_table_n_rows(table);
  size_t folds[64];
  cr_assert_leq(n, 64);
  deal(table, options, folds);
  for (size_t i = 0; i < n; i++) cr_assert_eq(folds[i], expected[i], "row %zu: fold %zu", i, folds[i]);
  vise_table_free(table);
}

static void expect_refused(const char *text, const vise_fold_options *options, vise_status code, const char *says) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = read_text(text, NULL);
  size_t folds[64];
  EXPECT_ERROR(vise_table_folds(table, NULL, options, folds, vise_table_n_rows(table), &err), &err, code, says);
  vise_table_free(table);
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

/* 40 groups of 4 or 12 rows, scattered over the table; the rarer class is most of every fifth. */
static size_t group_of(size_t i) {
  const size_t at = i * 7 % N;
  return at < N / 2 ? at % (N_GROUPS / 4) : 10 + at % (N_GROUPS - 10);
}

static bool is_rare(size_t i) {
  return group_of(i) % 5 == 0 ? i % 7 != 0 : i % 13 == 0;
}

static void group_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,p%zu,%s", i, group_of(i), is_rare(i) ? "rare" : "common");
}

static void number_group_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,%g,%s", i, 100 - 0.5 * (double)group_of(i), is_rare(i) ? "rare" : "common");
}

Test(table_fold_groups, stay_whole_and_keep_the_classes_balanced) {
  vise_table *table = read_text(rows_of("x,patient,y", N, group_row), NULL);
  const vise_fold_options options = fold_options(K, "patient");
  size_t folds[N], fold_of[N_GROUPS] = {0}, sizes[K + 1] = {0}, rare[K + 1] = {0}, n_rare = 0;
  deal(table, &options, folds);

  for (size_t i = 0; i < N; i++) {
    size_t *fold = &fold_of[group_of(i)];
    cr_assert(folds[i] >= 1 && folds[i] <= K, "row %zu", i);
    if (*fold == 0) *fold = folds[i];
    cr_assert_eq(*fold, folds[i], "group %zu is in two folds", group_of(i));
    sizes[folds[i]]++;
    rare[folds[i]] += is_rare(i);
    n_rare += is_rare(i);
  }
  for (size_t f = 1; f <= K; f++) {
    cr_assert(sizes[f] >= N / K - 4 && sizes[f] <= N / K + 4, "fold %zu has %zu rows", f, sizes[f]);
    cr_assert(rare[f] + 2 >= n_rare / K && rare[f] <= n_rare / K + 3, "%zu of %zu are in fold %zu", rare[f], n_rare, f);
  }
  vise_table_free(table);
}

Test(table_fold_groups, depend_on_seed_and_repeat_alone) {
  vise_table *table = read_text(rows_of("x,patient,y", N, group_row), NULL);
  vise_fold_options options = fold_options(K, "patient");
  size_t first[N], other[N];
  options.seed = 5;
  deal(table, &options, first);
  deal(table, &options, other);
  cr_assert_arr_eq(first, other, sizeof first);
  options.repeat = 1;
  deal(table, &options, other);
  cr_assert(memcmp(first, other, sizeof first) != 0);
  options.repeat = 0;
  options.seed = 6;
  deal(table, &options, other);
  cr_assert(memcmp(first, other, sizeof first) != 0);
  vise_table_free(table);
}

Test(table_fold_groups, are_the_same_by_text_by_numbers_and_by_place) {
  vise_table *table = read_text(rows_of("x,patient,y", N, group_row), NULL);
  vise_fold_options options = fold_options(K, "patient");
  size_t by_name[N], other[N];
  deal(table, &options, by_name);
  options.group = "-2";
  deal(table, &options, other);
  cr_assert_arr_eq(by_name, other, sizeof other);
  vise_table_free(table);

  table = read_text(rows_of("x,patient,y", N, number_group_row), NULL);
  cr_assert_eq(vise_table_column_kind(table, 1), VISE_COLUMN_NUMBER);
  options.group = "1";
  deal(table, &options, other);
  cr_assert_arr_eq(by_name, other, sizeof other);
  vise_table_free(table);
}

#define ROWS(x, group, y) #x "," group "," y "\n"

/* Groups of 5, 4, 3 and 2 rows: u u u u u, v v v v, v v v, u u. */
static const char few_groups[] = "x,g,y\n" ROWS(1, "a", "u") ROWS(2, "b", "v") ROWS(3, "c", "v") ROWS(4, "d", "u")
    ROWS(5, "a", "u") ROWS(6, "b", "v") ROWS(7, "c", "v") ROWS(8, "d", "u") ROWS(9, "a", "u") ROWS(10, "b", "v")
        ROWS(11, "c", "v") ROWS(12, "a", "u") ROWS(13, "b", "v") ROWS(14, "a", "u");

/* By hand, the largest first. By class: a to 1; b, which strains neither, to 2 of the fewer rows; c to 1, which has no v
   yet, though it has more rows; d to 2. By rows: a to 1, b to 2, c to 2 (4 rows, not 5), d to 1 (5 rows, not 7). */
Test(table_fold_groups, go_where_they_strain_least) {
  static const size_t by_class[] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1, 2, 1};
  static const size_t by_rows[] = {1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 1, 2, 1};
  vise_fold_options options = fold_options(2, "g");
  options.shuffle = false;
  expect_folds(few_groups, &options, by_class);
  options.stratify = false;
  expect_folds(few_groups, &options, by_rows);
}

/* By hand: a to 1, b to 2, and c beside 5 of the 7 u (5 / 7^2) rather than beside 1 of them and 1 of the 2 v
   (1 / 7^2 + 1 / 2^2). */
Test(table_fold_groups, count_rows_as_shares_of_their_class) {
  static const size_t expected[] = {1, 1, 1, 1, 1, 2, 2, 1, 1};
  vise_fold_options options = fold_options(2, "g");
  options.shuffle = false;
  expect_folds("x,g,y\n1,a,u\n2,a,u\n3,a,u\n4,a,u\n5,a,u\n6,b,u\n7,b,v\n8,c,u\n9,c,v\n", &options, expected);
}

/* Groups of one size in the order of their first rows, each to the fold of the fewest rows, then to the first. */
Test(table_fold_groups, of_one_size_take_turns_without_shuffling) {
  static const size_t expected[] = {1, 2, 3, 1, 2, 3};
  vise_fold_options options = fold_options(3, "g");
  options.shuffle = false;
  expect_folds("x,g,y\n1,z,0.5\n2,b,1.5\n3,a,2.25\n4,y,3.5\n5,c,4.75\n6,d,6.5\n", &options, expected);
}

Test(table_fold_groups, that_alone_have_a_class_are_in_no_fold) {
  static const char text[] = "x,g,y\n1,a,u\n2,a,w\n3,a,w\n4,b,u\n5,b,v\n6,c,v\n7,c,u\n8,d,u\n";
  vise_fold_options options = fold_options(3, "g");
  vise_table *table = read_text(text, NULL);
  size_t folds[8];
  deal(table, &options, folds);
  for (size_t i = 0; i < 8; i++) cr_assert_eq(folds[i] == 0, i < 3, "row %zu: fold %zu", i, folds[i]);
  options.stratify = false;
  deal(table, &options, folds);
  for (size_t i = 0; i < 8; i++) cr_assert_gt(folds[i], 0);
  vise_table_free(table);

  options = fold_options(4, "g");
  expect_refused(text, &options, VISE_ERR_USAGE,
                 "x.csv: 4 groups in column \"g\" are too few for 4 folds, as those that alone have a class (1) are in "
                 "none");
}

Test(table_fold_groups, refuse_what_cannot_be) {
  static const char text[] = "x,g,y\n1,a,0.5\n2,b,1.5\n3,a,2.25\n4,b,3.5\n";
  vise_fold_options options = fold_options(3, "g");
  expect_refused(text, &options, VISE_ERR_USAGE, "x.csv: 2 groups in column \"g\" are too few for 3 folds");
  options = fold_options(2, "h");
  expect_refused(text, &options, VISE_ERR_USAGE, "`group` names \"h\", which is no column; there are x, g, y");
  options = fold_options(2, "y");
  expect_refused(text, &options, VISE_ERR_USAGE, "column \"y\" is the target and the `group`; it can be one of them");
  options = fold_options(2, "g");
  options.time_order = true;
  expect_refused(text, &options, VISE_ERR_USAGE, "`time_order` and `group` contradict each other");

  options = fold_options(2, "g");
  expect_refused("x,g,y\n1,a,0.5\n2,b,1.5\n3,,2.25\n4,b,3.5\n", &options, VISE_ERR_VALUE,
                 "x.csv:4: column \"g\": the field is empty or a gap; every row needs a `group`");
  expect_refused("x,g,y\n1,1,0.5\n2,,1.5\n3,1,2.25\n4,2,3.5\n", &options, VISE_ERR_VALUE, "x.csv:3: column \"g\"");
}

Test(table_fold_groups, may_lack_where_there_is_no_target) {
  static const size_t expected[] = {1, 2, 0, 1};
  vise_fold_options options = fold_options(2, "g");
  options.shuffle = false;
  expect_folds("x,g,y\n1,a,0.5\n2,b,1.5\n3,,\n4,a,3.5\n", &options, expected);
}

/* ---- the column ----------------------------------------------------------------------------------------------- */

Test(table_fold_groups, their_column_is_no_feature) {
  vise_preprocessor_options options = fit_options();
  options.group = "g";
  vise_preprocessor *p = fit_text(few_groups, &options, NULL);
  cr_assert_eq(vise_preprocessor_n_inputs(p), 1);
  cr_assert(has_line(p, "left out: g, it is the `group`"));
  vise_preprocessor_free(p);

  options.group = "y";
  EXPECT_REFUSAL(few_groups, &options, "column \"y\" is the target and the `group`; it can be one of them");
  options.group = "g";
  options.features = "x,g";
  EXPECT_REFUSAL(few_groups, &options, "column \"g\" is in `features` and the `group`; it can be one of them");
  options.features = "x";
  p = fit_text(few_groups, &options, NULL);
  cr_assert_eq(vise_preprocessor_n_inputs(p), 1);
  vise_preprocessor_free(p);
}

Test(table_fold_groups, their_column_is_read_beside_those_of_a_model) {
  vise_preprocessor_options how = fit_options();
  how.group = "g";
  vise_preprocessor *p = fit_text(few_groups, &how, NULL);
  vise_table_options reading = table_options();
  reading.like = p;
  vise_table *table = read_text(few_groups, &reading);
  const vise_fold_options options = fold_options(2, "g");
  vise_error err = VISE_ERROR_INIT;
  size_t folds[14], again[14];
  cr_assert_eq(vise_table_folds(table, NULL, &options, folds, 14, &err), VISE_ERR_VALUE, "it was not read");
  vise_table_free(table);

  reading.also = "g";
  table = read_text(few_groups, &reading);
  deal(table, &options, folds);
  vise_table_free(table);
  table = read_text(few_groups, NULL);
  deal(table, &options, again);
  cr_assert_arr_eq(folds, again, sizeof folds);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

/* ---- order of time -------------------------------------------------------------------------------------------- */

static void time_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,%g", i, (double)(i * 37 % 11) + 0.25);
}

static void expect_blocks(size_t n, size_t n_folds, const size_t *expected) {
  vise_fold_options options = fold_options(n_folds, NULL);
  options.time_order = true;
  expect_folds(rows_of("x,y", n, time_row), &options, expected);
}

/* scikit-learn 1.5: TimeSeriesSplit(n_splits).split(range(n)) has these rows to test on. */
Test(table_fold_groups, blocks_of_time_are_those_of_scikit_learn) {
  static const size_t of_10[] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3};
  static const size_t of_13[] = {0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
  static const size_t of_4[] = {0, 1, 2, 3};
  expect_blocks(10, 3, of_10);
  expect_blocks(13, 5, of_13);
  expect_blocks(4, 3, of_4);

  vise_fold_options options = fold_options(3, NULL);
  options.time_order = true;
  expect_refused("x,y\n1,0.5\n2,1.5\n3,2.5\n", &options, VISE_ERR_USAGE,
                 "3 rows with a target are too few for 3 folds and a first block before them");
}

Test(table_fold_groups, rows_without_a_target_are_in_no_block) {
  static const size_t expected[] = {0, 0, 0, 0, 0, 1, 0, 1, 2, 2};
  vise_fold_options options = fold_options(2, NULL);
  options.time_order = true; /* 8 rows: blocks of 4, 2 and 2 */
  expect_folds("x,y\n1,0.5\n2,\n3,2.5\n4,3\n5,1\n6,4.5\n7,\n8,5\n9,6\n10,7.5\n", &options, expected);
}

Test(table_fold_groups, the_past_of_a_fold_is_what_stands_before_it) {
  static const size_t folds[] = {0, 0, 1, 0, 1, 2, 0, 2, 3, 3};
  static const size_t some[] = {9, 7, 5, 2, 1};
  vise_error err = VISE_ERROR_INIT;
  vise_split made;
  EXPECT_OK(vise_folds_split_past(folds, NULL, 10, 2, &made, &err), err);
  cr_assert(made.n_held_out == 2 && made.held_out[0] == 5 && made.held_out[1] == 7);
  cr_assert(made.n_kept == 5 && made.kept[0] == 0 && made.kept[3] == 3 && made.kept[4] == 4);
  vise_split_clear(&made);

  EXPECT_OK(vise_folds_split_past(folds, NULL, 10, 1, &made, &err), err);
  cr_assert(made.n_held_out == 2 && made.n_kept == 2 && made.kept[1] == 1);
  vise_split_clear(&made);

  EXPECT_OK(vise_folds_split_past(folds, some, 5, 2, &made, &err), err);
  cr_assert(made.n_held_out == 2 && made.held_out[0] == 7 && made.n_kept == 2 && made.kept[0] == 2);
  vise_split_clear(&made);
  EXPECT_ERROR(vise_folds_split_past(folds, some, 5, 4, &made, &err), &err, VISE_ERR_USAGE, "fold 4 has no rows");
}

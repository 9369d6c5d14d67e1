/* What becomes of features. */
#include <stdio.h>

#include "table_support.h"

static vise_column_info column(const vise_preprocessor *p, size_t i) {
  vise_error err = VISE_ERROR_INIT;
  vise_column_info info;
  EXPECT_OK(vise_preprocessor_column(p, i, &info, &err), err);
  return info;
}

static void expect_names(const vise_preprocessor *p, const char *expected) {
  char all[2048] = "", name[128];
  for (size_t i = 0; i < vise_preprocessor_n_inputs(p); i++) {
    if (i > 0) strcat(all, ", ");
    strcat(all, vise_preprocessor_input_name(p, i, name, sizeof name));
  }
  cr_assert_str_eq(all, expected, "%s", all);
}

Test(table_feature, numbers_are_standardised) {
  vise_table *table;
  vise_preprocessor *p = fit_text("a,b,y\n1,10,0\n2,10.5,1\n3,11,5\n6,12,7\n", NULL, &table);
  vise_transformed *made = transform_all(p, table, NULL);

  EXPECT_NEAR(column(p, 0).shift, 3, 0);
  EXPECT_NEAR(column(p, 0).scale, sqrt(3.5), 1e-15);
  for (size_t c = 0; c < 2; c++) {
    double sum = 0, squares = 0;
    for (size_t r = 0; r < 4; r++) {
      sum += feature_at(made, r, c);
      squares += feature_at(made, r, c) * feature_at(made, r, c);
    }
    EXPECT_NEAR(sum, 0, 1e-6);
    EXPECT_NEAR(squares, 4, 1e-5);
  }

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_feature, scaling_happens_in_float64) {
  vise_table *table;
  vise_preprocessor *p = fit_text("seconds,y\n1764400001,1\n1764400002,2\n1764400003,3\n", NULL, &table);
  vise_transformed *made = transform_all(p, table, NULL);
  EXPECT_NEAR(feature_at(made, 0, 0), -sqrt(1.5), 1e-6);
  EXPECT_NEAR(feature_at(made, 1, 0), 0, 0);
  EXPECT_NEAR(feature_at(made, 2, 0), sqrt(1.5), 1e-6);
  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_feature, a_variance_of_rounding_alone_is_0) {
  vise_preprocessor *p = fit_text("a,b,y\n0.3,1,1\n0.30000000000000004,2,2\n0.3,3,3\n", NULL, NULL);
  EXPECT_NEAR(column(p, 0).scale, 1, 0);
  vise_preprocessor_free(p);
}

Test(table_feature, scales_as_asked) {
  vise_preprocessor_options options = fit_options();
  options.scale = VISE_SCALE_NONE;
  vise_preprocessor *p = fit_text("a,y\n100,1\n200,2\n", &options, NULL);
  cr_assert(column(p, 0).shift == 0 && column(p, 0).scale == 1);
  vise_preprocessor_free(p);
  options.scale = VISE_SCALE_UNIT;
  p = fit_text("a,y\n100,1\n200,2\n", &options, NULL);
  cr_assert(column(p, 0).shift == 0 && column(p, 0).scale == 255);
  vise_preprocessor_free(p);
  EXPECT_REFUSAL("a,y\n100,1\n256,2\n", &options, "column \"a\": `scale` unit is for whole numbers from 0 to 255");
}

Test(table_feature, gaps_in_numbers_get_the_mean_and_an_indicator) {
  vise_table *table;
  vise_preprocessor *p = fit_text("a,b,y\n1,5,0\n,6,1\n3,7,2\nNA,9,4\n", NULL, &table);

  expect_names(p, "a, a is missing, b");
  cr_assert(column(p, 0).n_gaps == 2 && column(p, 0).fill == 2 && column(p, 0).has_indicator);

  vise_transformed *made = transform_all(p, table, NULL);
  static const double values[] = {-1, 0, 1, 0}, gaps[] = {0, 1, 0, 1};
  for (size_t r = 0; r < 4; r++) {
    EXPECT_NEAR(feature_at(made, r, 0), values[r], 1e-7);
    EXPECT_NEAR(feature_at(made, r, 1), gaps[r], 0);
  }
  cr_assert(has_line(p, "gaps filled, with an input that marks them: a (2, by 2)"));

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_feature, text_becomes_inputs_of_0_and_1) {
  vise_table *table;
  vise_preprocessor *p = fit_text(
      "color,sex,open,y\nred,m,yes,1\nblue,f,,2\ngreen,f,yes,3\nred,m,yes,4\nblue,m,,5\nred,f,yes,6\n", NULL, &table);
  expect_names(p, "color=blue, color=green, color=red, sex=m, open is missing");

  vise_transformed *made = transform_all(p, table, NULL);
  static const double expected[6][5] = {{0, 0, 1, 1, 0}, {1, 0, 0, 0, 1}, {0, 1, 0, 0, 0},
                                        {0, 0, 1, 1, 0}, {1, 0, 0, 1, 1}, {0, 0, 1, 0, 0}};
  for (size_t r = 0; r < 6; r++) {
    for (size_t i = 0; i < 5; i++) EXPECT_NEAR(feature_at(made, r, i), expected[r][i], 0);
  }

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

static void city_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,c%zu", i, i < 60 ? i % 3 : 3 + i % 20);
}

Test(table_feature, rare_texts_share_an_input) {
  vise_preprocessor_options options = fit_options();
  vise_table *table = read_text(rows_of("y,city", 100, city_row), NULL);
  options.max_categories = 3;
  options.target = "y";
  vise_preprocessor *p = fit_all(table, &options);

  expect_names(p, "city=c0, city=c1, city=c2, city=other");
  cr_assert(column(p, 1).n_categories == 3 && column(p, 1).n_grouped == 20);
  cr_assert(has_line(p, "city (3 values and 20 rarer as \"other\")"));

  vise_transformed *made = transform_all(p, table, NULL);
  EXPECT_NEAR(feature_at(made, 99, 3), 1, 0);
  EXPECT_NEAR(feature_at(made, 1, 1), 1, 0);

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

/* 60 texts in 20 rows each, c060 to c069 in 3, c070 to c079 in 2. */
static void uneven_row(size_t i, char *out, size_t n) {
  const size_t text = i < 1200 ? i % 60 : i < 1230 ? 60 + i % 10 : 70 + i % 10;
  snprintf(out, n, "%zu,c%03zu", i, text);
}

Test(table_feature, by_default_texts_beyond_64_have_an_input_if_they_are_in_3_rows) {
  vise_preprocessor_options options = fit_options();
  vise_table *table = read_text(rows_of("y,city", 1250, uneven_row), NULL);
  options.target = "y";
  vise_preprocessor *p = fit_all(table, &options);
  cr_assert(column(p, 1).n_categories == 70 && column(p, 1).n_grouped == 10, "%zu", column(p, 1).n_categories);
  vise_preprocessor_free(p);

  options.max_categories = 64;
  p = fit_all(table, &options);
  cr_assert(column(p, 1).n_categories == 64 && column(p, 1).n_grouped == 16);
  vise_preprocessor_free(p);
  vise_table_free(table);
}

static void even_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,c%03zu", i, i % 300);
}

static void even_row_from_the_end(size_t i, char *out, size_t n) {
  even_row(1499 - i, out, n);
}

Test(table_feature, equally_frequent_texts_are_kept_in_their_order_whatever_that_of_the_rows) {
  void (*const orders[])(size_t, char *, size_t) = {even_row, even_row_from_the_end};
  for (size_t k = 0; k < 2; k++) {
    vise_preprocessor_options options = fit_options();
    vise_table *table = read_text(rows_of("y,city", 1500, orders[k]), NULL);
    char name[64];
    options.target = "y";
    vise_preprocessor *p = fit_all(table, &options);

    cr_assert(column(p, 1).n_categories == 256 && column(p, 1).n_grouped == 44);
    cr_assert_str_eq(vise_preprocessor_input_name(p, 255, name, sizeof name), "city=c255");

    vise_preprocessor_free(p);
    vise_table_free(table);
  }
}

Test(table_feature, dates_are_days_since_the_first) {
  vise_table *table;
  vise_preprocessor_options options = fit_options();
  options.scale = VISE_SCALE_NONE;
  vise_preprocessor *p = fit_text("day,y\n2026-11-29,1\n2026-11-28,2\n2026-12-01 12:00,3\n", &options, &table);
  vise_transformed *made = transform_all(p, table, NULL);

  EXPECT_NEAR(feature_at(made, 0, 0), 0, 0);
  EXPECT_NEAR(feature_at(made, 1, 0), -1, 0);
  EXPECT_NEAR(feature_at(made, 2, 0), 2.5, 0);
  cr_assert(has_line(p, "dates: day (days since 2026-11-29)"));

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_feature, leaves_out_what_tells_nothing) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"a,b,y\n1,5,1\n2,5,2\n", "left out: b, it is 5 in every row"},
      {"a,b,y\n1,x,1\n2,x,2\n", "left out: b, it is \"x\" in every row"},
      {"a,b,y\n1,,1\n2,,2\n", "left out: b, it holds nothing but gaps"},
      {"a,b,y\n1,Ann,1\n2,Bob,2\n3,Ann,3\n4,Cid,4\n", "left out: b, it is text that differs in 3 of 4 rows"},
      {",a,y\n1,5,1\n2,6,2\n5,7,3\n", "left out: Unnamed: 0, row names"},
      {"\"\",a,y\nx,5,1\ny,6,2\nz,7,3\n", "left out: Unnamed: 0, row names"},
      {"a,ID,y\n5,1,1\n6,2,2\n7,9,3\n", "left out: ID, an id"},
      {"_id,a,y\n5,1,1\n6,1,2\n7,2,3\n", "left out: _id, an id"},
      {"a,cust_id,y\n5,1,1\n6,3,2\n7,2,3\n", "left out: cust_id, an id"},
      {"a,Patient,y\n5,1,1\n6,3,2\n7,2,3\n", "left out: Patient, an id"},
      {"a,PassengerId,y\n5,1,1\n6,3,2\n7,2,3\n", "left out: PassengerId, an id"},
      {"a,obs.id,y\n5,1,1\n6,3,2\n7,2,3\n", "left out: obs.id, an id"},
      {"Unnamed: 0,a,y\n0,5,1\n1,6,2\n2,7,3\n", "left out: Unnamed: 0, an id"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_preprocessor *p = fit_text(cases[k].text, NULL, NULL);
    cr_assert(has_line(p, cases[k].expected), "%s", cases[k].text);
    vise_preprocessor_free(p);
  }
}

Test(table_feature, tells_of_ids_that_repeat_and_are_kept) {
  vise_preprocessor *p = fit_text("cust_id,a,y\n1,5,1\n2,6,2\n2,7,3\n", NULL, NULL);
  cr_assert(has_line(p, "taken for numbers, though called ids (`drop` leaves them out): cust_id"));
  vise_preprocessor_free(p);
}

Test(table_feature, keeps_what_only_looks_like_an_id) {
  static const char *const texts[] = {
      "time,a,y\n1,5,1\n2,6,2\n3,7,3\n",      /* counts up, and is no id by name */
      "id,a,y\n1,5,1\n2,6,2\n2,7,3\n",        /* repeats */
      "index,a,y\n1.5,5,1\n2.25,6,2\n3,7,3\n" /* measures */
  };
  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    vise_preprocessor *p = fit_text(texts[k], NULL, NULL);
    cr_assert_eq(vise_preprocessor_n_inputs(p), 2, "%s", texts[k]);
    vise_preprocessor_free(p);
  }
}

static void long_row(size_t i, char *out, size_t n) {
  snprintf(out, n, i == 70 ? "x%zu,%zu" : "%zu,%zu", i, i * i);
}

static void percent_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu%%,%zu", i % 3, i * i);
}

static void comma_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,%zu;%zu", i, i % 10, i * i);
}

static void thousand_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "\"%zu,%03zu\";%zu", i % 5 + 1, i * 7, i * i);
}

/* Three decimals each, as thousands have digits; but one of them begins with 0. */
static void decimals_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%s%zu,%03zu;%zu", i % 2 == 0 ? "-" : "", i == 12 ? (size_t)0 : i % 9 + 1, 100 + i * 7, i * i);
}

Test(table_feature, refuses_numbers_in_disguise) {
  EXPECT_REFUSAL(rows_of("a,y", 100, long_row), NULL,
                 "x.csv:72: column \"a\": \"x70\" is not a number, as 99 of the column's 100 values are; `na`");
  EXPECT_REFUSAL(rows_of("a,y", 20, percent_row), NULL,
                 "x.csv:2: column \"a\": \"0%\" looks like a number with other characters in it; `strip`");
  EXPECT_REFUSAL(rows_of("a;y", 20, comma_row), NULL,
                 "column \"a\": \"0,0\" looks like a number with the decimal mark ,; `decimal` \",\"");
  EXPECT_REFUSAL(rows_of("a;y", 20, thousand_row), NULL, "looks like a number with other characters in it; `strip`");
  EXPECT_REFUSAL(rows_of("a;y", 20, thousand_row), NULL, "`decimal` \",\" if that is the decimal mark, `categorical`");
  EXPECT_REFUSAL(rows_of("a;y", 20, decimals_row), NULL,
                 "x.csv:14: column \"a\": \"-0,184\" looks like a number with the decimal mark ,; `decimal` \",\"");
}

Test(table_feature, disguised_numbers_can_be_settled) {
  vise_preprocessor_options options = fit_options();
  options.drop = "a";
  EXPECT_REFUSAL(rows_of("a,y", 100, long_row), &options, "no feature is left");

  vise_table_options read = table_options();
  read.na = "x70";
  vise_table *table = read_text(rows_of("a,y", 100, long_row), &read);
  vise_preprocessor *p = fit_all(table, NULL);
  cr_assert_eq(vise_preprocessor_n_inputs(p), 2);
  vise_preprocessor_free(p);
  vise_table_free(table);

  read.na = NULL;
  read.categorical = "a";
  table = read_text(rows_of("a,y", 100, long_row), &read);
  p = fit_all(table, NULL);
  cr_assert_eq(column(p, 0).n_categories, 64);
  vise_preprocessor_free(p);
  vise_table_free(table);
}

Test(table_feature, lists_choose_columns) {
  vise_preprocessor_options options = fit_options();
  options.features = "c, 0";
  options.target = "b";
  vise_preprocessor *p = fit_text("a,b,c,d\n1,2,3,4\n2,4,1,7\n3,3,3,1\n", &options, NULL);
  expect_names(p, "a, c");
  vise_preprocessor_free(p);

  options.features = NULL;
  options.drop = "-1";
  p = fit_text("a,b,c,d\n1,2,3,4\n2,4,1,7\n3,3,3,1\n", &options, NULL);
  expect_names(p, "a, c");
  vise_preprocessor_free(p);
  options.features = "id";
  options.drop = NULL;
  p = fit_text("id,b\n1,2\n2,4\n3,3\n", &options, NULL);
  expect_names(p, "id");
  vise_preprocessor_free(p);

  options.features = "a,b";
  EXPECT_REFUSAL("a,b\n1,2\n2,4\n", &options, "column \"b\" is the target and in `features`");
  options.features = "a";
  options.drop = "a";
  EXPECT_REFUSAL("a,b\n1,2\n2,4\n", &options, "column \"a\" is in `features` and in `drop`");
  options.features = "e";
  EXPECT_REFUSAL("a,b\n1,2\n2,4\n", &options, "`features` names \"e\", which is no column; there are a, b");
  options = fit_options();
  options.target = "7";
  EXPECT_REFUSAL("1,2\n2,4\n", &options,
                 "`target` names \"7\", but the columns have no names; give a place from 0 to 1");
}

Test(table_feature, missing_error_and_drop_rows) {
  static const char text[] = "a,b,y\n1,5,1\n,6,2\n3,NA,3\n4,8,4\n";
  vise_preprocessor_options options = fit_options();
  options.missing = VISE_MISSING_ERROR;
  EXPECT_REFUSAL(text, &options, "x.csv:3: column \"a\": the field is empty or a gap; `missing` auto");
  options.missing = VISE_MISSING_DROP_ROWS;
  vise_table *table;
  vise_preprocessor *p = fit_text(text, &options, &table);
  cr_assert_eq(vise_preprocessor_n_rows(p), 2);
  cr_assert(has_line(p, "2 rows left out: a gap"));

  EXPECT_NEAR(column(p, 0).shift, 2.5, 0);

  vise_transformed *made = transform_all(p, table, NULL);
  cr_assert_eq(vise_transformed_counts(made).n_rows, 2);
  cr_assert_eq(vise_transformed_rows(made)[1], 3);
  vise_transformed_free(made);
  vise_transform_options keep = transform_options();
  keep.keep_all_rows = true;
  made = transform_all(p, table, &keep);
  cr_assert(vise_transformed_counts(made).n_rows == 4 && vise_transformed_counts(made).n_filled == 2);
  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_feature, values_beyond_float32_are_refused) {
  EXPECT_REFUSAL("a,y\n1,1\n1e39,2\n", NULL, "x.csv:3: column \"a\": 1e+39 is beyond the range of float32");
  EXPECT_REFUSAL("a,y\n1,1\n-inf,2\n", NULL, "x.csv:3: column \"a\": -inf is beyond");
  EXPECT_REFUSAL("a,y\n1,1\n2,1e39\n", NULL, "x.csv:3: column \"y\": 1e+39 is beyond");
  EXPECT_REFUSAL("a,y\n1,1\n2,inf\n3,1\n4,1\n5,inf\n", NULL, "x.csv:3: column \"y\": inf is beyond");
}

Test(table_feature, fits_to_training_rows_alone) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = read_text("a,t,y\n1,u,1\n100,v,2\n3,w,3\n5,u,4\n,v,5\n7,w,6\n", NULL);
  const size_t rows[] = {5, 0, 3, 2}, same[] = {0, 2, 3, 5};
  vise_preprocessor *p = NULL, *q = NULL;
  char *first, *second;
  EXPECT_OK(vise_preprocessor_fit(table, NULL, rows, 4, &p, &err), err);
  EXPECT_OK(vise_preprocessor_fit(table, NULL, same, 4, &q, &err), err);
  EXPECT_OK(vise_preprocessor_to_json(p, &first, &err), err);
  EXPECT_OK(vise_preprocessor_to_json(q, &second, &err), err);
  cr_assert_str_eq(first, second);
  EXPECT_NEAR(column(p, 0).shift, 4, 0);
  expect_names(p, "a, t=w");
  vise_preprocessor_free(p);
  vise_preprocessor_free(q);
  free(first);
  free(second);

  const size_t twice[] = {1, 1}, beyond[] = {6};
  EXPECT_ERROR(vise_preprocessor_fit(table, NULL, twice, 2, &p, &err), &err, VISE_ERR_SHAPE, "given twice");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_preprocessor_fit(table, NULL, beyond, 1, &p, &err), &err, VISE_ERR_SHAPE, "beyond the table");
  vise_table_free(table);
}

Test(table_feature, constant_columns_stay_where_rows_to_come_may_differ) {
  vise_preprocessor_options options;
  vise_preprocessor_options_init(&options);
  options.keep_constant = 1;
  vise_table *table;
  vise_preprocessor *p = fit_text("a,b,t,y\n1,5,x,1\n2,5,x,2\n", &options, &table);
  vise_transformed *made = transform_all(p, table, NULL);

  expect_names(p, "a, b, t=x");
  EXPECT_NEAR(column(p, 1).shift, 5, 0);
  EXPECT_NEAR(column(p, 1).scale, 1, 0);
  cr_expect_eq(feature_at(made, 1, 1), 0);
  cr_expect_eq(feature_at(made, 1, 2), 1);

  vise_transformed_free(made);
  vise_preprocessor_free(p);
  vise_table_free(table);
}

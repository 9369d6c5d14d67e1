/* Applying a preprocessor to other tables. */
#include "table_support.h"

static const char TRAIN[] = "temp,color,y\n1,red,a\n2,blue,b\n3,red,a\n4,green,b\n5,blue,a\n7,green,b\n9,red,b\n";

static vise_preprocessor *fitted(void) {
  return fit_text(TRAIN, NULL, NULL);
}

static vise_table *read_like(const char *text, const vise_preprocessor *p) {
  vise_table_options options = table_options();
  options.like = p;
  return read_text(text, &options);
}

static void expect_same(const vise_preprocessor *p, const char *first, const char *second) {
  vise_transform_options options = transform_options();
  options.targets = false;
  vise_table *a = read_like(first, p), *b = read_like(second, p);
  vise_transformed *x = transform_all(p, a, &options), *y = transform_all(p, b, &options);
  const vise_array u = vise_transformed_features(x), v = vise_transformed_features(y);

  cr_assert(u.n_rows == v.n_rows && u.n_cols == v.n_cols);
  cr_assert(memcmp(u.data, v.data, u.n_rows * u.n_cols * sizeof(float)) == 0, "%s\n%s", first, second);

  vise_transformed_free(x);
  vise_transformed_free(y);
  vise_table_free(a);
  vise_table_free(b);
}

Test(table_transform, matches_by_name) {
  vise_preprocessor *p = fitted();
  static const char plain[] = "temp,color\n6,red\n2,blue\n";
  expect_same(p, plain, "color,temp\nred,6\nblue,2\n");
  expect_same(p, plain, "y,temp,color\na,6,red\nzzz,2,blue\n");
  expect_same(p, plain, ",temp,color\n0,6,red\n1,2,blue\n");
  expect_same(p, plain, "temp,extra,color\n6,1.5,red\n2,oops,blue\n");
  expect_same(p, plain, "6,red\n2,blue\n");
  expect_same(p, plain, "6,red,a\n2,blue,b\n");
  vise_preprocessor_free(p);
}

Test(table_transform, notes_what_it_leaves_out) {
  vise_preprocessor *p = fitted();
  vise_table *table = read_like("day,temp,who,color,y\n1,6,x,red,a\n", p);
  vise_transformed *made = transform_all(p, table, NULL);
  cr_assert(has_transform_note(made, "2 columns left out, which the model does not use: day, who"));
  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, a_missing_feature_is_an_error_that_names_it) {
  vise_preprocessor *p = fitted();
  vise_table_options options = table_options();
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  options.like = p;

  EXPECT_ERROR(try_text("temp,colour\n6,red\n", &options, &table, &err), &err, VISE_ERR_SHAPE,
               "x.csv: lacks the feature color, which the model was trained on; it has temp, colour");
  vise_error_clear(&err);
  EXPECT_ERROR(try_text("6,red,a,4\n", &options, &table, &err), &err, VISE_ERR_SHAPE,
               "x.csv: 4 columns, and line 1 has no name that the model knows; without names on both sides it needs as "
               "many as the training table, 3, or 2 without");

  vise_preprocessor_free(p);
}

Test(table_transform, reads_columns_as_the_model_has_them) {
  vise_preprocessor *p = fit_text("code,n,y\n\"1\",5,a\n\"2\",6,b\n\"1\",7,a\n\"2\",9,b\n", NULL, NULL);
  expect_same(p, "code,n\n1,6\n2,7\n", "code,n\n\"1\",6\n\"2\",7\n");
  vise_table_options options = table_options();
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  options.like = p;
  EXPECT_ERROR(try_text("code,n\n1,6\n2,x\n", &options, &table, &err), &err, VISE_ERR_VALUE,
               "x.csv:3: column \"n\": \"x\" is not a number, which the model takes this column for");
  vise_preprocessor_free(p);
}

Test(table_transform, counts_what_it_never_saw) {
  vise_preprocessor *p = fitted();
  vise_table *table = read_like("temp,color,y\n,pink,a\n2,,b\n3,red,a\n", p);
  vise_transformed *made = transform_all(p, table, NULL);
  const vise_transform_counts counts = vise_transformed_counts(made);

  cr_assert(counts.n_filled == 1 && counts.n_filled_unknown == 1 && counts.n_unseen == 2);
  EXPECT_NEAR(feature_at(made, 0, 0), 0, 0);
  for (size_t i = 1; i < 4; i++) {
    EXPECT_NEAR(feature_at(made, 0, i), 0, 0);
    EXPECT_NEAR(feature_at(made, 1, i), 0, 0);
  }
  cr_assert(has_transform_note(made, "column \"color\": 2 values that no training row had"));
  cr_assert(has_transform_note(made, "column \"temp\": 1 gap where the training rows had none"));

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, refuses_with_line_and_column) {
  vise_preprocessor *p = fitted();
  static const struct {
    const char *text;
    vise_status code;
    const char *expected;
  } cases[] = {
      {"temp,color,y\n1,red,a\n-1e39,red,a\n", VISE_ERR_VALUE, "x.csv:3: column \"temp\": -1e+39 is beyond"},
      {"temp,color,y\n1,red,c\n", VISE_ERR_VALUE,
       "x.csv:2: column \"y\": class \"c\" has no training row; there are a, b"},
      {"temp,color\n1,red\n", VISE_ERR_SHAPE, "x.csv: lacks the target \"y\""},
      {"temp,color,y\n1,red,\n", VISE_ERR_VALUE, "no row is left: 1 lack the target"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_transformed *made = NULL;
    vise_table *table = read_like(cases[k].text, p);
    EXPECT_ERROR(vise_preprocessor_transform(p, table, NULL, &made, &err), &err, cases[k].code, cases[k].expected);
    cr_assert_null(made);
    vise_table_free(table);
  }
  vise_error err = VISE_ERROR_INIT;
  vise_transformed *made = NULL;
  vise_table *table = read_text("temp,color,y\n1,5,a\n", NULL);
  EXPECT_ERROR(vise_preprocessor_transform(p, table, NULL, &made, &err), &err, VISE_ERR_VALUE,
               "column \"color\" is number, and the model takes it for text; a table read for it has it so, an array "
               "has numbers alone");
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, a_scaled_value_beyond_float32_is_refused) {
  vise_preprocessor *p = fit_text("a,y\n1e-20,1\n2e-20,2\n3e-20,3\n", NULL, NULL);
  vise_table *table = read_like("a\n1e30\n", p);
  vise_error err = VISE_ERROR_INIT;
  vise_transformed *made = NULL;
  vise_transform_options options = transform_options();
  options.targets = false;
  EXPECT_ERROR(vise_preprocessor_transform(p, table, &options, &made, &err), &err, VISE_ERR_VALUE,
               "x.csv:2: column \"a\": 1e+30 is beyond the range of float32");
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, takes_rows_and_dtype) {
  vise_table *table;
  vise_preprocessor *p = fit_text(TRAIN, NULL, &table);
  const size_t rows[] = {1, 4}, wrong[] = {4, 1};
  vise_transform_options options = transform_options();
  options.rows = rows;
  options.n_rows = 2;
  options.dtype = VISE_F64;
  vise_transformed *made = transform_all(p, table, &options);
  vise_column_info temp;
  cr_assert_eq(vise_preprocessor_column(p, 0, &temp, NULL), VISE_OK);
  cr_assert(vise_transformed_features(made).n_rows == 2 && vise_transformed_features(made).dtype == VISE_F64);
  EXPECT_NEAR(feature_at(made, 1, 0), (5 - temp.shift) / temp.scale, 0);
  EXPECT_NEAR(target_at(made, 1, 0), 0, 0);
  vise_transformed_free(made);

  vise_error err = VISE_ERROR_INIT;
  options.rows = wrong;
  EXPECT_ERROR(vise_preprocessor_transform(p, table, &options, &made, &err), &err, VISE_ERR_SHAPE, "must ascend");
  options = transform_options();
  options.dtype = VISE_I32;
  vise_error_clear(&err);
  EXPECT_ERROR(vise_preprocessor_transform(p, table, &options, &made, &err), &err, VISE_ERR_USAGE, "f32 or f64");
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, a_table_can_be_used_up) {
  vise_table *table;
  vise_preprocessor *p = fit_text(TRAIN, NULL, &table), *again = NULL;
  vise_transform_options options = transform_options();
  options.use_up = true;
  vise_transformed *made = transform_all(p, table, &options), *more = NULL;
  vise_error err = VISE_ERROR_INIT;
  double v;

  EXPECT_ERROR(vise_preprocessor_transform(p, table, &options, &more, &err), &err, VISE_ERR_STATE, "was used up");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_preprocessor_fit(table, NULL, NULL, 0, &again, &err), &err, VISE_ERR_STATE, "was used up");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_table_number(table, 0, 0, &v, &err), &err, VISE_ERR_STATE, "was used up");

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_transform, missing_error_holds_for_new_rows) {
  vise_preprocessor_options options = fit_options();
  options.missing = VISE_MISSING_ERROR;
  vise_preprocessor *p = fit_text(TRAIN, &options, NULL);
  static const char *const texts[] = {"temp,color,y\n1,red,a\n,red,a\n", "temp,color,y\n1,red,a\n5,,a\n"};

  for (size_t k = 0; k < 2; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_transformed *made = NULL;
    vise_table *table = read_like(texts[k], p);
    EXPECT_ERROR(vise_preprocessor_transform(p, table, NULL, &made, &err), &err, VISE_ERR_VALUE, "x.csv:3: column");
    vise_table_free(table);
  }

  vise_preprocessor_free(p);
}

Test(table_transform, matches_names_that_were_made_up) {
  vise_preprocessor *p = fit_text("a,a,,y\n1,5,7,1\n2,9,4,2\n3,1,3,3\n", NULL, NULL);
  cr_assert_eq(vise_preprocessor_n_inputs(p), 3);
  expect_same(p, "a,a,,y\n4,5,6,0\n", "a,z,,a\n4,0,6,5\n");
  vise_preprocessor_free(p);
}

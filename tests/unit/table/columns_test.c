/* Tables made of columns in memory, and calls that make no sense. */
#include <stdio.h>

#include "table_support.h"

Test(table_columns, are_numbers_and_text) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  const double values[] = {1, NAN, 3, 4, 5, 6};
  const int64_t more[] = {7, 8, 9};
  const char *const names[] = {"a", "b"}, *const name[] = {"c"}, *const texts[] = {"x", NULL, ""};
  const vise_array two = vise_array_of(values, VISE_F64, 3, 2), one = vise_array_of(more, VISE_I64, 3, 1);
  EXPECT_OK(vise_table_create("frame", 3, &table, &err), err);
  EXPECT_OK(vise_table_add_numbers(table, names, &two, &err), err);
  EXPECT_OK(vise_table_add_text(table, "t", texts, &err), err);
  EXPECT_OK(vise_table_add_numbers(table, name, &one, &err), err);
  cr_assert_str_eq(shown(table), "3 rows [a:number b:number t:text c:number] 1|_|x|7 / 3|4|_|8 / 5|6|_|9");
  cr_assert_eq(vise_table_line(table, 0), 0);

  EXPECT_ERROR(vise_table_add_text(table, "a", texts, &err), &err, VISE_ERR_USAGE, "two columns are named \"a\"");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_table_add_text(table, NULL, texts, &err), &err, VISE_ERR_USAGE, "some columns have names");
  vise_error_clear(&err);
  const vise_array wrong = vise_array_of(more, VISE_I64, 2, 1);
  EXPECT_ERROR(vise_table_add_numbers(table, name, &wrong, &err), &err, VISE_ERR_SHAPE, "the table has 3");
  cr_assert_eq(vise_table_n_columns(table), 4);
  vise_table_free(table);
}

Test(table_columns, many_rows_and_columns) {
  enum { ROWS = 70000, COLUMNS = 40 };
  float *values = malloc(sizeof(float) * ROWS * COLUMNS);
  cr_assert_not_null(values);
  for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) values[i] = (float)i;

  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  const vise_array array = vise_array_of(values, VISE_F32, ROWS, COLUMNS);
  EXPECT_OK(vise_table_create(NULL, ROWS, &table, &err), err);
  EXPECT_OK(vise_table_add_numbers(table, NULL, &array, &err), err);

  for (size_t r = 0; r < ROWS; r += 6131) {
    for (size_t c = 0; c < COLUMNS; c++) {
      double v;
      EXPECT_OK(vise_table_number(table, r, c, &v, &err), err);
      cr_assert_eq((float)v, values[r * COLUMNS + c]);
    }
  }

  vise_table_free(table);
  free(values);
}

/* One column after the other, from a few bytes to more than come from malloc. */
Test(table_columns, grow_by_one_and_keep_their_values) {
  enum { ROWS = 1001, COLUMNS = 30 };
  double values[ROWS];
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(vise_table_create(NULL, ROWS, &table, &err), err);
  for (size_t c = 0; c < COLUMNS; c++) {
    for (size_t r = 0; r < ROWS; r++) values[r] = (double)(r * COLUMNS + c);
    const vise_array column = vise_array_of(values, VISE_F64, ROWS, 1);
    EXPECT_OK(vise_table_add_numbers(table, NULL, &column, &err), err);
  }

  for (size_t r = 0; r < ROWS; r++) {
    for (size_t c = 0; c < COLUMNS; c++) {
      double v;
      EXPECT_OK(vise_table_number(table, r, c, &v, &err), err);
      cr_assert_eq(v, (double)(r * COLUMNS + c));
    }
  }
  vise_table_free(table);
}

Test(table_columns, null_is_an_error_and_no_crash) {
  vise_table *table = NULL;
  double v;
  const char *text;
  vise_preprocessor *p = NULL;
  vise_transformed *made = NULL;
  vise_split split;
  vise_column_info info;

  cr_expect_eq(vise_table_create("x", 3, NULL, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_create("x", 0, &table, NULL), VISE_ERR_SHAPE);
  cr_expect_eq(vise_table_parse(NULL, "a", 1, NULL, &table, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_parse("x", NULL, 1, NULL, &table, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_number(NULL, 0, 0, &v, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_text(NULL, 0, 0, &text, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_add_numbers(NULL, NULL, NULL, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_add_text(NULL, NULL, NULL, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_preprocessor_fit(NULL, NULL, NULL, 0, &p, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_preprocessor_transform(NULL, NULL, NULL, &made, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_preprocessor_to_json(NULL, NULL, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_preprocessor_from_json(NULL, &p, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_preprocessor_column(NULL, 0, &info, NULL), VISE_ERR_USAGE);
  cr_expect_eq(vise_table_split(NULL, NULL, NULL, &split, NULL), VISE_ERR_USAGE);

  cr_expect(vise_table_n_rows(NULL) == 0 && vise_table_n_columns(NULL) == 0 && vise_table_n_notes(NULL) == 0);
  cr_expect(vise_preprocessor_n_inputs(NULL) == 0 && vise_preprocessor_n_features(NULL) == 0);
  cr_expect(vise_preprocessor_class_name(NULL, 0) == NULL);
  cr_expect(vise_transformed_features(NULL).n_rows == 0 && vise_transformed_note(NULL, 0) == NULL);

  (vise_table_options_init)(NULL);
  (vise_preprocessor_options_init)(NULL);
  (vise_transform_options_init)(NULL);
  (vise_split_options_init)(NULL);
  vise_split_clear(NULL);
  vise_table_free(NULL);
  vise_preprocessor_free(NULL);
  vise_transformed_free(NULL);
}

Test(table_columns, a_struct_of_no_size_is_refused) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  vise_table_options options = {0};

  EXPECT_ERROR(try_text("a\n1\n", &options, &table, &err), &err, VISE_ERR_USAGE, "vise_table_options_init");
  table = read_text("a,b\n1,2\n2,3\n", NULL);

  vise_preprocessor_options fit = {0};
  vise_preprocessor *p = NULL;
  vise_error_clear(&err);
  EXPECT_ERROR(vise_preprocessor_fit(table, &fit, NULL, 0, &p, &err), &err, VISE_ERR_USAGE,
               "vise_preprocessor_options_init");
  vise_table_free(table);
}

/* The kind that the texts make, separated by blanks; "-" is NULL. */
static vise_column_kind kind_of(const char *line, size_t n, double *second) {
  char copy[200], *rest = NULL;
  const char *texts[8] = {NULL};
  snprintf(copy, sizeof copy, "%s", line);
  for (size_t i = 0; i < n; i++) {
    texts[i] = strtok_r(i == 0 ? copy : NULL, " ", &rest);
    if (strcmp(texts[i], "-") == 0) texts[i] = NULL;
  }

  vise_table *table = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_table_create("fields", n, &table, &err), err);
  EXPECT_OK(vise_table_add_fields(table, NULL, texts, &err), err);
  const vise_column_kind kind = vise_table_column_kind(table, 0);
  *second = NAN;
  if (kind != VISE_COLUMN_TEXT) EXPECT_OK(vise_table_number(table, 1, 0, second, &err), err);
  vise_table_free(table);
  return kind;
}

Test(table_columns, of_fields_have_the_kind_of_a_files) {
  double second;
  cr_expect_eq(kind_of("1970-01-01 1970-01-03 -", 3, &second), VISE_COLUMN_DATE);
  cr_expect_eq(second, 2);
  cr_expect_eq(kind_of("1970-01-01 1970-01-03 NA", 3, &second), VISE_COLUMN_DATE);
  cr_expect_eq(kind_of("1970-01-01 1970-01-03 null", 3, &second), VISE_COLUMN_TEXT);
  cr_expect_eq(kind_of("1970-01-01 7", 2, &second), VISE_COLUMN_TEXT);
  cr_expect_eq(kind_of("1 2.5 ?", 3, &second), VISE_COLUMN_NUMBER);
  cr_expect_eq(second, 2.5);
  cr_expect_eq(kind_of("1 2.5 None", 3, &second), VISE_COLUMN_NUMBER);
  cr_expect_eq(kind_of("1 2.5 -", 3, &second), VISE_COLUMN_TEXT);
  cr_expect_eq(kind_of("a NA", 2, &second), VISE_COLUMN_TEXT);
  cr_expect_eq(kind_of("NA -", 2, &second), VISE_COLUMN_TEXT);
}

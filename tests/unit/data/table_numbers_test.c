/* Tables as arrays of numbers: types, what is refused and where, and that no first row is lost. */
#include "data_support.h"

static vise_status parse(const char *text, const char *target, vise_i_columns_read *read, vise_error *err) {
  vise_table *table = NULL;
  vise_status status = vise_table_parse("x.csv", text, strlen(text), NULL, &table, err);
  *read = (vise_i_columns_read){0};
  if (status == VISE_OK) status = vise_i_table_numbers(table, target, false, read, err);
  vise_table_free(table);
  return status;
}

static void release_read(vise_i_columns_read *read) {
  free(read->features.memory);
  free(read->targets.memory);
}

Test(table_numbers, reads_the_forms_of_one_table) {
  static const struct {
    const char *text;
    size_t first_line;
  } cases[] = {
      {"1,2,3\n4,5.5,-6\n", 1},        {"a,b,y\r\n1,2,3\r\n4,5.5,-6\r\n", 2},
      {"a;b;y\n1;2;3\n4;5.5;-6\n", 2}, {"\"a\nlong, \"\"quoted\"\" name\",b,y\n\"1\",2,\"3\"\n4,5.5,-6\n  \n", 3},
      {"1,2,3\n\n4,5.5,-6\n", 0}, /* a line between that holds no row */
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_OK(parse(cases[k].text, NULL, &read, &err), err);

    const vise_array *x = &read.features.array, *y = &read.targets.array;
    cr_assert(x->n_rows == 2 && x->n_cols == 2 && y->n_rows == 2 && y->n_cols == 1, "case %zu", k);
    cr_assert(x->dtype == VISE_F64 && y->dtype == VISE_I64);
    EXPECT_NEAR(vise_i_array_get(x, 0, 0), 1, 0);
    EXPECT_NEAR(vise_i_array_get(x, 0, 1), 2, 0);
    EXPECT_NEAR(vise_i_array_get(x, 1, 1), 5.5, 0);
    EXPECT_NEAR(vise_i_array_get(y, 0, 0), 3, 0);
    EXPECT_NEAR(vise_i_array_get(y, 1, 0), -6, 0);
    cr_assert_eq(read.first_line, cases[k].first_line, "case %zu: line %zu", k, read.first_line);
    release_read(&read);
  }
}

Test(table_numbers, types_targets_by_their_values) {
  static const struct {
    const char *text;
    vise_dtype dtype;
  } cases[] = {{"1,2\n1,3.0\n1,-4e2\n", VISE_I64},
               {"1,2\n1,3.5\n", VISE_F64},
               {"1,2\n1,1e30\n", VISE_F64},
               {"1,2\n1,9007199254740992\n", VISE_I64}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_OK(parse(cases[k].text, NULL, &read, &err), err);
    cr_assert_eq(read.targets.array.dtype, cases[k].dtype, "case %zu", k);
    release_read(&read);
  }
}

Test(table_numbers, refuses_with_line_and_column) {
  static const struct {
    const char *text;
    vise_status code;
    const char *expected;
  } cases[] = {
      {"1,2,3\n4,5\n4,5,6\n", VISE_ERR_FORMAT, "x.csv:2: 2 fields"},
      {"id,age\n1,2\n3,abc\n", VISE_ERR_VALUE, "x.csv:3: column 1 (\"age\"): \"abc\" is not a number"},
      {"1,2\n3,abc\n", VISE_ERR_VALUE, "x.csv:2: column 1 (from 0): \"abc\" is not a number"},
      {"1,2\n3,0x1F\n", VISE_ERR_VALUE, "\"0x1F\" is not a number"},
      {"a,b\n1,\n2,3\n", VISE_ERR_VALUE, "x.csv:2: column 1 (\"b\"): the field is empty or marks a gap"},
      {"1,2\n?,3\n", VISE_ERR_VALUE, "x.csv:2: column 0 (from 0): the field is empty"},
      {"NaN,2\n1,2\n", VISE_ERR_VALUE, "x.csv:1: column 0 (from 0): the field is empty or marks a gap"},
      {"1,2\n-inf,2\n", VISE_ERR_VALUE, "x.csv:2: column 0 (from 0): the number is infinite"},
      {"1,2\n3,-1e39\n", VISE_ERR_VALUE, "x.csv:2: column 1 (from 0): the number is infinite, or beyond the range"},
      {"a,b\n1,2026-11-29\n", VISE_ERR_VALUE, "x.csv:2: column 1 (\"b\"): holds dates"},
      {"1\n2\n", VISE_ERR_USAGE, "1 column, all of them targets"},
      {"a,b\n", VISE_ERR_FORMAT, "x.csv"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read = {0};
    EXPECT_ERROR(parse(cases[k].text, NULL, &read, &err), &err, cases[k].code, cases[k].expected);
    cr_assert(read.features.memory == NULL && read.targets.memory == NULL);
  }
}

/* A gap in line 1 of a file of labels or weights must not make it a header. */
Test(table_numbers, loses_no_first_row) {
  static const char *const gaps[] = {"?\n1\n0\n", "NA\n1\n0\n", "\"\"\n1\n0\n"};
  for (size_t k = 0; k < 3; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_ERROR(parse(gaps[k], "", &read, &err), &err, VISE_ERR_VALUE,
                 "x.csv:1: column 0 (from 0): the field is empty");
  }

  vise_error err = VISE_ERROR_INIT;
  vise_i_columns_read read;
  EXPECT_ERROR(parse("cat\ndog\ncat\n", "", &read, &err), &err, VISE_ERR_VALUE, "x.csv:1: column 0 (from 0): \"cat\"");
  EXPECT_OK(parse("label\n1\n0\n", "", &read, &err), err);
  cr_assert_eq(read.features.array.n_rows, 2);
  release_read(&read);
}

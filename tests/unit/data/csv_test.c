/* The CSV reader: what it accepts, and the file, line and column it names when it refuses. */
#include <stdio.h>

#include "data_support.h"

static vise_status parse(const char *text, const char *target, vise_i_csv *csv, vise_error *err) {
  return vise_i_csv_parse("x.csv", (const uint8_t *)text, strlen(text), target, false, csv, err);
}

static void release_csv(vise_i_csv *csv) {
  free(csv->features.memory);
  free(csv->targets.memory);
}

Test(csv, reads_the_forms_of_one_table) {
  static const struct {
    const char *text;
    size_t first_line;
  } cases[] = {
      {"1,2,3\n4,5.5,-6\n", 1},
      {"1,2,3\n4,5.5,-6", 1},
      {"a,b,y\n1,2,3\n4,5.5,-6\n", 2},
      {"a,b,y\r\n1,2,3\r\n4,5.5,-6\r\n", 2},
      {"a,b,y\r1,2,3\r4,5.5,-6\r", 2},
      {"a,b,y\r\n1,2,3\n4,5.5,-6\r\n\r\n\n", 2},
      {"\xef\xbb\xbf"
       "1,2,3\n4,5.5,-6\n",
       1},
      {"\xef\xbb\xbf\"a\",b,y\n1,2,3\n4,5.5,-6\n", 2},
      {"\"a\nlong, \"\"quoted\"\" name\",b,y\n\"1\",2,\"3\"\n4,5.5,-6\n  \n", 3},
      {" 1 , 2 ,3\n4,\t5.5,-6 \n", 1},
      {"1e0,20e-1,+3.\n0.4E1,5.5,-6\n", 1},
      {",0,1\n1,2,3\n4,5.5,-6\n", 2},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_csv csv;
    EXPECT_OK(parse(cases[k].text, NULL, &csv, &err), err);

    const vise_array *x = &csv.features.array, *y = &csv.targets.array;
    cr_assert(x->n_rows == 2 && x->n_cols == 2 && y->n_rows == 2 && y->n_cols == 1, "case %zu", k);
    cr_assert(x->dtype == VISE_F64 && y->dtype == VISE_I64);

    EXPECT_NEAR(vise_i_array_get(x, 0, 0), 1, 0);
    EXPECT_NEAR(vise_i_array_get(x, 0, 1), 2, 0);
    EXPECT_NEAR(vise_i_array_get(x, 1, 0), 4, 0);
    EXPECT_NEAR(vise_i_array_get(x, 1, 1), 5.5, 0);
    EXPECT_NEAR(vise_i_array_get(y, 0, 0), 3, 0);
    EXPECT_NEAR(vise_i_array_get(y, 1, 0), -6, 0);
    cr_assert_eq(csv.first_line, cases[k].first_line, "case %zu: line %zu", k, csv.first_line);
    release_csv(&csv);
  }
}

Test(csv, types_targets_by_their_values) {
  static const struct {
    const char *text;
    vise_dtype dtype;
  } cases[] = {{"1,2\n1,3.0\n1,-4e2\n", VISE_I64},
               {"1,2\n1,3.5\n", VISE_F64},
               {"1,1e300\n", VISE_F64},
               {"1,9007199254740992\n", VISE_I64}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_csv csv;
    EXPECT_OK(parse(cases[k].text, NULL, &csv, &err), err);
    cr_assert_eq(csv.targets.array.dtype, cases[k].dtype, "case %zu", k);
    cr_assert_eq(csv.features.array.dtype, VISE_F64);
    release_csv(&csv);
  }
}

Test(csv, refuses_with_line_and_column) {
  static const struct {
    const char *text;
    vise_status code;
    const char *expected;
  } cases[] = {
      {"1,2,3\n4,5\n", VISE_ERR_FORMAT, "x.csv:2: 2 columns, expected 3 (as in line 1)"},
      {"1,2,3\n4,5,6\n7,8,9,10\n", VISE_ERR_FORMAT, "x.csv:3: 4 columns, expected 3 (as in line 1)"},
      {"a,b\n1,2\n3\n", VISE_ERR_FORMAT, "x.csv:3: 1 column, expected 2 (as in line 1)"},
      {"\"a\nb\",c\n1,2\n3\n", VISE_ERR_FORMAT, "x.csv:4: 1 column, expected 2 (as in line 1)"},
      {"id,age\n1,2\n3,abc\n", VISE_ERR_VALUE, "x.csv:3: column 1 (\"age\"): \"abc\" is not a number"},
      {"id,age\r\n1,2\r\n3,abc\r\n", VISE_ERR_VALUE, "x.csv:3: column 1 (\"age\"): \"abc\" is not a number"},
      {"id,age\r1,2\r3,abc\r", VISE_ERR_VALUE, "x.csv:3: column 1 (\"age\"): \"abc\" is not a number"},
      {"1,2\n3,abc\n", VISE_ERR_VALUE, "x.csv:2: column 1 (from 0): \"abc\" is not a number"},
      {"1,2\n3,0x1F\n", VISE_ERR_VALUE, "\"0x1F\" is not a number"},
      {"1,2\n\"1,5\",3\n", VISE_ERR_VALUE, "x.csv:2: column 0 (from 0): \"1,5\" is not a number"},
      {"a,b\n1,\n", VISE_ERR_VALUE, "x.csv:2: column 1 (\"b\"): the field is empty"},
      {"a,b\n\"\",1\n", VISE_ERR_VALUE, "x.csv:2: column 0 (\"a\"): the field is empty"},
      {"a,b\n1,nan\n", VISE_ERR_VALUE, "x.csv:2: column 1 (\"b\"): \"nan\" is not finite"},
      {"1,2\n-inf,2\n", VISE_ERR_VALUE, "x.csv:2: column 0 (from 0): \"-inf\" is not finite"},
      {"NaN,2\n1,2\n", VISE_ERR_VALUE, "x.csv:1: column 0 (from 0): \"NaN\" is not finite"},
      {"1,1e999\n", VISE_ERR_VALUE, "too large for f64"},
      {"1,2\n\n3,4\n", VISE_ERR_FORMAT, "x.csv:2: is empty, but rows follow"},
      {"a,b\r\n1,2\r\n\r\n3,4\r\n", VISE_ERR_FORMAT, "x.csv:3: is empty, but rows follow"},
      {"\n1,2\n", VISE_ERR_FORMAT, "x.csv:1: is empty, but rows follow"},
      {"a,b\n", VISE_ERR_FORMAT, "x.csv: holds a header line but no rows"},
      {"\n\n", VISE_ERR_FORMAT, "x.csv: holds no rows"},
      {"1,2\n\"3,4\n5,6\n", VISE_ERR_FORMAT, "x.csv:2: column 0 (from 0): misplaced or unclosed quote"},
      {"1,2\n3\"4,5\n", VISE_ERR_FORMAT, "x.csv:2: column 0 (from 0): misplaced or unclosed quote"},
      {"1,2\n5,\"3\"4\n", VISE_ERR_FORMAT, "x.csv:2: column 1 (from 0): misplaced or unclosed quote"},
      {"1;2\n3;4\n", VISE_ERR_USAGE, "1 column, all of them targets"},
      {"a,b\n1,2;3\n", VISE_ERR_VALUE, "columns must be separated by commas"},
      {"PK\x03\x04", VISE_ERR_FORMAT, "ZIP archive"},
      {"\xff\xfe", VISE_ERR_FORMAT, "UTF-16"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_csv csv = {0};
    EXPECT_ERROR(parse(cases[k].text, NULL, &csv, &err), &err, cases[k].code, cases[k].expected);
    cr_assert(csv.features.memory == NULL && csv.targets.memory == NULL);
  }
}

Test(csv, refuses_zero_bytes) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_csv csv;
  EXPECT_ERROR(vise_i_csv_parse("x.csv", (const uint8_t *)"1,2\n3,\0004\n", 9, NULL, false, &csv, &err), &err,
               VISE_ERR_FORMAT, "zero bytes");
}

/* Enough rows to cross the chunks in which a file is read, with a bad field in the last row. */
Test(csv, counts_lines_across_chunks_and_gzip) {
  for (int variant = 0; variant < 4; variant++) {
    const char *end = variant % 2 == 0 ? "\n" : "\r\n";
    buffer b = {0};
    vise_error err = VISE_ERROR_INIT;
    vise_i_csv csv;
    char *rows = malloc(30000 * 32), *at = rows;

    append(&b, "a,b,y", 5);
    append(&b, end, strlen(end));
    for (int r = 0; r < 30000; r++) at += snprintf(at, 32, "%d.25,%d,%d%s", r, -r, r % 10, end);
    append(&b, rows, (size_t)(at - rows));
    free(rows);

    buffer good = b;
    buffer z = gzip_of(&b);
    if (variant >= 2) good = z;

    EXPECT_OK(vise_i_csv_parse("x.csv", good.bytes, good.n, "y", false, &csv, &err), err);
    cr_assert_eq(csv.features.array.n_rows, 30000);
    for (size_t r = 0; r < 30000; r++) {
      EXPECT_NEAR(vise_i_array_get(&csv.features.array, r, 0), (double)r + 0.25, 0);
      EXPECT_NEAR(vise_i_array_get(&csv.features.array, r, 1), -(double)r, 0);
      EXPECT_NEAR(vise_i_array_get(&csv.targets.array, r, 0), (double)(r % 10), 0);
    }
    release_csv(&csv);
    release_buffer(&z);

    append(&b, "1,x,1", 5);
    if (variant >= 2) {
      z = gzip_of(&b);
      release_buffer(&b);
      b = z;
    }

    EXPECT_ERROR(vise_i_csv_parse("x.csv", b.bytes, b.n, "y", false, &csv, &err), &err, VISE_ERR_VALUE,
                 "x.csv:30002: column 1 (\"b\"): \"x\" is not a number");
    release_buffer(&b);
  }
}

Test(csv, bounds_fields_and_columns) {
  buffer b = {0};
  vise_error err = VISE_ERROR_INIT;
  vise_i_csv csv;

  char *fives = malloc(400000);
  memset(fives, '5', 400000);
  append(&b, "1,2\n\"", 5);
  append(&b, fives, 400000);
  free(fives);
  EXPECT_ERROR(vise_i_csv_parse("x.csv", b.bytes, b.n, NULL, false, &csv, &err), &err, VISE_ERR_FORMAT,
               "x.csv:2: column 0 (from 0): a field of over 65536 bytes");
  release_buffer(&b);

  char *commas = malloc((1 << 20) + 10);
  memset(commas, ',', (1 << 20) + 10);
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_csv_parse("x.csv", (uint8_t *)commas, (1 << 20) + 10, NULL, false, &csv, &err), &err,
               VISE_ERR_FORMAT, "x.csv:1: more than 1048576 columns");
  free(commas);
}

Test(csv, cuts_long_texts_in_messages) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_csv csv;
  EXPECT_ERROR(parse("1,2\n3,abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n", NULL, &csv, &err), &err,
               VISE_ERR_VALUE, "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr...\" is not a number");
}

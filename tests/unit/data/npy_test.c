/* The NPY reader. */
#include "data_support.h"

static const double values[6] = {1, 2, 3, 4, 5, 6};

/* The six values as dtype; returns their size in bytes. */
static size_t encode(vise_dtype dtype, void *out) {
  for (size_t k = 0; k < 6; k++) {
    switch (dtype) {
      case VISE_U8:
        ((uint8_t *)out)[k] = (uint8_t)values[k];
        break;
      case VISE_I32:
        ((int32_t *)out)[k] = (int32_t)values[k];
        break;
      case VISE_I64:
        ((int64_t *)out)[k] = (int64_t)values[k];
        break;
      case VISE_F32:
        ((float *)out)[k] = (float)values[k];
        break;
      default:
        ((double *)out)[k] = values[k];
        break;
    }
  }

  return 6 * vise_dtype_size(dtype);
}

Test(npy, reads_every_dtype_version_order_and_gzip) {
  static const char *const descr[] = {"|u1", "<i4", "<i8", "<f4", "<f8"};
  static const vise_dtype dtypes[] = {VISE_U8, VISE_I32, VISE_I64, VISE_F32, VISE_F64};
  double data[6];

  for (int variant = 0; variant < 5 * 3 * 2 * 2; variant++) {
    const int d = variant % 5, version = 1 + variant / 5 % 3;
    const bool fortran = variant / 15 % 2 == 1, gzip = variant / 30 == 1;
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t;
    const size_t n = encode(dtypes[d], data);
    buffer b = make_npy(version, descr[d], fortran ? "True" : "False", "(2, 3)", data, n);

    if (gzip) {
      buffer z = gzip_of(&b);
      release_buffer(&b);
      b = z;
    }

    EXPECT_OK(vise_i_npy_parse("x.npy", b.bytes, b.n, &t, &err), err);
    cr_assert_eq(t.array.dtype, dtypes[d]);
    cr_assert(t.array.n_rows == 2 && t.array.n_cols == 3);
    for (size_t r = 0; r < 2; r++) {
      for (size_t c = 0; c < 3; c++) {
        EXPECT_NEAR(vise_i_array_get(&t.array, r, c), values[fortran ? c * 2 + r : r * 3 + c], 0);
      }
    }
    free(t.memory);
    release_buffer(&b);
  }
}

Test(npy, flattens_dimensions_beyond_the_first) {
  static const struct {
    const char *shape;
    size_t n_rows, n_cols;
  } cases[] = {{"(6,)", 6, 1}, {"(1, 2, 3)", 1, 6}, {"(3,2,1,1)", 3, 2}, {"( 6 ,1 )", 6, 1}, {"(6L,)", 6, 1}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t;
    buffer b = make_npy(1, "<f8", "False", cases[k].shape, values, sizeof values);

    EXPECT_OK(vise_i_npy_parse("x.npy", b.bytes, b.n, &t, &err), err);
    cr_assert(t.array.n_rows == cases[k].n_rows && t.array.n_cols == cases[k].n_cols, "%s", cases[k].shape);
    EXPECT_NEAR(vise_i_array_get(&t.array, t.array.n_rows - 1, t.array.n_cols - 1), 6, 0);
    free(t.memory);
    release_buffer(&b);
  }
}

static void expect_refused(buffer b, vise_status code, const char *text) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_table t = {0};
  EXPECT_ERROR(vise_i_npy_parse("x.npy", b.bytes, b.n, &t, &err), &err, code, text);
  cr_assert_eq(strncmp(err.text, "x.npy: ", 7), 0, "%s", err.text);
  cr_assert(t.memory == NULL);
  release_buffer(&b);
}

Test(npy, refuses_dtypes_by_name) {
  static const struct {
    const char *descr, *text;
  } cases[] = {{">f8", "'>f8' is big-endian, which is not supported; save array.astype('<f8')"},
               {">i4", "'>i4' is big-endian"},
               {"|b1", "dtype '|b1' is not supported; supported are u1, i4, i8, f4 and f8"},
               {"|O", "dtype '|O'"},
               {"<i2", "dtype '<i2'"},
               {"<u8", "dtype '<u8'"},
               {"<f2", "dtype '<f2' is not supported; supported are u1, i4, i8, f4 and f8 (save array.astype('<f4'))"},
               {"<c16", "dtype '<c16'"},
               {"<U5", "dtype '<U5'"},
               {"", "dtype ''"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    expect_refused(make_npy(1, cases[k].descr, "False", "(6,)", values, sizeof values), VISE_ERR_FORMAT, cases[k].text);
  }
}

Test(npy, refuses_sizes_that_do_not_agree) {
  static const struct {
    const char *order, *shape;
    vise_status code;
    const char *text;
  } cases[] = {
      {"False", "(7,)", VISE_ERR_FORMAT, "truncated: its header announces 7 x 1 f64"},
      {"False", "(5,)", VISE_ERR_FORMAT, "has bytes behind its end: its header announces 5 x 1 f64"},
      {"False", "(1000000000000,)", VISE_ERR_FORMAT, "truncated"},
      {"False", "(4294967296, 4294967296, 16)", VISE_ERR_FORMAT, "more values than any memory can hold"},
      {"False", "(18446744073709551615,)", VISE_ERR_FORMAT, "more values than any memory can hold"},
      {"False", "(18446744073709551616,)", VISE_ERR_FORMAT, "a shape that fits in memory"},
      {"False", "()", VISE_ERR_SHAPE, "single number"},
      {"False", "(0, 3)", VISE_ERR_SHAPE, "dimension 0 of 2 is 0"},
      {"False", "(3, 0)", VISE_ERR_SHAPE, "dimension 1 of 2 is 0"},
      {"False", "(-1,)", VISE_ERR_FORMAT, "a number in the shape"},
      {"False", "(6", VISE_ERR_FORMAT, "a number in the shape"},
      {"False", "(6 6)", VISE_ERR_FORMAT, "',' or ')'"},
      {"False", "6", VISE_ERR_FORMAT, "the shape"},
      {"True", "(1, 2, 3)", VISE_ERR_FORMAT, "3 dimensions in Fortran order"},
      {"Maybe", "(6,)", VISE_ERR_FORMAT, "True or False"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    expect_refused(make_npy(1, "<f8", cases[k].order, cases[k].shape, values, sizeof values), cases[k].code,
                   cases[k].text);
  }
}

Test(npy, refuses_a_gzip_bomb_before_allocation) {
  buffer b = make_npy(1, "<f8", "False", "(1000000000,)", values, sizeof values);
  buffer z = gzip_of(&b);
  release_buffer(&b);
  expect_refused(z, VISE_ERR_FORMAT, "bytes of gzip data cannot hold that");
}

Test(npy, refuses_every_truncation) {
  buffer b = make_npy(2, "<f8", "False", "(6,)", values, sizeof values);
  for (size_t n = 1; n < b.n; n++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t = {0};
    uint8_t *exact = malloc(n); /* so that AddressSanitizer sees a read past the end */
    memcpy(exact, b.bytes, n);
    cr_assert_eq(vise_i_npy_parse("x.npy", exact, n, &t, &err), VISE_ERR_FORMAT, "%zu bytes: %s", n, err.text);
    free(exact);
  }
  release_buffer(&b);
}

Test(npy, names_the_first_nonfinite_value) {
  double bad[6] = {1, 2, 3, 4, 5, NAN};
  expect_refused(make_npy(1, "<f8", "False", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE,
                 "row 1, column 2 (from 0) is nan");
  bad[1] = -INFINITY;
  expect_refused(make_npy(1, "<f8", "False", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE, "row 0, column 1");
  expect_refused(make_npy(1, "<f8", "True", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE, "row 1, column 0");
  float single[6] = {1, 2, 3, INFINITY, 5, 6};
  expect_refused(make_npy(1, "<f4", "False", "(6,)", single, sizeof single), VISE_ERR_VALUE, "row 3, column 0");
}

Test(npy, refuses_malformed_headers) {
  static const struct {
    const char *header, *text;
  } cases[] = {{"{'descr': '<f8', 'fortran_order': False}", "no 'shape'"},
               {"{'fortran_order': False, 'shape': (6,)}", "no 'descr'"},
               {"{'descr': '<f8', 'shape': (6,)}", "no 'fortran_order'"},
               {"{'descr': '<f8', 'descr': '<f8'}", "one each of"},
               {"{'other': 1}", "one each of"},
               {"{'descr': [('a', '<f8')]}", "structured"},
               {"{'descr': '<f8', 'fortran_order': False, 'shape': (6,)} x", "nothing behind '}'"},
               {"{'descr' '<f8'}", "':'"},
               {"{'descr': '<f8", "the dtype in quotes"},
               {"", "'{'"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    buffer b = {0};
    const uint8_t n = (uint8_t)strlen(cases[k].header);
    append(&b, "\x93NUMPY\x01\x00", 8);
    append(&b, &n, 1);
    append(&b, "", 1);
    append(&b, cases[k].header, n);
    append(&b, values, sizeof values);
    expect_refused(b, VISE_ERR_FORMAT, cases[k].text);
  }

  buffer version = make_npy(1, "<f8", "False", "(6,)", values, sizeof values);
  version.bytes[6] = 4;
  expect_refused(version, VISE_ERR_FORMAT, "version 4.0 is not known");

  buffer length = make_npy(2, "<f8", "False", "(6,)", values, sizeof values);
  length.bytes[11] = 0x7f;
  expect_refused(length, VISE_ERR_FORMAT, "at most 65536 are read");
}

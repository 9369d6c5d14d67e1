/* The NPY reader. */
#include <stdio.h>

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

/* Values of the types that memory does not have, in both byte orders. */
Test(npy, converts_other_types_exactly) {
  static const struct {
    const char *type;
    vise_dtype dtype;
    size_t size;
    uint64_t bits[3];
    double values[3];
  } cases[] = {
      {"b1", VISE_U8, 1, {0, 1, 1}, {0, 1, 1}},
      {"i1", VISE_I32, 1, {0x80, 0xff, 127}, {-128, -1, 127}},
      {"i2", VISE_I32, 2, {0x8000, 0xffff, 258}, {-32768, -1, 258}},
      {"u2", VISE_I32, 2, {0, 0xffff, 258}, {0, 65535, 258}},
      {"u4", VISE_I64, 4, {0, 0xffffffff, 258}, {0, 4294967295.0, 258}},
      {"u8", VISE_I64, 8, {0, 0x20000000000000, 258}, {0, 9007199254740992.0, 258}},
      {"f2", VISE_F32, 2, {0xbc00, 0x0001, 0x7bff}, {-1, 0x1p-24, 65504}},
      {"f2", VISE_F32, 2, {0x8000, 0x3555, 0x83ff}, {-0.0, 0x1.554p-2, -0x1.ff8p-15}},
      {"i4", VISE_I32, 4, {0x80000000, 0xffffffff, 258}, {-2147483648.0, -1, 258}},
      {"i8", VISE_I64, 8, {UINT64_MAX, 0, 258}, {-1, 0, 258}},
      {"f4", VISE_F32, 4, {0x3f800000, 0xc0490fdb, 0}, {1, -0x1.921fb6p1, 0}},
      {"f8", VISE_F64, 8, {0x3ff0000000000000, 0xc000000000000000, 1}, {1, -2, 0x1p-1074}},
  };

  for (size_t k = 0; k < 2 * (sizeof cases / sizeof cases[0]); k++) {
    const size_t c = k / 2, size = cases[c].size;
    const bool big = k % 2 == 1;
    char descr[8];
    uint8_t data[24];
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t;

    snprintf(descr, sizeof descr, "%c%s", big ? '>' : '<', cases[c].type);
    for (size_t i = 0; i < 3 * size; i++) {
      const size_t byte = i % size;
      data[i] = (uint8_t)(cases[c].bits[i / size] >> 8 * (big ? size - 1 - byte : byte));
    }

    buffer b = make_npy(1, descr, "False", "(3,)", data, 3 * size);
    EXPECT_OK(vise_i_npy_parse("x.npy", b.bytes, b.n, &t, &err), err);
    cr_assert_eq(t.array.dtype, cases[c].dtype, "%s", descr);
    for (size_t i = 0; i < 3; i++) {
      const double v = vise_i_array_get(&t.array, i, 0);
      cr_assert(v == cases[c].values[i] && signbit(v) == signbit(cases[c].values[i]), "%s: %zu is %a", descr, i, v);
    }
    free(t.memory);
    release_buffer(&b);
  }
}

Test(npy, reads_other_types_in_any_order_and_packed) {
  static const uint16_t data[6] = {1, 2, 3, 4, 5, 6};
  for (int variant = 0; variant < 4; variant++) {
    const bool fortran = variant % 2 == 1;
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t;
    buffer b = make_npy(1, "<u2", fortran ? "True" : "False", "(2, 3)", data, sizeof data), z = gzip_of(&b);
    const buffer *given = variant < 2 ? &b : &z;

    EXPECT_OK(vise_i_npy_parse("x.npy", given->bytes, given->n, &t, &err), err);
    EXPECT_NEAR(vise_i_array_get(&t.array, 1, 0), fortran ? 2 : 4, 0);
    EXPECT_NEAR(vise_i_array_get(&t.array, 1, 2), 6, 0);
    free(t.memory);
    release_buffer(&b);
    release_buffer(&z);
  }
}

Test(npy, orders_many_dimensions_as_c_does) {
  double data[24];
  vise_error err = VISE_ERROR_INIT;
  vise_i_table t;
  for (size_t k = 0; k < 24; k++) data[k] = (double)k; /* element (i, j, k) is i + 2 j + 6 k */

  buffer b = make_npy(1, "<f8", "True", "(2, 3, 4)", data, sizeof data);
  EXPECT_OK(vise_i_npy_parse("x.npy", b.bytes, b.n, &t, &err), err);
  cr_assert(t.array.n_rows == 2 && t.array.n_cols == 12);
  for (size_t i = 0; i < 2; i++) {
    for (size_t c = 0; c < 12; c++) {
      EXPECT_NEAR(vise_i_array_get(&t.array, i, c), (double)(i + 2 * (c / 4) + 6 * (c % 4)), 0);
    }
  }
  free(t.memory);
  release_buffer(&b);
}

Test(npy, refuses_what_does_not_fit) {
  const uint64_t large[6] = {1, 2, 3, 4, 5, (uint64_t)INT64_MAX + 1};
  const uint16_t halves[3] = {0x3c00, 0x7c00, 0x7e00};
  expect_refused(make_npy(1, "<u8", "False", "(2, 3)", large, sizeof large), VISE_ERR_VALUE,
                 "row 1, column 2 (from 0) is 9223372036854775808, but whole numbers are read up to");
  expect_refused(make_npy(1, "<u8", "True", "(3, 2)", large, sizeof large), VISE_ERR_VALUE, "row 2, column 1");
  expect_refused(make_npy(1, "<f2", "False", "(3,)", halves, sizeof halves), VISE_ERR_VALUE,
                 "row 1, column 0 (from 0) is inf");
}

Test(npy, names_the_dtype_that_would_be_right) {
  static const struct {
    const char *descr, *text;
  } cases[] = {
      {"|O", "dtype '|O' holds Python objects; save array.astype('f4'), or labels as array.astype('i8')"},
      {"<U5", "dtype '<U5' is text; save numbers as array.astype('f4'), and names of classes as numpy.unique("},
      {"|S3", "is text"},
      {"<c16", "dtype '<c16' is complex"},
      {"<M8[D]", "is times; save array.astype('i8')"},
      {"<f16", "save array.astype('f8')"},
      {"|V4", "structured"},
      {"<i3", "dtype '<i3' is not known"},
      {"", "dtype '' is not known"}};

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

Test(npy, names_the_first_value_that_float32_lacks) {
  double bad[6] = {1, 2, 3, 4, 5, NAN};
  expect_refused(make_npy(1, "<f8", "False", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE,
                 "row 1, column 2 (from 0) is nan");
  bad[1] = -INFINITY;
  expect_refused(make_npy(1, "<f8", "False", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE, "row 0, column 1");
  expect_refused(make_npy(1, "<f8", "True", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE, "row 1, column 0");
  bad[1] = -3.5e38;
  expect_refused(make_npy(1, "<f8", "False", "(2, 3)", bad, sizeof bad), VISE_ERR_VALUE,
                 "row 0, column 1 (from 0) is -3.5e+38, beyond the range of float32");
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

/* The IDX reader, gzip data included. */
#include "data_support.h"

static buffer header(uint8_t code, uint8_t n_dims, const uint32_t *dims) {
  buffer b = {0};
  const uint8_t magic[4] = {0, 0, code, n_dims};
  append(&b, magic, 4);
  for (int d = 0; d < n_dims; d++) append_u32_be(&b, dims[d]);
  return b;
}

/* 2 x 2 x 3 values: -1.5 (or -1 or 0, as the type allows), 1, 2, ... 11. */
static buffer sample(uint8_t code) {
  static const uint32_t dims[3] = {2, 2, 3};
  buffer b = header(code, 3, dims);

  for (int k = 0; k < 12; k++) {
    const float f = k == 0 ? -1.5F : (float)k;
    const double d = (double)f;
    uint64_t bits64;
    uint32_t bits32;
    const uint8_t byte = (uint8_t)k;
    memcpy(&bits32, &f, 4);
    memcpy(&bits64, &d, 8);

    if (code == 0x08) append(&b, &byte, 1);
    if (code == 0x0c) append_u32_be(&b, k == 0 ? UINT32_MAX : (uint32_t)k);
    if (code == 0x0d) append_u32_be(&b, bits32);
    if (code == 0x0e) append_u32_be(&b, (uint32_t)(bits64 >> 32));
    if (code == 0x0e) append_u32_be(&b, (uint32_t)bits64);
  }

  return b;
}

static buffer squeezed(buffer b) {
  buffer z = gzip_of(&b);
  release_buffer(&b);
  return z;
}

Test(idx, reads_every_type_plain_and_gzip) {
  static const uint8_t codes[] = {0x08, 0x0c, 0x0d, 0x0e};
  static const vise_dtype dtypes[] = {VISE_U8, VISE_I32, VISE_F32, VISE_F64};
  static const double first[] = {0, -1, -1.5, -1.5};

  for (int k = 0; k < 8; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t;
    buffer b = k < 4 ? sample(codes[k]) : squeezed(sample(codes[k - 4]));

    EXPECT_OK(vise_i_idx_parse("x", b.bytes, b.n, &t, &err), err);
    cr_assert_eq(t.array.dtype, dtypes[k % 4]);
    cr_assert(t.array.n_rows == 2 && t.array.n_cols == 6);
    cr_assert_eq((uintptr_t)t.array.data % 64, 0, "values are not aligned");
    EXPECT_NEAR(vise_i_array_get(&t.array, 0, 0), first[k % 4], 0);
    for (size_t v = 1; v < 12; v++) EXPECT_NEAR(vise_i_array_get(&t.array, v / 6, v % 6), (double)v, 0);

    free(t.memory);
    release_buffer(&b);
  }
}

static void expect_refused(buffer b, vise_status code, const char *text) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_table t = {0};
  EXPECT_ERROR(vise_i_idx_parse("x-ubyte", b.bytes, b.n, &t, &err), &err, code, text);
  cr_assert_eq(strncmp(err.text, "x-ubyte: ", 9), 0, "%s", err.text);
  cr_assert(t.memory == NULL);
  release_buffer(&b);
}

Test(idx, refuses_types_by_name) {
  static const uint32_t dims[1] = {1};
  expect_refused(header(0x09, 1, dims), VISE_ERR_FORMAT, "IDX type 0x09 (signed bytes) is not supported");
  expect_refused(header(0x0b, 1, dims), VISE_ERR_FORMAT, "IDX type 0x0b (16-bit integers) is not supported");
  expect_refused(header(0x0a, 1, dims), VISE_ERR_FORMAT,
                 "IDX type 0x0a (unknown) is not supported; supported are 0x08");
  expect_refused(header(0x08, 0, NULL), VISE_ERR_FORMAT, "0 dimensions");
}

Test(idx, refuses_sizes_that_do_not_agree) {
  static const uint32_t huge[3] = {UINT32_MAX, UINT32_MAX, UINT32_MAX}, large[1] = {1000000000}, zero[2] = {3, 0};
  buffer longer = sample(0x08), shorter = sample(0x0d);

  append(&longer, "x", 1);
  expect_refused(longer, VISE_ERR_FORMAT, "bytes behind its end: its header announces 2 x 6 u8, 28 bytes in all");
  shorter.n--;
  expect_refused(shorter, VISE_ERR_FORMAT, "truncated: its header announces 2 x 6 f32");

  expect_refused(header(0x0e, 3, huge), VISE_ERR_FORMAT, "more values than any memory can hold");
  expect_refused(header(0x08, 1, large), VISE_ERR_FORMAT, "truncated");
  expect_refused(squeezed(header(0x08, 1, large)), VISE_ERR_FORMAT, "bytes of gzip data cannot hold that");
  expect_refused(header(0x08, 2, zero), VISE_ERR_SHAPE, "dimension 1 of 2 is 0");

  buffer cut = header(0x08, 3, huge);
  cut.n = 10;
  expect_refused(cut, VISE_ERR_FORMAT, "truncated within its IDX header of 3 dimensions");
}

Test(idx, refuses_every_truncation_of_gzip_data) {
  buffer b = squeezed(sample(0x0c));
  for (size_t n = 1; n < b.n; n++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t = {0};
    uint8_t *exact = malloc(n);
    memcpy(exact, b.bytes, n);

    cr_assert_eq(vise_i_idx_parse("x", exact, n, &t, &err), VISE_ERR_FORMAT, "%zu bytes: %s", n, err.text);
    cr_assert(n < 3 || strstr(err.text, "truncated") != NULL, "%zu bytes: %s", n, err.text);
    free(exact);
  }
  release_buffer(&b);
}

Test(idx, tells_what_is_wrong_with_gzip_data) {
  buffer b = squeezed(sample(0x08));
  b.bytes[b.n - 5] ^= 1;
  expect_refused(b, VISE_ERR_FORMAT, "damaged (incorrect data check)");

  b = squeezed(sample(0x08));
  b.bytes[b.n - 1] ^= 1;
  expect_refused(b, VISE_ERR_FORMAT, "damaged (incorrect length check)");

  b = squeezed(sample(0x08));
  append(&b, "garbage", 7);
  expect_refused(b, VISE_ERR_FORMAT, "bytes after the end of the gzip data");

  buffer longer = sample(0x08), shorter = sample(0x08);
  append(&longer, "x", 1);
  expect_refused(squeezed(longer), VISE_ERR_FORMAT, "holds more than the 28 bytes that its header announces");
  shorter.n--;
  expect_refused(squeezed(shorter), VISE_ERR_FORMAT, "truncated: holds 27 bytes, its header announces 28");
}

Test(idx, joins_the_members_of_gzip_data) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_table t;
  buffer whole = sample(0x0d), joined = {0};

  for (size_t at = 0; at < whole.n; at += 5) {
    const buffer part = {whole.bytes + at, whole.n - at < 5 ? whole.n - at : 5};
    buffer z = gzip_of(&part);
    append(&joined, z.bytes, z.n);
    release_buffer(&z);
  }

  EXPECT_OK(vise_i_idx_parse("x", joined.bytes, joined.n, &t, &err), err);
  EXPECT_NEAR(vise_i_array_get(&t.array, 1, 5), 11, 0);
  free(t.memory);
  release_buffer(&whole);
  release_buffer(&joined);
}

Test(idx, names_a_nonfinite_value) {
  buffer b = sample(0x0d);
  memcpy(b.bytes + 16 + 4 * 7, "\x7f\xc0\x00\x00", 4);
  expect_refused(b, VISE_ERR_VALUE, "row 1, column 1 (from 0) is nan");
}

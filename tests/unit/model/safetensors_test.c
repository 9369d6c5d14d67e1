#include "host/model/safetensors.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "tests/unit/model/rig.h"

TestSuite(safetensors, .init = rig_make_folder, .fini = rig_remove_folder);

/* Parses a header text followed by n_data bytes of data. */
static vise_status parse(const char *header, size_t n_data, vise_i_st_file **out, vise_error *err) {
  size_t n = strlen(header);
  uint8_t *bytes = malloc(8 + n + n_data); /* exact size, so that the sanitizer sees overruns */
  uint64_t length = n;
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, n);
  for (size_t i = 0; i < n_data; ++i) bytes[8 + n + i] = (uint8_t)i;
  vise_status status = vise_i_st_parse("f.safetensors", bytes, 8 + n + n_data, out, err);
  free(bytes);
  return status;
}

Test(safetensors, everything_written_is_read_back) {
  static const double wide[] = {1, -2.5};
  static const float single[] = {1, 2, 3, 4, 5, 6};
  static const int64_t whole[] = {-7};
  static const uint8_t bytes[] = {9, 8, 7};
  const vise_i_st_tensor tensors[] = {
      {.name = "mask \"\xc3\xa4\"", .dtype = VISE_I_ST_U8, .n_dims = 1, .dims = {3}, .data = bytes},
      {.name = "single", .dtype = VISE_I_ST_F32, .n_dims = 2, .dims = {2, 3}, .data = single},
      {.name = "scalar", .dtype = VISE_I_ST_I64, .n_dims = 0, .data = whole},
      {.name = "empty", .dtype = VISE_I_ST_F32, .n_dims = 2, .dims = {0, 4}, .data = NULL},
      {.name = "wide", .dtype = VISE_I_ST_F64, .n_dims = 4, .dims = {1, 2, 1, 1}, .data = wide}};
  const vise_i_st_meta meta[] = {{"format", "pt"}, {"note", "line\n\"quoted\""}};
  vise_i_st_file *file = NULL;
  vise_error err = VISE_ERROR_INIT;
  uint8_t *raw;
  size_t n_raw;
  uint64_t n_header;
  const char *path = rig_in("a.safetensors");

  EXPECT_OK(vise_i_st_write(path, &(vise_i_st_content){tensors, 5, meta, 2}, NULL, &err), err);
  rig_read(path, &raw, &n_raw);
  memcpy(&n_header, raw, 8);
  cr_assert_eq(n_header % 8, 0);
  cr_assert_eq(n_raw, 8 + n_header + 16 + 24 + 8 + 3);

  EXPECT_OK(vise_i_st_read(path, &file, &err), err);
  cr_assert_eq(vise_i_st_n_tensors(file), 5);
  for (size_t i = 0; i < 5; ++i) {
    const vise_i_st_tensor *found = vise_i_st_find(file, tensors[i].name);
    cr_assert_not_null(found);
    cr_assert_eq(found->dtype, tensors[i].dtype);
    cr_assert_eq(found->n_dims, tensors[i].n_dims);
    cr_assert_eq(memcmp(found->dims, tensors[i].dims, found->n_dims * sizeof *found->dims), 0);
    cr_assert_eq((uintptr_t)found->data % 8, 0);
    size_t n = vise_i_st_n_elements(found) * vise_i_st_dtype_size(found->dtype);
    if (n > 0) cr_assert_eq(memcmp(found->data, tensors[i].data, n), 0);
  }

  cr_assert_str_eq(vise_i_st_metadata(file, "note"), "line\n\"quoted\"");
  cr_assert_null(vise_i_st_metadata(file, "other"));
  cr_assert_null(vise_i_st_find(file, "other"));
  cr_assert_null(vise_i_st_at(file, 5));

  vise_i_st_free(file);
  free(raw);
}

Test(safetensors, data_out_of_order_and_unaligned_are_read) {
  vise_i_st_file *file = NULL;
  vise_error err = VISE_ERROR_INIT;
  const char *header =
      "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[3,11]},"
      "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}} ";

  EXPECT_OK(parse(header, 11, &file, &err), err);
  cr_assert_str_eq(vise_i_st_at(file, 0)->name, "a");
  const vise_i_st_tensor *b = vise_i_st_find(file, "b");
  cr_assert_eq((uintptr_t)b->data % 8, 0);
  cr_assert_eq(memcmp(b->data, "\3\4\5\6\7\10\11\12", 8), 0);
  vise_i_st_free(file);
}

#define T(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

Test(safetensors, malformed_headers_are_refused_with_a_reason) {
  static const struct {
    const char *header;
    size_t n_data;
    const char *says;
  } cases[] = {
      {"", 0, "begin with '{'"},
      {"[]", 0, "begin with '{'"},
      {" {}", 0, "begin with '{'"},
      {"{", 0, "is this"},
      {"{\"a\"}", 0, "header, byte"},
      {"{}{}", 0, "header, byte"},
      {"{}", 1, "1 bytes of data, but the tensors end at 0"},
      {"{\"a\":1}", 0, "'a': expected an object"},
      {"{\"a\":{}}", 0, "'a': expected an object"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 4,
       "the key \"a\" comes twice"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "expected an object"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"offsets\":[0,4]}}", 4, "data_offsets"},
      {"{\"a\":" T("1", "[1]", "[0,4]") "}", 4, "dtype"},
      {"{\"a\":" T("\"F99\"", "[1]", "[0,4]") "}", 4, "dtype 'F99', expected F32"},
      {"{\"a\":" T("\"F16\"", "[2]", "[0,4]") "}", 4, "'a' is F16, which Vise does not read; convert"},
      {"{\"a\":" T("\"BF16\"", "[2]", "[0,4]") "}", 4, "'a' is BF16, which Vise does not read; convert"},
      {"{\"a\":" T("\"F32\"", "1", "[0,4]") "}", 4, "shape"},
      {"{\"a\":" T("\"F32\"", "[-1]", "[0,4]") "}", 4, "dimension 0"},
      {"{\"a\":" T("\"F32\"", "[1.0]", "[0,4]") "}", 4, "dimension 0"},
      {"{\"a\":" T("\"F32\"", "[1,1,1,1,1]", "[0,4]") "}", 4, "5 dimensions"},
      {"{\"a\":" T("\"F32\"", "[4611686018427387904,4]", "[0,0]") "}", 0, "overflows"},
      {"{\"a\":" T("\"F32\"", "[18446744073709551617]", "[0,4]") "}", 4, "header, byte"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0]") "}", 4, "data_offsets"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0,4,8]") "}", 4, "data_offsets"},
      {"{\"a\":" T("\"F32\"", "[1]", "[-4,0]") "}", 4, "data_offsets"},
      {"{\"a\":" T("\"F32\"", "[1]", "[4,0]") "}", 4, "bytes 4 to 0"},
      {"{\"a\":" T("\"F32\"", "[2]", "[0,8]") "}", 4, "outside the 4 bytes"},
      {"{\"a\":" T("\"F32\"", "[2]", "[0,4]") "}", 4, "4 bytes of data, but dtype and shape need 8"},
      {"{\"a\":" T("\"F32\"", "[1]", "[4,8]") "}", 8, "bytes 0 to 4, before tensor 'a', belong to no tensor"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[8,12]") "}", 12, "bytes 4 to 8"},
      {"{\"a\":" T("\"F32\"", "[2]", "[0,8]") ",\"b\":" T("\"F32\"", "[1]", "[4,8]") "}", 8, "'a' and 'b' overlap"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[0,4]") "}", 4, "'a' and 'b' overlap"},
      {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 5, "5 bytes of data, but the tensors end at 4"},
      {"{\"__metadata__\":1}", 0, "__metadata__ is not an object"},
      {"{\"__metadata__\":{\"k\":1}}", 0, "entry 'k' is not a text"},
      {"{\"a\\u0000b\":" T("\"F32\"", "[1]", "[0,4]") "}", 4, "header, byte"},
      {"{\"\xff\":" T("\"F32\"", "[1]", "[0,4]") "}", 4, "header, byte"},
      {"{\"a\\n\\u001b[2J\":1}", 0, "'a??[2J'"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_st_file *file = NULL;
    vise_status status = parse(cases[i].header, cases[i].n_data, &file, &err);

    cr_assert_eq(status, VISE_ERR_FORMAT, "case %zu: %s", i, cases[i].header);
    cr_assert_null(file);
    cr_assert_not_null(strstr(err.text, "f.safetensors"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
  }
}

Test(safetensors, deep_nesting_is_refused) {
  size_t n = 200000;
  char *header = malloc(n + 1);
  vise_i_st_file *file = NULL;
  memset(header, '[', n);
  memcpy(header, "{\"a\":", 5);
  header[n] = '\0';
  cr_assert_eq(parse(header, 0, &file, NULL), VISE_ERR_FORMAT);
  free(header);
}

Test(safetensors, a_stated_header_is_never_believed_beyond_the_file) {
  static const uint64_t lengths[] = {3, 100000000, 100000001, 1ull << 40, 1ull << 63, UINT64_MAX, UINT64_MAX - 7};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
    uint8_t bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    vise_i_st_file *file = NULL;
    memcpy(bytes, &lengths[i], 8);
    cr_assert_eq(vise_i_st_parse("f", bytes, sizeof bytes, &file, NULL), VISE_ERR_FORMAT);
  }
}

Test(safetensors, a_file_cut_anywhere_is_refused) {
  vise_model *model = rig_full_model(VISE_F32);
  const char *path = rig_in("m.safetensors");
  uint8_t *bytes;
  size_t n;

  cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
  rig_read(path, &bytes, &n);

  for (size_t cut = 0; cut < n; ++cut) {
    uint8_t *part = malloc(cut ? cut : 1);
    vise_i_st_file *file = NULL;
    memcpy(part, bytes, cut);
    cr_assert_eq(vise_i_st_parse("m", part, cut, &file, NULL), VISE_ERR_FORMAT, "cut at %zu", cut);
    free(part);
  }

  free(bytes);
  vise_model_free(model);
}

Test(safetensors, what_cannot_be_written_is_refused) {
  static const float w[1] = {1};
  const vise_i_st_tensor twice[] = {{.name = "a", .dtype = VISE_I_ST_F32, .n_dims = 1, .dims = {1}, .data = w},
                                    {.name = "a", .dtype = VISE_I_ST_F32, .n_dims = 1, .dims = {1}, .data = w}};
  const vise_i_st_tensor bad[] = {{.name = "\xff", .dtype = VISE_I_ST_F32, .n_dims = 1, .dims = {1}, .data = w}};
  const char *path = rig_in("a"), *folder = rig_in(".");

  cr_assert_eq(vise_i_st_write(path, &(vise_i_st_content){twice, 2, NULL, 0}, NULL, NULL), VISE_ERR_INTERNAL);
  cr_assert_eq(vise_i_st_write(path, &(vise_i_st_content){bad, 1, NULL, 0}, NULL, NULL), VISE_ERR_INTERNAL);
  cr_assert_eq(rig_n_entries(folder), 0);

  path = rig_in("missing/a");
  cr_assert_eq(vise_i_st_write(path, &(vise_i_st_content){twice, 1, NULL, 0}, NULL, NULL), VISE_ERR_IO);
}

/* The fuzzer's corpus: each file's name says whether it must be read or refused. */
Test(safetensors, corpus_is_read_or_refused_as_named) {
  static const char folder[] = VISE_SOURCE_DIR "/tests/fuzz/corpus/safetensors";
  size_t n_ok = 0, n_bad = 0;
  DIR *dir = opendir(folder);
  cr_assert_not_null(dir);

  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;

    bool ok = strncmp(entry->d_name, "ok-", 3) == 0;
    vise_error err = VISE_ERROR_INIT;
    vise_i_st_file *file = NULL;
    const char *path = rig_path(folder, entry->d_name);

    cr_assert_eq(vise_i_st_read(path, &file, &err), ok ? VISE_OK : VISE_ERR_FORMAT, "%s: %s", path, err.text);
    vise_i_st_free(file);
    ++*(ok ? &n_ok : &n_bad);
  }

  closedir(dir);
  cr_assert(n_ok >= 14 && n_bad >= 36, "%zu and %zu files", n_ok, n_bad);
}

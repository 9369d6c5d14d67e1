/* Arrays to files: NPY version 1.0 and CSV. */
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/array.h"
#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "vise/evaluate.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "NPY files are written little-endian, as the numbers lie in memory; this machine is not little-endian"
#endif

/* Magic and version (8), header length (2), then the header; NumPy aligns the values after it to 64 bytes. */
#define NPY_PREAMBLE_BYTES 10
#define NPY_HEADER_BYTES 192
/* Text and values are handed to the writer in pieces of about this size. */
#define CHUNK_BYTES 65536
/* The longest element as CSV text with its separator ("-1.2345678901234567e-308,"), rounded up. */
#define CELL_BYTES 40

static bool has_extension(const char *path, const char *extension) {
  size_t n = strlen(path), m = strlen(extension);
  return n > m && strcasecmp(path + n - m, extension) == 0;
}

static const char *npy_descr(vise_dtype dtype) {
  switch (dtype) {
    case VISE_U8:
      return "|u1";
    case VISE_I32:
      return "<i4";
    case VISE_I64:
      return "<i8";
    case VISE_F32:
      return "<f4";
    default:
      return "<f8";
  }
}

static const unsigned char *element(const vise_array *array, size_t size, size_t r, size_t c) {
  return (const unsigned char *)array->data + (r * array->row_stride + c * array->col_stride) * size;
}

static vise_status write_npy_header(vise_i_writer *writer, const vise_array *array, vise_error *err) {
  char header[NPY_HEADER_BYTES];
  int n = snprintf(header + NPY_PREAMBLE_BYTES, sizeof header - NPY_PREAMBLE_BYTES,
                   "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %zu), }", npy_descr(array->dtype),
                   array->n_rows, array->n_cols);

  size_t used = NPY_PREAMBLE_BYTES + (size_t)n + 1; /* with the newline that ends the header */
  size_t total = (used + 63) / 64 * 64;

  memset(header + used - 1, ' ', total - used);
  header[total - 1] = '\n';
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = (char)((total - NPY_PREAMBLE_BYTES) & 0xff);
  header[9] = (char)((total - NPY_PREAMBLE_BYTES) >> 8);

  return vise_i_writer_write(writer, header, total, err);
}

static vise_status write_npy(vise_i_writer *writer, const vise_array *array, vise_error *err) {
  vise_status status = VISE_OK;
  unsigned char *chunk = NULL;
  size_t size = vise_dtype_size(array->dtype), used = 0;

  VISE_TRY(vise_i_alloc(&chunk, CHUNK_BYTES, 1, "a buffer for writing an NPY file", err));
  VISE_TRY(write_npy_header(writer, array, err));

  for (size_t r = 0; r < array->n_rows; r++) {
    for (size_t c = 0; c < array->n_cols; c++) {
      if (used + size > CHUNK_BYTES) {
        VISE_TRY(vise_i_writer_write(writer, chunk, used, err));
        used = 0;
      }
      memcpy(chunk + used, element(array, size, r, c), size);
      used += size;
    }
  }
  if (used > 0) VISE_TRY(vise_i_writer_write(writer, chunk, used, err));

done:
  free(chunk);
  return status;
}

/* One element as text that reads back to the same bits; returns its length. */
static size_t format_cell(char *out, vise_dtype dtype, const unsigned char *at) {
  union {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
  } v;

  memcpy(&v, at, vise_dtype_size(dtype) < sizeof v ? vise_dtype_size(dtype) : sizeof v);
  int n = 0;

  switch (dtype) {
    case VISE_U8:
      n = snprintf(out, CELL_BYTES, "%u", (unsigned)at[0]);
      break;
    case VISE_I32:
      n = snprintf(out, CELL_BYTES, "%" PRId32, v.i32);
      break;
    case VISE_I64:
      n = snprintf(out, CELL_BYTES, "%" PRId64, v.i64);
      break;
    case VISE_F32:
      n = snprintf(out, CELL_BYTES, "%.9g", (double)v.f32);
      break;
    default:
      n = snprintf(out, CELL_BYTES, "%.17g", v.f64);
      break;
  }

  return (size_t)n;
}

static vise_status write_csv(vise_i_writer *writer, const vise_array *array, const char *header, vise_error *err) {
  vise_status status = VISE_OK;
  char *chunk = NULL;
  size_t size = vise_dtype_size(array->dtype), used = 0;

  /* The caller's program may have set a locale whose decimal point is a comma. */
  locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  locale_t before = (locale_t)0;
  if (plain == (locale_t)0) return vise_i_fail(err, VISE_ERR_MEMORY, "out of memory for the C locale");
  before = uselocale(plain);

  VISE_TRY(vise_i_alloc(&chunk, CHUNK_BYTES, 1, "a buffer for writing a CSV file", err));
  if (header != NULL) {
    VISE_TRY(vise_i_writer_write(writer, header, strlen(header), err));
    VISE_TRY(vise_i_writer_write(writer, "\n", 1, err));
  }

  for (size_t r = 0; r < array->n_rows; r++) {
    for (size_t c = 0; c < array->n_cols; c++) {
      if (used + CELL_BYTES + 1 > CHUNK_BYTES) {
        VISE_TRY(vise_i_writer_write(writer, chunk, used, err));
        used = 0;
      }
      used += format_cell(chunk + used, array->dtype, element(array, size, r, c));
      chunk[used++] = c + 1 < array->n_cols ? ',' : '\n';
    }
  }
  if (used > 0) VISE_TRY(vise_i_writer_write(writer, chunk, used, err));

done:
  uselocale(before);
  freelocale(plain);
  free(chunk);
  return status;
}

/* Names that header gives: commas outside double quotes, plus one. */
static size_t count_names(const char *header) {
  size_t n = 1;
  bool quoted = false;
  for (const char *p = header; *p != '\0'; p++) {
    if (*p == '"') quoted = !quoted;
    if (*p == ',' && !quoted) n++;
  }
  return n;
}

/* text as a field. */
static vise_status write_field(vise_i_writer *writer, const char *text, vise_error *err) {
  vise_status status = VISE_OK;
  if (text == NULL) return VISE_OK;
  if (strpbrk(text, ",\"\r\n") == NULL) return vise_i_writer_write(writer, text, strlen(text), err);

  VISE_TRY(vise_i_writer_write(writer, "\"", 1, err));
  for (size_t n; *text != '\0'; text += n) { /* up to and with a quote, which is written twice */
    n = strcspn(text, "\"");
    if (text[n] == '"') n++;
    VISE_TRY(vise_i_writer_write(writer, text, n, err));
    if (text[n - 1] == '"') VISE_TRY(vise_i_writer_write(writer, "\"", 1, err));
  }
  VISE_TRY(vise_i_writer_write(writer, "\"", 1, err));
done:
  return status;
}

static vise_status write_texts(vise_i_writer *writer, const char *const *texts, size_t n_rows, const char *header,
                               vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i <= n_rows; i++) { /* the header comes first */
    if (i == 0 && header == NULL) continue;
    VISE_TRY(write_field(writer, i == 0 ? header : texts[i - 1], err));
    VISE_TRY(vise_i_writer_write(writer, "\n", 1, err));
  }
done:
  return status;
}

vise_status vise_texts_save(const char *path, const char *const *texts, size_t n_rows, const char *header,
                            vise_error *err) {
  vise_i_writer writer;
  VISE_ENTER(err, path, texts);
  vise_status status = vise_i_writer_begin(&writer, path, err);
  if (status != VISE_OK) return status;

  status = write_texts(&writer, texts, n_rows, header, err);
  if (status == VISE_OK) return vise_i_writer_commit(&writer, err);
  vise_i_writer_abandon(&writer);
  return status;
}

vise_status vise_texts_save_memory(const char *const *texts, size_t n_rows, const char *header, void **out_bytes,
                                   size_t *out_n_bytes, vise_error *err) {
  vise_i_writer writer;
  VISE_ENTER(err, texts, out_bytes, out_n_bytes);
  vise_i_writer_begin_memory(&writer);
  const vise_status status = write_texts(&writer, texts, n_rows, header, err);
  if (status == VISE_OK) {
    vise_i_writer_take(&writer, out_bytes, out_n_bytes);
  } else {
    vise_i_writer_abandon(&writer);
  }
  return status;
}

/* The header must name every column. */
static vise_status check_header(const char *name, const vise_array *array, const char *header, vise_error *err) {
  if (header == NULL) return VISE_OK;
  const size_t n_names = count_names(header);
  if (strpbrk(header, "\r\n") != NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: the header has a line break; give one line of column names", name);
  }
  if (n_names == array->n_cols) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s: the header names %zu columns, the array has %zu", name, n_names,
                     array->n_cols);
}

vise_status vise_array_save_memory(const vise_array *array, const char *header, void **out_bytes, size_t *out_n_bytes,
                                   vise_error *err) {
  vise_i_writer writer;
  VISE_ENTER(err, array, out_bytes, out_n_bytes);
  vise_status status = vise_i_array_validate(array, "array to save", err);
  if (status == VISE_OK) status = check_header("array", array, header, err);
  if (status != VISE_OK) return status;

  vise_i_writer_begin_memory(&writer);
  status = write_csv(&writer, array, header, err);
  if (status == VISE_OK) {
    vise_i_writer_take(&writer, out_bytes, out_n_bytes);
  } else {
    vise_i_writer_abandon(&writer);
  }
  return status;
}

vise_status vise_array_save(const char *path, const vise_array *array, const char *header, vise_error *err) {
  vise_i_writer writer;
  VISE_ENTER(err, path, array);

  bool npy = has_extension(path, ".npy");
  if (!npy && !has_extension(path, ".csv")) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: the name must end in .npy or .csv, which choose the format", path);
  }

  vise_status status = vise_i_array_validate(array, "array to save", err);
  if (status != VISE_OK) return status;

  if (!npy) status = check_header(path, array, header, err);
  if (status != VISE_OK) return status;

  status = vise_i_writer_begin(&writer, path, err);
  if (status != VISE_OK) return status;
  status = npy ? write_npy(&writer, array, err) : write_csv(&writer, array, header, err);
  if (status != VISE_OK) {
    vise_i_writer_abandon(&writer);
    return status;
  }
  return vise_i_writer_commit(&writer, err);
}

// The gather kernel against the formula, bit for bit: every type, scaling, alignment, ragged width.
#include <math.h>

#include "kernels/gather.h"
#include "kernels/gather_bytes.h"
#include "tests/emulation/kernel_tests/kernel_rig.h"

static size_t element_bytes(vise_dtype type) {
  static const size_t bytes[] = {1, 4, 8, 4, 8};
  return bytes[type];
}

static void fill(vise_dtype type, unsigned char *x, size_t n_bytes, uint64_t *state) {
  for (size_t i = 0; i + 4 <= n_bytes; i += 4) {
    const uint32_t bits = rig_draw(state);
    memcpy(x + i, &bits, 4);
  }
  for (size_t i = n_bytes / 4 * 4; i < n_bytes; i++) x[i] = (unsigned char)rig_draw(state);

  if (type == VISE_I64) {  // many of medium size; some that round differently through double
    for (size_t i = 0; i + 8 <= n_bytes; i += 16) {
      const int64_t tie = ((int64_t)1 << 60) + ((int64_t)1 << 36) + 1, middling = (int64_t)rig_draw(state) - 1000000000;
      const int64_t value = i % 64 == 0 ? tie : middling;
      memcpy(x + i, &value, 8);
    }
  }

  if (type == VISE_F64) {  // not all outside the range of float
    for (size_t i = 0; i + 8 <= n_bytes; i += 16) {
      const double value = ((double)rig_draw(state) - 2e9) * 1e-9;
      memcpy(x + i, &value, 8);
    }
  }
}

static float expected(const vise_k_source *s, const double *shift, const double *inverse, double scale,
                      const unsigned char *at, size_t column) {
  int32_t i32;
  int64_t i64;
  float f32;
  double x = 0, f64;
  float plain = 0;

  switch (s->type) {
    case VISE_U8:
      if (s->scaling == VISE_K_SCALE_NONE) return (float)*at;
      if (s->scaling == VISE_K_SCALE_UNIFORM) return (float)((*at - s->shift) / scale);
      x = *at;
      break;
    case VISE_I32:
      memcpy(&i32, at, 4);
      x = i32;
      plain = (float)i32;
      break;
    case VISE_I64:
      memcpy(&i64, at, 8);
      x = (double)i64;
      plain = (float)i64;
      break;
    case VISE_F32:
      memcpy(&f32, at, 4);
      x = (double)f32;
      plain = f32;
      break;
    case VISE_F64:
      memcpy(&f64, at, 8);
      x = f64;
      plain = (float)f64;
      break;
    case vise_dtype_count_:
      break;
  }

  if (s->scaling == VISE_K_SCALE_NONE) return plain;
  if (s->scaling == VISE_K_SCALE_UNIFORM) return (float)((x - s->shift) * s->inverse);
  return (float)((x - shift[column]) * inverse[column]);
}

enum { DATA_ROWS = 11, BATCH = 7, MAX_COLUMNS = 784 };

// offset: elements from an aligned address to the first one; pad: elements between rows; listed: the rows are given one
// by one.
static void check(vise_dtype type, vise_k_scaling scaling, uint32_t n_columns, size_t offset, size_t pad, int listed,
                  double scale_of_all) {
  uint64_t state = 1 + (uint64_t)n_columns;
  const size_t size = element_bytes(type), row_bytes = (n_columns + pad) * size;
  const size_t n_bytes = offset * size + DATA_ROWS * row_bytes, out_stride = n_columns + pad;
  unsigned char *x = malloc(n_bytes);
  fill(type, x, n_bytes, &state);

  double shift[MAX_COLUMNS], inverse[MAX_COLUMNS];
  for (size_t c = 0; c < n_columns; c++) {
    shift[c] = 0.001 * (double)c - 0.3;
    inverse[c] = 1.0 / (0.7 + (double)c);
  }
  float byte_values[256];
  const uint32_t rows[BATCH] = {3, 10, 0, 3, 9, 1, 7};

  vise_k_gather g;
  memset(&g, 0, sizeof g);
  vise_k_source *s = &g.source;
  s->type = type;
  s->n_columns = n_columns;
  s->row_bytes = row_bytes;
  s->scaling = scaling;
  const int uniform = scaling == VISE_K_SCALE_UNIFORM;
  s->shift = uniform && scale_of_all != 255 ? 0.3 : 0;
  const double scale = uniform ? scale_of_all : 1;
  s->inverse = 1 / scale;
  vise_k_gather_bytes(s->shift, scale, byte_values, &s->byte_divisor, &s->byte_inverse);

  unsigned char *device_x = rig_device(x, n_bytes);
  double *device_shift = rig_device(shift, n_columns * sizeof *shift);
  double *device_inverse = rig_device(inverse, n_columns * sizeof *inverse);
  float *device_bytes = rig_device(byte_values, sizeof byte_values);
  uint32_t *device_rows = rig_device(rows, sizeof rows);
  float *out = malloc(BATCH * out_stride * sizeof *out),
        *device_out = rig_device(NULL, BATCH * out_stride * sizeof *out);

  s->x = device_x + offset * size;
  s->column_shift = device_shift;
  s->column_inverse = device_inverse;
  s->byte_values = device_bytes;
  g.rows = listed ? device_rows : NULL;
  g.first_row = 2;
  g.n_rows = BATCH;
  g.out = device_out;
  g.out_stride = out_stride;

  RIG_OK(vise_k_gather_run(&g, 0));
  rig_free(device_out, out, BATCH * out_stride * sizeof *out);

  for (size_t r = 0; r < BATCH; r++) {
    const size_t row = listed ? rows[r] : 2 + r;
    for (size_t c = 0; c < out_stride; c++) {
      uint32_t bits;
      memcpy(&bits, &out[r * out_stride + c], 4);
      if (c >= n_columns) {
        cr_assert_eq(bits, 0xffffffffu, "padding written at row %zu column %zu", r, c);
        continue;
      }

      const float want = expected(s, shift, inverse, scale, x + offset * size + row * row_bytes + c * size, c);
      cr_assert(isnan(want) ? isnan(out[r * out_stride + c]) : memcmp(&want, &bits, 4) == 0,
                "type %d scaling %d columns %u offset %zu row %zu column %zu: %a, expected %a", type, scaling,
                n_columns, offset, r, c, out[r * out_stride + c], want);
    }
  }

  rig_free(device_x, NULL, n_bytes);
  rig_free(device_shift, NULL, n_columns * sizeof *shift);
  rig_free(device_inverse, NULL, n_columns * sizeof *inverse);
  rig_free(device_bytes, NULL, sizeof byte_values);
  rig_free(device_rows, NULL, sizeof rows);
  free(x);
  free(out);
}

Test(kernel_gather, equals_the_formula_for_every_type_and_scaling) {
  static const uint32_t columns[] = {1, 4, 31, 33, 131, 513, 784};
  for (int type = VISE_U8; type <= VISE_F64; type++) {
    for (int scaling = VISE_K_SCALE_NONE; scaling <= VISE_K_SCALE_COLUMNS; scaling++) {
      for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const uint32_t n = columns[i];
        check((vise_dtype)type, (vise_k_scaling)scaling, n, 0, (4 - n % 4) % 4, 1, 3.7);
      }
    }
  }
}

Test(kernel_gather, rows_in_order_unaligned_and_without_padding) {
  for (int type = VISE_U8; type <= VISE_F64; type++) {
    check((vise_dtype)type, VISE_K_SCALE_UNIFORM, 132, 1, 0, 0, 3.7);
    check((vise_dtype)type, VISE_K_SCALE_NONE, 37, 0, 0, 0, 1);
    check((vise_dtype)type, VISE_K_SCALE_COLUMNS, 20, 0, 1, 0, 1);
  }
}

Test(kernel_gather, pixels) {
  check(VISE_U8, VISE_K_SCALE_UNIFORM, 784, 0, 0, 1, 255);
  check(VISE_U8, VISE_K_SCALE_UNIFORM, 783, 3, 1, 1, 255);
}

Test(kernel_gather, refuses_what_no_row_can_be) {
  vise_k_gather g;
  memset(&g, 0, sizeof g);
  g.source.type = VISE_F32;
  g.source.row_bytes = 6;
  g.source.n_columns = 1;
  g.n_rows = 1;
  cr_assert_eq(vise_k_gather_run(&g, 0), cudaErrorMisalignedAddress);
  g.source.row_bytes = 8;
  g.n_rows = 0;
  cr_assert_eq(vise_k_gather_run(&g, 0), cudaSuccess);
}

/* Values of files whose types or orders Vise does not keep in memory. */
#include <string.h>

#include "host/data/reader.h"

size_t vise_i_item_size(const vise_i_layout *layout) {
  switch (layout->item) {
    case VISE_I_ITEM_BOOL:
    case VISE_I_ITEM_I8:
      return 1;
    case VISE_I_ITEM_I16:
    case VISE_I_ITEM_U16:
    case VISE_I_ITEM_F16:
      return 2;
    case VISE_I_ITEM_U32:
      return 4;
    case VISE_I_ITEM_U64:
      return 8;
    default:
      return vise_dtype_size(layout->dtype);
  }
}

/* IEEE binary16, exactly. */
static float half_value(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  uint32_t bits;
  float value;

  if (exponent == 0) { /* 0 and subnormal numbers: fraction * 2^-24 */
    value = (float)fraction * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static vise_status fail_large(const vise_i_layout *l, const char *name, size_t k, uint64_t value, vise_error *err) {
  const size_t row = l->fortran ? k % l->n_rows : k / l->n_cols, col = l->fortran ? k / l->n_rows : k % l->n_cols;
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "%s: row %zu, column %zu (from 0) is %llu, but whole numbers are read up to %lld; save "
                     "array.astype('f8')",
                     name, row, col, (unsigned long long)value, (long long)INT64_MAX);
}

#define CONVERT(from, to, expression)    \
  do {                                   \
    const from *in = raw;                \
    for (size_t k = 0; k < n; k++) {     \
      const from v = in[k];              \
      ((to *)out)[k] = (to)(expression); \
    }                                    \
  } while (0)

vise_status vise_i_convert_items(const vise_i_layout *layout, const char *name, const void *raw, void *out,
                                 vise_error *err) {
  const size_t n = layout->n_rows * layout->n_cols;

  switch (layout->item) {
    case VISE_I_ITEM_BOOL:
      CONVERT(uint8_t, uint8_t, v != 0);
      break;
    case VISE_I_ITEM_I8:
      CONVERT(int8_t, int32_t, v);
      break;
    case VISE_I_ITEM_I16:
      CONVERT(int16_t, int32_t, v);
      break;
    case VISE_I_ITEM_U16:
      CONVERT(uint16_t, int32_t, v);
      break;
    case VISE_I_ITEM_U32:
      CONVERT(uint32_t, int64_t, v);
      break;
    case VISE_I_ITEM_F16:
      CONVERT(uint16_t, float, half_value(v));
      break;
    case VISE_I_ITEM_U64:
      for (size_t k = 0; k < n; k++) {
        const uint64_t v = ((const uint64_t *)raw)[k];
        if (v > INT64_MAX) return fail_large(layout, name, k, v, err);
      }
      CONVERT(uint64_t, int64_t, v);
      break;
    default:
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: values that need no conversion", name);
  }
  return VISE_OK;
}

void vise_i_order_as_c(const vise_i_layout *layout, const void *values, void *out) {
  const size_t n = layout->n_rows * layout->n_cols, size = vise_dtype_size(layout->dtype);
  size_t place[VISE_I_DIMS_MAX] = {0};

  for (size_t k = 0; k < n; k++) { /* in C order: the last dimension runs first */
    size_t at = 0;
    for (size_t d = layout->n_dims; d-- > 0;) at = at * layout->dims[d] + place[d];
    memcpy((char *)out + k * size, (const char *)values + at * size, size);
    for (size_t d = layout->n_dims; d-- > 0 && ++place[d] == layout->dims[d];) place[d] = 0;
  }
}

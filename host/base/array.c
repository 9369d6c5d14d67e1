#include "host/base/array.h"

#include <math.h>

#include "host/base/memory.h"

size_t vise_dtype_size(vise_dtype dtype) {
  switch (dtype) {
    case VISE_U8:
      return 1;
    case VISE_I32:
    case VISE_F32:
      return 4;
    case VISE_I64:
    case VISE_F64:
      return 8;
    default:
      return 0;
  }
}

vise_array vise_array_of(const void *data, vise_dtype dtype, size_t n_rows, size_t n_cols) {
  vise_array array = {data, dtype, n_rows, n_cols, n_cols, 1};
  return array;
}

double vise_i_array_get(const vise_array *array, size_t r, size_t c) {
  size_t i = r * array->row_stride + c * array->col_stride;

  switch (array->dtype) {
    case VISE_U8:
      return ((const uint8_t *)array->data)[i];
    case VISE_I32:
      return ((const int32_t *)array->data)[i];
    case VISE_I64:
      return (double)((const int64_t *)array->data)[i];
    case VISE_F32:
      return (double)((const float *)array->data)[i];
    case VISE_F64:
      return ((const double *)array->data)[i];
    default:
      return NAN;
  }
}

bool vise_i_array_find_beyond(const vise_array *array, double most, size_t *row, size_t *col) {
  if (array->dtype != VISE_F32 && array->dtype != VISE_F64) return false;
  for (size_t r = 0; r < array->n_rows; ++r) {
    for (size_t c = 0; c < array->n_cols; ++c) {
      if (fabs(vise_i_array_get(array, r, c)) <= most) continue;
      *row = r;
      *col = c;
      return true;
    }
  }
  return false;
}

vise_status vise_i_array_validate(const vise_array *array, const char *what, vise_error *err) {
  size_t element = vise_dtype_size(array->dtype);
  if (element == 0) return vise_i_fail(err, VISE_ERR_USAGE, "%s: unknown dtype %d", what, (int)array->dtype);
  if (array->n_rows == 0 || array->n_cols == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: shape [%zu, %zu] holds no values", what, array->n_rows, array->n_cols);
  }
  if (!array->data) return vise_i_fail(err, VISE_ERR_USAGE, "%s: the data pointer is NULL", what);

  size_t rows, cols, last, n_bytes;
  if (!vise_i_size_mul(array->n_rows - 1, array->row_stride, &rows) ||
      !vise_i_size_mul(array->n_cols - 1, array->col_stride, &cols) || !vise_i_size_add(rows, cols, &last) ||
      !vise_i_size_add(last, 1, &last) || !vise_i_size_mul(last, element, &n_bytes)) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: shape [%zu, %zu] with strides %zu, %zu does not fit in memory", what,
                       array->n_rows, array->n_cols, array->row_stride, array->col_stride);
  }

  return VISE_OK;
}

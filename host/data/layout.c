/* From the dimensions that the header of an NPY or IDX file announces to sizes. */
#include <string.h>

#include "host/base/memory.h"
#include "host/data/reader.h"

vise_status vise_i_layout_shape(vise_i_layout *layout, const char *name, const size_t *dims, size_t n_dims,
                                vise_error *err) {
  size_t n_cols = 1, n_values, n_data_bytes, n_memory_bytes, n_total;

  for (size_t d = 0; d < n_dims; d++) {
    if (dims[d] == 0) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "%s: has no values: dimension %zu of %zu is 0", name, d, n_dims);
    }
    if (d > 0 && !vise_i_size_mul(n_cols, dims[d], &n_cols)) goto too_large;
  }

  if (!vise_i_size_mul(n_cols, dims[0], &n_values) ||
      !vise_i_size_mul(n_values, vise_i_item_size(layout), &n_data_bytes) ||
      !vise_i_size_mul(n_values, vise_dtype_size(layout->dtype), &n_memory_bytes) ||
      !vise_i_size_add(n_memory_bytes > n_data_bytes ? n_memory_bytes : n_data_bytes,
                       layout->header_bytes + VISE_I_ALIGNMENT, &n_total) ||
      n_total > SIZE_MAX / 2) {
    goto too_large;
  }

  layout->n_rows = dims[0];
  layout->n_cols = n_cols;
  layout->data_bytes = n_data_bytes;
  memcpy(layout->dims, dims, n_dims * sizeof *dims);
  layout->n_dims = n_dims;
  return VISE_OK;

too_large:
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: its header announces more values than any memory can hold", name);
}

/* IDX, the format of MNIST: bytes 0, 0, type, number of dimensions, then the dimensions as 32-bit big-endian integers,
   then the values, C-ordered, big-endian. */
#include <string.h>

#include "host/data/reader.h"

static const struct {
  uint8_t code;
  bool supported;
  vise_dtype dtype;
  const char *text;
} types[] = {
    {0x08, true, VISE_U8, "unsigned bytes"},   {0x09, false, VISE_U8, "signed bytes"},
    {0x0b, false, VISE_U8, "16-bit integers"}, {0x0c, true, VISE_I32, "32-bit integers"},
    {0x0d, true, VISE_F32, "32-bit floats"},   {0x0e, true, VISE_F64, "64-bit floats"},
};

vise_status vise_i_idx_header(const char *name, const uint8_t *bytes, size_t n, vise_i_layout *layout,
                              vise_error *err) {
  size_t dims[255];
  size_t t = 0;

  if (n < 4 || bytes[0] != 0 || bytes[1] != 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: no IDX header (0, 0, type, number of dimensions)", name);
  }

  while (t < sizeof types / sizeof types[0] && types[t].code != bytes[2]) t++;
  if (t == sizeof types / sizeof types[0] || !types[t].supported) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: IDX type 0x%02x (%s) is not supported; supported are 0x08 (u8), 0x0c (i32), 0x0d (f32) "
                       "and 0x0e (f64)",
                       name, bytes[2], t < sizeof types / sizeof types[0] ? types[t].text : "unknown");
  }

  const size_t n_dims = bytes[3];
  if (n_dims == 0) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: IDX header with 0 dimensions; needs 1 or more", name);
  if (n < 4 + 4 * n_dims) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: truncated within its IDX header of %zu dimensions (%zu bytes)", name,
                       n_dims, n);
  }

  for (size_t d = 0; d < n_dims; d++) {
    const uint8_t *b = bytes + 4 + 4 * d;
    dims[d] = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | (size_t)b[3];
  }

  vise_i_layout l = {.dtype = types[t].dtype,
                     .stored = vise_dtype_name(types[t].dtype),
                     .big_endian = true,
                     .header_bytes = 4 + 4 * n_dims};
  const vise_status status = vise_i_layout_shape(&l, name, dims, n_dims, err);
  if (status == VISE_OK) *layout = l;
  return status;
}

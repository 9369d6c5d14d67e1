/* Types and sizes of tensors in safetensors files. */
#include <string.h>

#include "host/model/safetensors.h"

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {[VISE_I_ST_U8] = {"U8", 1},
              [VISE_I_ST_I64] = {"I64", 8},
              [VISE_I_ST_F32] = {"F32", 4},
              [VISE_I_ST_F64] = {"F64", 8},
              [VISE_I_ST_I8] = {"I8", 1}};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

size_t vise_i_st_dtype_size(vise_i_st_dtype dtype) {
  return (size_t)dtype < N_DTYPES ? dtypes[dtype].size : 0;
}

const char *vise_i_st_dtype_name(vise_i_st_dtype dtype) {
  return (size_t)dtype < N_DTYPES ? dtypes[dtype].name : "?";
}

size_t vise_i_st_n_elements(const vise_i_st_tensor *tensor) {
  size_t n = 1;
  for (size_t d = 0; d < tensor->n_dims; ++d) n *= tensor->dims[d];
  return n;
}

bool vise_i_st_dtype_parse(const char *name, vise_i_st_dtype *out) {
  for (size_t i = 0; i < N_DTYPES; ++i) {
    if (strcmp(name, dtypes[i].name) != 0) continue;
    *out = (vise_i_st_dtype)i;
    return true;
  }
  return false;
}

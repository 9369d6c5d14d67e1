/* Rows of the data set, in the order of a batch, as floats. */
#ifndef VISE_K_GATHER_H
#define VISE_K_GATHER_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In the order of vise_dtype. */
typedef enum vise_k_type { VISE_K_U8, VISE_K_I32, VISE_K_I64, VISE_K_F32, VISE_K_F64 } vise_k_type;

/* out = x, (x - shift) * inverse with one pair for all columns, or with a pair for each. In float64, rounded once. */
typedef enum vise_k_scaling { VISE_K_SCALE_NONE, VISE_K_SCALE_UNIFORM, VISE_K_SCALE_COLUMNS } vise_k_scaling;

/* What all batches of a data set share. Bytes without scaling or with one pair take one of 256 values: those of
   byte_values, or, where byte_divisor is not 0, byte / byte_divisor. vise_k_gather_bytes (kernels/gather_bytes.h) fills
   the three. */
typedef struct vise_k_source {
  const void *x;    /* device memory that no launch writes; element (r, c) at x + r * row_bytes + c * element size */
  size_t row_bytes; /* multiple of the element size */
  vise_k_type type;
  uint32_t n_columns;
  vise_k_scaling scaling;
  double shift, inverse;                       /* of uniform scaling */
  const double *column_shift, *column_inverse; /* device, [n_columns], of scaling by columns */
  const float *byte_values;                    /* device, [256] */
  float byte_divisor, byte_inverse;
} vise_k_source;

typedef struct vise_k_gather {
  vise_k_source source;
  const uint32_t *rows; /* device, [n_rows]: indices of rows; NULL: first_row, first_row + 1, ... */
  uint32_t first_row, n_rows;
  float *out; /* [n_rows][out_stride], columns from n_columns on untouched; does not overlap the inputs */
  size_t out_stride;
} vise_k_gather;

cudaError_t vise_k_gather_run(const vise_k_gather *arguments, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

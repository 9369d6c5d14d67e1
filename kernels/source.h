/* Where the rows of a data set lie and how their elements become floats; plain C. */
#ifndef VISE_K_SOURCE_H
#define VISE_K_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "vise/enums.h"

/* out = x, (x - shift) * inverse with one pair for all columns, or with a pair for each. In float64, rounded once. */
typedef enum vise_k_scaling { VISE_K_SCALE_NONE, VISE_K_SCALE_UNIFORM, VISE_K_SCALE_COLUMNS } vise_k_scaling;

/* What all batches of a data set share. Bytes without scaling or with one pair take one of 256 values: those of
   byte_values, or, where byte_divisor is not 0, byte / byte_divisor. vise_k_gather_bytes (kernels/gather_bytes.h) fills
   the three. */
typedef struct vise_k_source {
  const void *x;    /* device memory that no launch writes; element (r, c) at x + r * row_bytes + c * element size */
  size_t row_bytes; /* multiple of the element size */
  vise_dtype type;
  uint32_t n_columns;
  vise_k_scaling scaling;
  double shift, inverse;                       /* of uniform scaling */
  const double *column_shift, *column_inverse; /* device, [n_columns], of scaling by columns */
  const float *byte_values;                    /* device, [256] */
  float byte_divisor, byte_inverse;
} vise_k_source;

#endif

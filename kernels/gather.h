/* Rows of the data set, in the order of a batch, as floats. */
#ifndef VISE_K_GATHER_H
#define VISE_K_GATHER_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/source.h"

#ifdef __cplusplus
extern "C" {
#endif

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

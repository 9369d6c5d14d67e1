/* Sums in the canonical order (kernels/canonical.h). */
#ifndef VISE_K_REDUCE_H
#define VISE_K_REDUCE_H

#include "kernels/exchange.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The sum of squares of x [n_rows][n_columns], rows `stride` apart: the same bits for any number of CTAs. */
typedef struct vise_k_sum_squares {
  const float *x;
  uint32_t n_rows, n_columns; /* 1 to 8192 each */
  size_t stride;
  double *groups;           /* out [vise_n_groups(n_rows)]: the sums of each 32 rows */
  double *sum;              /* out: one number */
  vise_k_exchange exchange; /* one exchange; n_slots = n_members = CTAs to use, at most 1024 */
} vise_k_sum_squares;

/* A cooperative launch. */
cudaError_t vise_k_sum_squares_run(const vise_k_sum_squares *arguments, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

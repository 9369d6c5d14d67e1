/* The sum of nodes of the tree of a batch's parts in a launch of its own: what a rank adds for the others. */
#ifndef VISE_K_PART_SUMS_H
#define VISE_K_PART_SUMS_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#include "kernels/step_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* to[i] = the sum of the nodes at i, i < n, in the tree's order; device memory. `to` may be one of the nodes. */
typedef struct vise_k_part_sums {
  const float *nodes[VISE_K_MOST_PARTS]; /* by the part they begin at; NULL: none begins there */
  float *to;
  uint64_t n;
} vise_k_part_sums;

cudaError_t vise_k_part_sums_run(const vise_k_part_sums *arguments, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

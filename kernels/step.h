/* The fused training step: one launch of one kernel. What it computes is in kernels/step_types.h and, for the host, in
   host/backend/backend.h; how, in kernels/step_kernel.cuh. */
#ifndef VISE_K_STEP_H
#define VISE_K_STEP_H

#include <cuda_runtime_api.h>

#include "kernels/exchange.h"
#include "kernels/step_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Once for each variant, device and amount of shared memory (vise_k_step_shared_bytes): allows it, and tells how many
   CTAs a multiprocessor holds (0: more shared memory than it has). */
cudaError_t vise_k_step_prepare(vise_k_variant variant, size_t shared_bytes, int *n_ctas_per_sm);

/* A cooperative launch of step->n_members CTAs: step->n_steps steps from the state's cursor, or one of the other
   modes. The exchange memory (slots) was prepared once by vise_k_exchange_prepare; the state holds the next epoch. */
cudaError_t vise_k_step_run(vise_k_variant variant, const vise_k_step *step, size_t shared_bytes, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

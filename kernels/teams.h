/* Many teams in one launch: each trains a net of its own, or computes its outputs. */
#ifndef VISE_K_TEAMS_H
#define VISE_K_TEAMS_H

#include <cuda_runtime_api.h>

#include "kernels/teams_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Once for each variant, device and amount of shared memory, as vise_k_step_prepare; cudaErrorNotSupported for variants
   that have no such kernel (tf32, bf16). */
cudaError_t vise_k_teams_prepare(vise_k_variant variant, size_t shared_bytes, int *n_ctas_per_sm);

/* An ordinary launch, as large as there are teams: the device starts teams as others end. The CTAs of a team are a
   cluster, so that they are resident together. */
cudaError_t vise_k_teams_run(vise_k_variant variant, const vise_k_teams *teams, size_t shared_bytes,
                             cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

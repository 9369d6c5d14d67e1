/* Copies in bf16 of what the host has put into device memory; steps maintain those of what they write. */
#ifndef VISE_K_ROUND_BF16_H
#define VISE_K_ROUND_BF16_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* to[i] = from[i], rounded to nearest even, i < n; device memory, aligned to 16 bytes, n a multiple of 4. */
cudaError_t vise_k_round_bf16(const float *from, uint16_t *to, uint64_t n, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

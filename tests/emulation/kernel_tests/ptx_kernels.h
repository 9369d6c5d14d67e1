// Kernels that exercise the PTX instructions and the device's functions for kernel_ptx.c.
#pragma once
#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PTX_N_MATH = 6, PTX_COPY_CHUNKS = 5 };

// out[i][f] = exp, log, log1p, tanh, erf, sigmoid of x[i]; draws[i] = the first word of Philox(seed i, counter 1 2 3
// 4).
cudaError_t ptx_test_math(const float *x, uint32_t n, float *out, uint32_t *draws);

// Copies PTX_COPY_CHUNKS chunks of 256 words through two buffers of shared memory, 16 bytes at a time; in each chunk
// the last thread of the 64 copies `n_last` bytes, and the rest of its 16 is zero.
cudaError_t ptx_test_copy_async(const uint32_t *from, uint32_t *to, uint32_t n_last);
// The same without zeros, 4 and 8 bytes at a time: chunk c in pieces of 4 where c is even.
cudaError_t ptx_test_copy_async_small(const uint32_t *from, uint32_t *to);
// The same through bulk copies and mbarriers (sm_90).
cudaError_t ptx_test_bulk_copy(const uint32_t *from, uint32_t *to);

// d[16][16] = a[16][16] b[16][16]: as bf16 through shared memory, ldmatrix and mma; as tf32 straight from memory.
cudaError_t ptx_test_mma_bf16(const float *a, const float *b, float *d);
cudaError_t ptx_test_mma_tf32(const float *a, const float *b, float *d);

// n_ctas CTAs write a value each; the last of them to count itself adds all up. counter starts at 0 and ends there.
// flag: CTA 0 waits on it for CTA 1 by release and acquire, with scope gpu and sys, and writes what it found to sum[1].
cudaError_t ptx_test_last_cta(uint32_t *counter, uint32_t *flag, uint64_t *values, uint32_t n_ctas, uint64_t *sum);

#ifdef __cplusplus
}
#endif

/*
 * round_bf16_quad_per_thread: to[i] = from[i] in bf16.
 *
 * Layout      from and to aligned to 16 bytes, n a multiple of 4; they do not overlap.
 * Work        a thread takes four neighbours.
 * Memory      16 bytes read, 8 written by a thread, coalesced.
 * Numerics    rounded to nearest even; NaN stays NaN.
 * Oracle      the stores of the unfused and fused steps, bit for bit (tests/gpu/steps_test.c).
 */
#include "kernels/launch.cuh"
#include "kernels/ptx.cuh"
#include "kernels/round_bf16.h"

enum { N_THREADS = 256 };

extern "C" __global__ void __launch_bounds__(N_THREADS)
    round_bf16_quad_per_thread(const float *from, uint16_t *to, uint64_t n_quads) {
  const uint64_t quad = (uint64_t)blockIdx.x * N_THREADS + threadIdx.x;
  if (quad >= n_quads) return;
  const float4 x = ((const float4 *)from)[quad];
  uint2 bits;
  bits.x = ptx_bf16x2(x.x, x.y);
  bits.y = ptx_bf16x2(x.z, x.w);
  ((uint2 *)to)[quad] = bits;
}
VISE_KERNEL(round_bf16_quad_per_thread);

cudaError_t vise_k_round_bf16(const float *from, uint16_t *to, uint64_t n, cudaStream_t stream) {
  uint64_t n_quads = n / 4;
  void *arguments[] = {&from, &to, &n_quads};
  if (n_quads == 0) return cudaSuccess;
  return vise_launch((const void *)round_bf16_quad_per_thread,
                     {(unsigned)((n_quads + N_THREADS - 1) / N_THREADS), N_THREADS, 0, 0}, stream, arguments);
}

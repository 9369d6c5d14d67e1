/* What the products by the matrix units share: warps 2 x 4 over a tile, each with SIDE/2 x SIDE/4 of it in sums of mma
   blocks of 16 x 8 (see the layout of d in ptx.cuh). */
#ifndef VISE_K_PRODUCT_MMA_CUH
#define VISE_K_PRODUCT_MMA_CUH

#include "kernels/stage.cuh"

/* First row and column of this warp. */
template <int SIDE>
static __device__ __forceinline__ uint32_t vise_mma_row(void) {
  return threadIdx.x / 128 * (SIDE / 2);
}

template <int SIDE>
static __device__ __forceinline__ uint32_t vise_mma_column(void) {
  return threadIdx.x / 32 % 4 * (SIDE / 4);
}

template <int N_M, int N_N>
static __device__ __forceinline__ void vise_mma_clear(float sums[N_M][N_N][4]) {
#pragma unroll
  for (int i = 0; i < N_M; i++) {
#pragma unroll
    for (int j = 0; j < N_N; j++) sums[i][j][0] = sums[i][j][1] = sums[i][j][2] = sums[i][j][3] = 0.0f;
  }
}

/* Stores the sums to c[SIDE][SIDE], which may overlap the stages. Begins and ends with all threads together. */
template <int SIDE, int N_M, int N_N>
static __device__ __forceinline__ void vise_mma_store(const float sums[N_M][N_N][4], float *c) {
  const uint32_t row = vise_mma_row<SIDE>() + threadIdx.x % 32 / 4;
  const uint32_t column = vise_mma_column<SIDE>() + threadIdx.x % 4 * 2;

  __syncthreads();
#pragma unroll
  for (int i = 0; i < N_M; i++) {
#pragma unroll
    for (int j = 0; j < N_N; j++) {
      float *at = c + (row + i * 16) * SIDE + column + j * 8;
      *(float2 *)at = make_float2(sums[i][j][0], sums[i][j][1]);
      *(float2 *)(at + 8 * SIDE) = make_float2(sums[i][j][2], sums[i][j][3]);
    }
  }

  __syncthreads();
}

#endif

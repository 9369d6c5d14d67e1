/*
 * One tile of a matrix product by the matrix units (mma.sync), by a CTA of 8 warps: like vise_product_f32, with
 * operands rounded to tf32 when they leave shared memory and sums in float32.
 *
 * Work        product_mma.cuh.
 * Memory      stages of 32 k in float32, double-buffered asynchronous copies. Along k the quads of neighbouring rows
 *             are swizzled, along m rows are padded by 8, so that the lanes of a fragment meet different banks; along k
 *             ldmatrix loads four quads of eight rows at a time.
 * Numerics    operands are rounded to nearest, ties to even, before sm_90 away from zero. The matrix unit sums in an
 *             order and rounding of its own: same bits only on the same kind of GPU.
 */
#ifndef VISE_K_PRODUCT_TF32_CUH
#define VISE_K_PRODUCT_TF32_CUH

#include "kernels/product_mma.cuh"

enum { VISE_TF32_PAD = 8 };

/* Element (m, k) of a stage of an operand along m. */
template <int SIDE>
static __device__ __forceinline__ uint32_t vise_tf32_element(const float *stage, uint32_t m, uint32_t k) {
  return ptx_tf32(stage[k * (SIDE + VISE_TF32_PAD) + m]);
}

/* Four blocks of 8 m x 4 k of a stage of an operand along k, whose quads are what ldmatrix takes for rows of 16-bit
   values. m, k: where the block begins of which this lane supplies a row. */
VISE_FN void vise_tf32_load_four(const float *stage, uint32_t m, uint32_t k, uint32_t f[4]) {
  const uint32_t row = m + threadIdx.x % 8;
  ptx_ldmatrix_x4(f, stage + row * 32 + (k / 4 ^ (row & 7)) * 4);
#pragma unroll
  for (int i = 0; i < 4; i++) f[i] = ptx_tf32(vise_f32_bits(f[i]));
}

/* The fragment of a (16 x 8 at row m); see the layout in ptx.cuh. */
template <int SIDE, int ALONG_K>
static __device__ __forceinline__ void vise_tf32_load_a(const float *stage, uint32_t m, uint32_t k, uint32_t f[4]) {
  if constexpr (ALONG_K) {
    vise_tf32_load_four(stage, m + threadIdx.x / 8 % 2 * 8, k + threadIdx.x / 16 % 2 * 4, f);
  } else {
    const uint32_t g = m + threadIdx.x % 32 / 4, t = k + threadIdx.x % 4;
    f[0] = vise_tf32_element<SIDE>(stage, g, t);
    f[1] = vise_tf32_element<SIDE>(stage, g + 8, t);
    f[2] = vise_tf32_element<SIDE>(stage, g, t + 4);
    f[3] = vise_tf32_element<SIDE>(stage, g + 8, t + 4);
  }
}

/* Two fragments of b (8 x 8 each, at columns m and m + 8), one after the other. */
template <int SIDE, int ALONG_K>
static __device__ __forceinline__ void vise_tf32_load_b(const float *stage, uint32_t m, uint32_t k, uint32_t f[4]) {
  if constexpr (ALONG_K) {
    vise_tf32_load_four(stage, m + threadIdx.x / 16 % 2 * 8, k + threadIdx.x / 8 % 2 * 4, f);
  } else {
    const uint32_t g = m + threadIdx.x % 32 / 4, t = k + threadIdx.x % 4;
    f[0] = vise_tf32_element<SIDE>(stage, g, t);
    f[1] = vise_tf32_element<SIDE>(stage, g, t + 4);
    f[2] = vise_tf32_element<SIDE>(stage, g + 8, t);
    f[3] = vise_tf32_element<SIDE>(stage, g + 8, t + 4);
  }
}

/* The current product (vise_step): c[SIDE][SIDE] may overlap the stages. Begins and ends with all threads together. */
template <int SIDE, int A_ALONG_K, int B_ALONG_K>
VISE_FN_CALLED void vise_product_tf32(void) {
  enum { STAGE = 32 * (SIDE + VISE_TF32_PAD), N_M = SIDE / 32, N_N = SIDE / 32 };
  const vise_step *const step = vise_step_here();
  float *const stages = vise_step_stage(), *const c = vise_step_floats() + step->c;
  const vise_operand a = step->a, b = step->b;
  const uint32_t n_k = step->n_k, m0 = step->m0, n0 = step->n0;
  const uint32_t m = vise_mma_row<SIDE>(), n = vise_mma_column<SIDE>();
  const uint32_t n_stages = vise_ceil_div(n_k, 32);

  float sums[N_M][N_N][4];
  vise_mma_clear<N_M, N_N>(sums);

  /* Turn i starts the copies of stage i and multiplies stage i - 1. */
#pragma unroll 1
  for (uint32_t turn = 0; turn <= n_stages; turn++) {
    if (turn > 0) {
      ptx_cp_async_wait(0);
      __syncthreads();
    }

    if (turn < n_stages) {
      float *to = stages + turn % 2 * (2 * STAGE);
      vise_stage<SIDE, 1, A_ALONG_K, 1, VISE_TF32_PAD>(&a, m0, turn * 32, 0, to);
      vise_stage<SIDE, 1, B_ALONG_K, 1, VISE_TF32_PAD>(&b, n0, turn * 32, 0, to + STAGE);
      ptx_cp_async_commit();
    }

    if (turn == 0) continue;
    const float *now = stages + (turn - 1) % 2 * (2 * STAGE);

#pragma unroll
    for (uint32_t k = 0; k < 32; k += 8) {
      uint32_t fa[N_M][4], fb[N_N][2];
#pragma unroll
      for (int i = 0; i < N_M; i++) vise_tf32_load_a<SIDE, A_ALONG_K>(now, m + i * 16, k, fa[i]);
#pragma unroll
      for (int j = 0; j < N_N; j += 2) vise_tf32_load_b<SIDE, B_ALONG_K>(now + STAGE, n + j * 8, k, fb[j]);

#pragma unroll
      for (int i = 0; i < N_M; i++) {
#pragma unroll
        for (int j = 0; j < N_N; j++) ptx_mma_tf32(sums[i][j], fa[i], fb[j]);
      }
    }
  }

  vise_mma_store<SIDE, N_M, N_N>(sums, c);
}

#endif

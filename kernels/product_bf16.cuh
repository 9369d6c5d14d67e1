/*
 * One tile of a matrix product by the matrix units (mma.sync m16n8k16), by a CTA of 8 warps: like vise_product_f32, but
 * from bf16 copies of the operands, with sums in float32.
 *
 * Memory: stages of 32 k, of which three are under way while one is multiplied. Operands that run along k in memory lie
 * as [m][4 chunks] of 8 k, the others as [k][SIDE/8 chunks] of 8 m; a chunk is 16 bytes, what a copy moves and a row of
 * ldmatrix reads. Chunks are swizzled, so that the 8 rows of a matrix, and the chunks that 8 threads copy, lie in
 * different banks. Fragments of the next 16 k are loaded while the present ones are multiplied.
 *
 * Numerics: the matrix unit sums in an order and rounding of its own: same bits only on the same kind of GPU.
 */
#ifndef VISE_K_PRODUCT_BF16_CUH
#define VISE_K_PRODUCT_BF16_CUH

#include "kernels/product_mma.cuh"

enum { VISE_BF16_STAGES = 4, VISE_BF16_CHUNK = 8 };
static_assert(VISE_BF16_STAGES * 2 * 32 * 128 * sizeof(uint16_t) <= VISE_K_STAGE_BYTES, "the stages do not fit");

/* Where chunk `chunk` of a row of a stage is: rows are m with chunks of k, or k with chunks of m. */
template <int SIDE, int ALONG_K>
static __device__ __forceinline__ uint32_t vise_bf16_at(uint32_t row, uint32_t chunk) {
  if (ALONG_K) return (row * 4 + (chunk ^ (row / 2 & 3))) * VISE_BF16_CHUNK;
  return (row * (SIDE / VISE_BF16_CHUNK) + (chunk ^ (row & 7))) * VISE_BF16_CHUNK;
}

/* What a thread copies of an operand: a chunk of every ROW_STEP-th row of each stage. */
template <int SIDE, int ALONG_K>
struct vise_bf16_source {
  enum {
    IN_ROW = ALONG_K ? 4 : SIDE / VISE_BF16_CHUNK,
    ROW_STEP = VISE_K_STEP_THREADS / IN_ROW,
    N_ROWS = (ALONG_K ? SIDE : 32) / ROW_STEP
  };
  const uint16_t *from; /* the first, of the first stage */
  uint32_t ld, rows_left, columns_left, to;
};

template <int SIDE, int ALONG_K>
static __device__ __forceinline__ vise_bf16_source<SIDE, ALONG_K> vise_bf16_open(const vise_operand *o, uint32_t m0) {
  vise_bf16_source<SIDE, ALONG_K> s;
  const uint32_t chunk = threadIdx.x % s.IN_ROW, row = threadIdx.x / s.IN_ROW;
  const uint32_t first_row = ALONG_K ? m0 + row : row, first_column = (ALONG_K ? 0 : m0) + chunk * VISE_BF16_CHUNK;

  s.from = o->base16 + (size_t)first_row * o->ld + first_column;
  s.ld = o->ld;
  s.rows_left = first_row < o->n_rows ? o->n_rows - first_row : 0;
  s.columns_left = first_column < o->n_columns ? o->n_columns - first_column : 0;
  s.to = vise_bf16_at<SIDE, ALONG_K>(row, chunk);

  return s;
}

/* Starts the copies of the 32 k from k0 on; what lies outside the operand becomes 0. */
template <int SIDE, int ALONG_K>
static __device__ __forceinline__ void vise_bf16_copy(const vise_bf16_source<SIDE, ALONG_K> *s, uint32_t k0,
                                                      uint16_t *to) {
  const uint32_t passed_rows = ALONG_K ? 0 : k0, passed_columns = ALONG_K ? k0 : 0;
  const uint32_t rows = s->rows_left > passed_rows ? s->rows_left - passed_rows : 0;
  const uint32_t columns = s->columns_left > passed_columns ? s->columns_left - passed_columns : 0;
  const uint32_t n_bytes = columns < VISE_BF16_CHUNK ? 2 * columns : 16;
  const uint16_t *from = s->from + (size_t)passed_rows * s->ld + passed_columns;

#pragma unroll
  for (uint32_t i = 0; i < s->N_ROWS; i++) {
    /* the swizzle repeats within ROW_STEP rows */
    ptx_cp_async_16(to + s->to + i * s->ROW_STEP * s->IN_ROW * VISE_BF16_CHUNK,
                    from + (size_t)(i * s->ROW_STEP) * s->ld, i * s->ROW_STEP < rows ? n_bytes : 0);
  }
}

/* Four matrices of 8 x 8 by ldmatrix; the one of which this lane supplies a row begins at (m, k) in the stage. */
template <int SIDE, int ALONG_K>
static __device__ __forceinline__ void vise_bf16_load_four(const uint16_t *stage, uint32_t m, uint32_t k,
                                                           uint32_t f[4]) {
  const uint32_t row = threadIdx.x % 8;
  if (ALONG_K) {
    ptx_ldmatrix_x4(f, stage + vise_bf16_at<SIDE, 1>(m + row, k / VISE_BF16_CHUNK));
  } else {
    ptx_ldmatrix_x4_transposed(f, stage + vise_bf16_at<SIDE, 0>(k + row, m / VISE_BF16_CHUNK));
  }
}

/* What a warp multiplies at a time. */
template <int N_M, int N_N>
struct vise_bf16_fragments {
  uint32_t a[N_M][4], b[N_N][2];
};

/* The fragments of a, 16 x 16 each, and of b, two of 16 x 8 at a time; their order is that of ptx.cuh. */
template <int SIDE, int A_ALONG_K, int B_ALONG_K, int N_M, int N_N>
static __device__ __forceinline__ void vise_bf16_load(const uint16_t *stage, uint32_t m, uint32_t n, uint32_t k,
                                                      vise_bf16_fragments<N_M, N_N> *f) {
  const uint32_t second = threadIdx.x / 8 % 2 * 8, fourth = threadIdx.x / 16 % 2 * 8;
#pragma unroll
  for (int i = 0; i < N_M; i++) {
    vise_bf16_load_four<SIDE, A_ALONG_K>(stage, m + i * 16 + second, k + fourth, f->a[i]);
  }
#pragma unroll
  for (int j = 0; j < N_N; j += 2) {
    vise_bf16_load_four<SIDE, B_ALONG_K>(stage + 32 * SIDE, n + j * 8 + fourth, k + second, f->b[j]);
  }
}

template <int N_M, int N_N>
static __device__ __forceinline__ void vise_bf16_multiply(float sums[N_M][N_N][4],
                                                          const vise_bf16_fragments<N_M, N_N> *f) {
#pragma unroll
  for (int i = 0; i < N_M; i++) {
#pragma unroll
    for (int j = 0; j < N_N; j++) ptx_mma_bf16(sums[i][j], f->a[i], f->b[j]);
  }
}

/* The current product (vise_step): c[SIDE][SIDE] may overlap the stages. Begins and ends with all threads together. */
template <int SIDE, int A_ALONG_K, int B_ALONG_K>
VISE_FN_CALLED void vise_product_bf16(void) {
  enum { STAGE = 2 * 32 * SIDE, N_M = SIDE / 32, N_N = SIDE / 32 };
  const vise_step *const step = vise_step_here();
  uint16_t *const stages = (uint16_t *)vise_step_stage();
  float *const c = vise_step_floats() + step->c;

  const vise_bf16_source<SIDE, A_ALONG_K> a = vise_bf16_open<SIDE, A_ALONG_K>(&step->a, step->m0);
  const vise_bf16_source<SIDE, B_ALONG_K> b = vise_bf16_open<SIDE, B_ALONG_K>(&step->b, step->n0);
  const uint32_t n_stages = vise_ceil_div(step->n_k, 32);
  const uint32_t m = vise_mma_row<SIDE>(), n = vise_mma_column<SIDE>();

  vise_bf16_fragments<N_M, N_N> first, second; /* of the two halves of a stage */
  float sums[N_M][N_N][4];
  vise_mma_clear<N_M, N_N>(sums);

  /* One group of copies for each stage, empty past the last. */
#pragma unroll 1
  for (uint32_t i = 0; i < VISE_BF16_STAGES; i++) {
    if (i < n_stages) {
      vise_bf16_copy(&a, i * 32, stages + i * STAGE);
      vise_bf16_copy(&b, i * 32, stages + i * STAGE + 32 * SIDE);
    }
    ptx_cp_async_commit();
  }

  ptx_cp_async_wait(VISE_BF16_STAGES - 1);
  __syncthreads();
  vise_bf16_load<SIDE, A_ALONG_K, B_ALONG_K>(stages, m, n, 0, &first);

#pragma unroll 1
  for (uint32_t i = 0; i < n_stages; i++) {
    uint16_t *const here = stages + i % VISE_BF16_STAGES * STAGE;
    vise_bf16_load<SIDE, A_ALONG_K, B_ALONG_K>(here, m, n, 16, &second);
    vise_bf16_multiply<N_M, N_N>(sums, &first);

    if (i + 1 < n_stages) {
      const uint32_t next = i + VISE_BF16_STAGES;
      ptx_cp_async_wait(VISE_BF16_STAGES - 2);
      __syncthreads(); /* the next stage is there, and all warps have read this one */

      if (next < n_stages) {
        vise_bf16_copy(&a, next * 32, here);
        vise_bf16_copy(&b, next * 32, here + 32 * SIDE);
      }
      ptx_cp_async_commit();

      vise_bf16_load<SIDE, A_ALONG_K, B_ALONG_K>(stages + (i + 1) % VISE_BF16_STAGES * STAGE, m, n, 0, &first);
    }

    vise_bf16_multiply<N_M, N_N>(sums, &second);
  }

  ptx_cp_async_wait(0);
  vise_mma_store<SIDE, N_M, N_N>(sums, c);
}

#endif

/*
 * Operands of matrix products on their way to shared memory, by quads of four neighbouring floats.
 *
 * A stage holds, of `side` rows or columns m of the product and of `groups` thread groups, 32 values of k each. Whether
 * memory runs along k or along m decides the layout, so that quads stay quads:
 *   along k   [group][m][8 quads]; quad q of a row lies at q ^ row / SWIZZLE % 8, rows counted through all groups, so
 *             that threads reading the same quad of different rows meet different banks.
 *   along m   [group][32 k][side + pad].
 * What lies outside the operand is 0.
 */
#ifndef VISE_K_STAGE_CUH
#define VISE_K_STAGE_CUH

#include "kernels/step_context.cuh"

/* Part of one of the step's arrays, whose copy in bf16 is array16: elements from `at` on. */
VISE_FN vise_operand vise_operand_of(const float *array, const uint16_t *array16, size_t at, uint32_t ld,
                                     uint32_t n_rows, uint32_t n_columns) {
  vise_operand o;
  o.base = array + at;
#if VISE_STEP_MMA == VISE_MMA_BF16
  o.base16 = array16 + at;
#else
  (void)array16;
#endif

  o.ld = ld;
  o.n_rows = n_rows;
  o.n_columns = n_columns;
  return o;
}

/* n rows from row `begin` on. */
VISE_FN void vise_operand_take_rows(vise_operand *o, uint32_t begin, uint32_t n) {
  o->base += (size_t)begin * o->ld;
#if VISE_STEP_MMA == VISE_MMA_BF16
  o->base16 += (size_t)begin * o->ld;
#endif
  o->n_rows = n;
}

/* Elements (row, column .. column + 4), column a multiple of 4, to shared memory, complete after a wait for copies. */
VISE_FN void vise_stage_quad(const vise_operand *o, uint32_t row, uint32_t column, float *to) {
  const int inside = row < o->n_rows && column < o->n_columns;
  const uint32_t left = inside ? o->n_columns - column : 0;
  ptx_cp_async_16(to, inside ? o->base + (size_t)row * o->ld + column : o->base, left < 4 ? 4 * left : 16);
}

/* N quads of column `column`, of rows row, row + row_step, ..., to to[(at ^ 4 (i M_STEP / SWIZZLE % 8)) + i TO_STEP]. */
template <int N, int TO_STEP, int M_STEP, int SWIZZLE>
static __device__ __forceinline__ void vise_stage_quads(const vise_operand *o, uint32_t row, uint32_t row_step,
                                                        uint32_t column, uint32_t at, float *to) {
  const uint32_t left = column < o->n_columns ? o->n_columns - column : 0, n_bytes = left < 4 ? 4 * left : 16;
  const float *from = o->base + (size_t)row * o->ld + column; /* nothing is read where it lies outside */
  const size_t from_step = (size_t)row_step * o->ld;
#pragma unroll
  for (int i = 0; i < N; i++) {
    ptx_cp_async_16(to + (at ^ (i * M_STEP / SWIZZLE % 8 * 4)) + i * TO_STEP, from, row < o->n_rows ? n_bytes : 0);
    from += from_step;
    row += row_step;
  }
}

/* Stages m0 .. m0 + SIDE and, for each of GROUPS groups g, k from k0 + g * k_step on. SWIZZLE: neighbouring rows that
   share a swizzle. A thread copies quads of one column. */
template <int SIDE, int GROUPS, int ALONG_K, int SWIZZLE, int PAD>
static __device__ __forceinline__ void vise_stage(const vise_operand *o, uint32_t m0, uint32_t k0, uint32_t k_step,
                                                  float *to) {
  enum {
    N = SIDE * GROUPS * 8 / VISE_K_STEP_THREADS,
    M_STEP = VISE_K_STEP_THREADS / (8 * GROUPS), /* rows of an operand along k that are staged at a time */
    K_STEP = VISE_K_STEP_THREADS / (SIDE / 4)    /* and of one along m */
  };

  static_assert(N * VISE_K_STEP_THREADS == SIDE * GROUPS * 8 && (K_STEP < 32 ? GROUPS == 1 : K_STEP % 32 == 0),
                "the threads copy whole rows");

  const uint32_t i = threadIdx.x;
  if constexpr (ALONG_K) {
    static_assert(M_STEP == 1 || M_STEP % SWIZZLE == 0,
                  "the swizzle of a thread's next row differs in bits that are 0 in its first");
    const uint32_t quad = i % 8, group = i / 8 % GROUPS, m = i / (8 * GROUPS), at = group * SIDE + m;
    vise_stage_quads<N, M_STEP * 32, M_STEP, SWIZZLE>(o, m0 + m, M_STEP, k0 + group * k_step + quad * 4,
                                                      at * 32 + ((quad ^ (at / SWIZZLE & 7)) * 4), to);
  } else {
    const uint32_t quad = i % (SIDE / 4), k = i / (SIDE / 4);
    vise_stage_quads<N, K_STEP *(SIDE + PAD), 0, 1>(o, k0 + k / 32 * k_step + k % 32,
                                                    K_STEP < 32 ? (uint32_t)K_STEP : K_STEP / 32 * k_step,
                                                    m0 + quad * 4, k * (SIDE + PAD) + quad * 4, to);
  }
}

#endif

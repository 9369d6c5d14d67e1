/*
 * One tile of a matrix product in float32, by a CTA: c[m][n] = sum over k of a(m, k) b(n, k), in the canonical order
 * (kernels/canonical.h), for operands that lie along k or along m and n. So one loop serves
 *   forward    a = inputs (along k), b = weights (along k)
 *   delta      a = deltas above (along k), b = weights (along n)
 *   gradient   a = deltas (along m), b = inputs (along n), k = rows of the batch.
 *
 * Work        of a tile of SM x SN (or SIDE x SIDE) a thread computes TM x TN elements; SM / TM * SN / TN threads are a
 *             group. Small tiles leave room for
 *             several groups, which take the slices of k in turn; their sums meet in shared memory and are added in
 *             the order of slices.
 * Memory      operands pass through shared memory in stages of 32 k for each group, double-buffered: the copies of the
 *             next stage are on their way while this one is multiplied. One barrier a stage. Inputs that are near
 *             (near_inputs.cuh) lie as stages do, in slices of 32 k, and are read in place.
 * Numerics    bits depend on a, b and the length of k alone, not on the tile.
 */
#ifndef VISE_K_PRODUCT_F32_CUH
#define VISE_K_PRODUCT_F32_CUH

#include "kernels/stage.cuh"

/* Which of the tile's rows (or columns) is the i-th of a thread with coordinate t. Eight come as two quads half a tile
   apart, so that the threads of a warp read neighbouring quads. */
template <int SIDE, int T>
static __device__ __forceinline__ uint32_t vise_tile_index(uint32_t t, uint32_t i) {
  return T == 8 ? i / 4 * (SIDE / 2) + t * 4 + i % 4 : t * T + i;
}

/* Quad `quad` of the thread's first row, of an operand along k; that of its i-th row is at a constant distance, because
   the rows of a thread share a swizzle. */
template <int SIDE, int T>
static __device__ __forceinline__ const float *vise_quads_along_k(const float *stage, uint32_t group, uint32_t t,
                                                                  uint32_t quad) {
  static_assert(T <= 4 || SIDE % 64 == 0, "the rows of a thread share a swizzle");
  const uint32_t swizzle = (group * (SIDE / (T < 4 ? T : 4)) + t) & 7;
  return stage + (((group * SIDE + vise_tile_index<SIDE, T>(t, 0)) * 32 + swizzle * 4) ^ (quad * 4));
}

template <int SIDE, int T>
static __device__ __forceinline__ float4 vise_quad_of_row(const float *quads, uint32_t i) {
  return *(const float4 *)(quads + vise_tile_index<SIDE, T>(0, i) * 32);
}

/* The thread's T values at one k of an operand along m; row: where that k begins. */
template <int SIDE, int T>
static __device__ __forceinline__ void vise_row_along_m(const float *row, uint32_t t, float f[T]) {
  if constexpr (T == 2) {
    const float2 v = *(const float2 *)(row + t * 2);
    f[0] = v.x;
    f[1] = v.y;
  } else {
#pragma unroll
    for (int i = 0; i < T; i += 4) {
      const float4 v = *(const float4 *)(row + vise_tile_index<SIDE, T>(t, i));

      f[i] = v.x;
      f[i + 1] = v.y;
      f[i + 2] = v.z;
      f[i + 3] = v.w;
    }
  }
}

/* Four k of the thread's T rows or columns: f[step][i]. */
template <int SIDE, int T, int ALONG_K>
static __device__ __forceinline__ void vise_load_quad(const float *stage, uint32_t group, uint32_t t, uint32_t quad,
                                                      float f[4][T]) {
  if constexpr (ALONG_K) {
    const float *quads = vise_quads_along_k<SIDE, T>(stage, group, t, quad);
#pragma unroll
    for (int i = 0; i < T; i++) {
      const float4 v = vise_quad_of_row<SIDE, T>(quads, i);

      f[0][i] = v.x;
      f[1][i] = v.y;
      f[2][i] = v.z;
      f[3][i] = v.w;
    }
  } else {
#pragma unroll
    for (int k = 0; k < 4; k++) vise_row_along_m<SIDE, T>(stage + (group * 32 + quad * 4 + k) * SIDE, t, f[k]);
  }
}

/* Which elements of the tile a thread computes: those of its group at (ty, tx). */
typedef struct vise_share {
  uint32_t group, ty, tx;
} vise_share;

/* Neighbouring lanes have the same tx, and lanes that differ by 2 the same ty, so that a wide read of either operand
   finds the same address in half of the lanes. */
template <int ACROSS, int GROUP_THREADS>
static __device__ __forceinline__ vise_share vise_share_of_thread(void) {
  const uint32_t in_group = threadIdx.x % GROUP_THREADS;
  return {threadIdx.x / GROUP_THREADS, in_group / (2 * ACROSS) * 2 + in_group % 2, in_group / 2 % ACROSS};
}

/* sums += four k of a stage, in the order of k. The operand along k that comes last is read row by row, so that fewer
   registers are needed at a time. */
template <int SM, int SN, int TM, int TN, int A_ALONG_K, int B_ALONG_K>
static __device__ __forceinline__ void vise_multiply_quad(const float *a, const float *b, vise_share share,
                                                          uint32_t quad, float sums[TM][TN]) {
  const uint32_t group = share.group, ty = share.ty, tx = share.tx;
  float fa[4][TM];
  vise_load_quad<SM, TM, A_ALONG_K>(a, group, ty, quad, fa);

  if constexpr (B_ALONG_K) {
    const float *quads = vise_quads_along_k<SN, TN>(b, group, tx, quad);

#pragma unroll
    for (int j = 0; j < TN; j++) {
      const float4 v = vise_quad_of_row<SN, TN>(quads, j);
      const float fb[4] = {v.x, v.y, v.z, v.w};

#pragma unroll
      for (int step = 0; step < 4; step++) {
#pragma unroll
        for (int i = 0; i < TM; i++) sums[i][j] = fmaf(fa[step][i], fb[step], sums[i][j]);
      }
    }
  } else {
#pragma unroll
    for (int step = 0; step < 4; step++) {
      float fb[TN];
      vise_row_along_m<SN, TN>(b + (group * 32 + quad * 4 + step) * SN, tx, fb);

#pragma unroll
      for (int i = 0; i < TM; i++) {
#pragma unroll
        for (int j = 0; j < TN; j++) sums[i][j] = fmaf(fa[step][i], fb[j], sums[i][j]);
      }
    }
  }
}

/* sums += all of a stage of a and b. */
template <int SM, int SN, int TM, int TN, int A_ALONG_K, int B_ALONG_K>
static __device__ __forceinline__ void vise_multiply_stage(const float *a, const float *b, vise_share share,
                                                           float sums[TM][TN]) {
  enum {
    UNROLL = TM * TN < 8    ? 4
             : TM * TN == 8 ? 2
                            : 1
  }; /* so few products alone hide neither loads nor address arithmetic */
#pragma unroll(UNROLL)
  for (uint32_t quad = 0; quad < 8; quad++) {
    vise_multiply_quad<SM, SN, TM, TN, A_ALONG_K, B_ALONG_K>(a, b, share, quad, sums);
  }
}

/* Floats between the sums of two groups, so that the groups of a warp write to different banks. */
template <int SM, int SN>
static __device__ __forceinline__ constexpr uint32_t vise_split_step(void) {
  return SM * SN + (SM < 32 ? SN : 0);
}

/* Adds the first n_sums of the groups' sums to the totals of thread t, those of N_TOTALS neighbouring elements of the tile
   from t * N_TOTALS on, in the order of groups. Later groups have sums of 0, which change nothing. */
template <int SM, int SN, int GROUPS, int N_TOTALS>
static __device__ __forceinline__ void vise_add_slices(const float *split, uint32_t n_sums, float totals[N_TOTALS]) {
  enum { N = GROUPS < 8 ? GROUPS : 8 };
  const uint32_t at = threadIdx.x * N_TOTALS;
  if (at >= SM * SN) return;

#pragma unroll 1
  for (uint32_t first = 0; first < GROUPS && first < n_sums; first += N) {
    float sums[N][N_TOTALS];

#pragma unroll
    for (int g = 0; g < N; g++) {
      const float *from = split + (first + g) * vise_split_step<SM, SN>() + at;
      if constexpr (N_TOTALS == 4) {
        vise_row_along_m<SN, 4>(from, 0, sums[g]);
      } else {
        static_assert(N_TOTALS == 1, "an element or a quad to a thread");
        sums[g][0] = *from;
      }
    }

#pragma unroll
    for (int g = 0; g < N; g++) {
#pragma unroll
      for (int i = 0; i < N_TOTALS; i++) totals[i] += sums[g][i];
    }
  }
}

/* When slices end, their sums join the totals in the order of slices. With one group each thread keeps the totals of
   its own elements; with several, thread t keeps those from element t * N_TOTALS on, over n_sums slices. */
template <int SM, int SN, int TM, int TN, int GROUPS, int N_TOTALS>
static __device__ __forceinline__ void vise_end_slices(float sums[TM][TN], vise_share share, uint32_t n_sums,
                                                       float totals[N_TOTALS]) {
  const uint32_t ty = share.ty, tx = share.tx;
  float *split = vise_step_split();

#pragma unroll
  for (int i = 0; i < TM; i++) {
    if constexpr (GROUPS > 1) {
      float *to = split + share.group * vise_split_step<SM, SN>() + vise_tile_index<SM, TM>(ty, i) * SN + tx * TN;
      if constexpr (TN == 2) {
        *(float2 *)to = make_float2(sums[i][0], sums[i][1]);
      } else {
        static_assert(TN == 4, "a quad to a row");
        *(float4 *)to = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
      }
    }

#pragma unroll
    for (int j = 0; j < TN; j++) {
      if constexpr (GROUPS == 1) totals[(i * TN + j) % N_TOTALS] += sums[i][j];
      sums[i][j] = 0.0f;
    }
  }

  if constexpr (GROUPS > 1) {
    __syncthreads();
    vise_add_slices<SM, SN, GROUPS, N_TOTALS>(split, n_sums, totals);
  }
}

template <int SM, int SN, int TM, int TN, int GROUPS, int N_TOTALS>
static __device__ __forceinline__ void vise_store_totals(const float totals[N_TOTALS], vise_share share, float *c) {
  const uint32_t ty = share.ty, tx = share.tx;
  if constexpr (GROUPS == 1) {
#pragma unroll
    for (int i = 0; i < TM; i++) {
#pragma unroll
      for (int j = 0; j < TN; j++) {
        c[vise_tile_index<SM, TM>(ty, i) * SN + vise_tile_index<SN, TN>(tx, j)] =
            totals[(i * TN + j) % N_TOTALS] + 0.0f;
      }
    }
  } else {
    const uint32_t at = threadIdx.x * N_TOTALS;
    if (at >= SM * SN) return;
    if constexpr (N_TOTALS == 4) {
      *(float4 *)(c + at) = make_float4(totals[0] + 0.0f, totals[1] + 0.0f, totals[2] + 0.0f, totals[3] + 0.0f);
    } else {
      c[at] = totals[0] + 0.0f;
    }
  }
}

/* Where a product stands in its slices and in their chunks of 32 k. */
typedef struct vise_stage_place {
  uint32_t slice, chunk;
} vise_stage_place;

/* Moves on by a stage: a chunk of `groups` slices at a time. True when these end. */
VISE_FN int vise_stage_next(vise_stage_place *at, uint32_t n_chunks, uint32_t groups) {
  at->chunk++;
  if (at->chunk < n_chunks) return 0;
  at->chunk = 0;
  at->slice += groups;
  return 1;
}

/* The current product (vise_step): c[SIDE][SIDE] may overlap the stages. Begins and ends with all threads together, but
   that in tiles of 8 thread t may read only element t. */
template <int SIDE, int TM, int TN, int A_ALONG_K, int B_ALONG_K>
VISE_FN_CALLED void vise_product_f32(void) {
  enum {
    ACROSS = SIDE / TN,
    GROUP_THREADS = SIDE / TM * ACROSS,
    GROUPS = VISE_K_STEP_THREADS / GROUP_THREADS,
    STAGE = SIDE * GROUPS * 32,
    NEAR = VISE_STEP_NEAR_INPUTS && A_ALONG_K == B_ALONG_K, /* there are products of inputs that are near */
    N_TOTALS = GROUPS == 1 ? TM * TN : (SIDE * SIDE + VISE_K_STEP_THREADS - 1) / VISE_K_STEP_THREADS
  };

  const vise_step *const step = vise_step_here();
  float *const stages = vise_step_stage(), *const near = vise_step_floats() + step->near;
  const int a_is_near = NEAR && A_ALONG_K && step->near, b_is_near = NEAR && !A_ALONG_K && step->near;
  const vise_share share = vise_share_of_thread<ACROSS, GROUP_THREADS>();

  const vise_operand a = step->a, b = step->b;
  const uint32_t n_k = step->n_k, m0 = step->m0, n0 = step->n0;
  const uint32_t length = step->length, n_slices = (n_k + length - 1) >> vise_tree_depth(length); /* a power of 2 */
  const uint32_t n_chunks = vise_ceil_div(n_k < length ? n_k : length, 32);
  const uint32_t n_stages = vise_ceil_div(n_slices, GROUPS) * n_chunks;
  float sums[TM][TN] = {}, totals[N_TOTALS] = {};

  /* Turn i starts the copies of stage i and multiplies stage i - 1. The first two stages have free buffers: their
     copies are both started before the first is waited for. */
  vise_stage_place now = {0, 0}, next = {0, 0};
#pragma unroll 1
  for (uint32_t turn = 0; turn <= n_stages; turn++) {
    if (turn > 1) {
      ptx_cp_async_wait(0);
      __syncthreads();
    }

    if (turn < n_stages) {
      float *to = stages + turn % 2 * (2 * STAGE);
      const uint32_t k0 = next.slice * length + next.chunk * 32;
      if (!a_is_near) vise_stage<SIDE, GROUPS, A_ALONG_K, (TM < 4 ? TM : 4), 0>(&a, m0, k0, length, to);
      if (!b_is_near) vise_stage<SIDE, GROUPS, B_ALONG_K, (TN < 4 ? TN : 4), 0>(&b, n0, k0, length, to + STAGE);
      vise_stage_next(&next, n_chunks, GROUPS);
    }

    ptx_cp_async_commit(); /* with only one stage, the group of turn 1 is empty */
    if (turn == 0) continue;
    if (turn == 1) {
      ptx_cp_async_wait(1);
      __syncthreads();
    }

    const float *from = stages + (turn - 1) % 2 * (2 * STAGE), *from_near = near + now.slice * (32 * SIDE);
    if ((now.slice + share.group) * length + now.chunk * 32 < n_k) {
      vise_multiply_stage<SIDE, SIDE, TM, TN, A_ALONG_K, B_ALONG_K>(a_is_near ? from_near : from,
                                                                    b_is_near ? from_near : from + STAGE, share, sums);
    }

    const uint32_t left = n_slices - now.slice, n_sums = left < GROUPS ? left : (uint32_t)GROUPS;
    if (vise_stage_next(&now, n_chunks, GROUPS))
      vise_end_slices<SIDE, SIDE, TM, TN, GROUPS, N_TOTALS>(sums, share, n_sums, totals);
  }

  if constexpr (GROUPS == 1) __syncthreads(); /* others may still read the stages; several groups have met since */
  vise_store_totals<SIDE, SIDE, TM, TN, GROUPS, N_TOTALS>(totals, share, vise_step_floats() + step->c);
  if constexpr (N_TOTALS > 1) __syncthreads();
}

/* c[16][4] of a product forward of inputs that are near, for units unit .. unit + 4: up to 32 slices of 32 k, each for a
   group of 8 threads. All weights come in one stage, each group's by its own warp, so that only the sums of slices need
   a barrier. Begins with all threads together; thread t may read element t of c, which may be the stage. */
VISE_FN void vise_product_flat_f32(const vise_operand *weights, uint32_t unit, uint32_t near, float *c) {
  enum { ROWS = 16, UNITS = 4, TM = 4, TN = 2, GROUP_THREADS = 8, GROUPS = VISE_K_STEP_THREADS / GROUP_THREADS };
  const uint32_t n_slices = vise_ceil_div(weights->n_columns, 32);
  const vise_share share = vise_share_of_thread<UNITS / TN, GROUP_THREADS>();
  float sums[TM][TN] = {}, totals[1] = {};

  vise_stage<UNITS, GROUPS, 1, TN, 0>(weights, unit, 0, 32, vise_step_stage());
  ptx_cp_async_commit();
  ptx_cp_async_wait(0);
  __syncwarp();

  if (share.group < n_slices) {
    vise_multiply_stage<ROWS, UNITS, TM, TN, 1, 1>(vise_step_floats() + near, vise_step_stage(), share, sums);
  }
  vise_end_slices<ROWS, UNITS, TM, TN, GROUPS, 1>(sums, share, n_slices, totals);
  vise_store_totals<ROWS, UNITS, TM, TN, GROUPS, 1>(totals, share, c);
}

#endif

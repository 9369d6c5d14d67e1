/*
 * What VISE_K_ROWS (rows.cuh) multiplies, and how: the last layer's outputs, W a + b, and the gradient at its inputs,
 * W^T delta, for a block of rows.
 *
 * Inputs of the rows, partial sums and deltas are in shared memory, as is the weight where there is room; else it is read
 * through the caches. Slices of the inputs, and rows and slices of the weight, are read at the same quad by neighbouring
 * threads, which must meet different banks: column c of the inputs, in slice s, is at c ^ vise_rows_swizzle(s); slices of
 * the weight are 4 floats further apart than they are long.
 */
#ifndef VISE_K_ROWS_PRODUCTS_CUH
#define VISE_K_ROWS_PRODUCTS_CUH

#include "kernels/layers.cuh"

/* The weight is at the end of the stages if it fits, the rest at the start. */
enum { VISE_ROWS_WEIGHT_FLOATS = 3584, VISE_ROWS_WEIGHT_AT = VISE_PAYLOAD_AT - VISE_ROWS_WEIGHT_FLOATS };
static_assert(VISE_ROWS_WEIGHT_AT % 4 == 0, "the weight is copied by 16 bytes");
static_assert((int)VISE_STEP_WARPS == (int)VISE_K_ROW_BLOCK, "a row for each warp");
static_assert(VISE_ROWS_WEIGHT_AT >= VISE_STAGE_AT + VISE_STEP_WARPS * VISE_K_NARROW + 8192 + 2048,
              "beside a weight that fits, rows of inputs (host/plan/phases.c) and their sums");

VISE_FN float *vise_rows_near_weight(void) {
  return vise_step_floats() + VISE_ROWS_WEIGHT_AT;
}

/* [VISE_STEP_WARPS][VISE_K_NARROW], zeros past n_out: of the rows; of a single row of few outputs, a copy for each warp. */
VISE_FN float *vise_rows_deltas(void) {
  return vise_step_stage();
}

/* [row][ld], zeros past n_in. */
VISE_FN float *vise_rows_inputs(void) {
  return vise_rows_deltas() + VISE_STEP_WARPS * VISE_K_NARROW;
}

/* [row][output][ld_partial]: sums of slices. */
VISE_FN float *vise_rows_partial(const vise_k_step *p, const vise_rows *m) {
  return vise_rows_inputs() + p->row_block * m->ld;
}

VISE_FN uint32_t vise_rows_swizzle(uint32_t slice) {
  return slice % 8 * 4;
}

/* Where a column of the weight is in shared memory. */
VISE_FN uint32_t vise_rows_near_column(const vise_rows *m, uint32_t column) {
  return column + (column >> m->length_log) * 4;
}

/* What holds for the launch: all but m.in, which follows the step's rows. */
VISE_FN vise_rows vise_rows_of(const vise_step *step) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1], *below = last - 1;
  vise_rows m = {};

  m.far = vise_used_params(p) + last->weight;
  m.n_in = last->n_in;
  m.n_out = last->n_out;
  m.ld_far = last->ld;
  m.has_bias = vise_k_has_bias(last);

  m.ld = vise_ceil_div(last->n_in, 32) * 32;
  m.length_log = (uint32_t)vise_tree_depth(vise_slice_length(last->n_in));
  m.n_slices = (last->n_in + (1u << m.length_log) - 1) >> m.length_log;
  m.lanes_log = (uint32_t)vise_tree_depth(m.n_slices);
  m.ld_partial = vise_ceil_div(m.n_slices, 4) * 4;

  /* Slices of the next row continue the banks, where eight threads read more than one row. */
  const uint32_t ld_near = m.ld + 4 * (m.lanes_log < 3 ? 1u << m.lanes_log : m.n_slices);
  m.ld_near = m.n_out * ld_near <= VISE_ROWS_WEIGHT_FLOATS ? ld_near : 0;

  if (p->n_layers > 1) {
    m.n_units = below->n_out;
    m.plain = vise_is_plain_block(below);
    m.kind = (vise_activation)below->activation;
    m.ld_below = below->ld_out;
    m.delta_below = below->delta;
    m.pre_below = VISE_STEP_INTEGER ? vise_k_act(below) : vise_k_pre(below);
  }

  return m;
}

/* Starts to copy the weight to shared memory, a warp to a row, with zeros up to whole slices of 32. The last warp, which
   loads targets, takes none, and the first, which publishes, comes last. */
VISE_FN void vise_rows_copy_weight(const vise_rows *m) {
  enum { N = VISE_STEP_WARPS - 1 };
  const uint32_t warp = threadIdx.x / 32;
  if (m->ld_near == 0 || warp == N) return;

#pragma unroll 1
  for (uint32_t k = N - 1 - warp; k < m->n_out; k += N) {
    const float *from = m->far + (size_t)k * m->ld_far;
    float *to = vise_rows_near_weight() + k * m->ld_near;
#pragma unroll 1
    for (uint32_t column = threadIdx.x % 32 * 4; column < m->ld; column += 128) {
      const int inside = column < m->ld_far;
      ptx_cp_async_16(to + vise_rows_near_column(m, column), inside ? from + column : from, inside ? 16 : 0);
    }
  }

  ptx_cp_async_commit();
}

/* Starts to load the inputs of n rows, as many threads to each. */
VISE_FN void vise_rows_load(const vise_rows *m, uint32_t row0, uint32_t n) {
  static_assert(VISE_K_STEP_THREADS == 256, "2^8 threads are shared among the rows");
  const uint32_t threads_log = 8 - (uint32_t)vise_tree_depth(n), r = threadIdx.x >> threads_log;

  if (r < n) {
#pragma unroll 1
    for (uint32_t column = (threadIdx.x & ((1u << threads_log) - 1)) * 4; column < m->ld; column += 4u << threads_log) {
      const uint32_t swizzle = vise_rows_swizzle(column >> m->length_log);
      vise_stage_quad(&m->in, row0 + r, column, vise_rows_inputs() + r * m->ld + (column ^ swizzle));
    }
  }

  ptx_cp_async_commit();
}

VISE_FN float vise_rows_multiply_quad(float4 a, float4 w, float sum) {
  sum = fmaf(a.x, w.x, sum);
  sum = fmaf(a.y, w.y, sum);
  sum = fmaf(a.z, w.z, sum);
  return fmaf(a.w, w.w, sum);
}

/* The sum over columns begin .. end of a slice, begin a multiple of 32, end of 4: a swizzled, w as it is. */
VISE_FN float vise_rows_slice(const float *a, uint32_t swizzle, const float *w, uint32_t begin, uint32_t end) {
  float sum = 0.0f;
  uint32_t at = begin;

#pragma unroll 1
  for (; at + 32 <= end; at += 32) {
    float4 va[8], vw[8];
#pragma unroll
    for (uint32_t quad = 0; quad < 8; quad++) {
      va[quad] = *(const float4 *)(a + at + (quad * 4 ^ swizzle));
      vw[quad] = *(const float4 *)(w + at + quad * 4);
    }

#pragma unroll
    for (uint32_t quad = 0; quad < 8; quad++) sum = vise_rows_multiply_quad(va[quad], vw[quad], sum);
  }

#pragma unroll 1
  for (; at < end; at += 4) {
    sum = vise_rows_multiply_quad(*(const float4 *)(a + (at ^ swizzle)), *(const float4 *)(w + at), sum);
  }

  return sum;
}

/* Sums of slices of W a by threads of (row, output, slice), slices up to a power of two. The last warp but one takes the
   first, then the one before it, ...: the first warps, and the last, may have a row's loss to prepare. */
VISE_FN void vise_rows_slices(const vise_rows *m, float *partial, uint32_t n) {
  const uint32_t n_sums = n * m->n_out, columns = m->ld_near ? m->ld : vise_ceil_div(m->n_in, 4) * 4;
  const uint32_t turn = (VISE_STEP_WARPS - 2 - threadIdx.x / 32) % VISE_STEP_WARPS;

#pragma unroll 1
  for (uint32_t i = turn * 32 + threadIdx.x % 32; i < n_sums << m->lanes_log; i += VISE_K_STEP_THREADS) {
    const uint32_t at = i >> m->lanes_log, slice = i & ((1u << m->lanes_log) - 1);
    if (slice >= m->n_slices) continue;

    const uint32_t r = n == 1 ? 0 : at / m->n_out, k = at - r * m->n_out;
    const uint32_t begin = slice << m->length_log, next = begin + (1u << m->length_log);
    const uint32_t end = next < columns ? next : columns, swizzle = vise_rows_swizzle(slice);
    const float *a = vise_rows_inputs() + r * m->ld;

    float sum;
    if (m->ld_near) {
      sum = vise_rows_slice(a, swizzle, vise_rows_near_weight() + k * m->ld_near + slice * 4, begin, end);
    } else {
      sum = vise_rows_slice(a, swizzle, m->far + (size_t)k * m->ld_far, begin, end);
    }

    partial[at * m->ld_partial + slice] = sum;
  }
}

/* W a of an output, from its sums of slices: added in order; a missing one is 0 and changes nothing. */
VISE_FN float vise_rows_output(const vise_rows *m, const float *partial) {
  float z = 0.0f;
#pragma unroll 1
  for (uint32_t first = 0; first < m->n_slices; first += 4) {
    const float4 sums = *(const float4 *)(partial + first);
    z += sums.x;
    z += first + 1 < m->n_slices ? sums.y : 0.0f;
    z += first + 2 < m->n_slices ? sums.z : 0.0f;
    z += first + 3 < m->n_slices ? sums.w : 0.0f;
  }
  return z + 0.0f;
}

/* (W^T delta) of a unit, whose column of the weight begins at w, for N rows. Outputs past the last count as 0 and change
   nothing. */
template <int N>
static __device__ __forceinline__ void vise_rows_sum_unit(const float *deltas, const float *w, uint32_t ld,
                                                          uint32_t n_out, float totals[N]) {
  enum { BATCH = N == 1 ? 8 : 4 };
#pragma unroll
  for (int r = 0; r < N; r++) totals[r] = 0.0f;

#pragma unroll 1
  for (uint32_t begin = 0; begin < n_out; begin += 32) { /* slices: n_out is at most 1024 */
    float sums[N];
#pragma unroll
    for (int r = 0; r < N; r++) sums[r] = 0.0f;

#pragma unroll 1
    for (uint32_t first = begin; first < begin + 32 && first < n_out; first += BATCH, w += BATCH * ld) {
      float of_k[BATCH];
#pragma unroll
      for (uint32_t i = 0; i < BATCH; i++) of_k[i] = first + i < n_out ? w[i * ld] : 0.0f;

#pragma unroll
      for (int r = 0; r < N; r++) {
#pragma unroll
        for (uint32_t i = 0; i < BATCH; i += 4) {
          const float4 d = *(const float4 *)(deltas + r * VISE_K_NARROW + first + i);
          sums[r] = vise_rows_multiply_quad(d, make_float4(of_k[i], of_k[i + 1], of_k[i + 2], of_k[i + 3]), sums[r]);
        }
      }
    }

#pragma unroll
    for (int r = 0; r < N; r++) totals[r] += sums[r];
  }
}

/* dL/dz of the layer below from the rows' deltas, a thread to a unit and all rows. */
VISE_FN void vise_rows_delta_below(vise_step *step, const vise_rows *m, const float *deltas, uint32_t row0,
                                   uint32_t n) {
  const vise_k_step *p = &step->p;
  const float *near = vise_rows_near_weight();

#pragma unroll 1
  for (uint32_t unit = threadIdx.x; unit < m->n_units; unit += VISE_K_STEP_THREADS) {
    const uint32_t at = vise_rows_near_column(m, unit);
    const float *out = vise_rows_inputs() + (unit ^ vise_rows_swizzle(unit >> m->length_log));
    float totals[VISE_K_ROW_BLOCK] = {0};

    if (n > 1) {
      vise_rows_sum_unit<VISE_K_ROW_BLOCK>(deltas, m->ld_near ? near + at : m->far + unit,
                                           m->ld_near ? m->ld_near : m->ld_far, m->n_out, totals);
    } else if (m->ld_near) {
      vise_rows_sum_unit<1>(deltas, near + at, m->ld_near, m->n_out, totals);
    } else {
      vise_rows_sum_unit<1>(deltas, m->far + unit, m->ld_far, m->n_out, totals);
    }

#pragma unroll 1
    for (uint32_t r = 0; r < n; r++) {
      const float c = totals[0] + 0.0f, a = out[r * m->ld];
      if (m->plain) {
        const size_t to = (size_t)(row0 + r) * m->ld_below + unit;
        const int stored = VISE_STEP_INTEGER || vise_i_activation_needs_z(m->kind);
        const float u = stored ? p->activations[m->pre_below + to] : 0.0f;
        vise_put_activation(p, m->delta_below + to, c * vise_slope_f32(m->kind, VISE_STEP_INTEGER ? u : a, u));
      } else {
        vise_put_delta(step, p->n_layers - 2, row0 + r, unit, c, a);
      }
#pragma unroll
      for (int i = 1; i < VISE_K_ROW_BLOCK; i++) totals[i - 1] = totals[i];
    }
  }
}

#endif

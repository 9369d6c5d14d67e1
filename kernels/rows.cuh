/*
 * The phases that end the forward pass, by rows of the batch.
 *
 * VISE_K_ROWS   nets with up to VISE_K_NARROW outputs: a CTA takes row_block rows and does all that they still need:
 *               the last layer's outputs, loss, delta, and the delta of the layer below, so that the team need not meet
 *               in between. Inputs of the rows, partial sums, outputs and deltas are in shared memory, as is the last
 *               weight where there is room; else it is read through the caches.
 * VISE_K_LOSS   wider nets: the outputs are in memory; a warp takes a row.
 */
#ifndef VISE_K_ROWS_CUH
#define VISE_K_ROWS_CUH

#include "kernels/layers.cuh"
#include "kernels/row_loss.cuh"

/* Row r of the batch in the data set. */
VISE_FN size_t vise_data_row(const vise_k_step *p, const vise_k_step_record *record, uint32_t r) {
  const size_t at = (size_t)record->first + r;
  return p->order ? p->order[at] : at;
}

/* Loss and delta of a row by its warp: z and delta anywhere, delta also to `also` unless NULL. targets: vise_row's. */
VISE_FN_CALLED void vise_loss_of_known_row(uint32_t r, const float *z, float *delta, float *also,
                                           const float *targets) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t lane = threadIdx.x % 32, n_out = p->layers[p->n_layers - 1].n_out;

  if (p->rule.loss == VISE_LOSS_EXTERNAL) {
    const float *given = p->external_delta + (size_t)r * n_out;
#pragma unroll 1
    for (uint32_t k = lane; k < n_out; k += 32) delta[k] = given[k];
    if (lane == 0) p->row_losses[r] = 0.0;
  } else {
    vise_row row;
    const vise_k_step_record *record = &step->record;
    int right;

    row.z = z;
    row.delta = delta;
    row.n_out = n_out;
    row.data_row = targets && !p->row_weights ? 0 : vise_data_row(p, record, r); /* for targets and weight alone */
    row.targets = targets;
    row.leaves = (double *)vise_step_split() + threadIdx.x / 32 * VISE_MAX_OUTPUT_LEAVES;

    const double value = vise_row_loss(p, &row, &right);
    if (lane == 0) {
      p->row_losses[r] = value;
      if (!vise_is_finite_f64(value)) atomicOr(&step->loss_is_bad, 1u);
      if (right && vise_i_loss_classifies(p->rule.loss)) atomicAdd(&step->n_correct, 1u);
    }
  }

  if (also) {
#pragma unroll 1
    for (uint32_t k = lane; k < n_out; k += 32) also[k] = delta[k];
  }

#if VISE_STEP_MMA == VISE_MMA_BF16
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
#pragma unroll 1
  for (uint32_t k = lane; k < n_out; k += 32) {
    p->activations16[last->delta + (size_t)r * last->ld_out + k] = vise_bf16(delta[k]);
  }
#endif
}

VISE_FN void vise_loss_of_row(uint32_t r, const float *z, float *delta) {
  vise_loss_of_known_row(r, z, delta, NULL, NULL);
}

VISE_FN_CALLED void vise_loss_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_rows = step->record.n_rows, n_warps = p->n_members * VISE_STEP_WARPS;
#pragma unroll 1
  for (uint32_t r = vise_step_member() * VISE_STEP_WARPS + threadIdx.x / 32; r < n_rows; r += n_warps) {
    const size_t at = (size_t)r * last->ld_out;
    vise_loss_of_row(r, p->activations + last->out + at, p->activations + last->delta + at);
  }
}

/* What the rows phase keeps in the stages. In inputs and weight, quads are swizzled within each 32 floats, so that
   threads reading the same quad of different slices or outputs meet different banks: column c of slice s is at
   c ^ vise_rows_swizzle(s), for output k of the weight at c ^ vise_rows_swizzle(k * lanes + s). */
typedef struct vise_rows_shared {
  float *z;                                 /* [VISE_K_ROW_BLOCK][VISE_K_NARROW] */
  float *delta;                             /* the same, zeros past n_out */
  float *inputs;                            /* [rows][ld], zeros past n_in up to a quad */
  float *partial;                           /* [slice][row][n_out] */
  uint32_t ld;                              /* a multiple of 32 */
  uint32_t length_log, n_slices, lanes_log; /* of slices of n_in; lanes: n_slices up to a power of two */
  int near;                                 /* the weight, [n_out][ld], is in shared memory */
} vise_rows_shared;

/* Where the last weight is in shared memory, if it fits: at the end of the stages. */
enum { VISE_ROWS_WEIGHT_FLOATS = 3072, VISE_ROWS_WEIGHT_AT = VISE_PAYLOAD_AT - VISE_ROWS_WEIGHT_FLOATS };

VISE_FN float *vise_rows_near_weight(void) {
  return vise_step_floats() + VISE_ROWS_WEIGHT_AT;
}

VISE_FN uint32_t vise_rows_swizzle(uint32_t by) {
  return by % 8 * 4;
}

VISE_FN vise_rows_shared vise_rows_shared_of(const vise_k_step *p) {
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  vise_rows_shared m;

  m.ld = vise_ceil_div(last->n_in, 32) * 32;
  m.length_log = (uint32_t)vise_tree_depth(vise_slice_length(last->n_in));
  m.n_slices = (last->n_in + (1u << m.length_log) - 1) >> m.length_log;
  m.lanes_log = (uint32_t)vise_tree_depth(m.n_slices);
  m.near = last->n_out * m.ld <= VISE_ROWS_WEIGHT_FLOATS;

  m.z = vise_step_stage();
  m.delta = m.z + VISE_K_ROW_BLOCK * VISE_K_NARROW;
  m.inputs = m.delta + VISE_K_ROW_BLOCK * VISE_K_NARROW;
  m.partial = m.inputs + p->row_block * m.ld;

  return m;
}

/* Starts to copy the last weight to shared memory, a warp to a row. */
VISE_FN void vise_rows_copy_weight(const vise_k_step *p) {
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const vise_rows_shared m = vise_rows_shared_of(p);
  const float *from = p->params + last->weight;
  if (!m.near) return;

#pragma unroll 1
  for (uint32_t k = threadIdx.x / 32; k < last->n_out; k += VISE_STEP_WARPS) {
#pragma unroll 1
    for (uint32_t column = threadIdx.x % 32 * 4; column < last->ld; column += 128) {
      const uint32_t swizzle = vise_rows_swizzle((k << m.lanes_log) + (column >> m.length_log));
      ptx_cp_async_16(vise_rows_near_weight() + k * m.ld + (column ^ swizzle), from + (size_t)k * last->ld + column,
                      16);
    }
  }

  ptx_cp_async_commit();
}

/* Loads the targets of the first rows that this CTA takes, by its last warps. */
VISE_FN void vise_rows_load_targets(vise_step *step) {
  const vise_k_step *p = &step->p;
  const uint32_t r = VISE_STEP_WARPS - 1 - threadIdx.x / 32, row = vise_step_member() * p->row_block + r;
  const uint32_t n = p->labels ? 1 : p->layers[p->n_layers - 1].n_out;
  if (p->rule.loss == VISE_LOSS_EXTERNAL || r >= p->row_block || row >= step->record.n_rows) return;
#pragma unroll 1
  for (uint32_t k = threadIdx.x % 32; k < n; k += 32) {
    step->targets[r * VISE_K_NARROW + k] = vise_target_f32(vise_data_row(p, &step->record, row), k);
  }
}

/* Starts to load what the rows phase needs besides its inputs: the last weight, bias, targets. That phase waits for
   them. */
VISE_FN_CALLED void vise_rows_load_weights(void) {
  vise_step *const step = vise_step_here();
  vise_load_bias(step, step->p.n_layers - 1, 0, VISE_K_NARROW);
  vise_rows_copy_weight(&step->p);
  vise_rows_load_targets(step);
}

/* Loads the inputs of n rows, as many threads to each. */
VISE_FN void vise_rows_load(vise_step *step, const vise_rows_shared *m, uint32_t row0, uint32_t n) {
  static_assert(VISE_K_STEP_THREADS == 256, "2^8 threads are shared among the rows");
  const vise_operand in = vise_operand_inputs(step, step->p.n_layers - 1);
  const uint32_t threads_log = 8 - (uint32_t)vise_tree_depth(n), r = threadIdx.x >> threads_log;

  if (r < n) {
#pragma unroll 1
    for (uint32_t column = (threadIdx.x & ((1u << threads_log) - 1)) * 4; column < in.n_columns;
         column += 4u << threads_log) {
      const uint32_t swizzle = vise_rows_swizzle(column >> m->length_log);
      vise_stage_quad(&in, row0 + r, column, m->inputs + r * m->ld + (column ^ swizzle));
    }
  }

  ptx_cp_async_commit();
  ptx_cp_async_wait(0);
}

VISE_FN float vise_rows_multiply_quad(float4 a, float4 w, float sum) {
  sum = fmaf(a.x, w.x, sum);
  sum = fmaf(a.y, w.y, sum);
  sum = fmaf(a.z, w.z, sum);
  return fmaf(a.w, w.w, sum);
}

/* The sum over columns begin .. end of a slice, begin a multiple of 32, end of 4; swizzles of a and of w. */
VISE_FN float vise_rows_slice(const float *a, uint32_t swizzle_a, const float *w, uint32_t swizzle_w, uint32_t begin,
                              uint32_t end) {
  float sum = 0.0f;
  uint32_t at = begin;

#pragma unroll 1
  for (; at + 32 <= end; at += 32) {
    float4 va[8], vw[8];
#pragma unroll
    for (uint32_t quad = 0; quad < 8; quad++) {
      va[quad] = *(const float4 *)(a + at + (quad * 4 ^ swizzle_a));
      vw[quad] = *(const float4 *)(w + at + (quad * 4 ^ swizzle_w));
    }

#pragma unroll
    for (uint32_t quad = 0; quad < 8; quad++) sum = vise_rows_multiply_quad(va[quad], vw[quad], sum);
  }

#pragma unroll 1
  for (; at < end; at += 4) {
    sum =
        vise_rows_multiply_quad(*(const float4 *)(a + (at ^ swizzle_a)), *(const float4 *)(w + (at ^ swizzle_w)), sum);
  }

  return sum;
}

/* Sums of slices of W a by threads of (row, output, slice), slices up to a power of two. */
VISE_FN void vise_rows_slices(const vise_k_step *p, const vise_rows_shared *m, uint32_t n) {
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_out = last->n_out, n_sums = n * n_out, columns = vise_ceil_div(last->n_in, 4) * 4;

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n_sums << m->lanes_log; i += VISE_K_STEP_THREADS) {
    const uint32_t at = i >> m->lanes_log, slice = i & ((1u << m->lanes_log) - 1);
    if (slice >= m->n_slices) continue;

    const uint32_t r = n == 1 ? 0 : at / n_out, k = at - r * n_out;
    const uint32_t begin = slice << m->length_log, next = begin + (1u << m->length_log);
    const uint32_t end = next < columns ? next : columns, swizzle = vise_rows_swizzle(slice);
    const float *a = m->inputs + r * m->ld;

    float sum;
    if (m->near) {
      sum = vise_rows_slice(a, swizzle, vise_rows_near_weight() + k * m->ld,
                            vise_rows_swizzle((k << m->lanes_log) + slice), begin, end);
    } else {
      sum = vise_rows_slice(a, swizzle, p->params + last->weight + (size_t)k * last->ld, 0, begin, end);
    }

    m->partial[slice * n_sums + at] = sum;
  }
}

/* z = W a + b: slices, which are then added in order, eight at a time; a missing one is 0 and changes nothing. */
VISE_FN void vise_rows_outputs(vise_step *step, const vise_rows_shared *m, uint32_t n) {
  const vise_k_step *p = &step->p;
  const uint32_t n_out = p->layers[p->n_layers - 1].n_out, n_sums = n * n_out;

  vise_rows_slices(p, m, n);
  __syncthreads();

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n_sums; i += VISE_K_STEP_THREADS) {
    const uint32_t r = n == 1 ? 0 : i / n_out, k = i - r * n_out;
    float z = 0.0f;
#pragma unroll 1
    for (uint32_t first = 0; first < m->n_slices; first += 8) {
      float sums[8];
#pragma unroll
      for (uint32_t s = 0; s < 8; s++) sums[s] = first + s < m->n_slices ? m->partial[(first + s) * n_sums + i] : 0.0f;
#pragma unroll
      for (uint32_t s = 0; s < 8; s++) z += sums[s];
    }

    z += 0.0f;
    m->z[r * VISE_K_NARROW + k] = vise_k_has_bias(&p->layers[p->n_layers - 1]) ? z + ((const float *)step->bias)[k] : z;
  }
}

/* The weight of the last layer, [n_out][ld], in shared or device memory; swizzles: all of their bits, or 0 for none. */
typedef struct vise_rows_weight {
  const float *base;
  uint32_t ld, swizzles;
} vise_rows_weight;

/* (W^T delta) of a unit, for N rows of the block. Outputs past the last count as 0 and change nothing. */
template <int N>
static __device__ __forceinline__ void vise_rows_sum_unit(const vise_rows_shared *m, vise_rows_weight weight,
                                                          uint32_t n_out, uint32_t unit, float totals[N]) {
  enum { BATCH = N == 1 ? 8 : 4 };
  const uint32_t slice = unit >> m->length_log;

#pragma unroll
  for (int r = 0; r < N; r++) totals[r] = 0.0f;

#pragma unroll 1
  for (uint32_t begin = 0; begin < n_out; begin += 32) { /* slices: n_out is at most 1024 */
    float sums[N];
#pragma unroll
    for (int r = 0; r < N; r++) sums[r] = 0.0f;

#pragma unroll 1
    for (uint32_t first = begin; first < begin + 32 && first < n_out; first += BATCH) {
      float w[BATCH];
#pragma unroll
      for (uint32_t i = 0; i < BATCH; i++) {
        const uint32_t k = first + i < n_out ? first + i : first;
        const uint32_t swizzle = vise_rows_swizzle((k << m->lanes_log) + slice) & weight.swizzles;
        const float here = weight.base[(size_t)k * weight.ld + (unit ^ swizzle)];
        w[i] = first + i < n_out ? here : 0.0f;
      }

#pragma unroll
      for (int r = 0; r < N; r++) {
#pragma unroll
        for (uint32_t i = 0; i < BATCH; i += 4) {
          const float4 d = *(const float4 *)(m->delta + r * VISE_K_NARROW + first + i);
          const float4 v = make_float4(w[i], w[i + 1], w[i + 2], w[i + 3]);
          sums[r] = vise_rows_multiply_quad(d, v, sums[r]);
        }
      }
    }

#pragma unroll
    for (int r = 0; r < N; r++) totals[r] += sums[r];
  }
}

/* dL/dz of the hidden layer below, a thread to a unit and all rows of the block. */
VISE_FN void vise_rows_delta_below(vise_step *step, const vise_rows_shared *m, uint32_t row0, uint32_t n) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1], *below = last - 1;
  const vise_rows_weight near = {vise_rows_near_weight(), m->ld, vise_rows_swizzle(7)};
  const vise_rows_weight far = {p->params + last->weight, last->ld, 0};

#pragma unroll 1
  for (uint32_t unit = threadIdx.x; unit < below->n_out; unit += VISE_K_STEP_THREADS) {
    const uint32_t swizzle = vise_rows_swizzle(unit >> m->length_log);
    float totals[VISE_K_ROW_BLOCK] = {0};

    if (n > 1) {
      vise_rows_sum_unit<VISE_K_ROW_BLOCK>(m, m->near ? near : far, last->n_out, unit, totals);
    } else if (m->near) {
      vise_rows_sum_unit<1>(m, near, last->n_out, unit, totals);
    } else {
      vise_rows_sum_unit<1>(m, far, last->n_out, unit, totals);
    }

#pragma unroll 1
    for (uint32_t r = 0; r < n; r++) {
      vise_put_delta(step, p->n_layers - 2, row0 + r, unit, totals[0] + 0.0f, m->inputs[r * m->ld + (unit ^ swizzle)]);
#pragma unroll
      for (int i = 1; i < VISE_K_ROW_BLOCK; i++) totals[i - 1] = totals[i];
    }
  }
}

VISE_FN_CALLED void vise_rows_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_rows = step->record.n_rows, block = p->row_block, warp = threadIdx.x / 32;
  const uint32_t first = vise_step_member() * block;
  const vise_rows_shared m = vise_rows_shared_of(p);

  if (p->n_layers == 1) vise_rows_load_weights(); /* there is no exchange before this phase */
  ptx_cp_async_wait(0); /* also where there are no rows for this CTA: the stages are used again */

  /* Missing rows of a block have deltas too: 0. */
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < VISE_K_ROW_BLOCK * VISE_K_NARROW; i += VISE_K_STEP_THREADS) m.delta[i] = 0.0f;

#pragma unroll 1
  for (uint32_t row0 = first; row0 < n_rows; row0 += p->n_members * block) {
    const uint32_t n = n_rows - row0 < block ? n_rows - row0 : block;
    __syncthreads();
    vise_rows_load(step, &m, row0, n);
    __syncthreads();
    vise_rows_outputs(step, &m, n);
    __syncthreads();

    if (warp < n) {
      float *delta = p->activations + last->delta + (size_t)(row0 + warp) * last->ld_out;
      const float *targets = row0 == first ? step->targets + warp * VISE_K_NARROW : NULL;
      vise_loss_of_known_row(row0 + warp, m.z + warp * VISE_K_NARROW, m.delta + warp * VISE_K_NARROW, delta, targets);
    }

    __syncthreads();
    if (p->n_layers > 1) vise_rows_delta_below(step, &m, row0, n);
  }
}

#endif

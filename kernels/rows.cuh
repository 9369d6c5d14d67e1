/*
 * The phases that end the forward pass, by rows of the batch.
 *
 * VISE_K_ROWS   nets with up to VISE_K_NARROW outputs: a CTA takes row_block rows and does all that is left of them:
 * the last layer's outputs, loss, delta, and the delta of the layer below, so that the team need not meet in between.
 * Inputs of the rows, partial sums, outputs and deltas are in shared memory; the last weight, at most 64 rows, is read
 * through the caches. VISE_K_LOSS   wider nets: the outputs are in memory; a warp takes a row.
 */
#ifndef VISE_K_ROWS_CUH
#define VISE_K_ROWS_CUH

#include "kernels/layers.cuh"
#include "kernels/row_loss.cuh"

/* Loss and delta of a row by its warp: z and delta anywhere, delta also to `also` unless NULL. */
VISE_FN_CALLED void vise_loss_of_row(uint32_t r, const float *z, float *delta, float *also) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t lane = threadIdx.x % 32, n_out = p->layers[p->n_layers - 1].n_out;
  if (p->options.loss == VISE_K_EXTERNAL) {
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
    row.data_row = p->order ? p->order[record->first + r] : (size_t)record->first + r;
    row.leaves = (double *)vise_step_split() + threadIdx.x / 32 * VISE_MAX_OUTPUT_LEAVES;
    const double value = vise_row_loss(p, &row, record->denominator, &right);
    if (lane == 0) {
      p->row_losses[r] = value;
      if (!vise_is_finite_f64(value)) atomicOr(&step->loss_is_bad, 1u);
      if (right && p->options.classification) atomicAdd(&step->n_correct, 1u);
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

VISE_FN_CALLED void vise_loss_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_rows = step->record.n_rows, n_warps = p->n_members * VISE_STEP_WARPS;
#pragma unroll 1
  for (uint32_t r = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32; r < n_rows; r += n_warps) {
    const size_t at = (size_t)r * last->ld_out;
    vise_loss_of_row(r, p->activations + last->out + at, p->activations + last->delta + at, NULL);
  }
}

/* What the rows phase keeps in the stages. */
typedef struct vise_rows_shared {
  float *inputs;       /* [VISE_K_ROW_BLOCK][ld_in], zeros behind n_in */
  float *partial;      /* [row][slice][n_out] */
  float *z;            /* [VISE_K_ROW_BLOCK][VISE_K_NARROW] */
  float *delta;        /* the same */
  const float *weight; /* of the last layer, in either memory */
  uint32_t ld_in;
} vise_rows_shared;

/* Where the last weight is in shared memory, behind what the phase keeps in the stages, if it has room there. */
enum { VISE_ROWS_WEIGHT_FLOATS = 3072, VISE_ROWS_WEIGHT_AT = VISE_PAYLOAD_AT - VISE_ROWS_WEIGHT_FLOATS };

VISE_FN int vise_rows_weight_is_near(const vise_k_layer *last) {
  return last->n_out * last->ld <= VISE_ROWS_WEIGHT_FLOATS;
}

/* Starts to load the last weight; the rows phase waits for it. */
VISE_FN_CALLED void vise_rows_load_weights(void) {
  const vise_k_step *p = &vise_step_here()->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  if (!vise_rows_weight_is_near(last)) return;
#pragma unroll 1
  for (uint32_t i = threadIdx.x * 4; i < last->n_out * last->ld; i += VISE_K_STEP_THREADS * 4) {
    ptx_cp_async_16(vise_step_floats() + VISE_ROWS_WEIGHT_AT + i, p->params + last->weight + i, 16);
  }
  ptx_cp_async_commit();
}

VISE_FN void vise_rows_load(vise_step *step, const vise_rows_shared *m, uint32_t row0, uint32_t n) {
  const vise_operand in = vise_operand_inputs(step, step->p.n_layers - 1);
  const uint32_t n_quads = m->ld_in / 4;
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n * n_quads; i += VISE_K_STEP_THREADS) {
    const uint32_t r = i / n_quads, column = i % n_quads * 4;
    vise_stage_quad(&in, row0 + r, column, m->inputs + r * m->ld_in + column);
  }
  ptx_cp_async_commit();
  ptx_cp_async_wait(0);
}

/* z = W a + b by threads of (row, slice, output), whose slices are then added in order. */
VISE_FN void vise_rows_outputs(vise_step *step, const vise_rows_shared *m, uint32_t n) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_out = last->n_out, length = vise_slice_length(last->n_in);
  const uint32_t n_slices = vise_ceil_div(last->n_in, length);
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n * n_slices * n_out; i += VISE_K_STEP_THREADS) {
    const uint32_t k = i % n_out, slice = i / n_out % n_slices, r = i / (n_out * n_slices);
    const uint32_t begin = slice * length, end = begin + length < m->ld_in ? begin + length : m->ld_in;
    const float *a = m->inputs + r * m->ld_in, *w = m->weight + (size_t)k * last->ld;
    float sum = 0.0f;
#pragma unroll 4
    for (uint32_t at = begin; at < end; at += 4) {
      const float4 va = *(const float4 *)(a + at), vw = *(const float4 *)(w + at);
      sum = fmaf(va.x, vw.x, sum);
      sum = fmaf(va.y, vw.y, sum);
      sum = fmaf(va.z, vw.z, sum);
      sum = fmaf(va.w, vw.w, sum);
    }
    m->partial[i] = sum;
  }
  __syncthreads();
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n * n_out; i += VISE_K_STEP_THREADS) {
    const uint32_t k = i % n_out, r = i / n_out;
    float z = 0.0f;
#pragma unroll 1
    for (uint32_t slice = 0; slice < n_slices; slice++) z += m->partial[(r * n_slices + slice) * n_out + k];
    z += 0.0f;
    m->z[r * VISE_K_NARROW + k] = p->has_bias ? z + p->params[last->bias + k] : z;
  }
}

/* dL/dz of the hidden layer below, a thread to a unit and all rows of the block. */
VISE_FN void vise_rows_delta_below(vise_step *step, const vise_rows_shared *m, uint32_t row0, uint32_t n) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1], *below = last - 1;
  const int needs_z = vise_activation_needs_z(p->options.activation);
#pragma unroll 1
  for (uint32_t unit = threadIdx.x; unit < below->n_out; unit += VISE_K_STEP_THREADS) {
    float totals[VISE_K_ROW_BLOCK];
#pragma unroll
    for (int r = 0; r < VISE_K_ROW_BLOCK; r++) totals[r] = 0.0f;
#pragma unroll 1
    for (uint32_t begin = 0; begin < last->n_out; begin += 32) { /* slices: n_out is at most 1024 */
      const uint32_t end = begin + 32 < last->n_out ? begin + 32 : last->n_out;
      float sums[VISE_K_ROW_BLOCK];
#pragma unroll
      for (int r = 0; r < VISE_K_ROW_BLOCK; r++) sums[r] = 0.0f;
#pragma unroll 4
      for (uint32_t k = begin; k < end; k++) {
        const float w = m->weight[(size_t)k * last->ld + unit];
#pragma unroll
        for (int r = 0; r < VISE_K_ROW_BLOCK; r++) sums[r] = fmaf(m->delta[r * VISE_K_NARROW + k], w, sums[r]);
      }
#pragma unroll
      for (int r = 0; r < VISE_K_ROW_BLOCK; r++) totals[r] += sums[r];
    }
#pragma unroll
    for (int r = 0; r < VISE_K_ROW_BLOCK; r++) {
      if ((uint32_t)r < n) {
        const size_t at = (size_t)(row0 + r) * below->ld_out + unit;
        const float z = needs_z ? p->activations[below->pre + at] : 0.0f;
        const float slope = vise_activation_slope_f32(p->options.activation, m->inputs[r * m->ld_in + unit], z);
        vise_put_activation(p, below->delta + at, (totals[r] + 0.0f) * slope);
      }
    }
  }
}

VISE_FN_CALLED void vise_rows_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_rows = step->record.n_rows, block = p->row_block, warp = threadIdx.x / 32;
  vise_rows_shared m;
  m.ld_in = vise_ceil_div(last->n_in, 4) * 4;
  m.z = vise_step_stage();
  m.delta = m.z + VISE_K_ROW_BLOCK * VISE_K_NARROW;
  m.inputs = m.delta + VISE_K_ROW_BLOCK * VISE_K_NARROW;
  m.partial = m.inputs + block * m.ld_in;
  m.weight = p->params + last->weight;
  if (p->n_layers > 1 && vise_rows_weight_is_near(last)) m.weight = vise_step_floats() + VISE_ROWS_WEIGHT_AT;
  ptx_cp_async_wait(0); /* also where there are no rows for this CTA: the stages are used again */
  /* Rows that a block lacks have deltas too: of 0. */
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < VISE_K_ROW_BLOCK * VISE_K_NARROW; i += VISE_K_STEP_THREADS) m.delta[i] = 0.0f;
#pragma unroll 1
  for (uint32_t row0 = blockIdx.x * block; row0 < n_rows; row0 += p->n_members * block) {
    const uint32_t n = n_rows - row0 < block ? n_rows - row0 : block;
    __syncthreads();
    vise_rows_load(step, &m, row0, n);
    __syncthreads();
    vise_rows_outputs(step, &m, n);
    __syncthreads();
    if (warp < n) {
      float *delta = p->activations + last->delta + (size_t)(row0 + warp) * last->ld_out;
      vise_loss_of_row(row0 + warp, m.z + warp * VISE_K_NARROW, m.delta + warp * VISE_K_NARROW, delta);
    }
    __syncthreads();
    if (p->n_layers > 1) vise_rows_delta_below(step, &m, row0, n);
  }
}

#endif

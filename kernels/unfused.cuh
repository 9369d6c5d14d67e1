/* What the kernels of the unfused step share: four neighbouring elements, in float32 or bf16; the context in shared
   memory; cells of the tensors. */
#ifndef VISE_K_UNFUSED_CUH
#define VISE_K_UNFUSED_CUH

#include "kernels/launch.cuh"
#include "kernels/step_context.cuh"
#include "kernels/unfused.h"

enum { VISE_UNFUSED_THREADS = VISE_K_STEP_THREADS };

VISE_FN void vise_quad_unpack(float4 v, float out[4]) {
  out[0] = v.x;
  out[1] = v.y;
  out[2] = v.z;
  out[3] = v.w;
}

VISE_FN void vise_quad_load(const float *from, float out[4]) {
  vise_quad_unpack(*(const float4 *)from, out);
}

VISE_FN void vise_quad_store(float *to, const float v[4]) {
  float4 quad;
  quad.x = v[0];
  quad.y = v[1];
  quad.z = v[2];
  quad.w = v[3];
  *(float4 *)to = quad;
}

VISE_FN void vise_quad_load16(const uint16_t *from, float out[4]) {
  const uint2 bits = *(const uint2 *)from;
  out[0] = vise_f32_bits(bits.x << 16);
  out[1] = vise_f32_bits(bits.x & 0xffff0000u);
  out[2] = vise_f32_bits(bits.y << 16);
  out[3] = vise_f32_bits(bits.y & 0xffff0000u);
}

VISE_FN void vise_quad_store16(uint16_t *to, const float v[4]) {
  uint2 bits;
  bits.x = ptx_bf16x2(v[0], v[1]);
  bits.y = ptx_bf16x2(v[2], v[3]);
  *(uint2 *)to = bits;
}

/* Step and context into the shared memory, where the functions of the fused step look for them; NULL after a halt,
   when there is nothing to do. Called by all threads. */
VISE_FN vise_step *vise_unfused_open(const vise_k_unfused *u) {
  vise_step *const step = vise_step_here();
  const vise_k_unfused_context *c = u->context;
  const uint32_t active = c->active; /* on its way while the parameters are copied */

  vise_step_copy(step, &u->step);
  if (!active) return NULL;

  if (threadIdx.x < VISE_K_MAX_TENSORS) {
    step->scales[threadIdx.x] = c->scales[threadIdx.x];
    step->norm_strengths[threadIdx.x] = c->norm_strengths[threadIdx.x];
  }

  if (threadIdx.x == 0) {
    step->record = c->record;
    step->inverse = c->inverse;
    step->state.cursor = c->index;
    step->state.parity = c->parity;
    step->counts = vise_k_tensor_counts();
    step->skip = c->skip;
    step->correct1 = c->correct1;
    step->correct2 = c->correct2;
    step->n_correct = step->loss_is_bad = 0;
    step->bad_gradient = step->bad_total = VISE_NO_TENSOR;
  }

  __syncthreads();
  return step;
}

/* 32 rows x 32 columns of a tensor, a CTA's work: warp i has rows 4 i to 4 i + 3, its lane j columns 4 (j % 8) to 4 (j
   % 8) + 3 of row j / 8 of these. */
typedef struct vise_cell {
  vise_step_tile t;
  uint32_t row; /* of this lane, in the tensor */
  uint32_t n;   /* elements of the lane's quad that the tensor has, 0 to 4 */
  uint64_t at;  /* the first of them in the device layout */
} vise_cell;

VISE_FN vise_cell vise_cell_of(const vise_step_tensor *tensor, uint32_t index, uint32_t group, uint32_t leaf) {
  vise_cell c;
  c.t.tensor = *tensor;
  c.t.index = index;
  c.t.row = group * VISE_GROUP_ROWS;
  c.t.column = leaf * VISE_LEAF;
  c.t.side = VISE_LEAF;
  c.t.n_rows = VISE_GROUP_ROWS;

  c.row = c.t.row + threadIdx.x / 8;
  const uint32_t column = c.t.column + threadIdx.x % 8 * 4;
  c.at = tensor->first + (uint64_t)c.row * tensor->ld + column;

  c.n = 0;
  if (c.row < tensor->n_rows && column < tensor->n_columns) {
    c.n = tensor->n_columns - column < 4 ? tensor->n_columns - column : 4;
  }

  return c;
}

/* The cell-th cell of the net. */
VISE_FN vise_cell vise_cell_at(const vise_k_step *p, uint32_t cell) {
  uint32_t layer = 0;
  while (layer + 1 < p->n_layers && cell >= p->layers[layer + 1].weight_at.cells) layer++;
  const vise_k_layer *l = &p->layers[layer];
  uint32_t part = 0;
  while (part < l->n_vectors && cell >= vise_k_vector_of(l, part).places.cells) part++;
  const uint32_t index = l->first_tensor + part;
  const vise_step_tensor t = vise_step_tensor_at(p, index);
  const uint32_t local = cell - t.at.cells, n_leaves = vise_n_leaves(t.n_columns);
  return vise_cell_of(&t, index, local / n_leaves, local % n_leaves);
}

/* Notes the sums of a cell from the terms of the quads: those of rows go to memory (by_rows), those of a warp's strip
   to strips [VISE_STRIPS] (shared memory). */
VISE_FN void vise_cell_note(double *sums, int by_rows, const vise_cell *c, double *strips, const double terms[4]) {
  double row = (terms[0] + terms[1]) + (terms[2] + terms[3]);
#pragma unroll
  for (int step = 1; step < 8; step *= 2) row += __shfl_xor_sync(0xffffffffu, row, step);

  if (by_rows) {
    const size_t at = (size_t)c->row * vise_n_leaves(c->t.tensor.n_columns) + c->t.column / VISE_LEAF;
    if (threadIdx.x % 8 == 0 && c->row < c->t.tensor.n_rows) sums[c->t.tensor.at.row_leaves + at] = row;
    return;
  }

  row += __shfl_xor_sync(0xffffffffu, row, 8);
  row += __shfl_xor_sync(0xffffffffu, row, 16);
  if (threadIdx.x % 32 == 0) strips[threadIdx.x / 32] = row;
}

/* Where the cell's sum is. */
VISE_FN size_t vise_cell_place(const vise_cell *c) {
  const uint32_t n_leaves = vise_n_leaves(c->t.tensor.n_columns);
  return c->t.tensor.at.cells + (size_t)(c->t.row / VISE_GROUP_ROWS) * n_leaves + c->t.column / VISE_LEAF;
}

/* CTAs for n CTAs' worth of work: enough to fill the device. */
static inline unsigned vise_unfused_ctas(uint64_t n, uint32_t n_sms) {
  const uint64_t most = (uint64_t)n_sms * 8;
  return (unsigned)(n < most ? n : most);
}

#endif

/* What the kernels of the unfused step share: four neighbouring elements, in float32 or bf16; cells of the tensors. */
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

/* Four rows x 32 columns of a tensor, a warp's work: lane i has columns 4 (i % 8) of row i / 8. */
typedef struct vise_cell {
  vise_step_tensor tensor;
  uint32_t index;       /* of the tensor */
  uint32_t row, column; /* of this lane's quad */
  uint32_t leaf;
  uint32_t n;  /* elements of the quad that the tensor has, 0 to 4 */
  uint64_t at; /* first of them in the device layout */
} vise_cell;

VISE_FN vise_cell vise_cell_of(const vise_step_tensor *tensor, uint32_t index, uint32_t group, uint32_t leaf) {
  const uint32_t lane = threadIdx.x % 32;
  vise_cell c;
  c.tensor = *tensor;
  c.index = index;
  c.leaf = leaf;
  c.row = group * VISE_GROUP_ROWS + lane / 8;
  c.column = leaf * VISE_LEAF + lane % 8 * 4;
  c.at = tensor->first + (uint64_t)c.row * tensor->ld + c.column;
  c.n = 0;
  if (c.row < tensor->n_rows && c.column < tensor->n_columns) {
    c.n = tensor->n_columns - c.column < 4 ? tensor->n_columns - c.column : 4;
  }
  return c;
}

/* The cell-th cell of the net. */
VISE_FN vise_cell vise_cell_at(const vise_k_step *p, uint32_t cell) {
  uint32_t layer = 0;
  while (layer + 1 < p->n_layers && cell >= p->layers[layer + 1].weight_cells) layer++;
  const int is_bias = p->has_bias && cell >= p->layers[layer].bias_cells;
  const uint32_t index = p->has_bias ? 2 * layer + (uint32_t)is_bias : layer;
  const vise_step_tensor t = vise_step_tensor_at(p, index);
  const uint32_t local = cell - t.cells, n_leaves = vise_n_leaves(t.n_columns);
  return vise_cell_of(&t, index, local / n_leaves, local % n_leaves);
}

/* The canonical sum of the row's leaf from its quads, in the eight lanes of the row. */
VISE_FN double vise_cell_sum_row(const double quad[4]) {
  double sum = (quad[0] + quad[1]) + (quad[2] + quad[3]);
  for (int step = 1; step < 8; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  return sum;
}

/* Stores what vise_store_sums does, from the sums of the rows' leaves. */
VISE_FN void vise_cell_store(double *sums, int by_rows, const vise_cell *c, double row_sum) {
  const uint32_t lane = threadIdx.x % 32, n_leaves = vise_n_leaves(c->tensor.n_columns);
  if (by_rows) {
    if (lane % 8 == 0 && c->row < c->tensor.n_rows) {
      sums[c->tensor.row_leaves + (size_t)c->row * n_leaves + c->leaf] = row_sum;
    }
    return;
  }
  const double pair = row_sum + __shfl_xor_sync(0xffffffffu, row_sum, 8);
  const double cell = pair + __shfl_xor_sync(0xffffffffu, pair, 16);
  if (lane == 0) sums[c->tensor.cells + (size_t)(c->row / VISE_GROUP_ROWS) * n_leaves + c->leaf] = cell;
}

/* A lane's counts of a tensor's entries, which a warp adds to the statistics when it leaves the tensor. */
VISE_FN void vise_count_flush(uint32_t *to, uint32_t *n) {
  const uint32_t sum = __reduce_add_sync(0xffffffffu, *n);
  if (sum > 0 && threadIdx.x % 32 == 0) atomicAdd(to, sum);
  *n = 0;
}

/* CTAs for n warps' worth of work: enough to fill the device. */
static inline unsigned vise_unfused_ctas(uint64_t n_warps, uint32_t n_sms) {
  const uint64_t n = (n_warps + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS, most = (uint64_t)n_sms * 8;
  return (unsigned)(n < most ? n : most);
}

#endif

/* What the kernels of the unfused step share: the context in shared memory; cells of the tensors. */
#ifndef VISE_K_UNFUSED_CUH
#define VISE_K_UNFUSED_CUH

#include "kernels/launch.cuh"
#include "kernels/quads.cuh"
#include "kernels/step_context.cuh"
#include "kernels/unfused.h"

enum { VISE_UNFUSED_THREADS = VISE_K_STEP_THREADS };

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

/* Notes the sums of a cell from those of this warp's rows: to memory (by_rows), or that of the strip to strips
   [VISE_STRIPS] (shared memory). */
VISE_FN void vise_cell_note(double *sums, int by_rows, const vise_cell *c, double *strips, double row_sum) {
  if (by_rows) {
    const size_t at = (size_t)c->row * vise_n_leaves(c->t.tensor.n_columns) + c->t.column / VISE_LEAF;
    if (threadIdx.x % 8 == 0 && c->row < c->t.tensor.n_rows) sums[c->t.tensor.at.row_leaves + at] = row_sum;
    return;
  }

  const double strip = vise_strip_sum(row_sum);
  if (threadIdx.x % 32 == 0) strips[threadIdx.x / 32] = strip;
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

/*
 * VISE_K_ROW_L1: the rows whose sums are bounded shrink to them, after the update has been exchanged. Who takes a row finds
 * its threshold, shrinks it, and counts and adds up what is left: sums of weights are kept by rows then, since the rows of
 * a cell are taken by different CTAs.
 */
#ifndef VISE_K_BOUNDED_ROWS_CUH
#define VISE_K_BOUNDED_ROWS_CUH

#include "kernels/row_l1.cuh"
#include "kernels/update.cuh"

/* A layer's weight, whose rows shrink. */
typedef struct vise_bounded {
  vise_step_tensor tensor;
  float lo, hi; /* of its box */
} vise_bounded;

VISE_FN vise_bounded vise_bounded_of(const vise_step *step, uint32_t layer) {
  const vise_k_step *p = &step->p;
  const vise_i_box box = vise_i_bounds_of(&p->rule, p->layers[layer].box, false, step->record.hyper.clamp_factor);
  vise_bounded b;
  b.tensor = vise_step_tensor_of(p, layer, 0);
  b.lo = (float)box.lo;
  b.hi = (float)box.hi;
  return b;
}

/* What the step reports of a quad of the new weights, and max-norm takes; leaf: of the row, among all of them. Called by
   all lanes. */
VISE_FN void vise_measure_quad(vise_step *step, const vise_bounded *b, uint32_t n, const float w[4], size_t leaf) {
  const vise_k_step *p = &step->p;
  const uint32_t parity = step->state.parity + 1;
  double *const squares = p->norm_sums ? p->norm_sums : p->weight_sums_needed ? vise_weight_sums(p, parity, 0) : NULL;
  const int writes = threadIdx.x % 8 == 0;

  if (squares) {
    const double sum = vise_quad_squares(w);
    if (writes && n > 0) squares[leaf] = sum;
  }
  if (p->norm_sums) return;

  vise_count_at_bounds(step, b->lo, b->hi, w, n);
  if (p->weight_sums_needed && vise_weighs_magnitudes(p)) {
    const double sum = vise_quad_magnitudes(w);
    if (writes && n > 0) vise_weight_sums(p, parity, 1)[leaf] = sum;
  }
}

/* One row, by a CTA or by a warp. */
VISE_FN void vise_bound_row(vise_step *step, const vise_bounded *b, uint32_t row, int by_cta) {
  const vise_k_step *p = &step->p;
  const vise_step_tensor *t = &b->tensor;
  const size_t at = t->first + (size_t)row * t->ld;
  const size_t leaves = t->at.row_leaves + (size_t)row * vise_n_leaves(t->n_columns);
  const vise_quads_of_row quads = vise_quads_of(p->params + at, t->n_columns, by_cta);

  vise_i_row_thresholds by = {0.0f, 0.0f};
  if (!step->skip) by = vise_row_thresholds(step, t, row, by_cta);

#pragma unroll 1
  for (uint32_t first = quads.first / 32 * 32; 4 * first < quads.n; first += quads.step) {
    const uint32_t i = first + threadIdx.x % 32, n = 4 * i < quads.n ? vise_in_quad(&quads, i) : 0;
    float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (n > 0) vise_quad_load(quads.w + 4 * (size_t)i, w);
    if (n > 0 && vise_shrink_by(by, n, w)) vise_put_params(p, at + 4 * (size_t)i, w);
    vise_measure_quad(step, b, n, w, leaves + i / (VISE_LEAF / 4));
  }
}

/* Part `part` of a layer's rows. */
VISE_FN void vise_bound_part(vise_step *step, const vise_bounded *b, uint32_t at_once, uint32_t part) {
  const int by_cta = at_once == 1;
  const uint32_t row = part * at_once + (by_cta ? 0 : threadIdx.x / 32);
  if (row < b->tensor.n_rows) vise_bound_row(step, b, row, by_cta);
  vise_flush_counts(step, step->p.layers[b->tensor.layer].first_tensor);
}

VISE_FN_CALLED void vise_row_l1_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  uint32_t part = vise_step_member(); /* of the layers from this one on */

#pragma unroll 1
  for (uint32_t layer = 0; layer < p->n_layers; layer++) {
    const uint32_t n_parts = vise_k_row_parts(p, layer);
    if (part < n_parts) {
      const vise_bounded b = vise_bounded_of(step, layer);
      const uint32_t at_once = vise_k_rows_at_once(&p->layers[layer]);
#pragma unroll 1
      for (; part < n_parts; part += p->n_members) vise_bound_part(step, &b, at_once, part);
    }
    part -= n_parts;
  }
}

#endif

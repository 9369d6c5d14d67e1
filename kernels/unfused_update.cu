/*
 * The unfused step's kernels on all tensors of the net at once.
 *
 * unfused_gradient_warp_per_cell    g += penalties; value clip; counts, sums of squares, largest magnitudes
 * unfused_update_warp_per_cell      norm clip, optimizer, decay, proximal L1, mask, box; counts, sums of the new
 * weights unfused_max_norm_cta_per_group    w *= min(1, R / ||w||), by rows or tensors; counts and sums in place of
 * update's unfused_narrow_quad_per_thread    the weights in bf16
 *
 * Formulas    those of the fused step, by the same functions: gradient.cuh, update.cuh.
 * Layout      kernels/step_types.h; gradients, weights and moments in place.
 * Work        a warp takes cells of four rows x 32 columns in turn, a lane four neighbours; with max-norm a CTA takes
 *             the four rows of a group.
 * Memory      gradient: g, and w where there is a penalty, read; g written where it may have changed. update: g, w, m,
 * s read, w, m, s written. 16 bytes a lane, coalesced; 8 bytes for each 128 entries and kind of sum. Numerics float32;
 * sums float64 in canonical order. A step that is skipped writes no weight and no moment. Limits      those of the
 * plan. Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_test.c).
 */
#include "kernels/unfused.cuh"
#include "kernels/update.cuh"

/* ---- gradient ---- */

typedef struct gradient_counts {
  uint32_t n_nonfinite, n_clipped;
} gradient_counts;

/* Largest magnitude of the leaf of each row, or of the cell. */
VISE_FN void store_max(const vise_k_step *p, const vise_cell *c, uint32_t bits) {
  const uint32_t lane = threadIdx.x % 32, n_leaves = vise_n_leaves(c->tensor.n_columns);
  for (int step = 1; step < (p->sums_by_rows ? 8 : 32); step *= 2) {
    const uint32_t other = __shfl_xor_sync(0xffffffffu, bits, step);
    bits = other > bits ? other : bits;
  }
  if (!p->sums_by_rows) {
    if (lane == 0) {
      p->gradient_max[c->tensor.cells + (size_t)(c->row / VISE_GROUP_ROWS) * n_leaves + c->leaf] = vise_f32_bits(bits);
    }
  } else if (lane % 8 == 0 && c->row < c->tensor.n_rows) {
    p->gradient_max[c->tensor.row_leaves + (size_t)c->row * n_leaves + c->leaf] = vise_f32_bits(bits);
  }
}

VISE_FN void shape_cell(const vise_k_unfused *u, const vise_cell *c, const vise_shaping *s, gradient_counts *n) {
  const vise_k_step *p = &u->step;
  float g[4] = {0.0f, 0.0f, 0.0f, 0.0f}, w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  double squares[4];
  uint32_t max_bits = 0;
  int bad = 0, bad_total = 0;
  if (c->n > 0) {
    vise_quad_load(p->gradients + c->at, g);
    if (s->penalized) vise_quad_load(p->params + c->at, w);
  }
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    const int inside = i < c->n;
    int is_bad, clipped;
    if (inside && !vise_is_finite(g[i])) {
      bad = 1;
      n->n_nonfinite++;
    }
    g[i] = vise_shape_entry(s, g[i], w[i], &is_bad, &clipped);
    bad_total |= inside && is_bad;
    n->n_clipped += inside && clipped;
    if (!inside) g[i] = 0.0f;
    squares[i] = (double)g[i] * (double)g[i];
    const uint32_t bits = vise_bits_f32(fabsf(g[i]));
    max_bits = bits > max_bits ? bits : max_bits;
  }
  if (c->n > 0 && (s->clips || (s->penalized && s->total))) vise_quad_store(p->gradients + c->at, g);
  vise_step_note_bad(&u->context->bad_gradient, bad, c->index);
  vise_step_note_bad(&u->context->bad_total, bad_total, c->index);
  vise_cell_store(p->gradient_sums, p->sums_by_rows, c, vise_cell_sum_row(squares));
  if (p->gradient_max) store_max(p, c, max_bits);
}

VISE_FN void flush_gradient(const vise_k_unfused *u, uint32_t tensor, gradient_counts *n) {
  if (tensor == VISE_NO_TENSOR) return;
  vise_k_tensor_counts *to = &u->step.stats[u->context->index].tensors[tensor];
  vise_count_flush(&to->n_nonfinite, &n->n_nonfinite);
  vise_count_flush(&to->n_clipped_values, &n->n_clipped);
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_gradient_warp_per_cell(const __grid_constant__ vise_k_unfused u) {
  const vise_k_step *p = &u.step;
  uint32_t tensor = VISE_NO_TENSOR;
  gradient_counts n = {0, 0};
  vise_shaping s = {};
  if (!u.context->active) return;
  for (uint32_t cell = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32; cell < p->n_cells;
       cell += gridDim.x * VISE_STEP_WARPS) {
    const vise_cell c = vise_cell_at(p, cell);
    if (c.index != tensor) {
      flush_gradient(&u, tensor, &n);
      tensor = c.index;
      const vise_strengths k = vise_strengths_make(p, c.tensor.is_bias, &u.context->norm_strengths[tensor]);
      s = vise_shaping_make(p, &k, u.context->record.clip_factor);
    }
    shape_cell(&u, &c, &s, &n);
  }
  flush_gradient(&u, tensor, &n);
}
VISE_KERNEL(unfused_gradient_warp_per_cell);

/* ---- update ---- */

typedef struct box_counts {
  uint32_t n_at_lo, n_at_hi;
} box_counts;

VISE_FN void flush_box(const vise_k_unfused *u, uint32_t tensor, box_counts *n) {
  if (tensor == VISE_NO_TENSOR) return;
  vise_k_tensor_counts *to = &u->step.stats[u->context->index].tensors[tensor];
  vise_count_flush(&to->n_at_lo, &n->n_at_lo);
  vise_count_flush(&to->n_at_hi, &n->n_at_hi);
}

/* Counts entries at their bounds and leaves the sums of the weights that the next step reports. */
VISE_FN void measure_cell(const vise_k_unfused *u, const vise_cell *c, const vise_update *how, const float w[4],
                          box_counts *n) {
  const vise_k_step *p = &u->step;
  double terms[4];
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    n->n_at_lo += i < c->n && vise_is_finite(how->lo) && w[i] == how->lo;
    n->n_at_hi += i < c->n && vise_is_finite(how->hi) && w[i] == how->hi;
  }
  if (!p->weight_sums_needed) return;
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) terms[i] = (double)w[i] * (double)w[i];
  vise_cell_store(vise_weight_sums(p, u->context->parity + 1, 0), 0, c, vise_cell_sum_row(terms));
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) terms[i] = (double)fabsf(w[i]);
  vise_cell_store(vise_weight_sums(p, u->context->parity + 1, 1), 0, c, vise_cell_sum_row(terms));
}

VISE_FN void store_weights(const vise_k_unfused *u, const vise_cell *c, const float w[4]) {
  vise_quad_store(u->step.params + c->at, w);
  if (u->params16) vise_quad_store16(u->params16 + c->at, w);
}

/* New weights and moments of the lane's quad, w in place; only where the step is taken. */
VISE_FN void update_quad(const vise_k_unfused *u, const vise_cell *c, const vise_update *how, float w[4]) {
  const vise_k_step *p = &u->step;
  float g[4], m1[4] = {0.0f, 0.0f, 0.0f, 0.0f}, m2[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  float scale = how->scale;
  uint32_t mask = 0x01010101u;
  vise_quad_load(p->gradients + c->at, g);
  if (p->has_moment1) vise_quad_load(p->moment1 + c->at, m1);
  if (p->has_moment2) vise_quad_load(p->moment2 + c->at, m2);
  if (p->has_mask) mask = *(const uint32_t *)(p->mask + c->at);
  if (p->options.clip_norm > 0.0 && p->options.clip_norm_type == 2) {
    scale = (float)vise_unit_scale(p, u->context->record.clip_factor, c->tensor.units + c->row);
  }
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    if (i >= c->n) { /* what is not part of a tensor stays 0 */
      w[i] = m1[i] = m2[i] = 0.0f;
      continue;
    }
    w[i] = vise_new_weight(p, how, scale, g[i], w[i], &m1[i], &m2[i]);
    if (!(mask >> 8 * i & 0xff)) w[i] = m1[i] = m2[i] = 0.0f;
    w[i] = vise_clamp_f32(w[i], how->lo, how->hi);
  }
  store_weights(u, c, w);
  if (p->has_moment1) vise_quad_store(p->moment1 + c->at, m1);
  if (p->has_moment2) vise_quad_store(p->moment2 + c->at, m2);
}

VISE_FN vise_update update_of(const vise_k_unfused *u, const vise_cell *c) {
  const vise_k_unfused_context *context = u->context;
  vise_update how = vise_update_make(&u->step, &context->record, &c->tensor, &context->norm_strengths[c->index],
                                     &context->scales[c->index]);
  how.correct1 = context->correct1;
  how.correct2 = context->correct2;
  return how;
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_update_warp_per_cell(const __grid_constant__ vise_k_unfused u) {
  const vise_k_step *p = &u.step;
  uint32_t tensor = VISE_NO_TENSOR;
  box_counts n = {0, 0};
  vise_update how = {};
  if (!u.context->active) return;
  const uint32_t skip = u.context->skip;
  for (uint32_t cell = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32; cell < p->n_cells;
       cell += gridDim.x * VISE_STEP_WARPS) {
    const vise_cell c = vise_cell_at(p, cell);
    float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (c.n > 0) vise_quad_load(p->params + c.at, w);
    if (c.index != tensor) {
      flush_box(&u, tensor, &n);
      tensor = c.index;
      how = update_of(&u, &c);
    }
    if (c.n > 0 && !skip) update_quad(&u, &c, &how, w);
    if (!p->norm_sums) {
      measure_cell(&u, &c, &how, w, &n);
      continue;
    }
    double squares[4];
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) squares[i] = (double)w[i] * (double)w[i];
    vise_cell_store(p->norm_sums, !p->options.max_norm_tensor, &c, vise_cell_sum_row(squares));
  }
  flush_box(&u, tensor, &n);
}
VISE_KERNEL(unfused_update_warp_per_cell);

/* ---- max-norm ---- */

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_max_norm_cta_per_group(const __grid_constant__ vise_k_unfused u) {
  __shared__ float scales[VISE_GROUP_ROWS];
  const vise_k_step *p = &u.step;
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  box_counts n = {0, 0};
  if (!u.context->active) return;
  uint32_t tensor = 0;
  while (tensor + 1 < vise_step_n_tensors(p) && blockIdx.x >= vise_step_tensor_at(p, tensor + 1).groups) tensor++;
  const vise_step_tensor t = vise_step_tensor_at(p, tensor);
  const uint32_t group = blockIdx.x - t.groups, n_leaves = vise_n_leaves(t.n_columns);
  if (warp < VISE_GROUP_ROWS) {
    const uint32_t row = group * VISE_GROUP_ROWS + warp;
    float scale = 1.0f;
    if (!u.context->skip && !t.is_bias && row < t.n_rows) {
      scale = u.context->max_norm_scales[tensor];
      if (!p->options.max_norm_tensor) {
        const double *leaves = p->norm_sums + t.row_leaves + (size_t)row * n_leaves;
        scale = vise_bound_scale(p->options.max_norm, vise_sum_tree_warp(leaves, n_leaves));
      }
    }
    if (lane == 0) scales[warp] = scale;
  }
  __syncthreads();
  vise_update how = {};
  for (uint32_t leaf = warp; leaf < n_leaves; leaf += VISE_STEP_WARPS) {
    const vise_cell c = vise_cell_of(&t, tensor, group, leaf);
    const float scale = scales[lane / 8];
    float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (leaf == warp) how = update_of(&u, &c);
    if (c.n > 0) {
      vise_quad_load(p->params + c.at, w);
      if (scale != 1.0f) {
#pragma unroll
        for (uint32_t i = 0; i < 4; i++) w[i] *= scale;
        store_weights(&u, &c, w);
      }
    }
    measure_cell(&u, &c, &how, w, &n);
  }
  flush_box(&u, tensor, &n);
}
VISE_KERNEL(unfused_max_norm_cta_per_group);

/* ---- bf16 ---- */

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_narrow_quad_per_thread(const __grid_constant__ vise_k_unfused u, uint64_t n_quads) {
  const uint64_t quad = (uint64_t)blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x;
  float w[4];
  if (quad >= n_quads) return;
  vise_quad_load(u.step.params + quad * 4, w);
  vise_quad_store16(u.params16 + quad * 4, w);
}
VISE_KERNEL(unfused_narrow_quad_per_thread);

/* ---- launches ---- */

cudaError_t vise_k_unfused_gradient(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_gradient_warp_per_cell, vise_unfused_ctas(u->step.n_cells, n_sms),
                     VISE_UNFUSED_THREADS, 0, 0, stream, arguments);
}

cudaError_t vise_k_unfused_update(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_update_warp_per_cell, vise_unfused_ctas(u->step.n_cells, n_sms),
                     VISE_UNFUSED_THREADS, 0, 0, stream, arguments);
}

cudaError_t vise_k_unfused_max_norm(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_max_norm_cta_per_group, u->step.n_groups, VISE_UNFUSED_THREADS, 0, 0, stream,
                     arguments);
}

cudaError_t vise_k_unfused_narrow(const vise_k_unfused *u, uint64_t n_params, cudaStream_t stream) {
  uint64_t n_quads = (n_params + 3) / 4;
  void *arguments[] = {(void *)u, &n_quads};
  return vise_launch((const void *)unfused_narrow_quad_per_thread,
                     (unsigned)((n_quads + VISE_UNFUSED_THREADS - 1) / VISE_UNFUSED_THREADS), VISE_UNFUSED_THREADS, 0,
                     0, stream, arguments);
}

/*
 * The gradient phase: dL/dW = delta^T a and dL/db = sum of delta over the batch, tile by tile, for all layers. On its
 * tile a CTA does what the step asks for before norms are known: counts what is not finite, adds penalties, clips
 * values, sums squares. The tile then stays in shared memory until the update phase; those for which there is no room
 * go to device memory.
 *
 * A warp shapes four rows x 32 columns at a time, a lane one column: the group and leaf of the canonical order.
 */
#ifndef VISE_K_GRADIENT_CUH
#define VISE_K_GRADIENT_CUH

#include "kernels/layers.cuh"
#include "kernels/sums.cuh"

/* Strengths of the penalties of a tensor, in float32. */
typedef struct vise_strengths {
  float k2, k1, kF_by_norm;
} vise_strengths;

/* norm_strength: kF / ||W||, looked at where kF is not 0. */
VISE_FN vise_strengths vise_strengths_make(const vise_k_step *p, int is_bias, const float *norm_strength) {
  const vise_k_step_options *o = &p->options;
  const int exempt = is_bias && !o->penalize_bias;
  const int with_l1 = !o->prox_l1 || p->mode == VISE_K_GRADIENT_ONLY;
  vise_strengths k;
  k.k2 = exempt ? 0.0f : (float)o->k2;
  k.k1 = exempt || !with_l1 ? 0.0f : (float)o->k1;
  k.kF_by_norm = exempt || o->kF == 0.0 ? 0.0f : *norm_strength;
  return k;
}

VISE_FN vise_strengths vise_strengths_of(vise_step *step, const vise_step_tile *t) {
  return vise_strengths_make(&step->p, t->tensor.is_bias, &step->norm_strengths[t->index]);
}

VISE_FN int vise_strengths_any(const vise_strengths *k) {
  return k->k2 != 0.0f || k->k1 != 0.0f || k->kF_by_norm != 0.0f;
}

/* Gradient of the penalties at w; sign(0) = 0. */
VISE_FN float vise_penalty_gradient(const vise_strengths *k, float w) {
  float g = 0.0f;
  if (k->k2 != 0.0f) g = k->k2 * w;
  if (k->k1 != 0.0f) g += w > 0.0f ? k->k1 : (w < 0.0f ? -k->k1 : w);
  if (k->kF_by_norm != 0.0f) g = fmaf(k->kF_by_norm, w, g);
  return g;
}

/* What becomes of the gradient's entries before norms are known. */
typedef struct vise_shaping {
  vise_strengths k;
  float lo, hi;
  int penalized, total; /* some strength is not 0; penalties are part of what is clipped */
  int clips;
} vise_shaping;

VISE_FN vise_shaping vise_shaping_make(const vise_k_step *p, const vise_strengths *k, double clip_factor) {
  const vise_k_step_options *o = &p->options;
  const int only = p->mode == VISE_K_GRADIENT_ONLY;
  vise_shaping s;
  s.k = *k;
  s.lo = (float)(clip_factor * o->clip_lo);
  s.hi = (float)(clip_factor * o->clip_hi);
  s.penalized = vise_strengths_any(k);
  s.total = only || !o->clip_scope_data;
  s.clips = o->clip_value && !only;
  return s;
}

/* The entry g at weight w with its penalty, clipped; whether the total is not finite, whether it was clipped. */
VISE_FN float vise_shape_entry(const vise_shaping *s, float g, float w, int *bad_total, int *clipped) {
  *bad_total = *clipped = 0;
  if (s->penalized) {
    const float penalty = vise_penalty_gradient(&s->k, w);
    if (s->total) g += penalty;
    *bad_total = !vise_is_finite(s->total ? g : fabsf(g) + fabsf(penalty));
  }
  if (s->clips) {
    *clipped = g < s->lo || g > s->hi;
    g = g < s->lo ? s->lo : (g > s->hi ? s->hi : g);
  }
  return g;
}

/* Where the tile's gradients are from the gradient to the update phase: element (row, column) at base + row * ld +
   column, row and column within the tile. */
typedef struct vise_tile_memory {
  float *base;
  uint32_t ld;
} vise_tile_memory;

VISE_FN vise_tile_memory vise_tile_memory_of(vise_step *step, const vise_step_tile *t, uint32_t i) {
  vise_tile_memory m;
  if (i < step->p.n_held) {
    m.base = vise_step_floats() + vise_step_held_at(&step->p, i);
    m.ld = t->side;
  } else {
    m.base = step->p.gradients + t->tensor.first + (size_t)t->row * t->tensor.ld + t->column;
    m.ld = t->tensor.ld;
  }
  return m;
}

/* What a warp does to one cell of the tile: c [rows][side] is the plain gradient in shared memory. */
VISE_FN void vise_shape_cell(vise_step *step, const vise_step_tile *t, const vise_strengths *k, const float *c,
                             const vise_tile_memory *to, uint32_t row, uint32_t leaf) {
  const vise_k_step *p = &step->p;
  const uint32_t column = leaf * VISE_LEAF + threadIdx.x % 32;
  const vise_shaping shaping = vise_shaping_make(p, k, step->record.clip_factor);
  double squares[VISE_GROUP_ROWS];
  uint32_t max_bits[VISE_GROUP_ROWS];
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
    const uint32_t tile_row = row + r;
    const int inside =
        tile_row < t->n_rows && t->row + tile_row < t->tensor.n_rows && t->column + column < t->tensor.n_columns;
    float g = inside ? c[tile_row * t->side + column] : 0.0f;
    const int bad = !vise_is_finite(g);
    int bad_total, clipped;
    float w = 0.0f;
    if (shaping.penalized && inside) {
      w = p->params[t->tensor.first + (size_t)(t->row + tile_row) * t->tensor.ld + t->column + column];
    }
    g = vise_shape_entry(&shaping, g, w, &bad_total, &clipped);
    if (!inside) {
      bad_total = clipped = 0;
      g = 0.0f;
    }
    vise_step_note_bad(&step->bad_gradient, bad, t->index);
    vise_step_note_bad(&step->bad_total, bad_total, t->index);
    vise_step_count(&step->counts.n_nonfinite, bad);
    vise_step_count(&step->counts.n_clipped_values, clipped);
    if (inside) to->base[(size_t)tile_row * to->ld + column] = g;
    squares[r] = (double)g * (double)g;
    max_bits[r] = vise_bits_f32(fabsf(g));
  }
  if (p->mode == VISE_K_GRADIENT_ONLY) return;
  const uint32_t matrix_row = t->row + row, matrix_leaf = t->column / VISE_LEAF + leaf;
  vise_store_sums(p->gradient_sums, p->sums_by_rows, &t->tensor, matrix_row, matrix_leaf, vise_sum_four_rows(squares));
  if (!p->gradient_max) return;
  const uint32_t n_leaves = vise_n_leaves(t->tensor.n_columns);
  uint32_t most = 0;
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
    const uint32_t row_most = __reduce_max_sync(0xffffffffu, max_bits[r]);
    most = row_most > most ? row_most : most;
    if (p->sums_by_rows && threadIdx.x % 32 == 0 && matrix_row + r < t->tensor.n_rows) {
      p->gradient_max[t->tensor.row_leaves + (size_t)(matrix_row + r) * n_leaves + matrix_leaf] =
          vise_f32_bits(row_most);
    }
  }
  if (!p->sums_by_rows && threadIdx.x % 32 == 0) {
    p->gradient_max[t->tensor.cells + (size_t)(matrix_row / VISE_GROUP_ROWS) * n_leaves + matrix_leaf] =
        vise_f32_bits(most);
  }
}

/* Adds the counts of the tile to those of its tensor in the step's statistics. All threads; counts are 0 after it. Only
   in whole steps is there an exchange between the clearing of the statistics and this. */
VISE_FN void vise_flush_counts(vise_step *step, const vise_step_tile *t) {
  __syncthreads();
  if (threadIdx.x == 0 && step->p.mode == VISE_K_STEP) {
    vise_k_tensor_counts *to = &step->p.stats[step->state.cursor].tensors[t->index];
    const vise_k_tensor_counts *n = &step->counts;
    if (n->n_nonfinite) atomicAdd(&to->n_nonfinite, n->n_nonfinite);
    if (n->n_clipped_values) atomicAdd(&to->n_clipped_values, n->n_clipped_values);
    if (n->n_at_lo) atomicAdd(&to->n_at_lo, n->n_at_lo);
    if (n->n_at_hi) atomicAdd(&to->n_at_hi, n->n_at_hi);
  }
  if (threadIdx.x == 0) step->counts = vise_k_tensor_counts();
  __syncthreads();
}

/* Whether the leaf of a warp's task has columns of the tensor, and its group rows. */
VISE_FN int vise_cell_exists(const vise_step_tile *t, uint32_t row, uint32_t leaf) {
  return t->row + row < t->tensor.n_rows && t->column + leaf * VISE_LEAF < t->tensor.n_columns;
}

VISE_FN void vise_shape_tile(vise_step *step, const vise_step_tile *t, const float *c, const vise_tile_memory *to) {
  const vise_strengths k = vise_strengths_of(step, t);
  const uint32_t n_across = t->side / VISE_LEAF, n_cells = vise_ceil_div(t->n_rows, VISE_GROUP_ROWS) * n_across;
  for (uint32_t cell = threadIdx.x / 32; cell < n_cells; cell += VISE_STEP_WARPS) {
    const uint32_t row = cell / n_across * VISE_GROUP_ROWS, leaf = cell % n_across;
    if (vise_cell_exists(t, row, leaf)) vise_shape_cell(step, t, &k, c, to, row, leaf);
  }
  vise_flush_counts(step, t);
}

/* dL/db of VISE_K_BIAS_TILE units: threads of (unit, every second slice of the batch), 32 slices at a time. */
VISE_FN void vise_bias_gradient(vise_step *step, const vise_step_tile *t, float *c) {
  enum { SLICES = 32, LANES = VISE_K_STEP_THREADS / VISE_K_BIAS_TILE };
  const vise_operand deltas = vise_operand_deltas(step, t->tensor.layer);
  const uint32_t n_rows = deltas.n_rows, length = vise_slice_length(n_rows), n_slices = vise_ceil_div(n_rows, length);
  const uint32_t at = threadIdx.x % VISE_K_BIAS_TILE, unit = t->column + at;
  float total = 0.0f;
  for (uint32_t first = 0; first < n_slices; first += SLICES) {
    const uint32_t n = n_slices - first < SLICES ? n_slices - first : (uint32_t)SLICES;
    for (uint32_t slice = threadIdx.x / VISE_K_BIAS_TILE; slice < n; slice += LANES) {
      const uint32_t begin = (first + slice) * length, end = begin + length < n_rows ? begin + length : n_rows;
      float sum = 0.0f;
      if (unit < deltas.n_columns) {
#pragma unroll 8
        for (uint32_t row = begin; row < end; row++) sum += deltas.base[(size_t)row * deltas.ld + unit];
      }
      vise_step_split()[slice * VISE_K_BIAS_TILE + at] = sum;
    }
    __syncthreads();
    if (threadIdx.x < VISE_K_BIAS_TILE) {
      for (uint32_t slice = 0; slice < n; slice++) total += vise_step_split()[slice * VISE_K_BIAS_TILE + at];
    }
    __syncthreads();
  }
  if (threadIdx.x < VISE_K_BIAS_TILE) c[at] = total + 0.0f;
  __syncthreads();
}

/* kF / ||W||, 0 where the norm is 0, from ||W||^2. */
VISE_FN float vise_norm_strength(double kF, double square) {
  const double norm = vise_sqrt_f64(square);
  return norm == 0.0 ? 0.0f : (float)(kF / norm);
}

/* The same of each tensor. */
VISE_STEP_FN void vise_norm_strengths(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (p->options.kF == 0.0) return;
  vise_sum_tensors_alone(vise_weight_sums(p, step->state.parity, 0), 0, (double *)vise_step_stage(),
                         step->weight_squares);
  if (threadIdx.x < vise_step_n_tensors(p)) {
    step->norm_strengths[threadIdx.x] = vise_norm_strength(p->options.kF, step->weight_squares[threadIdx.x]);
  }
  __syncthreads();
}

#endif

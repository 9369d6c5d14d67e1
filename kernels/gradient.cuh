/*
 * The gradient phase: dL/dW = delta^T a and dL/db = sum of delta over the batch, tile by tile, for all layers. On its
 * tile a CTA does what the step asks for before norms are known: counts what is not finite, adds penalties, clips
 * values, sums squares. The tile then stays in shared memory until the update phase; those that do not fit
 * go to device memory.
 *
 * A warp shapes a strip of four rows x 32 columns at a time (kernels/quads.cuh).
 */
#ifndef VISE_K_GRADIENT_CUH
#define VISE_K_GRADIENT_CUH

#include "kernels/layers.cuh"
#include "kernels/sums.cuh"

VISE_FN vise_strengths vise_strengths_of(vise_step *step, const vise_step_tile *t) {
  const vise_i_strengths given = vise_i_strengths_of(&step->p.rule, t->tensor.is_bias);
  const int with_l1 = !step->p.rule.prox_l1 || vise_mode_of(&step->p) == VISE_K_GRADIENT_ONLY;
  vise_strengths k;
  k.k2 = (float)given.k2;
  k.k1 = with_l1 ? (float)given.k1 : 0.0f;
  k.kF_by_norm = !VISE_RARE(given.kF != 0.0) ? 0.0f : step->norm_strengths[t->index];
  return k;
}

VISE_FN int vise_strengths_any(const vise_strengths *k) {
  return k->k2 != 0.0f || k->k1 != 0.0f || k->kF_by_norm != 0.0f;
}

/* Gradients of the penalties at w; sign(0) = 0. */
VISE_FN void vise_penalty_gradients(const vise_strengths *k, const float w[4], float g[4]) {
  vise_quad_clear(g);
  if (k->k2 != 0.0f) {
#pragma unroll
    for (int i = 0; i < 4; i++) g[i] = k->k2 * w[i];
  }
  if (k->k1 != 0.0f) {
#pragma unroll
    for (int i = 0; i < 4; i++) g[i] += w[i] > 0.0f ? k->k1 : (w[i] < 0.0f ? -k->k1 : w[i]);
  }
  if (k->kF_by_norm != 0.0f) {
#pragma unroll
    for (int i = 0; i < 4; i++) g[i] = fmaf(k->kF_by_norm, w[i], g[i]);
  }
}

/* Where the tile's gradients lie between the gradient and update phases: element (row, column) of the tile at base +
   row * ld + column. */
typedef struct vise_tile_memory {
  float *base;
  uint32_t ld;
} vise_tile_memory;

/* Where the gradient of a part goes among those of others (vise_k_part_place); 0 of whole steps. */
VISE_FN size_t vise_part_slot(const vise_step *step) {
  return !VISE_STEP_TEAMS && vise_mode_of(&step->p) == VISE_K_GRADIENT_ONLY ? step->record.part.slot : 0;
}

VISE_FN vise_tile_memory vise_tile_memory_of(vise_step *step, const vise_step_tile *t, uint32_t i) {
  vise_tile_memory m;
  if (i < step->p.n_held) {
    m.base = vise_step_floats() + vise_step_held_at(&step->p, i);
    m.ld = t->side;
  } else {
    m.base = step->p.gradients + t->tensor.first + (size_t)t->row * t->tensor.ld + t->column;
    m.base += vise_part_slot(step) * step->p.n_params;
    m.ld = t->tensor.ld;
  }
  return m;
}

/* First float of an array of near tile i: 0 its weights, then the moments that it has. */
VISE_FN uint32_t vise_near_at(const vise_k_step *p, uint32_t i, uint32_t array) {
  return vise_step_held_at(p, p->n_held + i * vise_k_step_near_arrays(p) + array);
}

/* Where weights and moments under the tile are read: element (row, column) of the tile at row * ld + column. */
typedef struct vise_tile_values {
  const float *weights, *moment1, *moment2;
  uint32_t ld;
  int near; /* they are a copy, which stays */
} vise_tile_values;

VISE_FN vise_tile_values vise_tile_values_of(vise_step *step, const vise_step_tile *t, uint32_t i) {
  const vise_k_step *p = &step->p;
  vise_tile_values v;
  v.near = i < p->n_near;

  if (v.near) {
    v.weights = vise_step_floats() + vise_near_at(p, i, 0);
    v.moment1 = v.weights + p->held_floats;
    v.moment2 = p->has_moment1 ? v.moment1 + p->held_floats : v.moment1;
    v.ld = t->side;
  } else {
    const size_t at = t->tensor.first + (size_t)t->row * t->tensor.ld + t->column;
    v.weights = p->params + at;
    v.moment1 = p->moment1 + at;
    v.moment2 = p->moment2 + at;
    v.ld = t->tensor.ld;
  }

  return v;
}

/* One of this CTA's tiles: where it is, and its numbers. */
typedef struct vise_tile {
  vise_step_tile place;
  vise_tile_values values;
  vise_tile_memory gradient;
} vise_tile;

/* Starts to copy the tile's part of `from`, an array in the device layout, to shared memory as [row][side]. */
VISE_FN void vise_load_near_tile(const vise_step_tile *t, const float *from, float *to) {
  const uint32_t quads_log = (uint32_t)vise_tree_depth(t->side / 4);
  const uint32_t column = (threadIdx.x & ((1u << quads_log) - 1)) * 4;
  const uint32_t left = t->tensor.n_rows - t->row, n_rows = left < t->n_rows ? left : t->n_rows;
  if (t->column + column >= t->tensor.n_columns) return;
#pragma unroll 1
  for (uint32_t row = threadIdx.x >> quads_log; row < n_rows; row += VISE_K_STEP_THREADS >> quads_log) {
    const size_t at = t->tensor.first + (size_t)(t->row + row) * t->tensor.ld + t->column + column;
    ptx_cp_async_16(to + row * t->side + column, from + at, 16); /* past the last column there is room for a quad */
  }
}

/* Starts to copy weights and moments of near tiles. Only this CTA writes them, in its update, so this can run while the
   team waits. The gradient phase waits for the copies. The update keeps the copies as they should be, so that they are
   made once in a launch, unless max-norm comes after it. */
VISE_FN void vise_load_near_tiles(vise_step *step) {
  const vise_k_step *p = &step->p;
  if (step->tiles_are_near) return; /* set in vise_step_end, after every thread has read it */

#pragma unroll 1
  for (uint32_t i = 0; i < p->n_near && i < step->n_own; i++) {
    const vise_step_tile t = vise_own_tile(step, i);
#pragma unroll 1
    for (uint32_t array = 0; array < vise_k_step_near_arrays(p); array++) {
      const float *from = array == 0 ? p->params : array == 1 && p->has_moment1 ? p->moment1 : p->moment2;
      vise_load_near_tile(&t, from, vise_step_floats() + vise_near_at(p, i, array));
    }
  }

  ptx_cp_async_commit();
}

VISE_FN vise_shaping vise_shaping_of(vise_step *step, const vise_step_tile *t) {
  const vise_i_rule *rule = &step->p.rule;
  const int only = vise_mode_of(&step->p) == VISE_K_GRADIENT_ONLY;
  const vise_i_box bounds = vise_i_value_bounds(rule, step->record.hyper.clip_factor);
  vise_shaping s;
  s.k = vise_strengths_of(step, t);
  s.lo = (float)bounds.lo;
  s.hi = (float)bounds.hi;
  s.penalized = vise_strengths_any(&s.k);
  s.total = only || rule->clip_scope == VISE_CLIP_SCOPE_TOTAL;
  s.clips = rule->clip_value && !only;
  s.weighs = VISE_RARE(step->p.weight_row_sums != NULL) && !only;
  return s;
}

/* Each by a thread of its own, while the team waits, of the last warps, since the first one publishes: how this CTA's
   first tiles are shaped, unless that takes norms of the weights. */
VISE_FN int vise_shapings_are_ahead(const vise_k_step *p) {
  return !VISE_RARE(p->rule.kF != 0.0);
}

VISE_FN void vise_shape_ahead(vise_step *step) {
  const uint32_t i = VISE_STEP_WARPS - 1 - threadIdx.x / 32;
  if (threadIdx.x % 32 > 0 || i >= VISE_STEP_OWN || i >= step->n_own) return;
  if (vise_shapings_are_ahead(&step->p)) step->shapings[i] = vise_shaping_of(step, &step->own[i]);
}

VISE_FN float vise_clamp_f32(float x, float lo, float hi) {
  return x < lo ? lo : (x > hi ? hi : x);
}

/* What was found in some entries: non-finite gradients, alone and with penalties; entries that the value clip changed.
 */
typedef struct vise_findings {
  uint32_t n_bad, n_bad_total, n_clipped;
} vise_findings;

/* Adds penalties to the first n entries of a quad of the gradient and clips them; the others become 0. */
VISE_FN void vise_shape_quad(const vise_shaping *s, uint32_t n, float g[4], const float w[4], vise_findings *found) {
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) found->n_bad += i < n && !vise_is_finite(g[i]);

  if (s->penalized) {
    float penalty[4];
    vise_penalty_gradients(&s->k, w, penalty);

#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
      if (s->total) g[i] += penalty[i];
      found->n_bad_total += i < n && !vise_is_finite(s->total ? g[i] : fabsf(g[i]) + fabsf(penalty[i]));
    }
  }

  if (s->clips) {
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
      found->n_clipped += i < n && (g[i] < s->lo || g[i] > s->hi);
      g[i] = vise_clamp_f32(g[i], s->lo, s->hi);
    }
  }

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) g[i] = i < n ? g[i] : 0.0f;
}

/* Reports what the lanes found in a tensor. Called by all of them. */
VISE_FN void vise_note_findings(vise_step *step, uint32_t tensor, const vise_findings *found) {
  if (!__any_sync(0xffffffffu, found->n_bad | found->n_bad_total | found->n_clipped)) return;
  vise_step_note_bad(&step->bad_gradient, found->n_bad > 0, tensor);
  vise_step_note_bad(&step->bad_total, found->n_bad_total > 0, tensor);
  vise_step_count(&step->counts.n_nonfinite, found->n_bad);
  vise_step_count(&step->counts.n_clipped_values, found->n_clipped);
}

/* Largest magnitudes of a strip: stored by row, or joined into the cell's, which starts at 0. */
VISE_FN void vise_store_max(vise_step *step, const vise_step_tile *t, const vise_strip *s, const float g[4]) {
  const vise_k_step *p = &step->p;
  const float row_most = vise_quad_max(g);

  if (VISE_RARE(p->sums_by_rows)) {
    const size_t at = (size_t)(t->row + s->row) * vise_n_leaves(t->tensor.n_columns) + t->column / VISE_LEAF + s->leaf;
    if (threadIdx.x % 8 == 0 && t->row + s->row < t->tensor.n_rows) {
      p->gradient_max[t->tensor.at.row_leaves + at] = row_most;
    }
    return;
  }

  const float most = vise_max_lanes(row_most);
  if (threadIdx.x % 32 > 0) return;
  atomicMax(&step->cell_max[s->first_row / VISE_GROUP_ROWS * (t->side / VISE_LEAF) + s->leaf], vise_bits_f32(most));
}

/* After a barrier: stores the cells' largest magnitudes and resets them to 0. */
VISE_FN void vise_store_cell_max(vise_step *step, const vise_step_tile *t) {
  const int64_t cell = vise_cell_of_tile(t, threadIdx.x);
  if (cell >= 0) step->p.gradient_max[cell] = vise_f32_bits(step->cell_max[threadIdx.x]);
  if (threadIdx.x < sizeof step->cell_max / sizeof *step->cell_max) step->cell_max[threadIdx.x] = 0;
}

/* Adds what the part's slot at `at` and the ones after it have to a quad of its gradient, the last one first. */
VISE_FN void vise_join_nodes(const vise_step *step, const float *at, float g[4]) {
#pragma unroll 1
  for (uint32_t i = step->record.part.n_joins; i-- > 0;) {
    float node[4];
    vise_quad_load(at + i * step->p.n_params, node);
#pragma unroll
    for (int k = 0; k < 4; k++) g[k] = node[k] + g[k];
  }
}

/* What a warp does to one strip of the tile: the plain gradient c [rows][side], in shared memory, is shaped and stored,
   and its squares are summed. */
VISE_FN void vise_shape_strip(vise_step *step, const vise_tile *tile, const vise_shaping *s, const float *c,
                              uint32_t row, uint32_t leaf) {
  const vise_k_step *p = &step->p;
  const vise_step_tile *t = &tile->place;
  const vise_tile_memory *to = &tile->gradient;
  const vise_strip strip = vise_strip_at(t, row, leaf);

  float g[4] = {0.0f, 0.0f, 0.0f, 0.0f}, w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  if (strip.n > 0) {
    vise_quad_load(c + strip.row * t->side + strip.column, g);
    if (s->penalized || VISE_RARE(s->weighs)) {
      vise_quad_load(tile->values.weights + (size_t)strip.row * tile->values.ld + strip.column, w);
    }
  }
  if (VISE_RARE(s->weighs)) vise_note_rows(p->weight_row_sums, t, &strip, vise_quad_squares(w));

  vise_findings found = {0, 0, 0};
  vise_shape_quad(s, strip.n, g, w, &found);
  if (strip.n > 0) {
    float *at = to->base + (size_t)strip.row * to->ld + strip.column;
    if (!VISE_STEP_TEAMS && vise_mode_of(p) == VISE_K_GRADIENT_ONLY) vise_join_nodes(step, at, g);
    vise_quad_store(at, g);
  }

  vise_note_findings(step, t->index, &found);
  if (vise_mode_of(p) == VISE_K_GRADIENT_ONLY) return;
  if (VISE_RARE(p->sums_by_rows)) {
    vise_note_rows(p->gradient_sums, t, &strip, vise_quad_squares(g));
  } else {
    vise_note_strip(0, t, &strip, vise_quad_squares(g));
  }
  if (VISE_RARE(p->gradient_max != NULL)) vise_store_max(step, t, &strip, g);
}

/* Adds what was counted to the counts of a tensor in the step's statistics and resets them to 0. Called by all threads.
   Only whole steps have an exchange between the clearing of the statistics and this. */
VISE_FN void vise_flush_counts(vise_step *step, uint32_t tensor) {
  __syncthreads();
  enum { N = sizeof(vise_k_tensor_counts) / sizeof(uint32_t) };
  if (threadIdx.x < N) {
    uint32_t *own = (uint32_t *)&step->counts + threadIdx.x;
    const uint32_t n = *own;
    if (n && vise_mode_of(&step->p) == VISE_K_STEP) {
      atomicAdd((uint32_t *)&vise_step_stats(step)->tensors[tensor] + threadIdx.x, n);
    }
    *own = 0;
  }
  __syncthreads();
}

/* Whether a strip of the tile has entries of the tensor. */
VISE_FN int vise_strip_exists(const vise_step_tile *t, uint32_t row, uint32_t leaf) {
  return t->row + row < t->tensor.n_rows && t->column + leaf * VISE_LEAF < t->tensor.n_columns;
}

/* What is done to this CTA's i-th tile before norms are known. */
VISE_FN void vise_shape_tile(vise_step *step, const vise_step_tile *t, uint32_t i, const float *c) {
  const vise_tile tile = {*t, vise_tile_values_of(step, t, i), vise_tile_memory_of(step, t, i)};
  const vise_k_step *p = &step->p;
  const int ahead = i < VISE_STEP_OWN && vise_shapings_are_ahead(p);
  const vise_shaping s = ahead ? step->shapings[i] : vise_shaping_of(step, t);
  const uint32_t across_log = (uint32_t)vise_tree_depth(t->side / VISE_LEAF);
  const uint32_t n_strips = vise_ceil_div(t->n_rows, VISE_STRIP_ROWS) << across_log;

  ptx_cp_async_wait(0);
  vise_clear_strips();
#pragma unroll 1
  for (uint32_t strip = threadIdx.x / 32; strip < n_strips; strip += VISE_STEP_WARPS) {
    const uint32_t row = (strip >> across_log) * VISE_STRIP_ROWS, leaf = strip & ((1u << across_log) - 1);
    if (vise_strip_exists(t, row, leaf)) vise_shape_strip(step, &tile, &s, c, row, leaf);
  }

  __syncthreads();
  if (vise_mode_of(p) != VISE_K_GRADIENT_ONLY && !VISE_RARE(p->sums_by_rows)) {
    vise_store_cells(vise_gradient_sums(p), 0, t);
    if (VISE_RARE(p->gradient_max != NULL)) vise_store_cell_max(step, t);
  }

  vise_flush_counts(step, t->index);
}

/* dL/db of the VISE_K_BIAS_TILE units of a layer from `column` on, over rows first_row .. first_row + n_rows of the
   batch in slices of the given length, to shared memory at float step->c: a thread takes every second slice of a unit,
   32 slices at a time. Ends with all threads together. */
VISE_FN_CALLED void vise_bias_gradient(uint32_t layer, uint32_t column, uint32_t first_row, uint32_t n_rows,
                                       uint32_t length) {
  enum { SLICES = 32, LANES = VISE_K_STEP_THREADS / VISE_K_BIAS_TILE };
  const vise_step *const step = vise_step_here();
  const vise_operand deltas = vise_operand_deltas(step, layer);
  const uint32_t n_slices = vise_ceil_div(n_rows, length);
  const uint32_t at = threadIdx.x % VISE_K_BIAS_TILE, unit = column + at;
  const float *base = deltas.base + (size_t)first_row * deltas.ld + unit;
  float *split = vise_step_split(), total = 0.0f;

#pragma unroll 1
  for (uint32_t first = 0; first < n_slices; first += SLICES) {
    const uint32_t n = n_slices - first < SLICES ? n_slices - first : (uint32_t)SLICES;

#pragma unroll 1
    for (uint32_t slice = threadIdx.x / VISE_K_BIAS_TILE; slice < n; slice += LANES) {
      const uint32_t begin = (first + slice) * length, end = begin + length < n_rows ? begin + length : n_rows;
      float sum = 0.0f;
      if (unit < deltas.n_columns) {
#pragma unroll 16
        for (uint32_t row = begin; row < end; row++) sum += base[(size_t)row * deltas.ld];
      }
      split[slice * VISE_K_BIAS_TILE + at] = sum;
    }

    __syncthreads();
    if (threadIdx.x < VISE_K_BIAS_TILE) {
#pragma unroll 1
      for (uint32_t slice = 0; slice < n; slice++) total += split[slice * VISE_K_BIAS_TILE + at];
    }
    __syncthreads();
  }

  if (threadIdx.x < VISE_K_BIAS_TILE) vise_step_floats()[step->c + at] = total + 0.0f;
  __syncthreads();
}

/* kF / ||W|| of each tensor, 0 where the norm is 0. */
VISE_FN_CALLED void vise_norm_strengths(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (!VISE_RARE(p->rule.kF != 0.0)) return;
  vise_sum_weights(step->state.parity, 0, step->weight_squares);
  if (threadIdx.x < vise_step_n_tensors(p)) {
    const double norm = vise_sqrt_f64(step->weight_squares[threadIdx.x]);
    step->norm_strengths[threadIdx.x] = norm == 0.0 ? 0.0f : (float)(p->rule.kF / norm);
  }
  __syncthreads();
}

#endif

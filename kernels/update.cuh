/*
 * The update phase: on its tiles of the gradient a CTA clips by norm, steps the optimizer, and projects; then further
 * phases shrink rows whose sums are bounded (kernels/bounded_rows.cuh), and scale rows or tensors by max-norm. Weights
 * and moments are written only by these, and only if the step is taken. Formulas and their order: host/backend/cpu64/optimizer.c and project.c; float32 throughout.
 */
#ifndef VISE_K_UPDATE_CUH
#define VISE_K_UPDATE_CUH

#include "kernels/decide.cuh"
#include "kernels/gradient.cuh"
#include "kernels/ops/batch_norm.cuh"
#include "kernels/rounding.cuh"

VISE_FN vise_update vise_update_of(vise_step *step, const vise_step_tile *t) {
  const vise_i_rule *rule = &step->p.rule;
  const vise_i_hyper *hyper = &step->record.hyper;
  const vise_i_strengths k = vise_i_strengths_of(rule, t->tensor.is_bias);
  const vise_i_box box =
      vise_i_bounds_of(rule, step->p.layers[t->tensor.layer].box, t->tensor.is_bias, hyper->clamp_factor);

  vise_update u;
  u.penalty = vise_strengths_of(step, t);
  if (rule->clip_scope == VISE_CLIP_SCOPE_TOTAL) u.penalty.k2 = u.penalty.k1 = u.penalty.kF_by_norm = 0.0f;

  u.lr = (float)hyper->lr;
  u.keep = (float)vise_i_decay(&k, hyper->lr);
  u.shrink = (float)vise_i_shrinkage(rule, &k, hyper->lr);
  u.cap = (float)vise_i_update_cap(rule);
  u.lo = (float)box.lo;
  u.hi = (float)box.hi;
  return u;
}

/* What the norm clip by tensors multiplies gradients by. */
VISE_FN float vise_tensor_scale(const vise_step *step, uint32_t tensor) {
  return vise_i_clips_tensors(&step->p.rule) ? step->scales[tensor] : 1.0f;
}

/* Directions of the optimizer in place of gradients; advances the moments. */
VISE_FN void vise_directions(vise_step *step, float g[4], float m1[4], float m2[4]) {
  const vise_i_rule *rule = &step->p.rule;
  const float mu = (float)rule->momentum, eps = (float)rule->eps;

  switch (rule->optimizer) {
    case VISE_RMSPROP: {
      const float rho = (float)rule->rho, rest = (float)(1.0 - rule->rho);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        m2[i] = fmaf(rho, m2[i], rest * g[i] * g[i]);
        g[i] = g[i] / (sqrtf(m2[i]) + eps);
        if (step->p.has_moment1) g[i] = m1[i] = fmaf(mu, m1[i], g[i]);
      }
      return;
    }
    case VISE_ADAM: {
      const float beta1 = (float)rule->beta1, rest1 = (float)(1.0 - rule->beta1);
      const float beta2 = (float)rule->beta2, rest2 = (float)(1.0 - rule->beta2);
      const float correct1 = step->correct1, correct2 = step->correct2;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        m1[i] = fmaf(beta1, m1[i], rest1 * g[i]);
        m2[i] = fmaf(beta2, m2[i], rest2 * g[i] * g[i]);
        g[i] = m1[i] * correct1 / (sqrtf(m2[i] * correct2) + eps);
      }
      return;
    }
    case VISE_LION: {
      const float beta1 = (float)rule->beta1, rest1 = (float)(1.0 - rule->beta1);
      const float beta2 = (float)rule->beta2, rest2 = (float)(1.0 - rule->beta2);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const float u = fmaf(beta1, m1[i], rest1 * g[i]);
        m1[i] = fmaf(beta2, m1[i], rest2 * g[i]);
        g[i] = u > 0.0f ? 1.0f : (u < 0.0f ? -1.0f : u);
      }
      return;
    }
    default:
      if (!step->p.has_moment1) return;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        m1[i] = fmaf(mu, m1[i], g[i]);
        g[i] = rule->nesterov ? fmaf(mu, m1[i], g[i]) : m1[i];
      }
      return;
  }
}

/* sign(w) max(|w| - by, 0), a true zero where |w| <= by; NaN stays NaN. */
VISE_FN float vise_shrink_f32(float w, float by) {
  const float rest = fabsf(w) - by;
  return rest <= 0.0f ? 0.0f : (w < 0.0f ? -rest : rest);
}

/* A quad of a tensor: gradients as the gradient phase left them, weights and moments; n are elements of the tensor. */
typedef struct vise_entries {
  float g[4], w[4], m1[4], m2[4];
  uint32_t n, mask; /* bytes of the mask, 0 where it has pruned an element */
} vise_entries;

/* Mask, box and, where there are any, signs. What is not part of the tensor becomes 0. */
VISE_FN void vise_project_quad(const vise_update *u, vise_entries *e, int signs) {
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    if (!(e->mask >> 8 * i & 0xff)) e->w[i] = e->m1[i] = e->m2[i] = 0.0f;
    e->w[i] = vise_clamp_f32(e->w[i], u->lo, u->hi);
    if (signs) e->w[i] = vise_i_bound_sign(e->w[i], e->mask >> 8 * i & 0xff);
    if (i >= e->n) e->w[i] = e->m1[i] = e->m2[i] = 0.0f;
  }
}

/* New weights and moments; scale: of the norm clips. */
VISE_FN void vise_update_quad(vise_step *step, const vise_update *u, float scale, vise_entries *e) {
  float penalty[4];
  vise_penalty_gradients(&u->penalty, e->w, penalty);
#pragma unroll
  for (int i = 0; i < 4; i++) e->g[i] = e->g[i] * scale + penalty[i];

  vise_directions(step, e->g, e->m1, e->m2);

#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float d = vise_clamp_f32(u->lr * e->g[i], -u->cap, u->cap);
    e->w[i] = u->keep * e->w[i] - d;
  }
  if (u->shrink > 0.0f) {
#pragma unroll
    for (int i = 0; i < 4; i++) e->w[i] = vise_shrink_f32(e->w[i], u->shrink);
  }
  vise_project_quad(u, e, VISE_RARE(step->p.has_signs));
}

/* Counts the first n entries of w that are at their bounds. Called by all lanes. */
VISE_FN void vise_count_at_bounds(vise_step *step, float lo, float hi, const float w[4], uint32_t n) {
  uint32_t n_at_lo = 0, n_at_hi = 0;

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    n_at_lo += i < n && w[i] == lo;
    n_at_hi += i < n && w[i] == hi;
  }

  if (vise_is_finite(lo)) vise_step_count(&step->counts.n_at_lo, n_at_lo);
  if (vise_is_finite(hi)) vise_step_count(&step->counts.n_at_hi, n_at_hi);
}

/* Counts entries at their bounds and leaves the sums of the weights that the next step reports. */
VISE_FN void vise_measure_strip(vise_step *step, const vise_step_tile *t, const vise_update *u, const vise_strip *s,
                                const float w[4]) {
  const vise_k_step *p = &step->p;
  vise_count_at_bounds(step, u->lo, u->hi, w, s->n);
  if (!p->weight_sums_needed) return;
  if (vise_weight_sums_by_rows(p)) {
    vise_note_rows(vise_weight_sums(p, step->state.parity + 1, 0), t, s, vise_quad_squares(w));
    if (vise_weighs_magnitudes(p)) {
      vise_note_rows(vise_weight_sums(p, step->state.parity + 1, 1), t, s, vise_quad_magnitudes(w));
    }
    return;
  }
  vise_note_strip(0, t, s, vise_quad_squares(w));
  if (vise_weighs_magnitudes(p)) vise_note_strip(1, t, s, vise_quad_magnitudes(w));
}

/* A near tile's copy follows what is stored, where it stays for the next step. */
VISE_FN void vise_keep_near(const vise_k_step *p, const vise_tile_values *values, size_t at, const vise_entries *e) {
  if (!values->near) return;
  vise_quad_store((float *)values->weights + at, e->w);
  if (p->has_moment1) vise_quad_store((float *)values->moment1 + at, e->m1);
  if (p->has_moment2) vise_quad_store((float *)values->moment2 + at, e->m2);
}

/* Stores new values of a quad and of its moments; w returns the new values. */
VISE_FN void vise_update_entries(vise_step *step, const vise_tile *tile, const vise_update *u, const vise_strip *s,
                                 float w[4]) {
  const vise_k_step *p = &step->p;
  const vise_step_tile *t = &tile->place;
  const vise_tile_values *values = &tile->values;
  const vise_tile_memory *from = &tile->gradient;
  const size_t at = t->tensor.first + (size_t)(t->row + s->row) * t->tensor.ld + t->column + s->column;
  const size_t in_tile = (size_t)s->row * values->ld + s->column;

  vise_entries e = {{0}, {w[0], w[1], w[2], w[3]}, {0}, {0}, s->n, 0x01010101u};
  if (p->has_moment1) vise_quad_load(values->moment1 + in_tile, e.m1);
  if (p->has_moment2) vise_quad_load(values->moment2 + in_tile, e.m2);
  if (p->has_mask) e.mask = *(const uint32_t *)(p->mask + at);

  if (vise_mode_of(p) == VISE_K_PROJECT) {
    vise_project_quad(u, &e, VISE_RARE(p->has_signs));
  } else {
    const float by_unit =
        VISE_RARE(p->unit_scales != NULL) ? p->unit_scales[t->tensor.at.units + t->row + s->row] : 1.0f;
    vise_quad_load(from->base + (size_t)s->row * from->ld + s->column, e.g);
    vise_update_quad(step, u, by_unit * vise_tensor_scale(step, t->index), &e);
  }

  if (VISE_STEP_INTEGER) vise_cut_quad(p, &t->tensor, t->row + s->row, t->column + s->column, s->n, e.w);
  vise_put_params(p, at, e.w);
  if (p->has_moment1) vise_quad_store(p->moment1 + at, e.m1);
  if (p->has_moment2) vise_quad_store(p->moment2 + at, e.m2);
  vise_keep_near(p, values, in_tile, &e);

#pragma unroll
  for (int i = 0; i < 4; i++) w[i] = e.w[i];
}

/* Max-norm's scale of weights from the sum of their squares. */
VISE_FN float vise_bound_scale(const vise_step *step, double square) {
  return (float)vise_i_max_norm_scale(&step->p.rule, vise_sqrt_f64(square));
}

/* Max-norm of a quad: stores values where they change; w returns them. */
VISE_FN void vise_bound_quad(vise_step *step, const vise_step_tile *t, const vise_strip *s, float w[4]) {
  const vise_k_step *p = &step->p;
  const int by_units = vise_i_bounds_unit_norms(&p->rule);
  const float scale = vise_bound_scale(
      step, by_units ? p->norm_unit_sums[t->tensor.at.units + t->row + s->row] : step->weight_squares[t->index]);
  if (scale == 1.0f) return;

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) w[i] = i < s->n ? w[i] * scale : 0.0f;
  vise_put_params(p, t->tensor.first + (size_t)(t->row + s->row) * t->tensor.ld + t->column + s->column, w);
}

/* What is done to the weights, each in a phase of its own: SHRINK to rows (kernels/bounded_rows.cuh), the others to
   tiles. */
enum { VISE_STAGE_UPDATE, VISE_STAGE_SHRINK, VISE_STAGE_BOUND };

/* Whether the rows of a tensor shrink. */
VISE_FN int vise_has_ball(const vise_k_step *p, const vise_step_tensor *t) {
  return VISE_RARE(p->bounds_rows) && !t->is_bias && vise_k_has_ball(p, t->layer);
}

/* The last that is to come before max-norm, if that comes: it leaves the sums of norms. */
VISE_FN int vise_stage_of_norms(int shrinks) {
  return shrinks ? VISE_STAGE_SHRINK : VISE_STAGE_UPDATE;
}

/* Whether counts, and the sums that the next step reports, are still to be made after this stage. */
VISE_FN int vise_more_stages(const vise_k_step *p, int shrinks, int stage) {
  return (p->norm_sums != NULL && stage != VISE_STAGE_BOUND) || (shrinks && stage == VISE_STAGE_UPDATE);
}

/* Whether counts and sums of this CTA's i-th tile are made after the CTA has arrived for the next step, from the near
   copy. In launches of many teams the counts must be there before. */
VISE_FN int vise_measures_late(const vise_k_step *p, const vise_step_tile *t, uint32_t i) {
  return !VISE_STEP_TEAMS && vise_mode_of(p) == VISE_K_STEP && i < p->n_near && !VISE_RARE(p->norm_sums != NULL) &&
         !vise_has_ball(p, &t->tensor);
}

/* Whether a stage has nothing to say of a tile: others do, later or when its rows shrink. */
VISE_FN int vise_stage_is_silent(const vise_k_step *p, const vise_step_tile *t, uint32_t i, int stage) {
  return stage == VISE_STAGE_UPDATE && (vise_measures_late(p, t, i) || vise_has_ball(p, &t->tensor));
}

/* A strip of a stage, whose values are those of device memory. */
VISE_FN void vise_update_strip(vise_step *step, const vise_tile *tile, const vise_update *u, const vise_strip *strip,
                               int stage, int silent) {
  const vise_k_step *p = &step->p;
  const vise_step_tile *t = &tile->place;
  const vise_tile_values *values = &tile->values;
  const vise_strip s = *strip;

  float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  if (s.n > 0) {
    vise_quad_load(values->weights + (size_t)s.row * values->ld + s.column, w);
    if (!step->skip && stage == VISE_STAGE_UPDATE) vise_update_entries(step, tile, u, &s, w);
    if (!step->skip && VISE_RARE(stage == VISE_STAGE_BOUND) && !t->tensor.is_bias) vise_bound_quad(step, t, &s, w);
  }
  if (silent) return;

  if (!VISE_RARE(vise_more_stages(p, 0, stage))) {
    vise_measure_strip(step, t, u, &s, w);
  } else {
    if (vise_norms_by_rows(p)) {
      vise_note_rows(p->norm_sums, t, &s, vise_quad_squares(w));
    } else {
      vise_note_strip(0, t, &s, vise_quad_squares(w));
    }
  }
}

/* Sums of the tile's cells: of new weights for the next step's report, or, before max-norm, for its norms. */
VISE_FN void vise_store_weight_cells(vise_step *step, const vise_step_tile *t, int stage) {
  const vise_k_step *p = &step->p;
  if (VISE_RARE(vise_more_stages(p, 0, stage))) {
    if (!vise_norms_by_rows(p)) vise_store_cells(p->norm_sums, 0, t);
  } else if (p->weight_sums_needed && !vise_weight_sums_by_rows(p)) {
    vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 0), 0, t);
    if (vise_weighs_magnitudes(p)) vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 1), 1, t);
  }
}

/* The strips of a tile, which the warps take in turn. */
typedef struct vise_strips {
  uint32_t across_log, n;
} vise_strips;

VISE_FN vise_strips vise_strips_of(const vise_step_tile *t) {
  vise_strips s;
  s.across_log = (uint32_t)vise_tree_depth(t->side / VISE_LEAF);
  s.n = vise_ceil_div(t->n_rows, VISE_STRIP_ROWS) << s.across_log;
  return s;
}

/* Each by a thread of its own, of the last warps, while the team waits for the deltas, or, if penalties take norms of the
   weights, for the norm: what is done to this CTA's first tiles, and what the optimizer needs if the step is taken. */
VISE_FN_CALLED void vise_update_ahead(void) {
  vise_step *const step = vise_step_here();
  const uint32_t i = VISE_STEP_WARPS - 1 - threadIdx.x / 32;
  if (threadIdx.x % 32 > 0) return;
  if (i < VISE_STEP_OWN && i < step->n_own) step->updates[i] = vise_update_of(step, &step->own[i]);
  if (i == VISE_STEP_OWN) vise_correct_ahead(step);
}

/* While the team waits for the deltas: all that is known of this CTA's tiles, and their near copies. */
VISE_FN_CALLED void vise_tiles_ahead(void) {
  vise_step *const step = vise_step_here();
  vise_shape_ahead(step);
  if (vise_shapings_are_ahead(&step->p)) vise_update_ahead();
  vise_load_near_tiles(step);
}

/* A stage of all tiles of this CTA. */
VISE_FN_CALLED void vise_update_tiles(int stage) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const int ahead = vise_mode_of(p) == VISE_K_STEP;

#pragma unroll 1
  for (uint32_t i = 0; i < step->n_own; i++) {
    const vise_step_tile t = vise_own_tile(step, i);
    const vise_tile tile = {t, vise_tile_values_of(step, &t, stage != VISE_STAGE_UPDATE ? p->n_near : i),
                            vise_tile_memory_of(step, &t, i)};
    const vise_update u = ahead && i < VISE_STEP_OWN ? step->updates[i] : vise_update_of(step, &t);
    const vise_strips strips = vise_strips_of(&t);
    const int silent = vise_stage_is_silent(p, &t, i, stage);

    if (!silent) vise_clear_strips();
#pragma unroll 1
    for (uint32_t strip = threadIdx.x / 32; strip < strips.n; strip += VISE_STEP_WARPS) {
      const uint32_t row = (strip >> strips.across_log) * VISE_STRIP_ROWS;
      const uint32_t leaf = strip & ((1u << strips.across_log) - 1);
      const vise_strip s = vise_strip_at(&t, row, leaf);
      if (vise_strip_exists(&t, row, leaf)) vise_update_strip(step, &tile, &u, &s, stage, silent);
    }

    if (silent) continue;
    __syncthreads();
    vise_store_weight_cells(step, &t, stage);
    vise_flush_counts(step, t.index);
  }
}

/* Counts and sums of the tiles that the update left for later. All threads meet before it. */
VISE_FN_CALLED void vise_measure_tiles(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;

#pragma unroll 1
  for (uint32_t i = 0; i < step->n_own && i < p->n_near; i++) {
    const vise_step_tile t = vise_own_tile(step, i);
    if (!vise_measures_late(p, &t, i)) continue;
    const vise_tile_values values = vise_tile_values_of(step, &t, i);
    const vise_update u = i < VISE_STEP_OWN ? step->updates[i] : vise_update_of(step, &t);
    const vise_strips strips = vise_strips_of(&t);

    vise_clear_strips();
#pragma unroll 1
    for (uint32_t strip = threadIdx.x / 32; strip < strips.n; strip += VISE_STEP_WARPS) {
      const uint32_t row = (strip >> strips.across_log) * VISE_STRIP_ROWS;
      const uint32_t leaf = strip & ((1u << strips.across_log) - 1);
      if (!vise_strip_exists(&t, row, leaf)) continue;

      const vise_strip s = vise_strip_at(&t, row, leaf);
      float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
      if (s.n > 0) vise_quad_load(values.weights + (size_t)s.row * values.ld + s.column, w);
      vise_measure_strip(step, &t, &u, &s, w);
    }

    __syncthreads();
    vise_store_weight_cells(step, &t, VISE_STAGE_UPDATE);
    vise_flush_counts(step, t.index);
  }
}

/* After the last exchange: the scales, then the tiles. */
VISE_FN_CALLED void vise_update_phase(void) {
  vise_step *const step = vise_step_here();
  if (vise_mode_of(&step->p) != VISE_K_PROJECT) vise_decide();
  if (VISE_RARE(step->p.has_norm) && vise_mode_of(&step->p) == VISE_K_STEP && !step->skip) {
    if (vise_segment_has(&step->p, VISE_K_IN_SEGMENTS)) {
      vise_norm_track_parts();
    } else {
      vise_norm_track();
    }
  }
  vise_update_tiles(VISE_STAGE_UPDATE);
}

VISE_FN_CALLED void vise_max_norm_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (vise_i_bounds_tensor_norms(&p->rule)) {
    vise_sum_tensors_alone(p->norm_sums, vise_norms_by_rows(p), (double *)vise_step_stage(), step->weight_squares);
  }
  vise_update_tiles(VISE_STAGE_BOUND);
}

#endif

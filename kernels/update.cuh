/*
 * The update phase: on its tiles of the gradient a CTA clips by norm, steps the optimizer, and projects; then, with
 * max-norm, a further phase scales rows or tensors. Weights and moments are written only here, and only if the step is
 * taken. Formulas and their order: host/backend/cpu64/optimizer.c and project.c; float32 throughout.
 */
#ifndef VISE_K_UPDATE_CUH
#define VISE_K_UPDATE_CUH

#include "kernels/decide.cuh"
#include "kernels/gradient.cuh"
#include "kernels/ops/batch_norm.cuh"

/* What is the same for all weights of a tensor. */
typedef struct vise_update {
  vise_strengths penalty; /* added after the clips; zeros where it was part of the clipped gradient */
  float lr, keep, shrink, cap, scale, lo, hi;
} vise_update;

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
  u.scale = vise_i_clips_tensors(rule) ? step->scales[t->index] : 1.0f;
  u.lo = (float)box.lo;
  u.hi = (float)box.hi;
  return u;
}

/* The direction of the optimizer; advances the moments. */
VISE_FN float vise_direction(vise_step *step, float g, float *m1, float *m2) {
  const vise_i_rule *rule = &step->p.rule;
  const float mu = (float)rule->momentum;

  switch (rule->optimizer) {
    case VISE_RMSPROP: {
      const float rho = (float)rule->rho, rest = (float)(1.0 - rule->rho);
      *m2 = fmaf(rho, *m2, rest * g * g);
      const float u = g / (sqrtf(*m2) + (float)rule->eps);
      if (!step->p.has_moment1) return u;
      *m1 = fmaf(mu, *m1, u);
      return *m1;
    }
    case VISE_ADAM: {
      const float beta1 = (float)rule->beta1, rest1 = (float)(1.0 - rule->beta1);
      const float beta2 = (float)rule->beta2, rest2 = (float)(1.0 - rule->beta2);
      *m1 = fmaf(beta1, *m1, rest1 * g);
      *m2 = fmaf(beta2, *m2, rest2 * g * g);
      return *m1 * step->correct1 / (sqrtf(*m2 * step->correct2) + (float)rule->eps);
    }
    case VISE_LION: {
      const float u = fmaf((float)rule->beta1, *m1, (float)(1.0 - rule->beta1) * g);
      *m1 = fmaf((float)rule->beta2, *m1, (float)(1.0 - rule->beta2) * g);
      return u > 0.0f ? 1.0f : (u < 0.0f ? -1.0f : u);
    }
    default:
      if (!step->p.has_moment1) return g;
      *m1 = fmaf(mu, *m1, g);
      return rule->nesterov ? fmaf(mu, *m1, g) : *m1;
  }
}

/* sign(w) max(|w| - by, 0), a true zero where |w| <= by; NaN stays NaN. */
VISE_FN float vise_shrink_f32(float w, float by) {
  const float rest = fabsf(w) - by;
  return rest <= 0.0f ? 0.0f : (w < 0.0f ? -rest : rest);
}

/* One entry of a tensor: its gradient as the gradient phase left it, weight and moments. */
typedef struct vise_entry {
  float g, w, m1, m2;
} vise_entry;

/* Mask and box; kept 0: the mask has pruned it. */
VISE_FN void vise_project_entry(const vise_update *u, int kept, vise_entry *e) {
  if (!kept) e->w = e->m1 = e->m2 = 0.0f;
  e->w = vise_clamp_f32(e->w, u->lo, u->hi);
}

/* New weight and moments. */
VISE_FN void vise_update_entry(vise_step *step, const vise_update *u, float scale, int kept, vise_entry *e) {
  const float g = e->g * scale + vise_penalty_gradient(&u->penalty, e->w);
  const float d = vise_clamp_f32(u->lr * vise_direction(step, g, &e->m1, &e->m2), -u->cap, u->cap);
  e->w = u->keep * e->w - d;
  if (u->shrink > 0.0f) e->w = vise_shrink_f32(e->w, u->shrink);
  vise_project_entry(u, kept, e);
}

/* Counts the entries of w that are at their bounds; bit i of inside: w[i] is one. Called by all lanes. */
VISE_FN void vise_count_at_bounds(vise_step *step, const vise_update *u, const float w[VISE_STRIP_ROWS],
                                  unsigned inside) {
  uint32_t n_at_lo = 0, n_at_hi = 0;

#pragma unroll
  for (uint32_t i = 0; i < VISE_STRIP_ROWS; i++) {
    n_at_lo += (inside >> i & 1) && w[i] == u->lo;
    n_at_hi += (inside >> i & 1) && w[i] == u->hi;
  }

  if (vise_is_finite(u->lo)) vise_step_count(&step->counts.n_at_lo, n_at_lo);
  if (vise_is_finite(u->hi)) vise_step_count(&step->counts.n_at_hi, n_at_hi);
}

/* Counts entries at their bounds and leaves the sums of the weights that the next step reports. */
VISE_FN void vise_measure_strip(vise_step *step, const vise_step_tile *t, const vise_update *u, uint32_t row,
                                uint32_t leaf, const vise_four *w) {
  vise_count_at_bounds(step, u, w->v, vise_rows_inside(t, row, leaf * VISE_LEAF + threadIdx.x % 32));
  if (!step->p.weight_sums_needed) return;

  vise_note_strip(0, t, row, leaf, vise_sum_squares_of_rows(w));
  vise_note_strip(1, t, row, leaf,
                  vise_sum_four_rows((double)fabsf(w->v[0]), (double)fabsf(w->v[1]), (double)fabsf(w->v[2]),
                                     (double)fabsf(w->v[3])));
}

/* A near tile's copy follows what is stored, where it stays for the next step. */
VISE_FN void vise_keep_near(const vise_k_step *p, const vise_tile_values *values, size_t at, const vise_entry *e) {
#if VISE_STEP_TEAMS
  if (!values->near) return;
  ((float *)values->weights)[at] = e->w;
  if (p->has_moment1) ((float *)values->moment1)[at] = e->m1;
  if (p->has_moment2) ((float *)values->moment2)[at] = e->m2;
#else
  (void)p, (void)values, (void)at, (void)e;
#endif
}

/* Stores new values of four rows of a column and of their moments; w returns the new values. */
VISE_FN void vise_update_rows(vise_step *step, const vise_tile *tile, const vise_update *u, uint32_t row,
                              uint32_t column, vise_four *w) {
  const vise_k_step *p = &step->p;
  const vise_step_tile *t = &tile->place;
  const vise_tile_values *values = &tile->values;
  const vise_tile_memory *from = &tile->gradient;
  const unsigned inside = vise_rows_inside(t, row, column);
  const int project = p->mode == VISE_K_PROJECT, by_units = p->unit_scales != NULL;

  size_t at = t->tensor.first + (size_t)(t->row + row) * t->tensor.ld + t->column + column;
  const size_t in_tile = (size_t)row * values->ld + column;
  vise_four m1 = vise_load_four(values->moment1 + in_tile, values->ld, p->has_moment1 ? inside : 0);
  vise_four m2 = vise_load_four(values->moment2 + in_tile, values->ld, p->has_moment2 ? inside : 0);
  vise_four g = vise_load_four(from->base + (size_t)row * from->ld + column, from->ld, project ? 0 : inside);

#pragma unroll 1
  for (uint32_t r = 0; r < VISE_STRIP_ROWS; r++, at += t->tensor.ld) {
    vise_entry e = {g.v[0], w->v[0], m1.v[0], m2.v[0]};
    if (inside >> r & 1) {
      const int kept = !p->has_mask || p->mask[at];
      if (project) {
        vise_project_entry(u, kept, &e);
      } else {
        const float by_unit = by_units ? p->unit_scales[t->tensor.at.units + t->row + row + r] : 1.0f;
        vise_update_entry(step, u, by_unit * u->scale, kept, &e);
      }

      vise_put_param(p, at, e.w);
      if (p->has_moment1) p->moment1[at] = e.m1;
      if (p->has_moment2) p->moment2[at] = e.m2;
      vise_keep_near(p, values, in_tile + (size_t)r * values->ld, &e);
    }

    vise_rotate(w, e.w);
    vise_rotate(&g, 0.0f);
    vise_rotate(&m1, 0.0f);
    vise_rotate(&m2, 0.0f);
  }
}

/* Max-norm's scale of weights from the sum of their squares. */
VISE_FN float vise_bound_scale(const vise_step *step, double square) {
  return (float)vise_i_max_norm_scale(&step->p.rule, vise_sqrt_f64(square));
}

/* Max-norm of four rows: stores values where they change; w returns them. */
VISE_FN void vise_bound_rows(vise_step *step, const vise_step_tile *t, uint32_t row, uint32_t column, unsigned inside,
                             vise_four *w) {
  const vise_k_step *p = &step->p;
  const int by_units = vise_i_bounds_unit_norms(&p->rule);
  size_t at = t->tensor.first + (size_t)(t->row + row) * t->tensor.ld + t->column + column;

#pragma unroll 1
  for (uint32_t r = 0; r < VISE_STRIP_ROWS; r++, at += t->tensor.ld) {
    float new_w = w->v[0];
    if (inside >> r & 1) {
      const float scale = vise_bound_scale(
          step, by_units ? p->norm_unit_sums[t->tensor.at.units + t->row + row + r] : step->weight_squares[t->index]);
      if (scale != 1.0f) {
        new_w *= scale;
        vise_put_param(p, at, new_w);
      }
    }

    vise_rotate(w, new_w);
  }
}

/* A strip of the update, or of the max-norm, whose values are those of device memory. */
VISE_FN void vise_update_strip(vise_step *step, const vise_tile *tile, const vise_update *u, uint32_t row,
                               uint32_t leaf, int max_norm) {
  const vise_k_step *p = &step->p;
  const vise_step_tile *t = &tile->place;
  const vise_tile_values *values = &tile->values;
  const uint32_t column = leaf * VISE_LEAF + threadIdx.x % 32;
  const unsigned inside = vise_rows_inside(t, row, column);
  vise_four w = vise_load_four(values->weights + (size_t)row * values->ld + column, values->ld, inside);

  if (!step->skip && !max_norm) vise_update_rows(step, tile, u, row, column, &w);
  if (!step->skip && max_norm && !t->tensor.is_bias) vise_bound_rows(step, t, row, column, inside, &w);

  if (!p->norm_sums || max_norm) {
    vise_measure_strip(step, t, u, row, leaf, &w);
  } else if (vise_i_bounds_unit_norms(&p->rule)) {
    vise_note_rows(p->norm_sums, t, row, leaf, vise_sum_squares_of_rows(&w));
  } else {
    vise_note_strip(0, t, row, leaf, vise_sum_squares_of_rows(&w));
  }
}

/* Sums of the tile's cells: of new weights for the next step's report, or, before max-norm, for its norms. */
VISE_FN void vise_store_weight_cells(vise_step *step, const vise_step_tile *t, int max_norm) {
  const vise_k_step *p = &step->p;
  if (p->norm_sums && !max_norm) {
    if (vise_i_bounds_tensor_norms(&p->rule)) vise_store_cells(p->norm_sums, 0, t);
  } else if (p->weight_sums_needed) {
    vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 0), 0, t);
    vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 1), 1, t);
  }
}

/* The update, or the max-norm, of all tiles of this CTA. */
VISE_FN_CALLED void vise_update_tiles(int max_norm) {
  vise_step *const step = vise_step_here();

#pragma unroll 1
  for (uint32_t i = 0; vise_step_member() + i * step->p.n_members < step->p.n_gradient_tiles; i++) {
    const vise_step_tile t = vise_step_tile_at(&step->p, vise_step_member() + i * step->p.n_members);
    const vise_tile tile = {t, vise_tile_values_of(step, &t, max_norm ? step->p.n_near : i),
                            vise_tile_memory_of(step, &t, i)};
    const vise_update u = vise_update_of(step, &t);
    const uint32_t across_log = (uint32_t)vise_tree_depth(t.side / VISE_LEAF);
    const uint32_t n_strips = vise_ceil_div(t.n_rows, VISE_STRIP_ROWS) << across_log;

    vise_clear_strips();
#pragma unroll 1
    for (uint32_t strip = threadIdx.x / 32; strip < n_strips; strip += VISE_STEP_WARPS) {
      const uint32_t row = (strip >> across_log) * VISE_STRIP_ROWS, leaf = strip & ((1u << across_log) - 1);
      if (vise_strip_exists(&t, row, leaf)) vise_update_strip(step, &tile, &u, row, leaf, max_norm);
    }

    __syncthreads();
    vise_store_weight_cells(step, &t, max_norm);
    vise_flush_counts(step, &t);
  }
}

/* After the last exchange: the scales, then the tiles. */
VISE_FN_CALLED void vise_update_phase(void) {
  vise_step *const step = vise_step_here();
  if (step->p.mode != VISE_K_PROJECT) vise_decide();
  if (step->p.has_norm && step->p.mode == VISE_K_STEP && !step->skip) vise_norm_track();
  vise_update_tiles(0);
}

VISE_FN_CALLED void vise_max_norm_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (vise_i_bounds_tensor_norms(&p->rule)) {
    vise_sum_tensors_alone(p->norm_sums, 0, (double *)vise_step_stage(), step->weight_squares);
  }
  vise_update_tiles(1);
}

#endif

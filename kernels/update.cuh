/*
 * The update phase: on its tiles of the gradient a CTA clips by norm, steps the optimizer, and projects; then, with
 * max-norm, a further phase scales rows or tensors. Weights and moments are written only here, and only if the step is
 * taken. Formulas and their order: host/backend/cpu64/optimizer.c and project.c; float32 throughout.
 */
#ifndef VISE_K_UPDATE_CUH
#define VISE_K_UPDATE_CUH

#include "kernels/decide.cuh"
#include "kernels/gradient.cuh"

/* What is the same for all weights of a tensor. */
typedef struct vise_update {
  vise_strengths penalty; /* added after the clips; zeros where it was part of the clipped gradient */
  float lr, keep, shrink, cap, scale, lo, hi;
  int boxed;
} vise_update;

/* Bounds of a tensor's box; infinite ones stay so under any factor. */
VISE_FN void vise_box_of(vise_step *step, const vise_step_tile *t, float *lo, float *hi) {
  const vise_k_step_options *o = &step->p.options;
  const double factor = step->record.clamp_factor;
  const int exempt = t->tensor.is_bias && !o->clamp_bias;
  const double low = o->box_lo[t->tensor.layer], high = o->box_hi[t->tensor.layer];
  *lo = exempt || !vise_is_finite_f64(low) ? (exempt ? -INFINITY : (float)low) : (float)(low * factor);
  *hi = exempt || !vise_is_finite_f64(high) ? (exempt ? INFINITY : (float)high) : (float)(high * factor);
}

VISE_FN vise_update vise_update_of(vise_step *step, const vise_step_tile *t) {
  const vise_k_step_options *o = &step->p.options;
  const int exempt = t->tensor.is_bias && !o->penalize_bias;

  vise_update u;
  u.penalty = vise_strengths_of(step, t);
  if (!o->clip_scope_data) u.penalty.k2 = u.penalty.k1 = u.penalty.kF_by_norm = 0.0f;

  const double keep = 1.0 - step->record.lr * (exempt ? 0.0 : o->k2d);
  u.lr = (float)step->record.lr;
  u.keep = keep < 0.0 ? 0.0f : (float)keep;
  u.shrink = o->prox_l1 && !exempt ? (float)(step->record.lr * o->k1) : 0.0f;
  u.cap = o->max_update > 0.0 ? (float)o->max_update : INFINITY;
  u.scale = o->clip_norm > 0.0 && o->clip_norm_type != 2 ? step->scales[t->index] : 1.0f;

  vise_box_of(step, t, &u.lo, &u.hi);
  return u;
}

/* The direction of the optimizer; advances the moments. */
VISE_FN float vise_direction(vise_step *step, float g, float *m1, float *m2) {
  const vise_k_step_options *o = &step->p.options;
  const float mu = (float)o->momentum;

  switch (o->optimizer) {
    case VISE_K_RMSPROP: {
      const float rho = (float)o->rho, rest = (float)(1.0 - o->rho);
      *m2 = fmaf(rho, *m2, rest * g * g);
      const float u = g / (sqrtf(*m2) + (float)o->eps);
      if (!step->p.has_moment1) return u;
      *m1 = fmaf(mu, *m1, u);
      return *m1;
    }
    case VISE_K_ADAM: {
      const float beta1 = (float)o->beta1, rest1 = (float)(1.0 - o->beta1);
      const float beta2 = (float)o->beta2, rest2 = (float)(1.0 - o->beta2);
      *m1 = fmaf(beta1, *m1, rest1 * g);
      *m2 = fmaf(beta2, *m2, rest2 * g * g);
      return *m1 * step->correct1 / (sqrtf(*m2 * step->correct2) + (float)o->eps);
    }
    default:
      if (!step->p.has_moment1) return g;
      *m1 = fmaf(mu, *m1, g);
      return o->nesterov ? fmaf(mu, *m1, g) : *m1;
  }
}

/* sign(w) max(|w| - by, 0), a true zero where |w| <= by; NaN stays NaN. */
VISE_FN float vise_shrink_f32(float w, float by) {
  const float rest = fabsf(w) - by;
  return rest <= 0.0f ? 0.0f : (w < 0.0f ? -rest : rest);
}

VISE_FN float vise_clamp_f32(float x, float lo, float hi) {
  return x < lo ? lo : (x > hi ? hi : x);
}

/* New value of a weight from its gradient as the gradient phase left it. */
VISE_FN float vise_new_weight(vise_step *step, const vise_update *u, float scale, float g, float w, float *m1,
                              float *m2) {
  g = g * scale + vise_penalty_gradient(&u->penalty, w);
  const float d = vise_clamp_f32(u->lr * vise_direction(step, g, m1, m2), -u->cap, u->cap);
  w = u->keep * w - d;
  if (u->shrink > 0.0f) w = vise_shrink_f32(w, u->shrink);
  return w;
}

/* Counts entries at their bounds and leaves the sums of the weights that the next step reports. */
VISE_FN void vise_measure_strip(vise_step *step, const vise_step_tile *t, const vise_update *u, const vise_four *w,
                                unsigned inside, uint32_t row, uint32_t leaf) {
  const vise_k_step *p = &step->p;
  uint32_t n_at_lo = 0, n_at_hi = 0;

#pragma unroll
  for (uint32_t r = 0; r < VISE_STRIP_ROWS; r++) {
    n_at_lo += (inside >> r & 1) && w->v[r] == u->lo;
    n_at_hi += (inside >> r & 1) && w->v[r] == u->hi;
  }

  if (vise_is_finite(u->lo)) vise_step_count(&step->counts.n_at_lo, n_at_lo);
  if (vise_is_finite(u->hi)) vise_step_count(&step->counts.n_at_hi, n_at_hi);
  if (!p->weight_sums_needed) return;

  vise_note_strip(NULL, 0, 0, t, row, leaf, vise_sum_squares_of_rows(w));
  vise_note_strip(NULL, 0, 1, t, row, leaf,
                  vise_sum_four_rows((double)fabsf(w->v[0]), (double)fabsf(w->v[1]), (double)fabsf(w->v[2]),
                                     (double)fabsf(w->v[3])));
}

/* Stores new values of four rows and of their moments; w returns the new values. */
VISE_FN void vise_update_rows(vise_step *step, const vise_step_tile *t, const vise_update *u,
                              const vise_tile_values *values, const vise_tile_memory *from, uint32_t row,
                              uint32_t column, unsigned inside, vise_four *w) {
  const vise_k_step *p = &step->p;
  const int project = p->mode == VISE_K_PROJECT;
  const int by_units = p->options.clip_norm > 0.0 && p->options.clip_norm_type == 2;

  size_t at = t->tensor.first + (size_t)(t->row + row) * t->tensor.ld + t->column + column;
  const size_t in_tile = (size_t)row * values->ld + column;
  vise_four m1 = vise_load_four(values->moment1 + in_tile, values->ld, p->has_moment1 ? inside : 0);
  vise_four m2 = vise_load_four(values->moment2 + in_tile, values->ld, p->has_moment2 ? inside : 0);
  vise_four g = vise_load_four(from->base + (size_t)row * from->ld + column, from->ld, project ? 0 : inside);

#pragma unroll 1
  for (uint32_t r = 0; r < VISE_STRIP_ROWS; r++, at += t->tensor.ld) {
    float new_w = w->v[0], new_m1 = m1.v[0], new_m2 = m2.v[0];
    if (inside >> r & 1) {
      if (!project) {
        const float scale = by_units ? (float)vise_unit_scale(t->tensor.units + t->row + row + r) : u->scale;
        new_w = vise_new_weight(step, u, scale, g.v[0], new_w, &new_m1, &new_m2);
      }

      if (p->has_mask && !p->mask[at]) new_w = new_m1 = new_m2 = 0.0f;
      new_w = vise_clamp_f32(new_w, u->lo, u->hi);
      vise_put_param(p, at, new_w);
      if (p->has_moment1) p->moment1[at] = new_m1;
      if (p->has_moment2) p->moment2[at] = new_m2;
    }

    vise_rotate(w, new_w);
    vise_rotate(&g, 0.0f);
    vise_rotate(&m1, 0.0f);
    vise_rotate(&m2, 0.0f);
  }
}

/* R / norm where the norm is above R, else 1; NaN propagates. */
VISE_FN float vise_bound_scale(double most, double square) {
  const double norm = vise_sqrt_f64(square);
  return norm <= most ? 1.0f : (float)(most / norm);
}

/* Max-norm of four rows: stores values where they change; w returns them. */
VISE_FN void vise_bound_rows(vise_step *step, const vise_step_tile *t, uint32_t row, uint32_t column, unsigned inside,
                             vise_four *w) {
  const vise_k_step *p = &step->p;
  size_t at = t->tensor.first + (size_t)(t->row + row) * t->tensor.ld + t->column + column;

#pragma unroll 1
  for (uint32_t r = 0; r < VISE_STRIP_ROWS; r++, at += t->tensor.ld) {
    float new_w = w->v[0];
    if (inside >> r & 1) {
      const float scale = vise_bound_scale(
          p->options.max_norm, p->options.max_norm_tensor ? step->weight_squares[t->index]
                                                          : p->norm_unit_sums[t->tensor.units + t->row + row + r]);
      if (scale != 1.0f) {
        new_w *= scale;
        vise_put_param(p, at, new_w);
      }
    }

    vise_rotate(w, new_w);
  }
}

/* A strip of the update, or of the max-norm, whose values are those of device memory. */
VISE_FN void vise_update_strip(vise_step *step, const vise_step_tile *t, const vise_update *u,
                               const vise_tile_values *values, const vise_tile_memory *from, uint32_t row,
                               uint32_t leaf, int max_norm) {
  const vise_k_step *p = &step->p;
  const uint32_t column = leaf * VISE_LEAF + threadIdx.x % 32;
  const unsigned inside = vise_rows_inside(t, row, column);
  vise_four w = vise_load_four(values->weights + (size_t)row * values->ld + column, values->ld, inside);

  if (!step->skip && !max_norm) vise_update_rows(step, t, u, values, from, row, column, inside, &w);
  if (!step->skip && max_norm && !t->tensor.is_bias) vise_bound_rows(step, t, row, column, inside, &w);

  if (p->norm_sums && !max_norm) {
    vise_note_strip(p->norm_sums, !p->options.max_norm_tensor, 0, t, row, leaf, vise_sum_squares_of_rows(&w));
  } else {
    vise_measure_strip(step, t, u, &w, inside, row, leaf);
  }
}

/* Sums of the tile's cells: of new weights for the next step's report, or, before max-norm, for its norms. */
VISE_FN void vise_store_weight_cells(vise_step *step, const vise_step_tile *t, int max_norm) {
  const vise_k_step *p = &step->p;
  if (p->norm_sums && !max_norm) {
    if (p->options.max_norm_tensor) vise_store_cells(p->norm_sums, 0, t);
  } else if (p->weight_sums_needed) {
    vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 0), 0, t);
    vise_store_cells(vise_weight_sums(p, step->state.parity + 1, 1), 1, t);
  }
}

/* The update, or the max-norm, of all tiles of this CTA. */
VISE_FN_CALLED void vise_update_tiles(int max_norm) {
  vise_step *const step = vise_step_here();

#pragma unroll 1
  for (uint32_t i = 0; blockIdx.x + i * step->p.n_members < step->p.n_gradient_tiles; i++) {
    const vise_step_tile t = vise_step_tile_at(&step->p, blockIdx.x + i * step->p.n_members);
    const vise_tile_values values = vise_tile_values_of(step, &t, max_norm ? step->p.n_near : i);
    const vise_tile_memory from = vise_tile_memory_of(step, &t, i);
    const vise_update u = vise_update_of(step, &t);
    const uint32_t across_log = (uint32_t)vise_tree_depth(t.side / VISE_LEAF);
    const uint32_t n_strips = vise_ceil_div(t.n_rows, VISE_STRIP_ROWS) << across_log;

    vise_clear_strips();
#pragma unroll 1
    for (uint32_t strip = threadIdx.x / 32; strip < n_strips; strip += VISE_STEP_WARPS) {
      const uint32_t row = (strip >> across_log) * VISE_STRIP_ROWS, leaf = strip & ((1u << across_log) - 1);
      if (vise_strip_exists(&t, row, leaf)) vise_update_strip(step, &t, &u, &values, &from, row, leaf, max_norm);
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
  vise_update_tiles(0);
}

VISE_FN_CALLED void vise_max_norm_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (p->options.max_norm_tensor) {
    vise_sum_tensors_alone(p->norm_sums, 0, (double *)vise_step_stage(), step->weight_squares);
  }
  vise_update_tiles(1);
}

#endif

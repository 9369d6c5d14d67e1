/*
 * The update phase: on its tiles of the gradient a CTA clips by norm, steps the optimizer, and projects; then, with
 * max-norm, a further phase scales rows or tensors. Only here weights and moments are written, and only if the step is
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
  float correct1, correct2; /* Adam's */
} vise_update;

/* Bounds of a tensor's box; infinite ones stay so under any factor. */
VISE_FN void vise_box_of(const vise_k_step_options *o, double factor, const vise_step_tensor *t, float *lo, float *hi) {
  const int exempt = t->is_bias && !o->clamp_bias;
  const double low = o->box_lo[t->layer], high = o->box_hi[t->layer];
  *lo = exempt || !vise_is_finite_f64(low) ? (exempt ? -INFINITY : (float)low) : (float)(low * factor);
  *hi = exempt || !vise_is_finite_f64(high) ? (exempt ? INFINITY : (float)high) : (float)(high * factor);
}

/* norm_strength as in vise_strengths_make; scale: of the norm clip by tensors, looked at where there is one. */
VISE_FN vise_update vise_update_make(const vise_k_step *p, const vise_k_step_record *record, const vise_step_tensor *t,
                                     const float *norm_strength, const float *scale) {
  const vise_k_step_options *o = &p->options;
  const int exempt = t->is_bias && !o->penalize_bias;
  vise_update u;
  u.penalty = vise_strengths_make(p, t->is_bias, norm_strength);
  if (!o->clip_scope_data) u.penalty.k2 = u.penalty.k1 = u.penalty.kF_by_norm = 0.0f;
  const double keep = 1.0 - record->lr * (exempt ? 0.0 : o->k2d);
  u.lr = (float)record->lr;
  u.keep = keep < 0.0 ? 0.0f : (float)keep;
  u.shrink = o->prox_l1 && !exempt ? (float)(record->lr * o->k1) : 0.0f;
  u.cap = o->max_update > 0.0 ? (float)o->max_update : INFINITY;
  u.scale = o->clip_norm > 0.0 && o->clip_norm_type != 2 ? *scale : 1.0f;
  u.correct1 = u.correct2 = 1.0f;
  vise_box_of(o, record->clamp_factor, t, &u.lo, &u.hi);
  return u;
}

VISE_FN vise_update vise_update_of(vise_step *step, const vise_step_tile *t) {
  vise_update u =
      vise_update_make(&step->p, &step->record, &t->tensor, &step->norm_strengths[t->index], &step->scales[t->index]);
  if (step->p.options.optimizer == VISE_K_ADAM) {
    u.correct1 = step->correct1;
    u.correct2 = step->correct2;
  }
  return u;
}

/* The direction of the optimizer; advances the moments. */
VISE_FN float vise_direction(const vise_k_step *p, const vise_update *u, float g, float *m1, float *m2) {
  const vise_k_step_options *o = &p->options;
  const float mu = (float)o->momentum;
  switch (o->optimizer) {
    case VISE_K_RMSPROP: {
      const float rho = (float)o->rho, rest = (float)(1.0 - o->rho);
      *m2 = fmaf(rho, *m2, rest * g * g);
      const float direction = g / (sqrtf(*m2) + (float)o->eps);
      if (!p->has_moment1) return direction;
      *m1 = fmaf(mu, *m1, direction);
      return *m1;
    }
    case VISE_K_ADAM: {
      const float beta1 = (float)o->beta1, rest1 = (float)(1.0 - o->beta1);
      const float beta2 = (float)o->beta2, rest2 = (float)(1.0 - o->beta2);
      *m1 = fmaf(beta1, *m1, rest1 * g);
      *m2 = fmaf(beta2, *m2, rest2 * g * g);
      return *m1 * u->correct1 / (sqrtf(*m2 * u->correct2) + (float)o->eps);
    }
    default:
      if (!p->has_moment1) return g;
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
VISE_FN float vise_new_weight(const vise_k_step *p, const vise_update *u, float scale, float g, float w, float *m1,
                              float *m2) {
  g = g * scale + vise_penalty_gradient(&u->penalty, w);
  const float d = vise_clamp_f32(u->lr * vise_direction(p, u, g, m1, m2), -u->cap, u->cap);
  w = u->keep * w - d;
  if (u->shrink > 0.0f) w = vise_shrink_f32(w, u->shrink);
  return w;
}

/* Counts entries at their bounds and leaves the sums of the weights that the next step reports. */
VISE_FN void vise_measure_cell(vise_step *step, const vise_step_tile *t, const vise_update *u,
                               const float w[VISE_GROUP_ROWS], unsigned inside, uint32_t row, uint32_t leaf) {
  const vise_k_step *p = &step->p;
  const uint32_t matrix_row = t->row + row, matrix_leaf = t->column / VISE_LEAF + leaf;
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
    const int counts = inside >> r & 1;
    vise_step_count(&step->counts.n_at_lo, counts && vise_is_finite(u->lo) && w[r] == u->lo);
    vise_step_count(&step->counts.n_at_hi, counts && vise_is_finite(u->hi) && w[r] == u->hi);
  }
  if (!p->weight_sums_needed) return;
  double terms[VISE_GROUP_ROWS];
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) terms[r] = (double)w[r] * (double)w[r];
  double *sums = vise_weight_sums(p, step->state.parity + 1, 0);
  vise_store_sums(sums, 0, &t->tensor, matrix_row, matrix_leaf, vise_sum_four_rows(terms));
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) terms[r] = (double)fabsf(w[r]);
  sums = vise_weight_sums(p, step->state.parity + 1, 1);
  vise_store_sums(sums, 0, &t->tensor, matrix_row, matrix_leaf, vise_sum_four_rows(terms));
}

VISE_FN void vise_update_cell(vise_step *step, const vise_step_tile *t, const vise_update *u,
                              const vise_tile_memory *from, uint32_t row, uint32_t leaf) {
  const vise_k_step *p = &step->p;
  const uint32_t column = leaf * VISE_LEAF + threadIdx.x % 32;
  const int project = p->mode == VISE_K_PROJECT,
            by_units = p->options.clip_norm > 0.0 && p->options.clip_norm_type == 2;
  float new_w[VISE_GROUP_ROWS];
  unsigned inside = 0;
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
    const uint32_t tile_row = row + r, matrix_row = t->row + tile_row;
    new_w[r] = 0.0f;
    if (tile_row >= t->n_rows || matrix_row >= t->tensor.n_rows || t->column + column >= t->tensor.n_columns) continue;
    inside |= 1u << r;
    const size_t at = t->tensor.first + (size_t)matrix_row * t->tensor.ld + t->column + column;
    float w = p->params[at];
    if (!step->skip) {
      float m1 = p->has_moment1 ? p->moment1[at] : 0.0f, m2 = p->has_moment2 ? p->moment2[at] : 0.0f;
      if (!project) {
        const float scale =
            by_units ? (float)vise_unit_scale(p, step->record.clip_factor, t->tensor.units + matrix_row) : u->scale;
        w = vise_new_weight(p, u, scale, from->base[(size_t)tile_row * from->ld + column], w, &m1, &m2);
      }
      if (p->has_mask && !p->mask[at]) w = m1 = m2 = 0.0f;
      w = vise_clamp_f32(w, u->lo, u->hi);
      p->params[at] = w;
      if (p->has_moment1) p->moment1[at] = m1;
      if (p->has_moment2) p->moment2[at] = m2;
    }
    new_w[r] = w;
  }
  if (!p->norm_sums) {
    vise_measure_cell(step, t, u, new_w, inside, row, leaf);
    return;
  }
  double squares[VISE_GROUP_ROWS];
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) squares[r] = (double)new_w[r] * (double)new_w[r];
  vise_store_sums(p->norm_sums, !p->options.max_norm_tensor, &t->tensor, t->row + row, t->column / VISE_LEAF + leaf,
                  vise_sum_four_rows(squares));
}

/* R / norm where the norm is above R, else 1; NaN spreads. */
VISE_FN float vise_bound_scale(double most, double square) {
  const double norm = vise_sqrt_f64(square);
  return norm <= most ? 1.0f : (float)(most / norm);
}

VISE_FN void vise_max_norm_cell(vise_step *step, const vise_step_tile *t, const vise_update *u, uint32_t row,
                                uint32_t leaf) {
  const vise_k_step *p = &step->p;
  const uint32_t column = leaf * VISE_LEAF + threadIdx.x % 32;
  float new_w[VISE_GROUP_ROWS];
  unsigned inside = 0;
#pragma unroll
  for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
    const uint32_t tile_row = row + r, matrix_row = t->row + tile_row;
    new_w[r] = 0.0f;
    if (tile_row >= t->n_rows || matrix_row >= t->tensor.n_rows || t->column + column >= t->tensor.n_columns) continue;
    inside |= 1u << r;
    const size_t at = t->tensor.first + (size_t)matrix_row * t->tensor.ld + t->column + column;
    new_w[r] = p->params[at];
    if (step->skip || t->tensor.is_bias) continue;
    const double square =
        p->options.max_norm_tensor ? step->weight_squares[t->index] : p->norm_unit_sums[t->tensor.units + matrix_row];
    const float scale = vise_bound_scale(p->options.max_norm, square);
    if (scale == 1.0f) continue;
    new_w[r] *= scale;
    p->params[at] = new_w[r];
  }
  vise_measure_cell(step, t, u, new_w, inside, row, leaf);
}

/* The update, or the max-norm, of all tiles of this CTA. */
VISE_STEP_FN void vise_update_tiles(int max_norm) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  uint32_t i = 0;
  for (uint32_t tile = blockIdx.x; tile < p->n_gradient_tiles; tile += p->n_members, i++) {
    const vise_step_tile t = vise_step_tile_at(p, tile);
    const vise_tile_memory from = vise_tile_memory_of(step, &t, i);
    const vise_update u = vise_update_of(step, &t);
    const uint32_t n_across = t.side / VISE_LEAF, n_cells = vise_ceil_div(t.n_rows, VISE_GROUP_ROWS) * n_across;
    for (uint32_t cell = threadIdx.x / 32; cell < n_cells; cell += VISE_STEP_WARPS) {
      const uint32_t row = cell / n_across * VISE_GROUP_ROWS, leaf = cell % n_across;
      if (!vise_cell_exists(&t, row, leaf)) continue;
      if (max_norm) {
        vise_max_norm_cell(step, &t, &u, row, leaf);
      } else {
        vise_update_cell(step, &t, &u, &from, row, leaf);
      }
    }
    vise_flush_counts(step, &t);
  }
}

/* After the last exchange: the scales, then the tiles. */
VISE_STEP_FN void vise_update_phase(void) {
  vise_step *const step = vise_step_here();
  if (step->p.mode != VISE_K_PROJECT) vise_decide();
  vise_update_tiles(0);
}

VISE_STEP_FN void vise_max_norm_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (p->options.max_norm_tensor) {
    vise_sum_tensors_alone(p->norm_sums, 0, (double *)vise_step_stage(), step->weight_squares);
  }
  vise_update_tiles(1);
}

#endif

/* Mask, box, balls of rows and max-norm outside the update; counting entries at their bounds. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/ops/simd.h"

static void set_radius(const vise_i_cpu *b, vise_i_cpu_tensor *t, double factor) {
  const vise_i_row_ball ball = vise_i_tensor_ball(b->spec, t->shape);
  t->radius = vise_i_row_radius(&ball, factor);
  t->sided = ball.sided;
}

void vise_i_cpu_set_box(vise_i_cpu *b, const vise_i_hyper *hyper) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_box box = vise_i_tensor_box(b->spec, t->shape, hyper->clamp_factor);
    t->lo = (float)box.lo;
    t->hi = (float)box.hi;
    t->boxed = isfinite(t->lo) || isfinite(t->hi);
    if (b->bounds_rows) set_radius(b, t, hyper->row_l1_factor);
  }
}

VISE_I_CLONES static void multiply_all(float *w, size_t n, float by) {
  for (size_t i = 0; i < n; i++) w[i] *= by;
}

VISE_I_CLONES static void clamp_all(float *w, size_t n, float lo, float hi) {
  for (size_t i = 0; i < n; i++) w[i] = vise_i_clamp(w[i], lo, hi);
}

/* Entries equal to either value, which may be infinite. */
VISE_I_CLONES static void count_equal(const float *w, size_t n, float lo, float hi, uint64_t counts[2]) {
  enum { MOST = 1 << 20 }; /* counts of so many fit 32 bits */
  counts[0] = counts[1] = 0;
  for (size_t first = 0; first < n; first += MOST) {
    const size_t end = n - first < MOST ? n : first + MOST;
    uint32_t n_lo = 0, n_hi = 0;
    for (size_t i = first; i < end; i++) {
      n_lo += w[i] == lo;
      n_hi += w[i] == hi;
    }
    counts[0] += n_lo;
    counts[1] += n_hi;
  }
}

void vise_i_cpu_max_norm(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    size_t n_each;
    const size_t n_groups = vise_i_norm_groups(b->rule, t->shape, &n_each);
    for (size_t u = 0; u < n_groups; u++) {
      const double norm = sqrt(vise_i_cpu_sum_squares(t->w + u * n_each, n_each));
      const float scale = (float)vise_i_max_norm_scale(b->rule, norm);
      if (scale != 1.0f) multiply_all(t->w + u * n_each, n_each, scale);
    }
  }
}

void vise_i_cpu_project(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    for (size_t j = 0; t->mask && j < t->n; j++) {
      if (t->mask[j]) t->w[j] = vise_i_bound_sign(t->w[j], t->mask[j]);
      if (t->mask[j]) continue;
      t->w[j] = 0;
      if (t->m1) t->m1[j] = 0;
      if (t->m2) t->m2[j] = 0;
    }
    if (t->boxed) clamp_all(t->w, t->n, t->lo, t->hi);
  }

  if (b->bounds_rows) vise_i_cpu_row_l1(b, &VISE_I_ALONE);
  if (b->rule->max_norm > 0) vise_i_cpu_max_norm(b);
}

void vise_i_cpu_count_bounds(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    uint64_t counts[2] = {0, 0};
    if (t->boxed) count_equal(t->w, t->n, t->lo, t->hi, counts);
    b->host.base.tensor_stats[i].n_at_lo = isfinite(t->lo) ? counts[0] : 0;
    b->host.base.tensor_stats[i].n_at_hi = isfinite(t->hi) ? counts[1] : 0;
  }
}

void vise_i_cpu_sum_bounds(const vise_i_cpu *b, vise_step_stats *stats) {
  stats->n_at_lo = stats->n_at_hi = stats->n_boxed = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    stats->n_at_lo += b->host.base.tensor_stats[i].n_at_lo;
    stats->n_at_hi += b->host.base.tensor_stats[i].n_at_hi;
    if (b->tensors[i].boxed) stats->n_boxed += b->tensors[i].n;
  }
}

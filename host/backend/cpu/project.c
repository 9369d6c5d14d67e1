/* Mask, box and max-norm outside the update; counting entries at their bounds. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/ops/simd.h"

void vise_i_cpu_set_box(vise_i_cpu *b, const vise_i_hyper *hyper) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_box box = vise_i_tensor_box(b->spec, t->shape, hyper->clamp_factor);
    t->lo = (float)box.lo;
    t->hi = (float)box.hi;
    t->boxed = isfinite(t->lo) || isfinite(t->hi);
  }
}

VISE_I_CLONES static void multiply_all(float *w, size_t n, float by) {
  for (size_t i = 0; i < n; i++) w[i] *= by;
}

VISE_I_CLONES static void clamp_all(float *w, size_t n, float lo, float hi) {
  for (size_t i = 0; i < n; i++) w[i] = vise_i_clamp(w[i], lo, hi);
}

VISE_I_CLONES static size_t count_equal(const float *w, size_t n, float value) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += w[i] == value;
  return count;
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
      if (t->mask[j]) continue;
      t->w[j] = 0;
      if (t->m1) t->m1[j] = 0;
      if (t->m2) t->m2[j] = 0;
    }
    if (t->boxed) clamp_all(t->w, t->n, t->lo, t->hi);
  }

  if (b->rule->max_norm > 0) vise_i_cpu_max_norm(b);
}

void vise_i_cpu_count_bounds(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    b->host.base.tensor_stats[i].n_at_lo = isfinite(t->lo) ? count_equal(t->w, t->n, t->lo) : 0;
    b->host.base.tensor_stats[i].n_at_hi = isfinite(t->hi) ? count_equal(t->w, t->n, t->hi) : 0;
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

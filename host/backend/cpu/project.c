/* Mask, box and max-norm outside the update; counting and checking what they promise. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/simd.h"

/* A bounded norm may exceed R by the rounding of its elements. */
#define MAX_NORM_SLACK 1e-6

static float scaled_bound(double bound, double factor) {
  return (float)(isfinite(bound) ? bound * factor : bound);
}

void vise_i_cpu_set_box(vise_i_backend *b, const vise_i_hyper *hyper) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    const bool exempt = t->shape->is_bias && !b->spec.clamp_bias;
    t->lo = exempt ? -INFINITY : scaled_bound(b->spec.box_lo[t->shape->layer], hyper->clamp_factor);
    t->hi = exempt ? INFINITY : scaled_bound(b->spec.box_hi[t->shape->layer], hyper->clamp_factor);
    t->boxed = isfinite(t->lo) || isfinite(t->hi);
  }
}

/* The parts of a tensor whose norm is bounded: its rows, or the whole; none for a bias. */
static size_t norm_groups(const vise_i_backend *b, const vise_i_cpu_tensor *t, size_t *n_each) {
  const bool by_row = b->spec.max_norm_scope == VISE_MAX_NORM_UNIT;
  *n_each = by_row ? t->shape->n_cols : t->n;
  if (b->spec.max_norm == 0 || t->shape->is_bias) return 0;
  return by_row ? t->shape->n_rows : 1;
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

void vise_i_cpu_max_norm(vise_i_backend *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    size_t n_each;
    const size_t n_groups = norm_groups(b, t, &n_each);
    for (size_t u = 0; u < n_groups; u++) {
      const double norm = sqrt(vise_i_cpu_sum_squares(t->w + u * n_each, n_each));
      if (norm <= b->spec.max_norm) continue; /* NaN goes on and spreads */
      multiply_all(t->w + u * n_each, n_each, (float)(b->spec.max_norm / norm));
    }
  }
}

void vise_i_cpu_project(vise_i_backend *b) {
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

  if (b->spec.max_norm > 0) vise_i_cpu_max_norm(b);
}

void vise_i_cpu_count_bounds(vise_i_backend *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    b->tensor_stats[i].n_at_lo = isfinite(t->lo) ? count_equal(t->w, t->n, t->lo) : 0;
    b->tensor_stats[i].n_at_hi = isfinite(t->hi) ? count_equal(t->w, t->n, t->hi) : 0;
  }
}

void vise_i_cpu_sum_bounds(const vise_i_backend *b, vise_step_stats *stats) {
  stats->n_at_lo = stats->n_at_hi = stats->n_boxed = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    stats->n_at_lo += b->tensor_stats[i].n_at_lo;
    stats->n_at_hi += b->tensor_stats[i].n_at_hi;
    if (b->tensors[i].boxed) stats->n_boxed += b->tensors[i].n;
  }
}

vise_status vise_i_cpu_check_projection(const vise_i_backend *b, vise_error *err) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    size_t n_each;
    const size_t n_groups = norm_groups(b, t, &n_each);

    for (size_t j = 0; j < t->n; j++) {
      const double w = (double)t->w[j];
      if (t->w[j] < t->lo || t->w[j] > t->hi) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.9g is outside its box [%.9g, %.9g] after a step",
                           t->shape->name, j, w, (double)t->lo, (double)t->hi);
      }
      if (t->mask && !t->mask[j] && t->w[j] != 0) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.9g is masked but not 0 after a step", t->shape->name, j,
                           w);
      }
    }

    for (size_t u = 0; u < n_groups; u++) {
      const double norm = sqrt(vise_i_cpu_sum_squares(t->w + u * n_each, n_each));
      if (norm > b->spec.max_norm * (1 + MAX_NORM_SLACK)) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, unit %zu: norm %.9g is above the bound %.9g after a step",
                           t->shape->name, u, norm, b->spec.max_norm);
      }
    }
  }

  return VISE_OK;
}

/* Mask, box and max-norm: the sets that weights are kept in, applied in this order. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

/* A bounded norm may exceed R by rounding. */
#define MAX_NORM_SLACK 1e-12

/* The bounds of a tensor's entries; infinite ones stay infinite under any factor. Exempt biases have none. */
static void box_of(const vise_i_backend *b, const vise_i_tensor *tensor, double factor, double *lo, double *hi) {
  bool exempt = tensor->is_bias && !b->spec.clamp_bias;
  *lo = exempt ? -INFINITY : b->spec.box_lo[tensor->layer];
  *hi = exempt ? INFINITY : b->spec.box_hi[tensor->layer];
  if (isfinite(*lo)) *lo *= factor;
  if (isfinite(*hi)) *hi *= factor;
}

/* The groups of a tensor whose norm is bounded: its rows, or the whole; none for a bias. */
static size_t norm_groups(const vise_i_backend *b, const vise_i_tensor *tensor, size_t *n_each) {
  bool by_row = b->spec.max_norm_scope == VISE_MAX_NORM_UNIT;
  *n_each = by_row ? tensor->n_cols : tensor->n_rows * tensor->n_cols;
  if (b->spec.max_norm == 0 || tensor->is_bias) return 0;
  return by_row ? tensor->n_rows : 1;
}

/* w, moments <- 0 where the mask is 0 (also where they are not finite: a pruned weight never comes back). */
void vise_i_cpu64_apply_mask(vise_i_backend *b) {
  if (!b->mask) return;
  for (size_t i = 0; i < b->net->n_params; i++) {
    if (b->mask[i]) continue;
    b->params[i] = 0;
    if (b->moment1) b->moment1[i] = 0;
    if (b->moment2) b->moment2[i] = 0;
  }
}

/* w <- w min(1, R/||w||) */
static void bound_norm(double max_norm, double *w, size_t n) {
  double scale = max_norm / vise_i_cpu64_norm2(w, n);
  if (scale >= 1) return; /* ||w|| = 0 gives infinity; NaN goes on and spreads */
  for (size_t i = 0; i < n; i++) w[i] *= scale;
}

void vise_i_cpu64_project(vise_i_backend *b, double clamp_factor) {
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    double *w = b->params + tensor->offset, lo, hi;
    size_t n_each, n_groups = norm_groups(b, tensor, &n_each);
    box_of(b, tensor, clamp_factor, &lo, &hi);
    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      w[i] = w[i] < lo ? lo : (w[i] > hi ? hi : w[i]); /* NaN stays NaN */
    }
    for (size_t i = 0; i < n_groups; i++) bound_norm(b->spec.max_norm, w + i * n_each, n_each);
  }
}

void vise_i_cpu64_count_bounds(vise_i_backend *b, double clamp_factor, vise_step_stats *stats) {
  stats->n_at_lo = stats->n_at_hi = stats->n_boxed = 0;

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const double *w = b->params + tensor->offset;
    size_t n = tensor->n_rows * tensor->n_cols;
    uint64_t n_at_lo = 0, n_at_hi = 0;
    double lo, hi;
    box_of(b, tensor, clamp_factor, &lo, &hi);

    for (size_t i = 0; i < n; i++) {
      if (isfinite(lo) && w[i] == lo) n_at_lo++;
      if (isfinite(hi) && w[i] == hi) n_at_hi++;
    }

    b->tensor_stats[t].n_at_lo = n_at_lo;
    b->tensor_stats[t].n_at_hi = n_at_hi;
    stats->n_at_lo += n_at_lo;
    stats->n_at_hi += n_at_hi;
    if (isfinite(lo) || isfinite(hi)) stats->n_boxed += n;
  }
}

vise_status vise_i_cpu64_verify_projection(const vise_i_backend *b, double clamp_factor, vise_error *err) {
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const double *w = b->params + tensor->offset;
    size_t n_each, n_groups = norm_groups(b, tensor, &n_each);
    double lo, hi;
    box_of(b, tensor, clamp_factor, &lo, &hi);

    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      if (w[i] < lo || w[i] > hi) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.17g is outside its box [%.17g, %.17g] after a step",
                           tensor->name, i, w[i], lo, hi);
      }
      if (b->mask && !b->mask[tensor->offset + i] && w[i] != 0) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.17g is masked but not 0 after a step", tensor->name, i,
                           w[i]);
      }
    }

    for (size_t i = 0; i < n_groups; i++) {
      double norm = vise_i_cpu64_norm2(w + i * n_each, n_each);
      if (norm > b->spec.max_norm * (1 + MAX_NORM_SLACK)) {
        return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, unit %zu: norm %.17g is above the bound %.17g after a step",
                           tensor->name, i, norm, b->spec.max_norm);
      }
    }
  }

  return VISE_OK;
}

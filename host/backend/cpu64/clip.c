/* Norms, and clipping of the gradient by value and by norm. NaN stays NaN everywhere: never fmin or fmax. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

#define TORCH_EPS 1e-6

double vise_i_cpu64_norm_inf(const double *v, size_t n) {
  double max = 0;
  for (size_t i = 0; i < n; i++) {
    if (isnan(v[i])) return v[i];
    if (fabs(v[i]) > max) max = fabs(v[i]);
  }
  return max;
}

/* An infinite element gives inf/inf, so that the norm is NaN: as non-finite as infinity. */
double vise_i_cpu64_norm2(const double *v, size_t n) {
  double a = vise_i_cpu64_norm_inf(v, n), sum = 0;
  if (a == 0) return 0;
  for (size_t i = 0; i < n; i++) {
    double r = v[i] / a;
    sum += r * r;
  }
  return a * sqrt(sum);
}

void vise_i_cpu64_clip_value(vise_i_backend *b, double factor) {
  double lo = factor * b->spec.clip_lo, hi = factor * b->spec.clip_hi;
  if (!b->spec.clip_value) return;
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    double *g = b->grad + tensor->offset;
    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      if (g[i] < lo || g[i] > hi) b->tensor_stats[t].n_clipped_values++;
      g[i] = g[i] < lo ? lo : (g[i] > hi ? hi : g[i]);
    }
  }
}

/* Scales g[0..n) by (norm <= M ? 1 : M/norm), or, with torch_eps, by min(1, M/(norm + 1e-6)). */
static bool clip_group(const vise_i_step_spec *spec, double max_norm, double *g, size_t n) {
  double norm = spec->clip_norm_p == VISE_NORM_INF ? vise_i_cpu64_norm_inf(g, n) : vise_i_cpu64_norm2(g, n);
  double scale;

  if (spec->clip_norm_torch_eps) {
    scale = max_norm / (norm + TORCH_EPS);
    if (scale > 1) scale = 1;
  } else {
    scale = norm <= max_norm ? 1 : max_norm / norm;
  }

  if (scale == 1) return false;
  for (size_t i = 0; i < n; i++) g[i] *= scale;
  return true;
}

bool vise_i_cpu64_clip_norm(vise_i_backend *b, double factor) {
  double max_norm = factor * b->spec.clip_norm;
  bool clipped = false;

  if (b->spec.clip_norm == 0) return false;
  if (b->spec.clip_norm_type == VISE_CLIP_GLOBAL) return clip_group(&b->spec, max_norm, b->grad, b->net->n_params);

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    /* A unit is a row of a weight; a bias vector is one unit. */
    bool by_row = b->spec.clip_norm_type == VISE_CLIP_UNIT && !tensor->is_bias;
    size_t n_groups = by_row ? tensor->n_rows : 1;
    size_t n_each = by_row ? tensor->n_cols : tensor->n_rows * tensor->n_cols;
    for (size_t i = 0; i < n_groups; i++) {
      if (clip_group(&b->spec, max_norm, b->grad + tensor->offset + i * n_each, n_each)) clipped = true;
    }
  }

  return clipped;
}

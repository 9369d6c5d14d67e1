/* Norms, and clipping of the gradient by value and by norm. NaN stays NaN everywhere: never fmin or fmax. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

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

void vise_i_cpu64_clip_value(vise_i_cpu64 *b, double factor) {
  const vise_i_box bounds = vise_i_value_bounds(b->rule, factor);
  if (!b->rule->clip_value) return;

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    double *g = b->grad + tensor->offset;
    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      if (g[i] < bounds.lo || g[i] > bounds.hi) b->host.base.tensor_stats[t].n_clipped_values++;
      g[i] = g[i] < bounds.lo ? bounds.lo : (g[i] > bounds.hi ? bounds.hi : g[i]);
    }
  }
}

static bool scale_group(double scale, double *g, size_t n) {
  if (scale == 1) return false;
  for (size_t i = 0; i < n; i++) g[i] *= scale;
  return true;
}

/* Scales g[0..n) by what the norm clip says of its norm. */
static bool clip_group(const vise_i_rule *rule, double factor, double *g, size_t n) {
  const double norm = vise_i_clips_by_max(rule) ? vise_i_cpu64_norm_inf(g, n) : vise_i_cpu64_norm2(g, n);
  return scale_group(vise_i_clip_scale(rule, factor, norm), g, n);
}

/* Scales the units of a tensor: rows of a weight, or a bias as a whole. */
static bool clip_units(vise_i_cpu64 *b, const vise_i_tensor *tensor, double factor) {
  const size_t n_units = tensor->is_bias ? 1 : tensor->n_rows, n = tensor->n_rows * tensor->n_cols / n_units;
  bool clipped = false;

  for (size_t u = 0; u < n_units; u++) {
    double *g = b->grad + tensor->offset + u * n;
    const vise_i_unit_norms norms = {
        .gradient = vise_i_cpu64_norm2(g, n),
        .largest = vise_i_cpu64_norm_inf(g, n),
        .weight = vise_i_weighs_units(b->rule) ? vise_i_cpu64_norm2(b->params + tensor->offset + u * n, n) : 0,
    };
    if (scale_group(vise_i_unit_scale(b->rule, factor, tensor->is_bias, &norms), g, n)) clipped = true;
  }

  return clipped;
}

bool vise_i_cpu64_clip_norm(vise_i_cpu64 *b, double factor) {
  const vise_i_rule *rule = b->rule;
  const bool global = rule->clip_norm_type == VISE_CLIP_GLOBAL;
  bool clipped = false;

  for (size_t t = 0; vise_i_scales_units(rule) && t < b->net->n_tensors; t++) {
    if (clip_units(b, &b->net->tensors[t], factor)) clipped = true;
  }

  if (!vise_i_clips_tensors(rule)) return clipped;
  if (global) return clip_group(rule, factor, b->grad, b->net->n_params) || clipped;
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    if (clip_group(rule, factor, b->grad + tensor->offset, tensor->n_rows * tensor->n_cols)) clipped = true;
  }
  return clipped;
}

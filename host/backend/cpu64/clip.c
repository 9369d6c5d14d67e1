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

void vise_i_cpu64_clip_value(vise_i_backend *b, double factor) {
  const vise_i_box bounds = vise_i_value_bounds(&b->spec.rule, factor);
  if (!b->spec.rule.clip_value) return;

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    double *g = b->grad + tensor->offset;
    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      if (g[i] < bounds.lo || g[i] > bounds.hi) b->tensor_stats[t].n_clipped_values++;
      g[i] = g[i] < bounds.lo ? bounds.lo : (g[i] > bounds.hi ? bounds.hi : g[i]);
    }
  }
}

/* Scales g[0..n) by what the norm clip says of its norm. */
static bool clip_group(const vise_i_rule *rule, double factor, double *g, size_t n) {
  const double norm = vise_i_clips_by_max(rule) ? vise_i_cpu64_norm_inf(g, n) : vise_i_cpu64_norm2(g, n);
  const double scale = vise_i_clip_scale(rule, factor, norm);
  if (scale == 1) return false;
  for (size_t i = 0; i < n; i++) g[i] *= scale;
  return true;
}

bool vise_i_cpu64_clip_norm(vise_i_backend *b, double factor) {
  const vise_i_rule *rule = &b->spec.rule;
  bool clipped = false;

  if (rule->clip_norm == 0) return false;
  if (rule->clip_norm_type == VISE_CLIP_GLOBAL) return clip_group(rule, factor, b->grad, b->net->n_params);

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const bool by_row = vise_i_clips_units(rule) && !tensor->is_bias;
    const size_t n_groups = by_row ? tensor->n_rows : 1;
    const size_t n_each = tensor->n_rows * tensor->n_cols / n_groups;
    for (size_t i = 0; i < n_groups; i++) {
      if (clip_group(rule, factor, b->grad + tensor->offset + i * n_each, n_each)) clipped = true;
    }
  }

  return clipped;
}

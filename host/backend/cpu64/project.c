/* Mask, box, signs, L1 balls of rows and max-norm: the sets that weights are kept in, applied in this order. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/backend/projection.h"

/* w, moments <- 0 where the mask is 0 (also where they are not finite: a pruned weight never comes back). */
void vise_i_cpu64_apply_mask(vise_i_cpu64 *b) {
  if (!b->mask) return;
  for (size_t i = 0; i < b->net->n_params; i++) {
    if (b->mask[i]) continue;
    b->params[i] = 0;
    if (b->moment1) b->moment1[i] = 0;
    if (b->moment2) b->moment2[i] = 0;
  }
}

static void bound_norm(const vise_i_rule *rule, double *w, size_t n) {
  const double scale = vise_i_max_norm_scale(rule, vise_i_cpu64_norm2(w, n));
  if (scale == 1) return;
  for (size_t i = 0; i < n; i++) w[i] *= scale;
}

void vise_i_cpu64_project(vise_i_cpu64 *b, const vise_i_hyper *hyper) {
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const vise_i_box box = vise_i_tensor_box(b->spec, tensor, hyper->clamp_factor);
    const vise_i_row_ball ball = vise_i_tensor_ball(b->spec, tensor);
    double *w = b->params + tensor->offset;
    size_t n_each;
    const size_t n_groups = vise_i_norm_groups(b->rule, tensor, &n_each);

    for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
      w[i] = w[i] < box.lo ? box.lo : (w[i] > box.hi ? box.hi : w[i]); /* NaN stays NaN */
      const int sign = b->mask ? vise_i_mask_sign(b->mask[tensor->offset + i]) : 0;
      if ((sign > 0 && w[i] < 0) || (sign < 0 && w[i] > 0)) w[i] = 0;
    }
    vise_i_bound_rows(&ball, hyper->row_l1_factor, tensor, w);
    for (size_t i = 0; i < n_groups; i++) bound_norm(b->rule, w + i * n_each, n_each);
  }
}

void vise_i_cpu64_count_bounds(vise_i_cpu64 *b, double clamp_factor, vise_step_stats *stats) {
  stats->n_at_lo = stats->n_at_hi = stats->n_boxed = 0;

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const vise_i_box box = vise_i_tensor_box(b->spec, tensor, clamp_factor);
    const double *w = b->params + tensor->offset;
    const size_t n = tensor->n_rows * tensor->n_cols;
    uint64_t n_at_lo = 0, n_at_hi = 0;

    for (size_t i = 0; i < n; i++) {
      if (isfinite(box.lo) && w[i] == box.lo) n_at_lo++;
      if (isfinite(box.hi) && w[i] == box.hi) n_at_hi++;
    }

    b->host.base.tensor_stats[t].n_at_lo = n_at_lo;
    b->host.base.tensor_stats[t].n_at_hi = n_at_hi;
    stats->n_at_lo += n_at_lo;
    stats->n_at_hi += n_at_hi;
    if (isfinite(box.lo) || isfinite(box.hi)) stats->n_boxed += n;
  }
}

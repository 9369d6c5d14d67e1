/*
 * Penalties, per tensor with weights w:
 *   k2/2 sum w^2 + k1 sum |w| + kF ||w||,   gradient  k2 w + k1 sign(w) + kF w/||w||,
 * with sign(0) = 0 and w/||w|| = 0 where ||w|| = 0. A strength of 0 contributes nothing, whatever the weights are.
 */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

static size_t n_elements(const vise_i_tensor *tensor) {
  return tensor->n_rows * tensor->n_cols;
}

double vise_i_cpu64_penalty(const vise_i_cpu64 *b) {
  double value = 0;
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_strengths k = vise_i_strengths_of(b->rule, b->net->tensors[t].is_bias);
    const double *w = b->params + b->net->tensors[t].offset;
    size_t n = n_elements(&b->net->tensors[t]);
    double sum_squares = 0, sum_abs = 0;

    for (size_t i = 0; i < n; i++) {
      sum_squares += w[i] * w[i];
      sum_abs += fabs(w[i]);
    }

    value = vise_i_add_penalty(value, &k, sum_squares, sum_abs, k.kF != 0 ? vise_i_cpu64_norm2(w, n) : 0);
  }

  return value;
}

/* sign(0) = 0; NaN stays NaN. */
static double sign(double w) {
  return w > 0 ? 1 : (w < 0 ? -1 : w);
}

void vise_i_cpu64_add_penalty_gradient(const vise_i_cpu64 *b, bool with_l1, double *grad) {
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_strengths k = vise_i_strengths_of(b->rule, b->net->tensors[t].is_bias);
    const double *w = b->params + b->net->tensors[t].offset;
    double *g = grad + b->net->tensors[t].offset;
    size_t n = n_elements(&b->net->tensors[t]);
    double norm = k.kF != 0 ? vise_i_cpu64_norm2(w, n) : 0;

    for (size_t i = 0; i < n; i++) {
      if (k.k2 != 0) g[i] += k.k2 * w[i];
      if (k.k1 != 0 && with_l1) g[i] += k.k1 * sign(w[i]);
      if (norm != 0) g[i] += k.kF * (w[i] / norm);
    }
  }
}

/* The optimizers, and what turns their direction into new weights. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

/* v <- mu v + g; u = v, or with Nesterov u = g + mu v. Without momentum u = g and no v is kept. */
static double sgd_direction(vise_i_backend *b, size_t i, double g) {
  if (!b->moment1) return g;
  b->moment1[i] = b->spec.momentum * b->moment1[i] + g;
  return b->spec.nesterov ? g + b->spec.momentum * b->moment1[i] : b->moment1[i];
}

/* s <- rho s + (1 - rho) g^2; v <- mu v + g/(sqrt(s) + eps); u = v. Without momentum no v is kept. */
static double rmsprop_direction(vise_i_backend *b, size_t i, double g) {
  double u;
  b->moment2[i] = b->spec.rho * b->moment2[i] + (1 - b->spec.rho) * g * g;
  u = g / (sqrt(b->moment2[i]) + b->spec.eps);
  if (!b->moment1) return u;
  b->moment1[i] = b->spec.momentum * b->moment1[i] + u;
  return b->moment1[i];
}

/* m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g^2; u = (m/(1 - b1^t)) / (sqrt(s/(1 - b2^t)) + eps). */
static double adam_direction(vise_i_backend *b, size_t i, double g) {
  const vise_i_step_spec *spec = &b->spec;
  b->moment1[i] = spec->beta1 * b->moment1[i] + (1 - spec->beta1) * g;
  b->moment2[i] = spec->beta2 * b->moment2[i] + (1 - spec->beta2) * g * g;
  return b->moment1[i] / (1 - b->counters.beta1_t) / (sqrt(b->moment2[i] / (1 - b->counters.beta2_t)) + spec->eps);
}

static double direction(vise_i_backend *b, size_t i, double g) {
  switch (b->spec.optimizer) {
    case VISE_RMSPROP:
      return rmsprop_direction(b, i, g);
    case VISE_ADAM:
      return adam_direction(b, i, g);
    default:
      return sgd_direction(b, i, g);
  }
}

/* sign(w) max(|w| - t, 0): a true zero where |w| <= t; NaN stays NaN. */
static double shrink(double w, double t) {
  double r = fabs(w) - t;
  if (r <= 0) return 0;
  return w < 0 ? -r : r;
}

void vise_i_cpu64_update(vise_i_backend *b, double lr) {
  double cap = b->spec.max_update;

  b->counters.applied_steps++;
  b->counters.beta1_t *= b->spec.beta1;
  b->counters.beta2_t *= b->spec.beta2;

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    vise_i_cpu64_strengths k = vise_i_cpu64_tensor_strengths(b, t);
    double keep = 1 - lr * k.k2d;
    if (keep < 0) keep = 0;

    for (size_t i = tensor->offset; i < tensor->offset + tensor->n_rows * tensor->n_cols; i++) {
      double d = lr * direction(b, i, b->grad[i]);
      if (cap > 0) d = d < -cap ? -cap : (d > cap ? cap : d); /* NaN stays NaN */
      b->params[i] = keep * b->params[i] - d;
      if (b->spec.prox_l1 && k.k1 != 0) b->params[i] = shrink(b->params[i], lr * k.k1);
    }
  }
}

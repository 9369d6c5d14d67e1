/* The optimizers, and what turns their direction into new weights. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"

/* v <- mu v + g; u = v, or with Nesterov u = g + mu v. Without momentum u = g and no v is kept. */
static double sgd_direction(vise_i_backend *b, size_t i, double g) {
  if (!b->moment1) return g;
  b->moment1[i] = b->spec.rule.momentum * b->moment1[i] + g;
  return b->spec.rule.nesterov ? g + b->spec.rule.momentum * b->moment1[i] : b->moment1[i];
}

/* s <- rho s + (1 - rho) g^2; v <- mu v + g/(sqrt(s) + eps); u = v. Without momentum no v is kept. */
static double rmsprop_direction(vise_i_backend *b, size_t i, double g) {
  double u;
  b->moment2[i] = b->spec.rule.rho * b->moment2[i] + (1 - b->spec.rule.rho) * g * g;
  u = g / (sqrt(b->moment2[i]) + b->spec.rule.eps);
  if (!b->moment1) return u;
  b->moment1[i] = b->spec.rule.momentum * b->moment1[i] + u;
  return b->moment1[i];
}

/* m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g^2; u = (m/(1 - b1^t)) / (sqrt(s/(1 - b2^t)) + eps). */
static double adam_direction(vise_i_backend *b, size_t i, double g) {
  const vise_i_rule *rule = &b->spec.rule;
  b->moment1[i] = rule->beta1 * b->moment1[i] + (1 - rule->beta1) * g;
  b->moment2[i] = rule->beta2 * b->moment2[i] + (1 - rule->beta2) * g * g;
  return b->moment1[i] / (1 - b->counters.beta1_t) / (sqrt(b->moment2[i] / (1 - b->counters.beta2_t)) + rule->eps);
}

/* u = sign(b1 m + (1 - b1) g), sign(0) = 0; m <- b2 m + (1 - b2) g. */
static double lion_direction(vise_i_backend *b, size_t i, double g) {
  const vise_i_rule *rule = &b->spec.rule;
  const double v = rule->beta1 * b->moment1[i] + (1 - rule->beta1) * g;
  b->moment1[i] = rule->beta2 * b->moment1[i] + (1 - rule->beta2) * g;
  return v > 0 ? 1 : (v < 0 ? -1 : v); /* NaN stays NaN */
}

static double direction(vise_i_backend *b, size_t i, double g) {
  switch (b->spec.rule.optimizer) {
    case VISE_RMSPROP:
      return rmsprop_direction(b, i, g);
    case VISE_ADAM:
      return adam_direction(b, i, g);
    case VISE_LION:
      return lion_direction(b, i, g);
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
  const vise_i_rule *rule = &b->spec.rule;
  const double cap = vise_i_update_cap(rule);

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_i_tensor *tensor = &b->net->tensors[t];
    const vise_i_strengths k = vise_i_strengths_of(rule, tensor->is_bias);
    const double keep = vise_i_decay(&k, lr), by = vise_i_shrinkage(rule, &k, lr);

    for (size_t i = tensor->offset; i < tensor->offset + tensor->n_rows * tensor->n_cols; i++) {
      double d = lr * direction(b, i, b->grad[i]);
      d = d < -cap ? -cap : (d > cap ? cap : d); /* NaN stays NaN */
      b->params[i] = keep * b->params[i] - d;
      if (rule->prox_l1 && k.k1 != 0) b->params[i] = shrink(b->params[i], by);
    }
  }
}

/* Losses that are sums of a term for each output, in float64: the term and its derivative. For cpu64 and for metrics;
   the float32 backends have their own forms. */
#ifndef VISE_I_LOSS_H
#define VISE_I_LOSS_H

#include <stddef.h>

#include "host/rule/rule.h"

/* The loss of an output z with the target y; *d = its derivative. */
static inline double vise_i_output_loss(const vise_i_rule *rule, double z, double y, double *d) {
  switch (rule->loss) {
    case VISE_LOSS_BCE: {
      /* max(z, 0) - z y + log(1 + exp(-|z|)), derivative sigmoid(z) - y */
      const double e = exp(-fabs(z));
      *d = (z < 0 ? e / (1 + e) : 1 / (1 + e)) - y;
      return (z > 0 ? z : 0) - z * y + log1p(e);
    }
    case VISE_LOSS_HUBER: {
      /* e^2/2 where |e| < 1, else |e| - 1/2 */
      const double e = z - y;
      *d = e < -1 ? -1 : (e > 1 ? 1 : e);
      return fabs(e) < 1 ? 0.5 * e * e : fabs(e) - 0.5;
    }
    case VISE_LOSS_HINGE: {
      /* max(0, 1 - s z), s = 1 for targets above 0, else -1 (labels 0 and -1); NaN passes */
      const double s = y > 0 ? 1 : -1, margin = 1 - s * z;
      *d = margin > 0 ? -s : (isnan(margin) ? margin : 0);
      return margin < 0 ? 0 : margin;
    }
    case VISE_LOSS_POISSON: {
      /* exp(z) - z y, without what depends on y alone */
      const double e = exp(z);
      *d = e - y;
      return e - z * y;
    }
    default: {
      /* e^2, halved unless the reduction is `mean` */
      const double e = z - y, factor = rule->mse_reduction == VISE_MSE_MEAN ? 1 : 0.5;
      *d = 2 * factor * e;
      return factor * (e * e);
    }
  }
}

/* What an output of a regression predicts: the mean of its targets. */
static inline double vise_i_expected(vise_loss loss, double z) {
  return vise_i_loss_link(loss) == VISE_LINK_EXP ? exp(z) : z;
}

/* The class of a row: the first index of the largest output; a NaN is never the largest. */
static inline size_t vise_i_argmax(const double *z, size_t n) {
  size_t best = 0;
  for (size_t k = 1; k < n; k++) {
    if (z[k] > z[best] || (isnan(z[best]) && !isnan(z[k]))) best = k;
  }
  return best;
}

#endif

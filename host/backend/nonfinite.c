#include "host/backend/nonfinite.h"

#include <math.h>
#include <stdio.h>

/* printf shows the sign of a NaN, which says nothing. */
static const char *number_text(double value, char *buffer, size_t n) {
  if (isnan(value)) return "nan";
  snprintf(buffer, n, "%g", value);
  return buffer;
}

vise_status vise_i_after_skip(const vise_i_step_spec *spec, uint64_t consecutive_skips, const vise_step_stats *stats,
                              vise_error *err) {
  const bool halt = spec->rule.nonfinite == VISE_NONFINITE_HALT;
  if (!vise_i_skip_ends(&spec->rule, consecutive_skips)) return VISE_OK;

  char what[64], loss[32], norm[32];
  if (halt || consecutive_skips == 1) {
    snprintf(what, sizeof what, "the step was not finite (%s)", halt ? "policy halt" : "no skips are allowed");
  } else {
    snprintf(what, sizeof what, "%llu steps in a row were not finite (the limit of skips)",
             (unsigned long long)consecutive_skips);
  }

  return vise_i_fail(err, VISE_ERR_NONFINITE,
                     "%s: loss %s, gradient norm %s%s%s; a smaller learning rate, clipping or scaled features may help",
                     what, number_text(stats->loss, loss, sizeof loss),
                     number_text(stats->grad_norm, norm, sizeof norm), stats->bad_tensor >= 0 ? ", first in " : "",
                     stats->bad_tensor >= 0 ? spec->net->tensors[stats->bad_tensor].name : "");
}

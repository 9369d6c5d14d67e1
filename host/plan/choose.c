/* How "auto" runs a step: fused, or with cuBLAS and a kernel for each other operation. */
#include <math.h>

#include "host/plan/plan.h"

/*
 * Multiplications in a step's matrix products from which the unfused step, replayed from a graph, is used. fp32 is
 * always fused: its bits are the same everywhere, which no library guarantees. For tf32 and bf16 the numbers should
 * come from measurements (vise bench on a GPU); none has been made yet, so these are always fused too.
 */
static const struct {
  vise_precision precision;
  double from_multiplications;
} UNFUSED[] = {{VISE_TF32, INFINITY}, {VISE_BF16, INFINITY}};

/* Forward, gradient of the weights and, except in the first layer, of the inputs. */
static double multiplications(const vise_i_net *net, size_t batch) {
  double n = 0;
  for (size_t l = 0; l < net->n_layers; l++) {
    n += (l > 0 ? 3.0 : 2.0) * (double)batch * (double)net->widths[l] * (double)net->widths[l + 1];
  }
  return n;
}

vise_step_mode vise_i_plan_choose_step(const vise_i_net *net, size_t batch, vise_precision precision) {
  for (size_t i = 0; i < sizeof UNFUSED / sizeof *UNFUSED; i++) {
    if (UNFUSED[i].precision != precision) continue;
    if (multiplications(net, batch) >= UNFUSED[i].from_multiplications) return VISE_STEP_UNFUSED_GRAPH;
  }
  return VISE_STEP_FUSED;
}

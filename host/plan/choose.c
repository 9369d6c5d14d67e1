/* Which way of running a step "auto" is: the fused one, or cuBLAS with a kernel for each other operation. */
#include <math.h>

#include "host/plan/plan.h"

/*
 * From how many multiplications on, in a step's matrix products, the unfused step replayed from a graph is taken.
 * fp32 is always fused: its bits are the same everywhere, and no library's are. For tf32 and bf16 the numbers are to
 * come from measurements (vise bench on a GPU); none has been made, so these are fused as well, whatever their size.
 */
static const struct {
  vise_precision precision;
  double from_multiplications;
} UNFUSED[] = {{VISE_TF32, INFINITY}, {VISE_BF16, INFINITY}};

/* Forward, gradient of the weights, and but for the first layer that of the inputs. */
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

/* What a planned step takes: arithmetic, bytes, exchanges, and the least time for these. */
#include "host/plan/plan.h"
#include "host/plan/rates.h"

void vise_i_plan_cost_of(const vise_i_plan *plan, size_t row_bytes, vise_i_plan_cost *out) {
  const vise_k_step *step = &plan->step;
  const double rows = step->max_rows;
  const bool trains = step->mode == VISE_K_STEP;

  /* Bytes that products read, and that are stored, of each number: in bf16 a copy beside the float. */
  const double f = sizeof(float), read = plan->variant == VISE_K_BF16 ? 2 : f;
  const double stored = plan->variant == VISE_K_BF16 ? f + 2 : f;

  vise_i_plan_cost cost = {.launch_us = LAUNCH_US, .exchange_us = EXCHANGE_US};
  for (uint32_t p = 0; p < step->n_phases; p++) cost.n_exchanges += step->phases[p].exchange;

  if (step->near_rows > 0) { /* rows of the data set are read for both products, by whoever needs them */
    cost.bytes = 2 * rows * (double)row_bytes;
  } else { /* gathered once, exchanged, read twice */
    cost.n_exchanges++;
    cost.bytes = rows * ((double)row_bytes + (stored + 2 * read) * step->layers[0].n_in);
  }

  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    const double weights = (double)layer->n_in * layer->n_out, outs = rows * layer->n_out;
    const int n_products = !trains ? 1 : l == 0 ? 2 : 3;

    /* weights: read forward, for the delta below and for the update, then written; outputs, deltas: written, read */
    const int n_moments = step->has_moment1 + step->has_moment2, n_reads = l == 0 || !trains ? 1 : 2;

    /* batch norm: z read three times, then dL/du twice with z, and dL/dz */
    const int n_norm = !layer->has_norm || !trains ? 0 : 8;

    cost.flop += n_products * 2 * rows * weights;
    cost.bytes += n_norm * outs * f;
    cost.bytes += weights * (n_reads * read + (trains ? f + stored + 2 * f * n_moments : 0));
    cost.bytes += outs * (trains ? 2 * stored + 3 * read : stored + read);
  }

  const double l2 = L2_BYTES_PER_US_AND_SM * step->n_members;
  cost.flop_per_us = vise_i_flop_per_clock(plan->variant) * CLOCKS_PER_US * step->n_members;
  cost.bytes_per_us = plan->n_bytes < L2_BYTES || l2 < MEMORY_BYTES_PER_US ? l2 : MEMORY_BYTES_PER_US;

  for (uint32_t p = 0; p < step->n_phases; p++) cost.cta_bytes += vise_i_plan_phase_bytes(plan, p);
  cost.arithmetic_us = cost.flop / cost.flop_per_us;
  cost.memory_us = cost.bytes / cost.bytes_per_us;
  if (cost.cta_bytes / L2_BYTES_PER_US_AND_SM > cost.memory_us) {
    cost.memory_us = cost.cta_bytes / L2_BYTES_PER_US_AND_SM;
  }
  cost.wait_us = cost.launch_us + cost.n_exchanges * cost.exchange_us;
  cost.floor_us = cost.wait_us + (cost.arithmetic_us > cost.memory_us ? cost.arithmetic_us : cost.memory_us);
  *out = cost;
}

/* What a planned step asks of its busiest CTA. */
#include "host/plan/rates.h"
#include "host/plan/teams.h"

/* An exchange of a team of one CTA is a barrier. */
#define BARRIER_US 0.03

/* In multiplications at the full rate. */
typedef struct work {
  double products, overhead;
} work;

/* n_tiles products of one tile. */
static void add_tiles(work *w, const vise_i_plan *plan, uint8_t tile, double n_tiles, double depth) {
  w->products += n_tiles * vise_i_plan_products_cost(plan->variant, (vise_k_tile)tile, depth);
  w->overhead += n_tiles * vise_i_plan_tile_overhead();
}

static double rounds(uint64_t n_tiles, const vise_k_step *step) {
  return (double)vise_i_ceil_div(n_tiles, step->n_members);
}

/* All weight gradients: the tiles of all layers are shared evenly. */
static void add_gradient(work *w, const vise_i_plan *plan, double depth) {
  const vise_k_step *step = &plan->step;
  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    const uint64_t side = vise_k_tile_side((vise_k_tile)layer->gradient_tile);
    const uint64_t n = vise_i_ceil_div(layer->n_out, side) * vise_i_ceil_div(layer->n_in, side);
    add_tiles(w, plan, layer->gradient_tile, (double)n / step->n_members, depth);
  }
}

/* Searches in rows of weights: n_passes over the widest row, by threads of which one has n_own elements. Clocks as the
   ledger counts them (tests/ptx). */
static void add_searches(work *w, double n_rounds, double n_passes, double n_own) {
  enum { CLOCKS_OF_ELEMENT = 70, CLOCKS_OF_PASS = 300 };
  const double clocks = n_rounds * n_passes * (n_own * CLOCKS_OF_ELEMENT + CLOCKS_OF_PASS);
  w->overhead += clocks * vise_i_multiplications_per_us() / CLOCKS_PER_US;
}

/* Of integer nets, a warp to a row; each side in the same pass. */
static void add_rounding(work *w, const vise_k_step *step) {
  uint32_t widest = 0;
  for (uint32_t l = 0; l < step->n_layers; l++) widest = step->layers[l].n_in > widest ? step->layers[l].n_in : widest;
  const double n_rounds = rounds(vise_i_ceil_div(step->n_units, VISE_K_STEP_THREADS / 32), step);
  add_searches(w, n_rounds, 6, (double)vise_i_ceil_div(widest, 32));
}

/* Of balls; sides are searched one after the other. */
static void add_row_l1(work *w, const vise_k_step *step) {
  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    const uint32_t n_threads = VISE_K_STEP_THREADS / vise_k_rows_at_once(layer);
    const double n_rounds = (double)vise_k_row_parts(step, l) / step->n_members;
    add_searches(w, n_rounds, step->row_radii[l] < 0 ? 12 : 6, (double)vise_i_ceil_div(layer->n_in, n_threads));
  }
}

static void add_phase(work *w, const vise_i_plan *plan, const vise_k_phase *phase) {
  const vise_k_step *step = &plan->step;
  const vise_k_layer *layer = &step->layers[phase->layer];
  const double n = rounds(vise_i_plan_n_tiles(step, phase, step->max_rows), step);

  switch ((vise_k_phase_kind)phase->kind) {
    case VISE_K_FORWARD:
      add_tiles(w, plan, phase->tile, n, layer->n_in);
      return;
    case VISE_K_DELTA:
      add_tiles(w, plan, phase->tile, n, step->layers[phase->layer + 1].n_out);
      return;
    case VISE_K_ROWS: /* forward and back, in the smallest tiles */
      add_tiles(w, plan, VISE_K_TILE_8, 2 * n * vise_i_ceil_div(layer->n_out, vise_k_tile_side(VISE_K_TILE_8)),
                layer->n_in);
      return;
    case VISE_K_GRADIENT:
      if (!step->gradient_parts) add_gradient(w, plan, step->max_rows);
      return;
    case VISE_K_PARTS:
      add_gradient(w, plan, step->max_rows);
      return;
    case VISE_K_ROW_L1:
      add_row_l1(w, step);
      return;
    case VISE_K_ROUND:
      add_rounding(w, step);
      return;
    default: /* some passes over weights or rows */
      w->overhead += (n > 1 ? n : 1) * vise_i_plan_tile_overhead() / 4;
      return;
  }
}

void vise_i_plan_work_of(const vise_i_plan *plan, vise_i_plan_work *out) {
  const double rate = vise_i_multiplications_per_us();
  work w = {0, 0};
  vise_i_plan_cost cost;

  for (uint32_t p = 0; p < plan->step.n_phases; p++) add_phase(&w, plan, &plan->step.phases[p]);
  vise_i_plan_cost_of(plan, plan->step.layers[0].n_in * sizeof(float), &cost);
  *out = (vise_i_plan_work){
      .products_us = w.products / rate,
      .overhead_us = w.overhead / rate,
      .wait_us = cost.n_exchanges * (plan->step.n_members == 1 ? BARRIER_US : cost.exchange_us),
      .memory_us = cost.bytes / cost.bytes_per_us, /* each once */
      .launch_us = cost.launch_us,
  };
}

/* Who makes the last layer of a net of few outputs, its loss and the delta below: VISE_K_ROWS, for blocks of rows, or
   phases of their own, in tiles. */
#include "host/plan/plan.h"
#include "host/plan/rates.h"
#include "kernels/canonical.h"

static double larger(double a, double b) {
  return a > b ? a : b;
}

static double rounds(uint64_t n, uint64_t n_ctas) {
  return (double)vise_i_ceil_div(n, n_ctas);
}

/* Floats that VISE_K_ROWS has room for (kernels/rows_products.cuh): inputs of the rows of a block, sums of slices of their
   outputs, and about as many of the weight, which stays in shared memory then. */
enum { INPUT_FLOATS = 8192, PARTIAL_FLOATS = 6144, WEIGHT_FLOATS = 3500 };

uint32_t vise_i_plan_most_row_block(const vise_k_layer *last) {
  const uint32_t n_in = (uint32_t)vise_i_round_up(last->n_in, 32);
  const uint64_t n_slices = vise_i_ceil_div(last->n_in, vise_slice_length(last->n_in));
  const uint64_t n_partial = last->n_out * vise_i_round_up(n_slices, 4);
  uint64_t block = VISE_K_ROW_BLOCK;
  if (INPUT_FLOATS / n_in < block) block = INPUT_FLOATS / n_in;
  if (PARTIAL_FLOATS / n_partial < block) block = PARTIAL_FLOATS / n_partial;
  return (uint32_t)block;
}

/* The busiest CTA reads inputs and writes as many deltas for each of its blocks; a weight that is not in shared memory
   it reads twice for each block, on the way forward and on the way back. */
static double rows_us(const vise_k_layer *last, uint64_t n_rows, uint32_t n_ctas) {
  const uint64_t most = vise_i_plan_most_row_block(last), even = vise_i_ceil_div(n_rows, n_ctas);
  const uint64_t block = even < most ? even : most;
  const double n_blocks = rounds(vise_i_ceil_div(n_rows, block), n_ctas), weight = (double)last->n_in * last->n_out;
  const bool near = weight <= WEIGHT_FLOATS;
  const double floats = n_blocks * 2.0 * (double)block * last->n_in + (near ? 1 : 2 * n_blocks) * weight;
  return vise_i_read_us(floats * sizeof(float));
}

/* A phase of [n_rows] x [n_columns] in tiles. */
typedef struct tiles {
  vise_k_tile tile;
  uint64_t n_rows, n_columns;
  double depth, floats; /* of the products of a tile; that it moves */
} tiles;

static double tiles_us(const vise_i_plan *plan, const tiles *t, uint32_t n_ctas) {
  const uint64_t side = vise_k_tile_side(t->tile);
  const double rate = vise_i_multiplications_per_us();
  const double products = vise_i_plan_products_cost(plan->variant, t->tile, t->depth) / rate;
  const double one = larger(products, vise_i_read_us(t->floats * sizeof(float)));
  return rounds(vise_i_ceil_div(t->n_rows, side) * vise_i_ceil_div(t->n_columns, side), n_ctas) *
         (one + vise_i_plan_tile_overhead() / rate);
}

/* The same work in a forward and a delta phase, around the loss, whose bytes do not count; and the exchanges that these
   add. */
static double phases_us(const vise_i_plan *plan, uint64_t n_rows, uint32_t n_ctas) {
  const uint32_t l = plan->step.n_layers - 1;
  const vise_k_layer *last = &plan->step.layers[l];
  const double n_in = last->n_in, n_out = last->n_out;

  tiles forward = {(vise_k_tile)plan->forward_tile[l], n_rows, last->n_out, n_in, 0};
  const double side = vise_k_tile_side(forward.tile);
  forward.floats = n_in * (side + (side < n_out ? side : n_out));
  if (l == 0) return tiles_us(plan, &forward, n_ctas) + EXCHANGE_US;

  /* deltas and weights; outputs, for slopes, and new deltas */
  tiles back = {(vise_k_tile)plan->delta_tile[l - 1], n_rows, last->n_in, n_out, 0};
  const double back_side = vise_k_tile_side(back.tile);
  back.floats = 2 * back_side * (n_out + back_side);
  return tiles_us(plan, &forward, n_ctas) + tiles_us(plan, &back, n_ctas) + 2 * EXCHANGE_US;
}

bool vise_i_plan_takes_rows(const vise_i_plan *plan, uint64_t n_rows, uint32_t n_ctas) {
  const vise_k_layer *last = &plan->step.layers[plan->step.n_layers - 1];
  return last->n_out <= VISE_K_NARROW && rows_us(last, n_rows, n_ctas) <= phases_us(plan, n_rows, n_ctas);
}

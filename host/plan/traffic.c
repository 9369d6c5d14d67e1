/* Bytes between a multiprocessor and the L2 cache: what the busiest CTA of a phase reads and writes, re-reads included. */
#include "host/plan/plan.h"

enum { ROWS_NEAR_FLOATS = 3072 }; /* of the last weight: about what VISE_K_ROWS has room for */

/* Bytes of a number as products read it, and as it is stored; in bf16 there is a copy beside the float. */
typedef struct number_bytes {
  double read, stored;
} number_bytes;

static number_bytes bytes_of(const vise_i_plan *plan) {
  const bool bf16 = plan->variant == VISE_K_BF16;
  return (number_bytes){bf16 ? 2 : sizeof(float), bf16 ? sizeof(float) + 2 : sizeof(float)};
}

static double least(double a, double b) {
  return a < b ? a : b;
}

/* Tiles of the phase for the CTA that has most. */
static double tiles_of_busiest(const vise_k_step *step, const vise_k_phase *phase) {
  return (double)vise_i_ceil_div(vise_i_plan_n_tiles(step, phase, step->max_rows), step->n_members);
}

/* A product in tiles of up to rows x units over depth, whose result is stored; near: its rows are in shared memory. */
static double product(const vise_i_plan *plan, const vise_k_phase *phase, double units, double depth, bool near) {
  const vise_k_step *step = &plan->step;
  const number_bytes b = bytes_of(plan);
  const double m = least(vise_k_tile_rows((vise_k_tile)phase->tile), step->max_rows);
  const double n = least(vise_k_tile_units((vise_k_tile)phase->tile), units);
  return tiles_of_busiest(step, phase) * (((near ? 0 : m) + n) * depth * b.read + m * n * b.stored);
}

/* VISE_K_ROWS: its inputs and the last weight, at once or for each block; deltas of both layers. */
static double rows(const vise_i_plan *plan, const vise_k_phase *phase) {
  const vise_k_step *step = &plan->step;
  const vise_k_layer *last = &step->layers[step->n_layers - 1];
  const double n_blocks = tiles_of_busiest(step, phase), weight = (double)last->n_in * last->n_out;
  const double of_row = last->n_in + last->n_out + (step->n_layers > 1 ? last->n_in : 0);
  const bool near = weight <= ROWS_NEAR_FLOATS;
  return sizeof(float) * (n_blocks * step->row_block * of_row + (near ? 1 : n_blocks) * weight);
}

/* Tiles of weights that a CTA has, at most, and the elements of one. */
static double own_tiles(const vise_k_step *step) {
  return (double)vise_i_ceil_div(step->n_gradient_tiles, step->n_members);
}

/* The gradient's operands, of the layer whose tile needs most; the tile itself where it cannot stay. With parts these
   are read instead. */
static double gradient(const vise_i_plan *plan) {
  const vise_k_step *step = &plan->step;
  double most = 0;

  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    const double side = vise_k_tile_rows((vise_k_tile)layer->gradient_tile);
    const double n_rows = least(side, layer->n_out), n_columns = least(side, layer->n_in);
    const bool near = l == 0 && step->near_rows > 0;
    const double operands = (n_rows + (near ? 0 : n_columns)) * step->max_rows * bytes_of(plan).read;
    const double parts = n_rows * n_columns * sizeof(float) * (double)vise_i_plan_most_slices(step->max_rows);
    const double here = step->gradient_parts ? parts : operands;
    if (here > most) most = here;
  }

  const double n = own_tiles(step), n_far = n - step->n_held;
  return n * most + n_far * step->held_floats * sizeof(float);
}

/* Weights and moments: read where they are not near, written. */
static double update(const vise_i_plan *plan) {
  const vise_k_step *step = &plan->step;
  const double n = own_tiles(step), n_arrays = vise_k_step_near_arrays(step);
  const double written = bytes_of(plan).stored + (n_arrays - 1) * sizeof(float);
  const double read = (n - step->n_near) * n_arrays + (n - step->n_held);
  return step->held_floats * (n * written + read * sizeof(float));
}

/* Rows of weights that a CTA reads, which has them in its caches from then on: each n_members-th. */
static double rows_of_weights(const vise_k_step *step) {
  const uint64_t n_rows = vise_i_ceil_div(step->n_units, step->n_members);
  double widest = 0;
  for (uint32_t l = 0; l < step->n_layers; l++) widest = step->layers[l].n_in > widest ? step->layers[l].n_in : widest;
  return (double)n_rows * widest * sizeof(float);
}

double vise_i_plan_phase_bytes(const vise_i_plan *plan, uint32_t i) {
  const vise_k_step *step = &plan->step;
  const vise_k_phase *phase = &step->phases[i];
  const vise_k_layer *layer = &step->layers[phase->layer];
  const double n_values = (double)step->max_rows * layer->n_out * sizeof(float) / step->n_members;

  switch ((vise_k_phase_kind)phase->kind) {
    case VISE_K_FORWARD:
      return product(plan, phase, layer->n_out, layer->n_in, phase->layer == 0 && step->near_rows > 0);
    case VISE_K_DELTA:
      return product(plan, phase, layer->n_out, layer[1].n_out, false);
    case VISE_K_ROWS:
      return rows(plan, phase);
    case VISE_K_LOSS:
      return 2 * n_values;
    case VISE_K_NORM: /* z three times, then the outputs */
      return 4 * n_values;
    case VISE_K_NORM_DELTA: /* z and dL/du twice, then dL/dz */
      return 5 * n_values;
    case VISE_K_NORM_SUMS:       /* z twice */
    case VISE_K_NORM_DELTA_SUMS: /* z and dL/du */
      return 2 * n_values;
    case VISE_K_PARTS:
    case VISE_K_GRADIENT:
      return gradient(plan);
    case VISE_K_UPDATE:
      return update(plan);
    case VISE_K_MAX_NORM:
      return 2 * own_tiles(step) * step->held_floats * sizeof(float);
    case VISE_K_ROW_L1: /* and as many are written */
    case VISE_K_ROUND:
      return 2 * rows_of_weights(step);
    default: /* a number for each 1024 weights */
      return (double)step->n_cells * sizeof(double) / step->n_members;
  }
}

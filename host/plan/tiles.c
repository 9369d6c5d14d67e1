/* Which tiles the products of a step are cut into. */
#include "host/plan/plan.h"
#include "kernels/canonical.h"

#define N_ROUNDS_MOST 1e18

/*
 * How much of a multiprocessor's float32 rate a tile of the variant reaches in long products; and what a tile takes
 * before and after its products, as a number of multiplications at the full rate. Estimates from registers and shared
 * memory traffic, to be replaced by measurements; they decide speed, never bits in fp32.
 */
static const double EFFICIENCY[VISE_K_N_VARIANTS][VISE_K_N_TILES] = {
    [VISE_K_SMALL_F32] = {0.10, 0.40, 0, 0},
    [VISE_K_LARGE_F32] = {0.10, 0.40, 0.75, 0.95},
    [VISE_K_TF32] = {0.10, 0.40, 2.5, 4.0},
    [VISE_K_BF16] = {0.10, 0.40, 4.0, 8.0},
};
#define TILE_OVERHEAD 60000.0
/* Cost of gradients in parts, in the same unit: an exchange, and a float that is written and read. */
#define PARTS_EXCHANGE 165000.0
#define PARTS_FLOAT 70.0
#define MOST_PARTS_FLOATS ((size_t)64 << 20)

enum {
  LEAST_OF_MATRIX_UNITS = 64, /* least size of each dimension */
  FLAT_LEAST_INPUTS = 128     /* inputs of a layer above which tiles of 16 x 4 do better than those of 8 x 8 */
};

static uint64_t n_tiles_of(uint64_t n_rows, uint64_t n_columns, vise_k_tile tile) {
  return vise_i_ceil_div(n_rows, vise_k_tile_rows(tile)) * vise_i_ceil_div(n_columns, vise_k_tile_units(tile));
}

/* Cost of one tile, in multiplications at the full rate. */
static double tile_cost(vise_k_variant variant, vise_k_tile tile, double depth) {
  if (tile == VISE_K_TILE_16_BY_4) tile = VISE_K_TILE_8; /* as many elements */
  const double side = vise_k_tile_side(tile);
  return side * side * depth / EFFICIENCY[variant][tile] + TILE_OVERHEAD;
}

double vise_i_plan_products_cost(vise_k_variant variant, vise_k_tile tile, double depth) {
  return tile_cost(variant, tile, depth) - TILE_OVERHEAD;
}

double vise_i_plan_tile_overhead(void) {
  return TILE_OVERHEAD;
}

/* The variant that has every tile that the request may have. */
static vise_k_variant full_variant(const vise_i_plan_request *request) {
  const vise_precision precision = request->precision;
  if (request->small_tiles) return VISE_K_SMALL_F32;
  return precision == VISE_TF32 ? VISE_K_TF32 : precision == VISE_BF16 ? VISE_K_BF16 : VISE_K_LARGE_F32;
}

static bool allowed(vise_k_variant variant, vise_k_tile tile, uint64_t m, uint64_t n, uint64_t depth) {
  if (tile < VISE_K_TILE_64) return true;
  if (variant == VISE_K_SMALL_F32) return false;
  const uint64_t side = vise_k_tile_side(tile);
  if (m <= side / 2 || n <= side / 2) return false; /* half of the tile would be empty */
  return variant == VISE_K_LARGE_F32 ||
         (m >= LEAST_OF_MATRIX_UNITS && n >= LEAST_OF_MATRIX_UNITS && depth >= LEAST_OF_MATRIX_UNITS);
}

/* The best tile for [m, depth] times [depth, n], alone in its phase. */
static vise_k_tile choose(vise_k_variant variant, uint64_t m, uint64_t n, uint64_t depth, uint32_t n_ctas) {
  vise_k_tile best = VISE_K_TILE_8;
  double best_cost = N_ROUNDS_MOST;

  for (int t = VISE_K_TILE_8; t < VISE_K_N_TILES; t++) {
    if (!allowed(variant, (vise_k_tile)t, m, n, depth)) continue;
    const double rounds = (double)vise_i_ceil_div(n_tiles_of(m, n, (vise_k_tile)t), n_ctas);
    const double cost = rounds * tile_cost(variant, (vise_k_tile)t, (double)depth);
    if (cost < best_cost) {
      best_cost = cost;
      best = (vise_k_tile)t;
    }
  }

  return best;
}

/* Slices of 32 rows up to 1024 rows; then at most 32 slices, until these would exceed 1024 rows. */
size_t vise_i_plan_most_slices(size_t n_rows) {
  const size_t of_32 = vise_i_ceil_div(n_rows, 32), of_1024 = vise_i_ceil_div(n_rows, 1024);
  if (of_32 < 32) return of_32;
  return of_1024 < 32 ? 32 : of_1024;
}

/* All weight gradients are one phase, CTA c taking the tiles c, c + n_ctas, ...: the work of the busiest CTA when no
   tile is larger than `most`. With parts, each tile is one product for each slice of the batch. */
static double gradient_cost(const vise_i_plan_request *request, vise_k_variant variant, vise_k_tile most, bool parts,
                            uint32_t n_ctas, uint8_t *tiles) {
  const vise_i_net *net = request->net;
  const uint64_t depth = request->max_rows, length = vise_slice_length((uint32_t)depth);
  const uint64_t n_parts = parts ? vise_i_ceil_div(depth, length) : 1;
  double load[VISE_I_PLAN_MOST_CTAS] = {0}, busiest = 0;
  uint64_t at = 0; /* the CTA that is next */

  for (size_t l = 0; l < net->n_layers; l++) {
    const uint64_t m = net->widths[l + 1], n = net->widths[l];
    vise_k_tile tile = most;
    while (tile > VISE_K_TILE_32 && !allowed(variant, tile, m, n, depth)) tile = (vise_k_tile)(tile - 1);
    tiles[l] = (uint8_t)tile;

    const uint64_t n_tiles = n_tiles_of(m, n, tile) * n_parts;
    const double cost = tile_cost(variant, tile, (double)(parts ? length : depth));
    for (uint64_t c = 0; c < n_ctas; c++) {
      const uint64_t behind = (c + n_ctas - at) % n_ctas; /* CTAs after the one with the layer's first tile */
      if (behind < n_tiles) load[c] += cost * (double)((n_tiles - behind - 1) / n_ctas + 1);
    }
    at = (at + n_tiles) % n_ctas;
  }

  for (uint32_t c = 0; c < n_ctas; c++) busiest = load[c] > busiest ? load[c] : busiest;
  return busiest;
}

/* What parts cost besides their products: an exchange, and writing and reading them, which the CTAs share. */
static double parts_cost(const vise_i_plan_request *request, uint32_t n_ctas) {
  const double n_floats = (double)request->net->n_params * (double)vise_i_plan_most_slices(request->max_rows);
  return PARTS_EXCHANGE + PARTS_FLOAT * n_floats / n_ctas;
}

/* Gradients in parts if the tiles are too few for the CTAs and the batch is large. The memory of parts is bounded. */
static void choose_gradient(const vise_i_plan_request *request, vise_k_variant variant, uint32_t n_ctas,
                            vise_i_plan *plan) {
  vise_k_step *step = &plan->step;
  const size_t n_slices = vise_i_plan_most_slices(request->max_rows);
  const bool may = n_slices > 1 && n_slices * plan->n_params <= MOST_PARTS_FLOATS && request->hooks.gradient_parts >= 0;
  const int forced = request->hooks.forced_tile - 1;
  double best_cost = N_ROUNDS_MOST;

  for (int t = VISE_K_TILE_32; t < VISE_K_N_TILES; t++) {
    if (forced >= 0 && t != (forced < VISE_K_TILE_32 ? VISE_K_TILE_32 : forced)) continue;
    for (int parts = 0; parts < (may ? 2 : 1); parts++) {
      uint8_t tiles[VISE_K_MAX_LAYERS];
      if (may && request->hooks.gradient_parts > 0 && !parts) continue;

      double cost = gradient_cost(request, variant, (vise_k_tile)t, parts, n_ctas, tiles);
      if (parts) cost += parts_cost(request, n_ctas);
      if (!(cost < best_cost)) continue;

      best_cost = cost;
      step->gradient_parts = (uint8_t)parts;
      for (uint32_t l = 0; l < step->n_layers; l++) {
        step->layers[l].gradient_tile = forced >= 0 ? (uint8_t)t : tiles[l];
      }
    }
  }
}

/* First tile of each tensor, the number of all tiles, and the floats of the largest. */
static void place_gradient_tiles(vise_k_step *step) {
  uint32_t at = 0;
  for (uint32_t l = 0; l < step->n_layers; l++) {
    vise_k_layer *layer = &step->layers[l];
    const uint32_t side = vise_k_tile_side((vise_k_tile)layer->gradient_tile);

    layer->first_weight_tile = at;
    at += (uint32_t)n_tiles_of(layer->n_out, layer->n_in, (vise_k_tile)layer->gradient_tile);
    layer->first_vector_tile = at;
    at += layer->n_vectors * (uint32_t)vise_i_ceil_div(layer->n_out, VISE_K_BIAS_TILE);
    if (side * side > step->held_floats) step->held_floats = side * side;
  }

  step->n_gradient_tiles = at;
}

void vise_i_plan_tiles(const vise_i_plan_request *request, uint32_t n_ctas, vise_i_plan *plan) {
  vise_k_step *step = &plan->step;
  const vise_k_variant full = full_variant(request);
  const uint64_t rows = request->max_rows;
  const int forced = request->hooks.forced_tile - 1;
  bool small = full == VISE_K_LARGE_F32;

  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    plan->forward_tile[l] = (uint8_t)choose(full, rows, layer->n_out, layer->n_in, n_ctas);
    if (forced >= 0) plan->forward_tile[l] = (uint8_t)forced;
    if (plan->forward_tile[l] > VISE_K_TILE_32) small = false;

    if (l + 1 == step->n_layers) break;
    const vise_k_layer *above = &step->layers[l + 1];
    plan->delta_tile[l] = (uint8_t)choose(full, rows, layer->n_out, above->n_out, n_ctas);
    if (forced >= 0) plan->delta_tile[l] = (uint8_t)forced;
    if (plan->delta_tile[l] > VISE_K_TILE_32 && !request->forward_only) small = false;
  }

  if (!request->forward_only) {
    choose_gradient(request, full, n_ctas, plan);
    for (uint32_t l = 0; l < step->n_layers; l++) {
      if (step->layers[l].gradient_tile > VISE_K_TILE_32) small = false;
    }
    place_gradient_tiles(step);
  }

  plan->variant = small ? VISE_K_SMALL_F32 : full;
}

/* A CTA keeps the inputs of one tile forward and of one of the gradient. Nothing else may read them: not the addition
   of a residual, nor VISE_K_ROWS, nor VISE_K_PARTS. */
void vise_i_plan_near_inputs(const vise_i_plan_request *request, vise_i_plan *plan) {
  vise_k_step *step = &plan->step;
  const vise_k_layer *first = &step->layers[0];
  vise_k_tile tile = (vise_k_tile)plan->forward_tile[0];

  step->near_rows = 0;
  step->far_tile = (uint8_t)tile;
  if (request->forward_only || request->gathers || plan->variant != VISE_K_SMALL_F32) return;
  if (first->has_residual || step->input_dropout.threshold > 0 || step->gradient_parts) return;
  if (step->n_layers == 1 && plan->narrow) return;
  if (vise_slice_length(first->n_in) > 32 || vise_slice_length(step->max_rows) > 32) return;
  if (step->n_gradient_tiles > step->n_members) return;

  /* Its groups of 8 threads take a slice each, so it needs many of them. */
  const bool may_be_flat = first->n_in > FLAT_LEAST_INPUTS && step->max_rows > 8 && request->hooks.forced_tile == 0;
  if (may_be_flat && n_tiles_of(step->max_rows, first->n_out, VISE_K_TILE_16_BY_4) <= step->n_members) {
    tile = VISE_K_TILE_16_BY_4;
  }
  if (n_tiles_of(step->max_rows, first->n_out, tile) > step->n_members) return;

  plan->near_tile = (uint8_t)tile;
  step->near_rows = (uint8_t)vise_k_tile_rows(tile);
}

/*
 * The three products of a step, in the tiles that this kernel has. A kernel's source file chooses them before it
 * includes this:
 *
 * VISE_STEP_LARGE   0: tiles of 8 and 32; 1: all
 * VISE_STEP_MMA     0: all in float32; VISE_MMA_TF32, VISE_MMA_BF16: tiles of 64 and 128 by the matrix units
 */
#ifndef VISE_K_PRODUCTS_CUH
#define VISE_K_PRODUCTS_CUH

#include "kernels/gradient.cuh"
#include "kernels/layers.cuh"
#include "kernels/near_inputs.cuh"
#include "kernels/ops/batch_norm.cuh"
#include "kernels/part_sums.cuh"
#include "kernels/product_f32.cuh"

#if VISE_STEP_MMA == VISE_MMA_BF16
#include "kernels/product_bf16.cuh"
#define VISE_PRODUCT_LARGE(side, t) vise_product_bf16<side, A_ALONG_K, B_ALONG_K>()
#elif VISE_STEP_MMA == VISE_MMA_TF32
#include "kernels/product_tf32.cuh"
#define VISE_PRODUCT_LARGE(side, t) vise_product_tf32<side, A_ALONG_K, B_ALONG_K>()
#else
#define VISE_PRODUCT_LARGE(side, t) vise_product_f32<side, t, t, A_ALONG_K, B_ALONG_K>()
#endif

/* The operands of the products that follow, over k in slices of the given length; visible after the next barrier. near:
   where in shared memory the inputs of a product forward (a) or of a gradient (b) are, or 0. */
VISE_FN void vise_product_operands(vise_step *step, vise_operand a, vise_operand b, uint32_t near, uint32_t n_k,
                                   uint32_t length) {
  if (threadIdx.x == 0) {
    step->near = near;
    step->a = a;
    step->b = b;
    step->n_k = n_k;
    step->length = length;
  }
}

/* By all threads: the tile at (m0, n0) of a b, to shared memory at float `c`. Earlier uses of the stages and of c need
   only come first in program order: there is a barrier here. */
template <int A_ALONG_K, int B_ALONG_K>
static __device__ __forceinline__ void vise_product(vise_step *step, uint32_t tile, uint32_t m0, uint32_t n0,
                                                    uint32_t c) {
  if (threadIdx.x == 0) {
    step->m0 = m0;
    step->n0 = n0;
    step->c = c;
  }
  __syncthreads();

  switch (tile) {
#if VISE_STEP_LARGE
    case VISE_K_TILE_128:
      VISE_PRODUCT_LARGE(128, 8);
      return;
    case VISE_K_TILE_64:
      VISE_PRODUCT_LARGE(64, 4);
      return;
#endif
    /* The gradient's k is the batch, whose slices are few: fewer groups, and none of the smallest tiles. */
    case VISE_K_TILE_8:
      if constexpr (A_ALONG_K) vise_product_f32<8, 2, 2, 1, B_ALONG_K>();
      return;
    default:
      vise_product_f32<32, 4, 4, A_ALONG_K, B_ALONG_K>();
      return;
  }
}

/* The first forward phase in tiles of 16 x 4, of which this CTA has one, or none: the copies of its weights begin at once,
   since where the tile is was found with its inputs. */
VISE_FN_CALLED void vise_forward_flat(void) {
  vise_step *const step = vise_step_here();
  const uint32_t unit = step->near_parts[0].unit, row = step->near_parts[0].row;
  if (unit >= step->p.layers[0].n_out || row >= step->record.n_rows) return;
  vise_load_bias(step, 0, unit, 4);
  const vise_operand weights = vise_operand_weights(&step->p, 0);
  vise_product_flat_f32(&weights, unit, vise_near_inputs_at(step, 0), vise_step_stage());
  vise_forward_epilogue(0, row, unit, 4, 2);
}

VISE_FN_CALLED void vise_forward_phase(uint32_t layer, uint32_t tile) {
  vise_step *const step = vise_step_here();
  const uint32_t near = layer == 0 ? vise_near_inputs_at(step, 0) : 0;
  if (VISE_STEP_NEAR_INPUTS && near && tile == VISE_K_TILE_16_BY_4) {
    vise_forward_flat();
    return;
  }
  if (layer == 0 && !near && vise_plans_near_inputs(&step->p)) tile = step->p.far_tile;

  const uint32_t rows_log = vise_k_tile_rows_log((vise_k_tile)tile);
  const uint32_t units_log = vise_k_tile_units_log((vise_k_tile)tile);
  const uint32_t n_down = vise_k_tiles_of(near ? step->p.max_rows : step->record.n_rows, rows_log);
  const uint32_t n_tiles = n_down * vise_k_tiles_of(step->p.layers[layer].n_out, units_log);

  vise_product_operands(step, vise_operand_inputs(step, layer), vise_operand_weights(&step->p, layer), near,
                        step->p.layers[layer].n_in, vise_slice_length(step->p.layers[layer].n_in));

#pragma unroll 1
  for (uint32_t i = vise_step_member(); i < n_tiles; i += step->p.n_members) {
    const uint32_t row = i % n_down << rows_log, unit = i / n_down << units_log;
    vise_load_bias(step, layer, unit, 1u << units_log);
    vise_product<1, 1>(step, tile, row, unit, VISE_STAGE_AT);
    vise_forward_epilogue(layer, row, unit, rows_log, units_log);
    if (i + step->p.n_members < n_tiles) __syncthreads(); /* the biases are used */
  }
}

VISE_FN_CALLED void vise_delta_phase(uint32_t layer, uint32_t tile) {
  vise_step *const step = vise_step_here();
  const uint32_t side_log = vise_k_tile_rows_log((vise_k_tile)tile);
  const uint32_t n_down = vise_k_tiles_of(step->record.n_rows, side_log);
  const uint32_t n_tiles = n_down * vise_k_tiles_of(step->p.layers[layer].n_out, side_log);

  vise_product_operands(step, vise_operand_deltas(step, layer + 1), vise_operand_weights(&step->p, layer + 1), 0,
                        step->p.layers[layer + 1].n_out, vise_slice_length(step->p.layers[layer + 1].n_out));

#pragma unroll 1
  for (uint32_t i = vise_step_member(); i < n_tiles; i += step->p.n_members) {
    const uint32_t row = i % n_down << side_log, unit = i / n_down << side_log;
    vise_product<1, 0>(step, tile, row, unit, VISE_STAGE_AT);
    vise_delta_epilogue(step, layer, row, unit, side_log, vise_step_stage());
  }
}

/* The operands of the weight gradient of a layer over rows begin .. begin + n of the batch. */
VISE_FN void vise_gradient_operands(vise_step *step, uint32_t layer, uint32_t begin, uint32_t n, uint32_t length) {
  vise_operand a = vise_operand_deltas(step, layer), b = vise_operand_inputs(step, layer);
  vise_operand_take_rows(&a, begin, n);
  vise_operand_take_rows(&b, begin, n);
  vise_product_operands(step, a, b, layer == 0 ? vise_near_inputs_at(step, 1) : 0, n, length);
}

/* Stores a tile's plain gradient, in c (shared memory), in its place among the sums of a slice. */
VISE_FN void vise_store_part(vise_step *step, const vise_step_tile *t, uint32_t slice, const float *c) {
  float *to = step->p.parts + slice * step->p.n_params + t->tensor.first;
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < t->n_rows * t->side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = t->row + i / t->side, column = t->column + i % t->side;
    if (row < t->tensor.n_rows && column < t->tensor.n_columns) to[(size_t)row * t->tensor.ld + column] = c[i];
  }
}

/* Adds the sums of all slices, in their order, into c: a tile's plain gradient. */
VISE_FN void vise_add_parts(vise_step *step, const vise_step_tile *t, float *c) {
  const uint32_t n_rows = step->record.n_rows, n_slices = vise_ceil_div(n_rows, vise_slice_length(n_rows));

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < t->n_rows * t->side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = t->row + i / t->side, column = t->column + i % t->side;

    float total = 0.0f;
    if (row < t->tensor.n_rows && column < t->tensor.n_columns) {
      const float *from = step->p.parts + t->tensor.first + (size_t)row * t->tensor.ld + column;
#pragma unroll 8
      for (uint32_t slice = 0; slice < n_slices; slice++) total += from[slice * step->p.n_params];
    }
    c[i] = total + 0.0f;
  }

  __syncthreads();
}

/* VISE_K_GIVEN: a tile's plain gradient from the nodes of the batch's parts, into c. */
VISE_FN void vise_add_nodes(vise_step *step, const vise_step_tile *t, float *c) {
  const uint32_t nodes = step->record.given.nodes;

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < t->n_rows * t->side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = t->row + i / t->side, column = t->column + i % t->side;
    const int inside = row < t->tensor.n_rows && column < t->tensor.n_columns;
    const float *from = step->p.gradients + t->tensor.first + (size_t)row * t->tensor.ld + column;
    c[i] = inside ? vise_sum_of_nodes(from, step->p.n_params, nodes) : 0.0f;
  }

  __syncthreads();
}

/* VISE_K_PARTS: the CTAs take pairs of slice and tile in turn. */
VISE_FN_CALLED void vise_parts_phase(void) {
  vise_step *const step = vise_step_here();
  const uint32_t n_rows = step->record.n_rows, length = vise_slice_length(n_rows);
  const uint32_t n_parts = vise_ceil_div(n_rows, length) * step->p.n_gradient_tiles;

#pragma unroll 1
  for (uint32_t i = vise_step_member(); i < n_parts; i += step->p.n_members) {
    const vise_step_tile t = vise_step_tile_at(&step->p, i % step->p.n_gradient_tiles);
    const uint32_t slice = i / step->p.n_gradient_tiles, begin = slice * length, left = n_rows - begin;
    const uint32_t n = left < length ? left : length;

    if (vise_is_norm_tile(&step->p, &t)) continue; /* its phase has made the sums */
    if (t.tensor.is_bias) {
      if (threadIdx.x == 0) step->c = VISE_STAGE_AT;
      __syncthreads();
      vise_bias_gradient(t.tensor.layer, t.column, begin, n, length);
    } else {
      vise_gradient_operands(step, t.tensor.layer, begin, n, length);
      vise_product<0, 0>(step, step->p.layers[t.tensor.layer].gradient_tile, t.row, t.column, VISE_STAGE_AT);
    }

    vise_store_part(step, &t, slice, vise_step_stage());
    __syncthreads();
  }
}

/* A tile of the gradient phase, this CTA's i-th, in c: adds it up if no product has made it, then does what comes
   before norms are known. */
VISE_FN_CALLED void vise_shape_gradient_tile(uint32_t i) {
  vise_step *const step = vise_step_here();
  const vise_step_tile t = vise_own_tile(step, i);
  const uint32_t n_rows = step->record.n_rows;
  float *c = vise_step_floats() + step->c;
  if (vise_is_given(&step->p)) {
    vise_add_nodes(step, &t, c);
  } else if (vise_is_norm_tile(&step->p, &t)) {
    vise_norm_gradient(step, &t, c);
  } else if (VISE_RARE(step->p.gradient_parts)) {
    vise_add_parts(step, &t, c);
  } else if (t.tensor.is_bias) {
    vise_bias_gradient(t.tensor.layer, t.column, 0, n_rows, vise_slice_length(n_rows));
  }
  vise_shape_tile(step, &t, i, c);
}

VISE_FN_CALLED void vise_gradient_phase(void) {
  vise_step *const step = vise_step_here();
  vise_norm_strengths();

#pragma unroll 1
  for (uint32_t i = 0; i < step->n_own; i++) {
    const uint32_t n_rows = step->record.n_rows;
    const uint32_t c = i < step->p.n_held ? vise_step_held_at(&step->p, i) : (uint32_t)VISE_STAGE_AT;
    const vise_step_tile t = vise_own_tile(step, i);

    if (t.tensor.is_bias || VISE_RARE(step->p.gradient_parts)) {
      if (threadIdx.x == 0) step->c = c;
      __syncthreads();
    } else {
      vise_gradient_operands(step, t.tensor.layer, 0, n_rows, vise_slice_length(n_rows));
      vise_product<0, 0>(step, step->p.layers[t.tensor.layer].gradient_tile, t.row, t.column, c);
    }

    vise_shape_gradient_tile(i);
  }
}

#endif

/*
 * The three products of a step, in the tiles that this kernel has. A kernel's source file chooses them before it
 * includes this: VISE_STEP_LARGE   0: tiles of 8 and 32; 1: all VISE_STEP_MMA     0: all in float32; VISE_MMA_TF32,
 * VISE_MMA_BF16: tiles of 64 and 128 by the matrix units
 */
#ifndef VISE_K_PRODUCTS_CUH
#define VISE_K_PRODUCTS_CUH

#include "kernels/gradient.cuh"
#include "kernels/layers.cuh"
#include "kernels/product_f32.cuh"
#include "kernels/product_mma.cuh"

#if VISE_STEP_MMA
#define VISE_PRODUCT_LARGE(side, t) vise_product_mma<side, VISE_STEP_MMA, A_ALONG_K, B_ALONG_K>()
#else
#define VISE_PRODUCT_LARGE(side, t) vise_product_f32<side, t, t, A_ALONG_K, B_ALONG_K>()
#endif

/* The tile at (m0, n0) of the product of a and b over n_k, to float `c` of the shared memory, with all threads. */
template <int A_ALONG_K, int B_ALONG_K>
static __device__ __forceinline__ void vise_product(vise_step *step, uint32_t tile, const vise_operand *a,
                                                    const vise_operand *b, uint32_t m0, uint32_t n0, uint32_t n_k,
                                                    uint32_t c) {
  if (threadIdx.x == 0) {
    step->a = *a;
    step->b = *b;
    step->m0 = m0;
    step->n0 = n0;
    step->n_k = n_k;
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
      vise_product_f32<32, 4, (A_ALONG_K ? 4 : 2), A_ALONG_K, B_ALONG_K>();
      return;
  }
}

VISE_STEP_FN void vise_forward_phase(uint32_t layer, uint32_t tile) {
  vise_step *const step = vise_step_here();
  const vise_k_layer *l = &step->p.layers[layer];
  const vise_operand a = vise_operand_inputs(step, layer), b = vise_operand_weights(&step->p, layer);
  const uint32_t side = vise_k_tile_side((vise_k_tile)tile), n_down = vise_ceil_div(a.n_rows, side);
  const uint32_t n_tiles = n_down * vise_ceil_div(l->n_out, side);
  for (uint32_t i = blockIdx.x; i < n_tiles; i += step->p.n_members) {
    const uint32_t row = i % n_down * side, unit = i / n_down * side;
    vise_product<1, 1>(step, tile, &a, &b, row, unit, l->n_in, VISE_STAGE_AT);
    vise_forward_epilogue(step, layer, row, unit, side, vise_step_stage());
  }
}

VISE_STEP_FN void vise_delta_phase(uint32_t layer, uint32_t tile) {
  vise_step *const step = vise_step_here();
  const vise_k_layer *l = &step->p.layers[layer];
  const vise_operand a = vise_operand_deltas(step, layer + 1), b = vise_operand_weights(&step->p, layer + 1);
  const uint32_t side = vise_k_tile_side((vise_k_tile)tile), n_down = vise_ceil_div(a.n_rows, side);
  const uint32_t n_tiles = n_down * vise_ceil_div(l->n_out, side);
  for (uint32_t i = blockIdx.x; i < n_tiles; i += step->p.n_members) {
    const uint32_t row = i % n_down * side, unit = i / n_down * side;
    vise_product<1, 0>(step, tile, &a, &b, row, unit, a.n_columns, VISE_STAGE_AT);
    vise_delta_epilogue(step, layer, row, unit, side, vise_step_stage());
  }
}

VISE_STEP_FN void vise_gradient_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  vise_norm_strengths();
  uint32_t i = 0;
  for (uint32_t tile = blockIdx.x; tile < p->n_gradient_tiles; tile += p->n_members, i++) {
    const vise_step_tile t = vise_step_tile_at(p, tile);
    const vise_tile_memory to = vise_tile_memory_of(step, &t, i);
    const uint32_t c = i < p->n_held ? vise_step_held_at(p, i) : (uint32_t)VISE_STAGE_AT;
    if (t.tensor.is_bias) {
      __syncthreads();
      vise_bias_gradient(step, &t, vise_step_floats() + c);
    } else {
      const vise_operand a = vise_operand_deltas(step, t.tensor.layer), b = vise_operand_inputs(step, t.tensor.layer);
      vise_product<0, 0>(step, p->layers[t.tensor.layer].gradient_tile, &a, &b, t.row, t.column, a.n_rows, c);
    }
    vise_shape_tile(step, &t, vise_step_floats() + c, &to);
  }
}

#endif

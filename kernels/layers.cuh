/* Around the products of a layer: their operands, and the epilogues of the forward and delta phases, which add the bias
   and apply the activation, or multiply by the activation's slope. */
#ifndef VISE_K_LAYERS_CUH
#define VISE_K_LAYERS_CUH

#include "kernels/activation.cuh"
#include "kernels/stage.cuh"

/* Starts to copy the biases of n units from `unit` on, both multiples of 4 and n up to VISE_K_BIAS_TILE, to step->bias;
   whoever waits for later copies waits for these. */
VISE_FN void vise_load_bias(vise_step *step, uint32_t layer, uint32_t unit, uint32_t n) {
  const vise_k_layer *l = &step->p.layers[layer];
  const uint32_t at = threadIdx.x * 4, left = l->n_out - (unit + at);
  if (!step->p.has_bias || at >= n || unit + at >= l->n_out) return;
  ptx_cp_async_16(step->bias + threadIdx.x, step->p.params + l->bias + unit + at, left < 4 ? 4 * left : 16);
  ptx_cp_async_commit();
}

/* a = f(z), z = c + b, for a tile of rows x units; keeps z too where it will be needed. The last layer's a is z. */
VISE_FN void vise_forward_epilogue(vise_step *step, uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t side,
                                   const float *c) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t n_rows = step->record.n_rows, side_log = (uint32_t)vise_tree_depth(side);
  const vise_activation kind = layer + 1 == p->n_layers ? VISE_IDENTITY : p->activation;
  float *pre = vise_i_activation_needs_z(kind) ? p->activations + l->pre : NULL;
  const float *bias = p->has_bias ? (const float *)step->bias : NULL;

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < side * side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = row0 + (i >> side_log), unit = unit0 + (i & (side - 1));
    if (row >= n_rows || unit >= l->n_out) continue;

    const float z = bias ? c[i] + bias[i & (side - 1)] : c[i];
    const size_t at = (size_t)row * l->ld_out + unit;
    if (pre) pre[at] = z;
    vise_put_activation(p, l->out + at, vise_activation_f32(kind, z));
  }
}

/* f'(z) of hidden layer l at a row and unit. */
VISE_FN float vise_slope_at(const vise_k_step *p, const vise_k_layer *l, uint32_t row, uint32_t unit) {
  const size_t at = (size_t)row * l->ld_out + unit;
  const float z = vise_i_activation_needs_z(p->activation) ? p->activations[l->pre + at] : 0.0f;
  return vise_activation_slope_f32(p->activation, p->activations[l->out + at], z);
}

/* dL/dz = c f'(z) for a tile of rows x units. */
VISE_FN void vise_delta_epilogue(vise_step *step, uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t side,
                                 const float *c) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t side_log = (uint32_t)vise_tree_depth(side);
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < side * side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = row0 + (i >> side_log), unit = unit0 + (i & (side - 1));
    if (row >= step->record.n_rows || unit >= l->n_out) continue;
    vise_put_activation(p, l->delta + (size_t)row * l->ld_out + unit, c[i] * vise_slope_at(p, l, row, unit));
  }
}

/* The inputs of a layer for the rows of the batch: activations of the layer below, or the gathered rows. */
VISE_FN vise_operand vise_operand_inputs(const vise_step *step, uint32_t layer) {
  const vise_k_step *p = &step->p;
  const uint32_t n_rows = step->record.n_rows;
  if (layer == 0) {
    return vise_operand_of(p->inputs, p->inputs16, (size_t)(step->inputs - p->inputs), p->ld_inputs, n_rows,
                           p->layers[0].n_in);
  }
  const vise_k_layer *below = &p->layers[layer - 1];
  return vise_operand_of(p->activations, p->activations16, below->out, below->ld_out, n_rows, below->n_out);
}

VISE_FN vise_operand vise_operand_weights(const vise_k_step *p, uint32_t layer) {
  const vise_k_layer *l = &p->layers[layer];
  return vise_operand_of(p->params, p->params16, l->weight, l->ld, l->n_out, l->n_in);
}

VISE_FN vise_operand vise_operand_deltas(const vise_step *step, uint32_t layer) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  return vise_operand_of(p->activations, p->activations16, l->delta, l->ld_out, step->record.n_rows, l->n_out);
}

#endif

/* A residual: the inputs of a block are added to its outputs, and the gradient goes both ways. */
#ifndef VISE_K_RESIDUAL_CUH
#define VISE_K_RESIDUAL_CUH

#include "kernels/step_context.cuh"

/* What is added at a row and unit of the block of a layer: an output of the block below, or a gathered value. */
VISE_FN float vise_residual_input(const vise_step *step, uint32_t layer, uint32_t row, uint32_t unit) {
  const vise_k_step *p = &step->p;
  if (layer == 0) return step->inputs[(size_t)row * p->ld_inputs + unit];
  const vise_k_layer *below = &p->layers[layer - 1];
  return p->activations[below->out + (size_t)row * below->ld_out + unit];
}

/* What the residual of a layer adds to the gradient at the outputs of the block below. */
VISE_FN float vise_residual_delta(const vise_k_step *p, uint32_t layer, uint32_t row, uint32_t unit) {
  const vise_k_layer *l = &p->layers[layer];
  return p->activations[vise_k_delta_out(l) + (size_t)row * l->ld_out + unit];
}

#endif

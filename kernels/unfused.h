/*
 * The kernels of the unfused step: all that a step does but matrix products, which the host leaves to cuBLAS
 * (host/backend/cuda/unfused*.c). Each takes a step as the fused kernel does (kernels/step_types.h): memory, options,
 * records, state. What changes from step to step is read from device memory, so that a launch can be replayed.
 *
 * A step is, on one stream:
 *   vise_k_unfused_begin       clears what the step accumulates, gathers the rows
 *   for each layer             z = W a + b by cuBLAS, then vise_k_unfused_activate where cuBLAS does not, or
 *                              vise_k_unfused_block where batch norm, dropout, rounding or a residual follow
 *   vise_k_unfused_loss        losses and deltas of the rows
 *   for each hidden layer      dL/da by cuBLAS, then vise_k_unfused_slope where cuBLAS does not, or
 *                              vise_k_unfused_block_delta the way back through its block
 *   for each layer             dL/dW, dL/db by cuBLAS; vise_k_unfused_bias for all dL/db that cuBLAS does not make
 *   vise_k_unfused_gradient    penalties, value clip, sums of squares; sums of 32 row losses each
 *   vise_k_unfused_decide      norms, scales, skip; statistics; the state moves on to the next record
 *   vise_k_unfused_update      optimizer and projection; running statistics of batch norms
 * and, where options ask for them, _norms (kF) before _gradient, _sums after it, _row_l1, _norms (max-norm by tensors)
 * and _max_norm after _update; of an integer net _round after _update. What goes forward in such a net has the rounded
 * weights as the step's params.
 *
 * In bf16 cuBLAS reads the step's copies of weights, inputs, activations and deltas (the first half of inputs16).
 * Activations and deltas of hidden layers exist in bf16 alone; weights, outputs of the last layer and gradients stay
 * float32, as does what a block with batch norm, dropout or a residual keeps between its products.
 */
#ifndef VISE_K_UNFUSED_H
#define VISE_K_UNFUSED_H

#include <cuda_runtime_api.h>

#include "kernels/step_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a layer is linear and an activation alone: its outputs are f(z), without dropout, a residual or rounding. */
VISE_BOTH int vise_k_unfused_is_plain(const vise_k_layer *layer) {
  return !layer->has_norm && layer->act_by == 0;
}

/* Whether the way back through a hidden layer is dL/da f'(z) alone; a residual above adds to dL/da. */
VISE_BOTH int vise_k_unfused_is_plain_back(const vise_k_layer *layer) {
  return vise_k_unfused_is_plain(layer) && !layer[1].has_residual;
}

/* What the kernels of one step tell each other; device memory, written by vise_k_unfused_begin and _decide. */
typedef struct vise_k_unfused_context {
  vise_k_step_record record; /* of this step */
  uint32_t active;           /* 0: a halt was met before, there is nothing to do */
  uint32_t index;            /* of the step's statistics */
  uint32_t parity;           /* of the weights at its start */
  uint32_t skip;
  uint32_t loss_is_bad, bad_gradient, bad_total; /* lowest bad tensor, or 255 */
  float correct1, correct2;                      /* Adam's 1 / (1 - beta^t) */
  double inverse;                                /* 1 / the record's denominator */
  float scales[VISE_K_MAX_TENSORS];              /* of the norm clip, by tensors */
  float norm_strengths[VISE_K_MAX_TENSORS];      /* kF / ||W|| */
  float max_norm_scales[VISE_K_MAX_TENSORS];     /* of max-norm by tensors */
} vise_k_unfused_context;

typedef struct vise_k_unfused {
  vise_k_step step; /* of whole steps, with data */
  vise_k_unfused_context *context;
  double *loss_leaves; /* [leaves of max_rows]: sums of 32 row losses each */
} vise_k_unfused;

/* Once for each device: allows the shared memory that the largest nets take. */
cudaError_t vise_k_unfused_prepare(void);

/* n_rows is that of the step's record. */
cudaError_t vise_k_unfused_begin(const vise_k_unfused *u, uint32_t n_rows, cudaStream_t stream);

/* a = f(z) of a layer, z where cuBLAS has put it: in the place of a, or of z where the activation needs that later.
   add_bias: cuBLAS did not add it. The last layer's a is z. */
cudaError_t vise_k_unfused_activate(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, int add_bias,
                                    cudaStream_t stream);

/* The outputs of a hidden layer that is not plain. z is where cuBLAS has put it, in float32: in `linear` before a batch
   norm, else where activate would have it. */
cudaError_t vise_k_unfused_block(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, int add_bias,
                                 cudaStream_t stream);
cudaError_t vise_k_unfused_loss(const vise_k_unfused *u, uint32_t n_rows, cudaStream_t stream);

/* Times f'(z), in place, of a hidden layer. */
cudaError_t vise_k_unfused_slope(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, cudaStream_t stream);

/* The same where the way back is not plain: dL/dz from dL/d outputs, which cuBLAS has put into `delta` in float32, without
   the share of a residual above; gradients of a batch norm. */
cudaError_t vise_k_unfused_block_delta(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, cudaStream_t stream);

/* dL/db of the layers whose bit is set. */
cudaError_t vise_k_unfused_bias(const vise_k_unfused *u, uint32_t layers, cudaStream_t stream);
cudaError_t vise_k_unfused_gradient(const vise_k_unfused *u, uint32_t n_rows, uint32_t n_sms, cudaStream_t stream);

/* Sums of groups, and of units of the gradient: where the step has a phase for them (sum_phase). */
cudaError_t vise_k_unfused_sums(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream);

/* norm_strengths, or with new_weights max_norm_scales. */
cudaError_t vise_k_unfused_norms(const vise_k_unfused *u, int new_weights, cudaStream_t stream);
cudaError_t vise_k_unfused_decide(const vise_k_unfused *u, cudaStream_t stream);
cudaError_t vise_k_unfused_update(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream);

/* The rounded weights of an integer net. */
cudaError_t vise_k_unfused_round(const vise_k_unfused *u, cudaStream_t stream);
cudaError_t vise_k_unfused_row_l1(const vise_k_unfused *u, cudaStream_t stream);
cudaError_t vise_k_unfused_max_norm(const vise_k_unfused *u, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

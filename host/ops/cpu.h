/*
 * The layers in float32 for the cpu backend, on plain arrays: of values after the first linear layer [width, n], one
 * row for each unit, so that statistics are sums over what lies together; of a net's inputs [n, width]. What one thread
 * does are some units of a layer. Each kind has its formulas, those of KIND/ref64.c, in KIND/cpu.c; linear layers, by
 * the products of host/product, and activations, fused with the biases, are in host/backend/cpu.
 */
#ifndef VISE_I_OPS_CPU_H
#define VISE_I_OPS_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/ops/pass.h"

/* ---- batch_norm/cpu.c: without the shift, which the activation pass adds and derives as it does a bias ---- */

typedef struct vise_i_cpu_batch_norm {
  const float *gain;       /* [width] */
  double *mean, *variance; /* [width]; variance divided by n */
  float *x;                /* [width, n]: (z - mean) / sqrt(variance + eps), made by forward */
  size_t width, n;
} vise_i_cpu_batch_norm;

/* Mean and variance from z [width, n], in two passes. A unit's bits depend on its numbers alone. */
void vise_i_cpu_batch_norm_measure(const vise_i_cpu_batch_norm *norm, const float *z);
/* z = gain x. */
void vise_i_cpu_batch_norm_forward(const vise_i_cpu_batch_norm *norm, float *z);
/* delta: of gain x + shift, to of z; gain_grad [width] is set. */
void vise_i_cpu_batch_norm_backward(const vise_i_cpu_batch_norm *norm, float *delta, float *gain_grad);
/* Its halves, for a batch in parts: the units' sums of delta and of delta times x, over the rows of a part, with gain_grad;
   then, with those over all n_rows of the batch, delta. */
void vise_i_cpu_batch_norm_sum(const vise_i_cpu_batch_norm *norm, const float *delta, double *sum, double *sum_x,
                               float *gain_grad);
void vise_i_cpu_batch_norm_below(const vise_i_cpu_batch_norm *norm, const double *sum, const double *sum_x,
                                 size_t n_rows, float *delta);
/* Moves the running statistics towards those of the batch. */
void vise_i_cpu_batch_norm_track(const vise_i_cpu_batch_norm *norm, float *running_mean, float *running_variance);

/* ---- dropout/cpu.c ---- */

/* What the draws of one dropout in one pass depend on. */
typedef struct vise_i_cpu_dropout {
  const vise_i_op_pass *pass;
  uint32_t place; /* host/ops/dropout/dropout.h */
  double p;
} vise_i_cpu_dropout;

/* Of units first_unit ... (width of them): factors [width, n] = kept ? scale : 0, and out = in times them; out may be in. A
   value that is dropped is 0 whatever it was. */
void vise_i_cpu_dropout_forward(const vise_i_cpu_dropout *drop, size_t first_unit, size_t width, const float *in,
                                float *factors, float *out);
/* delta [n_values] times the factors. */
void vise_i_cpu_dropout_backward(const float *factors, float *delta, size_t n_values);
/* Rows [first, end) of the pass's inputs x [n, width], in place. */
void vise_i_cpu_dropout_inputs(const vise_i_cpu_dropout *drop, float *x, size_t width, size_t first, size_t end);

/* ---- residual/cpu.c ---- */

/* out [width, n] = block + from; out may be block. */
void vise_i_cpu_residual_forward(const float *block, const float *from, size_t width, size_t n, float *out);
/* The same where from is the net's inputs, from their first such unit on: rows of `stride` values. */
void vise_i_cpu_residual_of_inputs(const float *block, const float *from, size_t stride, size_t width, size_t n,
                                   float *out);

#endif

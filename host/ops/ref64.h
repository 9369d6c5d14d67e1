/*
 * The layers in float64, as plain as they can be written: the oracle. A matrix of rows is [n, width] in C order. Each kind
 * has its formulas in KIND/ref64.c; the table here is how cpu64 walks through a net.
 */
#ifndef VISE_I_REF64_H
#define VISE_I_REF64_H

#include "host/net/net.h"
#include "host/ops/pass.h"

/* One layer of one pass. */
typedef struct vise_i_ref64 {
  const vise_i_net *net;
  const vise_i_layer *layer;
  const vise_i_op_pass *pass;
  const double *params;
  const double *in;    /* [n, n_in] */
  const double *from;  /* residual: the inputs of its block [n, n_out] */
  double *out;         /* [n, n_out] */
  double *statistics;  /* batch norm: [2, n_out], mean and variance (divided by n) of the batch; made by forward */
  bool has_statistics; /* they are there already: the rows are a part of the batch (vise_i_ref64_measure) */
} vise_i_ref64;

typedef struct vise_i_ref64_kind {
  /* in to out. */
  void (*forward)(const vise_i_ref64 *op);
  /* From delta = dL/d out to below = dL/d in, and adds dL/d parameters to grads, flat. below may be delta itself except
     for kind linear; there it may be NULL: not wanted. A residual's below is that of the block, not of `from`. */
  void (*backward)(const vise_i_ref64 *op, const double *delta, double *below, double *grads);
} vise_i_ref64_kind;

extern const vise_i_ref64_kind vise_i_ref64_linear, vise_i_ref64_batch_norm, vise_i_ref64_activation,
    vise_i_ref64_dropout, vise_i_ref64_residual;

const vise_i_ref64_kind *vise_i_ref64_kind_of(vise_layer_kind kind);

/* f(v), and f'(v) with relu'(0) = 0, leaky-relu'(0) = 0.01 as PyTorch. NaN comes out as NaN. */
double vise_i_ref64_activate(vise_activation kind, double v);
double vise_i_ref64_slope(vise_activation kind, double v);

/* Batch norm by parts. Statistics of the rows of a part; when they are those of the batch, forward goes on with them
   (has_statistics). Backward in halves: to grads, and the sums of delta and of delta x over the part, sums [2, n_out]; with
   those over the n_rows rows of the batch, delta at the inputs, in place. */
void vise_i_ref64_measure(const vise_i_ref64 *op);
void vise_i_ref64_norm_sum(const vise_i_ref64 *op, const double *delta, double *sums, double *grads);
void vise_i_ref64_norm_below(const vise_i_ref64 *op, const double *sums, size_t n_rows, double *delta);

/* Moves the running statistics of a batch norm towards those of a batch of n rows. */
void vise_i_ref64_track(const vise_i_net *net, const vise_i_layer *layer, const double *statistics, size_t n,
                        double *params);

#endif

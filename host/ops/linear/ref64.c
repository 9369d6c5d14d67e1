/* z = a W^T + b; dL/dW += delta^T a, dL/db += sum of delta, dL/da = delta W. a [n, n_in], W [n_out, n_in]. */
#include "host/ops/ref64.h"

#include <cblas.h>

static const vise_i_block *block_of(const vise_i_ref64 *op) {
  return &op->net->blocks[op->layer->block];
}

static size_t weight_at(const vise_i_ref64 *op) {
  return op->net->tensors[block_of(op)->weight].offset;
}

static void forward(const vise_i_ref64 *op) {
  const size_t n = op->pass->n, n_in = op->layer->n_in, n_out = op->layer->n_out, bias = block_of(op)->bias;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n_out, (int)n_in, 1, op->in, (int)n_in,
              op->params + weight_at(op), (int)n_in, 0, op->out, (int)n_out);
  if (bias == VISE_I_NO_TENSOR) return;

  const double *b = op->params + op->net->tensors[bias].offset;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < n_out; k++) op->out[i * n_out + k] += b[k];
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  const size_t n = op->pass->n, n_in = op->layer->n_in, n_out = op->layer->n_out, bias = block_of(op)->bias;
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n_out, (int)n_in, (int)n, 1, delta, (int)n_out, op->in,
              (int)n_in, 1, grads + weight_at(op), (int)n_in);

  if (bias != VISE_I_NO_TENSOR) {
    double *g = grads + op->net->tensors[bias].offset;
    for (size_t i = 0; i < n; i++) {
      for (size_t k = 0; k < n_out; k++) g[k] += delta[i * n_out + k];
    }
  }

  if (below == NULL) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)n_in, (int)n_out, 1, delta, (int)n_out,
              op->params + weight_at(op), (int)n_in, 0, below, (int)n_in);
}

const vise_i_ref64_kind vise_i_ref64_linear = {forward, backward};

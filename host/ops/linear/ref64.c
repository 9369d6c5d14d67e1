/* z = a W^T + b; dL/dW += delta^T a, dL/db += sum of delta, dL/da = delta W. a [n, n_in], W [n_out, n_in]. */
#include "host/ops/ref64.h"

#include "host/product/product.h"

static const vise_i_block *block_of(const vise_i_ref64 *op) {
  return &op->net->blocks[op->layer->block];
}

static size_t weight_at(const vise_i_ref64 *op) {
  return op->net->tensors[block_of(op)->weight].offset;
}

static void forward(const vise_i_ref64 *op) {
  const size_t n = op->pass->n, n_in = op->layer->n_in, n_out = op->layer->n_out, bias = block_of(op)->bias;
  const double *w = op->params + weight_at(op);
  vise_i_multiply_f64(
      &(vise_i_product_f64){n, n_out, n_in, {op->in, n_in, 1}, {w, 1, n_in}, op->out, n_out, false, NULL});
  if (bias == VISE_I_NO_TENSOR) return;

  const double *b = op->params + op->net->tensors[bias].offset;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < n_out; k++) op->out[i * n_out + k] += b[k];
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  const size_t n = op->pass->n, n_in = op->layer->n_in, n_out = op->layer->n_out, bias = block_of(op)->bias;
  const double *w = op->params + weight_at(op);
  double *dw = grads + weight_at(op);
  vise_i_multiply_f64(
      &(vise_i_product_f64){n_out, n_in, n, {delta, 1, n_out}, {op->in, n_in, 1}, dw, n_in, true, NULL});

  if (bias != VISE_I_NO_TENSOR) {
    double *g = grads + op->net->tensors[bias].offset;
    for (size_t i = 0; i < n; i++) {
      for (size_t k = 0; k < n_out; k++) g[k] += delta[i * n_out + k];
    }
  }

  if (below == NULL) return;
  vise_i_multiply_f64(&(vise_i_product_f64){n, n_in, n_out, {delta, n_out, 1}, {w, n_in, 1}, below, n_in, false, NULL});
}

const vise_i_ref64_kind vise_i_ref64_linear = {forward, backward};

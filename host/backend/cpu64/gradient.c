/* Forward and backward: outputs, data loss and its gradient, over chunks of rows. */
#include <cblas.h>
#include <string.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/base/array.h"

/* A layer's product for n rows of a batch: a [n, n_in], W [n_out, n_in], z and delta = dL/dz [n, n_out]. */
typedef struct layer_shape {
  size_t n, n_in, n_out;
} layer_shape;

/* z = a W^T + b; bias NULL: none. */
static void linear_forward(layer_shape l, const double *a, const double *weight, const double *bias, double *z) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)l.n, (int)l.n_out, (int)l.n_in, 1, a, (int)l.n_in, weight,
              (int)l.n_in, 0, z, (int)l.n_out);
  if (!bias) return;
  for (size_t i = 0; i < l.n; i++) {
    for (size_t k = 0; k < l.n_out; k++) z[i * l.n_out + k] += bias[k];
  }
}

/* dL/dW += delta^T a. */
static void weight_gradient(layer_shape l, const double *delta, const double *a, double *grad) {
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)l.n_out, (int)l.n_in, (int)l.n, 1, delta, (int)l.n_out, a,
              (int)l.n_in, 1, grad, (int)l.n_in);
}

/* dL/da = delta W. */
static void input_gradient(layer_shape l, const double *delta, const double *weight, double *below) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)l.n, (int)l.n_in, (int)l.n_out, 1, delta, (int)l.n_out,
              weight, (int)l.n_in, 0, below, (int)l.n_in);
}

static const double *bias_of(const vise_i_cpu64 *b, size_t layer) {
  return b->net->bias ? b->params + b->net->tensors[vise_i_net_bias(b->net, layer)].offset : NULL;
}

static const double *weight_of(const vise_i_cpu64 *b, size_t layer) {
  return b->params + b->net->tensors[vise_i_net_weight(b->net, layer)].offset;
}

void vise_i_cpu64_forward(vise_i_cpu64 *b, size_t n) {
  const vise_i_net *net = b->net;
  for (size_t l = 0; l < net->n_layers; l++) {
    double *z = b->preactivations[l];
    const layer_shape shape = {n, net->widths[l], net->widths[l + 1]};
    linear_forward(shape, b->activations[l], weight_of(b, l), bias_of(b, l), z);
    if (l + 1 == net->n_layers) break; /* the outputs stay as they are */
    for (size_t i = 0; i < n * net->widths[l + 1]; i++) {
      b->activations[l + 1][i] = vise_i_cpu64_activation(net->activation, z[i]);
    }
  }
}

/* From b->delta = dL/dz of the outputs of n rows, adds dL/dtheta to grad. */
static void backward(vise_i_cpu64 *b, size_t n, double *grad) {
  const vise_i_net *net = b->net;
  for (size_t l = net->n_layers; l-- > 0;) {
    size_t n_in = net->widths[l], n_out = net->widths[l + 1];
    const layer_shape shape = {n, n_in, n_out};
    double *swap = b->delta;

    weight_gradient(shape, b->delta, b->activations[l], grad + net->tensors[vise_i_net_weight(net, l)].offset);
    if (net->bias) {
      double *bias_grad = grad + net->tensors[vise_i_net_bias(net, l)].offset;
      for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n_out; k++) bias_grad[k] += b->delta[i * n_out + k];
      }
    }

    if (l == 0) break;
    input_gradient(shape, b->delta, weight_of(b, l), b->delta_below);
    for (size_t i = 0; i < n * n_in; i++) {
      b->delta_below[i] *= vise_i_cpu64_activation_derivative(net->activation, b->preactivations[l - 1][i]);
    }

    b->delta = b->delta_below;
    b->delta_below = swap;
  }
}

static void copy_delta(vise_i_cpu64 *b, const vise_array *delta, size_t first, size_t n) {
  size_t n_out = vise_i_cpu64_n_outputs(b);
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < n_out; k++) b->delta[i * n_out + k] = vise_i_array_get(delta, first + i, k);
  }
}

vise_status vise_i_cpu64_gradient(vise_i_cpu64 *b, const vise_i_batch *batch, double *grad, double *loss,
                                  uint64_t *n_correct, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_array *delta = batch->delta;
  double sum_weights, denominator = 1, sum_loss = 0;
  uint64_t correct = 0;

  if (!delta) {
    VISE_TRY(vise_i_cpu64_sum_weights(b, batch, &sum_weights, err));
    denominator = vise_i_loss_denominator(b->rule, sum_weights, (double)vise_i_cpu64_n_outputs(b));
  }

  memset(grad, 0, b->net->n_params * sizeof *grad);
  for (size_t first = 0; first < batch->n; first += b->chunk) {
    const size_t n = batch->n - first < b->chunk ? batch->n - first : b->chunk;
    vise_i_cpu64_gather_features(b, batch, first, n);
    vise_i_cpu64_forward(b, n);

    if (delta) {
      copy_delta(b, delta, first, n);
    } else {
      const double *z = b->preactivations[b->net->n_layers - 1];
      vise_i_cpu64_gather_targets(b, batch, first, n);
      sum_loss += vise_i_cpu64_loss(b, z, n, denominator, b->delta, &correct);
    }

    backward(b, n, grad);
  }

  *loss = sum_loss;
  *n_correct = correct;

done:
  return status;
}

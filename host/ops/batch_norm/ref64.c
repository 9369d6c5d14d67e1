/*
 * y = gain x + shift, x = (z - m) / sqrt(v + eps), for each unit; m and v are mean and variance (divided by n) over the
 * rows of the batch, outside of training the running ones. With delta = dL/dy and sums over rows:
 *   dL/dgain += sum delta x,  dL/dshift += sum delta,
 *   dL/dz = gain / sqrt(v + eps) (delta - (sum delta + x sum(delta x)) / n).
 */
#include "host/ops/ref64.h"

#include <math.h>

#include "host/rule/batch_norm.h"

static const vise_i_block *block_of(const vise_i_ref64 *op) {
  return &op->net->blocks[op->layer->block];
}

static const double *tensor_of(const vise_i_ref64 *op, size_t tensor) {
  return op->params + op->net->tensors[tensor].offset;
}

/* Mean and variance of column k, in two passes. */
static void measure(const vise_i_ref64 *op, size_t k, double *mean, double *variance) {
  const size_t n = op->pass->n, width = op->layer->n_out;
  double sum = 0, squares = 0;

  for (size_t i = 0; i < n; i++) sum += op->in[i * width + k];
  *mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) {
    const double d = op->in[i * width + k] - *mean;
    squares += d * d;
  }
  *variance = squares / (double)n;
}

static void forward(const vise_i_ref64 *op) {
  const size_t width = op->layer->n_out;
  const double *gain = tensor_of(op, block_of(op)->gain), *shift = tensor_of(op, block_of(op)->shift);

  for (size_t k = 0; k < width; k++) {
    double mean = tensor_of(op, block_of(op)->running_mean)[k];
    double variance = tensor_of(op, block_of(op)->running_variance)[k];
    if (op->pass->training) {
      measure(op, k, &mean, &variance);
      op->statistics[k] = mean;
      op->statistics[width + k] = variance;
    }

    const double deviation = sqrt(variance + VISE_I_BATCH_NORM_EPS);
    for (size_t i = 0; i < op->pass->n; i++) {
      op->out[i * width + k] = gain[k] * ((op->in[i * width + k] - mean) / deviation) + shift[k];
    }
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  const size_t n = op->pass->n, width = op->layer->n_out;
  const double *gain = tensor_of(op, block_of(op)->gain);
  double *gain_grad = grads + op->net->tensors[block_of(op)->gain].offset;
  double *shift_grad = grads + op->net->tensors[block_of(op)->shift].offset;

  for (size_t k = 0; k < width; k++) {
    const double mean = op->statistics[k], deviation = sqrt(op->statistics[width + k] + VISE_I_BATCH_NORM_EPS);
    double sum = 0, sum_x = 0;

    for (size_t i = 0; i < n; i++) {
      const size_t at = i * width + k;
      sum += delta[at];
      sum_x += delta[at] * ((op->in[at] - mean) / deviation);
    }
    gain_grad[k] += sum_x;
    shift_grad[k] += sum;

    for (size_t i = 0; i < n; i++) {
      const size_t at = i * width + k;
      const double x = (op->in[at] - mean) / deviation;
      below[at] = gain[k] / deviation * (delta[at] - (sum + x * sum_x) / (double)n);
    }
  }
}

static void move(double *running, double value) {
  *running = (1 - VISE_I_BATCH_NORM_MOMENTUM) * *running + VISE_I_BATCH_NORM_MOMENTUM * value;
}

void vise_i_ref64_track(const vise_i_net *net, const vise_i_layer *layer, const double *statistics, size_t n,
                        double *params) {
  const vise_i_block *block = &net->blocks[layer->block];
  double *means = params + net->tensors[block->running_mean].offset;
  double *variances = params + net->tensors[block->running_variance].offset;
  for (size_t k = 0; k < layer->n_out; k++) {
    move(&means[k], statistics[k]);
    move(&variances[k], statistics[layer->n_out + k] * VISE_I_BATCH_NORM_UNBIASED(n));
  }
}

const vise_i_ref64_kind vise_i_ref64_batch_norm = {forward, backward};

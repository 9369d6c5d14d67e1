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

void vise_i_ref64_measure(const vise_i_ref64 *op) {
  const size_t width = op->layer->n_out;
  for (size_t k = 0; k < width; k++) measure(op, k, &op->statistics[k], &op->statistics[width + k]);
}

static void forward(const vise_i_ref64 *op) {
  const size_t width = op->layer->n_out;
  const double *gain = tensor_of(op, block_of(op)->gain), *shift = tensor_of(op, block_of(op)->shift);
  const bool training = op->pass->training;
  if (training && !op->has_statistics) vise_i_ref64_measure(op);

  for (size_t k = 0; k < width; k++) {
    const double mean = training ? op->statistics[k] : tensor_of(op, block_of(op)->running_mean)[k];
    const double variance = training ? op->statistics[width + k] : tensor_of(op, block_of(op)->running_variance)[k];
    const double deviation = sqrt(variance + VISE_I_BATCH_NORM_EPS);
    for (size_t i = 0; i < op->pass->n; i++) {
      op->out[i * width + k] = gain[k] * ((op->in[i * width + k] - mean) / deviation) + shift[k];
    }
  }
}

/* x of row i, unit k. */
static double normalized(const vise_i_ref64 *op, size_t i, size_t k, double deviation) {
  return (op->in[i * op->layer->n_out + k] - op->statistics[k]) / deviation;
}

static double deviation_of(const vise_i_ref64 *op, size_t k) {
  return sqrt(op->statistics[op->layer->n_out + k] + VISE_I_BATCH_NORM_EPS);
}

/* Of unit k: sums of delta and of delta x, also to grads. */
static void sum_unit(const vise_i_ref64 *op, size_t k, const double *delta, double sums[2], double *grads) {
  const size_t n = op->pass->n, width = op->layer->n_out;
  const double deviation = deviation_of(op, k);

  sums[0] = sums[1] = 0;
  for (size_t i = 0; i < n; i++) {
    sums[0] += delta[i * width + k];
    sums[1] += delta[i * width + k] * normalized(op, i, k, deviation);
  }
  grads[op->net->tensors[block_of(op)->gain].offset + k] += sums[1];
  grads[op->net->tensors[block_of(op)->shift].offset + k] += sums[0];
}

static void below_unit(const vise_i_ref64 *op, size_t k, const double sums[2], size_t n_rows, const double *delta,
                       double *below) {
  const size_t width = op->layer->n_out;
  const double gain = tensor_of(op, block_of(op)->gain)[k], deviation = deviation_of(op, k);
  for (size_t i = 0; i < op->pass->n; i++) {
    const size_t at = i * width + k;
    const double x = normalized(op, i, k, deviation);
    below[at] = gain / deviation * (delta[at] - (sums[0] + x * sums[1]) / (double)n_rows);
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  for (size_t k = 0; k < op->layer->n_out; k++) {
    double sums[2];
    sum_unit(op, k, delta, sums, grads);
    below_unit(op, k, sums, op->pass->n, delta, below);
  }
}

void vise_i_ref64_norm_sum(const vise_i_ref64 *op, const double *delta, double *sums, double *grads) {
  const size_t width = op->layer->n_out;
  for (size_t k = 0; k < width; k++) {
    double both[2];
    sum_unit(op, k, delta, both, grads);
    sums[k] = both[0];
    sums[width + k] = both[1];
  }
}

void vise_i_ref64_norm_below(const vise_i_ref64 *op, const double *sums, size_t n_rows, double *delta) {
  const size_t width = op->layer->n_out;
  for (size_t k = 0; k < width; k++) {
    below_unit(op, k, (const double[2]){sums[k], sums[width + k]}, n_rows, delta, delta);
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

/* Activation functions of the hidden layers and their derivatives. A NaN comes out as NaN. */
#include "host/ops/ref64.h"

#include <math.h>

#define LEAKY_SLOPE 0.01

/* 1 / (1 + exp(-v)), with an argument of exp that cannot overflow. */
static double sigmoid(double v) {
  if (v < 0) {
    double e = exp(v);
    return e / (1 + e);
  }
  return 1 / (1 + exp(-v));
}

/* Distribution function and density of the standard normal. */
static double normal_cdf(double v) {
  return 0.5 * (1 + erf(v * M_SQRT1_2));
}

static double normal_density(double v) {
  return 0.5 * M_2_SQRTPI * M_SQRT1_2 * exp(-0.5 * v * v);
}

double vise_i_ref64_activate(vise_activation kind, double v) {
  switch (kind) {
    case VISE_RELU:
      return v < 0 ? 0 : v;
    case VISE_LEAKY_RELU:
      return v < 0 ? LEAKY_SLOPE * v : v;
    case VISE_SILU:
      return v * sigmoid(v);
    case VISE_TANH:
      return tanh(v);
    case VISE_SIGMOID:
      return sigmoid(v);
    case VISE_GELU:
      return v * normal_cdf(v);
    case VISE_ELU:
      return v < 0 ? expm1(v) : v;
    default:
      return v;
  }
}

/* At the kinks: relu'(0) = 0, leaky-relu'(0) = 0.01, as PyTorch. */
double vise_i_ref64_slope(vise_activation kind, double v) {
  double s;
  if (isnan(v)) return v;

  switch (kind) {
    case VISE_RELU:
      return v > 0 ? 1 : 0;
    case VISE_LEAKY_RELU:
      return v > 0 ? 1 : LEAKY_SLOPE;
    case VISE_SILU:
      s = sigmoid(v);
      return s * (1 + v * (1 - s));
    case VISE_TANH:
      s = tanh(v);
      return 1 - s * s;
    case VISE_SIGMOID:
      s = sigmoid(v);
      return s * (1 - s);
    case VISE_GELU:
      return normal_cdf(v) + v * normal_density(v);
    case VISE_ELU:
      return v > 0 ? 1 : exp(v);
    default:
      return 1;
  }
}

static void forward(const vise_i_ref64 *op) {
  for (size_t i = 0; i < op->pass->n * op->layer->n_out; i++) {
    op->out[i] = vise_i_ref64_activate(op->layer->activation, op->in[i]);
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  (void)grads;
  for (size_t i = 0; i < op->pass->n * op->layer->n_out; i++) {
    below[i] = delta[i] * vise_i_ref64_slope(op->layer->activation, op->in[i]);
  }
}

const vise_i_ref64_kind vise_i_ref64_activation = {forward, backward};

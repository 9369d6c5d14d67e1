/* Activations and their derivatives, fused with the bias before them and the bias gradient behind them. */
#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/simd.h"

bool vise_i_cpu_activation_keeps_pre(vise_activation kind) {
  return kind == VISE_SILU || kind == VISE_GELU;
}

/* Up to 0.63 an odd polynomial, so that small values keep their digits (fitted; relative error 5e-9), else through
   the exponential. */
VISE_I_INLINE vise_i_vf tanh_of(vise_i_vf x) {
  const vise_i_vf a = vise_i_abs(x), s = x * x;
  vise_i_vf p = s * -0.00566079095f + 0.0206020102f;
  p = p * s + -0.0537292324f;
  p = p * s + 0.133313283f;
  p = p * s + -0.333332777f;
  const vise_i_vf small = x + x * (s * p);
  const vise_i_vf large = 1.0f - 2.0f / (vise_i_exp(a + a) + 1.0f);
  const vise_i_vf with_sign = (vise_i_vf)((vise_i_vi)large | ((vise_i_vi)x & INT32_MIN));
  return vise_i_select(a < 0.63f, small, with_sign);
}

/* The exponential of -|x| never overflows; both branches keep their relative precision. */
VISE_I_INLINE vise_i_vf sigmoid_of(vise_i_vf x) {
  const vise_i_vf e = vise_i_exp(-vise_i_abs(x)), d = 1.0f + e;
  return vise_i_select(x < 0.0f, e, vise_i_splat(1.0f)) / d;
}

/* Phi(x), the normal distribution: erfc(v) = t P(t) exp(-v^2), t = 1/(1 + 0.35 v), for v = |x|/sqrt(2) (fitted; error
   1.1e-8 of exp(-v^2)); e receives exp(-x^2/2). */
VISE_I_INLINE vise_i_vf normal_of(vise_i_vf x, vise_i_vf *e) {
  const vise_i_vf v = vise_i_abs(x) * 0.707106781f;
  const vise_i_vf t = 1.0f / (1.0f + v * 0.35f);
  vise_i_vf p = t * 0.058772724f + -0.35487497f;
  p = p * t + 0.7246588f;
  p = p * t + -0.57406545f;
  p = p * t + 0.5226858f;
  p = p * t + 0.012292712f;
  p = p * t + 0.2198184f;
  p = p * t + 0.19299722f;
  p = p * t + 0.19771472f;
  *e = vise_i_exp(x * x * -0.5f);
  const vise_i_vf tail = (t * p) * *e * 0.5f;
  return vise_i_select(x < 0.0f, tail, 1.0f - tail);
}

VISE_I_INLINE vise_i_vf value_of(vise_activation kind, vise_i_vf z) {
  vise_i_vf e;
  switch (kind) {
    case VISE_RELU:
      return vise_i_select(z < 0.0f, vise_i_splat(0.0f), z);
    case VISE_LEAKY_RELU:
      return vise_i_select(z < 0.0f, z * 0.01f, z);
    case VISE_SILU:
      return z * sigmoid_of(z);
    case VISE_TANH:
      return tanh_of(z);
    case VISE_SIGMOID:
      return sigmoid_of(z);
    case VISE_GELU:
      return z * normal_of(z, &e);
    case VISE_IDENTITY:
    case vise_activation_count_:
      break;
  }
  return z;
}

/* From a = f(z), and z where it is kept. */
VISE_I_INLINE vise_i_vf derivative_of(vise_activation kind, vise_i_vf a, vise_i_vf z) {
  const vise_i_vf one = vise_i_splat(1.0f), zero = vise_i_splat(0.0f);
  switch (kind) {
    case VISE_RELU:
      return vise_i_select(a > 0.0f, one, zero);
    case VISE_LEAKY_RELU:
      return vise_i_select(a > 0.0f, one, vise_i_splat(0.01f));
    case VISE_SILU: {
      const vise_i_vf s = sigmoid_of(z);
      return s * (1.0f + z * (1.0f - s));
    }
    case VISE_TANH:
      return 1.0f - a * a;
    case VISE_SIGMOID:
      return a * (1.0f - a);
    case VISE_GELU: {
      vise_i_vf e;
      const vise_i_vf phi = normal_of(z, &e);
      return phi + z * e * 0.398942280f;
    }
    case VISE_IDENTITY:
    case vise_activation_count_:
      break;
  }
  return one;
}

VISE_I_INLINE void activate(vise_activation kind, float *act, float *pre, const float *bias, size_t width, size_t n) {
  for (size_t r = 0; r < width; r++) {
    float *row = act + r * n, *pre_row = pre ? pre + r * n : NULL;
    const float shift = bias ? bias[r] : 0.0f;
    size_t i = 0;
    for (; i + VISE_I_LANES <= n; i += VISE_I_LANES) {
      const vise_i_vf z = vise_i_load(row + i) + shift;
      if (pre_row) vise_i_store(pre_row + i, z);
      vise_i_store(row + i, value_of(kind, z));
    }
    if (i < n) {
      const vise_i_vf z = vise_i_load_part(row + i, n - i) + shift;
      if (pre_row) vise_i_store_part(pre_row + i, z, n - i);
      vise_i_store_part(row + i, value_of(kind, z), n - i);
    }
  }
}

/* Sums of a row are in float64: two vectors of eight, then the eight. */
VISE_I_INLINE void backward(vise_activation kind, float *delta, const float *act, const float *pre, float *bias_grad,
                            bool add, size_t width, size_t n) {
  for (size_t r = 0; r < width; r++) {
    float *row = delta + r * n;
    const float *a = act + r * n, *z = pre ? pre + r * n : a;
    vise_i_vd8 low = {0}, high = {0};
    size_t i = 0;
    for (; i + VISE_I_LANES <= n; i += VISE_I_LANES) {
      vise_i_vf d = vise_i_load(row + i);
      if (kind != VISE_IDENTITY) {
        d *= derivative_of(kind, vise_i_load(a + i), vise_i_load(z + i));
        vise_i_store(row + i, d);
      }
      low += vise_i_low_half(d);
      high += vise_i_high_half(d);
    }
    if (i < n) {
      vise_i_vf d = vise_i_load_part(row + i, n - i);
      if (kind != VISE_IDENTITY) {
        d *= derivative_of(kind, vise_i_load_part(a + i, n - i), vise_i_load_part(z + i, n - i));
        vise_i_store_part(row + i, d, n - i);
      }
      low += vise_i_low_half(d);
      high += vise_i_high_half(d);
    }
    if (bias_grad) {
      const float sum = (float)vise_i_sum_lanes(low + high);
      bias_grad[r] = add ? bias_grad[r] + sum : sum;
    }
  }
}

/* One function of each kind, so that its loop holds nothing of the others. */
#define DEFINE(name, KIND)                                                                                       \
  VISE_I_CLONES static void activate_##name(float *act, float *pre, const float *bias, size_t width, size_t n) { \
    activate(KIND, act, pre, bias, width, n);                                                                    \
  }                                                                                                              \
  VISE_I_CLONES static void backward_##name(float *delta, const float *act, const float *pre, float *bias_grad,  \
                                            bool add, size_t width, size_t n) {                                  \
    backward(KIND, delta, act, pre, bias_grad, add, width, n);                                                   \
  }
DEFINE(relu, VISE_RELU)
DEFINE(leaky_relu, VISE_LEAKY_RELU)
DEFINE(silu, VISE_SILU)
DEFINE(tanh, VISE_TANH)
DEFINE(sigmoid, VISE_SIGMOID)
DEFINE(gelu, VISE_GELU)
DEFINE(identity, VISE_IDENTITY)

void vise_i_cpu_activate(vise_activation kind, float *act, float *pre, const float *bias, size_t width, size_t n) {
  switch (kind) {
    case VISE_RELU:
      activate_relu(act, pre, bias, width, n);
      return;
    case VISE_LEAKY_RELU:
      activate_leaky_relu(act, pre, bias, width, n);
      return;
    case VISE_SILU:
      activate_silu(act, pre, bias, width, n);
      return;
    case VISE_TANH:
      activate_tanh(act, pre, bias, width, n);
      return;
    case VISE_SIGMOID:
      activate_sigmoid(act, pre, bias, width, n);
      return;
    case VISE_GELU:
      activate_gelu(act, pre, bias, width, n);
      return;
    case VISE_IDENTITY:
      if (bias) activate_identity(act, pre, bias, width, n);
      return;
    case vise_activation_count_:
      return;
  }
}

void vise_i_cpu_activate_backward(vise_activation kind, float *delta, const float *act, const float *pre,
                                  float *bias_grad, bool add, size_t width, size_t n) {
  switch (kind) {
    case VISE_RELU:
      backward_relu(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_LEAKY_RELU:
      backward_leaky_relu(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_SILU:
      backward_silu(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_TANH:
      backward_tanh(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_SIGMOID:
      backward_sigmoid(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_GELU:
      backward_gelu(delta, act, pre, bias_grad, add, width, n);
      return;
    case VISE_IDENTITY:
      if (bias_grad) backward_identity(delta, act, pre, bias_grad, add, width, n);
      return;
    case vise_activation_count_:
      return;
  }
}

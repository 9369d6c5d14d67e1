/* Activations and their derivatives, fused with the bias before them and the bias gradient after them. */
#include "host/backend/cpu/cpu.h"
#include "host/ops/simd.h"

/* Up to 0.63 an odd polynomial, so that small values keep their digits (fitted; relative error 5e-9), else by the
   exponential. */
VISE_I_INLINE float tanh_of(float x) {
  const float a = fabsf(x), s = x * x;
  float p = s * -0.00566079095f + 0.0206020102f;
  p = p * s + -0.0537292324f;
  p = p * s + 0.133313283f;
  p = p * s + -0.333332777f;
  const float small = x + x * (s * p);
  const float large = copysignf(1.0f - 2.0f / (vise_i_exp(a + a) + 1.0f), x);
  return a < 0.63f ? small : large;
}

/* The exponential of -|x| never overflows; both branches keep their relative precision. */
VISE_I_INLINE float sigmoid_of(float x) {
  const float e = vise_i_exp(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* Phi(x), the normal distribution: erfc(v) = t P(t) exp(-v^2), t = 1/(1 + 0.35 v), for v = |x|/sqrt(2) (fitted; error
   1.1e-8 of exp(-v^2)); e receives exp(-x^2/2). */
VISE_I_INLINE float normal_of(float x, float *e) {
  const float v = fabsf(x) * 0.707106781f;
  const float t = 1.0f / (1.0f + v * 0.35f);

  float p = t * 0.058772724f + -0.35487497f;
  p = p * t + 0.7246588f;
  p = p * t + -0.57406545f;
  p = p * t + 0.5226858f;
  p = p * t + 0.012292712f;
  p = p * t + 0.2198184f;
  p = p * t + 0.19299722f;
  p = p * t + 0.19771472f;

  *e = vise_i_exp(x * x * -0.5f);
  const float tail = (t * p) * *e * 0.5f;
  return x < 0.0f ? tail : 1.0f - tail;
}

/* exp(x) - 1 for x < 0: x = n ln 2 + r, Taylor's series for exp(r) - 1 (its next term is below 2e-8 of that), then
   2^n (exp(r) - 1) + (2^n - 1), so that small values keep their digits. From -26 down it is -1. */
VISE_I_INLINE float expm1_of(float x) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float xc = vise_i_clamp(x, -26.0f, 0.0f);
  const float t = xc * 1.44269504f + shifter;
  const float n = t - shifter;
  const float r = (xc - n * 0.693145752f) - n * 1.42860682e-6f; /* n times the first part is exact */

  float p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r;

  uint32_t bits; /* of t: a constant plus n; unsigned, since a NaN leaves anything here */
  memcpy(&bits, &t, sizeof bits);
  const uint32_t power_bits = (bits - 0x4b400000u + 127u) << 23;
  float power;
  memcpy(&power, &power_bits, sizeof power);
  return p * power + (power - 1.0f);
}

VISE_I_INLINE float value_of(vise_activation kind, float z) {
  float e;

  switch (kind) {
    case VISE_RELU:
      return z < 0.0f ? 0.0f : z;
    case VISE_LEAKY_RELU:
      return z < 0.0f ? z * 0.01f : z;
    case VISE_SILU:
      return z * sigmoid_of(z);
    case VISE_TANH:
      return tanh_of(z);
    case VISE_SIGMOID:
      return sigmoid_of(z);
    case VISE_GELU:
      return z * normal_of(z, &e);
    case VISE_ELU:
      return z < 0.0f ? expm1_of(z) : z;
    case VISE_IDENTITY:
    case vise_activation_count_:
      break;
  }

  return z;
}

/* From a = f(z), and from z where the derivative needs it. */
VISE_I_INLINE float derivative_of(vise_activation kind, float a, float z) {
  float e, s;

  switch (kind) {
    case VISE_RELU:
      return a > 0.0f ? 1.0f : 0.0f;
    case VISE_LEAKY_RELU:
      return a > 0.0f ? 1.0f : 0.01f;
    case VISE_SILU:
      s = sigmoid_of(z);
      return s * (1.0f + z * (1.0f - s));
    case VISE_TANH:
      return 1.0f - a * a;
    case VISE_SIGMOID:
      return a * (1.0f - a);
    case VISE_GELU:
      s = normal_of(z, &e);
      return s + z * e * 0.398942280f;
    case VISE_ELU:
      return a > 0.0f ? 1.0f : a + 1.0f;
    case VISE_IDENTITY:
    case vise_activation_count_:
      break;
  }

  return 1.0f;
}

VISE_I_INLINE void activate(vise_activation kind, float *restrict act, float *restrict pre, const float *bias,
                            size_t width, size_t n) {
  const bool keep = vise_i_activation_needs_z(kind);
  for (size_t r = 0; r < width; r++) {
    const float shift = bias ? bias[r] : 0.0f;
    for (size_t i = r * n; i < (r + 1) * n; i++) {
      const float z = act[i] + shift;
      if (keep) pre[i] = z;
      act[i] = value_of(kind, z);
    }
  }
}

/* d *= f'(z) for the last values of a row, fewer than there are lanes; the row's sum. */
VISE_I_INLINE double backward_rest(vise_activation kind, float *restrict d, const float *restrict a,
                                   const float *restrict z, size_t n, const double whole[VISE_I_LANES]) {
  double lanes[VISE_I_LANES];
  for (size_t j = 0; j < VISE_I_LANES; j++) lanes[j] = whole[j];
  for (size_t j = 0; j < n; j++) {
    if (kind != VISE_IDENTITY) d[j] *= derivative_of(kind, a[j], z[j]);
    lanes[j] += (double)d[j];
  }
  return vise_i_sum_lanes(lanes);
}

/* The same for all of a row; its sum in float64. Lanes are in registers, since every index is a constant. */
VISE_I_INLINE double backward_row(vise_activation kind, float *restrict d, const float *restrict a,
                                  const float *restrict z, size_t n) {
  double lanes[VISE_I_LANES] = {0};
  size_t i = 0;

  for (; i + VISE_I_LANES <= n; i += VISE_I_LANES) {
    for (size_t j = 0; j < VISE_I_LANES; j++) {
      if (kind != VISE_IDENTITY) d[i + j] *= derivative_of(kind, a[i + j], z[i + j]);
      lanes[j] += (double)d[i + j];
    }
  }

  return i == n ? vise_i_sum_lanes(lanes) : backward_rest(kind, d + i, a + i, z + i, n - i, lanes);
}

VISE_I_INLINE void backward(vise_activation kind, const vise_i_cpu_outputs *outputs, float *delta, float *bias_grad,
                            bool add) {
  const bool keep = vise_i_activation_needs_z(kind);
  const size_t n = outputs->n;

  for (size_t r = 0; r < outputs->width; r++) {
    const float *a = outputs->act + r * n, *z = keep ? outputs->pre + r * n : a;
    const float sum = (float)backward_row(kind, delta + r * n, a, z, n);
    if (bias_grad) bias_grad[r] = add ? bias_grad[r] + sum : sum;
  }
}

/* One function per activation, so that each loop has nothing but its own. */
#define DEFINE(KIND, ...)                                                                                      \
  VISE_I_CLONES static void activate_##KIND(const vise_i_cpu_outputs *outputs, const float *bias) {            \
    activate(KIND, outputs->act, outputs->pre, bias, outputs->width, outputs->n);                              \
  }                                                                                                            \
  VISE_I_CLONES static void backward_##KIND(const vise_i_cpu_outputs *outputs, float *delta, float *bias_grad, \
                                            bool add) {                                                        \
    backward(KIND, outputs, delta, bias_grad, add);                                                            \
  }
VISE_ACTIVATION_TABLE(DEFINE)

void vise_i_cpu_activate(vise_activation kind, const vise_i_cpu_outputs *outputs, const float *bias) {
#define ENTRY(KIND, ...) [KIND] = activate_##KIND,
  static void (*const functions[])(const vise_i_cpu_outputs *, const float *) = {VISE_ACTIVATION_TABLE(ENTRY)};
#undef ENTRY
  if (kind == VISE_IDENTITY && !bias) return;
  functions[kind](outputs, bias);
}

void vise_i_cpu_activate_backward(vise_activation kind, const vise_i_cpu_outputs *outputs, float *delta,
                                  float *bias_grad, bool add) {
#define ENTRY(KIND, ...) [KIND] = backward_##KIND,
  static void (*const functions[])(const vise_i_cpu_outputs *, float *, float *, bool) = {VISE_ACTIVATION_TABLE(ENTRY)};
#undef ENTRY
  if (kind == VISE_IDENTITY && !bias_grad) return;
  functions[kind](outputs, delta, bias_grad, add);
}

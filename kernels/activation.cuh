/* Activations of the hidden layers and their derivatives, in float32, as plain arithmetic. */
#ifndef VISE_K_ACTIVATION_CUH
#define VISE_K_ACTIVATION_CUH

#include "kernels/math_f32.cuh"
#include "kernels/step_types.h"

/* Phi(z), the distribution function of the normal distribution. Below -1 by erfc(v) = e^(-v^2) t P(t), t = 1/(1 + 0.35
   v), v = |z| / sqrt 2 (a fit, relative error 2e-7), because 1 + erf loses its digits there. */
VISE_FN float vise_normal_f32(float z) {
  if (z >= -1.0f || !(z == z)) return fmaf(0.5f, vise_erf_f32(z * 0.707106781f), 0.5f);

  const float v = z * -0.707106781f, t = 1.0f / fmaf(0.35f, v, 1.0f);
  float p = 0.058772724f;
  p = fmaf(p, t, -0.35487497f);
  p = fmaf(p, t, 0.7246588f);
  p = fmaf(p, t, -0.57406545f);
  p = fmaf(p, t, 0.5226858f);
  p = fmaf(p, t, 0.012292712f);
  p = fmaf(p, t, 0.2198184f);
  p = fmaf(p, t, 0.19299722f);
  p = fmaf(p, t, 0.19771472f);

  return 0.5f * (p * t) * vise_exp_f32(z * z * -0.5f);
}

VISE_FN_CALLED float vise_activation_f32(vise_activation kind, float z) {
  switch (kind) {
    case VISE_RELU:
      return z < 0.0f ? 0.0f : z;
    case VISE_LEAKY_RELU:
      return z < 0.0f ? 0.01f * z : z;
    case VISE_SILU:
      return z * vise_sigmoid_f32(z);
    case VISE_TANH:
      return vise_tanh_f32(z);
    case VISE_SIGMOID:
      return vise_sigmoid_f32(z);
    case VISE_GELU:
      return z * vise_normal_f32(z);
    case VISE_ELU:
      return z < 0.0f ? vise_expm1_f32(z) : z;
    default:
      return z;
  }
}

/* f'(z) from a = f(z), and from z where it is needed (ignored otherwise). */
VISE_FN_CALLED float vise_activation_slope_f32(vise_activation kind, float a, float z) {
  switch (kind) {
    case VISE_RELU:
      return a > 0.0f ? 1.0f : 0.0f;
    case VISE_LEAKY_RELU:
      return a > 0.0f ? 1.0f : 0.01f;
    case VISE_SILU: {
      const float s = vise_sigmoid_f32(z);
      return s * fmaf(z, 1.0f - s, 1.0f);
    }
    case VISE_TANH:
      return fmaf(-a, a, 1.0f);
    case VISE_SIGMOID:
      return a * (1.0f - a);
    case VISE_GELU:
      return fmaf(z * 0.398942280f, vise_exp_f32(z * z * -0.5f), vise_normal_f32(z));
    case VISE_ELU:
      return a > 0.0f ? 1.0f : a + 1.0f;
    default:
      return 1.0f;
  }
}

#endif

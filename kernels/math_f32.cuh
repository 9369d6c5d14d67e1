/*
 * Elementary functions in float32 from fmaf, additions, multiplications and one IEEE division: the same bits on every
 * GPU, in the emulation and in C (compiled with -fmad=false, -ffp-contract=off). Subnormals are kept, NaN
 * propagates, infinities, zeros and their signs are as in C's <math.h>.
 *
 * Largest error in units in the last place, measured over all 2^32 arguments against the C library's float64
 * functions (tests/unit/kernels sweeps every exponent):
 *   exp 0.892   log 0.917   log1p 1.451   tanh 1.363   erf 1.096   sigmoid 1.480
 *   expm1 0.950 (x < 0)
 * The polynomials are minimax fits of the relative error, coefficients rounded to float32 one after the other.
 */
#ifndef VISE_K_MATH_F32_CUH
#define VISE_K_MATH_F32_CUH

#include <math.h>

#include "kernels/device.cuh"

/* e^x. x = n ln 2 + r with n an integer, |r| <= ln 2 / 2; 2^n is applied as two factors, so that a subnormal result is
   rounded once. */
VISE_FN float vise_exp_f32(float x) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  float c = x < -104.0f ? -104.0f : x;
  c = c > 89.0f ? 89.0f : c;

  const float t = fmaf(c, 1.44269504f, shifter), n = t - shifter;
  const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, c)); /* the first product is exact */

  float p = 0.00138210552f;
  p = fmaf(p, r, 0.00836867467f);
  p = fmaf(p, r, 0.0416682623f);
  p = fmaf(p, r, 0.166665211f);
  p = fmaf(p, r, 0.49999994f);
  p = fmaf(p, r, 1.0f);
  p = fmaf(p, r, 1.0f);

  const uint32_t k = vise_bits_f32(t) - 0x4b400000u; /* n; anything when x is NaN, and then p is NaN */
  const uint32_t half = (uint32_t)((int32_t)k >> 1), rest = k - half;
  return p * vise_f32_bits((half + 127u) << 23) * vise_f32_bits((rest + 127u) << 23);
}

/* e^x - 1 for x < 0: x = n ln 2 + r as above, then 2^n (e^r - 1) + (2^n - 1), so that small values keep their digits.
   From -26 down it is -1. */
VISE_FN float vise_expm1_f32(float x) {
  const float shifter = 12582912.0f, c = x < -26.0f ? -26.0f : x;
  const float t = fmaf(c, 1.44269504f, shifter), n = t - shifter;
  const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, c)); /* the first product is exact */

  float p = 0.00138686423f;
  p = fmaf(p, r, 0.00836642645f);
  p = fmaf(p, r, 0.0416674614f);
  p = fmaf(p, r, 0.16666545f);
  p = fmaf(p, r, 0.49999997f);
  p = fmaf(p, r * r, r);

  const float power = vise_f32_bits((vise_bits_f32(t) - 0x4b400000u + 127u) << 23); /* 2^n; p is NaN when x is */
  return fmaf(p, power, power - 1.0f);
}

/* log(1 + f) + e ln 2 for sqrt(1/2) <= 1 + f < sqrt(2). */
VISE_FN float vise_log_reduced_f32(float f, float e) {
  float q = -0.0766009837f;
  q = fmaf(q, f, 0.129300863f);
  q = fmaf(q, f, -0.132399499f);
  q = fmaf(q, f, 0.141773954f);
  q = fmaf(q, f, -0.166088715f);
  q = fmaf(q, f, 0.200022072f);
  q = fmaf(q, f, -0.250016034f);
  q = fmaf(q, f, 0.333333224f);
  q = fmaf(q, f, -0.499999881f);

  const float r = fmaf(f * f, q, f);
  return fmaf(e, 0.693145752f, fmaf(e, 1.42860677e-6f, r));
}

VISE_FN float vise_log_f32(float x) {
  if (!(x > 0.0f && x < INFINITY)) return x == 0.0f ? -INFINITY : x > 0.0f ? x : x < 0.0f ? NAN : x + x;
  const int subnormal = x < 0x1p-126f;
  const uint32_t i = vise_bits_f32(subnormal ? x * 0x1p23f : x) - 0x3f3504f3u; /* less sqrt(1/2) */
  const int e = ((int32_t)i >> 23) - (subnormal ? 23 : 0);
  return vise_log_reduced_f32(vise_f32_bits((i & 0x7fffffu) + 0x3f3504f3u) - 1.0f, (float)e);
}

/* log(1 + x). 1 + x may lose digits, so it only chooses the power of two; the rest comes from x itself. */
VISE_FN float vise_log1p_f32(float x) {
  if (!(x > -1.0f && x < INFINITY)) return x == -1.0f ? -INFINITY : x > 0.0f ? x : x < 0.0f ? NAN : x + x;
  if (x == 0.0f) return x; /* keeps the sign */
  const uint32_t i = vise_bits_f32(1.0f + x) - 0x3f3504f3u;
  const int32_t e = (int32_t)i >> 23;
  const float scale = vise_f32_bits(0x3f800000u - (i & 0xff800000u)); /* 2^-e where x < 2^25 */
  const float f = x < 0x1p25f ? fmaf(x, scale, scale - 1.0f) : vise_f32_bits((i & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
  return vise_log_reduced_f32(f, (float)e);
}

/* Up to 0.63 an odd polynomial, so that small values keep their digits, else through the exponential. */
VISE_FN float vise_tanh_f32(float x) {
  const float a = fabsf(x);
  if (a < 0.63f) {
    const float s = a * a;
    float p = -0.00566362217f;
    p = fmaf(p, s, 0.0206032395f);
    p = fmaf(p, s, -0.0537291318f);
    p = fmaf(p, s, 0.133313209f);
    p = fmaf(p, s, -0.333332777f);
    return copysignf(fmaf(s * p, a, a), x);
  }

  return copysignf(1.0f - 2.0f / (vise_exp_f32(a + a) + 1.0f), x);
}

/* Up to 0.92 an odd polynomial, else 1 - exp(-g(a)) with g a fit of -log(erfc); from 4 on it is 1. */
VISE_FN float vise_erf_f32(float x) {
  const float a = fabsf(x);
  if (a < 0.92f) {
    const float s = a * a;
    float p = 7.99664995e-05f;
    p = fmaf(p, s, -0.000804976968f);
    p = fmaf(p, s, 0.00519240508f);
    p = fmaf(p, s, -0.0268557314f);
    p = fmaf(p, s, 0.112836257f);
    p = fmaf(p, s, -0.376126289f);
    p = fmaf(p, s, 0.128379166f);
    return copysignf(fmaf(p, a, a), x);
  }

  const float t = a > 4.0f ? 4.0f : a;
  float g = -0.000198222479f;
  g = fmaf(g, t, 0.00306550763f);
  g = fmaf(g, t, -0.0223152526f);
  g = fmaf(g, t, 0.10411372f);
  g = fmaf(g, t, 0.636976063f);
  g = fmaf(g, t, 1.12779725f);
  g = fmaf(g, t, 0.000166447615f);

  return copysignf(1.0f - vise_exp_f32(-g), x);
}

/* 1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x): the exponential never overflows, and both branches keep their relative
   precision. The quotient is corrected by its remainder and by what was lost in 1 + e; 1/d is needed to a few bits. */
VISE_FN float vise_sigmoid_f32(float x) {
  const float e = vise_exp_f32(-fabsf(x)), d = 1.0f + e, lost = e - (d - 1.0f);
  const float numerator = x < 0.0f ? e : 1.0f, q = numerator / d;
  return fmaf(fmaf(-q, lost, fmaf(-q, d, numerator)), fmaf(-0.5f, d, 1.5f), q);
}

#endif

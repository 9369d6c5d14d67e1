/*
 * For loops that the compiler should vectorize: they use plain floats, have selects instead of branches, and are
 * compiled for several instruction sets. Reductions keep sixteen separate sums, whatever the vector width, so that
 * their bits do not depend on it. (GNU C's vector types would say the same, but GCC 12 turns those wider than the
 * machine's into slow code.)
 */
#ifndef VISE_I_OPS_SIMD_H
#define VISE_I_OPS_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/base/loops.h"

/* Separate sums in a reduction. */
enum { VISE_I_LANES = 16 };

/* Their sum, in a fixed order. */
VISE_I_INLINE double vise_i_sum_lanes(const double lanes[VISE_I_LANES]) {
  double eight[8], four[4];
  for (int i = 0; i < 8; i++) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; i++) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

/* x < lo ? lo : (x > hi ? hi : x) for lo <= hi, in the form that becomes one max and one min; NaN stays NaN. */
VISE_I_INLINE float vise_i_clamp(float x, float lo, float hi) {
  const float y = lo > x ? lo : x;
  return hi < y ? hi : y;
}

/* sign(0) = 0; NaN stays NaN. */
VISE_I_INLINE float vise_i_sign(float x) {
  return x > 0 ? 1.0f : (x < 0 ? -1.0f : x);
}

/* exp(x) to about one unit in the last place: x = n ln 2 + r, Taylor's series for exp(r) (its next term is below 6e-9),
   then 2^n in two factors, so that results down to the smallest denormal and up to infinity come out right. */
VISE_I_INLINE float vise_i_exp(float x) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float xc = vise_i_clamp(x, -104.0f, 89.0f);
  const float t = xc * 1.44269504f + shifter;
  const float n = t - shifter;
  const float r = (xc - n * 0.693145752f) - n * 1.42860682e-6f; /* n times the first part is exact */

  float p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;

  uint32_t bits; /* of t: a constant plus n; unsigned, since a NaN leaves anything here */
  memcpy(&bits, &t, sizeof bits);
  const uint32_t k = bits - 0x4b400000u;
  const uint32_t k1 = (uint32_t)((int32_t)k >> 1), k2 = k - k1;
  const uint32_t e1 = (k1 + 127u) << 23, e2 = (k2 + 127u) << 23;

  float f1, f2;
  memcpy(&f1, &e1, sizeof f1);
  memcpy(&f2, &e2, sizeof f2);
  return (p * f1) * f2;
}

#endif

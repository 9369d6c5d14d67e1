/*
 * Vectors for the hot loops. Sixteen floats wide whatever the machine has: the compiler splits them, so that the lanes
 * of a reduction, and with them its bits, do not depend on the instruction set.
 */
#ifndef VISE_I_CPU_SIMD_H
#define VISE_I_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Functions compiled once per x86-64 level and chosen when the program starts. Sanitizers start later than the choice,
   clang 14 does not know the levels here, and a build for one machine (-march) needs no choice. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(VISE_I_NO_CLONES) &&           \
    !defined(__AVX2__)
#define VISE_I_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define VISE_I_CLONES
#endif

#define VISE_I_INLINE static inline __attribute__((always_inline))

enum { VISE_I_LANES = 16 };

typedef float vise_i_vf __attribute__((vector_size(64)));
typedef int32_t vise_i_vi __attribute__((vector_size(64)));
typedef float vise_i_vf8 __attribute__((vector_size(32)));
typedef double vise_i_vd8 __attribute__((vector_size(64)));

VISE_I_INLINE vise_i_vf vise_i_load(const float *p) {
  vise_i_vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

VISE_I_INLINE void vise_i_store(float *p, vise_i_vf v) {
  memcpy(p, &v, sizeof v);
}

/* The first n < 16 floats, zeros behind them. */
VISE_I_INLINE vise_i_vf vise_i_load_part(const float *p, size_t n) {
  vise_i_vf v = {0};
  memcpy(&v, p, n * sizeof *p);
  return v;
}

VISE_I_INLINE void vise_i_store_part(float *p, vise_i_vf v, size_t n) {
  memcpy(p, &v, n * sizeof *p);
}

/* Lanes below n all ones, the others zero. */
VISE_I_INLINE vise_i_vi vise_i_lanes_below(size_t n) {
  const vise_i_vi lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return lane < (int32_t)n;
}

VISE_I_INLINE vise_i_vf vise_i_splat(float x) {
  return (vise_i_vf){0} + x;
}

/* m ? a : b in each lane. */
VISE_I_INLINE vise_i_vf vise_i_select(vise_i_vi m, vise_i_vf a, vise_i_vf b) {
  return (vise_i_vf)(((vise_i_vi)a & m) | ((vise_i_vi)b & ~m));
}

VISE_I_INLINE vise_i_vf vise_i_abs(vise_i_vf x) {
  return (vise_i_vf)((vise_i_vi)x & 0x7fffffff);
}

/* x < lo ? lo : (x > hi ? hi : x); NaN stays NaN. */
VISE_I_INLINE vise_i_vf vise_i_clamp(vise_i_vf x, vise_i_vf lo, vise_i_vf hi) {
  return vise_i_select(x < lo, lo, vise_i_select(x > hi, hi, x));
}

VISE_I_INLINE vise_i_vd8 vise_i_low_half(vise_i_vf x) {
  vise_i_vf8 h;
  memcpy(&h, &x, sizeof h);
  return __builtin_convertvector(h, vise_i_vd8);
}

VISE_I_INLINE vise_i_vd8 vise_i_high_half(vise_i_vf x) {
  vise_i_vf8 h;
  memcpy(&h, (const char *)&x + sizeof h, sizeof h);
  return __builtin_convertvector(h, vise_i_vd8);
}

/* Sum of the lanes, in a fixed order. */
VISE_I_INLINE double vise_i_sum_lanes(vise_i_vd8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* exp(x) to about one unit in the last place: x = n ln 2 + r, Taylor's series for exp(r) (its next term is below 6e-9),
   then 2^n in two factors, so that results down to the smallest denormal and up to infinity come out right. */
VISE_I_INLINE vise_i_vf vise_i_exp(vise_i_vf x) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const vise_i_vf xc = vise_i_clamp(x, vise_i_splat(-104.0f), vise_i_splat(89.0f));
  const vise_i_vf t = xc * 1.44269504f + shifter;
  const vise_i_vf n = t - shifter;
  const vise_i_vf r = (xc - n * 0.693145752f) - n * 1.42860682e-6f; /* n times the first part is exact */
  vise_i_vf p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const vise_i_vi k = (vise_i_vi)t - (vise_i_vi)vise_i_splat(shifter);
  const vise_i_vi k1 = k >> 1, k2 = k - k1;
  return (p * (vise_i_vf)((k1 + 127) << 23)) * (vise_i_vf)((k2 + 127) << 23);
}

#endif

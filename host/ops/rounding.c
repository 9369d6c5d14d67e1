/* Integer weights and hidden values: the projection of rows, and what training does with it. */
#include "host/ops/rounding.h"

#include <math.h>
#include <string.h>

#include "host/ops/simd.h"

#define ONE (1 << VISE_I_FRACTION_BITS)
#define MOST_V (VISE_I_MOST_Q * ONE)

/* ---- weights ---- */

/* 2^23 added to a number from 0 to 127 2^16 leaves its integer, rounded to nearest, in the low bits. */
VISE_I_CLONES void vise_i_fixed_f32(const float *w, size_t n, float s, int32_t *v) {
  const float by = (float)ONE / s;
  for (size_t i = 0; i < n; i++) {
    const float scaled = fabsf(w[i]) * by;
    const float t = (scaled < (float)MOST_V ? scaled : (float)MOST_V) + 8388608.0f;
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    const int32_t magnitude = (int32_t)(bits & 0x7fffffu);
    v[i] = w[i] < 0 ? -magnitude : magnitude;
  }
}

void vise_i_fixed_f64(const double *w, size_t n, double s, int32_t *v) {
  for (size_t i = 0; i < n; i++) {
    const double scaled = fabs(w[i]) * (ONE / s);
    const int32_t magnitude = (int32_t)rint(scaled < MOST_V ? scaled : MOST_V);
    v[i] = w[i] < 0 ? -magnitude : magnitude;
  }
}

/* The sum over the entries of one sign (1 or -1) of what is left of them. */
VISE_I_CLONES static int64_t sum_of_side(const int32_t *v, size_t n, int32_t sign, int32_t t) {
  enum { BLOCK = 1 << 20 }; /* sums of so many fit 32 bits */
  const int32_t less = t - ONE / 2;
  int64_t sum = 0;

  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t end = n - first < BLOCK ? n : first + BLOCK;
    int32_t part = 0;
    for (size_t i = first; i < end; i++) {
      const int32_t q = (sign * v[i] - less) >> VISE_I_FRACTION_BITS;
      part += q > 0 ? q : 0;
    }
    sum += part;
  }
  return sum;
}

/* The smallest T of a side. Since nothing is left of V at T >= V, 23 bits are enough. */
static int32_t threshold_of_side(const int32_t *v, size_t n, int32_t sign, int64_t most) {
  int32_t too_little = 0;
  if (sum_of_side(v, n, sign, 0) <= most) return 0;
  for (int32_t bit = 1 << 22; bit != 0; bit >>= 1) {
    if (sum_of_side(v, n, sign, too_little | bit) > most) too_little |= bit;
  }
  return too_little + 1;
}

VISE_I_CLONES static void subtract(int32_t *v, size_t n, int32_t plus, int32_t minus) {
  for (size_t i = 0; i < n; i++) {
    const int32_t x = v[i], p = (x - plus + ONE / 2) >> VISE_I_FRACTION_BITS;
    const int32_t m = (-x - minus + ONE / 2) >> VISE_I_FRACTION_BITS;
    v[i] = (p > 0 ? p : 0) - (m > 0 ? m : 0);
  }
}

void vise_i_project_row(int32_t *v, size_t n, const vise_i_radii *radii) {
  const int32_t plus = threshold_of_side(v, n, 1, radii->plus), minus = threshold_of_side(v, n, -1, radii->minus);
  subtract(v, n, plus, minus);
}

/* ---- values ---- */

VISE_I_CLONES void vise_i_round_values_f32(const vise_i_levels *levels, const float *in, float *out, size_t n) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float scale = (float)levels->scale, by = 1.0f / scale, zero = (float)levels->zero, most = (float)levels->most;
  for (size_t i = 0; i < n; i++) {
    const float x = vise_i_clamp(in[i] * by + zero, 0.0f, most);
    out[i] = scale * (((x + shifter) - shifter) - zero);
  }
}

void vise_i_round_values_f64(const vise_i_levels *levels, const double *in, double *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x = in[i] / levels->scale + levels->zero;
    out[i] = levels->scale * (rint(x < 0 ? 0 : (x > levels->most ? levels->most : x)) - levels->zero);
  }
}

/* ---- the parameters of a layer ---- */

/* The bias in units of the sum, within its bounds; a NaN becomes 0. */
static int64_t round_bias(const vise_i_quantization *q, double bias, double unit) {
  const double most = vise_i_bias_most(&q->format), b = rint(bias / unit);
  if (isnan(b)) return 0;
  return (int64_t)(b < -most ? -most : (b > most ? most : b));
}

#define DEFINE_ROUND_LAYER(name, T, fixed)                                                                   \
  void name(const vise_i_rounding *r, size_t l, size_t first, size_t end, T *latent, T *rounded) {           \
    const vise_i_quantization *q = r->quantization;                                                          \
    const vise_i_block *block = &r->net->blocks[l];                                                          \
    const size_t n = r->net->widths[l], weights = r->net->tensors[block->weight].offset;                     \
    const size_t biases = block->bias == VISE_I_NO_TENSOR ? 0 : r->net->tensors[block->bias].offset;         \
    const int most = vise_i_value_most(&q->format, l), zero = vise_i_value_zero(q, r->net, l);               \
    const double value_scale = (double)vise_i_value_scale(q, r->scales, l);                                  \
                                                                                                             \
    for (size_t row = first; row < end; row++) {                                                             \
      const float s = vise_i_row_scales(q, r->scales, l)[row];                                               \
      const double unit = (double)s * value_scale;                                                           \
      const T reach = (T)(VISE_I_MOST_Q * (double)s), bias_reach = (T)(vise_i_bias_most(&q->format) * unit); \
      T *w = latent + weights + row * n, *to = rounded + weights + row * n;                                  \
      int64_t bias = 0;                                                                                      \
      if (block->bias != VISE_I_NO_TENSOR) {                                                                 \
        T *b = latent + biases + row;                                                                        \
        *b = *b < -bias_reach ? -bias_reach : (*b > bias_reach ? bias_reach : *b);                           \
        bias = round_bias(q, (double)*b, unit);                                                              \
        rounded[biases + row] = (T)((double)bias * unit);                                                    \
      }                                                                                                      \
                                                                                                             \
      for (size_t i = 0; i < n; i++) w[i] = w[i] < -reach ? -reach : (w[i] > reach ? reach : w[i]);          \
      const vise_i_radii radii = vise_i_integer_radii(&q->format, most, zero, bias);                         \
      fixed(w, n, (T)s, r->v);                                                                               \
      vise_i_project_row(r->v, n, &radii);                                                                   \
      for (size_t i = 0; i < n; i++) to[i] = (T)s * (T)r->v[i];                                              \
    }                                                                                                        \
  }

DEFINE_ROUND_LAYER(vise_i_round_layer_f32, float, vise_i_fixed_f32)
DEFINE_ROUND_LAYER(vise_i_round_layer_f64, double, vise_i_fixed_f64)

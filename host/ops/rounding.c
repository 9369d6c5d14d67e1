/* Integer weights and hidden values: the projection of rows, and what training does with it. */
#include "host/ops/rounding.h"

#include <math.h>
#include <string.h>

#include "host/ops/simd.h"

#define ONE (1 << VISE_I_FRACTION_BITS)
#define MOST_V (VISE_I_MOST_Q * ONE)

/* ---- weights ---- */

/* 2^23 added to a number from 0 to 127 2^16 leaves its integer, rounded to nearest, in the low bits. */
VISE_I_CLONES static void fixed_f32(const float *w, size_t n, float s, int32_t *v) {
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

/* Clones are static: the resolver of another would be exported. */
void vise_i_fixed_f32(const float *w, size_t n, float s, int32_t *v) {
  fixed_f32(w, n, s, v);
}

void vise_i_fixed_f64(const double *w, size_t n, double s, int32_t *v) {
  for (size_t i = 0; i < n; i++) {
    const double scaled = fabs(w[i]) * (ONE / s);
    const int32_t magnitude = (int32_t)rint(scaled < MOST_V ? scaled : MOST_V);
    v[i] = w[i] < 0 ? -magnitude : magnitude;
  }
}

/* One sign of a row: its entries of sign 1 or -1, with so many bits of fraction. */
typedef struct row_side {
  const int32_t *v;
  size_t n;
  int32_t sign;
  int fraction;
} row_side;

/* The sum of what is left of the entries. */
VISE_I_CLONES static int64_t sum_of_side(const row_side *side, int32_t t) {
  enum { BLOCK = 1 << 16 }; /* sums of so many fit 32 bits */
  const int32_t *const v = side->v, sign = side->sign;
  const int fraction = side->fraction;
  const size_t n = side->n;
  const int32_t less = t - (1 << (fraction - 1));
  int64_t sum = 0;

  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t end = n - first < BLOCK ? n : first + BLOCK;
    int32_t part = 0;
    for (size_t i = first; i < end; i++) {
      const int32_t q = (sign * v[i] - less) >> fraction;
      part += q > 0 ? q : 0;
    }
    sum += part;
  }
  return sum;
}

/* The smallest T of a side. Since nothing is left of V at T >= V, 23 bits are enough. */
static int32_t threshold_of_side(const row_side *side, int64_t most) {
  int32_t too_little = 0;
  if (sum_of_side(side, 0) <= most) return 0;
  for (int32_t bit = 1 << 22; bit != 0; bit >>= 1) {
    if (sum_of_side(side, too_little | bit) > most) too_little |= bit;
  }
  return too_little + 1;
}

VISE_I_CLONES static void subtract(int32_t *v, size_t n, int32_t plus, int32_t minus, int fraction) {
  const int32_t half = 1 << (fraction - 1);
  for (size_t i = 0; i < n; i++) {
    const int32_t x = v[i], p = (x - plus + half) >> fraction, m = (-x - minus + half) >> fraction;
    v[i] = (p > 0 ? p : 0) - (m > 0 ? m : 0);
  }
}

void vise_i_project_row(int32_t *v, size_t n, const vise_i_radii *radii) {
  const int fraction = VISE_I_FRACTION_BITS - radii->more_bits;
  const int32_t plus = threshold_of_side(&(row_side){v, n, 1, fraction}, radii->plus);
  const int32_t minus = threshold_of_side(&(row_side){v, n, -1, fraction}, radii->minus);
  subtract(v, n, plus, minus, fraction);
}

/* ---- values ---- */

VISE_I_CLONES static void round_values_f32(const vise_i_levels *levels, const float *in, float *out, size_t n) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float scale = (float)levels->scale, by = 1.0f / scale, zero = (float)levels->zero, most = (float)levels->most;
  for (size_t i = 0; i < n; i++) {
    const float x = vise_i_clamp(in[i] * by + zero, 0.0f, most);
    out[i] = scale * (((x + shifter) - shifter) - zero);
  }
}

void vise_i_round_values_f32(const vise_i_levels *levels, const float *in, float *out, size_t n) {
  round_values_f32(levels, in, out, n);
}

void vise_i_round_values_f64(const vise_i_levels *levels, const double *in, double *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x = in[i] / levels->scale + levels->zero;
    out[i] = levels->scale * (rint(x < 0 ? 0 : (x > levels->most ? levels->most : x)) - levels->zero);
  }
}

vise_i_levels vise_i_output_levels(const vise_i_quantization *quantization, const vise_i_net *net, const float *scales,
                                   size_t l) {
  return (vise_i_levels){(double)vise_i_value_scale(quantization, scales, l + 1),
                         vise_i_value_most(&quantization->format, l + 1), vise_i_value_zero(quantization, net, l + 1)};
}

/* ---- rows of a layer ---- */

/* The bias in units of the sum, within its bounds; a NaN becomes 0. */
static int64_t round_bias(const vise_i_quantization *q, double bias, double unit) {
  const double most = vise_i_bias_most(&q->format), b = rint(bias / unit);
  if (isnan(b)) return 0;
  return (int64_t)(b < -most ? -most : (b > most ? most : b));
}

/* NaN stays NaN. */
VISE_I_CLONES static bool bound_f32(float *w, size_t n, double most) {
  const float hi = (float)most;
  uint32_t n_cut = 0;
  for (size_t i = 0; i < n; i++) {
    const float x = vise_i_clamp(w[i], -hi, hi);
    n_cut |= x != w[i];
    w[i] = x;
  }
  return n_cut != 0;
}

static bool bound_f64(double *w, size_t n, double most) {
  bool cut = false;
  for (size_t i = 0; i < n; i++) {
    cut |= fabs(w[i]) > most;
    w[i] = w[i] < -most ? -most : (w[i] > most ? most : w[i]);
  }
  return cut;
}

VISE_I_CLONES static void scale_f32(const int32_t *q, size_t n, float s, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = s * (float)q[i];
}

static void scale_f64(const int32_t *q, size_t n, double s, double *out) {
  for (size_t i = 0; i < n; i++) out[i] = s * q[i];
}

#define DEFINE_ROUND_ROWS(name, T, rows_type, bound, fixed, scale)                                         \
  bool name(const vise_i_rounding *r, const rows_type *rows) {                                             \
    const vise_i_quantization *q = r->quantization;                                                        \
    const size_t n = r->net->widths[rows->l];                                                              \
    const int most = vise_i_value_most(&q->format, rows->l), zero = vise_i_value_zero(q, r->net, rows->l); \
    const double t = (double)vise_i_value_scale(q, r->scales, rows->l);                                    \
    bool cut = false;                                                                                      \
                                                                                                           \
    for (size_t i = 0; i < rows->end - rows->first; i++) {                                                 \
      const float s = vise_i_row_scales(q, r->scales, rows->l)[rows->first + i];                           \
      const double unit = (double)s * t;                                                                   \
      int64_t bias = 0;                                                                                    \
      if (rows->latent_bias != NULL) {                                                                     \
        if (r->bounds) (void)bound(rows->latent_bias + i, 1, vise_i_bias_most(&q->format) * unit);         \
        bias = round_bias(q, (double)rows->latent_bias[i], unit);                                          \
        rows->out_bias[i] = (T)((double)bias * unit);                                                      \
      }                                                                                                    \
                                                                                                           \
      const vise_i_radii radii = vise_i_integer_radii(&q->format, most, zero, bias);                       \
      if (r->bounds) cut |= bound(rows->latent + i * n, n, VISE_I_MOST_Q * (double)s);                     \
      fixed(rows->latent + i * n, n, s, r->v);                                                             \
      vise_i_project_row(r->v, n, &radii);                                                                 \
      scale(r->v, n, s, rows->out + i * n);                                                                \
    }                                                                                                      \
    return cut;                                                                                            \
  }

DEFINE_ROUND_ROWS(vise_i_round_rows_f32, float, vise_i_rounded_rows_f32, bound_f32, vise_i_fixed_f32, scale_f32)
DEFINE_ROUND_ROWS(vise_i_round_rows_f64, double, vise_i_rounded_rows_f64, bound_f64, vise_i_fixed_f64, scale_f64)

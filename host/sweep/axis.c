/* Values on an axis. */
#include "host/sweep/axis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/base/number.h"

enum { SIGNIFICANT_DIGITS = 6 };
static const double EDGE_SHARE = 0.05;

static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

static double number_of(uint64_t bits) {
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

/* The double nearest to x as it is written with so many digits. */
static double round_to_digits(double x) {
  if (!(fabs(x) > 0)) return 0;
  int exponent = (int)floor(log10(fabs(x))) - (SIGNIFICANT_DIGITS - 1);
  long long mantissa = llroundl((long double)x * powl(10.0L, -exponent));
  char text[48];
  double rounded = x;

  const int n = snprintf(text, sizeof text, "%llde%d", mantissa, exponent); /* the same in every locale */
  (void)vise_i_number_parse(text, (size_t)n, &rounded);
  return rounded;
}

static double limited(double x, double lo, double hi) {
  return fmin(fmax(x, lo), hi);
}

/* ---- from a fraction -------------------------------------------------------------------------------------------- */

/* 0 to n - 1, each for an equal part of the fractions up to 2^-64. */
static uint64_t share_of(uint64_t fraction, uint64_t n) {
  return (uint64_t)(((unsigned __int128)fraction * n) >> 64);
}

/* Between lo and hi; in the logarithm if the axis says so. */
static double between(const vise_i_axis *axis, double lo, double hi, double share) {
  return axis->is_log ? exp(log(lo) + share * (log(hi) - log(lo))) : lo + share * (hi - lo);
}

uint64_t vise_i_axis_code(const vise_i_axis *axis, uint64_t fraction) {
  const double share = ((double)(fraction >> 11) + 0.5) * 0x1p-53; /* never 0 or 1 */
  if (axis->n_values > 0) return share_of(fraction, axis->n_values);

  if (axis->is_int && !axis->is_log) {
    return bits_of(axis->lo + (double)share_of(fraction, (uint64_t)(axis->hi - axis->lo) + 1));
  }
  if (axis->is_int) {
    const double x = between(axis, axis->lo - 0.5, axis->hi + 0.5, share);
    return bits_of(limited(floor(x + 0.5), axis->lo, axis->hi));
  }
  return bits_of(limited(round_to_digits(between(axis, axis->lo, axis->hi, share)), axis->lo, axis->hi));
}

/* ---- what a value is -------------------------------------------------------------------------------------------- */

double vise_i_axis_number(const vise_i_axis *axis, uint64_t code) {
  return axis->n_values > 0 ? axis->values[code].number : number_of(code);
}

size_t vise_i_axis_text(const vise_i_axis *axis, uint64_t code, char *buffer, size_t n_bytes) {
  char number[VISE_I_NUMBER_BYTES];
  const char *text = number;

  if (axis->n_values > 0) {
    text = axis->values[code].text;
  } else if (axis->is_int) {
    (void)snprintf(number, sizeof number, "%.0f", number_of(code));
  } else {
    (void)vise_i_number_text(number, number_of(code));
  }

  return (size_t)snprintf(buffer, n_bytes, "%s", text);
}

static int edge_of_list(const vise_i_axis *axis, const vise_i_value *value) {
  if (strcmp(value->text, "off") == 0) return 0; /* there is nothing beyond it */
  if (axis->has_lo_edge && value->number <= axis->lo) return -1;
  return axis->has_hi_edge && value->number >= axis->hi ? 1 : 0;
}

int vise_i_axis_edge(const vise_i_axis *axis, uint64_t code) {
  if (axis->n_values > 0) return edge_of_list(axis, &axis->values[code]);

  const double x = number_of(code);
  const double share =
      axis->is_log ? log(x / axis->lo) / log(axis->hi / axis->lo) : (x - axis->lo) / (axis->hi - axis->lo);
  if (axis->has_lo_edge && share <= EDGE_SHARE) return -1;
  return axis->has_hi_edge && share >= 1 - EDGE_SHARE ? 1 : 0;
}

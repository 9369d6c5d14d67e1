/*
 * Rows of integer weights whose sums fit an accumulator: what host code and kernels share (docs/step.md, integer nets).
 * Plain C.
 *
 * A weight's magnitude is V = rint(2^16 |w| / s), at most 127 2^16. Of a side, the positive weights of a row or its
 * negative ones, is left what adds up to at most R: with the smallest integer T >= 0 for which
 *   sum of max(0, (V - T + 2^15) >> 16) <= R,
 * that summand. There is one such T, however it is searched for.
 */
#ifndef VISE_I_RULE_INTEGER_H
#define VISE_I_RULE_INTEGER_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "host/base/both.h"

enum {
  VISE_I_MOST_Q = 127,       /* largest magnitude of an integer weight */
  VISE_I_FRACTION_BITS = 16, /* of V */
  VISE_I_ONE_V = 1 << VISE_I_FRACTION_BITS,
  VISE_I_MOST_V = VISE_I_MOST_Q * VISE_I_ONE_V
};

/* ---- the accumulator ---- */

/* How far a bias goes, in units of s t, before the zero point is folded into it: half of the range of the accumulator,
   and what a float32 tells apart with room to spare. */
VISE_BOTH double vise_i_bias_limit(int acc_bits) {
  const int bits = acc_bits - 2 < 21 ? acc_bits - 2 : 21;
  return (double)((int64_t)1 << bits);
}

/* The bias in units of the sum, within that; a NaN becomes 0. */
VISE_BOTH int64_t vise_i_integer_bias(int acc_bits, double bias, double unit) {
  const double most = vise_i_bias_limit(acc_bits), b = rint(bias / unit);
  if (b < -most) return -(int64_t)most;
  if (b > most) return (int64_t)most;
  return b == b ? (int64_t)b : 0;
}

/* What the positive q of a row may add up to, and the negative ones. */
typedef struct vise_i_radii {
  int64_t plus, minus;
  int more_bits; /* of weights beyond 8 */
} vise_i_radii;

/*
 * So much that no sum of any of a row's terms, its bias among them or not, in any order, leaves P bits. With the bias B
 * as it is added and x in [0, X]:
 *   X plus + max(B, 0) <= 2^(P-1) - 1  and  X minus + max(-B, 0) <= 2^(P-1).
 * Where z is not 0, B = B0 - z (sum of q) depends on the row: with plus = minus = (2^(P-1) - 1 - |B0|) / X both hold for
 * every row within them, since z <= X. bias: B0, within vise_i_bias_limit.
 */
VISE_BOTH vise_i_radii vise_i_accumulator_radii(int acc_bits, int most, int zero, int64_t bias) {
  const uint32_t beyond = 1u << (acc_bits - 1), above = (uint32_t)(bias > 0 ? bias : 0),
                 below = (uint32_t)(bias < 0 ? -bias : 0), x = (uint32_t)most;
  vise_i_radii radii;
  radii.more_bits = 0;
  if (zero != 0) {
    radii.plus = radii.minus = (beyond - 1 - above - below) / x;
  } else {
    radii.plus = (beyond - 1 - above) / x;
    radii.minus = (beyond - below) / x;
  }
  return radii;
}

/* ---- the search ---- */

/* What is left of V. */
VISE_BOTH int32_t vise_i_left_of(int32_t v, int32_t t) {
  const int32_t q = (v - t + VISE_I_ONE_V / 2) >> VISE_I_FRACTION_BITS;
  return q > 0 ? q : 0;
}

/* What a pass over a side finds at some T: parts of it are joined by adding and by taking the least. */
typedef struct vise_i_side_found {
  int32_t sum, n;   /* of what is left; how many are not 0 */
  int32_t down, up; /* how much larger T must be for the sum to fall, and how much smaller for it to rise, at least */
} vise_i_side_found;

VISE_BOTH vise_i_side_found vise_i_side_nothing(void) {
  vise_i_side_found found;
  found.sum = found.n = 0;
  found.down = found.up = INT32_MAX / 2;
  return found;
}

VISE_BOTH void vise_i_side_add(vise_i_side_found *found, int32_t v, int32_t t) {
  const int32_t x = v - t + VISE_I_ONE_V / 2, q = x >> VISE_I_FRACTION_BITS, part = x & (VISE_I_ONE_V - 1);
  const int32_t up = VISE_I_ONE_V - (x < 0 ? x : part);
  if (up < found->up) found->up = up;
  if (q <= 0) return;
  found->sum += q;
  found->n++;
  if (part + 1 < found->down) found->down = part + 1;
}

/* Where the answer lies: above low, at high or below. */
typedef struct vise_i_search {
  int32_t radius;
  int32_t low, high;
  int32_t at; /* what is tried next; once it is found, the answer */
  float excess,
      slack;       /* how far the sums at low and high are from the radius; that of an end that stays is halved, so that
                          both move */
  int32_t last, n; /* the end that moved; how many were tried */
  bool is_found;
} vise_i_search;

/* The first T that is tried is 0. */
VISE_BOTH vise_i_search vise_i_search_open(int64_t radius) {
  vise_i_search s;
  s.radius = radius < INT32_MAX / 4 ? (int32_t)radius : INT32_MAX / 4; /* more than any row has */
  s.low = -1;
  s.high = VISE_I_MOST_V; /* nothing is left */
  s.at = s.last = s.n = 0;
  s.excess = s.slack = (float)s.radius + 0.5f;
  s.is_found = false;
  return s;
}

/* 1/x to about a hundredth, which is enough to choose what is tried next, without a division: the bits of a float are about
   its logarithm. x: positive and normal. */
VISE_BOTH float vise_i_about_inverse(float x) {
  uint32_t bits;
  float y;
  memcpy(&bits, &x, sizeof bits);
  bits = 0x7ef311c7u - bits;
  memcpy(&y, &bits, sizeof y);
  return y * (2.0f - x * y);
}

/* The next T between the ends: where a line between the sums meets the radius, or earlier where the slope at low, of n
   that are not 0, says so. After many that were tried, the middle, so that the search ends. */
VISE_BOTH int32_t vise_i_search_between(const vise_i_search *s, int32_t n) {
  const int32_t width = s->high - s->low;
  const float line = (float)width * (s->excess * vise_i_about_inverse(s->excess + s->slack));
  const float tangent = (float)VISE_I_ONE_V * (s->excess * vise_i_about_inverse((float)(n > 0 ? n : 1)));
  const float step = s->last < 0 && tangent >= 1.0f && tangent < line ? tangent : line;
  const int32_t whole = s->n > 30 ? width / 2 : (int32_t)step;
  return s->low + (whole < 1 ? 1 : whole > width - 1 ? width - 1 : whole);
}

/* Takes what a pass found at s->at. */
VISE_BOTH void vise_i_search_take(vise_i_search *s, const vise_i_side_found *found) {
  if (s->is_found) return;
  s->n++;

  if (found->sum > s->radius) {
    const int32_t excess = found->sum - s->radius;
    if (s->last < 0) s->slack *= 0.5f;
    s->low = s->at + found->down - 1;
    s->excess = (float)excess;
    s->last = -1;
    s->is_found = excess == 1; /* it falls at the next T */
    if (s->is_found) s->high = s->low + 1;
  } else {
    const int32_t slack = s->radius - found->sum, high = s->at - found->up + 1;
    if (s->last > 0) s->excess *= 0.5f;
    s->high = high > 0 ? high : 0;
    s->slack = (float)slack + 0.5f;
    s->last = 1;
    s->is_found = slack == 0 || s->high == 0;
  }

  s->is_found = s->is_found || s->high - s->low <= 1;
  s->at = s->is_found ? s->high : vise_i_search_between(s, found->n);
}

#endif

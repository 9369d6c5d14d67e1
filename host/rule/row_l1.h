/*
 * Rows of weights whose magnitudes sum to at most R: the Euclidean projection onto that ball is the soft threshold
 * w <- sign(w) max(|w| - t, 0) with the smallest t >= 0 that makes the sum small enough. Where sides are bounded, the
 * positive entries have a t of their own, and the negative ones too.
 *
 * In float32, t is found in integers, whose sums have no order: with magnitudes V in a fixed point of the row's own, T
 * is the smallest integer >= 0 with sum max(0, V - T) <= R. There is one such T, so every backend, every cut of a row and
 * every way of searching gives the same bits. V lies above the magnitude and R is rounded down: the sum that is left is at
 * most R. A unit is 2^-27 of the largest magnitude, finer than a float32 of its size. Plain C that kernels include too.
 */
#ifndef VISE_I_ROW_L1_H
#define VISE_I_ROW_L1_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "host/base/both.h"

/* What bounds the rows of a layer's weights. */
typedef struct vise_i_row_ball {
  double radius; /* 0: nothing does */
  bool sided;    /* positive entries and negative ones, each by themselves */
} vise_i_row_ball;

typedef enum vise_i_side { VISE_I_BOTH_SIDES, VISE_I_POSITIVE, VISE_I_NEGATIVE } vise_i_side;

/* What is projected onto: so much less than R that R itself holds after what is left is rounded to float32. */
VISE_BOTH double vise_i_row_radius(const vise_i_row_ball *ball, double factor) {
  return ball->radius * factor * (1 - 1.0 / 1048576);
}

/* ---- fixed point ---- */

/* The fixed point of one row: numbers times scale. */
typedef struct vise_i_fixed {
  float scale;    /* a power of two, with which magnitudes are below 2^27 */
  int64_t radius; /* R */
} vise_i_fixed;

/* Bits of a magnitude from which on it is not finite. Rows with such an entry stay as they are. */
enum { VISE_I_BITS_OF_INFINITY = 0x7f800000 };

/* Whether a weight, by its bits, is on the other side. */
VISE_BOTH bool vise_i_is_other_side(uint32_t bits, vise_i_side side) {
  return side != VISE_I_BOTH_SIDES && (bits >> 31 != 0) != (side == VISE_I_NEGATIVE);
}

/* The bits of the magnitude that a weight has on a side: 0 if it is on the other one. What is not finite is on both. */
VISE_BOTH uint32_t vise_i_side_bits(uint32_t bits, vise_i_side side) {
  const uint32_t magnitude = bits & 0x7fffffffu;
  return vise_i_is_other_side(bits, side) && magnitude < VISE_I_BITS_OF_INFINITY ? 0 : magnitude;
}

/* The same as a number, where all are finite. */
VISE_BOTH float vise_i_side_magnitude(float w, vise_i_side side) {
  if (side == VISE_I_BOTH_SIDES) return fabsf(w);
  const float on = side == VISE_I_NEGATIVE ? -w : w;
  return on > 0 ? on : 0.0f;
}

/* Of a row whose largest magnitude has these bits, and is finite. */
VISE_BOTH vise_i_fixed vise_i_fixed_of(uint32_t largest, double radius) {
  const int exponent = 27 + 126 - (int)(largest >> 23), scale = exponent < 127 ? exponent : 127;
  const uint32_t bits = (uint32_t)(scale + 127) << 23;
  vise_i_fixed fixed;
  memcpy(&fixed.scale, &bits, sizeof bits);
  const double scaled = radius * (double)fixed.scale;
  fixed.radius = scaled < 4e18 ? (int64_t)scaled : INT64_MAX;
  return fixed;
}

/* V - 1, and V: the next integer above. */
VISE_BOTH int32_t vise_i_fixed_below(float magnitude, float scale) {
  return (int32_t)(magnitude * scale);
}

VISE_BOTH int32_t vise_i_fixed_magnitude(float magnitude, float scale) {
  return vise_i_fixed_below(magnitude, scale) + 1;
}

/* What a pass over a row finds, at some T. */
typedef struct vise_i_fixed_found {
  int64_t sum;                /* of max(0, V - T) */
  int32_t n_from, least_from; /* how many V >= T, and the least of them, INT32_MAX where there is none */
} vise_i_fixed_found;

/* 1/n, a millionth too small, from the bits of a float, which are about its logarithm, and three steps of Newton's method:
   each squares the error, at first an eighth. */
VISE_BOTH float vise_i_fixed_inverse(int32_t n) {
  const float x = (float)n;
  uint32_t bits;
  float y;
  memcpy(&bits, &x, sizeof bits);
  bits = 0x7ef311c7u - bits;
  memcpy(&y, &bits, sizeof y);
  for (int i = 0; i < 3; i++) y = y * (2.0f - x * y);
  return y * (1.0f - 1.0f / 1048576);
}

/* floor(a / n) for a >= 0 and n > 0 where that is below 2^31, without a division, which GPUs have to spell out. What float32
   says is a few thousand too small at most; what it says of the rest, 1. */
VISE_BOTH int64_t vise_i_fixed_quotient(int64_t a, int32_t n) {
  const float inverse = vise_i_fixed_inverse(n);
  int64_t quotient = (int64_t)((float)a * inverse);
  quotient += (int64_t)((float)(a - quotient * n) * inverse);
  return quotient + (a - quotient * n >= n);
}

/* Moves T, which may be anywhere, towards the answer; true when it is there. Where the sum is too large, a tangent to it
   says how far T is too low at least, and up to the next V the tangent is the sum; where it is not too large, how far T is
   too high at most. So T goes down once at most, and then up. */
VISE_BOTH bool vise_i_fixed_next(const vise_i_fixed_found *found, int64_t radius, int32_t *t) {
  const int64_t from = *t, n = found->n_from;
  if (found->sum > radius) {
    const int64_t next = from + vise_i_fixed_quotient(found->sum - radius + n - 1, found->n_from);
    *t = (int32_t)next;
    return found->least_from >= next;
  }

  const int64_t slack = radius - found->sum;
  const int64_t least = slack >= from * n ? 0 : from - vise_i_fixed_quotient(slack, found->n_from);
  *t = (int32_t)least;
  return least == from;
}

/* 1/scale, a power of two as well. */
VISE_BOTH double vise_i_fixed_unit(float scale) {
  uint32_t bits;
  double unit;
  memcpy(&bits, &scale, sizeof bits);
  const uint64_t inverse = (uint64_t)(1023 + 127 - (bits >> 23)) << 52;
  memcpy(&unit, &inverse, sizeof unit);
  return unit;
}

/* t, rounded up. */
VISE_BOTH float vise_i_fixed_threshold(float scale, int32_t t) {
  const double exact = (double)t * vise_i_fixed_unit(scale);
  const float near = (float)exact;
  return (double)near < exact ? nextafterf(near, INFINITY) : near;
}

/* ---- shrinking ---- */

/* Thresholds of a row; equal unless sides are bounded. */
typedef struct vise_i_row_thresholds {
  float positive, negative;
} vise_i_row_thresholds;

VISE_BOTH float vise_i_shrink(float w, vise_i_row_thresholds t) {
  const float other = -t.negative;
  const float above = (w > t.positive ? w : t.positive) - t.positive, below = (w < other ? w : other) - other;
  return above + below; /* one of them is 0 */
}

#endif

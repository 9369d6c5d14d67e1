/*
 * The sums of rows: a phase in which a warp takes a row and finds its thresholds, and what shrinks a quad by them. The
 * threshold is an integer that does not depend on how it is searched for (host/rule/row_l1.h): bits are those of the cpu
 * backend. A row is read from device memory in each pass, of which there are a few; it is in the caches by then.
 */
#ifndef VISE_K_ROW_L1_CUH
#define VISE_K_ROW_L1_CUH

#include "kernels/sums.cuh"

VISE_FN int64_t vise_sum_lanes_i64(int64_t v) {
#pragma unroll
  for (int by = 16; by > 0; by /= 2) v += __shfl_xor_sync(0xffffffff, v, by);
  return v;
}

/* The bits of the largest magnitude of a row, by a warp. */
VISE_FN uint32_t vise_row_largest(const float *w, uint32_t n, vise_i_side side) {
  uint32_t most = 0;
#pragma unroll 1
  for (uint32_t i = threadIdx.x % 32; i < n; i += 32) {
    const uint32_t bits = vise_i_side_bits(__float_as_uint(w[i]), side);
    if (bits > most) most = bits;
  }
#pragma unroll
  for (int by = 16; by > 0; by /= 2) {
    const uint32_t other = __shfl_xor_sync(0xffffffff, most, by);
    if (other > most) most = other;
  }
  return most;
}

/* A pass over the row, by a warp. */
VISE_FN vise_i_fixed_found vise_row_count(const float *w, uint32_t n, vise_i_side side, float scale, int32_t t) {
  vise_i_fixed_found found = {0, 0, INT32_MAX};
#pragma unroll 1
  for (uint32_t i = threadIdx.x % 32; i < n; i += 32) {
    const int32_t v = vise_i_fixed_magnitude(vise_i_side_magnitude(w[i], side), scale);
    if (v < t) continue;
    found.sum += v - t;
    found.n_from++;
    if (v < found.least_from) found.least_from = v;
  }

  found.sum = vise_sum_lanes_i64(found.sum);
#pragma unroll
  for (int by = 16; by > 0; by /= 2) {
    const int32_t least = __shfl_xor_sync(0xffffffff, found.least_from, by);
    found.n_from += __shfl_xor_sync(0xffffffff, found.n_from, by);
    if (least < found.least_from) found.least_from = least;
  }
  return found;
}

/* The threshold of a row on a side, by a warp; 0 where the row is not finite. */
VISE_FN_CALLED float vise_row_threshold(const float *w, uint32_t n, uint32_t side, double radius) {
  const vise_i_side on = (vise_i_side)side;
  const uint32_t largest = vise_row_largest(w, n, on);
  if (largest >= VISE_I_BITS_OF_INFINITY) return 0.0f;

  const vise_i_fixed fixed = vise_i_fixed_of(largest, radius);
  int32_t t = 0;
  for (bool is_found = false; !is_found;) {
    const vise_i_fixed_found found = vise_row_count(w, n, on, fixed.scale, t);
    is_found = vise_i_fixed_next(&found, fixed.radius, &t);
  }
  return vise_i_fixed_threshold(fixed.scale, t);
}

/* The thresholds of a row, by a warp: both sides' or, unless sides are bounded, twice the same. A row that is not finite
   has none on either side. */
VISE_FN vise_i_row_thresholds vise_row_thresholds(const float *w, uint32_t n, const vise_i_row_ball *ball,
                                                  double factor) {
  const double radius = vise_i_row_radius(ball, factor);
  vise_i_row_thresholds t;
  t.positive = vise_row_threshold(w, n, ball->sided ? VISE_I_POSITIVE : VISE_I_BOTH_SIDES, radius);
  t.negative = ball->sided ? vise_row_threshold(w, n, VISE_I_NEGATIVE, radius) : t.positive;
  return t;
}

/* VISE_K_ROW_SUM. */
VISE_FN_CALLED void vise_row_sum_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < p->n_units; unit += vise_unit_step(p)) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_unit(p, unit));
    const vise_i_row_ball ball = vise_k_ball_of(p, t.layer);
    if (t.is_bias || !(ball.radius > 0)) continue;

    const float *w = p->params + t.first + (size_t)(unit - t.at.units) * t.ld;
    const vise_i_row_thresholds found = vise_row_thresholds(w, t.n_columns, &ball, step->record.hyper.row_l1_factor);
    if (threadIdx.x % 32 > 0) continue;
    p->row_thresholds[unit] = found.positive;
    p->row_thresholds[p->n_units + unit] = found.negative;
  }
}

/* Shrinks the first n of a quad; false if that changes nothing. */
VISE_FN int vise_shrink_by(vise_i_row_thresholds t, uint32_t n, float w[4]) {
  if (!(t.positive > 0) && !(t.negative > 0)) return 0;
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) w[i] = i < n ? vise_i_shrink(w[i], t) : 0.0f;
  return 1;
}

#endif

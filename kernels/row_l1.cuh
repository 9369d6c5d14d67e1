/*
 * Rows whose sums are bounded: the threshold of a row, and what shrinks a quad by it. The threshold is an integer that does
 * not depend on how it is searched for (host/rule/row_l1.h), and no sum on the way to it has an order: bits are those of
 * the cpu backend, whether a row is taken by a warp or by a CTA. A row is read from device memory in each pass, of which
 * there are a few; it is in the caches by then.
 */
#ifndef VISE_K_ROW_L1_CUH
#define VISE_K_ROW_L1_CUH

#include "kernels/sums.cuh"

/* A row of weights, by quads: its threads, those of a warp or of the CTA, take the quads first, first + step, ... */
typedef struct vise_quads_of_row {
  const float *w;
  uint32_t n; /* elements */
  uint32_t first, step;
  int by_cta;
} vise_quads_of_row;

VISE_FN vise_quads_of_row vise_quads_of(const float *w, uint32_t n, int by_cta) {
  vise_quads_of_row row;
  row.w = w;
  row.n = n;
  row.first = by_cta ? threadIdx.x : threadIdx.x % 32;
  row.step = by_cta ? VISE_K_STEP_THREADS : 32;
  row.by_cta = by_cta;
  return row;
}

/* Where the warps of a CTA leave what they found, [VISE_STEP_WARPS]: two halves take turns. */
VISE_FN vise_i_fixed_found *vise_row_joint(uint32_t half) {
  return (vise_i_fixed_found *)vise_step_split() + half * VISE_STEP_WARPS;
}

VISE_FN vise_i_fixed_found vise_found_nothing(void) {
  const vise_i_fixed_found nothing = {0, 0, INT32_MAX};
  return nothing;
}

/* Of all lanes, to all lanes. All sums are below 2^41, for rows of up to 2^13 elements. */
VISE_FN vise_i_fixed_found vise_join_lanes(vise_i_fixed_found own) {
  enum { LOW_BITS = 20 };
  const int32_t low = ptx_redux_add((int32_t)(own.sum & ((1 << LOW_BITS) - 1)));
  const int32_t high = ptx_redux_add((int32_t)(own.sum >> LOW_BITS));
  own.sum = ((int64_t)high << LOW_BITS) + low;
  own.n_from = ptx_redux_add(own.n_from);
  own.least_from = ptx_redux_min(own.least_from);
  return own;
}

/* Of all threads of a row; half: that which the pass before has not used. */
VISE_FN vise_i_fixed_found vise_join_row(vise_i_fixed_found own, int by_cta, uint32_t half) {
  vise_i_fixed_found *const warps = vise_row_joint(half);
  own = vise_join_lanes(own);
  if (!by_cta) return own;
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = own;
  __syncthreads();
  return vise_join_lanes(threadIdx.x % 32 < VISE_STEP_WARPS ? warps[threadIdx.x % 32] : vise_found_nothing());
}

/* Elements of quad i. */
VISE_FN uint32_t vise_in_quad(const vise_quads_of_row *row, uint32_t i) {
  const uint32_t left = row->n - 4 * i;
  return left < 4 ? left : 4;
}

/* The bits of the largest magnitude of a row. */
VISE_FN uint32_t vise_row_largest(const vise_quads_of_row *row, vise_i_side side) {
  vise_i_fixed_found *const warps = vise_row_joint(1);
  uint32_t most = 0;
#pragma unroll 2
  for (uint32_t i = row->first; 4 * i < row->n; i += row->step) {
    float w[4];
    vise_quad_load(row->w + 4 * (size_t)i, w); /* what is not part of the row is 0 */
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) {
      const uint32_t bits = vise_i_side_bits(vise_bits_f32(w[k]), side);
      if (bits > most) most = bits;
    }
  }

  most = __reduce_max_sync(0xffffffffu, most);
  if (!row->by_cta) return most;
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32].n_from = (int32_t)most;
  __syncthreads();
  return __reduce_max_sync(0xffffffffu, (uint32_t)warps[threadIdx.x % VISE_STEP_WARPS].n_from);
}

/* A pass over the row, by each thread for itself. */
VISE_FN vise_i_fixed_found vise_row_count(const vise_quads_of_row *row, vise_i_side side, float scale, int32_t t) {
  vise_i_fixed_found found = vise_found_nothing();
#pragma unroll 2
  for (uint32_t i = row->first; 4 * i < row->n; i += row->step) {
    const uint32_t n = vise_in_quad(row, i);
    float w[4];
    vise_quad_load(row->w + 4 * (size_t)i, w);

    int32_t sum = 0;
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) {
      const int32_t v = vise_i_fixed_magnitude(vise_i_side_magnitude(w[k], side), scale);
      if (k >= n || v < t) continue;
      sum += v - t;
      found.n_from++;
      if (v < found.least_from) found.least_from = v;
    }
    found.sum += sum;
  }
  return found;
}

/* The threshold of a row on a side; 0 where the row is not finite. The threads of a CTA meet at its end. */
VISE_FN_CALLED float vise_row_threshold(const float *w, uint32_t n, uint32_t side, int by_cta, double radius) {
  const vise_i_side on = (vise_i_side)side;
  const vise_quads_of_row row = vise_quads_of(w, n, by_cta);
  const uint32_t largest = vise_row_largest(&row, on);
  float threshold = 0.0f;

  if (largest < VISE_I_BITS_OF_INFINITY) {
    const vise_i_fixed fixed = vise_i_fixed_of(largest, radius);
    int32_t t = 0;
    bool is_found = false;
#pragma unroll 1
    for (uint32_t half = 0; !is_found; half ^= 1) {
      const vise_i_fixed_found found = vise_join_row(vise_row_count(&row, on, fixed.scale, t), by_cta, half);
      is_found = vise_i_fixed_next(&found, fixed.radius, &t);
    }
    threshold = vise_i_fixed_threshold(fixed.scale, t);
  }

  if (by_cta) __syncthreads();
  return threshold;
}

/* The thresholds of row `row` of a tensor: both sides' or, unless sides are bounded, twice the same. A row that is not
   finite has none on either side. by_cta: all threads of the CTA take the row; else a warp does. */
VISE_FN vise_i_row_thresholds vise_row_thresholds(const vise_step *step, const vise_step_tensor *tensor, uint32_t row,
                                                  int by_cta) {
  const vise_k_step *p = &step->p;
  const vise_i_row_ball ball = vise_k_ball_of(p, tensor->layer);
  const double radius = vise_i_row_radius(&ball, step->record.hyper.row_l1_factor);
  const float *w = p->params + tensor->first + (size_t)row * tensor->ld;
  const uint32_t n = tensor->n_columns;
  vise_i_row_thresholds t;
  t.positive = vise_row_threshold(w, n, ball.sided ? VISE_I_POSITIVE : VISE_I_BOTH_SIDES, by_cta, radius);
  t.negative = ball.sided ? vise_row_threshold(w, n, VISE_I_NEGATIVE, by_cta, radius) : t.positive;
  return t;
}

/* Shrinks the first n of a quad; false if that changes nothing. */
VISE_FN int vise_shrink_by(vise_i_row_thresholds t, uint32_t n, float w[4]) {
  if (!(t.positive > 0) && !(t.negative > 0)) return 0;
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) w[i] = i < n ? vise_i_shrink(w[i], t) : 0.0f;
  return 1;
}

#endif

/*
 * The pass over gradients and weights that only reads. Squares of floats are exact in float64, so the sum of squares
 * neither overflows nor loses digits, and it is finite exactly when every entry is. Sums run over leaves of a fixed
 * size in sixteen fixed lanes: their bits depend on nothing but the numbers. Penalty values are squared in float32 and
 * added in fours before they are widened (error below 3e-7 of the value), since they are reported, not used.
 */
#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/simd.h"

enum { LEAF = 4096 };

typedef struct accumulators {
  vise_i_vd8 sq_low, sq_high, w2_low, w2_high, w1_low, w1_high;
  vise_i_vf max;
  vise_i_vi clipped, nonfinite;
} accumulators;

VISE_I_INLINE vise_i_vf sign_of(vise_i_vf w) {
  const vise_i_vf one = vise_i_splat(1.0f);
  return vise_i_select(w > 0.0f, one, vise_i_select(w < 0.0f, -one, w)); /* 0 and NaN stay */
}

/* One vector. valid: the lanes that exist. Returns the weights' lanes for the penalty value. */
VISE_I_INLINE void sum_vector(accumulators *acc, vise_i_vf g, vise_i_vf w, vise_i_vi valid, const vise_i_cpu_shaping *s,
                              bool l2, bool l1, bool clip, bool last, bool want_max) {
  vise_i_vf penalty = {0};
  if (l2) penalty = w * s->c2;
  if (l1) penalty += sign_of(w) * s->c1;
  const vise_i_vf total = l2 || l1 ? g + penalty : g;
  vise_i_vf t = last ? g : total;
  if (clip || last) acc->nonfinite |= ((vise_i_vi)total & 0x7f800000) == 0x7f800000;
  if (clip) {
    acc->clipped -= ((t < s->lo) | (t > s->hi)) & valid;
    t = vise_i_clamp(t, vise_i_splat(s->lo), vise_i_splat(s->hi));
    t = (vise_i_vf)((vise_i_vi)t & valid); /* lanes that do not exist were 0, which may be outside the bounds */
  }
  const vise_i_vd8 low = vise_i_low_half(t), high = vise_i_high_half(t);
  acc->sq_low += low * low;
  acc->sq_high += high * high;
  if (want_max) acc->max = vise_i_select(vise_i_abs(t) > acc->max, vise_i_abs(t), acc->max);
}

VISE_I_INLINE void add_wide(vise_i_vd8 *low, vise_i_vd8 *high, vise_i_vf x) {
  *low += vise_i_low_half(x);
  *high += vise_i_high_half(x);
}

VISE_I_INLINE void sum_leaf(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *s,
                            vise_i_cpu_sums *sums, bool l2, bool l1, bool clip, bool last, bool want_max) {
  enum { V = VISE_I_LANES };
  const vise_i_vi all = vise_i_lanes_below(V);
  accumulators acc = {0};
  size_t i = 0;
  for (; i + 4 * V <= n; i += 4 * V) {
    vise_i_vf w2 = {0}, w1 = {0};
    for (size_t j = 0; j < 4; j++) {
      const vise_i_vf wv = l2 || l1 ? vise_i_load(w + i + j * V) : (vise_i_vf){0};
      sum_vector(&acc, vise_i_load(g + i + j * V), wv, all, s, l2, l1, clip, last, want_max);
      if (l2) w2 += wv * wv;
      if (l1) w1 += vise_i_abs(wv);
    }
    if (l2) add_wide(&acc.w2_low, &acc.w2_high, w2);
    if (l1) add_wide(&acc.w1_low, &acc.w1_high, w1);
  }
  for (; i < n; i += V) {
    const size_t m = n - i < V ? n - i : V;
    const vise_i_vf wv = l2 || l1 ? vise_i_load_part(w + i, m) : (vise_i_vf){0};
    sum_vector(&acc, vise_i_load_part(g + i, m), wv, vise_i_lanes_below(m), s, l2, l1, clip, last, want_max);
    if (l2) add_wide(&acc.w2_low, &acc.w2_high, wv * wv);
    if (l1) add_wide(&acc.w1_low, &acc.w1_high, vise_i_abs(wv));
  }
  sums->sum_sq += vise_i_sum_lanes(acc.sq_low + acc.sq_high);
  sums->w_sum_sq += vise_i_sum_lanes(acc.w2_low + acc.w2_high);
  sums->w_sum_abs += vise_i_sum_lanes(acc.w1_low + acc.w1_high);
  for (int j = 0; j < V; j++) {
    if (want_max) sums->max_abs = acc.max[j] > sums->max_abs ? acc.max[j] : sums->max_abs;
    sums->n_clipped += (uint64_t)acc.clipped[j];
    if (acc.nonfinite[j]) sums->nonfinite = true;
  }
}

/* The common cases get loops of their own; the last one does everything. */
#define DEFINE(name, l2, l1, clip, last, want_max)                                                                 \
  VISE_I_CLONES static void sum_leaf_##name(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *s, \
                                            vise_i_cpu_sums *sums) {                                               \
    sum_leaf(g, w, n, s, sums, l2, l1, clip, last, want_max);                                                      \
  }
DEFINE(plain, false, false, false, false, false)
DEFINE(l2, true, false, false, false, false)
DEFINE(clip, false, false, true, false, false)
DEFINE(l2_clip, true, false, true, false, false)
DEFINE(general, true, true, true, false, true)
DEFINE(general_last, true, true, true, true, true)

typedef void leaf_function(const float *, const float *, size_t, const vise_i_cpu_shaping *, vise_i_cpu_sums *);

static leaf_function *choose(const vise_i_cpu_shaping *s, bool penalized, bool l1, bool value_clip, bool want_max) {
  if (s->penalty_last && penalized) return sum_leaf_general_last;
  if (l1 || want_max) return sum_leaf_general;
  if (penalized) return value_clip ? sum_leaf_l2_clip : sum_leaf_l2;
  return value_clip ? sum_leaf_clip : sum_leaf_plain;
}

void vise_i_cpu_sum_unit(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *shaping, bool penalized,
                         bool l1, bool value_clip, bool want_max, vise_i_cpu_sums *sums) {
  leaf_function *leaf = choose(shaping, penalized, l1, value_clip, want_max);
  for (size_t i = 0; i < n; i += LEAF) leaf(g + i, w + i, n - i < LEAF ? n - i : LEAF, shaping, sums);
  if (!(sums->sum_sq - sums->sum_sq == 0)) sums->nonfinite = true;
}

VISE_I_CLONES static double sum_squares_leaf(const float *w, size_t n) {
  vise_i_vd8 low = {0}, high = {0};
  size_t i = 0;
  for (; i < n; i += VISE_I_LANES) {
    const vise_i_vf v = n - i < VISE_I_LANES ? vise_i_load_part(w + i, n - i) : vise_i_load(w + i);
    const vise_i_vd8 l = vise_i_low_half(v), h = vise_i_high_half(v);
    low += l * l;
    high += h * h;
  }
  return vise_i_sum_lanes(low + high);
}

double vise_i_cpu_sum_squares(const float *w, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i += LEAF) sum += sum_squares_leaf(w + i, n - i < LEAF ? n - i : LEAF);
  return sum;
}

/*
 * The read-only pass over gradients and weights. Squares of floats are exact in float64, so the sum of squares
 * neither overflows nor loses digits, and it is finite exactly when every entry is. Sums run over leaves of a fixed
 * size in sixteen lanes: their bits depend only on the numbers. Penalty values are squared in float32 and added
 * in fours before they are widened (error below 3e-7 of the value), since they are reported, not used.
 */
#include "host/backend/cpu/cpu.h"
#include "host/ops/simd.h"

enum { LANES = VISE_I_LANES, GROUP = 4 * LANES, LEAF = VISE_I_CPU_LEAF };

typedef struct accumulators {
  double sum_sq[LANES], w2[LANES], w1[LANES];
  float group_w2[LANES], group_w1[LANES]; /* of the current group */
  float max_abs[LANES];
  int32_t n_clipped[LANES], nonfinite[LANES];
} accumulators;

/* What to sum in a leaf; constant in each of the functions below, so that what is off costs nothing. */
typedef struct wanted {
  bool l2, l1, clip, last, max_abs;
} wanted;

/* Adds one entry to one lane. */
VISE_I_INLINE void sum_entry(accumulators *restrict acc, size_t lane, float g, float w, const vise_i_cpu_shaping *s,
                             wanted want) {
  float penalty = 0;
  if (want.l2) penalty = w * s->c2;
  if (want.l1) penalty += vise_i_sign(w) * s->c1;
  const float total = want.l2 || want.l1 ? g + penalty : g;

  float t = want.last ? g : total;
  if (want.clip || want.last) acc->nonfinite[lane] |= !(fabsf(total) < INFINITY);
  if (want.clip) {
    acc->n_clipped[lane] += (t < s->lo) | (t > s->hi);
    t = vise_i_clamp(t, s->lo, s->hi);
  }

  acc->sum_sq[lane] += (double)t * (double)t;
  if (want.max_abs) acc->max_abs[lane] = fabsf(t) > acc->max_abs[lane] ? fabsf(t) : acc->max_abs[lane];
  if (want.l2) acc->group_w2[lane] += w * w;
  if (want.l1) acc->group_w1[lane] += fabsf(w);
}

/* Widens the float sums of a group. */
VISE_I_INLINE void end_group(accumulators *restrict acc, wanted want) {
  for (size_t j = 0; want.l2 && j < LANES; j++) acc->w2[j] += (double)acc->group_w2[j];
  for (size_t j = 0; want.l1 && j < LANES; j++) acc->w1[j] += (double)acc->group_w1[j];
  memset(acc->group_w2, 0, sizeof acc->group_w2);
  memset(acc->group_w1, 0, sizeof acc->group_w1);
}

VISE_I_INLINE void sum_leaf(const float *restrict g, const float *restrict w, size_t n, const vise_i_cpu_shaping *given,
                            vise_i_cpu_sums *sums, wanted want) {
  const vise_i_cpu_shaping local = *given, *s = &local;
  accumulators acc = {0};
  size_t i = 0;

  for (; i + GROUP <= n; i += GROUP) {
    for (size_t k = 0; k < GROUP; k += LANES) {
      for (size_t j = 0; j < LANES; j++) sum_entry(&acc, j, g[i + k + j], w[i + k + j], s, want);
    }
    end_group(&acc, want);
  }

  for (size_t j = 0; i < n; i++, j = (j + 1) % LANES) {
    sum_entry(&acc, j, g[i], w[i], s, want);
    end_group(&acc, want);
  }

  sums->sum_sq += vise_i_sum_lanes(acc.sum_sq);
  sums->w_sum_sq += vise_i_sum_lanes(acc.w2);
  sums->w_sum_abs += vise_i_sum_lanes(acc.w1);
  for (int j = 0; j < LANES; j++) {
    sums->max_abs = acc.max_abs[j] > sums->max_abs ? acc.max_abs[j] : sums->max_abs;
    sums->n_clipped += (uint64_t)acc.n_clipped[j];
    if (acc.nonfinite[j]) sums->nonfinite = true;
  }
}

/* The common cases get loops of their own; the general ones do everything. */
#define DEFINE(name, ...)                                                                                          \
  VISE_I_CLONES static void sum_leaf_##name(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *s, \
                                            vise_i_cpu_sums *sums) {                                               \
    sum_leaf(g, w, n, s, sums, (wanted){__VA_ARGS__});                                                             \
  }

DEFINE(plain, .l2 = false)
DEFINE(l2, .l2 = true)
DEFINE(clip, .clip = true)
DEFINE(l2_clip, .l2 = true, .clip = true)
DEFINE(general, .l2 = true, .l1 = true, .clip = true, .max_abs = true)
DEFINE(general_last, .l2 = true, .l1 = true, .clip = true, .last = true, .max_abs = true)

typedef void leaf_function(const float *, const float *, size_t, const vise_i_cpu_shaping *, vise_i_cpu_sums *);

static leaf_function *choose(const vise_i_cpu_shaping *s) {
  if (s->penalty_last && s->penalized) return sum_leaf_general_last;
  if (s->l1 || s->wants_max) return sum_leaf_general;
  if (s->penalized) return s->clips ? sum_leaf_l2_clip : sum_leaf_l2;
  return s->clips ? sum_leaf_clip : sum_leaf_plain;
}

void vise_i_cpu_sum_unit(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *shaping,
                         vise_i_cpu_sums *sums) {
  leaf_function *leaf = choose(shaping);
  for (size_t i = 0; i < n; i += LEAF) leaf(g + i, w + i, n - i < LEAF ? n - i : LEAF, shaping, sums);
  if (!isfinite(sums->sum_sq)) sums->nonfinite = true;
}

VISE_I_CLONES static void add_all(float *restrict to, const float *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

void vise_i_cpu_add(float *to, const float *from, size_t n) {
  add_all(to, from, n);
}

VISE_I_CLONES static double sum_squares_leaf(const float *w, size_t n) {
  double lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (size_t j = 0; j < LANES; j++) lanes[j] += (double)w[i + j] * (double)w[i + j];
  }
  for (size_t j = 0; i + j < n; j++) lanes[j] += (double)w[i + j] * (double)w[i + j];
  return vise_i_sum_lanes(lanes);
}

double vise_i_cpu_sum_squares(const float *w, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i += LEAF) sum += sum_squares_leaf(w + i, n - i < LEAF ? n - i : LEAF);
  return sum;
}

/*
 * The read-only pass over gradients and weights. Sums run over leaves of a fixed size in sixteen lanes: their bits depend
 * only on the numbers. Squares are taken in float32 and added in fours before they are widened, which keeps the sum to
 * 3e-7 of itself. Where float32 has no room for them, a leaf of the gradient is summed again from exact squares: so the
 * sum neither overflows nor vanishes, and it is finite exactly when every entry is.
 */
#include "host/backend/cpu/cpu.h"
#include "host/ops/simd.h"

enum { LANES = VISE_I_LANES, ROUNDS = 4, GROUP = ROUNDS * LANES, LEAF = VISE_I_CPU_LEAF };

typedef struct accumulators {
  double sum_sq[LANES], w2[LANES], w1[LANES];
  float max_abs[LANES];
  int32_t n_clipped[LANES], nonfinite[LANES];
} accumulators;

/* Of the entries of a lane in a group. */
typedef struct float_sums {
  float sq, w2, w1;
} float_sums;

/* What to sum in a leaf; constant in each of the functions below, so that what is off costs nothing. */
typedef struct wanted {
  bool l2, l1, clip, last, max_abs;
  bool exact; /* squares */
} wanted;

/* A leaf whose sum is not between these is summed again: squares may have overflown, or enough of them vanished. */
static const double LEAST_SQUARES = 1e-24, MOST_SQUARES = 1e36;

/* Adds one entry to one lane. */
VISE_I_INLINE void sum_entry(accumulators *restrict acc, size_t lane, float g, float w, const vise_i_cpu_shaping *s,
                             float_sums *sums, wanted want) {
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

  if (want.exact) acc->sum_sq[lane] += (double)t * (double)t;
  if (want.exact && want.l2) acc->w2[lane] += (double)w * (double)w;
  if (want.max_abs) acc->max_abs[lane] = fabsf(t) > acc->max_abs[lane] ? fabsf(t) : acc->max_abs[lane];
  sums->sq += t * t;
  if (want.l2) sums->w2 += w * w;
  if (want.l1) sums->w1 += fabsf(w);
}

/* Adds the float sums of a lane. */
VISE_I_INLINE void end_group(accumulators *restrict acc, size_t lane, const float_sums *sums, wanted want) {
  if (!want.exact) acc->sum_sq[lane] += (double)sums->sq;
  if (!want.exact && want.l2) acc->w2[lane] += (double)sums->w2;
  if (want.l1) acc->w1[lane] += (double)sums->w1;
}

VISE_I_INLINE void sum_leaf(const float *restrict g, const float *restrict w, size_t n, const vise_i_cpu_shaping *given,
                            vise_i_cpu_sums *sums, wanted want) {
  const vise_i_cpu_shaping local = *given, *s = &local;
  accumulators acc = {0};
  size_t i = 0;

  for (; i + GROUP <= n; i += GROUP) {
    for (size_t j = 0; j < LANES; j++) {
      float_sums group = {0};
      VISE_I_UNROLL for (size_t k = j; k < GROUP; k += LANES) sum_entry(&acc, j, g[i + k], w[i + k], s, &group, want);
      end_group(&acc, j, &group, want);
    }
  }

  for (size_t j = 0; i < n; i++, j = (j + 1) % LANES) {
    float_sums one = {0};
    sum_entry(&acc, j, g[i], w[i], s, &one, want);
    end_group(&acc, j, &one, want);
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
DEFINE(exact_plain, .clip = true, .max_abs = true, .exact = true)
DEFINE(exact, .l2 = true, .l1 = true, .clip = true, .max_abs = true, .exact = true)
DEFINE(exact_last, .l2 = true, .l1 = true, .clip = true, .last = true, .max_abs = true, .exact = true)

typedef void leaf_function(const float *, const float *, size_t, const vise_i_cpu_shaping *, vise_i_cpu_sums *);

static leaf_function *choose(const vise_i_cpu_shaping *s) {
  if (s->penalty_last && s->penalized) return sum_leaf_general_last;
  if (s->l1 || s->wants_max) return sum_leaf_general;
  if (s->penalized) return s->clips ? sum_leaf_l2_clip : sum_leaf_l2;
  return s->clips ? sum_leaf_clip : sum_leaf_plain;
}

static leaf_function *choose_exact(const vise_i_cpu_shaping *s) {
  if (!s->penalized) return sum_leaf_exact_plain;
  return s->penalty_last ? sum_leaf_exact_last : sum_leaf_exact;
}

VISE_I_CLONES static bool all_zero(const float *g, size_t n) {
  bool zero = true;
  for (size_t i = 0; i < n; i++) zero &= g[i] == 0;
  return zero;
}

/* Whether float32 had room for the squares of a leaf. A gradient that is zero has none, where inputs are zero. */
static bool is_trusted(const vise_i_cpu_sums *leaf, const float *g, size_t n, const vise_i_cpu_shaping *s) {
  if (leaf->sum_sq >= LEAST_SQUARES) return leaf->sum_sq <= MOST_SQUARES;
  return leaf->sum_sq == 0 && !s->penalized && all_zero(g, n);
}

void vise_i_cpu_add_sums(vise_i_cpu_sums *all, const vise_i_cpu_sums *sums) {
  all->sum_sq += sums->sum_sq;
  all->max_abs = sums->max_abs > all->max_abs ? sums->max_abs : all->max_abs;
  all->n_clipped += sums->n_clipped;
  all->nonfinite |= sums->nonfinite;
  all->w_sum_sq += sums->w_sum_sq;
  all->w_sum_abs += sums->w_sum_abs;
}

void vise_i_cpu_sum_unit(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *shaping,
                         vise_i_cpu_sums *sums) {
  leaf_function *fast = choose(shaping), *exact = choose_exact(shaping);

  for (size_t i = 0; i < n; i += LEAF) {
    const size_t n_leaf = n - i < LEAF ? n - i : LEAF;
    vise_i_cpu_sums leaf = {0};
    fast(g + i, w + i, n_leaf, shaping, &leaf);
    if (!is_trusted(&leaf, g + i, n_leaf, shaping)) {
      leaf = (vise_i_cpu_sums){0};
      exact(g + i, w + i, n_leaf, shaping, &leaf);
    }
    vise_i_cpu_add_sums(sums, &leaf);
  }
  if (!isfinite(sums->sum_sq)) sums->nonfinite = true;
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

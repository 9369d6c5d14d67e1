/*
 * The projection of rows onto L1 balls. Sixteen lanes hold sixteen rows, where weights lie in panels, or sixteen parts of
 * one row. What is searched for is an integer that is the same wherever the search begins (host/rule/row_l1.h): it begins
 * at the row's last threshold, and mostly one or two passes find the next.
 */
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/ops/simd.h"

enum { LANES = VISE_I_LANES };

/* Sums of magnitudes in fixed point stay below 2^32 for so many. */
enum { MOST_STEPS = 31 };

/* Weights that lanes walk over, side by side: lane l has w[i * stride + l] for i < n. */
typedef struct walk {
  float *w;
  size_t n, stride, n_lanes;
} walk;

typedef struct lanes {
  float scale[LANES];
  int32_t t[LANES];
  vise_i_fixed_found found[LANES];
} lanes;

VISE_I_INLINE uint32_t bits_of(float w) {
  uint32_t bits;
  memcpy(&bits, &w, sizeof bits);
  return bits;
}

/* A first look at rows: their largest magnitudes, and roughly what is above a threshold. */
typedef struct look {
  uint32_t largest[LANES]; /* bits */
  float above[LANES];      /* sum of max(|w| - threshold, 0) */
  int32_t n_above[LANES];
} look;

VISE_I_INLINE void look_at(const walk *row, vise_i_side side, const float thresholds[LANES], look *out,
                           size_t n_lanes) {
  int32_t largest[LANES] = {0}, n_above[LANES] = {0};
  float threshold[LANES], above[LANES] = {0};
  memcpy(threshold, thresholds, sizeof threshold);

  for (size_t i = 0; i < row->n; i++) {
    const float *w = row->w + i * row->stride;
    for (size_t l = 0; l < n_lanes; l++) {
      const int32_t bits = (int32_t)vise_i_side_bits(bits_of(w[l]), side);
      const float rest = vise_i_side_magnitude(w[l], side) - threshold[l];
      largest[l] = bits > largest[l] ? bits : largest[l];
      above[l] += rest > 0 ? rest : 0;
      n_above[l] += rest > 0;
    }
  }

  for (size_t l = 0; l < LANES; l++) {
    out->largest[l] = (uint32_t)largest[l];
    out->above[l] = above[l];
    out->n_above[l] = n_above[l];
  }
}

/* What is found above a threshold T in steps of at most MOST_STEPS. */
typedef struct accumulators {
  uint32_t sum[LANES], least[LANES]; /* of V - T where that is at least 0; least: UINT32_MAX where it never is */
  int32_t n_below[LANES];
} accumulators;

/* Up to MOST_STEPS steps. */
VISE_I_INLINE void count_steps(const walk *part, const lanes *a, vise_i_side side, accumulators *acc, size_t n_lanes) {
  float scale[LANES];
  int32_t below[LANES], n_below[LANES] = {0};
  uint32_t sum[LANES] = {0}, least[LANES];
  memcpy(scale, a->scale, sizeof scale);
  memcpy(least, acc->least, sizeof least);
  for (size_t l = 0; l < LANES; l++) below[l] = a->t[l] - 1;

  for (size_t i = 0; i < part->n; i++) {
    const float *w = part->w + i * part->stride;
    for (size_t l = 0; l < n_lanes; l++) {
      const int32_t d = vise_i_fixed_below(vise_i_side_magnitude(w[l], side), scale[l]) - below[l]; /* V - T */
      const uint32_t u = (uint32_t)d; /* below 0: more than any above */
      sum[l] += (uint32_t)(d > 0 ? d : 0);
      n_below[l] += (int32_t)(u >> 31);
      least[l] = u < least[l] ? u : least[l];
    }
  }

  memcpy(acc->sum, sum, sizeof sum);
  memcpy(acc->least, least, sizeof least);
  for (size_t l = 0; l < n_lanes; l++) acc->n_below[l] += n_below[l];
}

VISE_I_INLINE void count_all(const walk *row, lanes *a, vise_i_side side, size_t n_lanes) {
  accumulators acc = {{0}, {0}, {0}};
  int64_t sum[LANES] = {0};
  for (size_t l = 0; l < LANES; l++) acc.least[l] = UINT32_MAX;

  for (size_t i = 0; i < row->n; i += MOST_STEPS) {
    const size_t left = row->n - i, n = left < MOST_STEPS ? left : MOST_STEPS;
    const walk part = {row->w + i * row->stride, n, row->stride, n_lanes};
    count_steps(&part, a, side, &acc, n_lanes);
    for (size_t l = 0; l < n_lanes; l++) sum[l] += acc.sum[l];
  }
  for (size_t l = 0; l < n_lanes; l++) {
    const int32_t n_from = (int32_t)row->n - acc.n_below[l];
    const int32_t least_from = n_from > 0 ? a->t[l] + (int32_t)acc.least[l] : INT32_MAX;
    a->found[l] = (vise_i_fixed_found){sum[l], n_from, least_from};
  }
}

/* Whether a weight of at most this magnitude (its bits), or what it is shrunk to, can be at a bound. */
static bool may_touch(const vise_i_cpu_edges *box, uint32_t largest) {
  return !(box->lo < 0 && box->hi > 0 && largest < bits_of(-box->lo) && largest < bits_of(box->hi));
}

VISE_I_INLINE void shrink_all(const walk *row, const vise_i_row_thresholds t[LANES], vise_i_cpu_edges *box,
                              size_t n_lanes, bool counts) {
  float positive[LANES], negative[LANES];
  int32_t lo_more[LANES] = {0}, hi_more[LANES] = {0};
  const float lo = box->lo, hi = box->hi;
  for (size_t l = 0; l < LANES; l++) positive[l] = t[l].positive;
  for (size_t l = 0; l < LANES; l++) negative[l] = t[l].negative;

  for (size_t i = 0; i < row->n; i++) {
    float *w = row->w + i * row->stride;
    for (size_t l = 0; l < n_lanes; l++) {
      const float before = w[l], after = vise_i_shrink(before, (vise_i_row_thresholds){positive[l], negative[l]});
      if (counts) vise_i_cpu_count_edges(before, after, lo, hi, &lo_more[l], &hi_more[l]);
      w[l] = after;
    }
  }

  if (counts) vise_i_cpu_add_edges(box, lo_more, hi_more, n_lanes);
}

/* One of each for each side, and for less than all lanes. */
#define DEFINE(name, side)                                                                           \
  VISE_I_CLONES static void look_##name(const walk *row, const float thresholds[LANES], look *out) { \
    if (row->n_lanes == LANES) look_at(row, side, thresholds, out, LANES);                           \
    if (row->n_lanes != LANES) look_at(row, side, thresholds, out, row->n_lanes);                    \
  }                                                                                                  \
  VISE_I_CLONES static void count_##name(const walk *row, lanes *a) {                                \
    if (row->n_lanes == LANES) count_all(row, a, side, LANES);                                       \
    if (row->n_lanes != LANES) count_all(row, a, side, row->n_lanes);                                \
  }
DEFINE(both, VISE_I_BOTH_SIDES)
DEFINE(positive, VISE_I_POSITIVE)
DEFINE(negative, VISE_I_NEGATIVE)

VISE_I_CLONES static void shrink(const walk *row, const vise_i_row_thresholds t[LANES], vise_i_cpu_edges *box) {
  if (row->n_lanes != LANES) {
    shrink_all(row, t, box, row->n_lanes, true);
  } else if (box->counts) {
    shrink_all(row, t, box, LANES, true);
  } else {
    shrink_all(row, t, box, LANES, false);
  }
}

/* A look at rows whose thresholds were 0: their largest magnitudes on either side, and roughly the sums of those on each
   side, or of both in `positive`. */
typedef struct first_look {
  uint32_t largest[LANES]; /* bits */
  float positive[LANES], negative[LANES];
} first_look;

VISE_I_INLINE void look_inside_all(const walk *row, bool sided, first_look *out, size_t n_lanes) {
  int32_t largest[LANES] = {0};
  float positive[LANES] = {0}, negative[LANES] = {0};

  for (size_t i = 0; i < row->n; i++) {
    const float *w = row->w + i * row->stride;
    for (size_t l = 0; l < n_lanes; l++) {
      const int32_t bits = (int32_t)(bits_of(w[l]) & INT32_MAX);
      largest[l] = bits > largest[l] ? bits : largest[l];
      positive[l] += vise_i_side_magnitude(w[l], sided ? VISE_I_POSITIVE : VISE_I_BOTH_SIDES);
      if (sided) negative[l] += vise_i_side_magnitude(w[l], VISE_I_NEGATIVE);
    }
  }

  for (size_t l = 0; l < LANES; l++) {
    out->largest[l] = (uint32_t)largest[l];
    out->positive[l] = positive[l];
    out->negative[l] = negative[l];
  }
}

#define DEFINE_INSIDE(name, sided)                                                 \
  VISE_I_CLONES static void look_inside_##name(const walk *row, first_look *out) { \
    if (row->n_lanes == LANES) look_inside_all(row, sided, out, LANES);            \
    if (row->n_lanes != LANES) look_inside_all(row, sided, out, row->n_lanes);     \
  }
DEFINE_INSIDE(both, false)
DEFINE_INSIDE(each, true)

/* ---- a search ---- */

/* Rows side by side, one in each lane of `body`; or one row, with what its lanes leave over in `tail`. */
typedef struct rows {
  walk body, tail;
  size_t n;
} rows;

typedef struct search {
  vise_i_side side;
  void (*look)(const walk *, const float[LANES], look *);
  void (*count)(const walk *, lanes *);
} search;

static const search searches[] = {{VISE_I_BOTH_SIDES, look_both, count_both},
                                  {VISE_I_POSITIVE, look_positive, count_positive},
                                  {VISE_I_NEGATIVE, look_negative, count_negative}};

/* Looks at each row; false if one is not finite. */
static bool look_at_rows(const rows *r, const search *how, const float thresholds[LANES], look *out) {
  float of_lanes[LANES] = {0};
  look tail = {{0}, {0}, {0}};
  for (size_t l = 0; l < LANES; l++) of_lanes[l] = thresholds[r->n == 1 ? 0 : l];
  how->look(&r->body, of_lanes, out);
  if (r->tail.n > 0) how->look(&r->tail, of_lanes, &tail);

  for (size_t l = 0; r->n == 1 && l < LANES; l++) {
    if (out->largest[l] > out->largest[0]) out->largest[0] = out->largest[l];
    if (tail.largest[l] > out->largest[0]) out->largest[0] = tail.largest[l];
    out->above[0] += (l > 0 ? out->above[l] : 0) + tail.above[l];
    out->n_above[0] += (l > 0 ? out->n_above[l] : 0) + tail.n_above[l];
  }
  for (size_t l = 0; l < r->n; l++) {
    if (out->largest[l] >= VISE_I_BITS_OF_INFINITY) return false;
  }
  return true;
}

static void add_found(vise_i_fixed_found *to, const vise_i_fixed_found *from) {
  to->sum += from->sum;
  to->n_from += from->n_from;
  if (from->least_from < to->least_from) to->least_from = from->least_from;
}

/* A pass over all rows, at a->t of each. */
static void count_rows(const rows *r, const search *how, lanes *a) {
  if (r->n > 1 || r->body.n_lanes == 1) {
    how->count(&r->body, a);
    return;
  }

  lanes of_tail;
  for (size_t l = 1; l < LANES; l++) {
    a->scale[l] = a->scale[0];
    a->t[l] = a->t[0];
  }
  of_tail = *a;
  how->count(&r->body, a);
  for (size_t l = 1; l < r->body.n_lanes; l++) add_found(&a->found[0], &a->found[l]);
  if (r->tail.n == 0) return;

  how->count(&r->tail, &of_tail);
  for (size_t l = 0; l < r->tail.n_lanes; l++) add_found(&a->found[0], &of_tail.found[l]);
}

/* Where the search begins: a step from the last threshold along the tangent there, which never leads too far, and a little
   less for the rounding of its sum. */
static int32_t begin(const look *seen, size_t l, float threshold, double radius, float scale) {
  double t = (double)threshold;
  const double above = (double)seen->above[l];
  if (seen->n_above[l] > 0) t += (above - radius - 0x1p-18 * (above + radius)) / seen->n_above[l];
  t *= (double)scale;
  return t < 0 ? 0 : (t < INT32_MAX ? (int32_t)t : INT32_MAX);
}

/* Sums of so many terms in float32 may be wrong by 1/256; what is below this share of the radius is inside all the same. */
enum { MOST_TERMS = 65536 };
static const double MUCH_INSIDE = 0.98;

/* Whether a row lies so far inside its ball that rounding the sum, and its entries in fixed point, cannot matter. A row
   of tiny numbers, for which the fixed point is too coarse, never does. */
static bool is_inside(const look *seen, size_t l, size_t n, float threshold, double radius) {
  enum { LEAST_EXPONENT = 27 };
  const bool is_tiny = seen->largest[l] >> 23 < LEAST_EXPONENT;
  return threshold == 0 && n <= MOST_TERMS && !is_tiny && (double)seen->above[l] < MUCH_INSIDE * radius;
}

/* One row in its lanes. */
static rows row_of(float *w, size_t n) {
  const size_t body = n / LANES;
  return (rows){.body = {w, body, LANES, LANES}, .tail = {w + body * LANES, n % LANES > 0, LANES, n % LANES}, .n = 1};
}

/* Where a search goes on with few of the rows that lie side by side, each is copied and counted by itself. */
enum { FEW = 4, MOST_COPIED = 2048 };

static void find_alone(const rows *r, const search *how, size_t lane, const vise_i_fixed *fixed, int32_t *t) {
  float w[MOST_COPIED];
  const size_t n = r->body.n;
  for (size_t i = 0; i < n; i++) w[i] = r->body.w[i * r->body.stride + lane];

  const rows alone = row_of(w, n);
  lanes a = {{fixed->scale}, {*t}, {{0}}};
  do {
    count_rows(&alone, how, &a);
  } while (!vise_i_fixed_next(&a.found[0], fixed->radius, &a.t[0]));
  *t = a.t[0];
}

/* The thresholds of rows, from those of the last step on; *largest: at least the bits of their largest magnitude. False,
   with no threshold changed, if one is not finite. */
static bool find(const rows *r, const search *how, double radius, float thresholds[LANES], uint32_t *largest) {
  const size_t n = r->n > 1 ? r->body.n : r->body.n * r->body.n_lanes + r->tail.n_lanes;
  vise_i_fixed fixed[LANES];
  bool is_found[LANES] = {false};
  size_t n_left = 0;
  lanes a = {{0}, {0}, {{0}}};
  look seen;
  if (!look_at_rows(r, how, thresholds, &seen)) return false;

  for (size_t l = 0; l < r->n; l++) {
    is_found[l] = is_inside(&seen, l, n, thresholds[l], radius);
    n_left += !is_found[l];
    fixed[l] = vise_i_fixed_of(seen.largest[l], radius);
    if (seen.largest[l] > *largest) *largest = seen.largest[l];
    a.scale[l] = fixed[l].scale;
    a.t[l] = is_found[l] ? 0 : begin(&seen, l, thresholds[l], radius, fixed[l].scale);
  }

  while (n_left > 0) {
    n_left = 0;
    count_rows(r, how, &a);
    for (size_t l = 0; l < r->n; l++) {
      if (!is_found[l]) is_found[l] = vise_i_fixed_next(&a.found[l], fixed[l].radius, &a.t[l]);
      n_left += !is_found[l];
    }
    if (n_left == 0 || n_left > FEW || r->n == 1 || n > MOST_COPIED) continue;

    for (size_t l = 0; l < r->n; l++) {
      if (!is_found[l]) find_alone(r, how, l, &fixed[l], &a.t[l]);
    }
    break;
  }

  for (size_t l = 0; l < r->n; l++) thresholds[l] = vise_i_fixed_threshold(fixed[l].scale, a.t[l]);
  return true;
}

/* Whether no row had a threshold (those of negative sides: others, NULL: there are none) and all lie so far inside their
   balls that they have none now. For radii so small that is_inside looks closer, nobody knows. */
static bool stay_inside(const rows *r, double radius, const float *last, const float *others) {
  const size_t n = r->n > 1 ? r->body.n : r->body.n * r->body.n_lanes + r->tail.n_lanes;
  first_look body, tail = {{0}, {0}, {0}};
  float positive = 0, negative = 0;
  if (radius < 0x1p-80 || n > MOST_TERMS) return false;
  for (size_t l = 0; l < r->n; l++) {
    if (last[l] != 0 || (others && others[l] != 0)) return false;
  }

  void (*const look_inside)(const walk *, first_look *) = others ? look_inside_each : look_inside_both;
  look_inside(&r->body, &body);
  if (r->tail.n > 0) look_inside(&r->tail, &tail);
  for (size_t l = 0; l < LANES; l++) {
    if (body.largest[l] >= VISE_I_BITS_OF_INFINITY || tail.largest[l] >= VISE_I_BITS_OF_INFINITY) return false;
    positive = (r->n == 1 ? positive : 0) + body.positive[l] + tail.positive[l];
    negative = (r->n == 1 ? negative : 0) + body.negative[l] + tail.negative[l];
    if (!((double)positive < MUCH_INSIDE * radius && (double)negative < MUCH_INSIDE * radius)) return false;
  }
  return true;
}

/* ---- projection ---- */

/* Shrinks rows by thresholds that are not all 0. */
static void apply(const rows *r, const float *positive, const float *negative, vise_i_cpu_edges *box) {
  vise_i_row_thresholds t[LANES] = {{0, 0}};
  float most = 0;

  for (size_t l = 0; l < LANES; l++) {
    const size_t row = r->n == 1 ? 0 : l;
    if (row >= r->n) break;
    t[l] = (vise_i_row_thresholds){positive[row], negative[row]};
    most = positive[row] > most ? positive[row] : most;
    most = negative[row] > most ? negative[row] : most;
  }

  if (most == 0) return;
  shrink(&r->body, t, box);
  if (r->tail.n > 0) shrink(&r->tail, t, box);
}

/* last: thresholds of the rows at their last projection; those of the negative sides n_units later. */
static void project_rows(const rows *r, const vise_i_cpu_tensor *t, float *last, vise_i_cpu_edges *box) {
  float positive[LANES] = {0}, negative[LANES] = {0};
  float *others = last + t->shape->n_rows;
  if (stay_inside(r, t->radius, last, t->sided ? others : NULL)) return;

  memcpy(positive, last, r->n * sizeof *last);
  memcpy(negative, t->sided ? others : last, r->n * sizeof *last);

  uint32_t largest = 0;
  const bool found = t->sided ? find(r, &searches[VISE_I_POSITIVE], t->radius, positive, &largest) &&
                                    find(r, &searches[VISE_I_NEGATIVE], t->radius, negative, &largest)
                              : find(r, &searches[VISE_I_BOTH_SIDES], t->radius, positive, &largest);
  if (found) {
    box->counts = may_touch(box, largest);
    if (!t->sided) memcpy(negative, positive, sizeof positive);
    apply(r, positive, negative, box);
    memcpy(last, positive, r->n * sizeof *last);
    if (t->sided) memcpy(others, negative, r->n * sizeof *last);
    return;
  }

  for (size_t l = 0; r->n > 1 && l < r->n; l++) { /* one by one */
    const rows one = {.body = {r->body.w + l, r->body.n, r->body.stride, 1}, .n = 1};
    project_rows(&one, t, last + l, box);
  }
}

/* Rows first and, in panels, those beside it; returns how many. */
static size_t rows_at(const vise_i_cpu *b, const vise_i_cpu_tensor *t, size_t first, size_t end, rows *out) {
  const size_t n = t->shape->n_cols;
  if (!vise_i_cpu_in_panels(b, t)) {
    *out = row_of(t->w + first * n, n);
    return 1;
  }

  const vise_i_cpu_piece piece = vise_i_cpu_piece_at(b, first, end);
  const size_t width = piece.end - piece.first;
  *out = (rows){.body = {t->w + piece.at, n, piece.width, width < LANES ? width : LANES}};
  out->n = out->body.n_lanes;
  return out->n;
}

void vise_i_cpu_row_l1(const vise_i_cpu *b, const vise_i_cpu_tensor *t, size_t first, size_t end,
                       vise_i_cpu_edges *box) {
  rows at;
  while (first < end) {
    const size_t n = rows_at(b, t, first, end, &at);
    project_rows(&at, t, t->last_thresholds + first, box);
    first += n;
  }
}

#include <math.h>
#include <stdint.h>

#include "host/cli/tensorboard_summary.h"

/* tensorboard.HistogramProto */
enum { MIN = 1, MAX = 2, NUM = 3, SUM = 4, SUM_OF_SQUARES = 5, LIMITS = 6, COUNTS = 7 };

/* Buckets of equal width, and one at each end for what is equal to it. */
enum { N_EQUAL = 50, N_BUCKETS = N_EQUAL + 2, N_LANES = 8 };

typedef struct histogram {
  size_t n;
  double min, max, sum, squares;
  size_t n_buckets;
  double limits[N_BUCKETS]; /* the upper ones: a bucket holds what is above the limit before, up to its own */
  uint64_t counts[N_BUCKETS];
} histogram;

/* The range and sums, in lanes, which need not wait for each other. */
typedef struct look {
  double least[N_LANES], most[N_LANES], sums[N_LANES], squares[N_LANES];
} look;

/* look_at: n of them, at most N_LANES; sort: which bucket each is in. The limits are there, the first and the last one at
   the ends. */
#define FOR_TYPE(type, next)                                                                        \
  static inline void look_at_##type(look *seen, const type *x, size_t n) {                          \
    for (size_t k = 0; k < n; k++) {                                                                \
      const double value = (double)x[k];                                                            \
      seen->least[k] = value < seen->least[k] ? value : seen->least[k];                             \
      seen->most[k] = value > seen->most[k] ? value : seen->most[k];                                \
      seen->sums[k] += value;                                                                       \
      seen->squares[k] += value * value;                                                            \
    }                                                                                               \
  }                                                                                                 \
                                                                                                    \
  static void look_at_all_##type(look *seen, const type *x, size_t n) {                             \
    size_t i = 0;                                                                                   \
    for (; i + N_LANES <= n; i += N_LANES) look_at_##type(seen, x + i, N_LANES);                    \
    look_at_##type(seen, x + i, n - i);                                                             \
  }                                                                                                 \
                                                                                                    \
  static void sort_##type(const type *x, size_t n, histogram *h) {                                  \
    const double left = h->limits[0], scale = N_EQUAL / (h->limits[N_BUCKETS - 1] - left);          \
    for (size_t i = 0; i < n; i++) {                                                                \
      const double value = (double)x[i], place = (value - left) * scale;                            \
      int k = place < N_EQUAL ? (int)place + 1 : N_EQUAL;                                           \
      while (k > 0 && value <= h->limits[k - 1]) k--; /* as the limits are, whatever was rounded */ \
      while (k + 1 < N_BUCKETS && value > h->limits[k]) k++;                                        \
      h->counts[k]++;                                                                               \
    }                                                                                               \
  }                                                                                                 \
                                                                                                    \
  static double before_##type(double end) {                                                         \
    return (double)next((type)end, -(type)INFINITY);                                                \
  }

FOR_TYPE(float, nextafterf)
FOR_TYPE(double, nextafter)

/* From left to right; a single bucket where there is no room for more. */
static void set_limits(histogram *h, double left, double right, double before_right) {
  if (!(right > left) || !isfinite(right - left) || !isfinite(N_EQUAL / (right - left))) {
    h->n_buckets = 1;
    h->limits[0] = right;
    h->counts[0] = h->n;
    return;
  }

  h->n_buckets = N_BUCKETS;
  for (size_t k = 0; k < N_EQUAL; k++) h->limits[k] = left + (right - left) * (double)k / N_EQUAL;
  h->limits[N_EQUAL] = fmax(before_right, h->limits[N_EQUAL - 1]);
  h->limits[N_EQUAL + 1] = right;
}

static histogram make(const vise_array *weights, double lo, double hi) {
  const bool is_single = weights->dtype == VISE_F32;
  histogram h = {.n = weights->n_rows * weights->n_cols, .min = INFINITY, .max = -INFINITY};
  look seen = {.sums = {0}};
  for (size_t k = 0; k < N_LANES; k++) seen.most[k] = -(seen.least[k] = (double)INFINITY);

  if (is_single) {
    look_at_all_float(&seen, weights->data, h.n);
  } else {
    look_at_all_double(&seen, weights->data, h.n);
  }
  for (size_t k = 0; k < N_LANES; k++) {
    h.min = fmin(h.min, seen.least[k]);
    h.max = fmax(h.max, seen.most[k]);
    h.sum += seen.sums[k];
    h.squares += seen.squares[k];
  }

  /* A bound is what the weights have for it. */
  const double left = isfinite(lo) ? fmin(is_single ? (double)(float)lo : lo, h.min) : h.min,
               right = isfinite(hi) ? fmax(is_single ? (double)(float)hi : hi, h.max) : h.max;
  set_limits(&h, left, right, is_single ? before_float(right) : before_double(right));
  if (h.n_buckets == 1) return h;

  if (is_single) {
    sort_float(weights->data, h.n, &h);
  } else {
    sort_double(weights->data, h.n, &h);
  }
  return h;
}

void vise_i_cli_put_histogram(vise_i_proto *value, const vise_array *weights, double lo, double hi) {
  const histogram h = make(weights, lo, hi);
  vise_i_proto_double(value, MIN, h.min);
  vise_i_proto_double(value, MAX, h.max);
  vise_i_proto_double(value, NUM, (double)h.n);
  vise_i_proto_double(value, SUM, h.sum);
  vise_i_proto_double(value, SUM_OF_SQUARES, h.squares);

  const size_t limits = vise_i_proto_begin(value, LIMITS);
  for (size_t k = 0; k < h.n_buckets; k++) vise_i_proto_item(value, h.limits[k]);
  vise_i_proto_end(value, limits);
  const size_t counts = vise_i_proto_begin(value, COUNTS);
  for (size_t k = 0; k < h.n_buckets; k++) vise_i_proto_item(value, (double)h.counts[k]);
  vise_i_proto_end(value, counts);
}

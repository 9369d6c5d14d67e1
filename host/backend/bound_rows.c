/* The projection of rows onto L1 balls in float64, as it is written on paper. */
#include <math.h>

#include "host/backend/projection.h"

static double on_side(double w, vise_i_side side) {
  if (side == VISE_I_BOTH_SIDES) return fabs(w);
  return fmax(side == VISE_I_NEGATIVE ? -w : w, 0);
}

/* The sum of those above t, and how many they are; with a second sum of what rounding lost. */
static double sum_above(const double *w, size_t n, vise_i_side side, double t, size_t *n_above) {
  double sum = 0, lost = 0;
  *n_above = 0;
  for (size_t i = 0; i < n; i++) {
    const double a = on_side(w[i], side);
    if (!(a > t)) continue;
    const double next = sum + a;
    lost += sum >= a ? sum - next + a : a - next + sum;
    sum = next;
    ++*n_above;
  }
  return sum + lost;
}

/* The threshold t solves sum max(a - t, 0) = radius: of the k entries above it, t = (their sum - radius) / k. From 0 it
   rises until these are the entries that it was made of; where an entry equals it but for rounding, until it rises no
   more, for it might then go to and fro for ever. */
void vise_i_bound_row(double *w, size_t n, vise_i_side side, double radius) {
  double t = 0;
  size_t k = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(w[i])) return;
  }

  double sum = sum_above(w, n, side, 0, &k);
  if (sum <= radius) return;
  while (k > 0) {
    const double next = (sum - radius) / (double)k;
    if (!(next > t)) break;
    t = next;
    sum = sum_above(w, n, side, t, &k);
  }

  for (size_t i = 0; i < n; i++) {
    const double a = on_side(w[i], side);
    if (a > 0) w[i] = a > t ? copysign(a - t, w[i]) : 0;
  }
}

void vise_i_bound_rows(const vise_i_row_ball *ball, double factor, const vise_i_tensor *tensor, double *w) {
  const double radius = vise_i_row_radius(ball, factor);
  for (size_t r = 0; ball->radius > 0 && r < tensor->n_rows; r++) {
    double *row = w + r * tensor->n_cols;
    if (!ball->sided) vise_i_bound_row(row, tensor->n_cols, VISE_I_BOTH_SIDES, radius);
    if (ball->sided) vise_i_bound_row(row, tensor->n_cols, VISE_I_POSITIVE, radius);
    if (ball->sided) vise_i_bound_row(row, tensor->n_cols, VISE_I_NEGATIVE, radius);
  }
}

/* The sums over a gradient, whose squares float32 may have no room for, against sums in float64. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "host/backend/cpu/cpu.h"
#include "tests/support/backend_rig.h"

enum { N = 2 * VISE_I_CPU_LEAF + 77 };

typedef struct sums_case {
  const char *name;
  double scale;      /* of the gradient */
  size_t zero_until; /* entries that are zero */
} sums_case;

static const sums_case cases[] = {
    {"usual", 1e-3, 0},
    {"overflow", 3e30, 0},
    {"close to overflow", 1e17, 0},
    {"vanishing", 1e-30, 0},
    {"denormal", 1e-41, 0},
    {"all zero", 1, N},
    {"a leaf of zeros", 1e-3, VISE_I_CPU_LEAF},
};

static void check(const sums_case *c, const vise_i_cpu_shaping *s, double scale_of_weights) {
  static float g[N], w[N];
  uint64_t state = 3;
  double sum_sq = 0, w_sum_sq = 0, largest = 0;
  uint64_t n_clipped = 0;

  for (size_t i = 0; i < N; i++) {
    g[i] = i < c->zero_until ? 0 : (float)(c->scale * (rig_random(&state) - 0.5));
    w[i] = (float)(scale_of_weights * (rig_random(&state) - 0.5));
    const double penalty = s->penalized ? (double)(w[i] * s->c2) : 0;
    double t = (double)(float)((double)g[i] + penalty);
    if (s->clips && (t < (double)s->lo || t > (double)s->hi)) {
      t = t < 0 ? (double)s->lo : (double)s->hi;
      n_clipped++;
    }
    sum_sq += t * t;
    largest = fabs(t) > largest ? fabs(t) : largest;
    w_sum_sq += (double)w[i] * (double)w[i];
  }

  vise_i_cpu_sums sums = {0};
  vise_i_cpu_sum_unit(g, w, N, s, &sums);
  cr_expect(fabs(sums.sum_sq - sum_sq) <= 1e-6 * sum_sq, "%s: %g in place of %g", c->name, sums.sum_sq, sum_sq);
  cr_expect(!sums.nonfinite, "%s", c->name);
  cr_expect_eq(sums.n_clipped, n_clipped, "%s", c->name);
  if (s->penalized) cr_expect(fabs(sums.w_sum_sq - w_sum_sq) <= 1e-6 * w_sum_sq, "%s", c->name);
  if (s->wants_max) cr_expect(sums.max_abs == (float)largest, "%s", c->name);
}

Test(cpu_sums, squares_neither_overflow_nor_vanish) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const sums_case *c = &cases[i];
    const float bound = (float)(c->scale / 4);
    const vise_i_cpu_shaping open = {.lo = -INFINITY, .hi = INFINITY};
    vise_i_cpu_shaping l2 = open, clipped = {.lo = -bound, .hi = bound, .clips = true}, largest = open;
    l2.penalized = true;
    l2.c2 = 0.1f;
    largest.wants_max = true;

    check(c, &open, 1);
    check(c, &l2, 1);
    check(c, &l2, c->scale);
    check(c, &clipped, 1);
    check(c, &largest, 1);
  }
}

Test(cpu_sums, what_is_not_finite_is_seen) {
  static float g[N], w[N];
  static const float values[] = {INFINITY, -INFINITY, NAN};
  const vise_i_cpu_shaping open = {.lo = -INFINITY, .hi = INFINITY};

  for (size_t i = 0; i < 3 * 2; i++) {
    const size_t at = i % 2 ? N - 1 : VISE_I_CPU_LEAF + 5;
    vise_i_cpu_sums sums = {0};
    g[at] = values[i / 2];
    vise_i_cpu_sum_unit(g, w, N, &open, &sums);
    cr_expect(sums.nonfinite && !isfinite(sums.sum_sq));
    g[at] = 0;
  }
}

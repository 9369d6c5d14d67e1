/* Clips and norms of cpu64. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/support/given_gradient.h"

#define OPS (&vise_i_backend_cpu64)

typedef struct clip_rig {
  given given;
  double start[GIVEN_PARAMS];
  vise_tensor_stats tensor_stats[2];
} clip_rig;

static void make(clip_rig *r) {
  memset(r, 0, sizeof *r);
  given_make(&r->given, 1); /* SGD from 0 at eta 1: the new weights are minus the gradient */
}

/* One step from the start; *g receives the gradient as it was applied. */
static void apply(clip_rig *r, const double *w_grad, double *g) {
  given_start(&r->given, r->start);
  given_step(&r->given, w_grad);

  memcpy(r->tensor_stats, r->given.b->tensor_stats, sizeof r->tensor_stats);
  for (size_t i = 0; i < GIVEN_PARAMS; i++) g[i] = (r->start[i] - r->given.params[i]) / r->given.hyper.lr;
  OPS->destroy(r->given.b);
}

Test(oracle_clip, value_clip_is_asymmetric_and_counts) {
  clip_rig r;
  const double w[] = {-3, -1, 0.5, 2, 7, -0.5};
  const double ref[] = {-1, -1, 0.5, 2, 2, -0.5, -1, 2}; /* biases: -3.5, 8.5 */
  double g[GIVEN_PARAMS];

  make(&r);
  r.given.spec.rule.clip_value = true;
  r.given.spec.rule.clip_lo = -1;
  r.given.spec.rule.clip_hi = 2;

  apply(&r, w, g);
  given_expect(g, ref, "value clip");
  cr_expect(r.given.stats.n_clipped_values == 4 && r.tensor_stats[0].n_clipped_values == 2 &&
            r.tensor_stats[1].n_clipped_values == 2);
  cr_expect(!r.given.stats.norm_clipped && rig_near(r.given.stats.grad_norm, sqrt(15.5), 0, 1e-15) &&
            r.given.stats.grad_norm_clipped == r.given.stats.grad_norm);

  r.given.hyper.clip_factor = 0.5; /* a schedule halves the bounds */
  const double half[] = {-0.5, -0.5, 0.5, 1, 1, -0.5, -0.5, 1};
  apply(&r, w, g);
  given_expect(g, half, "value clip at factor 0.5");
}

Test(oracle_clip, bounds_that_exclude_zero_are_honoured) {
  clip_rig r;
  const double w[] = {0, 1, 2, 3, 4, 5}, ref[] = {2, 2, 2, 3, 3, 3, 3, 3};
  double g[GIVEN_PARAMS];
  make(&r);
  r.given.spec.rule.clip_value = true;
  r.given.spec.rule.clip_lo = 2;
  r.given.spec.rule.clip_hi = 3;
  apply(&r, w, g);
  given_expect(g, ref, "lo > 0");
  cr_expect(r.given.stats.n_clipped_values == 5); /* 2, 3 and the first bias, 3, are left as they are */
}

Test(oracle_clip, nan_stays_nan_in_the_value_clip_and_is_not_counted) {
  clip_rig r;
  const double w[] = {NAN, -9, 0, 0, 9, -9}; /* times the identity: NaN spreads along its row, as 0 * NaN */
  double g[GIVEN_PARAMS];

  make(&r);
  r.given.spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
  r.given.spec.rule.clip_value = true;
  r.given.spec.rule.clip_lo = -1;
  r.given.spec.rule.clip_hi = 1;
  r.given.spec.rule.max_update = 0.5; /* nor does the cap turn it into a number */
  r.given.spec.boxes[0].lo = -0.25;
  r.given.spec.boxes[0].hi = 0.25; /* nor the box */

  apply(&r, w, g);
  for (size_t i = 0; i < 3; i++) cr_expect(isnan(g[i]), "[%zu] = %g", i, g[i]);
  cr_expect(isnan(g[6]) && g[3] == 0 && g[4] == 0.25 && g[5] == -0.25 && g[7] == 0);
  cr_expect(r.given.stats.n_nonfinite == 4 && r.given.stats.n_clipped_values == 2 && r.given.stats.bad_tensor == 0);
  cr_expect(isnan(r.given.stats.grad_norm) && isnan(r.given.stats.grad_norm_clipped));
}

/* Gradient of W: rows (3, 4, 0) and (0, 0, 12); of b: 7, 12. */
static const double rows[] = {3, 4, 0, 0, 0, 12};

Test(oracle_clip, norm_clip_of_every_kind) {
  const struct {
    vise_clip_norm_type type;
    vise_norm_p p;
    double max, scales[3]; /* row 0, row 1, bias */
  } cases[] = {
      {VISE_CLIP_GLOBAL, VISE_NORM_2, 1, {1 / sqrt(362), 1 / sqrt(362), 1 / sqrt(362)}},
      {VISE_CLIP_GLOBAL, VISE_NORM_INF, 6, {0.5, 0.5, 0.5}},
      {VISE_CLIP_TENSOR, VISE_NORM_2, 6.5, {0.5, 0.5, 6.5 / sqrt(193)}},
      {VISE_CLIP_TENSOR, VISE_NORM_INF, 3, {0.25, 0.25, 0.25}},
      {VISE_CLIP_UNIT, VISE_NORM_2, 6, {1, 0.5, 6 / sqrt(193)}},
      {VISE_CLIP_UNIT, VISE_NORM_INF, 3, {0.75, 0.25, 0.25}},
      {VISE_CLIP_GLOBAL, VISE_NORM_2, 100, {1, 1, 1}},
      {VISE_CLIP_UNIT, VISE_NORM_INF, 12, {1, 1, 1}},
  };

  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const double *s = cases[c].scales;
    const double ref[] = {3 * s[0], 4 * s[0], 0, 0, 0, 12 * s[1], 7 * s[2], 12 * s[2]};
    double g[GIVEN_PARAMS], sum = 0;
    clip_rig r;

    make(&r);
    r.given.spec.rule.clip_norm = cases[c].max;
    r.given.spec.rule.clip_norm_type = cases[c].type;
    r.given.spec.rule.clip_norm_p = cases[c].p;

    apply(&r, rows, g);
    given_expect(g, ref, vise_clip_norm_type_name(cases[c].type));

    for (size_t i = 0; i < GIVEN_PARAMS; i++) sum += ref[i] * ref[i];
    cr_expect(rig_near(r.given.stats.grad_norm, sqrt(362), 0, 1e-15), "case %zu: norm %.17g", c,
              r.given.stats.grad_norm);
    cr_expect(rig_near(r.given.stats.grad_norm_clipped, sqrt(sum), 0, 1e-14), "case %zu", c);
    cr_expect(r.given.stats.norm_clipped == (s[0] != 1 || s[1] != 1 || s[2] != 1), "case %zu", c);
    cr_expect(r.given.stats.n_clipped_values == 0);
  }
}

Test(oracle_clip, norm_equal_to_the_bound_is_left_alone_but_not_by_torch) {
  clip_rig r;
  const double w[] = {3, 4, -7, 0, 0, 0}; /* biases 0: norm sqrt(74) */
  double g[GIVEN_PARAMS];

  make(&r);
  r.given.spec.rule.clip_norm = 7;
  r.given.spec.rule.clip_norm_p = VISE_NORM_INF;
  apply(&r, w, g);
  cr_expect(g[0] == 3 && g[2] == -7 && !r.given.stats.norm_clipped);

  r.given.spec.rule.clip_norm_torch_eps = true;
  apply(&r, w, g);
  cr_expect(g[2] == -7 * (7 / (7 + 1e-6)) && r.given.stats.norm_clipped);

  r.given.spec.rule.clip_norm = 7.1;
  apply(&r, w, g);
  cr_expect(g[2] == -7 && !r.given.stats.norm_clipped);
}

Test(oracle_clip, value_clip_comes_before_norm_clip) {
  clip_rig r;
  const double ref[] = {1.5, 2, 0, 0, 0, 2, 2, 2}; /* value clip to 4 in all but 3, then half by the maximum */
  double g[GIVEN_PARAMS];

  make(&r);
  r.given.spec.rule.clip_value = true;
  r.given.spec.rule.clip_lo = -4;
  r.given.spec.rule.clip_hi = 4;
  r.given.spec.rule.clip_norm = 2;
  r.given.spec.rule.clip_norm_p = VISE_NORM_INF;

  apply(&r, rows, g);
  given_expect(g, ref, "both clips");
  cr_expect(r.given.stats.n_clipped_values == 3 && rig_near(r.given.stats.grad_norm, sqrt(9 + 16 * 4), 0, 1e-15));
}

Test(oracle_clip, norm_neither_overflows_nor_underflows) {
  static const double scales[] = {1e200, 1e-200, 1e-310, 0};

  for (size_t k = 0; k < 4; k++) {
    double w[6], g[GIVEN_PARAMS];
    clip_rig r;

    make(&r);
    for (size_t i = 0; i < 6; i++) w[i] = rows[i] * scales[k];
    r.given.spec.rule.clip_norm = k == 0 ? 1 : 1e300;

    apply(&r, w, g);
    cr_expect(
        !r.given.stats.skipped && rig_near(r.given.stats.grad_norm, sqrt(362) * scales[k], 0, k == 2 ? 1e-9 : 1e-14),
        "scale %g: norm %.17g", scales[k], r.given.stats.grad_norm);
    if (k == 0) cr_expect(rig_near(g[5], 12 / sqrt(362), 0, 1e-14) && r.given.stats.norm_clipped);
    if (k == 3)
      cr_expect(r.given.stats.grad_norm == 0 && r.given.stats.grad_norm_clipped == 0 && !r.given.stats.norm_clipped);
  }
}

/* A norm over a NaN scales by NaN; units without one are unaffected. */
Test(oracle_clip, nan_propagates_through_norms) {
  for (int p = 0; p < 2; p++) {
    for (int torch = 0; torch < 2; torch++) {
      const double w[] = {NAN, NAN, NAN, 0, 0, 12};
      double g[GIVEN_PARAMS];
      clip_rig r;

      make(&r);
      r.given.spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
      r.given.spec.rule.clip_norm = 6;
      r.given.spec.rule.clip_norm_p = p ? VISE_NORM_INF : VISE_NORM_2;
      r.given.spec.rule.clip_norm_torch_eps = torch;
      r.given.spec.rule.clip_norm_type = VISE_CLIP_UNIT;

      apply(&r, w, g);
      cr_expect(isnan(g[0]) && rig_near(g[5], 6, 0, 1e-6) && isnan(g[6]) && isnan(g[7]), "unit, p %d: %g", p, g[5]);

      r.given.spec.rule.clip_norm_type = VISE_CLIP_GLOBAL;
      apply(&r, w, g);
      for (size_t i = 0; i < GIVEN_PARAMS; i++) cr_expect(isnan(g[i]), "global: [%zu] = %g", i, g[i]);
    }
  }
}

Test(oracle_clip, clip_factor_scales_the_norm_bound) {
  clip_rig r;
  const double w[] = {3, 4, -7, 0, 0, 0};
  double g[GIVEN_PARAMS];

  make(&r);
  r.given.spec.rule.clip_norm = 7;
  r.given.spec.rule.clip_norm_p = VISE_NORM_INF;
  r.given.hyper.clip_factor = 0.5;

  apply(&r, w, g);
  cr_expect(g[0] == 1.5 && g[1] == 2 && g[2] == -3.5 && r.given.stats.norm_clipped);

  r.given.hyper.clip_factor = 0; /* the end of a schedule: nothing is left */
  apply(&r, w, g);
  cr_expect(g[0] == 0 && g[1] == 0 && g[2] == 0 && r.given.stats.norm_clipped && r.given.stats.grad_norm_clipped == 0);
}

/* k2 w is clipped with scope total, and added after the clips with scope data. */
Test(oracle_clip, scope_decides_whether_the_penalty_is_clipped) {
  clip_rig r;
  const double w[] = {5, 0, 0, 0, 0, 0};
  double g[GIVEN_PARAMS];

  make(&r);
  for (size_t i = 0; i < GIVEN_PARAMS; i++) r.start[i] = 2;
  r.given.spec.rule.k2 = 3;
  r.given.spec.rule.clip_value = true;
  r.given.spec.rule.clip_lo = -4;
  r.given.spec.rule.clip_hi = 4;

  const double total[] = {4, 4, 4, 4, 4, 4, 4, 0}; /* 11, 6, ...; biases 5 and 0, unpenalized */
  apply(&r, w, g);
  given_expect(g, total, "total");
  cr_expect(r.given.stats.n_clipped_values == 7 && r.given.stats.penalty == 0.5 * 3 * 6 * 4);

  const double data[] = {10, 6, 6, 6, 6, 6, 4, 0};
  r.given.spec.rule.clip_scope = VISE_CLIP_SCOPE_DATA;
  apply(&r, w, g);
  given_expect(g, data, "data");
  cr_expect(r.given.stats.n_clipped_values == 2 && rig_near(r.given.stats.grad_norm_clipped, sqrt(32), 0, 1e-15));
}

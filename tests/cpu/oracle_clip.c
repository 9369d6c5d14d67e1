/*
 * Clips and norms of cpu64 on hand-written gradients: one linear layer [2, 3] with bias, the external loss,
 * and the identity as features, so that the gradient of W is the transposed delta and that of b its column sums.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/support/backend_rig.h"

#define OPS (&vise_i_backend_cpu64)
#define N_IN 3
#define N_OUT 2
#define N_PARAMS 8

typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_hyper hyper;
  vise_step_stats stats;
  vise_tensor_stats tensor_stats[2];
  double params[N_PARAMS];
} rig;

static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};

static void rig_make(rig *r) {
  const size_t widths[] = {N_IN, N_OUT};
  memset(r, 0, sizeof *r);
  r->net = rig_net(1, widths, VISE_RELU, true);
  r->spec = rig_spec(&r->net);
  r->spec.rule.loss = VISE_LOSS_EXTERNAL;
  r->hyper = rig_hyper(1); /* SGD from 0 at eta 1: the new weights are minus the gradient */
}

/* One step with the gradient of W, [2, 3]; *g receives the gradient as it was applied (weights start at 0). */
static void apply(rig *r, const double *w_grad, double *g) {
  double delta[N_IN * N_OUT];
  vise_array array = {delta, VISE_F64, N_IN, N_OUT, N_OUT, 1};
  vise_i_data data = rig_data(identity, N_IN, N_IN, NULL, 0, false, NULL);
  vise_i_backend *b = rig_create(OPS, &r->spec, r->params);
  vise_error err = VISE_ERROR_INIT;

  for (size_t k = 0; k < N_OUT; k++) {
    for (size_t i = 0; i < N_IN; i++) delta[i * N_OUT + k] = w_grad[k * N_IN + i];
  }

  cr_assert(OPS->step(b, &data, &array, 0, &r->hyper, &r->stats, &err) == VISE_OK, "%s", err.text);
  memcpy(r->tensor_stats, OPS->tensor_stats(b), sizeof r->tensor_stats);
  rig_get_state(OPS, b, VISE_I_PARAMS, N_PARAMS, g);
  for (size_t i = 0; i < N_PARAMS; i++) g[i] = (r->params[i] - g[i]) / r->hyper.lr;
  OPS->destroy(b);
}

static void expect_all(const double *got, const double *ref, const char *what) {
  size_t worst;
  cr_expect(rig_compare(got, ref, N_PARAMS, 1e-15, 1e-14, &worst) == 0, "%s: [%zu] = %.17g, expected %.17g", what,
            worst, got[worst], ref[worst]);
}

Test(oracle_clip, value_clip_is_asymmetric_and_counts) {
  rig r;
  const double w[] = {-3, -1, 0.5, 2, 7, -0.5};
  const double ref[] = {-1, -1, 0.5, 2, 2, -0.5, -1, 2}; /* biases: -3.5, 8.5 */
  double g[N_PARAMS];

  rig_make(&r);
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -1;
  r.spec.rule.clip_hi = 2;

  apply(&r, w, g);
  expect_all(g, ref, "value clip");
  cr_expect(r.stats.n_clipped_values == 4 && r.tensor_stats[0].n_clipped_values == 2 &&
            r.tensor_stats[1].n_clipped_values == 2);
  cr_expect(!r.stats.norm_clipped && rig_near(r.stats.grad_norm, sqrt(15.5), 0, 1e-15) &&
            r.stats.grad_norm_clipped == r.stats.grad_norm);

  r.hyper.clip_factor = 0.5; /* a schedule halves the bounds */
  const double half[] = {-0.5, -0.5, 0.5, 1, 1, -0.5, -0.5, 1};
  apply(&r, w, g);
  expect_all(g, half, "value clip at factor 0.5");
}

Test(oracle_clip, bounds_that_exclude_zero_are_honoured) {
  rig r;
  const double w[] = {0, 1, 2, 3, 4, 5}, ref[] = {2, 2, 2, 3, 3, 3, 3, 3};
  double g[N_PARAMS];
  rig_make(&r);
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = 2;
  r.spec.rule.clip_hi = 3;
  apply(&r, w, g);
  expect_all(g, ref, "lo > 0");
  cr_expect(r.stats.n_clipped_values == 5); /* 2, 3 and the first bias, 3, are left as they are */
}

Test(oracle_clip, nan_stays_nan_in_the_value_clip_and_is_not_counted) {
  rig r;
  const double w[] = {NAN, -9, 0, 0, 9, -9}; /* times the identity: NaN spreads along its row, as 0 * NaN */
  double g[N_PARAMS];

  rig_make(&r);
  r.spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -1;
  r.spec.rule.clip_hi = 1;
  r.spec.rule.max_update = 0.5; /* nor does the cap turn it into a number */
  r.spec.boxes[0].lo = -0.25;
  r.spec.boxes[0].hi = 0.25; /* nor the box */

  apply(&r, w, g);
  for (size_t i = 0; i < 3; i++) cr_expect(isnan(g[i]), "[%zu] = %g", i, g[i]);
  cr_expect(isnan(g[6]) && g[3] == 0 && g[4] == 0.25 && g[5] == -0.25 && g[7] == 0);
  cr_expect(r.stats.n_nonfinite == 4 && r.stats.n_clipped_values == 2 && r.stats.bad_tensor == 0);
  cr_expect(isnan(r.stats.grad_norm) && isnan(r.stats.grad_norm_clipped));
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
    double g[N_PARAMS], sum = 0;
    rig r;

    rig_make(&r);
    r.spec.rule.clip_norm = cases[c].max;
    r.spec.rule.clip_norm_type = cases[c].type;
    r.spec.rule.clip_norm_p = cases[c].p;

    apply(&r, rows, g);
    expect_all(g, ref, vise_clip_norm_type_name(cases[c].type));

    for (size_t i = 0; i < N_PARAMS; i++) sum += ref[i] * ref[i];
    cr_expect(rig_near(r.stats.grad_norm, sqrt(362), 0, 1e-15), "case %zu: norm %.17g", c, r.stats.grad_norm);
    cr_expect(rig_near(r.stats.grad_norm_clipped, sqrt(sum), 0, 1e-14), "case %zu", c);
    cr_expect(r.stats.norm_clipped == (s[0] != 1 || s[1] != 1 || s[2] != 1), "case %zu", c);
    cr_expect(r.stats.n_clipped_values == 0);
  }
}

Test(oracle_clip, norm_equal_to_the_bound_is_left_alone_but_not_by_torch) {
  rig r;
  const double w[] = {3, 4, -7, 0, 0, 0}; /* biases 0: norm sqrt(74) */
  double g[N_PARAMS];

  rig_make(&r);
  r.spec.rule.clip_norm = 7;
  r.spec.rule.clip_norm_p = VISE_NORM_INF;
  apply(&r, w, g);
  cr_expect(g[0] == 3 && g[2] == -7 && !r.stats.norm_clipped);

  r.spec.rule.clip_norm_torch_eps = true;
  apply(&r, w, g);
  cr_expect(g[2] == -7 * (7 / (7 + 1e-6)) && r.stats.norm_clipped);

  r.spec.rule.clip_norm = 7.1;
  apply(&r, w, g);
  cr_expect(g[2] == -7 && !r.stats.norm_clipped);
}

Test(oracle_clip, value_clip_comes_before_norm_clip) {
  rig r;
  const double ref[] = {1.5, 2, 0, 0, 0, 2, 2, 2}; /* value clip to 4 in all but 3, then half by the maximum */
  double g[N_PARAMS];

  rig_make(&r);
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -4;
  r.spec.rule.clip_hi = 4;
  r.spec.rule.clip_norm = 2;
  r.spec.rule.clip_norm_p = VISE_NORM_INF;

  apply(&r, rows, g);
  expect_all(g, ref, "both clips");
  cr_expect(r.stats.n_clipped_values == 3 && rig_near(r.stats.grad_norm, sqrt(9 + 16 * 4), 0, 1e-15));
}

Test(oracle_clip, norm_neither_overflows_nor_underflows) {
  static const double scales[] = {1e200, 1e-200, 1e-310, 0};

  for (size_t k = 0; k < 4; k++) {
    double w[6], g[N_PARAMS];
    rig r;

    rig_make(&r);
    for (size_t i = 0; i < 6; i++) w[i] = rows[i] * scales[k];
    r.spec.rule.clip_norm = k == 0 ? 1 : 1e300;

    apply(&r, w, g);
    cr_expect(!r.stats.skipped && rig_near(r.stats.grad_norm, sqrt(362) * scales[k], 0, k == 2 ? 1e-9 : 1e-14),
              "scale %g: norm %.17g", scales[k], r.stats.grad_norm);
    if (k == 0) cr_expect(rig_near(g[5], 12 / sqrt(362), 0, 1e-14) && r.stats.norm_clipped);
    if (k == 3) cr_expect(r.stats.grad_norm == 0 && r.stats.grad_norm_clipped == 0 && !r.stats.norm_clipped);
  }
}

/* A norm over a NaN scales by NaN; units without one are unaffected. */
Test(oracle_clip, nan_propagates_through_norms) {
  for (int p = 0; p < 2; p++) {
    for (int torch = 0; torch < 2; torch++) {
      const double w[] = {NAN, NAN, NAN, 0, 0, 12};
      double g[N_PARAMS];
      rig r;

      rig_make(&r);
      r.spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
      r.spec.rule.clip_norm = 6;
      r.spec.rule.clip_norm_p = p ? VISE_NORM_INF : VISE_NORM_2;
      r.spec.rule.clip_norm_torch_eps = torch;
      r.spec.rule.clip_norm_type = VISE_CLIP_UNIT;

      apply(&r, w, g);
      cr_expect(isnan(g[0]) && rig_near(g[5], 6, 0, 1e-6) && isnan(g[6]) && isnan(g[7]), "unit, p %d: %g", p, g[5]);

      r.spec.rule.clip_norm_type = VISE_CLIP_GLOBAL;
      apply(&r, w, g);
      for (size_t i = 0; i < N_PARAMS; i++) cr_expect(isnan(g[i]), "global: [%zu] = %g", i, g[i]);
    }
  }
}

Test(oracle_clip, clip_factor_scales_the_norm_bound) {
  rig r;
  const double w[] = {3, 4, -7, 0, 0, 0};
  double g[N_PARAMS];

  rig_make(&r);
  r.spec.rule.clip_norm = 7;
  r.spec.rule.clip_norm_p = VISE_NORM_INF;
  r.hyper.clip_factor = 0.5;

  apply(&r, w, g);
  cr_expect(g[0] == 1.5 && g[1] == 2 && g[2] == -3.5 && r.stats.norm_clipped);

  r.hyper.clip_factor = 0; /* the end of a schedule: nothing is left */
  apply(&r, w, g);
  cr_expect(g[0] == 0 && g[1] == 0 && g[2] == 0 && r.stats.norm_clipped && r.stats.grad_norm_clipped == 0);
}

/* k2 w is clipped with scope total, and added after the clips with scope data. */
Test(oracle_clip, scope_decides_whether_the_penalty_is_clipped) {
  rig r;
  const double w[] = {5, 0, 0, 0, 0, 0};
  double g[N_PARAMS];

  rig_make(&r);
  for (size_t i = 0; i < N_PARAMS; i++) r.params[i] = 2;
  r.spec.rule.k2 = 3;
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -4;
  r.spec.rule.clip_hi = 4;

  const double total[] = {4, 4, 4, 4, 4, 4, 4, 0}; /* 11, 6, ...; biases 5 and 0, unpenalized */
  apply(&r, w, g);
  expect_all(g, total, "total");
  cr_expect(r.stats.n_clipped_values == 7 && r.stats.penalty == 0.5 * 3 * 6 * 4);

  const double data[] = {10, 6, 6, 6, 6, 6, 4, 0};
  r.spec.rule.clip_scope = VISE_CLIP_SCOPE_DATA;
  apply(&r, w, g);
  expect_all(g, data, "data");
  cr_expect(r.stats.n_clipped_values == 2 && rig_near(r.stats.grad_norm_clipped, sqrt(32), 0, 1e-15));
}

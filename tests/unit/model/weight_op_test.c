#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/numpy_legacy.h"
#include "tests/unit/model/rig.h"

/* Data C of docs/step.md: numpy.random.seed(0), rand(100, 100). */
static vise_model *data_c(vise_dtype dtype, double factor) {
  static const size_t widths[] = {100, 100, 0};
  vise_model *model = rig_model(widths, true, dtype);
  numpy_legacy random;
  double *w = malloc(10000 * sizeof *w);
  numpy_legacy_seed(&random, 0);
  for (size_t i = 0; i < 10000; ++i) w[i] = factor * numpy_legacy_rand(&random);
  cr_assert(w[0] == factor * 0.5488135039273248);
  cr_assert_eq(vise_model_set_tensor(model, 0, w, 10000, NULL), VISE_OK);
  free(w);
  return model;
}

static vise_weight_op relative(vise_weight_op_kind kind, double t) {
  vise_weight_op op;
  vise_weight_op_init(&op);
  op.kind = kind;
  op.t = t;
  return op;
}

static vise_weight_op pruning(double fraction, vise_prune_scope scope) {
  vise_weight_op op;
  vise_weight_op_init(&op);
  op.kind = VISE_PRUNE;
  op.fraction = fraction;
  op.scope = scope;
  return op;
}

Test(weight_op, reproduces_the_numbers_of_data_c) {
  static const struct {
    vise_weight_op_kind kind;
    bool literal;
    double factor, norm, tolerance;
  } cases[] = {{VISE_REL_CLIP, false, 1, 9.646285, 5e-7},    {VISE_REL_CLIP, true, 1, 9.646490, 5e-7},
               {VISE_REL_RETAIN, false, 1, 57.446319, 5e-7}, {VISE_REL_DROP_LARGE, false, 1, 1.806868, 5e-7},
               {VISE_REL_CLIP, false, 2, 19.29, 5e-3},       {VISE_REL_CLIP, true, 2, 10.14, 5e-3}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    for (int single = 0; single <= 1; ++single) {
      vise_model *model = data_c(single ? VISE_F32 : VISE_F64, cases[i].factor);
      vise_weight_op op = relative(cases[i].kind, 0.1);
      vise_weight_op_report report;
      op.literal = cases[i].literal;
      cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);

      cr_assert_eq(report.n_considered, 10000);
      cr_assert_eq(report.n_reached, 8979);
      EXPECT_NEAR(report.norm_before, 57.47 * cases[i].factor, 5e-3 * cases[i].factor);
      EXPECT_NEAR(report.norm_after, cases[i].norm, cases[i].tolerance + (single ? 1e-5 : 0));
      cr_assert_null(vise_model_mask(model));
      vise_model_free(model);
    }
  }
}

/* float32: tau is (float)t * m, as NumPy computes 0.1 * W.max() for a float32 W; an entry equal to it counts. */
Test(weight_op, thresholds_are_of_the_weights_own_type) {
  static const size_t widths[] = {3, 1, 0};
  vise_model *model = rig_model(widths, false, VISE_F32);
  float tau = 0.1f * 0.7f;
  double w[3] = {0.7f, -tau, nextafterf(tau, 0)}, after[3];
  cr_assert_eq(vise_model_set_tensor(model, 0, w, 3, NULL), VISE_OK);

  vise_weight_op op = relative(VISE_REL_CLIP, 0.1);
  vise_weight_op_report report;
  cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);
  cr_assert_eq(vise_model_get_tensor(model, 0, after, 3, NULL), VISE_OK);

  cr_assert_eq(report.n_reached, 2);
  cr_assert(after[0] == (double)tau && after[1] == -(double)tau && after[2] == w[2]);
  vise_model_free(model);
}

Test(weight_op, signs_zeros_and_biases) {
  static const size_t widths[] = {4, 1, 0};
  static const double w[4] = {-1, 0.5, 0, -0.25};
  static const double expected[3][4] = {{-0.5, 0.5, 0, -0.25}, {-1, 0.5, 0, 0}, {0, 0, 0, -0.25}};
  static const vise_weight_op_kind kinds[3] = {VISE_REL_CLIP, VISE_REL_RETAIN, VISE_REL_DROP_LARGE};

  for (int k = 0; k < 3; ++k) {
    vise_model *model = rig_model(widths, true, VISE_F64);
    double bias = 9, after[4];
    cr_assert_eq(vise_model_set_tensor(model, 0, w, 4, NULL), VISE_OK);
    cr_assert_eq(vise_model_set_tensor(model, 1, &bias, 1, NULL), VISE_OK);

    vise_weight_op op = relative(kinds[k], 0.5);
    cr_assert_eq(vise_model_apply_weight_op(model, &op, NULL, NULL), VISE_OK);

    cr_assert_eq(vise_model_get_tensor(model, 0, after, 4, NULL), VISE_OK);
    for (int i = 0; i < 4; ++i) cr_assert(after[i] == expected[k][i], "%d %d: %g", k, i, after[i]);
    cr_assert_eq(vise_model_get_tensor(model, 1, after, 1, NULL), VISE_OK);
    cr_assert(after[0] == 9);
    vise_model_free(model);
  }
}

Test(weight_op, a_tensor_of_zeros_stays_so) {
  static const size_t widths[] = {4, 2, 0};
  for (int literal = 0; literal <= 1; ++literal) {
    vise_model *model = rig_model(widths, true, VISE_F32);
    cr_assert_eq(vise_model_initialize(model, VISE_INIT_ZEROS, 0, NULL), VISE_OK);

    vise_weight_op op = relative(VISE_REL_CLIP, 0.5);
    vise_weight_op_report report;
    op.literal = literal;

    cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);
    cr_assert(report.norm_before == 0 && report.norm_after == 0);
    vise_model_free(model);
  }
}

Test(weight_op, a_frozen_m_makes_repetition_harmless) {
  vise_model *model = data_c(VISE_F32, 1);
  vise_weight_op op = relative(VISE_REL_CLIP, 0.5);
  vise_weight_op_report first, again;
  double m[1];

  vise_i_weight_op_max_abs(vise_i_model_net(model), VISE_F32, vise_i_model_const_params(model), m);
  op.frozen_m = m;
  cr_assert_eq(vise_model_apply_weight_op(model, &op, &first, NULL), VISE_OK);

  for (int i = 0; i < 5; ++i) cr_assert_eq(vise_model_apply_weight_op(model, &op, &again, NULL), VISE_OK);
  cr_assert(again.norm_after == first.norm_after);
  cr_assert_eq(again.n_reached, first.n_reached);

  op.frozen_m = NULL; /* recomputed, it shrinks */
  cr_assert_eq(vise_model_apply_weight_op(model, &op, &again, NULL), VISE_OK);
  cr_assert_lt(again.norm_after, 0.7 * first.norm_after);
  vise_model_free(model);
}

Test(weight_op, only_listed_layers_are_changed) {
  static const size_t widths[] = {6, 5, 4, 3, 0};
  static const size_t layers[] = {2, 0};
  vise_model *model = rig_model(widths, true, VISE_F64), *before = NULL;
  cr_assert_eq(vise_model_clone(model, VISE_F64, &before, NULL), VISE_OK);

  vise_weight_op op = relative(VISE_REL_DROP_LARGE, 0.01);
  vise_weight_op_report report;
  op.layers = layers;
  op.n_layers = 2;
  cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);
  cr_assert_eq(report.n_considered, 30 + 12);

  for (size_t t = 0; t < vise_model_n_tensors(model); ++t) {
    double a[30], b[30];
    size_t rows, cols;
    cr_assert_eq(vise_model_tensor_shape(model, t, &rows, &cols, NULL), VISE_OK);
    cr_assert_eq(vise_model_get_tensor(model, t, a, rows * cols, NULL), VISE_OK);
    cr_assert_eq(vise_model_get_tensor(before, t, b, rows * cols, NULL), VISE_OK);
    cr_assert_eq(memcmp(a, b, rows * cols * sizeof *a) != 0, t == 0 || t == 4);
  }

  vise_model_free(before);
  vise_model_free(model);
}

/* The slow, plain way: take the smallest again and again, the first among equals. */
static void prune_plainly(double *w, size_t n, double fraction) {
  bool *gone = calloc(n, sizeof *gone);
  for (size_t k = (size_t)floor(fraction * (double)n + 0.5); k > 0; --k) {
    size_t best = n;
    for (size_t i = 0; i < n; ++i) {
      if (!gone[i] && (best == n || fabs(w[i]) < fabs(w[best]))) best = i;
    }
    gone[best] = true;
  }
  for (size_t i = 0; i < n; ++i) w[i] = gone[i] ? 0 : w[i];
  free(gone);
}

Test(weight_op, prune_takes_the_smallest_ties_by_index_in_every_scope) {
  static const size_t widths[] = {9, 7, 5, 0};
  static const double fractions[] = {0, 0.01, 0.3, 0.5, 0.77, 1};

  for (int scope = 0; scope < 3; ++scope) {
    for (size_t f = 0; f < 6; ++f) {
      for (int single = 0; single <= 1; ++single) {
        vise_model *model = rig_model(widths, true, single ? VISE_F32 : VISE_F64);
        double w[63 + 35], after[63];

        for (size_t i = 0; i < 98; ++i) w[i] = (i % 2 ? -1 : 1) * (double)((i * 37) % 11) / 8; /* many ties, zeros */
        w[20] = FLT_MIN / 4;
        w[21] = FLT_MAX;
        cr_assert_eq(vise_model_set_tensor(model, 0, w, 63, NULL), VISE_OK);
        cr_assert_eq(vise_model_set_tensor(model, 2, w + 63, 35, NULL), VISE_OK);

        vise_weight_op op = pruning(fractions[f], (vise_prune_scope)scope);
        vise_weight_op_report report;
        cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);

        if (scope == VISE_PRUNE_GLOBAL) prune_plainly(w, 98, fractions[f]);
        if (scope == VISE_PRUNE_TENSOR) {
          prune_plainly(w, 63, fractions[f]);
          prune_plainly(w + 63, 35, fractions[f]);
        }
        for (size_t r = 0; scope == VISE_PRUNE_ROW && r < 7; ++r) prune_plainly(w + 9 * r, 9, fractions[f]);
        for (size_t r = 0; scope == VISE_PRUNE_ROW && r < 5; ++r) prune_plainly(w + 63 + 7 * r, 7, fractions[f]);

        cr_assert_eq(vise_model_get_tensor(model, 0, after, 63, NULL), VISE_OK);
        for (size_t i = 0; i < 63; ++i) cr_assert(after[i] == (double)(single ? (float)w[i] : w[i]), "%zu", i);
        cr_assert_eq(vise_model_get_tensor(model, 2, after, 35, NULL), VISE_OK);
        for (size_t i = 0; i < 35; ++i) cr_assert(after[i] == w[63 + i]);

        size_t n_masked = 0;
        for (size_t i = 0; i < vise_model_n_parameters(model); ++i) n_masked += !vise_model_mask(model)[i];
        cr_assert_eq(n_masked, report.n_reached);
        vise_model_free(model);
      }
    }
  }
}

Test(weight_op, prune_joins_an_earlier_mask) {
  static const size_t widths[] = {4, 1, 0};
  static const double w[4] = {4, 3, 2, 1}, grown[4] = {4, 3, 2, 5};
  vise_model *model = rig_model(widths, false, VISE_F64);
  vise_weight_op op = pruning(0.25, VISE_PRUNE_TENSOR);

  cr_assert_eq(vise_model_set_tensor(model, 0, w, 4, NULL), VISE_OK);
  cr_assert_eq(vise_model_apply_weight_op(model, &op, NULL, NULL), VISE_OK);
  cr_assert_eq(memcmp(vise_model_mask(model), "\1\1\1\0", 4), 0);

  cr_assert_eq(vise_model_set_tensor(model, 0, grown, 4, NULL), VISE_OK);
  cr_assert_eq(vise_model_apply_weight_op(model, &op, NULL, NULL), VISE_OK);
  cr_assert_eq(memcmp(vise_model_mask(model), "\1\1\0\0", 4), 0);
  vise_model_free(model);
}

Test(weight_op, refuses_what_makes_no_sense_and_leaves_the_model) {
  static const size_t widths[] = {3, 2, 0};
  static const size_t beyond[] = {1}, twice[] = {0, 0};
  double bad_m[1] = {NAN};
  vise_model *model = rig_model(widths, true, VISE_F32), *before = NULL;
  cr_assert_eq(vise_model_clone(model, VISE_F32, &before, NULL), VISE_OK);

  vise_weight_op bad[12];
  size_t n = 0;
  bad[n++] = relative(VISE_REL_CLIP, 0);
  bad[n++] = relative(VISE_REL_CLIP, NAN);
  bad[n++] = relative(VISE_REL_RETAIN, 1.0001);
  bad[n++] = pruning(-0.1, VISE_PRUNE_TENSOR);
  bad[n++] = pruning(NAN, VISE_PRUNE_TENSOR);
  bad[n++] = pruning(0.5, (vise_prune_scope)3);
  bad[n++] = relative((vise_weight_op_kind)99, 0.5);

  bad[n] = relative(VISE_REL_RETAIN, 0.5);
  bad[n++].literal = true;
  bad[n] = relative(VISE_REL_CLIP, 0.5);
  bad[n].layers = beyond;
  bad[n++].n_layers = 1;
  bad[n] = relative(VISE_REL_CLIP, 0.5);
  bad[n].layers = twice;
  bad[n++].n_layers = 2;
  bad[n] = relative(VISE_REL_CLIP, 0.5);
  bad[n++].frozen_m = bad_m;
  bad[n] = relative(VISE_REL_CLIP, 0.5);
  bad[n++].struct_size = 1;

  for (size_t i = 0; i < n; ++i) {
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_model_apply_weight_op(model, &bad[i], NULL, &err), VISE_ERR_USAGE, "case %zu", i);
    cr_assert_neq(err.text[0], '\0');
    rig_assert_same(model, before, true);
  }
  vise_model_free(before);
  vise_model_free(model);
}

Test(weight_op, a_nonfinite_weight_is_named) {
  static const size_t widths[] = {3, 2, 0};
  double w[6] = {1, 2, 3, 4, INFINITY, 6};
  vise_model *model = rig_model(widths, true, VISE_F32);
  cr_assert_eq(vise_model_set_tensor(model, 0, w, 6, NULL), VISE_OK);
  vise_weight_op ops[2] = {relative(VISE_REL_CLIP, 0.5), pruning(0.5, VISE_PRUNE_TENSOR)};

  for (int i = 0; i < 2; ++i) {
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_model_apply_weight_op(model, &ops[i], NULL, &err), VISE_ERR_VALUE);
    cr_assert_not_null(strstr(err.text, "'0.weight', row 1, column 1"), "%s", err.text);
    cr_assert_null(vise_model_mask(model));
  }
  vise_model_free(model);
}

Test(weight_op, norms_of_huge_weights_do_not_overflow) {
  static const size_t widths[] = {2, 1, 0};
  double w[2] = {3e200, 4e200};
  vise_model *model = rig_model(widths, false, VISE_F64);
  vise_weight_op op = relative(VISE_REL_RETAIN, 1);
  vise_weight_op_report report;
  cr_assert_eq(vise_model_set_tensor(model, 0, w, 2, NULL), VISE_OK);
  cr_assert_eq(vise_model_apply_weight_op(model, &op, &report, NULL), VISE_OK);
  EXPECT_NEAR(report.norm_before / 1e200, 5, 1e-12);
  EXPECT_NEAR(report.norm_after / 1e200, 4, 1e-12);
  vise_model_free(model);
}

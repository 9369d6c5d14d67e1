/* Datasets over arrays: sharing, selection, splits, label checks. */
#include "data_support.h"

static double x_data[10][2];
static int64_t y_data[10];

static vise_dataset *make(bool copy) {
  for (int r = 0; r < 10; r++) {
    x_data[r][0] = r;
    x_data[r][1] = 100 + r;
    y_data[r] = r % 3;
  }

  const vise_array x = vise_array_of(x_data, VISE_F64, 10, 2), y = vise_array_of(y_data, VISE_I64, 10, 1);
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  EXPECT_OK(vise_dataset_from_arrays(&x, &y, NULL, copy, &ds, &err), err);
  return ds;
}

static double feature(const vise_dataset *ds, size_t row) {
  double out[2] = {NAN, NAN};
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_dataset_get_features(ds, row, out, &err), err);
  EXPECT_NEAR(out[1], out[0] + 100, 0);
  return out[0];
}

Test(dataset, copies_or_borrows) {
  for (int copy = 0; copy < 2; copy++) {
    vise_dataset *ds = make(copy == 1);
    x_data[3][0] = 42;
    x_data[3][1] = 142;
    EXPECT_NEAR(feature(ds, 3), copy == 1 ? 3 : 42, 0);

    cr_assert(vise_dataset_n_rows(ds) == 10 && vise_dataset_n_features(ds) == 2 && vise_dataset_n_targets(ds) == 1);
    cr_assert_eq(vise_dataset_n_classes(ds), 3);
    cr_assert_eq(vise_dataset_n_bytes(ds), 10 * 3 * 8);
    cr_assert_str_eq(vise_dataset_name(ds), "array");
    cr_assert(!vise_dataset_is_idx(ds) && vise_i_dataset_rows(ds) == NULL && vise_i_dataset_row_weights(ds) == NULL);
    vise_dataset_free(ds);
  }

  vise_dataset_free(NULL);
}

Test(dataset, copies_any_strides_in_c_order) {
  static const float data[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  vise_array x = {data, VISE_F32, 2, 3, 1, 4}; /* (r, c) = r + 4 c */
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  double row[3];

  EXPECT_OK(vise_dataset_from_arrays(&x, NULL, NULL, true, &ds, &err), err);
  cr_assert(vise_i_dataset_features(ds)->row_stride == 3 && vise_i_dataset_features(ds)->col_stride == 1);
  EXPECT_OK(vise_dataset_get_features(ds, 1, row, &err), err);
  cr_assert(row[0] == 1 && row[1] == 5 && row[2] == 9);

  cr_assert(vise_i_dataset_targets(ds) == NULL && vise_dataset_n_targets(ds) == 0 && vise_dataset_n_classes(ds) == 0);
  EXPECT_ERROR(vise_dataset_get_targets(ds, 0, row, &err), &err, VISE_ERR_STATE, "has no targets");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_dataset_get_features(ds, 2, row, &err), &err, VISE_ERR_SHAPE, "row 2 asked for, but there are 2");
  vise_dataset_free(ds);
}

Test(dataset, refuses_arrays_that_do_not_fit) {
  static double values[6] = {1, 2, 3, 4, 5, NAN};
  const vise_array x = vise_array_of(values, VISE_F64, 3, 1), y = vise_array_of(values, VISE_F64, 2, 1),
                   bad = vise_array_of(values, VISE_F64, 3, 2), empty = vise_array_of(values, VISE_F64, 0, 2),
                   null = vise_array_of(NULL, VISE_F64, 3, 2);

  const struct {
    const vise_array *x, *y, *w;
    vise_status code;
    const char *text;
  } cases[] = {
      {&x, &y, NULL, VISE_ERR_SHAPE, "targets: 2 rows of targets, but array has 3 rows of features"},
      {&bad, NULL, NULL, VISE_ERR_VALUE, "features: row 2, column 1 (from 0) is nan"},
      {&x, &bad, NULL, VISE_ERR_VALUE, "targets: row 2, column 1 (from 0) is nan"},
      {&empty, NULL, NULL, VISE_ERR_SHAPE, "features: shape [0, 2] holds no values"},
      {NULL, NULL, NULL, VISE_ERR_USAGE, "features is NULL"},
      {&null, NULL, NULL, VISE_ERR_USAGE, "features: the data pointer is NULL"},
      {&x, NULL, &y, VISE_ERR_SHAPE, "row weights are 2 x 1, expected 3 x 1"},
      {&x, NULL, &bad, VISE_ERR_SHAPE, "row weights are 3 x 2, expected 3 x 1"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    for (int copy = 0; copy < 2; copy++) {
      vise_error err = VISE_ERROR_INIT;
      vise_dataset *ds = NULL;
      EXPECT_ERROR(vise_dataset_from_arrays(cases[k].x, cases[k].y, cases[k].w, copy == 1, &ds, &err), &err,
                   cases[k].code, cases[k].text);
      cr_assert(ds == NULL);
    }
  }
}

Test(dataset, checks_row_weights) {
  static const double x_values[3] = {1, 2, 3};
  const vise_array x = vise_array_of(x_values, VISE_F64, 3, 1);

  static const struct {
    float w[3];
    const char *text;
  } cases[] = {{{1, 0, 2.5F}, NULL},
               {{1, -0.5F, 1}, "row 1 (from 0): weight -0.5; weights must be finite and >= 0"},
               {{1, 1, NAN}, "row 2 (from 0): weight nan"},
               {{INFINITY, 1, 1}, "row 0 (from 0): weight inf"},
               {{0, 0, 0}, "all row weights are 0"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const vise_array w = vise_array_of(cases[k].w, VISE_F32, 3, 1);
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds = NULL;
    const vise_status status = vise_dataset_from_arrays(&x, NULL, &w, true, &ds, &err);

    if (cases[k].text != NULL) {
      EXPECT_ERROR(status, &err, VISE_ERR_VALUE, cases[k].text);
      continue;
    }

    EXPECT_OK(status, err);
    EXPECT_NEAR(vise_i_dataset_row_weights(ds)[2], 2.5, 0);
    vise_dataset_free(ds);
  }
}

Test(dataset, selections_compose_and_keep_data_alive) {
  static const size_t outer[5] = {9, 7, 5, 3, 3}, inner[2] = {1, 4}, beyond[1] = {5};
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *all = make(true), *some, *few, *none = NULL;

  EXPECT_OK(vise_dataset_select(all, outer, 5, &some, &err), err);
  vise_dataset_free(all);
  EXPECT_OK(vise_dataset_select(some, inner, 2, &few, &err), err);
  EXPECT_ERROR(vise_dataset_select(some, beyond, 1, &none, &err), &err, VISE_ERR_SHAPE,
               "row 5 selected, but there are");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_dataset_select(some, beyond, 0, &none, &err), &err, VISE_ERR_SHAPE, "no rows");
  cr_assert(none == NULL);
  vise_dataset_free(some);

  cr_assert_eq(vise_dataset_n_rows(few), 2);
  EXPECT_NEAR(feature(few, 0), 7, 0);
  EXPECT_NEAR(feature(few, 1), 3, 0);
  cr_assert(vise_i_dataset_rows(few)[0] == 7 && vise_i_dataset_rows(few)[1] == 3);
  cr_assert_eq(vise_dataset_n_classes(few), 2); /* labels 1 and 0 */

  double label = NAN;
  vise_error_clear(&err);
  EXPECT_OK(vise_dataset_get_targets(few, 0, &label, &err), err);
  EXPECT_NEAR(label, 1, 0);
  vise_dataset_free(few);
}

/* Bit r of the result: row r of the ten is in the part. Fails if the rows are not in file order. */
static unsigned members(const vise_dataset *part) {
  unsigned bits = 0;
  double previous = -1;
  for (size_t r = 0; r < vise_dataset_n_rows(part); r++) {
    const double v = feature(part, r);
    cr_assert(v > previous, "not in file order");
    previous = v;
    bits |= 1U << (unsigned)v;
  }
  return bits;
}

Test(dataset, splits_are_disjoint_complete_and_seeded) {
  vise_dataset *ds = make(true);
  unsigned seen[20];
  size_t n_different = 0;

  for (uint64_t seed = 0; seed < 20; seed++) {
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *train, *validation;
    EXPECT_OK(vise_dataset_split(ds, 0.35, true, seed % 10, &train, &validation, &err), err);
    cr_assert(vise_dataset_n_rows(train) == 7 && vise_dataset_n_rows(validation) == 3); /* floor(3.5) */

    const unsigned t = members(train), v = members(validation);
    cr_assert_eq(t & v, 0);
    cr_assert_eq(t | v, 1023);
    seen[seed] = v;
    if (seed >= 10) cr_assert_eq(v, seen[seed - 10], "the same seed must split the same way");
    if (seed > 0 && v != seen[seed - 1]) n_different++;

    vise_dataset_free(train);
    vise_dataset_free(validation);
  }

  cr_assert_gt(n_different, 10);
  vise_dataset_free(ds);
}

Test(dataset, splits_off_the_last_rows_without_shuffle) {
  static const size_t rows[5] = {1, 3, 5, 7, 9};
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds = make(true), *odd, *train, *validation;

  EXPECT_OK(vise_dataset_split(ds, 0.2, false, 0, &train, &validation, &err), err);
  cr_assert(members(train) == 0xff && members(validation) == 0x300);
  vise_dataset_free(train);
  vise_dataset_free(validation);

  EXPECT_OK(vise_dataset_select(ds, rows, 5, &odd, &err), err);
  vise_dataset_free(ds);
  EXPECT_OK(vise_dataset_split(odd, 0.4, false, 0, &train, &validation, &err), err);
  cr_assert(members(train) == 0x2a && members(validation) == 0x280);
  vise_dataset_free(odd);
  vise_dataset_free(train);
  vise_dataset_free(validation);
}

Test(dataset, refuses_fractions_that_leave_nothing) {
  static const double fractions[] = {0, 1, -0.5, 1.5, NAN, 0.05};
  vise_dataset *ds = make(true), *train = NULL, *validation = NULL;
  for (size_t k = 0; k < 6; k++) {
    vise_error err = VISE_ERROR_INIT;
    EXPECT_ERROR(vise_dataset_split(ds, fractions[k], true, 0, &train, &validation, &err), &err, VISE_ERR_USAGE,
                 k < 5 ? "must be between 0 and 1" : "leaves validation without rows");
    cr_assert(train == NULL && validation == NULL);
  }
  vise_dataset_free(ds);
}

Test(dataset, checks_labels) {
  static const double x_values[4] = {1, 2, 3, 4};
  static const struct {
    float y[4];
    size_t n_classes;      /* what the labels need */
    const char *errors[4]; /* expected from the checks below; NULL: fine */
  } cases[] = {
      {{0, 1, 2, 1}, 3, {NULL, "targets: row 2 (from 0): target 0 is 2; must be 0 or 1", "or -1", NULL}},
      {{0, 1, 3, 1},
       4,
       {"targets: row 2 (from 0): label 3; labels must be integers from 0 to 2", "is 3", "is 3", NULL}},
      {{0, 1, -1, 1},
       0,
       {"row 2 (from 0): label -1", "is -1; must be 0 or 1", NULL, "target 0 is -1; must be at least 0"}},
      {{0, 1, 0.5F, 1}, 0, {"row 2 (from 0): label 0.5", "is 0.5", "is 0.5", NULL}},
      {{0, 1, 0, 1}, 2, {NULL, NULL, NULL, NULL}},
  };
  static const vise_targets kinds[4] = {VISE_TARGETS_LABELS, VISE_TARGETS_BITS, VISE_TARGETS_SIGNS,
                                        VISE_TARGETS_COUNTS};

  const vise_array x = vise_array_of(x_values, VISE_F64, 4, 1);
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const vise_array y = vise_array_of(cases[k].y, VISE_F32, 4, 1);
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds;
    EXPECT_OK(vise_dataset_from_arrays(&x, &y, NULL, false, &ds, &err), err);
    cr_assert_eq(vise_dataset_n_classes(ds), cases[k].n_classes, "case %zu", k);

    for (int check = 0; check < 4; check++) {
      const char *text = cases[k].errors[check];
      vise_error_clear(&err);
      const vise_status status =
          check == 0 ? vise_i_dataset_check_labels(ds, 3, &err) : vise_i_dataset_check_targets(ds, kinds[check], &err);

      if (text == NULL) {
        EXPECT_OK(status, err);
      } else {
        EXPECT_ERROR(status, &err, VISE_ERR_VALUE, text);
      }
    }
    vise_dataset_free(ds);
  }
}

Test(dataset, knows_one_hot_targets) {
  static const double x_values[3] = {1, 2, 3};
  static const struct {
    uint8_t y[6];
    bool one_hot;
  } cases[] = {{{0, 1, 1, 0, 0, 1}, true},
               {{0, 1, 1, 1, 0, 1}, false},
               {{0, 1, 0, 0, 0, 1}, false},
               {{0, 1, 1, 0, 0, 2}, false}};

  const vise_array x = vise_array_of(x_values, VISE_F64, 3, 1);
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const vise_array y = vise_array_of(cases[k].y, VISE_U8, 3, 2);
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds;
    EXPECT_OK(vise_dataset_from_arrays(&x, &y, NULL, false, &ds, &err), err);
    cr_assert_eq(vise_dataset_is_one_hot(ds), cases[k].one_hot, "case %zu", k);
    cr_assert_eq(vise_dataset_n_classes(ds), cases[k].one_hot ? 2 : 0);
    cr_assert_eq(vise_dataset_n_targets(ds), 2);
    cr_assert_eq(vise_i_dataset_check_labels(ds, 2, &err) == VISE_OK, cases[k].one_hot);

    cr_assert_eq(vise_i_dataset_targets_for(ds, VISE_TARGETS_BITS).n_cols, 2);
    const vise_array labels = vise_i_dataset_targets_for(ds, VISE_TARGETS_LABELS);
    cr_assert_eq(labels.n_cols, cases[k].one_hot ? 1 : 2);
    for (size_t r = 0; r < 3 && cases[k].one_hot; r++) {
      EXPECT_NEAR(vise_i_array_get(&labels, r, 0), cases[k].y[2 * r + 1], 0);
    }
    vise_dataset_free(ds);
  }
}

/* Means and deviations against numbers worked out by hand. */
#include "data_support.h"

static vise_dataset *make(const vise_array *x, const vise_array *y) {
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  EXPECT_OK(vise_dataset_from_arrays(x, y, NULL, true, &ds, &err), err);
  return ds;
}

Test(scaling, equals_hand_numbers_for_every_dtype_and_order) {
  /* Columns 2,4,4,4,5,5,7,9 (mean 5, sd 2), 7 (constant), 0,0,0,0,8,8,8,8 (mean 4, sd 4). */
  static const double columns[3][8] = {{2, 4, 4, 4, 5, 5, 7, 9}, {7, 7, 7, 7, 7, 7, 7, 7}, {0, 0, 0, 0, 8, 8, 8, 8}};

  for (int variant = 0; variant < 10; variant++) {
    const vise_dtype dtype = (vise_dtype)(variant % 5);
    const bool fortran = variant >= 5;
    union {
      uint8_t u8[24];
      int32_t i32[24];
      int64_t i64[24];
      float f32[24];
      double f64[24];
    } data;
    double shift[3], scale[3];

    for (size_t r = 0; r < 8; r++) {
      for (size_t c = 0; c < 3; c++) {
        const size_t at = fortran ? c * 8 + r : r * 3 + c;
        if (dtype == VISE_U8) data.u8[at] = (uint8_t)columns[c][r];
        if (dtype == VISE_I32) data.i32[at] = (int32_t)columns[c][r];
        if (dtype == VISE_I64) data.i64[at] = (int64_t)columns[c][r];
        if (dtype == VISE_F32) data.f32[at] = (float)columns[c][r];
        if (dtype == VISE_F64) data.f64[at] = columns[c][r];
      }
    }

    vise_array x = vise_array_of(&data, dtype, 8, 3);
    if (fortran) {
      x.row_stride = 1;
      x.col_stride = 8;
    }

    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds;
    EXPECT_OK(vise_dataset_from_arrays(&x, &x, NULL, false, &ds, &err), err);
    vise_i_dataset_fit_features(ds, shift, scale);
    EXPECT_NEAR(shift[0], 5, 1e-15);
    EXPECT_NEAR(scale[0], 2, 1e-15);
    EXPECT_NEAR(shift[1], 7, 0);
    EXPECT_NEAR(scale[1], 1, 0);
    EXPECT_NEAR(shift[2], 4, 1e-15);
    EXPECT_NEAR(scale[2], 4, 1e-15);

    shift[0] = scale[0] = NAN;
    vise_i_dataset_fit_targets(ds, shift, scale);
    EXPECT_NEAR(shift[0], 5, 1e-15);
    EXPECT_NEAR(scale[0], 2, 1e-15);
    vise_dataset_free(ds);
  }
}

Test(scaling, constant_columns_get_exactly_one) {
  double data[1000];
  for (size_t k = 0; k < 1000; k++) data[k] = 0.1; /* 1000 * 0.1 summed is not 100 */
  const vise_array x = vise_array_of(data, VISE_F64, 1000, 1);
  vise_dataset *ds = make(&x, NULL);
  double shift = NAN, scale = NAN;
  vise_i_dataset_fit_features(ds, &shift, &scale);
  EXPECT_NEAR(shift, 0.1, 0);
  EXPECT_NEAR(scale, 1, 0);
  vise_dataset_free(ds);
}

Test(scaling, survives_large_offsets_and_huge_values) {
  double data[4][2] = {{1e9 + 4, -1.7e308}, {1e9 + 7, 1.7e308}, {1e9 + 13, -1.7e308}, {1e9 + 16, 1.7e308}};
  const vise_array x = vise_array_of(data, VISE_F64, 4, 2);
  vise_dataset *ds = make(&x, NULL);
  double shift[2], scale[2];
  vise_i_dataset_fit_features(ds, shift, scale);
  EXPECT_NEAR(shift[0], 1e9 + 10, 1e-6);
  EXPECT_NEAR(scale[0], sqrt(22.5), 1e-9);
  EXPECT_NEAR(shift[1] / 1.7e308, 0, 1e-15);
  EXPECT_NEAR(scale[1] / 1.7e308, 1, 1e-15);
  vise_dataset_free(ds);
}

Test(scaling, sees_only_selected_rows) {
  static const float data[5] = {1, 100, 3, 100, 5};
  static const size_t rows[3] = {4, 0, 2};
  const vise_array x = vise_array_of(data, VISE_F32, 5, 1);
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds = make(&x, NULL), *part;
  double shift = NAN, scale = NAN;

  EXPECT_OK(vise_dataset_select(ds, rows, 3, &part, &err), err);
  vise_dataset_free(ds);
  vise_i_dataset_fit_features(part, &shift, &scale);
  EXPECT_NEAR(shift, 3, 1e-15);
  EXPECT_NEAR(scale, sqrt(8.0 / 3), 1e-15);
  vise_dataset_free(part);
}

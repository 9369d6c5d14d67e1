#include "host/base/array.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

Test(array, elements_of_every_type_and_order) {
  const uint8_t u8[6] = {1, 2, 3, 4, 5, 255};
  const int32_t i32[6] = {1, 2, 3, 4, 5, -7};
  const int64_t i64[6] = {1, 2, 3, 4, 5, -8};
  const float f32[6] = {1, 2, 3, 4, 5, 0.5f};
  const double f64[6] = {1, 2, 3, 4, 5, 0.25};
  const void *data[] = {u8, i32, i64, f32, f64};
  const double last[] = {255, -7, -8, 0.5, 0.25};

  for (int d = 0; d < 5; ++d) {
    vise_array c_order = vise_array_of(data[d], (vise_dtype)d, 2, 3);
    cr_assert_eq(vise_i_array_get(&c_order, 0, 1), 2);
    cr_assert_eq(vise_i_array_get(&c_order, 1, 2), last[d]);

    vise_array fortran = {data[d], (vise_dtype)d, 2, 3, 1, 2};
    cr_assert_eq(vise_i_array_get(&fortran, 0, 1), 3);
    cr_assert_eq(vise_i_array_get(&fortran, 1, 2), last[d]);
    cr_assert_eq(vise_i_array_validate(&fortran, "x", NULL), VISE_OK);
  }
}

Test(array, finds_the_first_nonfinite) {
  double values[6] = {0, 1, 2, 3, (double)INFINITY, (double)NAN};
  vise_array array = vise_array_of(values, VISE_F64, 2, 3);
  size_t row = 9, col = 9;
  cr_assert(vise_i_array_find_beyond(&array, DBL_MAX, &row, &col));
  cr_assert_eq(row, 1);
  cr_assert_eq(col, 1);
  array.n_rows = 1;
  cr_assert_not(vise_i_array_find_beyond(&array, DBL_MAX, &row, &col));
}

Test(array, invalid_ones_are_refused) {
  double value = 0;
  vise_array array = vise_array_of(&value, VISE_F64, 1, 1);
  vise_error err = VISE_ERROR_INIT;

  array.data = NULL;
  cr_assert_eq(vise_i_array_validate(&array, "x", &err), VISE_ERR_USAGE);
  cr_assert_str_eq(err.text, "x: the data pointer is NULL");

  array.data = &value;
  array.n_rows = SIZE_MAX;
  array.row_stride = SIZE_MAX / 2;
  cr_assert_eq(vise_i_array_validate(&array, "x", NULL), VISE_ERR_SHAPE);
  array.n_rows = 0;
  cr_assert_eq(vise_i_array_validate(&array, "x", NULL), VISE_ERR_SHAPE);

  array.n_rows = 1;
  array.dtype = (vise_dtype)99;
  cr_assert_eq(vise_i_array_validate(&array, "x", NULL), VISE_ERR_USAGE);
}

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/unit/model/rig.h"

static const size_t widths[] = {5, 7, 3, 0};

static double element(const vise_model *model, size_t tensor, size_t i) {
  double values[64];
  size_t rows, cols;
  cr_assert_eq(vise_model_tensor_shape(model, tensor, &rows, &cols, NULL), VISE_OK);
  cr_assert_eq(vise_model_get_tensor(model, tensor, values, rows * cols, NULL), VISE_OK);
  return values[i];
}

/* Reference values from a separate Philox4x32-10 and float32 arithmetic in NumPy. */
Test(initialize, draws_the_documented_numbers) {
  for (int single = 0; single <= 1; ++single) {
    vise_model *model = rig_model(widths, true, single ? VISE_F32 : VISE_F64);
    cr_assert_eq(vise_model_initialize(model, VISE_INIT_LINEAR, 42, NULL), VISE_OK);
    cr_assert(element(model, 0, 0) == 0x1.9dd638p-4);
    cr_assert(element(model, 0, 34) == 0x1.1c5076p-4);
    cr_assert(element(model, 1, 6) == -0x1.bf7bd4p-2);
    cr_assert(element(model, 2, 20) == 0x1.dac2d2p-4);

    cr_assert_eq(vise_model_initialize(model, VISE_INIT_LINEAR, ((uint64_t)1 << 40) + 3, NULL), VISE_OK);
    cr_assert(element(model, 3, 2) == 0x1.29fd6cp-3);

    cr_assert_eq(vise_model_initialize(model, VISE_INIT_HE, 42, NULL), VISE_OK);
    cr_assert(element(model, 2, 20) == 0x1.22bb06p-2);
    cr_assert(element(model, 1, 6) == 0);

    cr_assert_eq(vise_model_initialize(model, VISE_INIT_GLOROT, 42, NULL), VISE_OK);
    cr_assert(element(model, 2, 20) == 0x1.e67c3cp-3);
    cr_assert(element(model, 3, 0) == 0);

    cr_assert_eq(vise_model_initialize(model, VISE_INIT_ZEROS, 42, NULL), VISE_OK);
    for (size_t i = 0; i < 35; ++i) cr_assert(element(model, 0, i) == 0);
    vise_model_free(model);
  }
}

Test(initialize, fills_its_range_evenly) {
  static const size_t wide[] = {400, 300, 0};
  vise_model *model = rig_model(wide, true, VISE_F64);
  const double *w = vise_i_model_const_params(model);
  double bound = 1 / sqrt(400.0), sum = 0, squares = 0, largest = 0;

  for (size_t i = 0; i < 120000; ++i) {
    sum += w[i];
    squares += w[i] * w[i];
    largest = fmax(largest, fabs(w[i]));
  }

  EXPECT_NEAR(sum / 120000, 0, 5 * bound / sqrt(3 * 120000.0));
  EXPECT_NEAR(squares / 120000 / (bound * bound / 3), 1, 0.02);
  cr_assert(largest <= bound * (1 + 1e-7) && largest > 0.999 * bound);
  vise_model_free(model);
}

Test(initialize, seeds_differ_and_a_mask_holds) {
  vise_model *model = rig_model(widths, true, VISE_F32);
  double first = element(model, 0, 0);

  uint8_t mask[5 * 7 + 7 + 7 * 3 + 3];
  memset(mask, 1, sizeof mask);
  mask[3] = 0;
  cr_assert_eq(vise_model_set_mask(model, mask, sizeof mask, NULL), VISE_OK);

  cr_assert_eq(vise_model_initialize(model, VISE_INIT_LINEAR, 8, NULL), VISE_OK);
  cr_assert(element(model, 0, 0) != first);
  cr_assert(element(model, 0, 3) == 0);
  cr_assert_eq(vise_model_initialize(model, (vise_init_scheme)77, 8, NULL), VISE_ERR_USAGE);
  vise_model_free(model);
}

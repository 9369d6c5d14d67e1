#include "kernels/gather_bytes.h"

#include <criterion/criterion.h>
#include <math.h>

Test(gather_bytes, pixels_are_quotients_by_255) {
  float values[256], divisor, inverse;
  vise_k_gather_bytes(0, 255, values, &divisor, &inverse);
  cr_assert_eq(divisor, 255.0f);
  for (int i = 0; i < 256; i++) {
    cr_assert_eq(values[i], (float)(i / 255.0));
    cr_assert_eq(vise_k_byte_quotient((float)i, divisor, inverse), values[i]);
  }
}

Test(gather_bytes, values_without_scaling_are_the_bytes) {
  float values[256], divisor, inverse;
  vise_k_gather_bytes(0, 1, values, &divisor, &inverse);
  cr_assert_eq(divisor, 1.0f);
  for (int i = 0; i < 256; i++) cr_assert_eq(values[i], (float)i);
}

Test(gather_bytes, divides_only_where_the_bits_are_the_same) {
  int n_divided = 0;
  for (int k = 1; k < 4000; k++) {
    const double scale = k * 0.37, shift = k % 3 == 0 ? 0 : 33.31;
    float values[256], divisor, inverse;

    vise_k_gather_bytes(shift, scale, values, &divisor, &inverse);
    n_divided += divisor != 0;
    for (int i = 0; i < 256; i++) {
      cr_assert_eq(values[i], (float)((i - shift) / scale));
      if (divisor != 0) cr_assert_eq(vise_k_byte_quotient((float)i, divisor, inverse), values[i]);
    }
    cr_assert(divisor == 0 || shift == 0);
    cr_assert_eq(divisor == 0, inverse == 0);
  }

  for (int k = 1; k <= 1000; k++) {
    float values[256], divisor, inverse;
    vise_k_gather_bytes(0, k, values, &divisor, &inverse);
    cr_expect_eq(divisor, (float)k, "scale %d is not divided by", k);
  }

  cr_assert_lt(n_divided, 3999);
}

Test(gather_bytes, unusable_scales_leave_the_table) {
  static const double scales[] = {0.0, INFINITY, 1e300, 1e-300, NAN};
  for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
    float values[256], divisor, inverse;
    vise_k_gather_bytes(1, scales[s], values, &divisor, &inverse);
    cr_expect_eq(divisor, 0.0f, "scale %g", scales[s]);
  }
}

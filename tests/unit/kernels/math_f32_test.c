#include "kernels/math_f32.cuh"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>

static double sigmoid(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static float exp_f32(float x) {
  return vise_exp_f32(x);
}
static float log_f32(float x) {
  return vise_log_f32(x);
}
static float log1p_f32(float x) {
  return vise_log1p_f32(x);
}
static float tanh_f32(float x) {
  return vise_tanh_f32(x);
}
static float erf_f32(float x) {
  return vise_erf_f32(x);
}
static float sigmoid_f32(float x) {
  return vise_sigmoid_f32(x);
}
static float expm1_f32(float x) {
  return x >= 0 ? (float)expm1((double)x) : vise_expm1_f32(x); /* not meant for these */
}

/* The bounds that kernels/math_f32.cuh states. */
static const struct {
  const char *name;
  float (*function)(float);
  double (*exact)(double);
  double max_ulp;
} functions[] = {
    {"exp", exp_f32, exp, 0.892},       {"log", log_f32, log, 0.917}, {"log1p", log1p_f32, log1p, 1.451},
    {"tanh", tanh_f32, tanh, 1.363},    {"erf", erf_f32, erf, 1.096}, {"sigmoid", sigmoid_f32, sigmoid, 1.48},
    {"expm1", expm1_f32, expm1, 0.950},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

/* Distance from the exact value in units of the last place of a float there; 0 where both are NaN or the rounded value
   is met exactly, infinite where only one is NaN or infinite or the sign of a zero is wrong. */
static double error_ulp(float got, double exact) {
  const float rounded = (float)exact;
  if (isnan(got) || isnan(exact)) return isnan(got) && isnan(exact) ? 0 : INFINITY;
  if (isinf(got) || isinf(rounded)) return got == rounded ? 0 : INFINITY;
  if (exact == 0) return got == 0 && (signbit(got) != 0) == (signbit(exact) != 0) ? 0 : INFINITY;
  int exponent;
  frexp(exact, &exponent);
  return fabs(got - exact) / ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

Test(math_f32, error_ulp_sees_what_is_wrong) {
  cr_assert_eq(error_ulp(1.0f, 1.0), 0);
  cr_assert_eq(error_ulp(nextafterf(1.0f, 2.0f), 1.0), 1);
  cr_assert_eq(error_ulp(0x3p-149f, 0x1p-149), 2);
  cr_assert_eq(error_ulp(NAN, 1.0), INFINITY);
  cr_assert_eq(error_ulp(1.0f, NAN), INFINITY);
  cr_assert_eq(error_ulp(-0.0f, 0.0), INFINITY);
  cr_assert_eq(error_ulp(0x1.fffffep127f, 1e39), INFINITY);
}

Test(math_f32, is_within_its_bound_at_every_exponent) {
  for (int f = 0; f < N_FUNCTIONS; f++) {
    double worst = 0;
    uint32_t worst_at = 0;

    for (uint32_t high = 0; high < 512; high++) {
      /* An odd stride that includes both ends of the mantissa range. */
      for (uint32_t m = 0; m <= 0x7fffff; m = m == 0x7fffff || m + 2049 <= 0x7fffff ? m + 2049 : 0x7fffff) {
        const uint32_t bits = high << 23 | m;
        const float x = vise_f32_bits(bits);
        const double error = error_ulp(functions[f].function(x), functions[f].exact((double)x));
        if (!(error <= worst)) {
          worst = error;
          worst_at = bits;
        }
      }
    }

    cr_expect(worst <= functions[f].max_ulp, "%s(%a): %g ulp, at most %g", functions[f].name, vise_f32_bits(worst_at),
              worst, functions[f].max_ulp);
    cr_expect_gt(worst, 0.5, "%s: %g ulp; does the test measure?", functions[f].name, worst);
  }
}

/* Every float near where branches meet and where results overflow or underflow. */
Test(math_f32, is_within_its_bound_around_its_seams) {
  static const float seams[] = {
      0.63f, 0.92f,       4.0f,        88.7228394f,  -87.3365479f, -103.972084f, -104.0f,         89.0f,
      1.0f,  0.70710678f, 1.41421356f, -0.29289322f, 0.41421356f,  -1.0f,        0x1p-126f,       0x1p25f,
      9.0f,  -16.635532f, 2.0f,        0x1p-149f,    0.34657359f,  -0.5f,        0x1.fffffep127f, 1.03972077f};

  for (int f = 0; f < N_FUNCTIONS; f++) {
    for (size_t s = 0; s < sizeof seams / sizeof *seams; s++) {
      const uint32_t middle = vise_bits_f32(seams[s]);
      for (uint32_t bits = middle - 3000; bits != middle + 3000; bits++) {
        for (uint32_t sign = 0; sign < 2; sign++) {
          const float x = vise_f32_bits(bits ^ sign << 31);
          const double error = error_ulp(functions[f].function(x), functions[f].exact((double)x));
          cr_assert(error <= functions[f].max_ulp, "%s(%a): %g ulp", functions[f].name, x, error);
        }
      }
    }
  }
}

Test(math_f32, special_values_are_those_of_c) {
  static const float values[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN,       -NAN,
                                 1.0f, -1.0f, -2.0f,    0x1p-149f, -0x1p-149f};

  for (int f = 0; f < N_FUNCTIONS; f++) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      const float got = functions[f].function(values[i]), expected = (float)functions[f].exact((double)values[i]);
      if (isnan(expected)) {
        cr_expect(isnan(got), "%s(%a) = %a", functions[f].name, values[i], got);
      } else if (expected == 0 || isinf(expected)) {
        cr_expect(got == expected && (signbit(got) != 0) == (signbit(expected) != 0), "%s(%a) = %a, expected %a",
                  functions[f].name, values[i], got, expected);
      } else {
        const double error = error_ulp(got, functions[f].exact((double)values[i]));
        cr_expect(error <= functions[f].max_ulp, "%s(%a) = %a", functions[f].name, values[i], got);
      }
    }
  }

  cr_expect_eq(vise_exp_f32(0), 1.0f);
  cr_expect_eq(vise_log_f32(1), 0.0f);
  cr_expect_eq(vise_sigmoid_f32(0), 0.5f);
}

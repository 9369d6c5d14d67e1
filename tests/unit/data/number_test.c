/* Decimal text to double: the same bits as strtod, and nothing but decimal numbers. */
#include <locale.h>
#include <stdio.h>

#include "data_support.h"
#include "tests/support/random.h"

static void each_number(locale_t c) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "1",
                                      "+1",
                                      "-1",
                                      ".5",
                                      "5.",
                                      "0.1",
                                      "1e3",
                                      "1E-3",
                                      "1e+22",
                                      "1e23",
                                      "123456789012345678",
                                      "9007199254740993",
                                      "9007199254740992",
                                      "0.30000000000000004",
                                      "1.7976931348623157e308",
                                      "2.2250738585072014e-308",
                                      "4.9406564584124654e-324",
                                      "1e-400",
                                      "3.1415926535897932384626433832795",
                                      "000000000000000000000000000012.5",
                                      "0.000000000000000000000000000000000000000125",
                                      "12345678901234567890",
                                      "99999999999999999999999999e-20",
                                      "8.5e22",
                                      "8.5e-22",
                                      "1e22",
                                      "1e-22",
                                      "0e999999999",
                                      "6.02214076e23",
                                      "1.0000000000000002"};

  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    double got = NAN;
    const double ref = strtod(texts[k], NULL);
    cr_assert_eq(vise_i_number_parse(texts[k], strlen(texts[k]), c, &got), VISE_I_NUMBER, "%s", texts[k]);
    cr_assert(memcmp(&got, &ref, sizeof got) == 0, "%s: got %.17g, expected %.17g", texts[k], got, ref);
  }
}

Test(number, equals_strtod_bit_for_bit) {
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  each_number(c);

  uint64_t state = 1;
  for (int k = 0; k < 200000; k++) {
    char text[64];
    double v, got = NAN;

    const uint64_t bits = (uint64_t)rig_draw(&state) << 32 | rig_draw(&state);
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) continue;
    if (k % 2 == 0) v = (double)(int64_t)(bits >> 40) / 1000.0;
    snprintf(text, sizeof text, k % 3 == 0 ? "%.17g" : (k % 3 == 1 ? "%.6g" : "%.15e"), v);

    const double ref = strtod(text, NULL);
    if (!isfinite(ref)) continue;
    cr_assert_eq(vise_i_number_parse(text, strlen(text), c, &got), VISE_I_NUMBER, "%s", text);
    cr_assert(memcmp(&got, &ref, sizeof got) == 0, "%s: got %.17g, expected %.17g", text, got, ref);
  }
  freelocale(c);
}

Test(number, refuses_what_is_not_a_decimal_number) {
  static const char *const not_numbers[] = {"",  "a", "1a",  "0x10",  "1,5",    "1 2",     "--1",   "e5", "1e",
                                            ".", "+", "1e+", "1_000", "nan(1)", "infinit", "1.2.3", "1f", "-"};
  static const char *const not_finite[] = {"nan", "NaN", "-nan", "inf", "-Inf", "+INFINITY", "1e999", "-1e400"};
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  double v;

  for (size_t k = 0; k < sizeof not_numbers / sizeof not_numbers[0]; k++) {
    cr_expect_eq(vise_i_number_parse(not_numbers[k], strlen(not_numbers[k]), c, &v), VISE_I_NOT_A_NUMBER, "\"%s\"",
                 not_numbers[k]);
  }

  for (size_t k = 0; k < sizeof not_finite / sizeof not_finite[0]; k++) {
    cr_expect_eq(vise_i_number_parse(not_finite[k], strlen(not_finite[k]), c, &v), VISE_I_NOT_FINITE, "\"%s\"",
                 not_finite[k]);
  }
  freelocale(c);
}

Test(number, ignores_the_locale_of_the_process) {
  /* Any locale with a decimal comma, if one is installed. */
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
  for (size_t k = 0; k < 4 && setlocale(LC_ALL, names[k]) == NULL; k++) {
  }

  static const char text[] = "1.5,0.30000000000000004\n2.5,0.1000000000000000055511151231257827\n";
  vise_error err = VISE_ERROR_INIT;
  vise_i_csv csv;

  EXPECT_OK(vise_i_csv_parse("x.csv", (const uint8_t *)text, sizeof text - 1, NULL, false, &csv, &err), err);
  EXPECT_NEAR(vise_i_array_get(&csv.features.array, 0, 0), 1.5, 0);
  EXPECT_NEAR(vise_i_array_get(&csv.targets.array, 0, 0), 0.30000000000000004, 0);
  EXPECT_NEAR(vise_i_array_get(&csv.targets.array, 1, 0), 0.1, 0);
  free(csv.features.memory);
  free(csv.targets.memory);
}

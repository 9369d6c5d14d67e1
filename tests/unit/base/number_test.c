/* Decimal text to double: the same bits as strtod, and nothing but decimal numbers. */
#include "host/base/number.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void each_number(void) {
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
                                      "1.0000000000000002",
                                      "9007199254740993e-3",
                                      "0.49671415301123265",
                                      "1e27",
                                      "18446744073709551615e-27",
                                      "9999999999999999999e27",
                                      "0000000000000000000000"};

  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    double got = NAN;
    const double ref = strtod(texts[k], NULL);
    cr_assert_eq(vise_i_number_parse(texts[k], strlen(texts[k]), &got), VISE_I_NUMBER, "%s", texts[k]);
    cr_assert(memcmp(&got, &ref, sizeof got) == 0, "%s: got %.17g, expected %.17g", texts[k], got, ref);
  }
}

Test(number, equals_strtod_bit_for_bit) {
  each_number();

  uint64_t state = 1;
  for (int k = 0; k < 200000; k++) {
    char text[64];
    double v, got = NAN;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    memcpy(&v, &state, sizeof v);
    if (!isfinite(v)) continue;
    if (k % 2 == 0) v = (double)(int64_t)(state >> 40) / 1000.0;
    snprintf(text, sizeof text, k % 3 == 0 ? "%.17g" : (k % 3 == 1 ? "%.6g" : "%.15e"), v);

    const double ref = strtod(text, NULL);
    if (!isfinite(ref)) continue;
    cr_assert_eq(vise_i_number_parse(text, strlen(text), &got), VISE_I_NUMBER, "%s", text);
    cr_assert(memcmp(&got, &ref, sizeof got) == 0, "%s: got %.17g, expected %.17g", text, got, ref);
  }
}

Test(number, refuses_what_is_no_decimal_number) {
  static const char *const not_numbers[] = {"",  "a", "1a",  "0x10",  "1,5",    "1 2",     "--1",   "e5", "1e",
                                            ".", "+", "1e+", "1_000", "nan(1)", "infinit", "1.2.3", "1f", "-"};
  static const char *const not_finite[] = {"nan", "NaN", "-nan", "inf", "-Inf", "+INFINITY", "1e999", "-1e400"};
  double v;

  for (size_t k = 0; k < sizeof not_numbers / sizeof not_numbers[0]; k++) {
    cr_expect_eq(vise_i_number_parse(not_numbers[k], strlen(not_numbers[k]), &v), VISE_I_NOT_A_NUMBER, "\"%s\"",
                 not_numbers[k]);
  }

  for (size_t k = 0; k < sizeof not_finite / sizeof not_finite[0]; k++) {
    cr_expect_eq(vise_i_number_parse(not_finite[k], strlen(not_finite[k]), &v), VISE_I_NOT_FINITE, "\"%s\"",
                 not_finite[k]);
  }
}

/* Halfway cases, and their neighbours: the hardest to round. */
Test(number, rounds_halfway_cases_as_strtod) {
  uint64_t state = 7;

  for (int k = 0; k < 100000; k++) {
    char text[1200];
    double got = NAN;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const double low = (double)(state >> 11) * (k % 2 == 0 ? 1 : 0x1p-40);
    const long double half = ((long double)low + (long double)nextafter(low, INFINITY)) / 2;
    snprintf(text, sizeof text, k % 3 == 0 ? "%.80Lf" : "%.18Le", half);
    if (k % 4 == 0) text[strlen(text) - 1] = '1';

    const double ref = strtod(text, NULL);
    cr_assert_eq(vise_i_number_parse(text, strlen(text), &got), VISE_I_NUMBER, "%s", text);
    cr_assert(memcmp(&got, &ref, sizeof got) == 0, "%s: got %.17g, expected %.17g", text, got, ref);
  }
}

Test(number, reads_texts_of_any_length) {
  enum { N = 3000 };
  char text[N + 8];
  double got = 0;

  memset(text, '0', N);
  text[1] = '.';
  strcpy(text + N, "1e2999");
  cr_assert_eq(vise_i_number_parse(text, strlen(text), &got), VISE_I_NUMBER);
  cr_assert(got == strtod(text, NULL) && got > 0);

  memset(text, '9', N);
  strcpy(text + N, "e-3000");
  cr_assert_eq(vise_i_number_parse(text, strlen(text), &got), VISE_I_NUMBER);
  cr_assert(got == 1);
}

Test(number, takes_a_decimal_comma_when_told) {
  double v = 0;
  const char *text = "-1,5;2";
  cr_assert(vise_i_number_read(text, ',', &v) == text + 4 && v == -1.5);
  cr_assert(vise_i_number_read(text, '.', &v) == text + 2 && v == -1);
  cr_assert(vise_i_number_read("e5", '.', &v) == NULL && vise_i_number_read("1e", '.', &v) == NULL);
}

Test(number, text_is_the_shortest_that_reads_again) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{1, "1"}, {-3, "-3"}, {0.1, "0.1"}, {1e300, "1e+300"}, {0.1 + 0.2, "0.30000000000000004"}, {2.5, "2.5"}};
  char buffer[VISE_I_NUMBER_BYTES];
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    cr_expect_str_eq(vise_i_number_text(buffer, cases[k].value), cases[k].text);
  }
}

static void reads_as(const char *text, double expected) {
  double v = NAN;
  cr_assert_eq(vise_i_number_parse(text, strlen(text), &v), VISE_I_NUMBER);
  cr_assert(v == expected, "%s: got %.17g", text, v);
}

Test(number, ignores_the_locale_of_the_process) {
  /* Any locale with a decimal comma, where there is one. */
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
  for (size_t k = 0; k < 4 && setlocale(LC_ALL, names[k]) == NULL; k++) {
  }
  reads_as("1.5", 1.5);
  reads_as("0.30000000000000004", 0.30000000000000004);
  reads_as("0.1000000000000000055511151231257827", 0.1);
}

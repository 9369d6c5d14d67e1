/* The Sobol sequence against SciPy's (tests/golden/make_sobol.py). */
#include "host/sweep/sobol.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>

static json_t *golden;

static void load(void) {
  json_error_t error;
  golden = json_load_file(VISE_SOURCE_DIR "/tests/golden/sobol.json", 0, &error);
  cr_assert_not_null(golden, "%s", error.text);
}

static void unload(void) {
  json_decref(golden);
}

TestSuite(sobol, .init = load, .fini = unload);

static uint64_t integer_at(const json_t *array, size_t i) {
  return (uint64_t)json_integer_value(json_array_get(array, i));
}

Test(sobol, points_are_those_of_scipy) {
  const json_t *points = json_object_get(golden, "points"), *dimensions = json_object_get(golden, "dimensions");
  const json_t *words = json_object_get(golden, "words");

  cr_assert(json_array_size(points) == 7 && json_array_size(dimensions) == 6);
  for (size_t p = 0; p < 7; p++) {
    for (size_t d = 0; d < 6; d++) {
      const uint32_t i = (uint32_t)integer_at(points, p), got = vise_i_sobol(i, (size_t)integer_at(dimensions, d));
      cr_expect_eq(got, integer_at(json_array_get(words, p), d), "point %" PRIu32 ", place %zu: %" PRIu32, i, d, got);
    }
  }
}

Test(sobol, all_direction_numbers_are_those_of_scipy) {
  const json_t *words = json_object_get(golden, "late_words");
  const uint32_t late = (uint32_t)json_integer_value(json_object_get(golden, "late"));

  cr_assert_eq(json_array_size(words), VISE_I_SOBOL_MAX_DIMENSIONS);
  for (size_t d = 0; d < VISE_I_SOBOL_MAX_DIMENSIONS; d++) {
    cr_expect_eq(vise_i_sobol(late, d), integer_at(words, d), "dimension %zu", d);
  }
}

Test(sobol, the_first_1024_are_those_of_scipy) {
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  char text[24];
  for (uint32_t i = 0; i < 1024; i++) {
    for (size_t d = 0; d < VISE_I_SOBOL_MAX_DIMENSIONS; d++) {
      sum = (sum ^ vise_i_sobol(i, d)) * UINT64_C(0x100000001b3);
    }
  }
  snprintf(text, sizeof text, "%016" PRIx64, sum);
  cr_expect_str_eq(text, json_string_value(json_object_get(golden, "checksum")));
}

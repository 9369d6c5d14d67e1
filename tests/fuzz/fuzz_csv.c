/* Fuzz target: the CSV reader (gzip data or not), with several choices of targets. */
#include "fuzz.h"
#include "host/data/reader.h"

static void parse(const uint8_t *bytes, size_t n, const char *target, bool target_optional) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_csv csv = {0};
  const vise_status status = vise_i_csv_parse("fuzz", bytes, n, target, target_optional, &csv, &err);
  fuzz_check_status(status, &err);

  if (status != VISE_OK) {
    FUZZ_CHECK(csv.features.memory == NULL && csv.targets.memory == NULL);
    return;
  }

  fuzz_check_array(&csv.features.array);
  if (csv.targets.array.n_cols > 0) {
    fuzz_check_array(&csv.targets.array);
    FUZZ_CHECK(csv.targets.array.n_rows == csv.features.array.n_rows);
  }
  FUZZ_CHECK(csv.first_line > 0);

  free(csv.features.memory);
  free(csv.targets.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  parse(bytes, n, NULL, false);
  parse(bytes, n, "", false);
  parse(bytes, n, "y,-2", true);
  return 0;
}

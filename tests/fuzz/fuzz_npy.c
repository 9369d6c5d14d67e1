/* Fuzz target: the reader of NPY (gzip data or not). */
#include "fuzz.h"
#include "host/data/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_table table = {0};
  const vise_status status = vise_i_npy_parse("fuzz", bytes, n, &table, &err);
  fuzz_check_status(status, &err);
  if (status != VISE_OK) {
    FUZZ_CHECK(table.memory == NULL);
    return 0;
  }
  fuzz_check_array(&table.array);
  free(table.memory);
  return 0;
}

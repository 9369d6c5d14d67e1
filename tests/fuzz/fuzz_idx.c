/* Fuzz target: the IDX reader (gzip data or not). */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  fuzz_table(vise_i_idx_parse, bytes, n);
  return 0;
}

/* Fuzz target: the reader of libsvm files. */
#include "fuzz.h"
#include "fuzz_preprocessing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  vise_table_options options;
  vise_table_options_init(&options);
  options.max_bytes = 1 << 22;

  const vise_status status =
      vise_table_parse("fuzz.svm", n > 0 ? bytes : (const uint8_t *)"", n, &options, &table, &err);
  fuzz_check_status(status, &err);
  if (status == VISE_OK && vise_table_n_columns(table) < 1000) fuzz_preprocess(table);

  vise_table_free(table);
  return 0;
}

/* Fuzz target: the reader of delimited text under several options; then fitting, converting and JSON of what it read. */
#include <string.h>

#include "fuzz.h"
#include "fuzz_preprocessing.h"

static void read_table(const uint8_t *bytes, size_t n, const vise_table_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  const vise_status status = vise_table_parse("fuzz", n > 0 ? bytes : (const uint8_t *)"", n, options, &table, &err);
  fuzz_check_status(status, &err);
  FUZZ_CHECK((status == VISE_OK) == (table != NULL));
  if (table != NULL) fuzz_preprocess(table);
  vise_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  vise_table_options options;
  vise_table_options_init(&options);
  read_table(bytes, n, &options);

  options.header = VISE_HEADER_NO;
  options.comment = '#';
  options.na = "x,-1";
  options.strip = "$%";
  read_table(bytes, n, &options);

  vise_table_options_init(&options);
  options.header = VISE_HEADER_YES;
  options.decimal = ',';
  options.categorical = "0";
  options.skip_lines = 1;
  read_table(bytes, n, &options);
  return 0;
}

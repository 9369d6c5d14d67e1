/* Fuzz target: the JSON of a preprocessor, and applying what it says to tables. */
#include "fuzz.h"
#include "fuzz_preprocessing.h"

static void apply(const vise_preprocessor *p, const char *text) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  vise_transformed *made = NULL;
  vise_table_options options;
  vise_table_options_init(&options);
  options.like = p;

  vise_status status = vise_table_parse("fuzz", text, strlen(text), &options, &table, &err);
  if (status == VISE_OK) status = vise_preprocessor_transform(p, table, NULL, &made, &err);
  fuzz_check_status(status, &err);
  if (status == VISE_OK) fuzz_check_transformed(made);

  vise_transformed_free(made);
  vise_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  vise_preprocessor *p = NULL;
  char *text = malloc(n + 1), *again = NULL;

  FUZZ_CHECK(text != NULL);
  if (n > 0) memcpy(text, bytes, n);
  text[n] = '\0';

  const vise_status status = vise_preprocessor_from_json(text, &p, &err);
  fuzz_check_status(status, &err);
  if (status == VISE_OK) {
    char name[64];
    FUZZ_CHECK(vise_preprocessor_to_json(p, &again, &err) == VISE_OK);
    for (size_t i = 0; i < vise_preprocessor_n_inputs(p); i++) vise_preprocessor_input_name(p, i, name, sizeof name);
    apply(p, "a,b,day,color,y\n1,2,2026-01-01,red,u\n,,,,v\n");
    apply(p, "1,2,3,4,5\n2,3,4,5,6\n");
  }

  vise_preprocessor_free(p);
  free(text);
  free(again);
  return 0;
}

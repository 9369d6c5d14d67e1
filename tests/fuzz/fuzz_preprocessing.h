/* What is done with every table that a fuzz target reads. */
#ifndef VISE_FUZZ_PREPROCESSING_H
#define VISE_FUZZ_PREPROCESSING_H

#include <string.h>

#include "fuzz.h"
#include "vise/vise.h"

/* Inputs are finite, and targets as well. */
static inline void fuzz_check_transformed(const vise_transformed *made) {
  const vise_array x = vise_transformed_features(made), y = vise_transformed_targets(made);
  fuzz_check_array(&x);
  if (y.n_cols > 0) fuzz_check_array(&y);
}

/* Every field can be asked for. */
static inline void fuzz_check_fields(const vise_table *table) {
  for (size_t r = 0; r < vise_table_n_rows(table); r++) {
    for (size_t c = 0; c < vise_table_n_columns(table); c++) {
      double number;
      const char *text;

      if (vise_table_column_kind(table, c) == VISE_COLUMN_TEXT) {
        FUZZ_CHECK(vise_table_text(table, r, c, &text, NULL) == VISE_OK);
      } else {
        FUZZ_CHECK(vise_table_number(table, r, c, &number, NULL) == VISE_OK);
      }
    }
  }
}

/* fit, to JSON, from JSON, convert: each works or says why not, and the JSON is exact. */
static inline void fuzz_preprocess(vise_table *table) {
  vise_error err = VISE_ERROR_INIT;
  vise_preprocessor *p = NULL, *q = NULL;
  vise_transformed *made = NULL;
  char *first = NULL, *second = NULL;
  fuzz_check_fields(table);
  vise_status status = vise_preprocessor_fit(table, NULL, NULL, 0, &p, &err);
  fuzz_check_status(status, &err);
  if (status != VISE_OK) return;

  FUZZ_CHECK(vise_preprocessor_to_json(p, &first, &err) == VISE_OK);
  FUZZ_CHECK(vise_preprocessor_from_json(first, &q, &err) == VISE_OK);
  FUZZ_CHECK(vise_preprocessor_to_json(q, &second, &err) == VISE_OK);
  FUZZ_CHECK(strcmp(first, second) == 0);
  status = vise_preprocessor_transform(q, table, NULL, &made, &err);
  fuzz_check_status(status, &err);
  if (status == VISE_OK) fuzz_check_transformed(made);

  vise_transformed_free(made);
  vise_preprocessor_free(p);
  vise_preprocessor_free(q);
  free(first);
  free(second);
}

#endif

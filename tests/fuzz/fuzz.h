/* What the fuzz targets share. */
#ifndef VISE_FUZZ_H
#define VISE_FUZZ_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "host/base/array.h"
#include "host/data/reader.h"
#include "vise/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A false condition is a finding. */
#define FUZZ_CHECK(condition)  \
  do {                         \
    if (!(condition)) abort(); \
  } while (0)

/* A failure must leave its code and a text. */
static inline void fuzz_check_status(vise_status status, const vise_error *err) {
  if (status == VISE_OK) {
    FUZZ_CHECK(err->code == VISE_OK);
  } else {
    FUZZ_CHECK(err->code == status && err->text[0] != 0 && status != VISE_ERR_INTERNAL);
  }
}

/* Every value must be there and be finite. */
static inline void fuzz_check_array(const vise_array *array) {
  FUZZ_CHECK(array->n_rows > 0 && array->n_cols > 0);
  for (size_t r = 0; r < array->n_rows; r++) {
    for (size_t c = 0; c < array->n_cols; c++) FUZZ_CHECK(isfinite(vise_i_array_get(array, r, c)));
  }
}

/* Fuzzes a reader of one table. */
static inline void fuzz_table(vise_status (*parse)(const char *name, const uint8_t *bytes, size_t n, vise_i_table *out,
                                                   vise_error *err),
                              const uint8_t *bytes, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_table table = {0};
  const vise_status status = parse("fuzz", bytes, n, &table, &err);
  fuzz_check_status(status, &err);
  if (status != VISE_OK) {
    FUZZ_CHECK(table.memory == NULL);
    return;
  }
  fuzz_check_array(&table.array);
  free(table.memory);
}

#endif

/* Datasets of tables: the arrays that a preprocessor made, taken over. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/array.h"
#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/data/storage.h"
#include "vise/preprocessor.h"

/* The rows of array that transformed was made of, as doubles in C order. */
static vise_status pick_rows(const vise_array *array, const vise_transformed *transformed, vise_i_table *out,
                             vise_error *err) {
  const size_t n_rows = vise_transformed_counts(transformed).n_rows, n_cols = array->n_cols;
  const size_t *rows = vise_transformed_rows(transformed);
  double *values = NULL;
  size_t n_values;
  if (!vise_i_size_mul(n_rows, n_cols, &n_values)) return vise_i_fail_memory(err, SIZE_MAX, "rows of an array");
  const vise_status status = vise_i_alloc(&values, n_values, sizeof *values, "rows of an array", err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < n_rows; i++) {
    const size_t row = rows != NULL ? rows[i] : i;
    for (size_t c = 0; c < n_cols; c++) values[i * n_cols + c] = vise_i_array_get(array, row, c);
  }
  *out = (vise_i_table){values, vise_array_of(values, VISE_F64, n_rows, n_cols)};
  return VISE_OK;
}

static vise_status check_array(const vise_array *array, size_t n_rows, const char *what, vise_error *err) {
  vise_status status = vise_i_array_validate(array, what, err);
  if (status == VISE_OK) status = vise_i_check_finite(array, what, err);
  if (status != VISE_OK || array->n_rows == n_rows) return status;
  return vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu rows, but the table has %zu", what, array->n_rows, n_rows);
}

vise_status vise_dataset_from_transformed(vise_transformed *transformed, const vise_array *targets,
                                          const vise_array *row_weights, vise_dataset **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_storage parts = {0};
  vise_i_table weights = {0};
  VISE_ENTER(err, transformed, out);

  const size_t n_table_rows = vise_transformed_n_table_rows(transformed);
  const char *name = vise_transformed_name(transformed);
  parts.features.array = vise_transformed_features(transformed);
  parts.targets.array = vise_transformed_targets(transformed);

  if (targets != NULL) {
    VISE_TRY(check_array(targets, n_table_rows, "targets", err));
    VISE_TRY(pick_rows(targets, transformed, &parts.targets, err));
  }
  if (row_weights != NULL) {
    VISE_TRY(check_array(row_weights, n_table_rows, "row weights", err));
    VISE_TRY(pick_rows(row_weights, transformed, &weights, err));
    VISE_TRY(vise_i_row_weights(&weights.array, weights.array.n_rows, "row weights", &parts.row_weights, err));
  }

  parts.transformed = transformed;
  transformed = NULL;
  status = vise_i_dataset_make(&parts, name, name, out, err);
  parts = (vise_i_storage){0}; /* taken over, also on failure */

done:
  free(weights.memory);
  free(parts.targets.memory);
  free(parts.row_weights);
  vise_transformed_free(transformed);
  return status;
}

vise_status vise_file_kind_of(const char *path, vise_file_kind *out, vise_error *err) {
  struct stat info;
  vise_i_input input;
  VISE_ENTER(err, path, out);

  /* A pipe can be read only once, and then it is a table. */
  const bool is_stream =
      strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
  if (is_stream) {
    *out = VISE_FILE_TABLE;
    return VISE_OK;
  }

  const vise_status status = vise_i_input_open(&input, path, err);
  if (status != VISE_OK) return status;
  *out = input.kind == VISE_I_KIND_NPY   ? VISE_FILE_NPY
         : input.kind == VISE_I_KIND_IDX ? VISE_FILE_IDX
                                         : VISE_FILE_TABLE;
  vise_i_input_close(&input);
  return VISE_OK;
}

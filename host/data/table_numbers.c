/* Tables as arrays: for files of targets and of row weights, and for models of arrays. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/data/reader.h"

/* "x.csv:17: column 2 ("age")" for a message. */
enum { PLACE_BYTES = 512 };

static const char *place(char buffer[PLACE_BYTES], const vise_table *table, size_t row, size_t column) {
  char quote[VISE_I_QUOTE_BYTES];
  const char *name = vise_table_column_name(table, column);
  const int n =
      snprintf(buffer, PLACE_BYTES, "%s:%zu: column %zu", vise_table_name(table), vise_table_line(table, row), column);
  if (n < 0 || n >= PLACE_BYTES) return buffer;
  if (name != NULL) {
    snprintf(buffer + n, PLACE_BYTES - (size_t)n, " (\"%s\")", vise_i_quote(quote, name, strlen(name)));
  } else {
    snprintf(buffer + n, PLACE_BYTES - (size_t)n, " (from 0)");
  }
  return buffer;
}

/* A field of a column of text, which may be numbers in quotes. */
static vise_status number_of_text(const vise_table *table, size_t row, size_t column, double *out, vise_error *err) {
  char where[PLACE_BYTES], quote[VISE_I_QUOTE_BYTES];
  const char *text = NULL;
  const vise_status status = vise_table_text(table, row, column, &text, err);
  if (status != VISE_OK) return status;

  *out = NAN;
  if (text == NULL || vise_i_number_parse(text, strlen(text), out) != VISE_I_NOT_A_NUMBER) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "%s: \"%s\" is not a number, as every value must be here; text, and names of classes, are read as "
                     "columns of a table to train on, with `target`",
                     place(where, table, row, column), vise_i_quote(quote, text, strlen(text)));
}

static vise_status number_at(const vise_table *table, size_t row, size_t column, double *out, vise_error *err) {
  char where[PLACE_BYTES];
  vise_status status = VISE_OK;

  switch (vise_table_column_kind(table, column)) {
    case VISE_COLUMN_NUMBER:
      status = vise_table_number(table, row, column, out, err);
      break;
    case VISE_COLUMN_TEXT:
      status = number_of_text(table, row, column, out, err);
      break;
    default:
      return vise_i_fail(err, VISE_ERR_VALUE, "%s: holds dates; every value must be a number here",
                         place(where, table, row, column));
  }
  if (status != VISE_OK || fabs(*out) <= FLT_MAX) return status;
  return vise_i_fail(err, VISE_ERR_VALUE, "%s: %s", place(where, table, row, column),
                     isnan(*out) ? "the field is empty or marks a gap; fill it in or drop the row"
                                 : "the number is infinite, or beyond the range of float32 (3.4e38)");
}

/* Row after row, so that the first bad field in the file is the one that is told. */
static vise_status fill(const vise_table *table, const int32_t *slots, double *features, double *targets,
                        size_t n_targets, vise_error *err) {
  const size_t n_rows = vise_table_n_rows(table), n_cols = vise_table_n_columns(table);

  for (size_t r = 0; r < n_rows; r++) {
    for (size_t c = 0; c < n_cols; c++) {
      double v = 0;
      const vise_status status = number_at(table, r, c, &v, err);
      if (status != VISE_OK) return status;
      if (slots[c] < 0) {
        *features++ = v;
      } else {
        targets[r * n_targets + (size_t)slots[c]] = v;
      }
    }
  }
  return VISE_OK;
}

static vise_status pick(const vise_table *table, const char *target, bool target_optional, int32_t *slots,
                        size_t *n_targets, vise_error *err) {
  vise_i_columns columns = {.file = vise_table_name(table), .n_cols = vise_table_n_columns(table)};
  const char **names = NULL;
  vise_status status = vise_i_alloc(&names, columns.n_cols, sizeof *names, "column names", err);
  if (status != VISE_OK) return status;

  for (size_t c = 0; c < columns.n_cols; c++) names[c] = vise_table_column_name(table, c);
  if (vise_table_has_names(table)) columns.names = names;
  status = vise_i_columns_pick(&columns, target, target_optional, slots, n_targets, err);
  free(names);
  return status;
}

static vise_status alloc_numbers(vise_i_table *out, size_t n_rows, size_t n_cols, vise_error *err) {
  size_t n;
  if (n_cols == 0) return VISE_OK;
  if (!vise_i_size_mul(n_rows, n_cols, &n)) return vise_i_fail_memory(err, SIZE_MAX, "a table");
  double *values = NULL;
  const vise_status status = vise_i_alloc(&values, n, sizeof *values, "a table", err);
  if (status == VISE_OK) *out = (vise_i_table){values, vise_array_of(values, VISE_F64, n_rows, n_cols)};
  return status;
}

vise_status vise_i_table_numbers(const vise_table *table, const char *target, bool target_optional,
                                 vise_i_columns_read *out, vise_error *err) {
  const size_t n_rows = vise_table_n_rows(table), n_cols = vise_table_n_columns(table);
  vise_i_columns_read made = {0};
  vise_status status = VISE_OK;
  int32_t *slots = NULL;
  size_t n_targets = 0;

  VISE_TRY(vise_i_alloc(&slots, n_cols, sizeof *slots, "columns", err));
  VISE_TRY(pick(table, target, target_optional, slots, &n_targets, err));
  VISE_TRY(alloc_numbers(&made.features, n_rows, n_cols - n_targets, err));
  VISE_TRY(alloc_numbers(&made.targets, n_rows, n_targets, err));
  VISE_TRY(fill(table, slots, made.features.memory, made.targets.memory, n_targets, err));

  vise_i_table_to_integers(&made.targets);
  const size_t first = vise_table_line(table, 0);
  made.first_line = vise_table_line(table, n_rows - 1) == first + n_rows - 1 ? first : 0;
  *out = made;
  made = (vise_i_columns_read){0};

done:
  free(slots);
  free(made.features.memory);
  free(made.targets.memory);
  return status;
}

void vise_i_table_to_integers(vise_i_table *table) {
  const vise_array *a = &table->array;
  const size_t n = a->n_rows * a->n_cols;
  double *values = table->memory;
  if (n == 0 || a->dtype != VISE_F64) return;

  for (size_t k = 0; k < n; k++) {
    if (!(fabs(values[k]) <= VISE_I_EXACT_INTEGERS && values[k] == nearbyint(values[k]))) return;
  }

  for (size_t k = 0; k < n; k++) {
    const int64_t v = (int64_t)values[k];
    memcpy(&values[k], &v, sizeof v);
  }
  table->array.dtype = VISE_I64;
}

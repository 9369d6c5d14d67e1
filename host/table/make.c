/* Tables from files, bytes and arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/array.h"
#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/table/read.h"
#include "host/table/table.h"

static vise_table_options default_options(void) {
  return (vise_table_options){.struct_size = sizeof(vise_table_options), .like_targets = true};
}

VISE_I_DEFINE_INIT(vise_table_options, max_bytes, default_options)

static vise_status complete_options(const vise_table_options *given, vise_table_options *options, vise_error *err) {
  *options = default_options();
  if (given == NULL) return VISE_OK;
  return vise_i_config_take(options, sizeof *options, given, "vise_table_options", err);
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* The name without the ending that says how it is packed. */
static size_t unpacked_length(const char *name) {
  static const char *const endings[] = {".gz", ".zst", ".xz", ".bz2"};
  const size_t n = strlen(name);
  for (size_t k = 0; k < sizeof endings / sizeof endings[0]; k++) {
    const size_t m = strlen(endings[k]);
    if (n > m && strcasecmp(name + n - m, endings[k]) == 0) return n - m;
  }
  return n;
}

static bool is_libsvm(const char *name) {
  static const char *const endings[] = {".svm", ".libsvm", ".svmlight"};
  const size_t n = unpacked_length(name);
  for (size_t k = 0; k < sizeof endings / sizeof endings[0]; k++) {
    const size_t m = strlen(endings[k]);
    if (n > m && strncasecmp(name + n - m, endings[k], m) == 0) return true;
  }
  return false;
}

static vise_status read_source(vise_i_source *source, const vise_table_options *options, vise_table **out,
                               vise_error *err) {
  const vise_status status = is_libsvm(source->name) ? vise_i_table_read_libsvm(source, options, out, err)
                                                     : vise_i_table_read_text(source, options, out, err);
  vise_i_source_close(source);
  return status;
}

vise_status vise_table_read(const char *path, const vise_table_options *options, vise_table **out, vise_error *err) {
  vise_i_source source;
  vise_table_options complete;
  VISE_ENTER(err, path, out);
  vise_status status = complete_options(options, &complete, err);
  if (status == VISE_OK) status = vise_i_source_open(&source, path, err);
  return status == VISE_OK ? read_source(&source, &complete, out, err) : status;
}

vise_status vise_table_parse(const char *name, const void *bytes, size_t n_bytes, const vise_table_options *options,
                             vise_table **out, vise_error *err) {
  vise_i_source source;
  vise_table_options complete;
  VISE_ENTER(err, name, bytes, out);
  vise_status status = complete_options(options, &complete, err);
  if (status == VISE_OK) status = vise_i_source_open_memory(&source, name, bytes, n_bytes, err);
  return status == VISE_OK ? read_source(&source, &complete, out, err) : status;
}

/* ---- columns in memory ---------------------------------------------------------------------------------------- */

vise_status vise_table_create(const char *name, size_t n_rows, vise_table **out, vise_error *err) {
  VISE_ENTER(err, out);
  if (n_rows == 0) return vise_i_fail(err, VISE_ERR_SHAPE, "%s: a table needs rows", name != NULL ? name : "table");
  const vise_status status = vise_i_table_make(name != NULL ? name : "table", 0, out, err);
  if (status != VISE_OK) return status;

  (*out)->n_rows = n_rows;
  vise_i_table_size_blocks(*out, n_rows);
  return VISE_OK;
}

/* Makes room for more columns by laying all of them out anew: blocks are as tall as a table without columns has them, so
   that only what a block holds grows. */
static vise_status widen(vise_table *table, size_t n_more, vise_error *err) {
  const size_t n_blocks = (table->n_rows + table->block_rows - 1) / table->block_rows;
  size_t n_columns, new_bytes;
  if (!vise_i_size_add(table->n_columns, n_more, &n_columns) ||
      !vise_i_size_mul(table->column_bytes, n_columns, &new_bytes) || new_bytes > SIZE_MAX / 2) {
    return vise_i_fail_memory(err, SIZE_MAX, table->name);
  }
  const vise_status status =
      vise_i_grow(&table->columns, &table->columns_capacity, n_columns, sizeof *table->columns, table->name, err);
  if (status != VISE_OK) return status;

  if (new_bytes <= table->block_bytes && table->n_blocks > 0) return VISE_OK;
  return vise_i_table_resize_blocks(table, n_blocks, new_bytes + new_bytes / 2, err);
}

vise_status vise_i_column_begin(vise_table *table, const char *name, vise_error *err) {
  if (table->n_columns > 0 && table->has_names != (name != NULL)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: some columns have names and some have none", table->name);
  }
  vise_status status = widen(table, 1, err);
  if (status == VISE_OK) table->columns[table->n_columns] = (vise_i_column){.kind = VISE_COLUMN_NUMBER};
  if (status == VISE_OK && name != NULL) status = vise_i_copy_text(&table->columns[table->n_columns].name, name, err);
  table->has_names = name != NULL;
  return status;
}

vise_status vise_i_column_end(vise_table *table, vise_status status, vise_error *err) {
  vise_i_column *column = &table->columns[table->n_columns];
  size_t same;

  if (status == VISE_OK && column->name != NULL && vise_i_table_find_name(table, column->name, &same)) {
    status = vise_i_fail(err, VISE_ERR_USAGE, "%s: two columns are named \"%.60s\"", table->name, column->name);
  }
  if (status != VISE_OK) {
    free(column->name);
    vise_i_dictionary_free(&column->texts);
    return status;
  }

  column->named = column->name != NULL && column->name[0] != '\0';
  table->n_columns++;
  return VISE_OK;
}

/* Column k of the array becomes the column that was begun. */
static void copy_column(vise_table *table, const vise_array *array, size_t k) {
  for (size_t b = 0; b < table->n_blocks; b++) {
    double *values = vise_i_table_values(table, b, table->n_columns);
    const size_t begin = b * table->block_rows, rest = table->n_rows - begin;
    const size_t n = rest < table->block_rows ? rest : table->block_rows;
    for (size_t i = 0; i < n; i++) values[i] = vise_i_array_get(array, begin + i, k);
  }
}

vise_status vise_table_add_numbers(vise_table *table, const char *const *names, const vise_array *array,
                                   vise_error *err) {
  VISE_ENTER(err, table, array);
  vise_status status = vise_i_array_validate(array, table->name, err);
  if (status != VISE_OK) return status;
  if (array->n_rows != table->n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: a column of %zu rows; the table has %zu", table->name, array->n_rows,
                       table->n_rows);
  }

  status = widen(table, array->n_cols, err);
  for (size_t k = 0; k < array->n_cols && status == VISE_OK; k++) {
    status = vise_i_column_begin(table, names != NULL ? names[k] : NULL, err);
    if (status != VISE_OK) return status;
    copy_column(table, array, k);
    status = vise_i_column_end(table, VISE_OK, err);
  }
  return status;
}

vise_status vise_table_add_text(vise_table *table, const char *name, const char *const *texts, vise_error *err) {
  VISE_ENTER(err, table, texts);
  vise_status status = vise_i_column_begin(table, name, err);
  if (status != VISE_OK) return status;

  vise_i_column *column = &table->columns[table->n_columns];
  column->kind = VISE_COLUMN_TEXT;
  for (size_t r = 0; r < table->n_rows && status == VISE_OK; r++) {
    uint32_t code = VISE_I_GAP;
    if (texts[r] != NULL && texts[r][0] != '\0') {
      status = vise_i_dictionary_code(&column->texts, texts[r], strlen(texts[r]), &code, err);
    }
    ((uint32_t *)vise_i_table_values(table, r / table->block_rows, table->n_columns))[r % table->block_rows] = code;
  }
  return vise_i_column_end(table, status, err);
}

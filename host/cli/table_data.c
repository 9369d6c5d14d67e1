#include "host/cli/table_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/tell.h"

vise_status vise_i_cli_is_table(const char *path, bool *out, vise_error *err) {
  vise_file_kind kind;
  const vise_status status = vise_file_kind_of(path, &kind, err);
  if (status == VISE_OK) *out = kind == VISE_FILE_TABLE;
  return status;
}

void vise_i_cli_print_line(FILE *stream, const char *head, const char *line) {
  char text[2048];
  vise_i_cli_translate(line, VISE_I_CLI_AS_OPTION, text, sizeof text);
  (void)fprintf(stream, "%-15s %s\n", head, text);
}

vise_status vise_i_cli_table_options(const vise_i_cli_options *options, vise_table_options *out, vise_error *err) {
  vise_table_options reading;
  vise_table_options_init(&reading);
  if (options->comment != NULL && strlen(options->comment) != 1) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--comment '%s' is not one character", options->comment);
  }

  reading.delimiter = options->delimiter;
  if (vise_i_cli_given(options, "decimal")) reading.decimal = options->decimal == VISE_I_CLI_COMMA ? ',' : '.';
  reading.comment = options->comment != NULL ? options->comment[0] : '\0';
  reading.header = options->header;
  reading.skip_lines = options->skip_lines;
  reading.na = options->na;
  reading.strip = options->strip;
  reading.max_bytes = options->memory_limit;
  *out = reading;
  return VISE_OK;
}

size_t vise_i_cli_column_place(const vise_table *table, const char *column) {
  const size_t n = vise_table_n_columns(table);
  for (size_t c = 0; c < n; c++) {
    const char *name = vise_table_column_name(table, c);
    if (name != NULL && strcmp(name, column) == 0) return c;
  }

  char *end = NULL;
  const long place = strtol(column, &end, 10), from_begin = place < 0 ? (long)n + place : place;
  return *end == '\0' && from_begin >= 0 && from_begin < (long)n ? (size_t)from_begin : SIZE_MAX;
}

vise_status vise_i_cli_table_read(const vise_i_cli_options *options, const char *path, const vise_preprocessor *like,
                                  bool targets, vise_table **out, vise_error *err) {
  vise_table_options reading;
  const vise_status status = vise_i_cli_table_options(options, &reading, err);
  if (status != VISE_OK) return status;

  reading.like = like;
  reading.like_targets = targets;
  /* Groups are those of the training rows. */
  if (like != NULL && path == options->train) reading.also = options->group;
  if (like == NULL) {
    reading.categorical = options->categorical;
    reading.numeric = options->numeric;
  }
  return vise_table_read(path, &reading, out, err);
}

/* ---- arrays --------------------------------------------------------------------------------------------------- */

static vise_status copy_features(const vise_dataset *dataset, vise_array *array, vise_error *err) {
  const size_t n_rows = vise_dataset_n_rows(dataset), n_cols = vise_dataset_n_features(dataset);
  double *values = calloc(n_rows, n_cols * sizeof *values);
  if (values == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu rows", n_rows);

  for (size_t i = 0; i < n_rows; i++) {
    const vise_status status = vise_dataset_get_features(dataset, i, values + i * n_cols, err);
    if (status == VISE_OK) continue;
    free(values);
    return status;
  }
  *array = vise_array_of(values, VISE_F64, n_rows, n_cols);
  return VISE_OK;
}

vise_status vise_i_cli_array_read(const vise_i_cli_options *options, const char *path, vise_array *array,
                                  vise_error *err) {
  vise_dataset_source source;
  vise_table_options reading;
  vise_dataset *dataset = NULL;
  vise_dataset_source_init(&source);
  source.features_path = path;
  source.target = "";
  source.table = &reading;

  vise_status status = vise_i_cli_table_options(options, &reading, err);
  if (status == VISE_OK) status = vise_dataset_load(&source, &dataset, err);
  if (status == VISE_OK) status = copy_features(dataset, array, err);
  vise_dataset_free(dataset);
  return status;
}

static void free_array(vise_array *array) {
  free((void *)(uintptr_t)array->data); /* made by copy_features */
}

/* One column of an array. */
static vise_array column_of(const vise_array *array, size_t c) {
  vise_array column = *array;
  column.data = (const double *)array->data + c;
  column.n_cols = 1;
  return column;
}

/* Adds the columns of features to a table without names, and those of labels at the places of the targets. */
static vise_status add_columns(const vise_preprocessor *preprocessor, const vise_array *features,
                               const vise_array *labels, vise_table *table, vise_error *err) {
  vise_status status = VISE_OK;
  size_t next = 0, next_label = 0;
  for (size_t c = 0; status == VISE_OK && next + next_label < features->n_cols + labels->n_cols; c++) {
    vise_column_info info = {.role = VISE_COLUMN_FEATURE};
    if (c < vise_preprocessor_n_columns(preprocessor)) status = vise_preprocessor_column(preprocessor, c, &info, err);
    if (status != VISE_OK) break;

    const bool is_label = next_label < labels->n_cols && (info.role == VISE_COLUMN_TARGET || next == features->n_cols);
    if (!is_label && next == features->n_cols) break;
    const vise_array column = is_label ? column_of(labels, next_label++) : column_of(features, next++);
    status = vise_table_add_numbers(table, NULL, &column, err);
  }
  return status;
}

/* A table of arrays without names. */
static vise_status table_of_arrays(const vise_i_cli_options *options, const vise_preprocessor *preprocessor,
                                   const char *path, const char *labels_path, vise_table **out, vise_error *err) {
  vise_array array = {0}, labels = {0};
  vise_table *table = NULL;
  vise_status status = vise_i_cli_array_read(options, path, &array, err);
  if (status == VISE_OK && labels_path != NULL) status = vise_i_cli_array_read(options, labels_path, &labels, err);
  if (status == VISE_OK) status = vise_table_create(path, array.n_rows, &table, err);
  if (status == VISE_OK) status = add_columns(preprocessor, &array, &labels, table, err);

  if (status == VISE_OK) {
    *out = table;
  } else {
    vise_table_free(table);
  }
  free_array(&array);
  free_array(&labels);
  return status;
}

/* ---- datasets ------------------------------------------------------------------------------------------------- */

static void tell_note(const char *note) {
  char text[2048];
  if (!vise_i_cli_tells_events()) {
    vise_i_cli_print_line(stderr, "note", note);
    return;
  }
  vise_i_cli_translate(note, VISE_I_CLI_AS_OPTION, text, sizeof text);
  vise_i_cli_tell(VISE_I_CLI_NOTE, "%s", text);
}

static void tell_notes(const vise_i_cli_options *options, const vise_transformed *made) {
  for (size_t i = 0; i < vise_transformed_n_notes(made) && !options->quiet; i++) {
    tell_note(vise_transformed_note(made, i));
  }
}

static vise_status transform(const vise_i_cli_options *options, const vise_preprocessor *preprocessor,
                             vise_table *table, const vise_i_cli_use *use, vise_transformed **out, vise_error *err) {
  vise_transform_options how;
  vise_transform_options_init(&how);
  how.dtype = options->training.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  how.rows = use->rows;
  how.n_rows = use->n_rows;
  how.targets = use->targets;
  how.keep_all_rows = use->every_row;
  how.use_up = use->use_up;
  how.max_bytes = options->memory_limit;

  const vise_status status = vise_preprocessor_transform(preprocessor, table, &how, out, err);
  if (status == VISE_OK && !use->silent) tell_notes(options, *out);
  return status;
}

vise_status vise_i_cli_table_use(const vise_i_cli_options *options, const vise_preprocessor *preprocessor,
                                 vise_table *table, const vise_i_cli_use *use, vise_dataset **out, vise_error *err) {
  vise_array labels = {0}, weights = {0};
  vise_transformed *made = NULL;
  vise_status status = VISE_OK;

  if (use->labels != NULL) status = vise_i_cli_array_read(options, use->labels, &labels, err);
  if (status == VISE_OK && use->weights != NULL) status = vise_i_cli_array_read(options, use->weights, &weights, err);
  if (status == VISE_OK) status = transform(options, preprocessor, table, use, &made, err);
  if (status == VISE_OK) {
    status = vise_dataset_from_transformed(made, use->labels != NULL ? &labels : NULL,
                                           use->weights != NULL ? &weights : NULL, out, err);
  }

  free_array(&labels);
  free_array(&weights);
  return status;
}

vise_status vise_i_cli_load_through(const vise_i_cli_options *options, const vise_preprocessor *preprocessor,
                                    const char *path, const vise_i_cli_use *use, vise_dataset **out, vise_error *err) {
  vise_table *table = NULL;
  vise_i_cli_use all = *use;
  bool is_table = false;
  const bool has_target = vise_preprocessor_target_kind(preprocessor) != VISE_TARGET_NONE;

  vise_status status = vise_i_cli_is_table(path, &is_table, err);
  if (status != VISE_OK) return status;
  if (use->labels != NULL && has_target && is_table) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "%s: the model takes its target from the column \"%s\" of a table, not from a file of labels", use->labels,
        vise_preprocessor_target_name(preprocessor, 0));
  }
  all.targets = use->targets && has_target;
  all.use_up = true;

  if (has_target) all.labels = NULL;

  status = is_table ? vise_i_cli_table_read(options, path, preprocessor, all.targets, &table, err)
                    : table_of_arrays(options, preprocessor, path, has_target ? use->labels : NULL, &table, err);
  if (status == VISE_OK) status = vise_i_cli_table_use(options, preprocessor, table, &all, out, err);
  vise_table_free(table);
  return status;
}

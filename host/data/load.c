/* vise_dataset_load: which file is what, and one dataset from them. */
#include <stdlib.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/data/storage.h"

static vise_dataset_source default_source(void) {
  return (vise_dataset_source){.struct_size = sizeof(vise_dataset_source)};
}

VISE_I_DEFINE_INIT(vise_dataset_source, target_optional, default_source)

/* A file of numbers, whatever its kind; *kind says which. Of a table, target and target_optional pick columns. */
static vise_status load_file(const vise_dataset_source *s, const char *path, const char *target, vise_file_kind *kind,
                             vise_i_columns_read *out, vise_error *err) {
  vise_i_input input;
  vise_table *table = NULL;
  *out = (vise_i_columns_read){0};
  vise_status status = vise_file_kind_of(path, kind, err);
  if (status != VISE_OK) return status;

  if (*kind == VISE_FILE_TABLE) {
    status = vise_table_read(path, s->table, &table, err);
    if (status == VISE_OK) status = vise_i_table_numbers(table, target, s->target_optional, out, err);
    vise_table_free(table);
    return status;
  }

  status = vise_i_input_open(&input, path, err);
  if (status != VISE_OK) return status;
  if (s->table != NULL) input.max_bytes = s->table->max_bytes;
  status = vise_i_array_read(&input, &out->features, err);
  vise_i_input_close(&input);
  return status;
}

/* A file of one array: of targets, or of row weights. */
static vise_status load_column_file(const vise_dataset_source *s, const char *path, vise_i_table *out,
                                    size_t *first_line, vise_error *err) {
  vise_i_columns_read read;
  vise_file_kind kind;
  const vise_status status = load_file(s, path, "", &kind, &read, err);
  if (status != VISE_OK) return status;
  vise_i_table_to_integers(&read.features);
  *out = read.features;
  *first_line = read.first_line;
  return VISE_OK;
}

static vise_status load_features(const vise_dataset_source *s, vise_i_storage *parts, vise_error *err) {
  const bool picks = s->target != NULL && s->target[0] != 0 && s->labels_path == NULL && !s->target_optional;
  vise_i_columns_read read;
  vise_file_kind kind;
  vise_status status = load_file(s, s->features_path, s->labels_path != NULL ? "" : s->target, &kind, &read, err);
  if (status != VISE_OK) return status;

  parts->features = read.features;
  parts->targets = read.targets;
  parts->targets_first_line = read.first_line;
  parts->is_idx = kind == VISE_FILE_IDX && read.features.array.dtype == VISE_U8;
  if (kind == VISE_FILE_TABLE || !picks) return VISE_OK;
  return vise_i_fail(
      err, VISE_ERR_USAGE,
      "%s: target \"%s\" picks columns of a table, but this is an %s file; give the targets as a file of "
      "labels",
      s->features_path, s->target, kind == VISE_FILE_NPY ? "NPY" : "IDX");
}

static vise_status take_source(const vise_dataset_source *given, vise_dataset_source *s, vise_error *err) {
  *s = default_source();
  const vise_status status = vise_i_config_take(s, sizeof *s, given, "vise_dataset_source", err);
  if (status != VISE_OK) return status;

  if (s->features_path == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "dataset source: no file of features given");
  if (s->labels_path != NULL && s->target != NULL && !s->target_optional) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "target \"%s\" and the file of labels %s contradict each other; give one of them", s->target,
                       s->labels_path);
  }
  return VISE_OK;
}

vise_status vise_dataset_load(const vise_dataset_source *source, vise_dataset **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_dataset_source s;
  vise_i_storage parts = {0};
  vise_i_table weights = {0};
  size_t ignored_line;

  VISE_ENTER(err, source, out);
  VISE_TRY(take_source(source, &s, err));
  VISE_TRY(load_features(&s, &parts, err));

  if (s.labels_path != NULL) {
    VISE_TRY(load_column_file(&s, s.labels_path, &parts.targets, &parts.targets_first_line, err));
  }
  if (s.row_weights_path != NULL) {
    VISE_TRY(load_column_file(&s, s.row_weights_path, &weights, &ignored_line, err));
    VISE_TRY(
        vise_i_row_weights(&weights.array, parts.features.array.n_rows, s.row_weights_path, &parts.row_weights, err));
  }

  status =
      vise_i_dataset_make(&parts, s.features_path, s.labels_path != NULL ? s.labels_path : s.features_path, out, err);
  parts = (vise_i_storage){0}; /* taken over, also on failure */

done:
  free(weights.memory);
  free(parts.features.memory);
  free(parts.targets.memory);
  free(parts.row_weights);
  return status;
}

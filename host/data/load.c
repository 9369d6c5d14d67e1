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

/* A file of one array, whatever its kind; *first_line is 0 unless it is a CSV. */
static vise_status load_column_file(const char *path, vise_i_table *out, size_t *first_line, vise_error *err) {
  vise_i_input input;
  vise_status status = vise_i_input_open(&input, path, err);
  if (status != VISE_OK) return status;

  *first_line = 0;
  if (input.kind == VISE_I_KIND_CSV) {
    vise_i_csv csv;
    status = vise_i_csv_read(&input, "", false, &csv, err);
    if (status == VISE_OK) {
      vise_i_table_to_integers(&csv.features);
      *out = csv.features;
      *first_line = csv.first_line;
    }
  } else {
    status = vise_i_array_read(&input, out, err);
  }

  vise_i_input_close(&input);
  return status;
}

static vise_status load_features(const vise_dataset_source *s, vise_i_storage *parts, vise_error *err) {
  vise_i_input input;
  vise_status status = vise_i_input_open(&input, s->features_path, err);
  if (status != VISE_OK) return status;

  if (input.kind == VISE_I_KIND_CSV) {
    vise_i_csv csv;
    status = vise_i_csv_read(&input, s->labels_path != NULL ? "" : s->target, s->target_optional, &csv, err);
    if (status == VISE_OK) {
      parts->features = csv.features;
      parts->targets = csv.targets;
      parts->targets_first_line = csv.first_line;
    }
  } else if (s->target != NULL && s->target[0] != 0 && s->labels_path == NULL && !s->target_optional) {
    status =
        vise_i_fail(err, VISE_ERR_USAGE,
                    "%s: target \"%s\" picks columns of a CSV, but this is %s; give the targets as a file of labels",
                    s->features_path, s->target, input.kind == VISE_I_KIND_NPY ? "an NPY file" : "an IDX file");
  } else {
    status = vise_i_array_read(&input, &parts->features, err);
    parts->is_idx = input.kind == VISE_I_KIND_IDX && status == VISE_OK && parts->features.array.dtype == VISE_U8;
  }

  vise_i_input_close(&input);
  return status;
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
    VISE_TRY(load_column_file(s.labels_path, &parts.targets, &parts.targets_first_line, err));
  }
  if (s.row_weights_path != NULL) {
    VISE_TRY(load_column_file(s.row_weights_path, &weights, &ignored_line, err));
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

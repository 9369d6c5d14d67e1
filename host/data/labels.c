/* Targets as class labels. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/base/array.h"
#include "host/data/storage.h"

enum { PLACE_BYTES = 48 };

/* ":17" for a CSV, else ": row 15 (from 0)". */
static const char *place(char buffer[PLACE_BYTES], const vise_dataset *ds, size_t stored_row) {
  const size_t first = ds->storage->targets_first_line;
  if (first != 0) {
    snprintf(buffer, PLACE_BYTES, ":%zu", first + stored_row);
  } else {
    snprintf(buffer, PLACE_BYTES, ": row %zu (from 0)", stored_row);
  }
  return buffer;
}

/* A valid label: an integer >= 0 that a double holds exactly. */
static bool is_label(double v) {
  return v >= 0 && v < VISE_I_EXACT_INTEGERS && v == floor(v);
}

bool vise_dataset_is_one_hot(const vise_dataset *ds) {
  return ds != NULL && ds->storage->labels != NULL;
}

size_t vise_dataset_n_classes(const vise_dataset *ds) {
  if (vise_dataset_is_one_hot(ds)) return vise_dataset_n_targets(ds);
  if (ds == NULL || vise_dataset_n_targets(ds) != 1) return 0;
  const vise_array *y = &ds->storage->targets.array;
  double largest = -1;

  for (size_t r = 0; r < ds->n_rows; r++) {
    const double v = vise_i_array_get(y, vise_i_stored_row(ds, r), 0);
    if (!is_label(v)) return 0;
    if (v > largest) largest = v;
  }
  return (size_t)largest + 1;
}

vise_status vise_i_dataset_check_labels(const vise_dataset *ds, size_t n_classes, vise_error *err) {
  const vise_i_storage *s = ds->storage;
  const vise_array labels = vise_i_dataset_targets_for(ds, VISE_TARGETS_LABELS), *y = &labels;
  char where[PLACE_BYTES];

  if (y->n_cols != 1) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu target columns; class labels need exactly one", s->targets_name,
                       y->n_cols);
  }

  for (size_t r = 0; r < ds->n_rows; r++) {
    const size_t stored = vise_i_stored_row(ds, r);
    const double v = vise_i_array_get(y, stored, 0);
    if (is_label(v) && v < (double)n_classes) continue;
    return vise_i_fail(err, VISE_ERR_VALUE, "%s%s: label %.17g; labels must be integers from 0 to %zu (%zu classes)",
                       s->targets_name, place(where, ds, stored), v, n_classes - 1, n_classes);
  }
  return VISE_OK;
}

static bool is_target(double v, vise_targets kind) {
  switch (kind) {
    case VISE_TARGETS_BITS:
      return v == 0 || v == 1;
    case VISE_TARGETS_SIGNS:
      return v == 0 || v == 1 || v == -1;
    case VISE_TARGETS_COUNTS:
      return v >= 0;
    default:
      return true;
  }
}

vise_status vise_i_dataset_check_targets(const vise_dataset *ds, vise_targets kind, vise_error *err) {
  const vise_i_storage *s = ds->storage;
  const vise_array *y = &s->targets.array;
  const char *expected = kind == VISE_TARGETS_COUNTS ? "at least 0" : "0 or 1";
  char where[PLACE_BYTES];
  if (y->n_cols == 0) return vise_i_fail(err, VISE_ERR_SHAPE, "%s: has no targets", s->name);

  for (size_t r = 0; r < ds->n_rows; r++) {
    const size_t stored = vise_i_stored_row(ds, r);
    for (size_t c = 0; c < y->n_cols; c++) {
      const double v = vise_i_array_get(y, stored, c);
      if (is_target(v, kind)) continue;
      return vise_i_fail(err, VISE_ERR_VALUE, "%s%s: target %zu is %.17g; must be %s%s", s->targets_name,
                         place(where, ds, stored), c, v, expected, kind == VISE_TARGETS_SIGNS ? ", or -1" : "");
    }
  }
  return VISE_OK;
}

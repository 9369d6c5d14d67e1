/* Folds of cross-validation over the rows of a dataset. */
#include "host/base/folds.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/data/storage.h"

/* The rows that are dealt out, ascending, and their classes. */
typedef struct chosen {
  bool *marked; /* [n_rows of the dataset] */
  size_t *rows, n;
  size_t *labels, n_classes;
} chosen;

static vise_status mark_rows(const vise_dataset *ds, const vise_fold_options *o, chosen *c, vise_error *err) {
  const vise_status status = vise_i_alloc(&c->marked, ds->n_rows, sizeof *c->marked, "folds", err);
  if (status != VISE_OK) return status;
  memset(c->marked, o->rows == NULL, ds->n_rows * sizeof *c->marked);
  c->n = o->rows == NULL ? ds->n_rows : o->n_rows;

  for (size_t k = 0; o->rows != NULL && k < o->n_rows; k++) {
    const size_t row = o->rows[k];
    if (row >= ds->n_rows || c->marked[row]) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "%s: row %zu to deal out is %s", vise_dataset_name(ds), row,
                         row >= ds->n_rows ? "beyond the dataset" : "given twice");
    }
    c->marked[row] = true;
  }
  return VISE_OK;
}

static vise_status label_rows(const vise_dataset *ds, chosen *c, vise_error *err) {
  const vise_array labels = vise_i_dataset_targets_for(ds, VISE_TARGETS_LABELS);
  double *values = NULL;
  const vise_status status = vise_i_alloc(&values, c->n, sizeof *values, "classes of rows", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < c->n; i++) values[i] = vise_i_array_get(&labels, vise_i_stored_row(ds, c->rows[i]), 0);

  const vise_status numbered = vise_i_number_values(values, c->n, c->labels, &c->n_classes, err);
  free(values);
  return numbered;
}

static vise_status choose(const vise_dataset *ds, const vise_fold_options *o, chosen *c, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(mark_rows(ds, o, c, err));
  VISE_TRY(vise_i_alloc(&c->rows, c->n, sizeof *c->rows, "folds", err));
  VISE_TRY(vise_i_alloc_zero(&c->labels, c->n, sizeof *c->labels, "classes of rows", err));
  for (size_t row = 0, i = 0; row < ds->n_rows; row++) {
    if (c->marked[row]) c->rows[i++] = row;
  }

  c->n_classes = 1;
  if (o->stratify && !o->time_order && c->n > 0 && vise_dataset_n_classes(ds) > 0) VISE_TRY(label_rows(ds, c, err));
done:
  return status;
}

static vise_status check(const vise_dataset *ds, const vise_fold_options *o, size_t n, vise_error *err) {
  if (n != ds->n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: room for the folds of %zu rows, and there are %zu",
                       vise_dataset_name(ds), n, ds->n_rows);
  }
  if (o->group == NULL) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s: `group` names a column of a table, and a dataset is of numbers alone",
                     vise_dataset_name(ds));
}

vise_status vise_dataset_folds(const vise_dataset *dataset, const struct vise_fold_options *options, size_t *out,
                               size_t n, vise_error *err) {
  vise_fold_options complete;
  chosen c = {0};
  size_t *folds = NULL;
  vise_status status = VISE_OK;
  VISE_ENTER(err, dataset, out);
  VISE_TRY(vise_i_fold_options_take(options, &complete, err));
  VISE_TRY(check(dataset, &complete, n, err));
  VISE_TRY(choose(dataset, &complete, &c, err));

  const vise_i_dealing dealing = {
      .n = c.n, .labels = c.labels, .n_classes = c.n_classes, .name = vise_dataset_name(dataset)};
  VISE_TRY(vise_i_alloc(&folds, c.n, sizeof *folds, "folds", err));
  VISE_TRY(vise_i_deal(&dealing, &complete, folds, err));
  memset(out, 0, n * sizeof *out);
  for (size_t i = 0; i < c.n; i++) out[c.rows[i]] = folds[i];

done:
  free(c.marked);
  free(c.rows);
  free(c.labels);
  free(folds);
  return status;
}

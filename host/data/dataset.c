/* Datasets: shared storage, and views of its rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/data/storage.h"

static void free_parts(vise_i_storage *parts) {
  free(parts->features.memory);
  free(parts->targets.memory);
  free(parts->labels);
  free(parts->row_weights);
  free(parts->name);
  free(parts->targets_name);
  vise_transformed_free(parts->transformed);
}

/* Gives up a reference; true for the last one. Acquire-release: whoever frees must have seen all that others did. */
static bool release(atomic_size_t *n_references) {
  return atomic_fetch_sub_explicit(n_references, 1, memory_order_acq_rel) == 1;
}

static void retain(atomic_size_t *n_references) {
  atomic_fetch_add_explicit(n_references, 1, memory_order_relaxed);
}

static vise_dataset *view(vise_i_storage *storage, size_t *rows, size_t n_rows, vise_error *err) {
  vise_dataset *dataset = NULL;
  if (vise_i_alloc(&dataset, 1, sizeof *dataset, "a dataset", err) != VISE_OK) return NULL;
  atomic_init(&dataset->n_references, 1);
  dataset->storage = storage;
  dataset->rows = rows;
  dataset->n_rows = n_rows;
  atomic_init(&dataset->has_hash, false);
  return dataset;
}

static vise_status check_sizes(const vise_i_storage *parts, const char *name, const char *targets_name,
                               vise_error *err) {
  const vise_array *x = &parts->features.array, *y = &parts->targets.array;
  if (x->n_rows == 0 || x->n_cols == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu rows of %zu features; needs at least one of each", name, x->n_rows,
                       x->n_cols);
  }
  if (y->n_cols > 0 && y->n_rows != x->n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu rows of targets, but %s has %zu rows of features", targets_name,
                       y->n_rows, name, x->n_rows);
  }
  return VISE_OK;
}

vise_status vise_i_dataset_make(vise_i_storage *parts, const char *name, const char *targets_name, vise_dataset **out,
                                vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_storage *storage = NULL;

  VISE_TRY(check_sizes(parts, name, targets_name, err));
  VISE_TRY(vise_i_find_one_hot(parts, err));
  VISE_TRY(vise_i_copy_text(&parts->name, name, err));
  VISE_TRY(vise_i_copy_text(&parts->targets_name, targets_name, err));
  VISE_TRY(vise_i_alloc(&storage, 1, sizeof *storage, "a dataset", err));

  vise_dataset *dataset = view(storage, NULL, parts->features.array.n_rows, err);
  if (dataset == NULL) {
    free(storage);
    VISE_TRY(VISE_ERR_MEMORY);
  }

  memcpy(storage, parts, sizeof *storage);
  atomic_init(&storage->n_references, 1);
  *out = dataset;
  return VISE_OK;

done:
  free_parts(parts);
  return status;
}

vise_status vise_i_row_weights(const vise_array *array, size_t n_rows, const char *name, double **out,
                               vise_error *err) {
  vise_status status = VISE_OK;
  double *weights = NULL;
  double sum = 0;

  if (array->n_rows != n_rows || array->n_cols != 1) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: row weights are %zu x %zu, expected %zu x 1 (one for each row)", name,
                       array->n_rows, array->n_cols, n_rows);
  }

  VISE_TRY(vise_i_alloc(&weights, n_rows, sizeof *weights, "row weights", err));
  for (size_t r = 0; r < n_rows; r++) {
    weights[r] = vise_i_array_get(array, r, 0);
    if (!(weights[r] >= 0 && isfinite(weights[r]))) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_VALUE, "%s: row %zu (from 0): weight %g; weights must be finite and >= 0",
                           name, r, weights[r]));
    }
    sum += weights[r];
  }
  if (!(sum > 0)) VISE_TRY(vise_i_fail(err, VISE_ERR_VALUE, "%s: all row weights are 0", name));

  *out = weights;
  weights = NULL;

done:
  free(weights);
  return status;
}

/* array as a table: borrowed, or copied in C order. */
static vise_status table_of(const vise_array *array, bool copy, const char *what, vise_i_table *out, vise_error *err) {
  vise_status status = vise_i_array_validate(array, what, err);
  if (status != VISE_OK) return status;
  status = vise_i_check_finite(array, what, err);
  if (status != VISE_OK) return status;

  *out = (vise_i_table){NULL, *array};
  if (!copy) return VISE_OK;

  const size_t size = vise_dtype_size(array->dtype);
  size_t n_values;
  if (!vise_i_size_mul(array->n_rows, array->n_cols, &n_values)) return vise_i_fail_memory(err, SIZE_MAX, what);
  char *memory = NULL;
  status = vise_i_alloc_aligned(&memory, n_values, size, what, err);
  if (status != VISE_OK) return status;

  const char *in = array->data;
  for (size_t r = 0; r < array->n_rows; r++) {
    char *row = memory + r * array->n_cols * size;
    if (array->col_stride == 1) {
      memcpy(row, in + r * array->row_stride * size, array->n_cols * size);
      continue;
    }
    for (size_t c = 0; c < array->n_cols; c++) {
      memcpy(row + c * size, in + (r * array->row_stride + c * array->col_stride) * size, size);
    }
  }

  *out = (vise_i_table){memory, vise_array_of(memory, array->dtype, array->n_rows, array->n_cols)};
  return VISE_OK;
}

vise_status vise_dataset_from_arrays(const vise_array *features, const vise_array *targets,
                                     const vise_array *row_weights, bool copy, vise_dataset **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_storage parts = {0};
  VISE_ENTER(err, features, out);

  VISE_TRY(table_of(features, copy, "features", &parts.features, err));
  if (targets != NULL) VISE_TRY(table_of(targets, copy, "targets", &parts.targets, err));
  if (row_weights != NULL) {
    VISE_TRY(vise_i_array_validate(row_weights, "row weights", err));
    VISE_TRY(vise_i_row_weights(row_weights, features->n_rows, "row weights", &parts.row_weights, err));
  }
  return vise_i_dataset_make(&parts, "array", "targets", out, err);

done:
  free_parts(&parts);
  return status;
}

/* A view of the storage rows in `rows` (malloc'ed, taken over, freed on failure). */
static vise_status share(const vise_dataset *dataset, size_t *rows, size_t n_rows, vise_dataset **out,
                         vise_error *err) {
  vise_dataset *made = view(dataset->storage, rows, n_rows, err);
  if (made == NULL) {
    free(rows);
    return VISE_ERR_MEMORY;
  }
  retain(&dataset->storage->n_references);
  *out = made;
  return VISE_OK;
}

vise_status vise_dataset_select(const vise_dataset *dataset, const size_t *rows, size_t n_rows, vise_dataset **out,
                                vise_error *err) {
  size_t *stored = NULL;
  VISE_ENTER(err, dataset, rows, out);

  if (n_rows == 0) return vise_i_fail(err, VISE_ERR_SHAPE, "%s: no rows selected", vise_dataset_name(dataset));
  for (size_t r = 0; r < n_rows; r++) {
    if (rows[r] < dataset->n_rows) continue;
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: row %zu selected, but there are %zu rows", vise_dataset_name(dataset),
                       rows[r], dataset->n_rows);
  }

  const vise_status status = vise_i_alloc(&stored, n_rows, sizeof *stored, "selected rows", err);
  if (status != VISE_OK) return status;
  for (size_t r = 0; r < n_rows; r++) stored[r] = vise_i_stored_row(dataset, rows[r]);
  return share(dataset, stored, n_rows, out, err);
}

vise_status vise_dataset_split(const vise_dataset *dataset, double fraction, bool shuffle, uint64_t seed,
                               vise_dataset **out_train, vise_dataset **out_validation, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_ENTER(err, dataset, out_train, out_validation);
  const size_t n = dataset->n_rows;
  size_t *order = NULL, *train_rows = NULL, *validation_rows = NULL;
  bool *chosen = NULL;
  vise_dataset *train = NULL;

  if (!(fraction > 0 && fraction < 1)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "validation fraction %g; must be between 0 and 1", fraction);
  }
  const size_t n_validation = (size_t)floor(fraction * (double)n);
  if (n_validation == 0 || n_validation >= n) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: a validation fraction of %g of %zu rows leaves %s without rows",
                       vise_dataset_name(dataset), fraction, n, n_validation == 0 ? "validation" : "training");
  }

  VISE_TRY(vise_i_alloc_zero(&chosen, n, sizeof *chosen, "split", err));
  VISE_TRY(vise_i_alloc(&train_rows, n - n_validation, sizeof *train_rows, "split", err));
  VISE_TRY(vise_i_alloc(&validation_rows, n_validation, sizeof *validation_rows, "split", err));
  VISE_TRY(vise_i_alloc(&order, n, sizeof *order, "split", err));

  if (shuffle) vise_i_permutation(seed, VISE_I_STREAM_SPLIT, 0, order, n);
  for (size_t k = 0; k < n_validation; k++) chosen[shuffle ? order[k] : n - 1 - k] = true;
  for (size_t r = 0, t = 0, v = 0; r < n; r++) {
    if (chosen[r]) {
      validation_rows[v++] = vise_i_stored_row(dataset, r);
    } else {
      train_rows[t++] = vise_i_stored_row(dataset, r);
    }
  }

  size_t *rows = train_rows;
  train_rows = NULL;
  VISE_TRY(share(dataset, rows, n - n_validation, &train, err));
  rows = validation_rows;
  validation_rows = NULL;
  VISE_TRY(share(dataset, rows, n_validation, out_validation, err));
  *out_train = train;
  train = NULL;

done:
  vise_dataset_free(train);
  free(train_rows);
  free(validation_rows);
  free(order);
  free(chosen);
  return status;
}

vise_dataset *vise_dataset_retain(const vise_dataset *dataset) {
  vise_dataset *counted = (vise_dataset *)(uintptr_t)dataset; /* const protects the data, not the count */
  if (counted != NULL) retain(&counted->n_references);
  return counted;
}

void vise_dataset_free(vise_dataset *dataset) {
  if (dataset == NULL || !release(&dataset->n_references)) return;
  if (release(&dataset->storage->n_references)) {
    free_parts(dataset->storage);
    free(dataset->storage);
  }
  free(dataset->rows);
  free(dataset);
}

size_t vise_dataset_n_rows(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->n_rows : 0;
}

size_t vise_dataset_n_features(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->storage->features.array.n_cols : 0;
}

size_t vise_dataset_n_targets(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->storage->targets.array.n_cols : 0;
}

vise_dtype vise_dataset_feature_dtype(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->storage->features.array.dtype : VISE_U8;
}

vise_dtype vise_dataset_target_dtype(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->storage->targets.array.dtype : VISE_U8;
}

bool vise_dataset_is_idx(const vise_dataset *dataset) {
  return dataset != NULL && dataset->storage->is_idx;
}

const char *vise_dataset_name(const vise_dataset *dataset) {
  return dataset != NULL ? dataset->storage->name : "?";
}

static size_t n_bytes_of(const vise_array *array) {
  return array->n_rows * array->n_cols * vise_dtype_size(array->dtype);
}

size_t vise_dataset_n_bytes(const vise_dataset *dataset) {
  if (dataset == NULL) return 0;
  const vise_i_storage *s = dataset->storage;
  return n_bytes_of(&s->features.array) + n_bytes_of(&s->targets.array) +
         (s->labels != NULL ? s->features.array.n_rows * sizeof(int64_t) : 0) +
         (s->row_weights != NULL ? s->features.array.n_rows * sizeof(double) : 0);
}

static vise_status copy_row(const vise_dataset *dataset, const vise_array *array, size_t row, double *out,
                            vise_error *err) {
  if (row >= dataset->n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: row %zu asked for, but there are %zu rows", vise_dataset_name(dataset),
                       row, dataset->n_rows);
  }
  const size_t stored = vise_i_stored_row(dataset, row);
  for (size_t c = 0; c < array->n_cols; c++) out[c] = vise_i_array_get(array, stored, c);
  return VISE_OK;
}

vise_status vise_dataset_get_features(const vise_dataset *dataset, size_t row, double *out, vise_error *err) {
  VISE_ENTER(err, dataset, out);
  return copy_row(dataset, &dataset->storage->features.array, row, out, err);
}

vise_status vise_dataset_get_targets(const vise_dataset *dataset, size_t row, double *out, vise_error *err) {
  VISE_ENTER(err, dataset, out);
  if (vise_dataset_n_targets(dataset) == 0) {
    return vise_i_fail(err, VISE_ERR_STATE, "%s: has no targets", vise_dataset_name(dataset));
  }
  return copy_row(dataset, &dataset->storage->targets.array, row, out, err);
}

const vise_array *vise_i_dataset_features(const vise_dataset *dataset) {
  return &dataset->storage->features.array;
}

const vise_array *vise_i_dataset_targets(const vise_dataset *dataset) {
  return vise_dataset_n_targets(dataset) > 0 ? &dataset->storage->targets.array : NULL;
}

vise_array vise_i_dataset_targets_for(const vise_dataset *dataset, vise_targets kind) {
  const vise_i_storage *s = dataset->storage;
  if (kind != VISE_TARGETS_LABELS || s->labels == NULL) return s->targets.array;
  return vise_array_of(s->labels, VISE_I64, s->targets.array.n_rows, 1);
}

const double *vise_i_dataset_row_weights(const vise_dataset *dataset) {
  return dataset->storage->row_weights;
}

const size_t *vise_i_dataset_rows(const vise_dataset *dataset) {
  return dataset->rows;
}

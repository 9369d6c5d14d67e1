/* What a dataset is made of; private to host/data. */
#ifndef VISE_I_STORAGE_H
#define VISE_I_STORAGE_H

#include <stdatomic.h>

#include "host/data/dataset.h"
#include "host/data/reader.h"
#include "vise/preprocessor.h"

/* The values, shared by a dataset and the selections made from it. Immutable except for the count. */
typedef struct vise_i_storage {
  atomic_size_t n_references;
  char *name, *targets_name;      /* of the sources of features and targets */
  vise_i_table features, targets; /* targets.array.n_cols 0: no targets; memory NULL: borrowed */
  int64_t *labels;                /* [features.array.n_rows]: of one-hot targets; or NULL */
  double *row_weights;            /* [features.array.n_rows] or NULL */
  vise_transformed *transformed;  /* owns the arrays whose memory is NULL; or NULL */
  size_t targets_first_line;      /* of a CSV of targets, for messages; else 0 */
  bool is_idx;
} vise_i_storage;

struct vise_dataset {
  atomic_size_t n_references;
  vise_i_storage *storage;
  size_t *rows; /* NULL: all rows of the storage */
  size_t n_rows;
  atomic_bool has_hash; /* hash.c */
  _Atomic(uint64_t) hash[3];
};

/* Makes a dataset of all rows of *parts: checks that sizes agree, takes the parts over (and frees them on failure).
   name and targets_name are copied. */
VISE_WARN_UNUSED vise_status vise_i_dataset_make(vise_i_storage *parts, const char *name, const char *targets_name,
                                                 vise_dataset **out, vise_error *err);

/* Targets of which each row is one 1 and else 0, as the places of the ones: sets parts->labels. Nothing for others. */
VISE_WARN_UNUSED vise_status vise_i_find_one_hot(vise_i_storage *parts, vise_error *err);

/* The column of row weights as doubles (malloc'ed): one for each of n_rows rows, finite, >= 0, not all 0. */
VISE_WARN_UNUSED vise_status vise_i_row_weights(const vise_array *array, size_t n_rows, const char *name, double **out,
                                                vise_error *err);

/* Index into the stored arrays of row r of the dataset. */
static inline size_t vise_i_stored_row(const vise_dataset *dataset, size_t r) {
  return dataset->rows != NULL ? dataset->rows[r] : r;
}

#endif

/* What the training layer needs from a dataset beyond the public calls. */
#ifndef VISE_I_DATASET_H
#define VISE_I_DATASET_H

#include <stdint.h>

#include "host/base/error.h"
#include "vise/dataset.h"

/* The whole stored arrays (all rows, even for a selection), owned by the dataset. targets is NULL without targets;
   row_weights is NULL when all are 1. */
const vise_array *vise_i_dataset_features(const vise_dataset *dataset);
const vise_array *vise_i_dataset_targets(const vise_dataset *dataset);
/* The same as a kind of target: one-hot targets are labels where labels are wanted. n_cols is 0 without targets. */
vise_array vise_i_dataset_targets_for(const vise_dataset *dataset, vise_targets kind);
const double *vise_i_dataset_row_weights(const vise_dataset *dataset);

/* The rows of the stored arrays that belong to this dataset, in order: [vise_dataset_n_rows]; NULL: all of them. */
const size_t *vise_i_dataset_rows(const vise_dataset *dataset);

/* Mean and standard deviation (ddof 0; 0 -> 1) of each feature or target column over the dataset's rows, two passes in
   float64. shift, scale: [n_features] or [n_targets]. */
void vise_i_dataset_fit_features(const vise_dataset *dataset, double *shift, double *scale);
void vise_i_dataset_fit_targets(const vise_dataset *dataset, double *shift, double *scale);

/* Hashes (XXH3, 64 bits) of all rows of the dataset in their order, as they are stored: another type of the same values has
   another one. 0: there are no targets, no row weights. Found once, at the speed of memory; thread-safe. */
typedef struct vise_i_dataset_hash {
  uint64_t features, targets, row_weights;
} vise_i_dataset_hash;
VISE_WARN_UNUSED vise_status vise_i_dataset_hash_of(const vise_dataset *dataset, vise_i_dataset_hash *out,
                                                    vise_error *err);

/* Checks that the targets are one-hot, or one column of integers in [0, n_classes), n_classes >= 1. VISE_ERR_VALUE names dataset, row
   and value. */
VISE_WARN_UNUSED vise_status vise_i_dataset_check_labels(const vise_dataset *dataset, size_t n_classes,
                                                         vise_error *err);
/* Checks that every target is of the kind: bits, signs, counts; labels have a check of their own. */
VISE_WARN_UNUSED vise_status vise_i_dataset_check_targets(const vise_dataset *dataset, vise_targets kind,
                                                          vise_error *err);

#endif

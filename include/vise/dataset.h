/**
 * @file
 * Datasets: features, targets and row weights, read from files or taken from memory. Values keep the type of their
 * source until a batch is gathered. A dataset is immutable once made and may be shared by threads and trainers. Its
 * references are counted: whoever makes or retains it frees it once, and so do trainers for themselves, in any order.
 */
#ifndef VISE_DATASET_H
#define VISE_DATASET_H

#include "vise/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_dataset vise_dataset;
struct vise_fold_options;
struct vise_table_options;
struct vise_transformed;

/** Where a dataset is read from. Initialise with vise_dataset_source_init; strings are borrowed for the call. */
typedef struct vise_dataset_source {
  size_t struct_size;
  const char *features_path; /**< .npy, .npz, .csv, IDX, or one of these gzipped; the kind is told by the content, then
                                the name. "data.npz:x" is the array x of an .npz; one that is alone needs no name */
  const char *labels_path;   /**< the same kinds; NULL: targets are columns of a CSV, see target */
  const char *target;        /**< CSV without labels_path: NAME, INDEX (from 0, negative from the end) or a comma
                                list of these, a column of that NAME winning over an INDEX; NULL: the last column;
                                "": no targets at all (prediction). With labels_path only if target_optional */
  const char *row_weights_path; /**< one non-negative number a row; NULL: all 1 */
  bool target_optional;         /**< with target given: a CSV that lacks these columns is read without targets */
  const struct vise_table_options *table; /**< how tables are read (vise/table.h); NULL: by the defaults. Its max_bytes
                                            holds for arrays too */
} vise_dataset_source;

VISE_API void vise_dataset_source_init(vise_dataset_source *source);
VISE_API void vise_dataset_source_init_sized(vise_dataset_source *source, size_t n_bytes);
#define vise_dataset_source_init(source) vise_dataset_source_init_sized(source, sizeof *(source))

/**
 * Reads a dataset. Every value is checked to be finite; every file to be whole; rows to agree in number.
 * An IDX or NPY array of more than two dimensions is flattened to [n_rows, the rest]; one of one dimension is
 * [n_rows, 1]. NPY of f2 becomes f32, b1 u8, i1, i2 and u2 i32, u4 and u8 i64. Columns of tables must be numbers
 * without gaps: features become f64, targets i64 when all of them are integers, else f64.
 * Errors: VISE_ERR_IO, VISE_ERR_FORMAT, VISE_ERR_VALUE, VISE_ERR_SHAPE, VISE_ERR_USAGE (target), VISE_ERR_MEMORY.
 * The caller frees *out with vise_dataset_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_load(const vise_dataset_source *source, vise_dataset **out,
                                                        vise_error *err);

/**
 * A dataset over arrays in memory. features is [n_rows, n_features]; targets (may be NULL) [n_rows, n_targets];
 * row_weights (may be NULL) [n_rows, 1]. With copy true the data are copied; else they are borrowed and must outlive
 * the dataset and everything made from it, trainers among it. Values are checked to be finite.
 * Errors: VISE_ERR_USAGE (a NULL pointer, an unknown dtype), VISE_ERR_SHAPE, VISE_ERR_VALUE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_from_arrays(const vise_array *features, const vise_array *targets,
                                                               const vise_array *row_weights, bool copy,
                                                               vise_dataset **out, vise_error *err);

/**
 * A dataset of what a preprocessor made of a table (vise/preprocessor.h), which it takes over, also on failure. targets
 * and row_weights (either may be NULL) have a row for each row of that table, left out or not; targets stand in place of
 * those in transformed. Errors: VISE_ERR_USAGE (a NULL pointer), VISE_ERR_SHAPE, VISE_ERR_VALUE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_from_transformed(struct vise_transformed *transformed,
                                                                    const vise_array *targets,
                                                                    const vise_array *row_weights, vise_dataset **out,
                                                                    vise_error *err);

/** Tells what kind of data file path is, by its content and then by its name; "-" and pipes are tables.
    Errors: VISE_ERR_IO, VISE_ERR_FORMAT. */
VISE_API VISE_WARN_UNUSED vise_status vise_file_kind_of(const char *path, vise_file_kind *out, vise_error *err);

/**
 * The rows rows[0..n_rows) of dataset, in this order, as a dataset of its own that shares the data (no copy of
 * values). Each index must be below vise_dataset_n_rows(dataset). Errors: VISE_ERR_SHAPE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_select(const vise_dataset *dataset, const size_t *rows,
                                                          size_t n_rows, vise_dataset **out, vise_error *err);

/**
 * Splits off floor(fraction * n_rows) rows for validation: by a permutation seeded with seed, or the last rows when
 * shuffle is false. Both parts keep the file order among themselves. 0 < fraction < 1; both parts must be non-empty.
 * Errors: VISE_ERR_USAGE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_split(const vise_dataset *dataset, double fraction, bool shuffle,
                                                         uint64_t seed, vise_dataset **out_train,
                                                         vise_dataset **out_validation, vise_error *err);

/**
 * Writes to out[n], n the rows of the dataset, the fold of each row for cross-validation, as vise_table_folds does
 * (vise/preprocessor.h; options NULL: the defaults). Classes are those of vise_dataset_n_classes: turn stratify off where
 * whole numbers are no classes. A group has no column here. Errors: VISE_ERR_USAGE (fewer rows than it takes, a group),
 * VISE_ERR_SHAPE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_folds(const vise_dataset *dataset,
                                                         const struct vise_fold_options *options, size_t *out, size_t n,
                                                         vise_error *err);

/** One more reference, to be freed like the others; returns the dataset (NULL for NULL). Thread-safe. */
VISE_API vise_dataset *vise_dataset_retain(const vise_dataset *dataset);

/** Gives up one reference; the last one frees the dataset, and the data once no selection shares them. NULL is allowed.
   Thread-safe. */
VISE_API void vise_dataset_free(vise_dataset *dataset);

VISE_API size_t vise_dataset_n_rows(const vise_dataset *dataset);
VISE_API size_t vise_dataset_n_features(const vise_dataset *dataset);
/** Columns of the targets; 0 without targets. */
VISE_API size_t vise_dataset_n_targets(const vise_dataset *dataset);
VISE_API vise_dtype vise_dataset_feature_dtype(const vise_dataset *dataset);
VISE_API vise_dtype vise_dataset_target_dtype(const vise_dataset *dataset);
/** Largest target value + 1 when there is one target column of non-negative integers (of any dtype, an IDX or NPY of
   floats that are all integers included); the number of columns when they are one-hot; else 0. The number of classes
   that the labels need. */
VISE_API size_t vise_dataset_n_classes(const vise_dataset *dataset);
/** True when there are two target columns or more and each row of the source has one 1 and else 0: a loss that takes
   class labels takes the place of the 1 for the label; other losses take the columns as they are. */
VISE_API bool vise_dataset_is_one_hot(const vise_dataset *dataset);
/** True when the features came from an IDX file of bytes (whose default scale is unit). */
VISE_API bool vise_dataset_is_idx(const vise_dataset *dataset);
/** Name of the source for messages ("digits.csv", "array"; "?" for NULL); owned by the dataset. */
VISE_API const char *vise_dataset_name(const vise_dataset *dataset);
/** Bytes that the values take in memory (shared data counted in full). */
VISE_API size_t vise_dataset_n_bytes(const vise_dataset *dataset);
/** A hash of all rows in their order, with their targets and row weights, as they are stored: what tells them from other
    rows. It is found once, at the speed of memory, and stays. Thread-safe. Errors: VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_hash(const vise_dataset *dataset, uint64_t *out, vise_error *err);
/** Copies row `row` of the unscaled features to out[n_features], of the targets to out[n_targets]. */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_get_features(const vise_dataset *dataset, size_t row, double *out,
                                                                vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_get_targets(const vise_dataset *dataset, size_t row, double *out,
                                                               vise_error *err);

#ifdef __cplusplus
}
#endif
#endif

/**
 * @file
 * Preprocessing: what turns the columns of a table into the inputs and targets of a net. It is fitted on the training
 * rows alone, kept with the model (as JSON), and applied to any table that has the same columns, by name where both
 * have names.
 *
 *  - Numbers and dates become one input, standardised by the mean and the standard deviation (ddof 0) of the training
 *    values, in float64 before rounding; a gap becomes the mean. Where the training rows had gaps, one more input is 1
 *    for a gap and 0 else. Dates are days since the first training row's.
 *  - Text becomes inputs of 0 and 1, one for each value of the training rows (two values: one input), a gap being a
 *    value. Of more than max_categories values (by default 64, and up to 256 of at least 3 training rows) the rarer
 *    ones, of equally rare ones those last in strcmp's order, share the input "other". A value that was never seen is
 *    all zeros. These inputs are not standardised.
 *  - Left out, with a note: columns of one value; text of which more than half of the training rows differ; row names:
 *    a first column without a name, or one named id, index, obs, case, no, rownames, Unnamed: 0, patient, subject, pid,
 *    caseid, idcase, seqno, or ending as ids do (_id, .id; Id or ID after a small letter), of text or whole numbers
 *    without repeats.
 *  - Refused as the target: dates, row names, numbers named id or ending so, texts that hardly repeat.
 *  - Refused: columns of which at least 90 % are numbers of over 20 values, but not all; numbers with a decimal comma,
 *    thousands separators, percent or currency signs.
 *
 * Messages name a field of the options, or of vise_table_options, in backquotes.
 */
#ifndef VISE_PREPROCESSOR_H
#define VISE_PREPROCESSOR_H

#include "vise/table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_preprocessor vise_preprocessor;

/** How to fit. Initialise with vise_preprocessor_options_init; texts are borrowed for the call. Lists and columns are
    given as in vise_table_options. */
typedef struct vise_preprocessor_options {
  size_t struct_size;
  const char *target;    /**< list of columns; NULL: the last one; "": none */
  const char *features;  /**< list of columns to use; NULL: all but the targets */
  const char *drop;      /**< list of columns to leave out */
  vise_missing missing;  /**< auto: as above; error: refused; drop-rows: rows with a gap are left out */
  size_t max_categories; /**< at least 1; 0 (default): by the data, as above */
  vise_scale scale;      /**< of numbers and dates: standard (also auto, the default), none, or unit (x / 255) */
  bool loss_given;       /**< loss is to be used; else it is chosen by the target */
  vise_loss loss;
  vise_target_kind target_kind; /**< of one target: classes or numbers, whatever it looks like, as for folds of a table
                                   whose target was judged as a whole [none: by the target and the loss] */
  const char *group; /**< a column that says which rows belong together (vise_fold_options): it is no feature [NULL] */
  size_t keep_constant; /**< 1: a column that is the same in every row stays an input, as for training that goes on with
                           rows that differ there; 0: it is left out [0] */
  struct vise_ranks
      *ranks; /**< several processes, each with a table of its own of the same columns (vise/ranks.h): all call
                               vise_preprocessor_fit, and get what fits the rows of all. No row leaves its process: what
                               does are counts, means and variances, and, with how many rows have each, values of text
                               columns and classes. Dates are days since their mean then, scale unit is judged by each
                               table for itself [NULL: this table alone] */
  size_t
      constant_target; /**< 1: with target_kind numbers, a target that is the same in every row is taken, with a deviation
                             of 1; 0: it is refused, as one from which nothing can be learnt [0] */
} vise_preprocessor_options;

VISE_API void vise_preprocessor_options_init(vise_preprocessor_options *options);
VISE_API void vise_preprocessor_options_init_sized(vise_preprocessor_options *options, size_t n_bytes);
#define vise_preprocessor_options_init(options) vise_preprocessor_options_init_sized(options, sizeof *(options))

/**
 * Fits to the rows rows[0..n_rows) of table (each at most once, in any order; NULL: all). The result depends on their
 * set alone. options may be NULL. Errors name file, line and column: VISE_ERR_VALUE (a column or target that cannot be
 * used as it is), VISE_ERR_USAGE, VISE_ERR_SHAPE, VISE_ERR_STATE (the table was used up), VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_fit(const vise_table *table,
                                                            const vise_preprocessor_options *options,
                                                            const size_t *rows, size_t n_rows, vise_preprocessor **out,
                                                            vise_error *err);
/** NULL is allowed. */
VISE_API void vise_preprocessor_free(vise_preprocessor *preprocessor);

/** All of it as JSON text, numbers with 17 digits; free() it. Reading it gives an equal preprocessor. */
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_to_json(const vise_preprocessor *preprocessor, char **out,
                                                                vise_error *err);
/** VISE_ERR_FORMAT says what is wrong with the text. */
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_from_json(const char *json, vise_preprocessor **out,
                                                                  vise_error *err);

/** What became of one column of the training table. Texts are owned by the preprocessor. */
typedef struct vise_column_info {
  const char *name; /**< NULL without names */
  size_t place;     /**< in the training table, from 0 */
  vise_column_kind kind;
  vise_column_role role;
  const char *reason; /**< of a dropped one: why; else NULL */
  size_t first_input; /**< its inputs are first_input .. first_input + n_inputs - 1 */
  size_t n_inputs;
  size_t n_gaps;       /**< among the training rows */
  double fill;         /**< numbers, dates (in days since origin): what a gap becomes */
  double origin;       /**< dates: the first training row's, in days since 1970-01-01 */
  double shift, scale; /**< numbers, dates: the input is (x - shift) / scale */
  bool has_indicator;  /**< numbers, dates: a second input says what is a gap */
  size_t n_categories; /**< text: values with an input of their own, that for gaps not counted */
  size_t n_grouped;    /**< text: values that share the input "other" */
} vise_column_info;

VISE_API size_t vise_preprocessor_n_columns(const vise_preprocessor *preprocessor);
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_column(const vise_preprocessor *preprocessor, size_t i,
                                                               vise_column_info *out, vise_error *err);
/** Columns that became inputs, of which a column of text has several. */
VISE_API size_t vise_preprocessor_n_features(const vise_preprocessor *preprocessor);
/** Inputs of the net, in the order of the columns. */
VISE_API size_t vise_preprocessor_n_inputs(const vise_preprocessor *preprocessor);
/** "age", "age is missing", "color=red", "color=other", "color is missing": written to buffer[n], cut if it is too
    small. Columns without a name are "column 3". Returns buffer. */
VISE_API const char *vise_preprocessor_input_name(const vise_preprocessor *preprocessor, size_t i, char *buffer,
                                                  size_t n);

VISE_API vise_target_kind vise_preprocessor_target_kind(const vise_preprocessor *preprocessor);
/** Columns of targets: one for classes. */
VISE_API size_t vise_preprocessor_n_targets(const vise_preprocessor *preprocessor);
VISE_API const char *vise_preprocessor_target_name(const vise_preprocessor *preprocessor, size_t i);
/** Mean and standard deviation of target i among the training rows; 0 and 1 for classes. */
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_target_scaling(const vise_preprocessor *preprocessor, size_t i,
                                                                       double *shift, double *scale, vise_error *err);
VISE_API size_t vise_preprocessor_n_classes(const vise_preprocessor *preprocessor);
VISE_API const char *vise_preprocessor_class_name(const vise_preprocessor *preprocessor, size_t i);
/** Training rows of class i. */
VISE_API size_t vise_preprocessor_class_count(const vise_preprocessor *preprocessor, size_t i);
/** The loss given, or chosen by the target: cross-entropy for classes, mse for numbers. */
VISE_API vise_loss vise_preprocessor_loss(const vise_preprocessor *preprocessor);
/** Why the target was taken for what it is, and what would change it. */
VISE_API const char *vise_preprocessor_target_reason(const vise_preprocessor *preprocessor);
/** Training rows used. */
VISE_API size_t vise_preprocessor_n_rows(const vise_preprocessor *preprocessor);

/** What was made of the table, as lines to print. Line 0 has the rows, the columns, the inputs and the classes. */
VISE_API size_t vise_preprocessor_n_lines(const vise_preprocessor *preprocessor);
VISE_API const char *vise_preprocessor_line(const vise_preprocessor *preprocessor, size_t i);

/** How to apply. Initialise with vise_transform_options_init. */
typedef struct vise_transform_options {
  size_t struct_size;
  vise_dtype dtype;   /**< of the inputs: VISE_F32 (default) or VISE_F64 */
  const size_t *rows; /**< those of the table to convert, ascending; NULL: all */
  size_t n_rows;
  bool targets;       /**< the targets too, which the table must then have (default true) */
  bool keep_all_rows; /**< a row out for each row in, for predictions: drop-rows fills gaps as auto does */
  bool use_up;        /**< give the table's memory back while converting; its values cannot be read after that */
  size_t max_bytes;   /**< most memory that the inputs may take; 0 (default): half of what is free */
  const vise_array
      *row_weights; /**< for vise_dataset_prepare (vise/fit.h) alone: [rows of the table, 1]; borrowed [NULL] */
} vise_transform_options;

VISE_API void vise_transform_options_init(vise_transform_options *options);
VISE_API void vise_transform_options_init_sized(vise_transform_options *options, size_t n_bytes);
#define vise_transform_options_init(options) vise_transform_options_init_sized(options, sizeof *(options))

/** Inputs and targets made of a table. */
typedef struct vise_transformed vise_transformed;

/**
 * Applies preprocessor to table: by name where both have names (other columns are left out and named in a note; a
 * missing feature is an error), else by place, where the number of columns must be that of the training table, with or
 * without its targets. Rows without a target, and under drop-rows rows with a gap, are left out.
 * Errors name file, line and column: VISE_ERR_VALUE (a value beyond float32, a class that no training row had; a gap
 * under missing error), VISE_ERR_SHAPE, VISE_ERR_USAGE, VISE_ERR_STATE, VISE_ERR_MEMORY. Free with
 * vise_transformed_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_preprocessor_transform(const vise_preprocessor *preprocessor,
                                                                  vise_table *table,
                                                                  const vise_transform_options *options,
                                                                  vise_transformed **out, vise_error *err);
/** NULL is allowed. */
VISE_API void vise_transformed_free(vise_transformed *transformed);

/** [n_rows, n_inputs], C order; owned by transformed. */
VISE_API vise_array vise_transformed_features(const vise_transformed *transformed);
/** Class codes (i64, [n_rows, 1]), numbers (f64, [n_rows, n_targets], not scaled), or n_cols 0 without targets. */
VISE_API vise_array vise_transformed_targets(const vise_transformed *transformed);
/** The row of the table that each row was made of: [n_rows]; NULL: row i is the table's row i. */
VISE_API const size_t *vise_transformed_rows(const vise_transformed *transformed);

/** The name and the number of rows of the table that it was made of. */
VISE_API const char *vise_transformed_name(const vise_transformed *transformed);
VISE_API size_t vise_transformed_n_table_rows(const vise_transformed *transformed);

typedef struct vise_transform_counts {
  size_t n_rows;
  size_t n_without_target; /**< rows left out */
  size_t n_dropped;        /**< rows left out for a gap, under drop-rows */
  size_t n_filled;         /**< gaps that became the mean */
  size_t n_filled_unknown; /**< of these, in columns that had none when fitted */
  size_t n_unseen;         /**< texts that no training row had */
} vise_transform_counts;

VISE_API vise_transform_counts vise_transformed_counts(const vise_transformed *transformed);
/** Notes and warnings as lines to print. */
VISE_API size_t vise_transformed_n_notes(const vise_transformed *transformed);
VISE_API const char *vise_transformed_note(const vise_transformed *transformed, size_t i);

/** How rows are held out. Initialise with vise_split_options_init. */
typedef struct vise_split_options {
  size_t struct_size;
  double fraction; /**< floor(fraction * rows) are held out, 0 < fraction < 1 */
  bool shuffle;    /**< by a permutation seeded with seed (default); else the last rows */
  bool stratify;   /**< every class in its proportion, if the target is classes; needs shuffle */
  uint64_t seed;
  uint32_t index;     /**< another split of the same seed: 0 for validation, 1 for test */
  const size_t *rows; /**< those of the table to split; NULL: all */
  size_t n_rows;
} vise_split_options;

VISE_API void vise_split_options_init(vise_split_options *options);
VISE_API void vise_split_options_init_sized(vise_split_options *options, size_t n_bytes);
#define vise_split_options_init(options) vise_split_options_init_sized(options, sizeof *(options))

/** Rows of a table, ascending. */
typedef struct vise_split {
  size_t *kept, n_kept;
  size_t *held_out, n_held_out;
} vise_split;

/**
 * Splits the rows of table that have a target. The target is that of preprocessor_options (NULL: the defaults). No
 * class loses its last row to the held-out part unless there is no other way. Errors: VISE_ERR_USAGE (a part would be
 * empty), VISE_ERR_VALUE (the target cannot be used), VISE_ERR_MEMORY. The caller frees *out's arrays with
 * vise_split_clear.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_table_split(const vise_table *table,
                                                       const vise_preprocessor_options *preprocessor_options,
                                                       const vise_split_options *options, vise_split *out,
                                                       vise_error *err);
/** NULL is allowed. */
VISE_API void vise_split_clear(vise_split *split);

/** How rows are dealt out for cross-validation. Initialise with vise_fold_options_init. */
typedef struct vise_fold_options {
  size_t struct_size;
  size_t n_folds;     /**< at least 2 [5] */
  uint32_t repeat;    /**< other folds of the same seed [0] */
  bool shuffle;       /**< by a permutation seeded with seed, else in the order of the rows [true] */
  bool stratify;      /**< every class in its proportion, if the target is classes [true] */
  uint64_t seed;      /**< [0] */
  const size_t *rows; /**< those of the table to deal out; NULL: all */
  size_t n_rows;
  const char *group; /**< of a table: rows of one value in this column, by name or place, are in one fold [NULL] */
  bool time_order;   /**< rows stand in the order of time: blocks of them, whatever shuffle, stratify, seed and repeat
                           say; not with group [false] */
} vise_fold_options;

VISE_API void vise_fold_options_init(vise_fold_options *options);
VISE_API void vise_fold_options_init_sized(vise_fold_options *options, size_t n_bytes);
#define vise_fold_options_init(options) vise_fold_options_init_sized(options, sizeof *(options))

/**
 * Writes to out[n], n the rows of the table, the fold of each row, from 1: folds differ by at most one row, and with
 * stratify by at most one row of each class. 0 stands for rows in no fold: those without a target, those not in
 * options.rows, and with stratify the only row of a class, which every fold is to be trained on. The target is that of
 * preprocessor_options (NULL: the defaults).
 *
 * With group whole groups are dealt, the largest first (of equals, in the order of the permutation, or of their first
 * rows), each to the fold where the sum over the classes of (their rows in it / all their rows)^2 grows least, of equals
 * to that of the fewest rows, then to the first; with stratify a group that alone has a class is in no fold.
 *
 * With time_order the n rows that have a target make n_folds + 1 blocks in their order: the first, of
 * n - n_folds floor(n / (n_folds + 1)) rows, is in no fold, fold k is the block after k others, of
 * floor(n / (n_folds + 1)) rows. Train on the past of a fold by vise_folds_split_past.
 *
 * Errors: VISE_ERR_USAGE (fewer rows or groups than it takes, no such group column), VISE_ERR_VALUE (the target cannot be
 * used; a row without a group, named by its line), VISE_ERR_SHAPE, VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_table_folds(const vise_table *table,
                                                       const vise_preprocessor_options *preprocessor_options,
                                                       const vise_fold_options *options, size_t *out, size_t n,
                                                       vise_error *err);

/** The rows of one fold (from 1) held out, the others kept: of rows[0..n) (NULL: 0 to n - 1), whose folds folds[row]
   are. Clear *out with vise_split_clear. Errors: VISE_ERR_USAGE (no row is in that fold), VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_folds_split(const size_t *folds, const size_t *rows, size_t n, size_t fold,
                                                       vise_split *out, vise_error *err);

/** The same for folds in order of time: only rows of earlier folds and of none that stand before the fold are kept, so
   that later rows are in neither part. */
VISE_API VISE_WARN_UNUSED vise_status vise_folds_split_past(const size_t *folds, const size_t *rows, size_t n,
                                                            size_t fold, vise_split *out, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif

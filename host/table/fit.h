/* Fitting a preprocessor: what its steps share. */
#ifndef VISE_I_FIT_H
#define VISE_I_FIT_H

#include "host/table/preprocessor.h"
#include "vise/ranks.h"

typedef struct vise_i_fit {
  const vise_table *table;
  const vise_preprocessor_options *options;
  vise_preprocessor *made;
  bool *used; /* [n_rows]: the training rows, less those that are left out */
  size_t n_used;
  vise_ranks *ranks; /* whose rows are fitted to together (pool.h); NULL: these alone */
  size_t n_all;      /* rows that are used, of all ranks */
  bool *listed;      /* [n_columns]: named by options->features */
  size_t *targets;   /* columns, in the order they were asked for */
  size_t n_targets;
  vise_error *err;
} vise_i_fit;

/* ---- fit.c */
VISE_WARN_UNUSED vise_status vise_i_fit_options(const vise_preprocessor_options *given,
                                                vise_preprocessor_options *options, vise_error *err);
/* Checks the table, marks rows and finds the targets; free with vise_i_fit_end, also after a failure. */
VISE_WARN_UNUSED vise_status vise_i_fit_begin(vise_i_fit *fit, const size_t *rows, size_t n_rows);
void vise_i_fit_end(vise_i_fit *fit);
/* Leaves out the rows without a value in column c; *n counts them. */
void vise_i_fit_leave_out_gaps(vise_i_fit *fit, size_t c, size_t *n);

/* ---- values.c: what the used rows hold */
typedef struct vise_i_values {
  size_t n, n_gaps;
  double first, smallest, largest, largest_magnitude;
  double mean, deviation; /* ddof 0; a deviation that rounding alone explains is 0 */
  bool are_whole;
} vise_i_values;

/* A column of numbers or dates, less origin. VISE_ERR_VALUE: one is beyond float32. */
VISE_WARN_UNUSED vise_status vise_i_fit_values(const vise_i_fit *fit, size_t c, double origin, vise_i_values *out);

/* A text and the rows that have it. */
typedef struct vise_i_text_count {
  const char *text;
  size_t n_rows;
} vise_i_text_count;

/* The texts of the used rows of column c, in any order; free() *out. */
VISE_WARN_UNUSED vise_status vise_i_fit_texts(const vise_i_fit *fit, size_t c, vise_i_text_count **out, size_t *n,
                                              size_t *n_gaps);

/* Different values of a column of numbers, ascending, and how many rows have each. free() both. */
VISE_WARN_UNUSED vise_status vise_i_fit_distinct(const vise_i_fit *fit, size_t c, double **values, size_t **counts,
                                                 size_t *n);
/* How many rows have each text of a column: counts[texts.n]. used NULL: of all rows. */
void vise_i_count_texts(const vise_table *table, size_t c, const bool *used, size_t *counts, size_t *n_gaps);
/* No value stands in two rows of the whole table. */
VISE_WARN_UNUSED vise_status vise_i_is_unique(const vise_table *table, size_t c, bool *out, vise_error *err);
/* The first row of the table that has this code. */
size_t vise_i_row_of_code(const vise_table *table, size_t c, uint32_t code);

/* ---- judge.c: columns that are no features */
/* Called id, or something that ends in _id, .id, or in Id or ID after a small letter. */
bool vise_i_is_called_id(const char *name);
/* Whether its name alone lets it be one, or that it has none. */
bool vise_i_may_be_id(const vise_table *table, size_t c);
/* Row names or ids. *why (static text) is NULL if not. */
VISE_WARN_UNUSED vise_status vise_i_judge_id(const vise_table *table, size_t c, const char **why, vise_error *err);
/* VISE_ERR_VALUE for a column of text that was meant to be numbers. */
VISE_WARN_UNUSED vise_status vise_i_judge_text(const vise_table *table, size_t c, vise_error *err);

/* ---- feature.c: fits one column as a feature, or drops it with a reason */
VISE_WARN_UNUSED vise_status vise_i_fit_feature(vise_i_fit *fit, size_t c);
VISE_WARN_UNUSED vise_status vise_i_fit_drop(vise_i_fit *fit, size_t c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- target.c */
VISE_WARN_UNUSED vise_status vise_i_fit_target(vise_i_fit *fit);

#endif

/*
 * Fitting to the rows of several ranks, each of which has a table of its own (vise_preprocessor_options.ranks). No row leaves
 * its rank: what does are counts, means and variances of columns, and the values of text columns, and of targets that are
 * classes, with how many rows have each. All of it is nothing for a table by itself. Every call is made by all ranks in the
 * same order; one that fails calls vise_ranks_agree in the place of the next.
 */
#ifndef VISE_I_TABLE_POOL_H
#define VISE_I_TABLE_POOL_H

#include "host/ranks/pool.h"
#include "host/table/fit.h"

static inline bool vise_i_fit_is_pooled(const vise_i_fit *fit) {
  return vise_ranks_size(fit->ranks) > 1;
}

/* That all have the same columns of the same kinds, with the same roles. */
VISE_WARN_UNUSED vise_status vise_i_pool_columns(const vise_i_fit *fit);
/* Sums of n counts. */
VISE_WARN_UNUSED vise_status vise_i_pool_counts(const vise_i_fit *fit, uint64_t *counts, size_t n);
/* Whether it is true on all. */
VISE_WARN_UNUSED vise_status vise_i_pool_all(const vise_i_fit *fit, bool *truth);

/* What the rows of all hold. first, smallest and largest are no values of rows then: they are equal if all values are, and
   otherwise as far apart as the largest magnitude, rounded up. */
VISE_WARN_UNUSED vise_status vise_i_pool_values(const vise_i_fit *fit, vise_i_values *values);

/* Texts of a column and the rows of each. *texts [*n], to be freed, is replaced, and so is *n_gaps; the texts are in *storage,
   to be freed. n_own of the own rows, as of vise_i_pool_differ, are told before. */
VISE_WARN_UNUSED vise_status vise_i_pool_texts(const vise_i_fit *fit, vise_i_text_count **texts, size_t *n,
                                               size_t *n_gaps, char **storage);
/* Whether texts differ in more than half of the rows of any rank, where that is to leave them at home: *n of *n_rows there. */
VISE_WARN_UNUSED vise_status vise_i_pool_differ(const vise_i_fit *fit, size_t *n, size_t *n_rows, bool *differ);

/* Different values of a target, ascending, and the rows of each, [*n], to be freed, replaced by those of all. Values leave a
   rank only where they can be classes; else *n is the most that a rank has, and *values and *counts stay this rank's.
   are_classes: they were asked for. */
VISE_WARN_UNUSED vise_status vise_i_pool_distinct(const vise_i_fit *fit, bool are_classes, double **values,
                                                  size_t **counts, size_t *n, bool *are_known);

#endif

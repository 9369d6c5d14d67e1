/* Which row goes to which fold of cross-validation: what tables and arrays share. */
#ifndef VISE_I_FOLDS_H
#define VISE_I_FOLDS_H

#include "host/base/error.h"
#include "vise/preprocessor.h"

/* Rows to deal out. */
typedef struct vise_i_dealing {
  size_t n;
  const size_t *labels; /* [n]: the class of each row, below n_classes */
  size_t n_classes;     /* 1: none are told apart */
  const size_t *groups; /* [n]: the group of each row, below n_groups; NULL: rows stand alone */
  size_t n_groups;
  const char *name, *group; /* what messages call the data, and what holds the groups */
} vise_i_dealing;

/* The options given (NULL: the defaults), checked against each other. */
VISE_WARN_UNUSED vise_status vise_i_fold_options_take(const vise_fold_options *given, vise_fold_options *options,
                                                      vise_error *err);

/* Writes the fold of each row, from 1, to folds[n]; 0: it is in none. VISE_ERR_USAGE: too few rows or groups. */
VISE_WARN_UNUSED vise_status vise_i_deal(const vise_i_dealing *dealing, const vise_fold_options *options, size_t *folds,
                                         vise_error *err);

/* Numbers the different ones of n values, none of them NaN, from 0 on in the order of their first appearance:
   numbers[n]. */
VISE_WARN_UNUSED vise_status vise_i_number_values(const double *values, size_t n, size_t *numbers, size_t *n_different,
                                                  vise_error *err);

#endif

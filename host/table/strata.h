/* The rows of a table that have a target, and their classes: what splits and folds are made of. */
#ifndef VISE_I_STRATA_H
#define VISE_I_STRATA_H

#include "host/table/fit.h"

/* Row rows[i] of the table, ascending, is in class labels[i]. */
typedef struct vise_i_strata {
  size_t *rows, n;
  size_t *labels, n_classes; /* one class for all, if they are not told apart */
} vise_i_strata;

/* After vise_i_fit_begin; by_class: tells the classes apart, where the target is classes. Free it on failure too. */
VISE_WARN_UNUSED vise_status vise_i_strata_make(vise_i_fit *fit, bool by_class, vise_i_strata *out);
void vise_i_strata_free(vise_i_strata *strata);

#endif

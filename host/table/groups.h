/* Rows of a table that belong together: those of one value in a column. */
#ifndef VISE_I_GROUPS_H
#define VISE_I_GROUPS_H

#include "host/table/strata.h"

/* The group of each row of the strata, numbered in the order of their first rows. */
typedef struct vise_i_groups {
  size_t *of, n;
  size_t column;
} vise_i_groups;

/* The column that holds the groups, by name or place. VISE_ERR_USAGE: there is none, or it is a target. */
VISE_WARN_UNUSED vise_status vise_i_groups_find(const vise_i_fit *fit, const char *group, size_t *out);
/* After vise_i_strata_make. VISE_ERR_VALUE: a row has no group. free() out->of, on failure too. */
VISE_WARN_UNUSED vise_status vise_i_groups_make(const vise_i_fit *fit, const char *group, const vise_i_strata *strata,
                                                vise_i_groups *out);

#endif

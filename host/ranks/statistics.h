/* Means, variances and sums over a batch in parts, on all ranks: what batch norm needs. Two parts become one by the formula
   of Chan, Golub and LeVeque, in the tree that gradients are added in. */
#ifndef VISE_I_RANKS_STATISTICS_H
#define VISE_I_RANKS_STATISTICS_H

#include "host/ranks/parts.h"
#include "host/ranks/ranks.h"

/* Of n numbers: their mean, and the sum of the squares of what they differ from it. */
typedef struct vise_i_moments {
  double n, mean, squares;
} vise_i_moments;

/* Those of both (Chan, Golub and LeVeque). */
static inline void vise_i_moments_merge(vise_i_moments *to, const vise_i_moments *from) {
  const double n = to->n + from->n, difference = from->mean - to->mean;
  if (!(from->n > 0)) return;
  to->mean += difference * (from->n / n);
  to->squares += from->squares + difference * difference * (to->n * from->n / n);
  to->n = n;
}

/* Whose: `width` units, over the parts of n_rows rows. */
typedef struct vise_i_part_units {
  vise_ranks *ranks;
  vise_i_parts parts;
  size_t n_rows, width;
} vise_i_part_units;

/* all [parts.n, 2, width]: means and variances (divided by the rows) of each part, of which a rank has filled its own; now
   the first part's are those of the batch. */
VISE_WARN_UNUSED vise_status vise_i_merge_statistics(const vise_i_part_units *units, double *all, vise_error *err);
/* The same of sums. */
VISE_WARN_UNUSED vise_status vise_i_merge_sums(const vise_i_part_units *units, double *all, vise_error *err);

#endif

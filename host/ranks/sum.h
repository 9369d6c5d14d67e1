/* The sum over the parts of a batch (parts.h), on all ranks, in the one order that makes its bits. */
#ifndef VISE_I_RANKS_SUM_H
#define VISE_I_RANKS_SUM_H

#include "host/ranks/parts.h"
#include "host/ranks/ranks.h"
#include "vise/types.h"

/* What a part found besides its gradient. */
typedef struct vise_i_part_found {
  double loss;
  uint64_t n_correct;
} vise_i_part_found;

/* What is added: float or double. */
typedef struct vise_i_addends {
  vise_i_parts parts;
  size_t n_rows; /* of the batch */
  vise_dtype dtype;
  size_t n_values;
  void *values[VISE_I_MOST_PARTS];            /* [n_values]: by part; of this process's own; they are overwritten */
  vise_i_part_found found[VISE_I_MOST_PARTS]; /* of its own; of all when the sum is made */
  void *sum;                                  /* [n_values]: where it goes; may be one of values */
} vise_i_addends;

/* Elements [begin, end) of a process's own parts, as far as it can add them by itself: into the nodes of
   vise_i_parts_nodes. Several threads may share the elements. */
void vise_i_add_own_parts(const vise_i_addends *addends, size_t begin, size_t end);
/* After vise_i_add_own_parts on all elements, on every rank: the sum over all, and what all parts have found. */
VISE_WARN_UNUSED vise_status vise_i_add_all_parts(vise_ranks *ranks, vise_i_addends *addends, vise_error *err);

/* Room for sums of n_values over batches of up to most_parts parts, before the first one: later it would be too late to tell
   the others that there is none. */
VISE_WARN_UNUSED vise_status vise_i_add_reserve(vise_ranks *ranks, size_t most_parts, size_t n_values, vise_dtype dtype,
                                                vise_error *err);

/* all [parts->n, n]: numbers of each part, of which a rank has filled its own; now those of all. */
VISE_WARN_UNUSED vise_status vise_i_ranks_gather_parts(vise_ranks *ranks, const vise_i_parts *parts, double *all,
                                                       size_t n, vise_error *err);

#endif

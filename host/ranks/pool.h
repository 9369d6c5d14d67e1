/* What ranks that have rows of their own tell each other of them: sums, counts, means; and the sum of arrays over ranks, of
   which there may be any number. All ranks get the same bits. */
#ifndef VISE_I_RANKS_POOL_H
#define VISE_I_RANKS_POOL_H

#include "host/ranks/ranks.h"
#include "host/ranks/statistics.h"

/* Room for vise_i_ranks_sum of n values; free() it. It is made before the ranks meet, so that lack of it can be told. */
VISE_WARN_UNUSED vise_status vise_i_ranks_sum_room(vise_ranks *ranks, size_t n, double **out, vise_error *err);
/* values [n] of each rank: added in a binary tree over the ranks, (0 + 1) + (2 + 3) and so on; all get the sum. */
VISE_WARN_UNUSED vise_status vise_i_ranks_sum(vise_ranks *ranks, double *values, size_t n, double *room,
                                              vise_error *err);

/* The bytes of each rank, as many as each has: *all, to be freed, where those of rank r end at ends[r] ([size]). A rank that
   failed calls vise_ranks_agree in its place, and all hear of it. */
VISE_WARN_UNUSED vise_status vise_i_ranks_pool(vise_ranks *ranks, const void *mine, size_t n_bytes, char **all,
                                               size_t *ends, vise_error *err);
/* The same where all have as many: all [size * n_bytes] is the caller's. */
VISE_WARN_UNUSED vise_status vise_i_ranks_pool_each(vise_ranks *ranks, const void *mine, size_t n_bytes, void *all,
                                                    vise_error *err);

/* Of columns: moments [n] of each rank become those of all. */
VISE_WARN_UNUSED vise_status vise_i_ranks_pool_moments(vise_ranks *ranks, vise_i_moments *moments, size_t n,
                                                       vise_error *err);

#endif

/* Ranks that are threads of one process: a carrier that passes messages by memory. */
#ifndef VISE_T_RANKS_RIG_H
#define VISE_T_RANKS_RIG_H

#include "host/ranks/ranks.h"

enum { RANKS_MOST = 12 };

/* What each rank does; ranks is NULL for one. */
typedef void ranks_work(vise_ranks *ranks, void *context);

/* Runs it on so many ranks, and returns when all are done. silent: a rank that does nothing at all, or RANKS_NOBODY. */
enum { RANKS_NOBODY = -1 };
void ranks_run(size_t n_ranks, int silent, ranks_work *work, void *context);

#endif

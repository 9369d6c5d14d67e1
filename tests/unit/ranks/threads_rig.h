/* Ranks that are threads of one process: a carrier that passes messages by memory. */
#ifndef VISE_TEST_THREADS_RIG_H
#define VISE_TEST_THREADS_RIG_H

#include "host/ranks/ranks.h"

enum { RIG_MOST_RANKS = 12 };

/* What each rank does; ranks is NULL for one. */
typedef void rig_work(vise_ranks *ranks, void *context);

/* Runs it on so many ranks, and returns when all are done. silent: a rank that does nothing at all, or RIG_NOBODY. */
enum { RIG_NOBODY = -1 };
void rig_run(size_t n_ranks, int silent, rig_work *work, void *context);

#endif

/*
 * A team of threads that work on the parts of one task at a time. Between tasks, which are microseconds apart in a
 * training step, the threads spin for a while and then sleep; waking costs some microseconds. Within a task they may
 * meet at barriers, so that a whole step can be one task.
 *
 * After a fork the child has none of these threads: its team does each task in one part.
 */
#ifndef VISE_I_CPU_TEAM_H
#define VISE_I_CPU_TEAM_H

#include "host/base/error.h"

typedef struct vise_i_team vise_i_team;

/* Does part `part` of n_parts. */
typedef void vise_i_team_work(void *context, size_t part, size_t n_parts);

/* n_threads >= 1, the caller's own included. NULL for one thread. Where the system does not start one of them, all end
   and the error says which and why. */
VISE_WARN_UNUSED vise_status vise_i_team_create(int n_threads, vise_i_team **out, vise_error *err);
void vise_i_team_destroy(vise_i_team *team);

/* From now on a team of which a thread was kept from its processor (by another program's threads, say) does the tasks
   that follow in one part, for a while (parking.h). Only for work whose numbers do not depend on n_parts. */
void vise_i_team_allow_parking(vise_i_team *team);

/* Calls work for all parts, one per thread, and returns when all are done. team may be NULL: one part, done here.
   Returns the n_parts that work was given: vise_i_team_size or, while parked, 1. It may differ from run to run, so what
   parts have found is combined over the n_parts of the run that found it. */
size_t vise_i_team_run(vise_i_team *team, vise_i_team_work *work, void *context);

/* Within work, called by every part equally often: waits until all parts have called it; what any of them wrote before
   it, all see after it. team is the one that was given to run; nothing to do where it is NULL or has one part. */
void vise_i_team_barrier(vise_i_team *team, size_t part);

/* The most parts that a run may have. */
size_t vise_i_team_size(const vise_i_team *team);

/* Part `part` of 0..n as [*first, *end), in multiples of `align` except the last. */
void vise_i_team_slice(size_t n, size_t align, size_t part, size_t n_parts, size_t *first, size_t *end);

#endif

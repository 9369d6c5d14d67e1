/*
 * A team of threads that work on the parts of one task at a time. Between tasks, which are microseconds apart in a
 * training step, the threads spin for a while and then sleep; waking costs some microseconds.
 */
#ifndef VISE_I_CPU_TEAM_H
#define VISE_I_CPU_TEAM_H

#include "host/base/error.h"

typedef struct vise_i_team vise_i_team;

/* Does part `part` of n_parts. */
typedef void vise_i_team_work(void *context, size_t part, size_t n_parts);

/* n_threads >= 1, the caller's own included; if the system gives fewer, the team is just smaller. NULL for one
   thread. */
VISE_WARN_UNUSED vise_status vise_i_team_create(int n_threads, vise_i_team **out, vise_error *err);
void vise_i_team_destroy(vise_i_team *team);

/* Calls work for all parts, one per thread, and returns when all are done. team may be NULL: one part, done here. */
void vise_i_team_run(vise_i_team *team, vise_i_team_work *work, void *context);

size_t vise_i_team_size(const vise_i_team *team);

/* Part `part` of 0..n as [*first, *end), in multiples of `align` except the last. */
void vise_i_team_slice(size_t n, size_t align, size_t part, size_t n_parts, size_t *first, size_t *end);

#endif

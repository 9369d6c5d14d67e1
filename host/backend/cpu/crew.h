/* The threads that go through a step together: each calls the same functions, takes its part of the work in them and
   waits for the others where it needs what they made. */
#ifndef VISE_I_CPU_CREW_H
#define VISE_I_CPU_CREW_H

#include <stdbool.h>

#include "host/backend/cpu/team.h"

/* Each thread has its own of these. */
typedef struct vise_i_crew {
  vise_i_team *team; /* NULL: alone */
  size_t part, n_parts;
} vise_i_crew;

static const vise_i_crew VISE_I_ALONE = {NULL, 0, 1};

/* Waits for the others; what any of them wrote before, all see after. */
static inline void vise_i_crew_meet(const vise_i_crew *crew) {
  vise_i_team_barrier(crew->team, crew->part);
}

static inline bool vise_i_crew_is_first(const vise_i_crew *crew) {
  return crew->part == 0;
}

/* A thread's part of 0..n in multiples of align; all of it is the first one's where sharing is not worth it. */
static inline void vise_i_crew_slice(const vise_i_crew *crew, size_t n, size_t align, bool worth, size_t *first,
                                     size_t *end) {
  if (worth) {
    vise_i_team_slice(n, align, crew->part, crew->n_parts, first, end);
  } else {
    *first = vise_i_crew_is_first(crew) ? 0 : n;
    *end = n;
  }
}

#endif

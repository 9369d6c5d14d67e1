/*
 * How many nets of one shape are trained at a time (vise sweep): how many CTAs work on a net, how many nets run at once,
 * what each takes of the memory, and about how long it takes. Pure functions, without CUDA, as host/plan/plan.h.
 */
#ifndef VISE_I_PLAN_TEAMS_H
#define VISE_I_PLAN_TEAMS_H

#include "host/plan/plan.h"
#include "kernels/teams_types.h"

typedef struct vise_i_plan_teams_request {
  const vise_i_plan_request *kinds; /* [n_kinds] what a net may be; all have the same widths. hooks.n_ctas of the first
                                       is the size of a team (0: chosen); machine.memory_bytes of it: for all (0: any) */
  size_t n_kinds;
  size_t n_nets;        /* in all, at least 1 */
  size_t steps_at_once; /* most steps of a launch, for the memory of its records */
  size_t other_bytes;   /* of the device's memory that all nets share: data, orders */
  bool clusters;        /* the device starts CTAs together (compute capability 9.0); else teams have one CTA */
} vise_i_plan_teams_request;

typedef struct vise_i_plan_teams {
  uint32_t n_members;     /* CTAs of a team: 1, 2, 4 or 8 */
  vise_k_variant variant; /* VISE_K_SMALL_F32 or VISE_K_LARGE_F32 */
  bool small_tiles;       /* of vise_i_plan_request, of every member */
  uint32_t ctas_per_sm;   /* 1, or 2 with small tiles */
  size_t most_shared;     /* bytes of a CTA that plans of members may take */
  size_t shared_bytes;    /* that the largest kind takes */

  size_t member_bytes; /* of device memory: a net with all it has */
  size_t launch_bytes; /* and what a launch needs for it */
  size_t common_bytes; /* what is there once, with other_bytes */
  size_t n_fit;        /* nets that fit in the memory at once */
  size_t n_bytes;      /* of a bucket and what is common */

  size_t bucket;    /* nets in a launch: all, or as many as fit */
  size_t n_buckets; /* such launches one after the other */
  size_t n_at_once; /* nets that run at the same time */
  double step_us;   /* of a step of n_at_once nets */
  double launch_us;
} vise_i_plan_teams;

/* Chooses the size of teams, and small or large tiles, by the least expected time.
   Errors: those of vise_i_plan_make; VISE_ERR_UNSUPPORTED (tf32, bf16, teams on a device without clusters, a team of
   another size); VISE_ERR_MEMORY: not one net fits. */
VISE_WARN_UNUSED vise_status vise_i_plan_teams_make(const vise_i_plan_teams_request *request, vise_i_plan_teams *out,
                                                    vise_error *err);

/* The request for the plan of one net in such teams. */
vise_i_plan_request vise_i_plan_member_request(const vise_i_plan_request *net, const vise_i_plan_teams *teams);
/* That plan, as a member of a group has it: one for steps and one for other calls, which share their memory. */
VISE_WARN_UNUSED vise_status vise_i_plan_member(const vise_i_plan_request *net, const vise_i_plan_teams *teams,
                                                vise_i_plan *train, vise_i_plan *wide, vise_error *err);

/* Expected microseconds of n_steps steps of each of n_nets nets, in launches of steps_per_launch steps. */
double vise_i_plan_teams_us(const vise_i_plan_teams *plan, size_t n_nets, double n_steps, double steps_per_launch);

/* Time of a step of a team that has multiprocessors for itself, at the rates of cost.c. */
typedef struct vise_i_plan_work {
  double products_us; /* of the busiest CTA: multiplications at the rates that its tiles reach */
  double overhead_us; /* before and after products */
  double wait_us;     /* exchanges */
  double memory_us;   /* bytes that do not stay on the multiprocessor */
  double launch_us;
} vise_i_plan_work;

void vise_i_plan_work_of(const vise_i_plan *plan, vise_i_plan_work *out);

#endif

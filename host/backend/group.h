/*
 * Many backends of one shape in one launch: what vise sweep trains nets with. A group holds what its members share: the
 * device, streams, memory, rows of data. Members are ordinary backends, made by the table's `create` with spec.group set
 * and freed by its `destroy`; whoever has one may call every operation on it, alone, with the same results to the bit.
 * The operations here do for many members at once, in one launch, what `run`, `forward` and `project` do for one.
 *
 * Same shape: the same widths. Everything else (rule, blocks, boxes, class weights, mask, seed, data, batch up to
 * the largest of the kinds) may differ from member to member, as long as the group was told of it: see `create`.
 *
 * Bits: a member's weights, moments, outputs and sums are those of the same backend alone, whatever the group's size.
 *
 * Data: members that bind the same stored rows (the same addresses of x, y and row weights, and shapes) share one copy
 * on the device, whatever their scaling. So data must not change while any member has them bound, or has been given
 * outputs of them by an id. Data always are wholly on the device: VISE_ERR_MEMORY from `bind` if they do not fit.
 * Orders: set_order of a member only notes the address; the order is read by the next run, after which it may change or
 * go. Members that were given the same address since they last ran share one copy.
 *
 * Errors: what goes wrong with one member (a step that is not finite, a projection that does not hold) is that member's
 * status and hurts no other. A CUDA error poisons the group and all its members. Calls on a group and its members come
 * from one thread at a time.
 */
#ifndef VISE_I_GROUP_H
#define VISE_I_GROUP_H

#include "host/backend/backend.h"
#include "host/plan/teams.h"

/* Sums over steps, as host/train counts them: additions in the order of the steps, in float64. Steps that were skipped
   count in n_steps and n_skipped alone. */
typedef struct vise_i_step_sums {
  double loss, rows; /* of n_rows * loss, and of n_rows */
  uint64_t n_correct, n_clipped_values;
  uint64_t n_steps, n_skipped, n_norm_clipped; /* n_steps: attempted */
  uint64_t first_skip;                         /* n_steps at the first skipped step, with it; 0: none */
  int first_bad_tensor;                        /* of that step; -1: the loss alone */
} vise_i_step_sums;

/* A member's part of `run`. In: as vise_i_steps. */
typedef struct vise_i_member_steps {
  vise_i_backend *backend;
  size_t first, size, n;
  const vise_i_hyper *hyper; /* [n] */

  vise_i_step_sums *sums; /* in and out: what the steps add to (all 0 to begin with) */
  vise_step_stats *last; /* out: of the last attempted step, but step and epoch; untouched if there was none. Or NULL */
  size_t n_done;         /* out: attempted steps */
  vise_status status;    /* out: that of vise_i_backend_ops.run */
  vise_error *err;       /* out: its text; or NULL */
} vise_i_member_steps;

/* A member's part of `forward`: as vise_i_backend_ops.forward. Data with an id (kept on the device) come from one launch
   for all; a member whose data have none, or do not fit, is served by launches of its own. */
typedef struct vise_i_member_rows {
  vise_i_backend *backend;
  const vise_i_batch *batch; /* rows may be shared: equal addresses within a call are sent once */
  double *out;               /* [n, K] */
} vise_i_member_rows;

struct vise_i_group_ops {
  /* A group for up to n_most members at a time. kinds: what members will be like, one spec of each kind that differs in
     more than strengths, seeds, boxes and weights (optimizer, which penalties and clips are on, mask, blocks, max_batch),
     so that every member finds room; their group is NULL, their nets are not kept. steps_at_once: most steps of a member
     in a call of `run`, so that memory for them is taken here (0: when they come). The first one's device,
     device_memory_limit and hooks are the group's. Errors: VISE_ERR_MEMORY (n_most members do not fit, with bytes and how
     many would), VISE_ERR_UNSUPPORTED (tf32, bf16, unfused steps, widths that differ). */
  vise_status (*create)(const vise_i_step_spec *const *kinds, size_t n_kinds, size_t n_most, size_t steps_at_once,
                        vise_i_group **out, vise_error *err);
  /* After its members. Harmless with NULL. */
  void (*destroy)(vise_i_group *group);

  /* How its teams are planned. */
  const vise_i_plan_teams *(*plan)(const vise_i_group *group);

  /* Each member's steps, in one launch (of up to VISE_I_MOST_STEPS steps of each; more take more). Returns the error of
     the group alone (CUDA, memory): then what members have come to is not known. A member comes once in a call. */
  vise_status (*run)(vise_i_group *group, vise_i_member_steps *members, size_t n, vise_error *err);

  /* Raw outputs of the rows of each member, which comes once in a call. */
  vise_status (*forward)(vise_i_group *group, const vise_i_member_rows *members, size_t n, vise_error *err);

  /* Mask, box and max-norm of each member, at hyper[i]; a member comes once. */
  vise_status (*project)(vise_i_group *group, vise_i_backend *const *members, const vise_i_hyper *hyper, size_t n,
                         vise_error *err);

  /* Launches of all `run`s of this group: one counts 1, whatever the number of members. Single calls on a member are
     counted by the member. */
  uint64_t (*n_launches)(const vise_i_group *group);
};

/* What vise_i_group_plan is asked. */
typedef struct vise_i_group_request {
  const vise_i_step_spec *const *kinds; /* as for create */
  size_t n_kinds, n_nets;
  size_t steps_at_once;               /* steps of an epoch */
  size_t data_bytes;                  /* of all data and orders on the device */
  const vise_i_plan_machine *machine; /* NULL: an H200 */
} vise_i_group_request;

/* The plan of a sweep, without CUDA and without a device: buckets, memory, teams, expected time (vise_i_plan_teams_us).
   Errors: those of vise_i_plan_teams_make. */
VISE_WARN_UNUSED vise_status vise_i_group_plan(const vise_i_group_request *request, vise_i_plan_teams *out,
                                               vise_error *err);

/* Requests for the plans of the kinds, on the machine; free() them. */
VISE_WARN_UNUSED vise_status vise_i_group_requests(const vise_i_step_spec *const *kinds, size_t n_kinds,
                                                   const vise_i_plan_machine *machine, vise_i_plan_request **out,
                                                   vise_error *err);

#endif

/*
 * A group on a CUDA device: what its files share. The seam is host/backend/group.h; how many nets run in one launch is in
 * kernels/teams.h.
 *   group.c         making and freeing; places of members; the table
 *   group_rows.c    rows of data and orders that members share
 *   group_launch.c  one launch for many members: records to the device, results back
 *   group_run.c     steps, outputs, projections of many members
 *
 * The slab, one allocation: what single calls need, the steps of all places and modes, then the places. A place is the
 * arena of a member.
 */
#ifndef VISE_I_CUDA_GROUP_H
#define VISE_I_CUDA_GROUP_H

#include "host/backend/cuda/cuda.h"
#include "host/backend/group.h"
#include "kernels/teams.h"

/* Steps of a member that are kept on the device. */
typedef enum vise_i_cuda_group_mode {
  VISE_I_CUDA_GROUP_STEP,
  VISE_I_CUDA_GROUP_FORWARD,
  VISE_I_CUDA_GROUP_PROJECT,
  VISE_I_CUDA_GROUP_SUMS, /* a projection without bounds: sums of the weights */
  VISE_I_CUDA_GROUP_N_MODES
} vise_i_cuda_group_mode;

/* Stored rows on the device; gone with their last user. */
typedef struct vise_i_cuda_shared_rows {
  vise_i_data data;
  bool with_targets; /* else features alone */
  vise_i_cuda_rows rows;
  size_t n_users;
} vise_i_cuda_shared_rows;

/* An order on the device; kept for the next one when nobody uses it. */
typedef struct vise_i_cuda_shared_order {
  char *memory;
  size_t n_bytes;
  const size_t *rows; /* where it came from */
  size_t *copy;       /* [n], which members go on with */
  size_t n, n_data;   /* of n_data rows */
  uint64_t round;     /* of the call that sent it */
  size_t n_users;
} vise_i_cuda_shared_order;

/* Device memory that only grows, with pinned memory of the same size beside it or without. */
typedef struct vise_i_cuda_scratch {
  char *device, *pinned;
  size_t n_bytes, n_pinned;
} vise_i_cuda_scratch;

struct vise_i_group {
  vise_i_cuda_context *cx;
  vise_i_plan_teams plan;
  size_t n_layers, widths[VISE_MAX_LAYERS + 1];

  char *slab; /* device */
  size_t slab_bytes, n_places;
  vise_k_step *steps; /* device [VISE_I_CUDA_GROUP_N_MODES][n_places] */
  char *places;       /* device [n_places][plan.member_bytes] */
  size_t *free_places, n_free;

  vise_i_cuda_shared_rows **rows;
  vise_i_cuda_shared_order **orders;
  size_t n_rows, rows_room, n_orders, orders_room;
  uint64_t round; /* counts calls that send orders */

  vise_i_cuda **who; /* the member of each team of a launch */
  size_t who_room;
  vise_i_cuda_scratch launch;  /* teams and records, results */
  vise_i_cuda_scratch outputs; /* outputs of a call, and its indices of rows */
  uint64_t n_launches;
};

extern const vise_i_group_ops vise_i_cuda_group_ops;

/* ---- group.c ---- */

/* Makes a new backend a member: its plan, and a place for its arrays. */
VISE_WARN_UNUSED vise_status vise_i_cuda_join(vise_i_cuda *b, vise_error *err);
/* Gives the place back. */
void vise_i_cuda_leave(vise_i_cuda *b);

/* ---- group_rows.c ---- */

/* Whether a member has bound the same rows, with targets, already. False for a backend that is alone. */
bool vise_i_cuda_shares(const vise_i_cuda *b, const vise_i_data *data);
/* The rows of data on the device, sent if no member has them; *user is to be dropped later. VISE_ERR_MEMORY if there is
   no room. */
VISE_WARN_UNUSED vise_status vise_i_cuda_share_rows(vise_i_cuda *b, const vise_i_data *data, bool with_targets,
                                                    vise_i_cuda_shared_rows **user, vise_i_cuda_rows *out,
                                                    vise_error *err);
/* Features alone, of rows that may be there with targets; out->memory is NULL, and *user too, if there is no room. */
VISE_WARN_UNUSED vise_status vise_i_cuda_share_features(vise_i_cuda *b, const vise_i_data *data,
                                                        vise_i_cuda_shared_rows **user, vise_i_cuda_rows *out,
                                                        vise_error *err);
void vise_i_cuda_drop_rows(vise_i_cuda *b, vise_i_cuda_shared_rows **user);

/* The order of a member to the device, if it is new; in a call for many, which began a round, equal addresses are sent
   once. send_order is for a member alone. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send_order(vise_i_cuda *b, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_share_order(vise_i_cuda *b, vise_error *err);
void vise_i_cuda_drop_order(vise_i_cuda *b);

/* ---- group_launch.c ---- */

/* One launch as it is put together: fill teams and records, then call vise_i_cuda_group_launch. */
typedef struct vise_i_cuda_teams {
  vise_i_cuda_group_mode mode;
  size_t n_teams;
  vise_k_team *teams;          /* pinned [n_teams] */
  vise_k_step_record *records; /* pinned */
  vise_k_team_result *results; /* pinned [n_teams], after the launch */
  const vise_k_step_record *device_records;
  size_t n_up, results_at; /* bytes */
} vise_i_cuda_teams;

/* Room for a launch. */
VISE_WARN_UNUSED vise_status vise_i_cuda_group_open(vise_i_group *g, vise_i_cuda_group_mode mode, size_t n_teams,
                                                    size_t n_records, vise_i_cuda_teams *out, vise_error *err);
/* Fills team i for member b, but for its data and records. A member has one team of a launch. */
void vise_i_cuda_group_team(vise_i_group *g, vise_i_cuda_teams *t, size_t i, vise_i_cuda *b);
/* Sends all, launches, and waits for the results. */
VISE_WARN_UNUSED vise_status vise_i_cuda_group_launch(vise_i_group *g, const vise_i_cuda_teams *t, vise_error *err);
/* Makes the scratch at least so large; what is in it is lost. */
VISE_WARN_UNUSED vise_status vise_i_cuda_grow_scratch(vise_i_group *g, vise_i_cuda_scratch *scratch, size_t n_bytes,
                                                      bool pinned, vise_error *err);

/* ---- group_run.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cuda_group_run(vise_i_group *group, vise_i_member_steps *members, size_t n,
                                                   vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_group_forward(vise_i_group *group, const vise_i_member_rows *members, size_t n,
                                                       vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_group_project(vise_i_group *group, vise_i_backend *const *members,
                                                       const vise_i_hyper *hyper, size_t n, vise_error *err);

#endif

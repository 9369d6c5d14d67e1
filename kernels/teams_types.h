/* What a launch of many teams is given and gives back, as plain C without CUDA: kernels/teams.h. The step of a team is
   that of kernels/step_types.h; what differs from launch to launch is in a record for each team, and statistics come as
   sums. */
#ifndef VISE_K_TEAMS_TYPES_H
#define VISE_K_TEAMS_TYPES_H

#include "kernels/step_types.h"

enum { VISE_K_MOST_MEMBERS = 8 }; /* CTAs of a team: a cluster */

/* Sums over steps, added in the order of the steps as the host adds them: the bits are the same. Steps that were
   skipped count in n_steps and n_skipped alone. */
typedef struct vise_k_sums {
  double loss, rows; /* of rows * loss, and of rows */
  uint64_t n_correct, n_clipped_values;
  uint64_t n_steps, n_skipped, n_norm_clipped;
  uint64_t first_skip;      /* n_steps at the first step skipped, counting it; 0: none */
  int64_t first_bad_tensor; /* of that step */
} vise_k_sums;

/* What a launch tells a team. */
typedef struct vise_k_team {
  uint32_t step;    /* index into the steps of the launch */
  uint32_t n_steps; /* records to take, at least 1 */
  const vise_k_step_record *records;
  const uint32_t *order; /* these and the next four stand for those of the step */
  const float *row_weights;
  vise_k_source x, y;
  uint64_t labels;
  float *outputs; /* VISE_K_FORWARD_ONLY: [rows][outputs of the net], a record's rows from its position; or NULL */
  vise_k_sums sums;
  vise_k_step_state state; /* cursor, halted and gathered are 0 */
} vise_k_team;

/* What it tells the host. */
typedef struct vise_k_team_result {
  vise_k_step_state state;
  vise_k_sums sums;
  vise_k_step_stats last; /* of the last step */
} vise_k_team_result;

/* A launch of n_teams * n_members CTAs. Arrays are device memory. */
typedef struct vise_k_teams {
  const vise_k_step *steps; /* with the pointers of their nets; all have n_members CTAs */
  const vise_k_team *teams; /* [n_teams] */
  vise_k_team_result *results;
  uint32_t n_teams;
  uint32_t n_members; /* 1, 2, 4 or VISE_K_MOST_MEMBERS; more than 1 needs clusters (compute capability 9.0) */
} vise_k_teams;

#endif

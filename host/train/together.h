/* What the ranks of one training tell each other besides gradients: that they train the same, when each is done, and what
   went wrong on one of them. All of it is nothing for a process by itself. */
#ifndef VISE_I_TOGETHER_H
#define VISE_I_TOGETHER_H

#include "host/train/run.h"

/* Every rank has made its trainer: VISE_ERR_USAGE names the first thing in which another's differs from the first one's,
   of options, data and weights. */
VISE_WARN_UNUSED vise_status vise_i_trainer_compare(vise_trainer *trainer, vise_error *err);
/* VISE_ERR_USAGE if the backends' weights are not those of the first rank; why: what may have made them differ. */
VISE_WARN_UNUSED vise_status vise_i_trainer_compare_weights(vise_trainer *trainer, const char *why, vise_error *err);
/* The state of the first rank's trainer to all, and the step that it went on from. */
VISE_WARN_UNUSED vise_status vise_i_trainer_follow(vise_trainer *trainer, uint64_t *resumed_from, vise_error *err);

/* What a rank brings to a meeting between steps, and all take away from it. */
typedef struct vise_i_meeting {
  bool ends;        /* this rank leaves the loop */
  bool interrupted; /* then: any rank is */
  uint64_t segment; /* steps until the next meeting; then: the first rank's */
} vise_i_meeting;

/* status: how this rank fared since the last one, with its text; the one returned is that of all. After a meeting in which
   a rank ends there is no other. */
VISE_WARN_UNUSED vise_status vise_i_run_meet(vise_i_run *run, vise_i_meeting *meeting, vise_status status,
                                             vise_error *err);

#endif

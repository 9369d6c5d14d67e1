/* When a run ends by itself. */
#ifndef VISE_I_STOPPING_H
#define VISE_I_STOPPING_H

#include "host/train/trainer.h"

/*
 * ||P(w - g) - w||_inf in float64 at the current weights: g the unclipped total gradient over all training rows, with
 * g_i = 0 where w_i = 0 and |g_i| <= k1 (the L1 subgradient there contains 0); P the projection on mask, box and
 * max-norm. The plain gradient does not vanish at an active bound; this does.
 */
VISE_WARN_UNUSED vise_status vise_i_projected_gradient(vise_trainer *trainer, double *out, vise_error *err);

/* What patience goes by, less is better: the validation loss, or minus the score. */
double vise_i_patience_watched(const vise_trainer *trainer, const vise_metrics *validation);

/* Takes the validation metrics of the epoch that just ended: remembers the weights when what is watched is the best so far
 * by more than min_delta. Without patience only that epoch and its value are remembered; without validation rows nothing is
 * done. */
VISE_WARN_UNUSED vise_status vise_i_patience_update(vise_trainer *trainer, const vise_metrics *validation,
                                                    vise_error *err);

/* Why the run ends here, or VISE_STOP_NONE. Rules that are checked per epoch are checked at the end of one. */
VISE_WARN_UNUSED vise_status vise_i_stop_check(vise_trainer *trainer, vise_stop_reason *out, vise_error *err);

/* Whether config has any limit or rule that can end a run. */
bool vise_i_stop_is_possible(const vise_train_config *config);

#endif

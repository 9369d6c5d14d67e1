/* The rows of a trainer in its checkpoints, as hashes of all of them: what must be equal for a run to go on, and what may
   be other rows. */
#ifndef VISE_I_ROWS_H
#define VISE_I_ROWS_H

#include "host/train/trainer.h"

/* An object of texts keyed by what they tell of; *out is a new reference. */
VISE_WARN_UNUSED vise_status vise_i_rows_make(const vise_trainer *trainer, json_t **out, vise_error *err);

/* Compares those of the checkpoint dir with `now`. VISE_ERR_USAGE names what differs: features, targets or weights of the
   training rows, deviations by which targets are scaled, and with decides (the validation loss decides which weights are kept, and when the run ends)
   the validation rows. Where saved is NULL, as in checkpoints of the first release, nothing is compared. */
VISE_WARN_UNUSED vise_status vise_i_rows_compare(const json_t *saved, const json_t *now, bool decides, const char *dir,
                                                 vise_i_other_rows *other, vise_error *err);

#endif

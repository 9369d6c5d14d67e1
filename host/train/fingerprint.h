/* What must be equal for a checkpoint to be continued: everything but limits, logging and threads. */
#ifndef VISE_I_FINGERPRINT_H
#define VISE_I_FINGERPRINT_H

#include "host/train/trainer.h"

/* An object of texts keyed by option ("--lr": "0.1"); *out is a new reference. */
VISE_WARN_UNUSED vise_status vise_i_fingerprint_make(const vise_trainer *trainer, json_t **out, vise_error *err);

/* The same, and what else must be equal on all ranks of a training: all rows of the data, limits and stopping rules. */
VISE_WARN_UNUSED vise_status vise_i_fingerprint_of_rank(const vise_trainer *trainer, json_t **out, vise_error *err);
/* VISE_ERR_USAGE names the first thing in which `mine` differs from that of the first rank. */
VISE_WARN_UNUSED vise_status vise_i_fingerprint_agree(const json_t *first, const json_t *mine, vise_error *err);

/* VISE_ERR_USAGE names the first option in which `now` differs from `saved` (of the checkpoint dir). */
VISE_WARN_UNUSED vise_status vise_i_fingerprint_compare(const json_t *saved, const json_t *now, const char *dir,
                                                        vise_error *err);

#endif

/**
 * @file
 * Training by several processes at once, on one machine or many: the ranks of MPI, which `mpirun` or `srun` starts.
 *
 *   vise_ranks *ranks = NULL;
 *   vise_ranks_open(&ranks, &err);       (NULL: the process was started by itself, and trains alone)
 *   config.ranks = ranks;                (of vise_train_config)
 *   ... vise_trainer_create, vise_trainer_run ...
 *   vise_ranks_close(ranks);
 *
 * Every rank has all of the data, makes the same model and calls the same functions in the same order; each computes the
 * gradient of its share of the rows of a batch, and all take the same step. The weights are the same, bit for bit, for any
 * number of ranks, and those of one process with vise_train_config.parts. docs/scale.md says how, and what it costs.
 *
 * With vise_train_config.sync_every the training rows are each rank's own, and the mean of all weights is taken now and then.
 *
 * vise_run_config: all ranks give the same limits, `resume` and `evaluate_at_end`; the folder, and progress, log and describe,
 * are those of rank 0, and those of the others are ignored. vise_ranks_close ends MPI only if vise_ranks_open began it.
 *
 * An object of ranks is used by one thread at a time. There is one in a process.
 */
#ifndef VISE_RANKS_H
#define VISE_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vise/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_ranks vise_ranks;

/** Seconds for which a rank waits for another, if nothing else was said. */
#define VISE_RANKS_SECONDS 120

/** The most parts of a batch, and so the most ranks that have work in a step. */
#define VISE_MOST_PARTS 8

/** Whether a launcher started this process as one of several, or mpirun as the only one: its name, or NULL. *rank and *size
    (may be NULL) are what it says, before the ranks have met. */
VISE_API const char *vise_ranks_launcher(size_t *rank, size_t *size);

/**
 * Joins the ranks that were started together, and waits for all. *out NULL: a launcher did not start this process.
 * Errors: VISE_ERR_UNSUPPORTED (this build lacks MPI, or the launcher is none of MPI's), VISE_ERR_IO (MPI failed,
 * or was ended in this process before: it begins once).
 */
VISE_API VISE_WARN_UNUSED vise_status vise_ranks_open(vise_ranks **out, vise_error *err);

/** Waits until all ranks call it, and frees it. NULL is allowed. */
VISE_API void vise_ranks_close(vise_ranks *ranks);

/** This process's number, from 0, and how many there are; 0 and 1 for NULL. */
VISE_API size_t vise_ranks_rank(const vise_ranks *ranks);
VISE_API size_t vise_ranks_size(const vise_ranks *ranks);
/** This process's number among the ranks of its machine: which GPU it takes, say. 0 for NULL. */
VISE_API size_t vise_ranks_local_rank(const vise_ranks *ranks);

/** How long a rank waits for another before it gives up (VISE_ERR_IO) [VISE_RANKS_SECONDS]; above 0. Saving on rank 0 is
    part of what the others wait for. */
VISE_API VISE_WARN_UNUSED vise_status vise_ranks_set_seconds(vise_ranks *ranks, double seconds, vise_error *err);

/**
 * All ranks call it with how they fared, and all get the same: the status and the text of the lowest rank that failed, or
 * VISE_OK. So that what fails on one, a file that only it cannot read, ends all.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_ranks_agree(vise_ranks *ranks, vise_status mine, vise_error *err);

/** values [n] of each rank become their sums, on all: counts of rows that each has of its own, say. All ranks call it; for NULL
    it does nothing. A rank that failed calls vise_ranks_agree in its place, and all get that. */
VISE_API VISE_WARN_UNUSED vise_status vise_ranks_add(vise_ranks *ranks, uint64_t *values, size_t n, vise_error *err);

/** Whether the others do not answer any more: after VISE_ERR_IO of a call that needed them. Nothing but vise_ranks_abort
    is left then. false for NULL. */
VISE_API bool vise_ranks_are_lost(const vise_ranks *ranks);

/** Ends all ranks at once, this one included; exit_code is that of the launcher. One rank by itself goes on. */
VISE_API void vise_ranks_abort(vise_ranks *ranks, int exit_code);

#ifdef __cplusplus
}
#endif
#endif

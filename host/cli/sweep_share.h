/*
 * A sweep that several processes share, by its folder alone. All are equal: each trains the fits that it has claimed and
 * writes them to a file of its own, and reads those of the others. The one that holds the folder (--out, --resume) has
 * fits.jsonl; those that joined have what lies in workers/:
 *
 *   record-00000001, ...  who claims which fits, in one order for all (host/claims): a record is written under another
 *                         name and linked to the first free number, so that of two processes one comes first
 *   NAME.jsonl            fits, as in fits.jsonl
 *   NAME.alive            a number that is renewed while the process lives, which holds a lock on the file too
 *   NAME.rung-N.bin       states, as in states/
 *
 * The folder is made by the first that joins, and goes with the last step of the sweep. While it is missing, a sweep is
 * alone and claims nothing.
 *
 *   sweep_share.c  joining, looking at what others do, leaving
 *   sweep_log.c    records as files
 *   sweep_claim.c  which fits come next
 *   sweep_pulse.c  signs of life
 *   sweep_end.c    who makes the results of all fits, and one fits.jsonl of all files
 */
#ifndef VISE_I_CLI_SWEEP_SHARE_H
#define VISE_I_CLI_SWEEP_SHARE_H

#include <pthread.h>

#include "host/claims/claims.h"
#include "host/cli/sweep.h"

#define VISE_I_CLI_WORKERS "workers"
#define VISE_I_CLI_WORKERS_ENDED ".workers-ended" /* what becomes of it */

enum { VISE_I_CLI_WORKER_BYTES = 112, VISE_I_CLI_WORKER_FILE_BYTES = 160, VISE_I_CLI_MACHINE_BYTES = 48 };

/* A process that joined, under its number in the claims. */
typedef struct vise_i_cli_worker {
  char name[VISE_I_CLI_WORKER_BYTES];
  char machine[VISE_I_CLI_MACHINE_BYTES]; /* where the kernel knows whether it lives; empty: nowhere */
  char fits[VISE_I_CLI_WORKER_FILE_BYTES];
  vise_i_cli_followed followed; /* that file */
  double lease;
  vise_i_claims_pulse pulse;
} vise_i_cli_worker;

typedef struct vise_i_cli_pulse {
  char path[VISE_I_CLI_PATH_BYTES];
  int file;     /* locked; -1: not open */
  double every; /* seconds */
  uint64_t number;
  pthread_t thread;
  pthread_mutex_t lock; /* of ends */
  pthread_cond_t ending;
  bool begun, ends;
} vise_i_cli_pulse;

typedef struct vise_i_cli_share {
  vise_i_claims *claims;
  vise_i_cli_worker *workers; /* [n_workers of the claims] */
  uint64_t n_records;         /* that were read */
  vise_i_cli_worker self;
  size_t me;                /* number of this process; SIZE_MAX: it has not joined yet */
  vise_i_cli_followed main; /* fits.jsonl, where others write to it */
  double looked_at, checked_at;
  vise_i_cli_pulse pulse;
} vise_i_cli_share;

/* A round as its claims see it: the place of configs[i] on split k is i * n_splits + k. */
typedef struct vise_i_cli_round {
  size_t number; /* from 1 */
  size_t *configs, n;
  size_t first;         /* all places before are done */
  unsigned char *begun; /* [n * n_splits]: this process has it in its queue, or had it */
  size_t n_open;        /* fits in the queue */
} vise_i_cli_round;

/* ---- sweep_share.c ---- */

/* Whether others have joined. */
bool vise_i_cli_share_is_wanted(const vise_i_cli_sweeping *s);
/* Whether another process has made the results, and nothing is left to be done. */
bool vise_i_cli_share_is_over(const vise_i_cli_sweeping *s);
/* Whether somebody trains the winner: one that was missed, and has been stopped, is not to be disturbed. */
bool vise_i_cli_share_is_refitting(const vise_i_cli_sweeping *s);
/* Makes what this process has in workers/; it trains nothing yet. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_open(vise_i_cli_sweeping *s, vise_error *err);
/* Says that this process is at work, with s->n_jobs fits at a time. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_join(vise_i_cli_sweeping *s, vise_error *err);
/* Takes what others have done, unless it looked within the last `every` seconds. *n_new grows by their fits. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_look(vise_i_cli_sweeping *s, double every, size_t *n_new,
                                                   vise_error *err);
/* Leaves, if it has joined, and frees. */
void vise_i_cli_share_close(vise_i_cli_sweeping *s);

/* Sleeps for twice as long as the last time (0: this is the first one), and for `most` seconds at most; returns how long. */
double vise_i_cli_share_pause(double last, double most);
/* Processes at work, this one among them. */
static inline size_t vise_i_cli_share_n_workers(const vise_i_cli_sweeping *s) {
  return s->share != NULL ? vise_i_claims_n_at_work(s->share->claims) : 1;
}
/* VISE_ERR_STATE: a process is at work in the workers/ of a folder. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_check_unused(const vise_i_cli_sweeping *s, vise_error *err);

/* ---- sweep_log.c ---- */

/* Reads the records that are new. */
VISE_WARN_UNUSED vise_status vise_i_cli_log_read(vise_i_cli_sweeping *s, vise_error *err);
/* Puts a record (taken over) in the next place, and reads on; it may come after others that were faster, or not at all: the
   claims say what came of it. */
VISE_WARN_UNUSED vise_status vise_i_cli_log_add(vise_i_cli_sweeping *s, json_t *record, vise_error *err);
/* {"event": event, "worker": name} */
json_t *vise_i_cli_log_record(const char *event, const char *name);

/* ---- sweep_claim.c ---- */

/* Claims up to n_wanted fits, of which it leaves the others their share: *n of places[n_wanted]. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_claim(vise_i_cli_sweeping *s, const vise_i_cli_round *round,
                                                    size_t n_wanted, size_t *places, size_t *n, vise_error *err);
/* Claims the fits that are in the queue. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_claim_begun(vise_i_cli_sweeping *s, const vise_i_cli_round *round,
                                                          vise_error *err);

/* ---- sweep_pulse.c ---- */

/* Makes the file, and renews it in a thread from now on. */
VISE_WARN_UNUSED vise_status vise_i_cli_pulse_begin(vise_i_cli_pulse *pulse, double every, vise_error *err);
void vise_i_cli_pulse_end(vise_i_cli_pulse *pulse);
/* The number in such a file; false: it cannot be read. */
bool vise_i_cli_pulse_read(const char *path, uint64_t *out);
/* What tells this machine, since it was started, from all others; empty: not known. */
void vise_i_cli_machine(char out[VISE_I_CLI_MACHINE_BYTES]);

/* ---- sweep_end.c ---- */

/* Once all fits are done: *mine: the results are this process's to make; else another one has made them. It waits as long
   as another one does; s->interrupted: it was told to end. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_end(vise_i_cli_sweeping *s, bool *mine, vise_error *err);
/* Makes fits.jsonl that of all. */
VISE_WARN_UNUSED vise_status vise_i_cli_share_merge(vise_i_cli_sweeping *s, vise_error *err);
/* Removes workers/, and what is in it, as far as it is of a sweep. */
void vise_i_cli_share_remove(const vise_i_cli_sweeping *s);
/* What a process that was killed in the middle of that has left. */
void vise_i_cli_share_remove_ended(const vise_i_cli_sweeping *s);

#endif

/*
 * Who trains which fit of a sweep that several workers share. All of them see the same records in the same order, however
 * these reach them (files in a folder, messages), and so agree on every claim without one that decides. Here are neither
 * files nor clocks: who carries the records brings them.
 *
 * A claim keeps others from doing the same work; that results are right does not hang on it, since every worker would
 * compute the same bits. So a worker that was taken for lost may come back at any time.
 *
 * Fits are told by their round (from 1) and their place in it, from 0, which is the same for all workers.
 */
#ifndef VISE_I_CLAIMS_H
#define VISE_I_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_i_claims vise_i_claims;

typedef enum vise_i_claims_kind {
  VISE_I_CLAIMS_JOIN,  /* the worker begins, or is back */
  VISE_I_CLAIMS_CLAIM, /* it trains these fits; of those that another one has it gets none */
  VISE_I_CLAIMS_END,   /* it makes the results of all fits, if nobody does */
  VISE_I_CLAIMS_LEAVE, /* `who` trains nothing any more: it says so itself, or another one that missed it */
} vise_i_claims_kind;

typedef struct vise_i_claims_range {
  size_t first, n; /* places */
} vise_i_claims_range;

/* Workers are numbered as they joined. */
typedef struct vise_i_claims_record {
  vise_i_claims_kind kind;
  size_t who;
  size_t jobs;  /* JOIN: fits that it trains at a time */
  size_t round; /* CLAIM */
  const vise_i_claims_range *ranges;
  size_t n_ranges;
} vise_i_claims_record;

/* n_places: the most that a round has. NULL: out of memory. Free it with vise_i_claims_free. */
vise_i_claims *vise_i_claims_create(size_t n_rounds, size_t n_places);
void vise_i_claims_free(vise_i_claims *claims);

/* Takes the next record. false: it is none that a worker would write (a JOIN whose number is not the next or an earlier
   one, a place or a round beyond the last), or memory ran out; nothing has changed then. */
bool vise_i_claims_apply(vise_i_claims *claims, const vise_i_claims_record *record);

size_t vise_i_claims_n_workers(const vise_i_claims *claims); /* that ever joined */
bool vise_i_claims_is_at_work(const vise_i_claims *claims, size_t who);
size_t vise_i_claims_n_at_work(const vise_i_claims *claims);
size_t vise_i_claims_n_jobs(const vise_i_claims *claims); /* of all that are at work */

/* Who has the fit, or the results of all; SIZE_MAX: nobody that is at work. */
size_t vise_i_claims_owner(const vise_i_claims *claims, size_t round, size_t place);
size_t vise_i_claims_ends(const vise_i_claims *claims);

/* Which places of a round, from `first` to n - 1, are open: nobody has them, and they are not done. */
typedef struct vise_i_claims_search {
  size_t round, first, n;
  bool (*is_done)(void *user, size_t place);
  void *user;
  bool from_end; /* the last places first */
} vise_i_claims_search;

size_t vise_i_claims_count_open(const vise_i_claims *claims, const vise_i_claims_search *search);
/* The first n_wanted of them as at most `room` ranges; returns how many. */
size_t vise_i_claims_find_open(const vise_i_claims *claims, const vise_i_claims_search *search, size_t n_wanted,
                               vise_i_claims_range *out, size_t room);

/* ---- whether a worker still lives ---------------------------------------------------------------------------------- */

/* What one worker sees of another, which renews a number again and again. Clocks of two machines are never compared. */
typedef struct vise_i_claims_pulse {
  uint64_t number;
  double looked_at,
      silent; /* seconds by the clock of who looks; silent: since the number changed, as far as it looked */
  bool begun;
} vise_i_claims_pulse;

/* A look at the number at the time `now`. Of the time between two looks only max_gap counts: who was stopped itself has
   seen nothing of it. Returns the seconds of silence. */
double vise_i_claims_look(vise_i_claims_pulse *pulse, uint64_t number, double now, double max_gap);

#endif

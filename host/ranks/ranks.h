/*
 * What ranks tell each other. Every rank makes the same calls in the same order; ranks NULL, or one rank, is a process by
 * itself, for which each of them does nothing. An error (VISE_ERR_IO) means that the others are lost.
 */
#ifndef VISE_I_RANKS_H
#define VISE_I_RANKS_H

#include <stdint.h>

#include "host/base/error.h"
#include "host/ranks/carrier.h"
#include "vise/ranks.h"

enum { VISE_I_HOST_NAME = 64 };

struct vise_ranks {
  size_t rank, size, local_rank;
  vise_i_carrier *carrier; /* NULL: one rank */
  double seconds;
  bool lost;
  bool told;                       /* that one of them failed, by vise_ranks_agree */
  char (*hosts)[VISE_I_HOST_NAME]; /* [size] */

  vise_i_message *messages; /* [n_messages]: room for sends, then receives */
  size_t n_messages;
  size_t *ends;  /* [size]: room for those of pieces */
  void *scratch; /* [size] of VISE_I_RANKS_SCRATCH: what ranks say when they agree or meet */
  void *room;    /* of sums */
  size_t n_room;
};

/* Bytes that a rank may say of itself in scratch. */
enum { VISE_I_RANKS_SCRATCH = sizeof(int32_t) + VISE_ERROR_TEXT_BYTES };

/* Room for what is said and sent in every step, once size and rank are known: a rank that found itself without memory amid a
   step would leave the others waiting. */
VISE_WARN_UNUSED vise_status vise_i_ranks_reserve(vise_ranks *ranks, vise_error *err);

/* Whether there is anyone to talk to. */
static inline bool vise_i_ranks_are_many(const vise_ranks *ranks) {
  return ranks != NULL && ranks->size > 1;
}

static inline bool vise_i_ranks_is_first(const vise_ranks *ranks) {
  return vise_ranks_rank(ranks) == 0;
}

/* The swap of the carrier; its messages are in ranks->messages, the sends first. */
VISE_WARN_UNUSED vise_status vise_i_ranks_swap(vise_ranks *ranks, size_t n_sends, size_t n_receives, vise_error *err);
/* Room for so many messages. */
VISE_WARN_UNUSED vise_status vise_i_ranks_room(vise_ranks *ranks, size_t n_messages, vise_error *err);

/* Pieces of data, which all ranks have: bytes [ends[r - 1], ends[r]) are rank r's (from 0 for the first), and go to all. */
VISE_WARN_UNUSED vise_status vise_i_ranks_spread(vise_ranks *ranks, void *data, const size_t *ends, vise_error *err);
/* all [size * n_bytes]: what each rank gave as mine. */
VISE_WARN_UNUSED vise_status vise_i_ranks_gather(vise_ranks *ranks, const void *mine, size_t n_bytes, void *all,
                                                 vise_error *err);
/* Where the values begin, of n, that a rank adds for all; they end where those of the next one begin. In whole cache lines:
   copies between processes are slower from and to other places. */
size_t vise_i_ranks_slice(const vise_ranks *ranks, size_t n, size_t value_bytes, size_t rank);
/* After ranks have waited for something in vain: whether all are there, each of which must ask. VISE_ERR_IO names one that is
   not. */
VISE_WARN_UNUSED vise_status vise_i_ranks_roll_call(vise_ranks *ranks, vise_error *err);
/* Bytes of the first rank to all. */
VISE_WARN_UNUSED vise_status vise_i_ranks_broadcast(vise_ranks *ranks, void *data, size_t n_bytes, vise_error *err);

#endif

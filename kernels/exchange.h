/* What the host gives a launch whose CTAs exchange (kernels/exchange.cuh), and a launcher that tests and times it. */
#ifndef VISE_K_EXCHANGE_H
#define VISE_K_EXCHANGE_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/watchdog.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The memory through which a team meets, and where a launch stands in the sequence of its exchanges.

   Exchanges are numbered by epochs that may wrap around. A launch is given the range that begins at first_epoch, one
   for each exchange; the next launch begins where that range ends, whether the launch completed or not: what an aborted
   launch left behind has epochs of its own and cannot be mistaken for what a later one writes. Nothing is ever reset;
   new memory is prepared once by vise_k_exchange_prepare, and then any first epoch will do. */
typedef struct vise_k_exchange {
  void *slots;        /* device memory, aligned to 16 bytes: vise_k_exchange_bytes(n_slots) for each team */
  uint32_t n_slots;   /* of an exchange of payloads, at least one for each CTA of the team; every slot is written in
                         each of these, and all launches on this memory have the same number */
  uint32_t n_members; /* CTAs of the team */
  uint32_t first_epoch;
#if VISE_WATCHDOG
  vise_k_watchdog *watchdog; /* or NULL: a wait may last for ever */
#endif
} vise_k_exchange;

/* Two sets of slots: while some CTAs still read one, others write the next. */
static inline size_t vise_k_exchange_bytes(uint32_t n_slots) {
  return (size_t)2 * 16 * n_slots;
}

/* Prepares new memory for n_teams teams. Even epochs use the first set of a team, odd ones the second: a set filled
   with numbers of the other kind matches none. Asynchronous; n_teams + 1 memsets, never needed in a step. */
static inline cudaError_t vise_k_exchange_prepare(void *slots, uint32_t n_teams, uint32_t n_slots,
                                                  cudaStream_t stream) {
  const size_t n_team = vise_k_exchange_bytes(n_slots);
  cudaError_t error = cudaMemsetAsync(slots, 0, n_teams * n_team, stream);
  for (uint32_t team = 0; team < n_teams && error == cudaSuccess; team++) {
    error = cudaMemsetAsync((char *)slots + team * n_team, 0xff, n_team / 2, stream);
  }
  return error;
}

/* n_rounds exchanges in one launch of n_teams teams of exchange.n_members CTAs (n_slots = n_members). In round r,
   member m of team t writes its 256 words of `words`, arrives with the value t + 1000 m + r / 8.0 and the flags
   t + 7 m + r, waits, and adds up what its right neighbour wrote. */
typedef struct vise_k_exchange_rounds {
  vise_k_exchange exchange; /* slots of team t begin at t * vise_k_exchange_bytes(n_slots) */
  uint32_t n_teams, n_rounds;
  uint32_t abort_round;  /* in this round members with an even number leave before they arrive, the others after; at
                           least n_rounds: never */
  uint32_t absent_round; /* in this round member 0 leaves before it arrives, and the others wait for it; at least
                            n_rounds: never */
  uint32_t most_delay;   /* before it arrives each member waits for a random number of clocks below this; 0: none */
  uint32_t *words;       /* [n_teams][2][n_members][256], scratch */
  double *sums;     /* out [n_teams][n_rounds][n_members]: the values of all members, added in the order of members */
  uint64_t *checks; /* out [n_teams][n_rounds][n_members]: sum of flags of all members << 32 | sum of the
                       neighbour's words, both modulo 2^32; word i is 256 r + 31 m + i */
} vise_k_exchange_rounds;

/* A cooperative launch. */
cudaError_t vise_k_exchange_run(const vise_k_exchange_rounds *rounds, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif

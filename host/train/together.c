/* What ranks tell each other when a run begins, and between its steps. */
#include "host/train/together.h"

#include <inttypes.h>
#include <stdlib.h>

#include "host/base/memory.h"

vise_status vise_i_trainer_follow(vise_trainer *trainer, uint64_t *resumed_from, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = trainer->config.ranks;
  void *bytes = NULL;
  size_t n_bytes = 0;
  uint64_t told[2] = {*resumed_from, 0};
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  const bool is_first = vise_i_ranks_is_first(ranks);
  status = is_first ? vise_trainer_save_memory(trainer, &bytes, &n_bytes, err) : VISE_OK;
  VISE_TRY(vise_ranks_agree(ranks, status, err));
  told[1] = n_bytes;
  VISE_TRY(vise_i_ranks_broadcast(ranks, told, sizeof told, err));
  status = is_first ? VISE_OK : vise_i_alloc(&bytes, (size_t)told[1], 1, "a checkpoint", err);
  VISE_TRY(vise_ranks_agree(ranks, status, err));

  VISE_TRY(vise_i_ranks_broadcast(ranks, bytes, (size_t)told[1], err));
  *resumed_from = told[0];
  status = is_first ? VISE_OK : vise_trainer_restore_memory(trainer, bytes, (size_t)told[1], err);
  if (vise_i_trainer_is_local(trainer) && !is_first)
    trainer->state.current = (vise_i_epoch_sums){0}; /* the first has it */
  VISE_TRY(vise_ranks_agree(ranks, status, err));

done:
  free(bytes);
  return status;
}

/* What a rank says. */
typedef struct said {
  uint64_t ends, interrupted, segment;
} said;
_Static_assert(sizeof(said) <= VISE_I_RANKS_SCRATCH, "what a rank says has its place");

vise_status vise_i_run_meet(vise_i_run *run, vise_i_meeting *meeting, vise_status mine, vise_error *err) {
  vise_status status = mine;
  const vise_trainer *t = run->trainer;
  vise_ranks *ranks = t->config.ranks;
  const size_t size = vise_ranks_size(ranks);
  size_t n_end = 0;
  vise_error unused = VISE_ERROR_INIT;
  if (!vise_i_ranks_are_many(ranks) || vise_ranks_are_lost(ranks)) return mine;

  const said say = {meeting->ends || mine != VISE_OK, meeting->interrupted, meeting->segment};
  vise_error *first = mine == VISE_OK ? err : &unused;
  said *all = ranks->scratch;
  VISE_TRY(vise_i_ranks_gather(ranks, &say, sizeof say, all, first));

  for (size_t r = 0; r < size; r++) {
    n_end += all[r].ends;
    meeting->interrupted = meeting->interrupted || all[r].interrupted != 0;
  }
  meeting->segment = all[0].segment;
  if (n_end == 0) goto done;

  meeting->ends = true;
  status = vise_ranks_agree(ranks, mine, err);
  if (status == VISE_OK && n_end < size) {
    status = vise_i_fail(err, VISE_ERR_USAGE,
                         "the ranks do not end together, after step %" PRIu64
                         " on this one: all need the same limits and stopping rules",
                         t->state.step);
  }

done:
  return vise_ranks_are_lost(ranks) && mine != VISE_OK ? mine : status;
}

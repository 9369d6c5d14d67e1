/* What ranks tell each other, by messages from each to each: there are few ranks, and messages are short. */
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/ranks/ranks.h"

vise_status vise_i_ranks_room(vise_ranks *ranks, size_t n_messages, vise_error *err) {
  return vise_i_grow(&ranks->messages, &ranks->n_messages, n_messages, sizeof *ranks->messages, "messages", err);
}

vise_status vise_i_ranks_reserve(vise_ranks *ranks, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_alloc(&ranks->ends, ranks->size, sizeof *ranks->ends, "ranks", err));
  VISE_TRY(vise_i_alloc(&ranks->scratch, ranks->size, VISE_I_RANKS_SCRATCH, "ranks", err));
  VISE_TRY(vise_i_ranks_room(ranks, 2 * ranks->size * (VISE_MOST_PARTS + 1), err)); /* as many as a long sum has */
done:
  return status;
}

vise_status vise_i_ranks_swap(vise_ranks *ranks, size_t n_sends, size_t n_receives, vise_error *err) {
  const vise_i_swap swap = {ranks->messages, ranks->messages + n_sends, n_sends, n_receives};
  size_t late = ranks->size;
  if (ranks->carrier->swap(ranks->carrier, &swap, ranks->seconds, &late)) return VISE_OK;

  ranks->lost = true;
  if (late == ranks->size) return vise_i_fail(err, VISE_ERR_IO, "MPI: %s", ranks->carrier->text);
  return vise_i_fail(err, VISE_ERR_IO, "rank %zu of %zu, on %s, has not answered for %g seconds", late, ranks->size,
                     ranks->hosts != NULL ? ranks->hosts[late] : "another machine", ranks->seconds);
}

static size_t begin_of(const size_t *ends, size_t rank) {
  return rank > 0 ? ends[rank - 1] : 0;
}

vise_status vise_i_ranks_spread(vise_ranks *ranks, void *data, const size_t *ends, vise_error *err) {
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;
  const vise_status status = vise_i_ranks_room(ranks, 2 * ranks->size, err);
  if (status != VISE_OK) return status;

  vise_i_message *messages = ranks->messages;
  const size_t mine = begin_of(ends, ranks->rank), n_mine = ends[ranks->rank] - mine;
  size_t n_sends = 0, n = 0;
  for (size_t r = 0; r < ranks->size && n_mine > 0; r++) {
    if (r != ranks->rank) messages[n++] = (vise_i_message){r, (char *)data + mine, n_mine};
  }
  n_sends = n;

  for (size_t r = 0; r < ranks->size; r++) {
    const size_t at = begin_of(ends, r), n_bytes = ends[r] - at;
    if (r != ranks->rank && n_bytes > 0) messages[n++] = (vise_i_message){r, (char *)data + at, n_bytes};
  }
  return vise_i_ranks_swap(ranks, n_sends, n - n_sends, err);
}

vise_status vise_i_ranks_gather(vise_ranks *ranks, const void *mine, size_t n_bytes, void *all, vise_error *err) {
  memcpy((char *)all + vise_ranks_rank(ranks) * n_bytes, mine, n_bytes);
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;
  for (size_t r = 0; r < ranks->size; r++) ranks->ends[r] = (r + 1) * n_bytes;
  return vise_i_ranks_spread(ranks, all, ranks->ends, err);
}

vise_status vise_i_ranks_broadcast(vise_ranks *ranks, void *data, size_t n_bytes, vise_error *err) {
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;
  for (size_t r = 0; r < ranks->size; r++) ranks->ends[r] = n_bytes; /* the others have nothing */
  return vise_i_ranks_spread(ranks, data, ranks->ends, err);
}

size_t vise_i_ranks_slice(const vise_ranks *ranks, size_t n, size_t value_bytes, size_t rank) {
  const size_t in_line = VISE_I_ALIGNMENT / value_bytes;
  return rank == ranks->size ? n : n * rank / ranks->size / in_line * in_line;
}

vise_status vise_i_ranks_roll_call(vise_ranks *ranks, vise_error *err) {
  vise_status status;
  const double seconds = ranks->seconds, enough = 10;
  uint64_t *all = NULL, mine = ranks->rank;
  VISE_TRY(vise_i_alloc(&all, ranks->size, sizeof *all, "ranks", err));
  if (seconds > enough) ranks->seconds = enough; /* they have waited long */
  status = vise_i_ranks_gather(ranks, &mine, sizeof mine, all, err);
  ranks->seconds = seconds;

done:
  free(all);
  return status;
}

/* ---- the public ones ---------------------------------------------------------------------------------------------- */

size_t vise_ranks_rank(const vise_ranks *ranks) {
  return ranks != NULL ? ranks->rank : 0;
}

size_t vise_ranks_size(const vise_ranks *ranks) {
  return ranks != NULL ? ranks->size : 1;
}

size_t vise_ranks_local_rank(const vise_ranks *ranks) {
  return ranks != NULL ? ranks->local_rank : 0;
}

bool vise_ranks_are_lost(const vise_ranks *ranks) {
  return ranks != NULL && ranks->lost;
}

/* How a rank fared. */
typedef struct fate {
  int32_t status;
  char text[VISE_ERROR_TEXT_BYTES];
} fate;
_Static_assert(sizeof(fate) <= VISE_I_RANKS_SCRATCH, "what a rank says of itself has its place");

vise_status vise_ranks_agree(vise_ranks *ranks, vise_status mine, vise_error *err) {
  vise_status status = mine;
  vise_error own = VISE_ERROR_INIT;
  if (!vise_i_ranks_are_many(ranks) || ranks->lost) return mine;
  if (mine != VISE_OK && ranks->told) return mine; /* all know */

  if (err == NULL) err = &own;
  fate fared = {.status = (int32_t)mine};
  memcpy(fared.text, err->text, sizeof fared.text);
  fate *all = ranks->scratch;
  const vise_status told = vise_i_ranks_gather(ranks, &fared, sizeof fared, all, err);
  if (told != VISE_OK) return mine != VISE_OK ? mine : told;

  ranks->told = false;
  for (size_t r = 0; r < ranks->size; r++) {
    if (all[r].status == VISE_OK) continue;
    ranks->told = true;
    status = (vise_status)all[r].status;
    vise_error_clear(err);
    all[r].text[sizeof all[r].text - 1] = '\0';
    if (r == 0) {
      (void)vise_i_fail(err, status, "%s", all[r].text);
    } else {
      (void)vise_i_fail(err, status, "rank %zu, on %s: %s", r, ranks->hosts[r], all[r].text);
    }
    break;
  }
  return status;
}

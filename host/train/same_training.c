/* That all ranks train the same. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/memory.h"
#include "host/json/read.h"
#include "host/json/text.h"
#include "host/train/fingerprint.h"
#include "host/train/together.h"

static uint64_t hash_of_weights(vise_trainer *t, void *room) {
  vise_error unused = VISE_ERROR_INIT;
  if (t->ops->get_state(t->backend, VISE_I_PARAMS, room, &unused) != VISE_OK) return 0;
  return XXH64(room, vise_i_trainer_n_bytes(t), 0);
}

/* The first rank's text, to all; *out is this rank's copy. */
static vise_status spread_text(vise_ranks *ranks, const char *mine, char **out, vise_error *err) {
  vise_status status;
  char *text = NULL;
  uint64_t n = strlen(mine);
  VISE_TRY(vise_i_ranks_broadcast(ranks, &n, sizeof n, err));

  VISE_TRY(vise_i_alloc(&text, (size_t)n + 1, 1, "what the first rank trains", err));
  if (vise_i_ranks_is_first(ranks)) memcpy(text, mine, (size_t)n);
  VISE_TRY(vise_i_ranks_broadcast(ranks, text, (size_t)n, err));
  text[n] = '\0';
  *out = text;
  text = NULL;

done:
  free(text);
  return status;
}

/* The first rank's fingerprint against this one's. */
static vise_status compare_fingerprints(vise_trainer *t, vise_error *err) {
  vise_status status, same = VISE_OK;
  vise_ranks *ranks = t->config.ranks;
  json_t *mine = NULL, *first = NULL;
  char *text = NULL, *first_text = NULL;
  vise_i_json_fault fault;

  VISE_TRY(vise_i_fingerprint_of_rank(t, &mine, err));
  VISE_TRY(vise_i_json_text(mine, JSON_COMPACT, "what is trained", &text, NULL, err));
  VISE_TRY(spread_text(ranks, text, &first_text, err));
  if (vise_i_json_parse(first_text, strlen(first_text), &first, &fault) != VISE_OK) {
    VISE_TRY(vise_i_fail_memory(err, 0, "what the first rank trains"));
  }
  same = vise_i_fingerprint_agree(first, mine, err);
  status = vise_ranks_agree(ranks, same, err);

done:
  json_decref(mine);
  json_decref(first);
  free(text);
  free(first_text);
  return status;
}

vise_status vise_i_trainer_compare_weights(vise_trainer *t, const char *why, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = t->config.ranks;
  const size_t size = vise_ranks_size(ranks);
  uint64_t *all = NULL;
  void *room = NULL;
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, size, sizeof *all, "ranks", err));
  VISE_TRY(vise_i_alloc(&room, vise_i_trainer_n_bytes(t), 1, "weights", err));
  const uint64_t mine = hash_of_weights(t, room);
  VISE_TRY(vise_i_ranks_gather(ranks, &mine, sizeof mine, all, err));
  for (size_t r = 1; r < size; r++) {
    if (all[r] == all[0]) continue;
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "rank %zu, on %s, has other weights than rank 0, on %s: %s", r,
                         ranks->hosts[r], ranks->hosts[0], why));
  }

done:
  free(all);
  free(room);
  return status;
}

vise_status vise_i_trainer_compare(vise_trainer *trainer, vise_error *err) {
  if (!vise_i_ranks_are_many(trainer->config.ranks)) return VISE_OK;
  const vise_status status = compare_fingerprints(trainer, err);
  if (status != VISE_OK) return status;
  return vise_i_trainer_compare_weights(trainer, "all must begin with the same model", err);
}

#include "host/ranks/pool.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"

/* ---- arrays -------------------------------------------------------------------------------------------------------- */

static size_t begin_of_slice(const vise_ranks *ranks, size_t n, size_t rank) {
  return vise_i_ranks_slice(ranks, n, sizeof(double), rank);
}

vise_status vise_i_ranks_sum_room(vise_ranks *ranks, size_t n, double **out, vise_error *err) {
  const size_t size = vise_ranks_size(ranks);
  size_t n_room = 0;
  if (!vise_i_size_add(n, size * (VISE_I_ALIGNMENT / sizeof(double) + 1), &n_room)) n_room = SIZE_MAX;
  const vise_status status = vise_i_alloc_aligned(out, n_room, sizeof **out, "sums over ranks", err);
  return status == VISE_OK ? vise_i_ranks_room(ranks, 2 * size, err) : status;
}

/* slices [size] of n values: the sum goes to the first. */
static void add_slices(double *slices, size_t size, size_t n) {
  for (size_t step = 1; step < size; step *= 2) {
    for (size_t r = 0; r + step < size; r += 2 * step) {
      double *restrict to = slices + r * n;
      const double *restrict from = slices + (r + step) * n;
      for (size_t i = 0; i < n; i++) to[i] += from[i];
    }
  }
}

vise_status vise_i_ranks_sum(vise_ranks *ranks, double *values, size_t n, double *room, vise_error *err) {
  vise_status status;
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;
  const size_t size = ranks->size, rank = ranks->rank;
  const size_t first = begin_of_slice(ranks, n, rank), n_mine = begin_of_slice(ranks, n, rank + 1) - first;
  vise_i_message *messages = ranks->messages;

  for (size_t i = 1; i < size; i++) { /* each begins with the next one: nobody is swamped */
    const size_t to = (rank + i) % size, at = begin_of_slice(ranks, n, to);
    messages[i - 1] = (vise_i_message){to, values + at, (begin_of_slice(ranks, n, to + 1) - at) * sizeof *values};
  }
  for (size_t i = 1; i < size; i++) {
    const size_t from = (rank + i) % size;
    messages[size - 1 + i - 1] = (vise_i_message){from, room + from * n_mine, n_mine * sizeof *values};
  }
  VISE_TRY(vise_i_ranks_swap(ranks, size - 1, size - 1, err));

  memcpy(room + rank * n_mine, values + first, n_mine * sizeof *values);
  add_slices(room, size, n_mine);
  memcpy(values + first, room, n_mine * sizeof *values);
  for (size_t r = 0; r < size; r++) ranks->ends[r] = begin_of_slice(ranks, n, r + 1) * sizeof *values;
  VISE_TRY(vise_i_ranks_spread(ranks, values, ranks->ends, err));

done:
  return status;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

vise_status vise_i_ranks_pool_each(vise_ranks *ranks, const void *mine, size_t n_bytes, void *all, vise_error *err) {
  const vise_status status = vise_ranks_agree(ranks, VISE_OK, err);
  return status == VISE_OK ? vise_i_ranks_gather(ranks, mine, n_bytes, all, err) : status;
}

vise_status vise_ranks_add(vise_ranks *ranks, uint64_t *values, size_t n, vise_error *err) {
  vise_status status;
  const size_t size = vise_ranks_size(ranks);
  uint64_t *all = NULL;
  VISE_ENTER(err, values);
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, size * n, sizeof *all, "ranks", err));
  VISE_TRY(vise_i_ranks_pool_each(ranks, values, n * sizeof *values, all, err));
  memset(values, 0, n * sizeof *values);
  for (size_t i = 0; i < size * n; i++) values[i % n] += all[i];

done:
  free(all);
  return status;
}

vise_status vise_i_ranks_pool(vise_ranks *ranks, const void *mine, size_t n_bytes, char **all, size_t *ends,
                              vise_error *err) {
  vise_status status;
  const uint64_t n = n_bytes;
  const size_t size = vise_ranks_size(ranks), rank = vise_ranks_rank(ranks);
  uint64_t *sizes = NULL;
  char *made = NULL;

  VISE_TRY(vise_i_alloc(&sizes, size, sizeof *sizes, "ranks", err));
  VISE_TRY(vise_i_ranks_pool_each(ranks, &n, sizeof n, sizes, err));
  for (size_t r = 0; r < size; r++) ends[r] = (r > 0 ? ends[r - 1] : 0) + (size_t)sizes[r];
  status = vise_ranks_agree(ranks, vise_i_alloc(&made, ends[size - 1], 1, "what the ranks have", err), err);
  if (status != VISE_OK) goto done;

  if (n_bytes > 0) memcpy(made + ends[rank] - n_bytes, mine, n_bytes);
  if (vise_i_ranks_are_many(ranks)) VISE_TRY(vise_i_ranks_spread(ranks, made, ends, err));
  *all = made;
  made = NULL;

done:
  free(sizes);
  free(made);
  return status;
}

vise_status vise_i_ranks_pool_moments(vise_ranks *ranks, vise_i_moments *moments, size_t n, vise_error *err) {
  vise_status status;
  const size_t size = vise_ranks_size(ranks);
  vise_i_moments *all = NULL;
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, size * n, sizeof *all, "what the ranks have", err));
  VISE_TRY(vise_i_ranks_pool_each(ranks, moments, n * sizeof *moments, all, err));
  memcpy(moments, all, n * sizeof *moments);
  for (size_t r = 1; r < size; r++) {
    for (size_t k = 0; k < n; k++) vise_i_moments_merge(&moments[k], &all[r * n + k]);
  }

done:
  free(all);
  return status;
}

/* The exchange of a step between ranks, beside MPI's own sum of as many bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/ranks/sum.h"
#include "vise/bench.h"

/* A round of either is to take about so long: many meetings, so that the clock is read rarely, and few enough that some
   rounds are not disturbed by other programs. */
#define ROUND_SECONDS 0.003

typedef struct timing {
  vise_ranks *ranks;
  vise_i_addends addends;
  float *room; /* of all values of the addends; the sum is in the place of the first, as in a step */
  size_t n_room;
} timing;

static vise_status begin(timing *t, size_t n_values, vise_error *err) {
  vise_i_addends *a = &t->addends;
  a->parts = vise_i_parts_of(VISE_I_MOST_PARTS, VISE_I_MOST_PARTS * VISE_I_PART_ROWS, vise_ranks_rank(t->ranks),
                             vise_ranks_size(t->ranks));
  a->dtype = VISE_F32;
  a->n_values = n_values;
  const size_t n_own = a->parts.end - a->parts.first;
  t->n_room = (n_own > 0 ? n_own : 1) * n_values;

  const vise_status status = vise_i_alloc_aligned(&t->room, t->n_room, sizeof(float), "sums", err);
  if (status != VISE_OK) return status;
  for (size_t k = 0; k < n_own; k++) a->values[a->parts.first + k] = t->room + k * n_values;
  a->sum = t->room;
  return VISE_OK;
}

static vise_status verify(timing *t, vise_error *err) {
  vise_i_addends *a = &t->addends;
  const float expected = VISE_I_MOST_PARTS * (VISE_I_MOST_PARTS + 1) / 2;

  for (size_t p = a->parts.first; p < a->parts.end; p++) {
    for (size_t i = 0; i < a->n_values; i++) ((float *)a->values[p])[i] = (float)(p + 1);
  }
  vise_i_add_own_parts(a, 0, a->n_values);
  const vise_status status = vise_i_add_all_parts(t->ranks, a, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < a->n_values; i++) {
    if (((const float *)a->sum)[i] != expected) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "value %zu of a sum over ranks is %g, not %g", i,
                         (double)((const float *)a->sum)[i], (double)expected);
    }
  }
  memset(t->room, 0, t->n_room * sizeof(float)); /* sums of 0 stay 0 */
  return VISE_OK;
}

/* n meetings; *seconds: of one of them. */
static vise_status time_exchange(timing *t, size_t n, double *seconds, vise_error *err) {
  const double before = vise_i_now();
  for (size_t i = 0; i < n; i++) {
    const vise_status status = vise_i_add_all_parts(t->ranks, &t->addends, err);
    if (status != VISE_OK) return status;
  }
  *seconds = (vise_i_now() - before) / (double)n;
  return VISE_OK;
}

static vise_status time_allreduce(timing *t, size_t n, double *seconds, vise_error *err) {
  vise_i_carrier *carrier = t->ranks->carrier;
  const double before = vise_i_now();
  for (size_t i = 0; i < n; i++) {
    if (carrier->allreduce(carrier, t->addends.sum, (int)t->addends.n_values)) continue;
    return vise_i_fail(err, VISE_ERR_IO, "%s", carrier->text);
  }
  *seconds = (vise_i_now() - before) / (double)n;
  return VISE_OK;
}

/* Rounds in turns, as many on every rank as the first one says, which looks at its clock. */
static vise_status compare(timing *t, double seconds, vise_bench_exchange *out, vise_error *err) {
  vise_status status;
  double once = 0, other = 0;
  VISE_TRY(time_exchange(t, 3, &once, err));
  const double end = vise_i_now() + seconds;

  for (bool first = true;; first = false) {
    uint64_t n = first || vise_i_now() < end ? (uint64_t)ceil(ROUND_SECONDS / once) : 0;
    VISE_TRY(vise_i_ranks_broadcast(t->ranks, &n, sizeof n, err));
    if (n == 0) break;

    VISE_TRY(time_exchange(t, (size_t)n, &once, err));
    VISE_TRY(time_allreduce(t, (size_t)n, &other, err));
    if (once < out->exchange_seconds) out->exchange_seconds = once;
    if (other < out->allreduce_seconds) out->allreduce_seconds = other;
    once = out->exchange_seconds;
  }

done:
  return status;
}

vise_status vise_bench_ranks(vise_ranks *ranks, size_t n_bytes, double seconds, vise_bench_exchange *out,
                             vise_error *err) {
  vise_status status;
  timing t = {.ranks = ranks};
  vise_bench_exchange made = {.n_bytes = n_bytes, .exchange_seconds = INFINITY, .allreduce_seconds = INFINITY};
  VISE_ENTER(err, ranks, out);
  if (!vise_i_ranks_are_many(ranks)) return vise_i_fail(err, VISE_ERR_USAGE, "one rank has nobody to exchange with");
  if (n_bytes < sizeof(float) || n_bytes > (size_t)1 << 30) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`n_bytes` %zu: expected 4 to 2^30", n_bytes);
  }

  if (!(seconds > 0) || !isfinite(seconds)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`seconds` %g: expected a finite number above 0", seconds);
  }

  VISE_TRY(begin(&t, n_bytes / sizeof(float), err));
  VISE_TRY(verify(&t, err));
  VISE_TRY(compare(&t, seconds, &made, err));
  *out = made;

done:
  free(t.room);
  return status;
}

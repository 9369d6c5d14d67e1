/*
 * How the sum travels. Each rank has added its own parts as far as they are whole nodes of the tree. A short sum: every
 * rank sends its nodes to every other, and all add all nodes, each for itself. A long one: a rank adds a slice of the
 * elements, for which it gets that slice of every node, and sends the result to all. Bytes a rank sends: for 2, 4 and 8
 * ranks, which have one node each, those of an all-reduce by rings.
 */
#include "host/ranks/sum.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/loops.h"
#include "host/base/memory.h"

/* Bytes of all nodes up to which a sum is short: one meeting of the ranks is cheaper than two. */
#define SHORT_BYTES ((size_t)64 << 10)

VISE_I_CLONES static void add_floats(float *restrict to, const float *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

VISE_I_CLONES static void add_doubles(double *restrict to, const double *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static void add(vise_dtype dtype, void *to, const void *from, size_t begin, size_t end) {
  if (dtype == VISE_F64) {
    add_doubles((double *)to + begin, (const double *)from + begin, end - begin);
  } else {
    add_floats((float *)to + begin, (const float *)from + begin, end - begin);
  }
}

void vise_i_add_own_parts(const vise_i_addends *addends, size_t begin, size_t end) {
  enum { BLOCK = 4096 };
  const vise_i_parts *parts = &addends->parts;

  for (size_t at = begin; at < end; at += BLOCK) {
    const size_t stop = end - at < BLOCK ? end : at + BLOCK;
    for (size_t step = 1; step < parts->n; step *= 2) {
      for (size_t p = 0; p + step < parts->n; p += 2 * step) {
        if (!vise_i_parts_join(parts, p, step)) continue;
        add(addends->dtype, addends->values[p], addends->values[p + step], at, stop);
      }
    }
  }
}

static vise_i_parts parts_of_rank(const vise_i_parts *parts, size_t rank, size_t n_ranks) {
  return (vise_i_parts){parts->n, rank * parts->n / n_ranks, (rank + 1) * parts->n / n_ranks};
}

/* nodes [n], each NULL or a node of the tree: added into the first. */
static void add_nodes(vise_dtype dtype, void *const *nodes, size_t n_parts, size_t n) {
  for (size_t step = 1; step < n_parts; step *= 2) {
    for (size_t p = 0; p + step < n_parts; p += 2 * step) {
      if (nodes[p + step] != NULL) add(dtype, nodes[p], nodes[p + step], 0, n);
    }
  }
}

/* A slice of the elements, which one rank adds. */
typedef struct slice {
  size_t begin, end;
} slice;

static slice slice_of(size_t n_values, size_t rank, size_t n_ranks) {
  return (slice){n_values * rank / n_ranks, n_values * (rank + 1) / n_ranks};
}

/* A sum on its way. */
typedef struct journey {
  vise_ranks *ranks;
  vise_i_addends *addends;
  size_t value_bytes;
  bool is_short;                  /* everyone adds all elements */
  void *nodes[VISE_I_MOST_PARTS]; /* of my slice, those of the others in the room */
} journey;

static slice mine(const journey *j) {
  const vise_ranks *ranks = j->ranks;
  return j->is_short ? (slice){0, j->addends->n_values} : slice_of(j->addends->n_values, ranks->rank, ranks->size);
}

/* Nodes of all ranks. */
static size_t count_nodes(const journey *j) {
  size_t n = 0, unused[VISE_I_MOST_PARTS];
  for (size_t r = 0; r < j->ranks->size; r++) {
    const vise_i_parts parts = parts_of_rank(&j->addends->parts, r, j->ranks->size);
    n += vise_i_parts_nodes(&parts, unused);
  }
  return n;
}

static vise_status make_room(journey *j, vise_error *err) {
  vise_status status;
  const slice s = mine(j);
  size_t n_bytes = 0;
  if (!vise_i_size_mul((s.end - s.begin) * j->value_bytes, VISE_I_MOST_PARTS, &n_bytes)) {
    VISE_TRY(vise_i_fail_memory(err, 0, "sums over ranks"));
  }
  VISE_TRY(vise_i_grow(&j->ranks->room, &j->ranks->n_room, n_bytes, 1, "sums over ranks", err));
  VISE_TRY(vise_i_ranks_room(j->ranks, 2 * j->ranks->size * (VISE_I_MOST_PARTS + 1), err));
done:
  return status;
}

/* What I found and my nodes, to all. */
static size_t put_sends(journey *j) {
  vise_ranks *ranks = j->ranks;
  vise_i_addends *a = j->addends;
  size_t n = 0, nodes[VISE_I_MOST_PARTS];
  const size_t n_nodes = vise_i_parts_nodes(&a->parts, nodes), n_parts = a->parts.end - a->parts.first;

  for (size_t i = 1; i < ranks->size; i++) { /* each begins with the one after it, so that nobody is swamped */
    const size_t to = (ranks->rank + i) % ranks->size;
    const slice s = j->is_short ? (slice){0, a->n_values} : slice_of(a->n_values, to, ranks->size);
    if (n_parts == 0) break;
    ranks->messages[n++] = (vise_i_message){to, &a->found[a->parts.first], n_parts * sizeof *a->found};
    for (size_t k = 0; k < n_nodes && s.end > s.begin; k++) {
      char *values = a->values[nodes[k]];
      ranks->messages[n++] =
          (vise_i_message){to, values + s.begin * j->value_bytes, (s.end - s.begin) * j->value_bytes};
    }
  }

  return n;
}

/* The same from the others; sets j->nodes. */
static size_t put_receives(journey *j, size_t n_sends) {
  vise_ranks *ranks = j->ranks;
  vise_i_addends *a = j->addends;
  const slice s = mine(j);
  const size_t n_bytes = (s.end - s.begin) * j->value_bytes;
  size_t n = n_sends, nodes[VISE_I_MOST_PARTS];
  char *room = ranks->room;

  for (size_t i = 0; i < ranks->size; i++) {
    const size_t from = (ranks->rank + i) % ranks->size;
    const vise_i_parts parts = parts_of_rank(&a->parts, from, ranks->size);
    const size_t n_nodes = vise_i_parts_nodes(&parts, nodes), n_parts = parts.end - parts.first;
    if (n_parts > 0 && i > 0) {
      ranks->messages[n++] = (vise_i_message){from, &a->found[parts.first], n_parts * sizeof *a->found};
    }

    for (size_t k = 0; k < n_nodes; k++) {
      void **node = &j->nodes[nodes[k]];
      if (i == 0) {
        *node = (char *)a->values[nodes[k]] + s.begin * j->value_bytes;
        continue;
      }
      *node = room;
      room += n_bytes;
      if (n_bytes > 0) ranks->messages[n++] = (vise_i_message){from, *node, n_bytes};
    }
  }

  return n - n_sends;
}

/* The slices to all. */
static vise_status spread_slices(const journey *j, vise_error *err) {
  size_t *ends = NULL;
  const size_t size = j->ranks->size;
  vise_status status = vise_i_alloc(&ends, size, sizeof *ends, "ranks", err);
  if (status != VISE_OK) return status;
  for (size_t r = 0; r < size; r++) ends[r] = slice_of(j->addends->n_values, r, size).end * j->value_bytes;
  status = vise_i_ranks_spread(j->ranks, j->addends->sum, ends, err);
  free(ends);
  return status;
}

vise_status vise_i_add_all_parts(vise_ranks *ranks, vise_i_addends *addends, vise_error *err) {
  vise_status status = VISE_OK;
  journey j = {ranks, addends, vise_dtype_size(addends->dtype), true, {NULL}};
  if (!vise_i_ranks_are_many(ranks)) {
    const size_t n_bytes = addends->n_values * j.value_bytes;
    if (addends->sum != addends->values[0]) memcpy(addends->sum, addends->values[0], n_bytes);
    return VISE_OK;
  }

  j.is_short = count_nodes(&j) * addends->n_values * j.value_bytes <= SHORT_BYTES;
  VISE_TRY(make_room(&j, err));
  const size_t n_sends = put_sends(&j), n_receives = put_receives(&j, n_sends);
  VISE_TRY(vise_i_ranks_swap(ranks, n_sends, n_receives, err));

  const slice s = mine(&j);
  add_nodes(addends->dtype, j.nodes, addends->parts.n, s.end - s.begin);
  char *to = (char *)addends->sum + s.begin * j.value_bytes;
  if (to != j.nodes[0]) memcpy(to, j.nodes[0], (s.end - s.begin) * j.value_bytes);
  if (!j.is_short) VISE_TRY(spread_slices(&j, err));

done:
  return status;
}

vise_status vise_i_ranks_gather_parts(vise_ranks *ranks, const vise_i_parts *parts, double *all, size_t n,
                                      vise_error *err) {
  vise_status status = VISE_OK;
  size_t *ends = NULL;
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&ends, ranks->size, sizeof *ends, "ranks", err));
  for (size_t r = 0; r < ranks->size; r++) {
    ends[r] = parts_of_rank(parts, r, ranks->size).end * n * sizeof *all;
  }
  VISE_TRY(vise_i_ranks_spread(ranks, all, ends, err));

done:
  free(ends);
  return status;
}

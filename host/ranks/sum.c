/*
 * How the sum travels. Each rank has added its own parts as far as they are whole nodes of the tree. A short sum: every
 * rank sends its nodes to every other, and all add all nodes, each for itself. A long one: a rank adds a slice of the
 * elements, for which it gets that slice of every node, and sends the result to all. Bytes a rank sends: for 2, 4 and 8
 * ranks, which have one node each, those of an all-reduce by rings.
 */
#include "host/ranks/sum.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/loops.h"
#include "host/base/memory.h"

/* Bytes of all nodes up to which a sum is short: one meeting of the ranks is cheaper than two. For two ranks it is as many
   bytes either way. */
#define SHORT_BYTES ((size_t)64 << 10)
#define SHORT_BYTES_OF_TWO ((size_t)128 << 10)

VISE_I_CLONES static void add_floats(float *restrict to, const float *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

VISE_I_CLONES static void add_doubles(double *restrict to, const double *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

VISE_I_CLONES static void sum_floats(float *restrict to, const float *restrict a, const float *restrict b, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = a[i] + b[i];
}

VISE_I_CLONES static void sum_doubles(double *restrict to, const double *restrict a, const double *restrict b,
                                      size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = a[i] + b[i];
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

/* nodes [n_parts], each NULL or a node of the tree: their sum to `to`, which may be one of them. They are overwritten. */
static void add_nodes(vise_dtype dtype, void *const *nodes, size_t n_parts, void *to, size_t n) {
  const void *last = NULL; /* of the two that the root adds, the second */
  for (size_t step = 1; step < n_parts; step *= 2) {
    for (size_t p = 0; p + step < n_parts; p += 2 * step) {
      if (nodes[p + step] == NULL) continue;
      if (2 * step >= n_parts) {
        last = nodes[p + step];
      } else {
        add(dtype, nodes[p], nodes[p + step], 0, n);
      }
    }
  }

  if (last == NULL) {
    if (to != nodes[0]) memcpy(to, nodes[0], n * vise_dtype_size(dtype));
  } else if (to == nodes[0] || to == last) {
    add(dtype, to, to == last ? nodes[0] : last, 0, n);
  } else if (dtype == VISE_F64) {
    sum_doubles(to, nodes[0], last, n);
  } else {
    sum_floats(to, nodes[0], last, n);
  }
}

/* A sum on its way. */
typedef struct journey {
  vise_ranks *ranks;
  vise_i_addends *addends;
  size_t value_bytes;
  size_t first, n;                /* the elements that this rank adds */
  void *nodes[VISE_I_MOST_PARTS]; /* of these, by the part they begin at */
} journey;

static size_t begin_of_slice(const journey *j, size_t rank) {
  return vise_i_ranks_slice(j->ranks, j->addends->n_values, j->value_bytes, rank);
}

/* Nodes of a rank; out may be NULL. */
static size_t nodes_of(const journey *j, size_t rank, size_t *out) {
  size_t unused[VISE_I_MOST_PARTS];
  const vise_i_parts parts = vise_i_parts_of_rank(&j->addends->parts, rank, j->ranks->size);
  return vise_i_parts_nodes(&parts, out != NULL ? out : unused);
}

/* Bytes of the nodes of all ranks; SIZE_MAX where that is too many. */
static size_t bytes_of_nodes(const journey *j, size_t n_values) {
  size_t n = 0, n_bytes = SIZE_MAX;
  for (size_t r = 0; r < j->ranks->size; r++) n += nodes_of(j, r, NULL);
  return vise_i_size_mul(n_values * j->value_bytes, n, &n_bytes) ? n_bytes : SIZE_MAX;
}

static vise_status make_room(const journey *j, size_t n_bytes, vise_error *err) {
  vise_ranks *ranks = j->ranks;
  if (n_bytes == SIZE_MAX) return vise_i_fail_memory(err, 0, "sums over ranks");
  if (n_bytes <= ranks->n_room) return VISE_OK;

  free(ranks->room);
  ranks->room = NULL;
  ranks->n_room = 0;
  const vise_status status = vise_i_alloc_aligned(&ranks->room, n_bytes, 1, "sums over ranks", err);
  if (status == VISE_OK) ranks->n_room = n_bytes;
  return status;
}

static bool is_short(const journey *j) {
  const size_t most = j->ranks->size == 2 ? SHORT_BYTES_OF_TWO : SHORT_BYTES;
  return j->addends->n_values < j->ranks->size || bytes_of_nodes(j, j->addends->n_values) <= most;
}

/* Adds the nodes into the sum. */
static void add_up(const journey *j) {
  char *to = (char *)j->addends->sum + j->first * j->value_bytes;
  add_nodes(j->addends->dtype, j->nodes, j->addends->parts.n, to, j->n);
}

/* ---- short sums: what a rank found and its nodes are one message to all ------------------------------------------- */

/* Bytes of a rank's message, whole numbers of the largest type. */
static size_t short_bytes(const journey *j, size_t rank) {
  const vise_i_parts parts = vise_i_parts_of_rank(&j->addends->parts, rank, j->ranks->size);
  const size_t found = (parts.end - parts.first) * sizeof(vise_i_part_found);
  const size_t values = nodes_of(j, rank, NULL) * j->n * j->value_bytes;
  return (found + values + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

/* The message of a rank, at its place in the room: made, or read. */
static void pack(journey *j, size_t rank, char *message, bool mine) {
  vise_i_addends *a = j->addends;
  const vise_i_parts parts = vise_i_parts_of_rank(&a->parts, rank, j->ranks->size);
  const size_t n_found = (parts.end - parts.first) * sizeof *a->found, n_bytes = j->n * j->value_bytes;
  size_t nodes[VISE_I_MOST_PARTS];
  const size_t n_nodes = nodes_of(j, rank, nodes);

  memcpy(mine ? message : (char *)&a->found[parts.first], mine ? (char *)&a->found[parts.first] : message, n_found);
  for (size_t k = 0; k < n_nodes; k++) {
    char *place = message + n_found + k * n_bytes;
    if (mine) memcpy(place, a->values[nodes[k]], n_bytes);
    j->nodes[nodes[k]] = place;
  }
}

static vise_status add_short(journey *j, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = j->ranks;
  size_t *ends = ranks->ends;
  j->n = j->addends->n_values;

  for (size_t r = 0; r < ranks->size; r++) ends[r] = (r > 0 ? ends[r - 1] : 0) + short_bytes(j, r);
  VISE_TRY(make_room(j, ends[ranks->size - 1], err));
  char *room = ranks->room;
  pack(j, ranks->rank, room + (ranks->rank > 0 ? ends[ranks->rank - 1] : 0), true);
  VISE_TRY(vise_i_ranks_spread(ranks, room, ends, err));

  for (size_t r = 0; r < ranks->size; r++) {
    if (r != ranks->rank) pack(j, r, room + (r > 0 ? ends[r - 1] : 0), false);
  }
  add_up(j);

done:
  return status;
}

/* ---- long sums: each rank adds a slice ------------------------------------------------------------------------------ */

/* What I found and the slices of my nodes, to all. */
static size_t put_sends(journey *j) {
  vise_ranks *ranks = j->ranks;
  vise_i_addends *a = j->addends;
  size_t n = 0, nodes[VISE_I_MOST_PARTS];
  const size_t n_nodes = nodes_of(j, ranks->rank, nodes), n_parts = a->parts.end - a->parts.first;

  for (size_t i = 1; i < ranks->size && n_parts > 0; i++) { /* each begins with the next one: nobody is swamped */
    const size_t to = (ranks->rank + i) % ranks->size, first = begin_of_slice(j, to);
    const size_t n_bytes = (begin_of_slice(j, to + 1) - first) * j->value_bytes;
    ranks->messages[n++] = (vise_i_message){to, &a->found[a->parts.first], n_parts * sizeof *a->found};
    for (size_t k = 0; k < n_nodes; k++) {
      ranks->messages[n++] = (vise_i_message){to, (char *)a->values[nodes[k]] + first * j->value_bytes, n_bytes};
    }
  }

  return n;
}

/* The same from the others; sets j->nodes. */
static size_t put_receives(journey *j, size_t n_sends) {
  vise_ranks *ranks = j->ranks;
  vise_i_addends *a = j->addends;
  const size_t n_bytes = j->n * j->value_bytes;
  size_t n = n_sends, nodes[VISE_I_MOST_PARTS];
  char *room = ranks->room;

  for (size_t i = 0; i < ranks->size; i++) {
    const size_t from = (ranks->rank + i) % ranks->size;
    const vise_i_parts parts = vise_i_parts_of_rank(&a->parts, from, ranks->size);
    const size_t n_nodes = vise_i_parts_nodes(&parts, nodes), n_parts = parts.end - parts.first;
    if (n_parts > 0 && i > 0) {
      ranks->messages[n++] = (vise_i_message){from, &a->found[parts.first], n_parts * sizeof *a->found};
    }

    for (size_t k = 0; k < n_nodes; k++) {
      void **node = &j->nodes[nodes[k]];
      if (i == 0) {
        *node = (char *)a->values[nodes[k]] + j->first * j->value_bytes;
        continue;
      }
      *node = room;
      room += n_bytes;
      ranks->messages[n++] = (vise_i_message){from, *node, n_bytes};
    }
  }

  return n - n_sends;
}

static vise_status add_long(journey *j, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = j->ranks;
  j->first = begin_of_slice(j, ranks->rank);
  j->n = begin_of_slice(j, ranks->rank + 1) - j->first;

  VISE_TRY(make_room(j, bytes_of_nodes(j, j->n), err));
  VISE_TRY(vise_i_ranks_room(ranks, 2 * ranks->size * (VISE_I_MOST_PARTS + 1), err));
  const size_t n_sends = put_sends(j), n_receives = put_receives(j, n_sends);
  VISE_TRY(vise_i_ranks_swap(ranks, n_sends, n_receives, err));
  add_up(j);

  for (size_t r = 0; r < ranks->size; r++) ranks->ends[r] = begin_of_slice(j, r + 1) * j->value_bytes;
  VISE_TRY(vise_i_ranks_spread(ranks, j->addends->sum, ranks->ends, err));

done:
  return status;
}

vise_status vise_i_add_all_parts(vise_ranks *ranks, vise_i_addends *addends, vise_error *err) {
  journey j = {.ranks = ranks, .addends = addends, .value_bytes = vise_dtype_size(addends->dtype)};
  if (!vise_i_ranks_are_many(ranks)) {
    const size_t n_bytes = addends->n_values * j.value_bytes;
    if (addends->sum != addends->values[0]) memcpy(addends->sum, addends->values[0], n_bytes);
    return VISE_OK;
  }

  return is_short(&j) ? add_short(&j, err) : add_long(&j, err);
}

vise_status vise_i_add_reserve(vise_ranks *ranks, size_t most_parts, size_t n_values, vise_dtype dtype,
                               vise_error *err) {
  vise_status status = VISE_OK;
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;

  for (size_t n = 1; n <= most_parts; n++) {
    vise_i_addends addends = {.parts = vise_i_parts_of(n, n * VISE_I_PART_ROWS, ranks->rank, ranks->size),
                              .dtype = dtype,
                              .n_values = n_values};
    journey j = {.ranks = ranks, .addends = &addends, .value_bytes = vise_dtype_size(dtype), .n = n_values};
    size_t n_short = 0;
    for (size_t r = 0; r < ranks->size; r++) n_short += short_bytes(&j, r);

    const size_t slice = begin_of_slice(&j, ranks->rank + 1) - begin_of_slice(&j, ranks->rank);
    VISE_TRY(make_room(&j, is_short(&j) ? n_short : bytes_of_nodes(&j, slice), err));
  }

done:
  return status;
}

vise_status vise_i_ranks_gather_parts(vise_ranks *ranks, const vise_i_parts *parts, double *all, size_t n,
                                      vise_error *err) {
  if (!vise_i_ranks_are_many(ranks)) return VISE_OK;
  for (size_t r = 0; r < ranks->size; r++) {
    ranks->ends[r] = vise_i_parts_of_rank(parts, r, ranks->size).end * n * sizeof *all;
  }
  return vise_i_ranks_spread(ranks, all, ranks->ends, err);
}

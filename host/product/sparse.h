/*
 * The product of a sparse matrix and a dense one, in vectors of VECTOR_BYTES, by the name SPARSE, which the including
 * file defines. The chains are those of kernel.h without the links where A is 0.
 */
#include "host/base/loops.h"
#include "host/product/kernels.h"

typedef float sparse_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef float sparse_loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(float)), may_alias));

enum { SPARSE_LANES = VECTOR_BYTES / sizeof(float), SPARSE_MOST = 8 /* vectors of a row at once */ };

/* Rows of B that stay in the first cache, and rows of A that pass by them. */
enum { SPARSE_DEPTH = 96, SPARSE_HEIGHT = 64, SPARSE_CACHE = 4096 /* floats */, SPARSE_WORTH = 6 /* entries */ };

/* What is left of the entries of a row of A, of which those before column `limit` come now; and the row of C that they
   go to. */
typedef struct sparse_run {
  const vise_i_entry *next, *end;
  size_t limit;
  float *c;
} sparse_run;

VISE_I_INLINE bool goes_on(const sparse_run *run) {
  return run->next < run->end && run->next->at < run->limit;
}

VISE_I_INLINE void load(const sparse_run *run, sparse_vector *sum, bool add, size_t vectors) {
  VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) {
    if (add) {
      sum[v] = *(const sparse_loose *)(run->c + v * SPARSE_LANES);
    } else {
      sum[v] = (sparse_vector){0};
    }
  }
}

/* Adds the value of the next entry times its row of b. */
VISE_I_INLINE void link(sparse_run *run, const float *b, size_t b_row, sparse_vector *sum, size_t vectors) {
  const float x = run->next->value, *row = b + run->next->at * b_row;
  VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) sum[v] += x * *(const sparse_loose *)(row + v * SPARSE_LANES);
  run->next++;
}

VISE_I_INLINE void store(const sparse_run *run, const sparse_vector *sum, size_t vectors) {
  VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) * (sparse_loose *)(run->c + v * SPARSE_LANES) = sum[v];
}

/* The sums of one row, set or added to; returns how many entries it took. */
VISE_I_INLINE size_t combine(sparse_run *given, const float *b, size_t b_row, bool add, size_t vectors) {
  sparse_run run = *given;
  sparse_vector sum[SPARSE_MOST];

  load(&run, sum, add, vectors);
  while (goes_on(&run)) link(&run, b, b_row, sum, vectors);
  store(&run, sum, vectors);

  const size_t n_taken = (size_t)(run.next - given->next);
  given->next = run.next;
  return n_taken;
}

/* The same for two rows: one link of a chain has to wait for the one before, and the other row's does not. */
VISE_I_INLINE size_t combine_two(sparse_run given[2], const float *b, size_t b_row, bool add, size_t vectors) {
  sparse_run one = given[0], two = given[1];
  sparse_vector sum_one[SPARSE_MOST], sum_two[SPARSE_MOST];

  load(&one, sum_one, add, vectors);
  load(&two, sum_two, add, vectors);
  while (goes_on(&one) && goes_on(&two)) {
    link(&one, b, b_row, sum_one, vectors);
    link(&two, b, b_row, sum_two, vectors);
  }
  while (goes_on(&one)) link(&one, b, b_row, sum_one, vectors);
  while (goes_on(&two)) link(&two, b, b_row, sum_two, vectors);

  store(&one, sum_one, vectors);
  store(&two, sum_two, vectors);

  const size_t n_taken = (size_t)(one.next - given[0].next) + (size_t)(two.next - given[1].next);
  given[0].next = one.next;
  given[1].next = two.next;
  return n_taken;
}

/* The same for one element and all entries. */
static float combine_one(const vise_i_entry *entry, const vise_i_entry *end, const float *b, size_t b_row, float sum) {
  for (; entry < end; entry++) sum += entry->value * b[entry->at * b_row];
  return sum;
}

/* Rows [0, n) of A up to the limit of their runs, two at a time where the vectors of one are few. */
VISE_I_INLINE size_t combine_all(sparse_run *runs, size_t n, const float *b, size_t b_row, bool add, size_t vectors) {
  size_t i = 0, n_taken = 0;
  if (vectors <= SPARSE_MOST / 2) {
    for (; i + 2 <= n; i += 2) n_taken += combine_two(runs + i, b, b_row, add, vectors);
  }
  for (; i < n; i++) n_taken += combine(runs + i, b, b_row, add, vectors);
  return n_taken;
}

/* Columns of C that are `vectors` vectors; depth rows of B at a time. */
VISE_I_INLINE void strip(const vise_i_product_sparse *p, size_t column, size_t depth, size_t vectors) {
  const float *b = p->b + column;
  sparse_run runs[SPARSE_HEIGHT];

  for (size_t first = 0; first < p->m; first += SPARSE_HEIGHT) {
    const size_t n = p->m - first < SPARSE_HEIGHT ? p->m - first : (size_t)SPARSE_HEIGHT;
    for (size_t i = 0; i < n; i++) {
      const size_t row = first + i;
      runs[i] = (sparse_run){.next = p->entries + p->start[row],
                             .end = p->entries + p->start[row + 1],
                             .c = p->c + row * p->c_row + column};
    }

    for (size_t k = 0; k == 0 || k < p->k; k += depth) {
      size_t n_taken;
      for (size_t i = 0; i < n; i++) runs[i].limit = k + depth;
      if (p->add || k > 0) {
        n_taken = combine_all(runs, n, b, p->b_row, true, vectors);
      } else {
        n_taken = combine_all(runs, n, b, p->b_row, false, vectors);
      }
      if (p->ahead) vise_i_ahead_go(p->ahead, n_taken * vectors * SPARSE_LANES);
    }
  }
}

typedef void strip_function(const vise_i_product_sparse *p, size_t column, size_t depth);

#define DEFINE_STRIP(vectors)                                                                \
  static void strip_##vectors(const vise_i_product_sparse *p, size_t column, size_t depth) { \
    strip(p, column, depth, vectors);                                                        \
  }
DEFINE_STRIP(1)
DEFINE_STRIP(2)
DEFINE_STRIP(3)
DEFINE_STRIP(4)
DEFINE_STRIP(5)
DEFINE_STRIP(6)
DEFINE_STRIP(7)
DEFINE_STRIP(8)

/* Rows of B at a time: few where they are more than the cache holds and each of A has entries enough among them. */
static size_t depth_for(const vise_i_product_sparse *p) {
  const size_t n_entries = p->start[p->m] - p->start[0];
  const bool large = p->k * p->b_row > SPARSE_CACHE, worth = n_entries * SPARSE_DEPTH > p->m * p->k * SPARSE_WORTH;
  return large && worth ? (size_t)SPARSE_DEPTH : p->k + 1;
}

void SPARSE(const vise_i_product_sparse *p) {
  static strip_function *const strips[SPARSE_MOST + 1] = {NULL,    strip_1, strip_2, strip_3, strip_4,
                                                          strip_5, strip_6, strip_7, strip_8};
  const size_t depth = depth_for(p);
  size_t column = 0;

  while (p->n - column >= SPARSE_LANES) {
    const size_t left = (p->n - column) / SPARSE_LANES, vectors = left < SPARSE_MOST ? left : (size_t)SPARSE_MOST;
    strips[vectors](p, column, depth);
    column += vectors * SPARSE_LANES;
  }

  for (size_t i = 0; i < p->m; i++) {
    const vise_i_entry *first = p->entries + p->start[i], *end = p->entries + p->start[i + 1];
    for (size_t j = column; j < p->n; j++) {
      float *c = p->c + i * p->c_row + j;
      *c = combine_one(first, end, p->b + j, p->b_row, p->add ? *c : 0.0f);
    }
  }
}

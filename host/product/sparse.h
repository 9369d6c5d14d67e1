/*
 * The product of a sparse matrix and a dense one, in vectors of VECTOR_BYTES, by the name SPARSE, which the including
 * file defines. The chains are those of kernel.h without the links where A is 0.
 */
#include "host/product/kernels.h"

#define SPARSE_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define SPARSE_UNROLL _Pragma("unroll")
#else
#define SPARSE_UNROLL _Pragma("GCC unroll 8")
#endif

typedef float sparse_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef float sparse_loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(float)), may_alias));

enum { SPARSE_LANES = VECTOR_BYTES / sizeof(float), SPARSE_MOST = 8 /* vectors of a row at once */ };

/* Rows of B that stay in the first cache, and rows of A that pass by them. */
enum { SPARSE_DEPTH = 48, SPARSE_HEIGHT = 64, SPARSE_CACHE = 4096 /* floats */, SPARSE_WORTH = 6 /* entries */ };

/* Entries of a row of A up to an end, and to a column of A where others begin. */
typedef struct sparse_run {
  const vise_i_entry *first, *end;
  size_t limit;
} sparse_run;

/* c [vectors] is set, or added to: the sum of the values of the run's entries times their rows of b. Returns the first
   entry that is left. */
SPARSE_INLINE const vise_i_entry *combine(const sparse_run *run, const float *b, size_t b_row, float *c, bool add,
                                          size_t vectors) {
  const vise_i_entry *entry = run->first, *end = run->end;
  const size_t limit = run->limit;
  sparse_vector sum[SPARSE_MOST];
  SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) {
    if (add) {
      sum[v] = *(const sparse_loose *)(c + v * SPARSE_LANES);
    } else {
      sum[v] = (sparse_vector){0};
    }
  }

  for (; entry < end && entry->at < limit; entry++) {
    const float x = entry->value, *row = b + entry->at * b_row;
    SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) {
      sum[v] += x * *(const sparse_loose *)(row + v * SPARSE_LANES);
    }
  }

  SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) * (sparse_loose *)(c + v * SPARSE_LANES) = sum[v];
  return entry;
}

/* The same for one element and all entries. */
static float combine_one(const vise_i_entry *entry, const vise_i_entry *end, const float *b, size_t b_row, float sum) {
  for (; entry < end; entry++) sum += entry->value * b[entry->at * b_row];
  return sum;
}

/* Columns of C that are `vectors` vectors; depth rows of B at a time. */
SPARSE_INLINE void strip(const vise_i_product_sparse *p, size_t column, size_t depth, size_t vectors) {
  const float *b = p->b + column;
  const vise_i_entry *next[SPARSE_HEIGHT];

  for (size_t first = 0; first < p->m; first += SPARSE_HEIGHT) {
    const size_t n = p->m - first < SPARSE_HEIGHT ? p->m - first : (size_t)SPARSE_HEIGHT;
    for (size_t i = 0; i < n; i++) next[i] = p->entries + p->start[first + i];

    for (size_t k = 0; k == 0 || k < p->k; k += depth) {
      for (size_t i = 0; i < n; i++) {
        const sparse_run run = {next[i], p->entries + p->start[first + i + 1], k + depth};
        float *c = p->c + (first + i) * p->c_row + column;
        const vise_i_entry *from = next[i];
        if (p->add || k > 0) {
          next[i] = combine(&run, b, p->b_row, c, true, vectors);
        } else {
          next[i] = combine(&run, b, p->b_row, c, false, vectors);
        }
        if (p->ahead) vise_i_ahead_go(p->ahead, (size_t)(next[i] - from) * vectors * SPARSE_LANES);
      }
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

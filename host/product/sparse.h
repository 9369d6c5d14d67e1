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

/* c [vectors] is set, or added to: the sum of the entries' values times their rows of b. */
SPARSE_INLINE void combine(const vise_i_entry *entries, size_t n, const float *b, size_t b_row, float *c, bool add,
                           size_t vectors) {
  sparse_vector sum[SPARSE_MOST];
  SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) {
    if (add) {
      sum[v] = *(const sparse_loose *)(c + v * SPARSE_LANES);
    } else {
      sum[v] = (sparse_vector){0};
    }
  }

  for (size_t k = 0; k < n; k++) {
    const float x = entries[k].value, *row = b + entries[k].at * b_row;
    SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) {
      sum[v] += x * *(const sparse_loose *)(row + v * SPARSE_LANES);
    }
  }

  SPARSE_UNROLL for (size_t v = 0; v < vectors; v++) * (sparse_loose *)(c + v * SPARSE_LANES) = sum[v];
}

/* The same for one element. */
static float combine_one(const vise_i_entry *entries, size_t n, const float *b, size_t b_row, float sum) {
  for (size_t k = 0; k < n; k++) sum += entries[k].value * b[entries[k].at * b_row];
  return sum;
}

/* Columns of C that are `vectors` vectors, for all rows. */
typedef void strip_function(const vise_i_product_sparse *p, size_t column);

#define DEFINE_STRIP(vectors)                                                  \
  static void strip_##vectors(const vise_i_product_sparse *p, size_t column) { \
    for (size_t i = 0; i < p->m; i++) {                                        \
      const vise_i_entry *entries = p->entries + p->start[i];                  \
      const size_t n = p->start[i + 1] - p->start[i];                          \
      float *c = p->c + i * p->c_row + column;                                 \
      if (p->add) {                                                            \
        combine(entries, n, p->b + column, p->b_row, c, true, vectors);        \
      } else {                                                                 \
        combine(entries, n, p->b + column, p->b_row, c, false, vectors);       \
      }                                                                        \
    }                                                                          \
  }
DEFINE_STRIP(1)
DEFINE_STRIP(2)
DEFINE_STRIP(3)
DEFINE_STRIP(4)
DEFINE_STRIP(5)
DEFINE_STRIP(6)
DEFINE_STRIP(7)
DEFINE_STRIP(8)

void SPARSE(const vise_i_product_sparse *p) {
  static strip_function *const strips[SPARSE_MOST + 1] = {NULL,    strip_1, strip_2, strip_3, strip_4,
                                                          strip_5, strip_6, strip_7, strip_8};
  size_t column = 0;

  while (p->n - column >= SPARSE_LANES) {
    const size_t left = (p->n - column) / SPARSE_LANES, vectors = left < SPARSE_MOST ? left : (size_t)SPARSE_MOST;
    strips[vectors](p, column);
    column += vectors * SPARSE_LANES;
  }

  for (size_t i = 0; i < p->m; i++) {
    const vise_i_entry *entries = p->entries + p->start[i];
    const size_t n = p->start[i + 1] - p->start[i];
    for (size_t j = column; j < p->n; j++) {
      float *c = p->c + i * p->c_row + j;
      *c = combine_one(entries, n, p->b + j, p->b_row, p->add ? *c : 0.0f);
    }
  }
}

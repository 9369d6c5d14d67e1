/*
 * Memory that is needed soon after a product: rows in random order, which hardware cannot guess. While the product
 * computes, their cache lines are asked for a few at a time; asked for all at once they would be waited for.
 */
#ifndef VISE_I_PRODUCT_AHEAD_H
#define VISE_I_PRODUCT_AHEAD_H

#include <stddef.h>

enum { VISE_I_AHEAD_LINE = 64 };

/* Where rows are read one after the other: a row is asked for so many rows before it is its turn. */
enum { VISE_I_AHEAD_ROWS = 4 };

static inline void vise_i_ahead_row(const void *row, size_t n_bytes) {
  enum { MOST_BYTES = 4096 };
  const char *at = row;
  for (size_t i = 0; i < n_bytes && i < MOST_BYTES; i += VISE_I_AHEAD_LINE) __builtin_prefetch(at + i);
}

/* Rows [row, n_rows) of `rows`: row i at data + rows[i] * stride. */
typedef struct vise_i_ahead {
  const char *data;
  const size_t *rows;
  size_t row, n_rows;
  size_t at;              /* bytes of the row that were asked for */
  size_t n_bytes, stride; /* of a row; from one to the next */
  size_t each;            /* multiply-adds for a line */
  size_t done;            /* multiply-adds since the last one */
} vise_i_ahead;

/* After so many more multiply-adds. */
static inline void vise_i_ahead_go(vise_i_ahead *a, size_t n_done) {
  a->done += n_done;

  for (; a->row < a->n_rows && a->done >= a->each; a->done -= a->each) {
    __builtin_prefetch(a->data + a->rows[a->row] * a->stride + a->at, 0, 2);
    a->at += VISE_I_AHEAD_LINE;
    if (a->at < a->n_bytes) continue;
    a->at = 0;
    a->row++;
  }
}

#endif

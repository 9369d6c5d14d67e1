/*
 * Memory that is needed soon after a product: rows in random order, which hardware cannot guess. While the product
 * computes, their cache lines are asked for a few at a time; asked for all at once they would be waited for.
 */
#ifndef VISE_I_PRODUCT_AHEAD_H
#define VISE_I_PRODUCT_AHEAD_H

#include <stddef.h>

enum { VISE_I_AHEAD_LINE = 64 };

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

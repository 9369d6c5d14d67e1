/* Targets that are one-hot, as class labels. */
#include <stdlib.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/data/storage.h"

/* The place of the one in a row, n_cols if it is not one-hot. */
static size_t one_of(const vise_array *y, size_t row) {
  size_t place = y->n_cols;
  for (size_t c = 0; c < y->n_cols; c++) {
    const double v = vise_i_array_get(y, row, c);
    if (v == 0) continue;
    if (v != 1 || place < y->n_cols) return y->n_cols;
    place = c;
  }
  return place;
}

vise_status vise_i_find_one_hot(vise_i_storage *parts, vise_error *err) {
  const vise_array *y = &parts->targets.array;
  if (y->n_cols < 2 || one_of(y, 0) == y->n_cols) return VISE_OK;

  int64_t *labels = NULL;
  const vise_status status = vise_i_alloc(&labels, y->n_rows, sizeof *labels, "class labels", err);
  if (status != VISE_OK) return status;

  for (size_t r = 0; r < y->n_rows; r++) {
    const size_t place = one_of(y, r);
    labels[r] = (int64_t)place;
    if (place < y->n_cols) continue;
    free(labels);
    return VISE_OK;
  }
  parts->labels = labels;
  return VISE_OK;
}

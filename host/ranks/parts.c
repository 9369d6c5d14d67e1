#include "host/ranks/parts.h"

static size_t n_slices(size_t n_rows) {
  return (n_rows + VISE_I_PART_ROWS - 1) / VISE_I_PART_ROWS;
}

vise_i_parts vise_i_parts_of(size_t most, size_t n_rows, size_t rank, size_t n_ranks) {
  const vise_i_parts all = {.n = n_slices(n_rows) < most ? n_slices(n_rows) : most};
  return vise_i_parts_of_rank(&all, rank, n_ranks);
}

vise_i_parts vise_i_parts_of_rank(const vise_i_parts *of, size_t rank, size_t n_ranks) {
  return (vise_i_parts){.n = of->n, .first = rank * of->n / n_ranks, .end = (rank + 1) * of->n / n_ranks};
}

size_t vise_i_most_parts(size_t most, size_t n_rows, size_t rank, size_t n_ranks) {
  size_t found = 0;
  for (size_t n = 1; n <= most && n <= n_slices(n_rows); n++) {
    const vise_i_parts parts = vise_i_parts_of(n, n_rows, rank, n_ranks);
    if (parts.end - parts.first > found) found = parts.end - parts.first;
  }
  return found;
}

size_t vise_i_most_part_rows(size_t most, size_t n_rows) {
  const size_t slices = n_slices(n_rows);
  return (slices + most - 1) / most * VISE_I_PART_ROWS;
}

void vise_i_part_rows(size_t n_rows, size_t n_parts, size_t p, size_t *first, size_t *end) {
  const size_t slices = n_slices(n_rows), at = p * slices / n_parts, next = (p + 1) * slices / n_parts;
  *first = at * VISE_I_PART_ROWS;
  *end = next * VISE_I_PART_ROWS < n_rows ? next * VISE_I_PART_ROWS : n_rows;
}

bool vise_i_parts_join(const vise_i_parts *parts, size_t p, size_t step) {
  const size_t last = p + 2 * step < parts->n ? p + 2 * step : parts->n;
  return p >= parts->first && p + step < parts->n && last <= parts->end;
}

size_t vise_i_parts_nodes(const vise_i_parts *parts, size_t *out) {
  bool joined[VISE_I_MOST_PARTS] = {false};
  for (size_t step = 1; step < parts->n; step *= 2) {
    for (size_t p = 0; p + step < parts->n; p += 2 * step) {
      if (vise_i_parts_join(parts, p, step)) joined[p + step] = true;
    }
  }

  size_t n = 0;
  for (size_t p = parts->first; p < parts->end; p++) {
    if (!joined[p]) out[n++] = p;
  }
  return n;
}

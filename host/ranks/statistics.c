#include "host/ranks/statistics.h"

#include "host/ranks/sum.h"

/* Means and sums of squared deviations [2, width] of n_from rows, into those of n_to. */
static void merge(double *to, const double *from, size_t width, double n_to, double n_from) {
  for (size_t k = 0; k < width; k++) {
    vise_i_moments sum = {n_to, to[k], to[width + k]};
    const vise_i_moments other = {n_from, from[k], from[width + k]};
    vise_i_moments_merge(&sum, &other);
    to[k] = sum.mean;
    to[width + k] = sum.squares;
  }
}

vise_status vise_i_merge_statistics(const vise_i_part_units *units, double *all, vise_error *err) {
  vise_status status;
  const size_t width = units->width, n_parts = units->parts.n;
  double n[VISE_I_MOST_PARTS];
  VISE_TRY(vise_i_ranks_gather_parts(units->ranks, &units->parts, all, 2 * width, err));

  for (size_t p = 0; p < n_parts; p++) {
    size_t first, end;
    vise_i_part_rows(units->n_rows, n_parts, p, &first, &end);
    n[p] = (double)(end - first);
    for (size_t k = 0; k < width; k++) all[(2 * p + 1) * width + k] *= n[p];
  }
  for (size_t step = 1; step < n_parts; step *= 2) {
    for (size_t p = 0; p + step < n_parts; p += 2 * step) {
      merge(all + 2 * p * width, all + 2 * (p + step) * width, width, n[p], n[p + step]);
      n[p] += n[p + step];
    }
  }
  for (size_t k = 0; k < width; k++) all[width + k] /= (double)units->n_rows;

done:
  return status;
}

vise_status vise_i_merge_sums(const vise_i_part_units *units, double *all, vise_error *err) {
  vise_status status;
  const size_t n = 2 * units->width, n_parts = units->parts.n;
  VISE_TRY(vise_i_ranks_gather_parts(units->ranks, &units->parts, all, n, err));

  for (size_t step = 1; step < n_parts; step *= 2) {
    for (size_t p = 0; p + step < n_parts; p += 2 * step) {
      for (size_t k = 0; k < n; k++) all[p * n + k] += all[(p + step) * n + k];
    }
  }

done:
  return status;
}

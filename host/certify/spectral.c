/*
 * A proven bound of the spectral norm of a matrix A, the least of
 *   the Frobenius norm;
 *   sqrt of the largest row sum times the largest column sum of magnitudes;
 *   t, where G = A A^T or A^T A, the smaller one, is n x n with n <= 2048, and Cholesky's method on t^2 I - G - shift runs to
 *   its end. It does so only for matrices whose least eigenvalue is above -gamma(n + 1) trace (Demmel; Rump, "Verification
 *   of positive definiteness", 2006), which the shift is, with what the rounding of G is worth: so t^2 I - G is not negative.
 * t begins a bit above what the power method finds and grows until Cholesky succeeds. The entries of A are products of
 * three or four numbers, off by a few units of 2^-53, for which there is room as well.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"
#include "host/product/product.h"

enum { MOST_SIDE = 2048, POWER_STEPS = 100, MOST_TRIES = 24 };
#define LEAST_NORM 1e-100 /* below it products underflow */
#define FIRST_MARGIN 1e-4 /* how far above the power method the first try is; it doubles */

static void elementary(const double *a, size_t n_rows, size_t n_cols, double *columns, vise_i_certified_layer *out) {
  double squares = 0, rows_most = 0, columns_most = 0, most = 0;
  memset(columns, 0, n_cols * sizeof *columns);
  for (size_t i = 0; i < n_rows * n_cols; i++) most = fmax(most, fabs(a[i]));

  for (size_t k = 0; k < n_rows; k++) {
    double sum = 0;
    for (size_t j = 0; j < n_cols; j++) {
      const double w = fabs(a[k * n_cols + j]);
      sum += w;
      columns[j] += w;
      squares += most > 0 ? (w / most) * (w / most) : 0; /* which does not underflow */
    }
    rows_most = fmax(rows_most, sum);
  }

  for (size_t j = 0; j < n_cols; j++) columns_most = fmax(columns_most, columns[j]);
  const double frobenius = vise_i_above(most * sqrt(squares), n_rows * n_cols + 8);
  const double both = vise_i_above(sqrt(rows_most) * sqrt(columns_most), n_rows + n_cols + 8);
  out->row_l1 = vise_i_above(rows_most, n_cols + 8);
  out->spectral = fmin(frobenius, both);
  out->spectral_by = frobenius <= both ? VISE_I_BY_FROBENIUS : VISE_I_BY_ROWS_AND_COLUMNS;
}

/* The largest eigenvalue of g [n, n], roughly. */
static double largest_eigenvalue(const double *g, size_t n, double *v, double *w) {
  double found = 0;
  for (size_t i = 0; i < n; i++) v[i] = 1 + 0.25 * sin((double)i);
  for (int step = 0; step < POWER_STEPS; step++) {
    double norm = 0;
    for (size_t i = 0; i < n; i++) {
      w[i] = 0;
      for (size_t j = 0; j < n; j++) w[i] += g[i * n + j] * v[j];
      norm += w[i] * w[i];
    }

    norm = sqrt(norm);
    if (!(norm > 0)) return 0;
    for (size_t i = 0; i < n; i++) v[i] = w[i] / norm;
    const bool settled = step > 4 && fabs(norm - found) <= 1e-6 * norm;
    found = norm;
    if (settled) break;
  }
  return found;
}

/* Whether Cholesky's method runs to its end on diagonal I - g; l [n, n] is for its factor. */
static bool succeeds(const double *g, size_t n, double diagonal, double *l) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      double sum = (i == j ? diagonal : 0) - g[i * n + j];
      for (size_t k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i == j && !(sum > 0)) return false;
      l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
    }
  }
  return true;
}

/* g [n, n] = A A^T, or A^T A where that is smaller; both halves from one product, made alike. */
static void gram(const double *a, size_t n_rows, size_t n_cols, size_t n, double *g) {
  const bool by_rows = n == n_rows;
  const size_t m = by_rows ? n_cols : n_rows;
  const vise_i_matrix_f64 left = by_rows ? (vise_i_matrix_f64){a, n_cols, 1} : (vise_i_matrix_f64){a, 1, n_cols};
  const vise_i_matrix_f64 right = by_rows ? (vise_i_matrix_f64){a, 1, n_cols} : (vise_i_matrix_f64){a, n_cols, 1};
  vise_i_multiply_f64(&(vise_i_product_f64){n, n, m, left, right, g, n, false, NULL});
}

/* What t^2 must exceed the matrix by: for Cholesky's roundings, those of G and those of the entries of A. */
static double shift_of(size_t n, size_t m, double t2, double squares) {
  const double u = 0x1p-53, of_cholesky = 2 * (double)(n + 2) * u * (double)n * t2;
  return of_cholesky + 2 * (double)(m + 16) * u * squares;
}

static vise_status by_cholesky(const double *a, size_t n_rows, size_t n_cols, vise_i_certified_layer *out,
                               vise_error *err) {
  const size_t n = n_rows < n_cols ? n_rows : n_cols, m = n_rows < n_cols ? n_cols : n_rows;
  double *g = NULL, *l = NULL, *vectors = NULL, squares = 0;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_aligned(&g, n * n, sizeof *g, "a spectral bound", err));
  VISE_TRY(vise_i_alloc(&l, n * n, sizeof *l, "a spectral bound", err));
  VISE_TRY(vise_i_alloc(&vectors, 2 * n, sizeof *vectors, "a spectral bound", err));

  gram(a, n_rows, n_cols, n, g);
  for (size_t i = 0; i < n; i++) squares += g[i * n + i];
  const double begin = sqrt(largest_eigenvalue(g, n, vectors, vectors + n));
  double margin = FIRST_MARGIN;
  for (int attempt = 0; attempt < MOST_TRIES && begin > LEAST_NORM; attempt++, margin *= 2) {
    const double t = begin * (1 + margin), t2 = t * t;
    if (t >= out->spectral) break;
    if (!succeeds(g, n, t2 - shift_of(n, m, t2, squares), l)) continue;
    out->spectral = vise_i_above(t, 8);
    out->spectral_by = VISE_I_BY_CHOLESKY;
    break;
  }

done:
  free(g);
  free(l);
  free(vectors);
  return status;
}

vise_status vise_i_spectral_bound(const double *matrix, size_t n_rows, size_t n_cols, vise_i_certified_layer *out,
                                  vise_error *err) {
  double *columns = NULL;
  vise_status status = vise_i_alloc(&columns, n_cols, sizeof *columns, "a spectral bound", err);
  if (status != VISE_OK) return status;
  elementary(matrix, n_rows, n_cols, columns, out);
  free(columns);

  const bool small = (n_rows < n_cols ? n_rows : n_cols) <= MOST_SIDE;
  return small ? by_cholesky(matrix, n_rows, n_cols, out, err) : VISE_OK;
}

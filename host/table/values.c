/* Statistics of columns over chosen rows. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/table/fit.h"

static vise_status fail_range(const vise_i_fit *fit, size_t row, size_t c, double v) {
  char place[VISE_I_PLACE_BYTES], text[VISE_I_NUMBER_BYTES];
  return vise_i_fail(fit->err, VISE_ERR_VALUE, "%s: %s is beyond the range of float32 (3.4e38); `na` makes it a gap",
                     vise_i_place_text(place, fit->table, row, c), vise_i_number_text(text, v));
}

static bool is_used(const bool *used, size_t row) {
  return used == NULL || used[row];
}

/* Counts, extremes and the sum of what exceeds the first value: a constant column has a deviation of exactly 0. */
static vise_status first_pass(const vise_i_fit *fit, size_t c, double origin, vise_i_values *v, double *sum) {
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows; i++) {
      if (!fit->used[span.first_row + i]) continue;
      const double x = span.numbers[i] - origin;
      if (isnan(x)) {
        v->n_gaps++;
        continue;
      }

      if (!(fabs(x) <= FLT_MAX)) return fail_range(fit, span.first_row + i, c, x);
      if (v->n++ == 0) v->first = v->smallest = v->largest = x;
      if (x < v->smallest) v->smallest = x;
      if (x > v->largest) v->largest = x;
      v->are_whole = v->are_whole && x == nearbyint(x);
      *sum += x - v->first;
    }
  }

  return VISE_OK;
}

static double sum_of_squares(const vise_i_fit *fit, size_t c, double offset) {
  double sum = 0;
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows; i++) {
      const double d = span.numbers[i] - offset;
      if (fit->used[span.first_row + i] && !isnan(d)) sum += d * d;
    }
  }
  return sum;
}

vise_status vise_i_fit_values(const vise_i_fit *fit, size_t c, double origin, vise_i_values *out) {
  vise_i_values v = {.are_whole = true};
  double sum = 0;
  if (fit->table->columns[c].skipped) {
    *out = (vise_i_values){.n_gaps = fit->n_used};
    return VISE_OK;
  }
  const vise_status status = first_pass(fit, c, origin, &v, &sum);
  if (status != VISE_OK) return status;

  if (v.n > 0) {
    v.mean = v.first + sum / (double)v.n;
    v.deviation = sqrt(sum_of_squares(fit, c, origin + v.mean) / (double)v.n);
    v.largest_magnitude = fmax(fabs(v.smallest), fabs(v.largest));
    if (!(v.deviation > 4 * DBL_EPSILON * v.largest_magnitude)) v.deviation = 0;
  }
  *out = v;
  return VISE_OK;
}

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The values of the rows that are used (NULL: all), sorted, in *out (malloc'ed). */
static vise_status sorted_values(const vise_table *table, size_t c, const bool *used, double **out, size_t *n,
                                 vise_error *err) {
  const vise_status status = vise_i_alloc(out, table->n_rows, sizeof **out, "values of a column", err);
  if (status != VISE_OK) return status;

  *n = 0;
  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows && span.numbers != NULL; i++) {
      if (is_used(used, span.first_row + i) && !isnan(span.numbers[i])) (*out)[(*n)++] = span.numbers[i];
    }
  }

  qsort(*out, *n, sizeof **out, compare_doubles);
  return VISE_OK;
}

/* Few different values, ascending, with their counts: n over FEW means that there are more. */
enum { FEW = 64 };

typedef struct few {
  double values[FEW];
  size_t counts[FEW], n, last; /* last: where the one before was */
} few;

static void add_to_few(few *f, double v) {
  size_t k = f->last;
  if (f->n == 0 || f->values[k] != v) {
    for (k = 0; k < f->n && f->values[k] < v;) k++;
  }

  if (k == f->n || f->values[k] != v) {
    if (f->n == FEW) {
      f->n++;
      return;
    }
    memmove(f->values + k + 1, f->values + k, (f->n - k) * sizeof *f->values);
    memmove(f->counts + k + 1, f->counts + k, (f->n - k) * sizeof *f->counts);
    f->values[k] = v;
    f->counts[k] = 0;
    f->n++;
  }

  f->counts[k]++;
  f->last = k;
}

static void find_few(const vise_i_fit *fit, size_t c, few *f) {
  *f = (few){.n = 0};
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows && span.numbers != NULL; i++) {
      if (!fit->used[span.first_row + i] || isnan(span.numbers[i])) continue;
      add_to_few(f, span.numbers[i]);
      if (f->n > FEW) return;
    }
  }
}

/* The same by sorting all values. */
static vise_status find_many(const vise_i_fit *fit, size_t c, double **values, size_t **counts, size_t *n) {
  vise_status status = VISE_OK;
  double *sorted = NULL;
  size_t *made = NULL, n_values = 0, n_distinct = 0;
  VISE_TRY(sorted_values(fit->table, c, fit->used, &sorted, &n_values, fit->err));
  VISE_TRY(vise_i_alloc(&made, n_values, sizeof *made, "values of a column", fit->err));
  for (size_t i = 0; i < n_values; i++) {
    if (n_distinct > 0 && sorted[n_distinct - 1] == sorted[i]) {
      made[n_distinct - 1]++;
    } else {
      sorted[n_distinct] = sorted[i];
      made[n_distinct++] = 1;
    }
  }
  *values = sorted;
  *counts = made;
  *n = n_distinct;

  return VISE_OK;

done:
  free(sorted);
  free(made);
  return status;
}

vise_status vise_i_fit_distinct(const vise_i_fit *fit, size_t c, double **values, size_t **counts, size_t *n) {
  few f;
  double *made = NULL;
  size_t *made_counts = NULL;
  vise_status status = VISE_OK;
  find_few(fit, c, &f);
  if (f.n > FEW) return find_many(fit, c, values, counts, n);

  VISE_TRY(vise_i_alloc(&made, f.n, sizeof *made, "values of a column", fit->err));
  VISE_TRY(vise_i_alloc(&made_counts, f.n, sizeof *made_counts, "values of a column", fit->err));
  memcpy(made, f.values, f.n * sizeof *made);
  memcpy(made_counts, f.counts, f.n * sizeof *made_counts);
  *values = made;
  *counts = made_counts;
  *n = f.n;
  return VISE_OK;
done:
  free(made);
  return status;
}

void vise_i_count_texts(const vise_table *table, size_t c, const bool *used, size_t *counts, size_t *n_gaps) {
  memset(counts, 0, table->columns[c].texts.n * sizeof *counts);
  *n_gaps = 0;

  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows; i++) {
      if (!is_used(used, span.first_row + i)) continue;
      const uint32_t code = span.codes != NULL ? span.codes[i] : VISE_I_GAP;
      if (code == VISE_I_GAP) {
        ++*n_gaps;
      } else {
        counts[code]++;
      }
    }
  }
}

vise_status vise_i_fit_texts(const vise_i_fit *fit, size_t c, vise_i_text_count **out, size_t *n, size_t *n_gaps) {
  vise_status status = VISE_OK;
  const vise_i_dictionary *texts = &fit->table->columns[c].texts;
  size_t *counts = NULL;
  vise_i_text_count *made = NULL;
  VISE_TRY(vise_i_alloc(&counts, texts->n, sizeof *counts, "texts of a column", fit->err));
  VISE_TRY(vise_i_alloc(&made, texts->n, sizeof *made, "texts of a column", fit->err));
  vise_i_count_texts(fit->table, c, fit->used, counts, n_gaps);

  *n = 0;
  for (uint32_t k = 0; k < texts->n; k++) {
    if (counts[k] > 0) made[(*n)++] = (vise_i_text_count){vise_i_dictionary_text(texts, k), counts[k]};
  }
  *out = made;
  made = NULL;
done:
  free(counts);
  free(made);
  return status;
}

/* Numbers that only rise need no sorting: the usual row numbers. */
static bool rises(const vise_table *table, size_t c) {
  double last = -INFINITY;
  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows && span.numbers != NULL; i++) {
      if (isnan(span.numbers[i])) continue;
      if (!(span.numbers[i] > last)) return false;
      last = span.numbers[i];
    }
  }
  return true;
}

static bool texts_are_unique(const vise_table *table, size_t c) {
  size_t n = 0;
  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows && span.codes != NULL; i++) n += span.codes[i] != VISE_I_GAP;
  }
  return n <= table->columns[c].texts.n;
}

vise_status vise_i_is_unique(const vise_table *table, size_t c, bool *out, vise_error *err) {
  double *values = NULL;
  size_t n = 0;

  if (table->columns[c].kind == VISE_COLUMN_TEXT) {
    *out = texts_are_unique(table, c);
    return VISE_OK;
  }

  *out = true;
  if (rises(table, c)) return VISE_OK;

  const vise_status status = sorted_values(table, c, NULL, &values, &n, err);
  if (status != VISE_OK) return status;
  for (size_t i = 1; i < n && *out; i++) *out = values[i] != values[i - 1];
  free(values);
  return VISE_OK;
}

size_t vise_i_row_of_code(const vise_table *table, size_t c, uint32_t code) {
  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows && span.codes != NULL; i++) {
      if (span.codes[i] == code) return span.first_row + i;
    }
  }
  return 0;
}

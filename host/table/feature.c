/* Fitting one column as a feature. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/table/pool.h"

vise_status vise_i_fit_drop(vise_i_fit *fit, size_t c, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fit->made->columns[c].role = VISE_COLUMN_DROPPED;
  return vise_i_copy_text(&fit->made->columns[c].reason, text, fit->err);
}

/* The first date of the used rows, 0 if there is none. */
static double first_date(const vise_i_fit *fit, size_t c) {
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows && span.numbers != NULL; i++) {
      if (fit->used[span.first_row + i] && !isnan(span.numbers[i])) return span.numbers[i];
    }
  }
  return 0;
}

/* What dates are days since: the first one. Where it would be that of somebody's row, the day of their mean. */
static vise_status find_origin(const vise_i_fit *fit, size_t c, double *out) {
  vise_i_values v;
  *out = first_date(fit, c);
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;
  vise_status status = vise_i_fit_values(fit, c, 0, &v);
  if (status == VISE_OK) status = vise_i_pool_values(fit, &v);
  if (status == VISE_OK) *out = floor(v.mean);
  return status;
}

static vise_status check_unit(const vise_i_fit *fit, size_t c, const vise_i_values *v) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  if (v->are_whole && v->smallest >= 0 && v->largest <= 255) return VISE_OK;
  return vise_i_fail(fit->err, VISE_ERR_VALUE,
                     "%s: %s: `scale` unit is for whole numbers from 0 to 255, and it holds %g to %g; use standard",
                     fit->table->name, vise_i_column_text(column, fit->table, c), v->smallest, v->largest);
}

static vise_status fit_number(vise_i_fit *fit, size_t c) {
  vise_i_recipe *recipe = &fit->made->columns[c];
  vise_i_values v;
  vise_status status = recipe->kind == VISE_COLUMN_DATE ? find_origin(fit, c, &recipe->origin) : VISE_OK;
  if (status == VISE_OK) status = vise_i_fit_values(fit, c, recipe->origin, &v);
  if (status == VISE_OK && fit->options->scale == VISE_SCALE_UNIT && v.n > 0) status = check_unit(fit, c, &v);
  if (status == VISE_OK) status = vise_i_pool_values(fit, &v);
  if (status != VISE_OK) return status;
  recipe->n_gaps = v.n_gaps;
  if (v.n == 0) return vise_i_fit_drop(fit, c, "it holds nothing but gaps");
  if (v.smallest == v.largest && v.n_gaps == 0 && fit->options->keep_constant == 0) {
    char text[VISE_I_NUMBER_BYTES];
    return vise_i_fit_drop(fit, c, "it is %s in every row", vise_i_number_text(text, v.first + recipe->origin));
  }

  recipe->fill = v.mean;
  recipe->has_indicator = v.n_gaps > 0;
  recipe->shift = 0;
  recipe->scale = 1;
  if (fit->options->scale == VISE_SCALE_UNIT) {
    recipe->scale = 255;
    return VISE_OK;
  }
  if (fit->options->scale != VISE_SCALE_NONE) {
    recipe->shift = v.mean;
    recipe->scale = v.deviation > 0 ? v.deviation : 1;
  }
  return VISE_OK;
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* `max_categories` 0: of more than AUTO_CATEGORIES texts, those beyond get an input of their own while they have
   AUTO_CATEGORY_ROWS training rows, up to AUTO_CATEGORIES_AT_MOST of all. */
#define AUTO_CATEGORIES 64
#define AUTO_CATEGORIES_AT_MOST 256
#define AUTO_CATEGORY_ROWS 3

/* The most frequent first. */
static int compare_counts(const void *a, const void *b) {
  const vise_i_text_count *x = a, *y = b;
  if (x->n_rows != y->n_rows) return x->n_rows < y->n_rows ? 1 : -1;
  return strcmp(x->text, y->text);
}

/* How many of the texts, the most frequent first, get an input of their own. */
static size_t n_kept(const vise_i_fit *fit, const vise_i_text_count *texts, size_t n) {
  size_t kept = fit->options->max_categories > 0 ? fit->options->max_categories : AUTO_CATEGORIES;
  if (kept >= n) return n;
  if (fit->options->max_categories > 0) return kept;

  while (kept < n && kept < AUTO_CATEGORIES_AT_MOST && texts[kept].n_rows >= AUTO_CATEGORY_ROWS) kept++;
  return kept;
}

static vise_status keep_texts(vise_i_fit *fit, vise_i_recipe *recipe, const vise_i_text_count *texts, size_t n) {
  const size_t kept = n_kept(fit, texts, n);
  for (size_t k = 0; k < n; k++) {
    vise_i_list *list = k < kept ? &recipe->categories : &recipe->grouped;
    const vise_status status = vise_i_list_add(list, texts[k].text, strlen(texts[k].text), fit->err);
    if (status != VISE_OK) return status;
  }
  vise_i_sort_names(&recipe->categories);
  vise_i_sort_names(&recipe->grouped);
  return VISE_OK;
}

/* Texts that differ in more than half of the rows name these. */
static vise_status drop_differing(vise_i_fit *fit, size_t c, size_t n, size_t n_rows) {
  return vise_i_fit_drop(fit, c, "it is text that differs in %zu of %zu rows", n, n_rows);
}

static vise_status fit_text(vise_i_fit *fit, size_t c) {
  vise_i_recipe *recipe = &fit->made->columns[c];
  const bool asked_for = fit->table->columns[c].forced || fit->listed[c];
  vise_i_text_count *texts = NULL;
  size_t n = 0, n_gaps = 0, n_rows = fit->n_used;
  char quote[VISE_I_QUOTE_BYTES], *storage = NULL;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_judge_text(fit->table, c, fit->err));
  VISE_TRY(vise_i_fit_texts(fit, c, &texts, &n, &n_gaps));

  size_t n_different = n;
  bool differ = n > 1 && n * 2 > n_rows && !asked_for;
  VISE_TRY(vise_i_pool_differ(fit, &n_different, &n_rows, &differ));
  if (differ) {
    recipe->n_gaps = n_gaps;
    recipe->has_gap_slot = n_gaps > 0;
    VISE_TRY(drop_differing(fit, c, n_different, n_rows));
    goto done;
  }
  VISE_TRY(vise_i_pool_texts(fit, &texts, &n, &n_gaps, &storage));
  qsort(texts, n, sizeof *texts, compare_counts);

  recipe->n_gaps = n_gaps;
  recipe->has_gap_slot = n_gaps > 0;
  if (n == 0) {
    VISE_TRY(vise_i_fit_drop(fit, c, "it holds nothing but gaps"));
  } else if (n == 1 && n_gaps == 0 && fit->options->keep_constant == 0) {
    VISE_TRY(vise_i_fit_drop(fit, c, "it is \"%s\" in every row",
                             vise_i_quote(quote, texts[0].text, strlen(texts[0].text))));
  } else if (n > 1 && n * 2 > fit->n_all && !asked_for) {
    VISE_TRY(drop_differing(fit, c, n, fit->n_all));
  } else {
    VISE_TRY(keep_texts(fit, recipe, texts, n));
  }
done:
  free(texts);
  free(storage);
  return status;
}

vise_status vise_i_fit_feature(vise_i_fit *fit, size_t c) {
  if (fit->table->columns[c].skipped) return vise_i_fit_drop(fit, c, "it was not read");
  return fit->made->columns[c].kind == VISE_COLUMN_TEXT ? fit_text(fit, c) : fit_number(fit, c);
}

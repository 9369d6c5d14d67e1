#include "host/table/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/quote.h"

/* ---- columns ------------------------------------------------------------------------------------------------------- */

/* One column in words, with a zero after it. */
static vise_status add_column(const vise_i_fit *fit, size_t c, vise_i_list *out) {
  const vise_i_column *column = &fit->table->columns[c];
  const vise_i_recipe *recipe = &fit->made->columns[c];
  char text[VISE_I_COLUMN_TEXT_BYTES];
  return vise_i_list_addf(out, fit->err, "%s is %s%s, %s%s", vise_i_column_text(text, fit->table, c),
                          vise_column_kind_name(column->kind), column->forced ? " by option" : "",
                          vise_column_role_name(recipe->role), fit->listed[c] ? " in `features`" : "");
}

static vise_status describe_columns(const vise_i_fit *fit, vise_i_list *out) {
  const vise_preprocessor_options *o = fit->options;
  vise_status status = vise_i_list_addf(
      out, fit->err, "the number of columns is %zu, `missing` is %s, `scale` is %s, `max_categories` is %zu",
      fit->table->n_columns, vise_missing_name(o->missing), vise_scale_name(o->scale), o->max_categories);
  for (size_t c = 0; status == VISE_OK && c < fit->table->n_columns; c++) status = add_column(fit, c, out);
  return status;
}

/* The texts of a list, each with a zero after it. */
static vise_status pack_list(const vise_i_list *list, char **out, size_t *n_bytes, vise_error *err) {
  size_t n = 0;
  for (size_t i = 0; i < list->n; i++) n += strlen(list->items[i]) + 1;
  const vise_status status = vise_i_alloc(out, n, 1, "columns", err);
  if (status != VISE_OK) return status;

  *n_bytes = n;
  for (size_t i = 0, at = 0; i < list->n; at += strlen(list->items[i++]) + 1) {
    memcpy(*out + at, list->items[i], strlen(list->items[i]) + 1);
  }
  return VISE_OK;
}

vise_status vise_i_pool_columns(const vise_i_fit *fit) {
  vise_status status = VISE_OK;
  vise_i_list mine = {0};
  char *packed = NULL, *all = NULL;
  size_t *ends = NULL, n_bytes = 0;
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;

  VISE_TRY(describe_columns(fit, &mine));
  VISE_TRY(pack_list(&mine, &packed, &n_bytes, fit->err));
  VISE_TRY(vise_i_alloc(&ends, vise_ranks_size(fit->ranks), sizeof *ends, "ranks", fit->err));
  VISE_TRY(vise_i_ranks_pool(fit->ranks, packed, n_bytes, &all, ends, fit->err));

  const char *first = all;
  for (size_t i = 0; i < mine.n && first < all + ends[0]; i++, first += strlen(first) + 1) {
    if (strcmp(first, mine.items[i]) == 0) continue;
    VISE_TRY(
        vise_i_fail(fit->err, VISE_ERR_SHAPE,
                    "%s: %s here, and on rank 0 %s; the tables of all processes need the same columns: `categorical` "
                    "and `numeric` say what a column is, `drop` leaves it out",
                    fit->table->name, mine.items[i], first));
  }

done:
  vise_i_list_free(&mine);
  free(packed);
  free(all);
  free(ends);
  return status;
}

/* ---- counts -------------------------------------------------------------------------------------------------------- */

vise_status vise_i_pool_counts(const vise_i_fit *fit, uint64_t *counts, size_t n) {
  return vise_ranks_add(fit->ranks, counts, n, fit->err);
}

vise_status vise_i_pool_all(const vise_i_fit *fit, bool *truth) {
  uint64_t n = *truth;
  const vise_status status = vise_i_pool_counts(fit, &n, 1);
  if (status == VISE_OK && vise_i_fit_is_pooled(fit)) *truth = n == vise_ranks_size(fit->ranks);
  return status;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

/* What a rank tells of a column of numbers. */
typedef struct told {
  uint64_t n_gaps, are_whole, is_constant;
  vise_i_moments moments;
  double magnitude; /* a power of two that no value exceeds; 0: all are 0 */
} told;

static told tell(const vise_i_values *v) {
  int exponent = 0;
  (void)frexp(v->largest_magnitude, &exponent);
  return (told){.n_gaps = v->n_gaps,
                .are_whole = v->are_whole,
                .is_constant = v->smallest == v->largest,
                .moments = {(double)v->n, v->mean, v->deviation * v->deviation * (double)v->n},
                .magnitude = v->largest_magnitude > 0 ? ldexp(1, exponent) : 0};
}

vise_status vise_i_pool_values(const vise_i_fit *fit, vise_i_values *values) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(fit->ranks);
  vise_i_values v = {.are_whole = true};
  vise_i_moments moments = {0};
  told *all = NULL;
  bool is_constant = true;
  double magnitude = 0;
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, size, sizeof *all, "ranks", fit->err));
  const told mine = tell(values);
  VISE_TRY(vise_i_ranks_pool_each(fit->ranks, &mine, sizeof mine, all, fit->err));
  for (size_t r = 0; r < size; r++) {
    v.n_gaps += (size_t)all[r].n_gaps;
    if (!(all[r].moments.n > 0)) continue;
    v.are_whole = v.are_whole && all[r].are_whole != 0;
    is_constant = is_constant && all[r].is_constant && (v.n == 0 || all[r].moments.mean == moments.mean);
    magnitude = fmax(magnitude, all[r].magnitude);
    vise_i_moments_merge(&moments, &all[r].moments);
    v.n += (size_t)all[r].moments.n;
  }

  v.mean = moments.mean;
  v.deviation = v.n > 0 && !is_constant ? sqrt(moments.squares / moments.n) : 0;
  v.largest_magnitude = magnitude;
  v.first = v.smallest = v.largest = v.mean;
  if (!is_constant) {
    v.smallest = -magnitude;
    v.largest = magnitude;
  }
  *values = v;

done:
  free(all);
  return status;
}

/* ---- texts --------------------------------------------------------------------------------------------------------- */

vise_status vise_i_pool_differ(const vise_i_fit *fit, size_t *n, size_t *n_rows, bool *differ) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(fit->ranks);
  uint64_t(*all)[3] = NULL;
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, size, sizeof *all, "ranks", fit->err));
  const uint64_t mine[3] = {*n, *n_rows, *differ};
  VISE_TRY(vise_i_ranks_pool_each(fit->ranks, mine, sizeof mine, all, fit->err));
  for (size_t r = size; r-- > 0;) {
    if (all[r][2] == 0) continue;
    *n = (size_t)all[r][0];
    *n_rows = (size_t)all[r][1];
    *differ = true;
  }

done:
  free(all);
  return status;
}

/* Gaps, then for each text its rows, its bytes, and these with a zero after them. */
static vise_status pack_texts(const vise_i_text_count *texts, size_t n, size_t n_gaps, char **out, size_t *n_bytes,
                              vise_error *err) {
  size_t total = sizeof(uint64_t);
  for (size_t k = 0; k < n; k++) total += sizeof(uint64_t) + strlen(texts[k].text) + 1;
  const vise_status status = vise_i_alloc(out, total, 1, "texts of a column", err);
  if (status != VISE_OK) return status;

  const uint64_t gaps = n_gaps;
  char *at = *out;
  memcpy(at, &gaps, sizeof gaps);
  at += sizeof gaps;
  for (size_t k = 0; k < n; k++) {
    const uint64_t rows = texts[k].n_rows;
    const size_t length = strlen(texts[k].text) + 1;
    memcpy(at, &rows, sizeof rows);
    memcpy(at + sizeof rows, texts[k].text, length);
    at += sizeof rows + length;
  }
  *n_bytes = total;
  return VISE_OK;
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(((const vise_i_text_count *)a)->text, ((const vise_i_text_count *)b)->text);
}

/* What all have packed, by text; *n_texts counts repeats too. */
static void unpack_texts(const char *all, const size_t *ends, size_t size, vise_i_text_count *out, size_t *n_texts,
                         size_t *n_gaps) {
  *n_texts = *n_gaps = 0;
  for (size_t r = 0; r < size; r++) {
    const char *at = all + (r > 0 ? ends[r - 1] : 0);
    uint64_t count;
    memcpy(&count, at, sizeof count);
    *n_gaps += (size_t)count;
    for (at += sizeof count; at < all + ends[r]; at += strlen(at) + 1) {
      memcpy(&count, at, sizeof count);
      at += sizeof count;
      if (out != NULL) out[*n_texts] = (vise_i_text_count){at, (size_t)count};
      ++*n_texts;
    }
  }
}

vise_status vise_i_pool_texts(const vise_i_fit *fit, vise_i_text_count **texts, size_t *n, size_t *n_gaps,
                              char **storage) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(fit->ranks);
  size_t *ends = NULL, n_bytes = 0, n_all = 0, n_made = 0;
  char *packed = NULL, *all = NULL;
  vise_i_text_count *made = NULL;
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&ends, size, sizeof *ends, "ranks", fit->err));
  VISE_TRY(pack_texts(*texts, *n, *n_gaps, &packed, &n_bytes, fit->err));
  VISE_TRY(vise_i_ranks_pool(fit->ranks, packed, n_bytes, &all, ends, fit->err));
  unpack_texts(all, ends, size, NULL, &n_all, n_gaps);
  VISE_TRY(vise_i_alloc(&made, n_all, sizeof *made, "texts of a column", fit->err));
  unpack_texts(all, ends, size, made, &n_all, n_gaps);

  qsort(made, n_all, sizeof *made, compare_texts);
  for (size_t k = 0; k < n_all; k++) {
    if (n_made > 0 && strcmp(made[n_made - 1].text, made[k].text) == 0) {
      made[n_made - 1].n_rows += made[k].n_rows;
    } else {
      made[n_made++] = made[k];
    }
  }
  free(*texts);
  *texts = made;
  *n = n_made;
  *storage = all;
  made = NULL;
  all = NULL;

done:
  free(ends);
  free(packed);
  free(all);
  free(made);
  return status;
}

/* ---- targets ------------------------------------------------------------------------------------------------------- */

/* As many different numbers of a rank may be classes. */
enum { CODES_MAX = 20, ASKED_MAX = 1024 };

typedef struct value_count {
  double value;
  uint64_t n_rows;
} value_count;

static int compare_values(const void *a, const void *b) {
  const double x = ((const value_count *)a)->value, y = ((const value_count *)b)->value;
  return (x > y) - (x < y);
}

/* Two values, or whole ones that are few: what names classes rather than measures. */
static bool may_be_classes(const double *values, size_t n, bool asked) {
  bool are_whole = true;
  for (size_t k = 0; k < n; k++) are_whole = are_whole && values[k] == nearbyint(values[k]);
  return asked ? n <= ASKED_MAX : n <= CODES_MAX && (are_whole || n <= 2);
}

/* Equal values become one. */
static vise_status merge_values(value_count *all, size_t n_all, double **values, size_t **counts, size_t *n,
                                vise_error *err) {
  vise_status status = VISE_OK;
  double *made = NULL;
  size_t *made_counts = NULL, n_made = 0;
  VISE_TRY(vise_i_alloc(&made, n_all, sizeof *made, "values of a target", err));
  VISE_TRY(vise_i_alloc(&made_counts, n_all, sizeof *made_counts, "values of a target", err));

  qsort(all, n_all, sizeof *all, compare_values);
  for (size_t k = 0; k < n_all; k++) {
    if (n_made == 0 || made[n_made - 1] != all[k].value) {
      made[n_made] = all[k].value;
      made_counts[n_made++] = 0;
    }
    made_counts[n_made - 1] += (size_t)all[k].n_rows;
  }
  free(*values);
  free(*counts);
  *values = made;
  *counts = made_counts;
  *n = n_made;
  made = NULL;
  made_counts = NULL;

done:
  free(made);
  free(made_counts);
  return status;
}

vise_status vise_i_pool_distinct(const vise_i_fit *fit, bool are_classes, double **values, size_t **counts, size_t *n,
                                 bool *are_known) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(fit->ranks);
  value_count *mine = NULL;
  char *all = NULL;
  size_t *ends = NULL;
  uint64_t(*kept)[2] = NULL;
  *are_known = true;
  if (!vise_i_fit_is_pooled(fit)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&kept, size, sizeof *kept, "ranks", fit->err));
  VISE_TRY(vise_i_alloc(&ends, size, sizeof *ends, "ranks", fit->err));
  VISE_TRY(vise_i_alloc(&mine, *n, sizeof *mine, "values of a target", fit->err));
  for (size_t k = 0; k < *n; k++) mine[k] = (value_count){(*values)[k], (*counts)[k]};

  const uint64_t own[2] = {*n, may_be_classes(*values, *n, are_classes)};
  size_t most = 0;
  VISE_TRY(vise_i_ranks_pool_each(fit->ranks, own, sizeof own, kept, fit->err));
  for (size_t r = 0; r < size; r++) {
    *are_known = *are_known && kept[r][1] != 0;
    if ((size_t)kept[r][0] > most) most = (size_t)kept[r][0];
  }
  if (!*are_known) {
    *n = most;
    goto done;
  }

  VISE_TRY(vise_i_ranks_pool(fit->ranks, mine, *n * sizeof *mine, &all, ends, fit->err));
  VISE_TRY(merge_values((value_count *)(void *)all, ends[size - 1] / sizeof *mine, values, counts, n, fit->err));

done:
  free(mine);
  free(all);
  free(ends);
  free(kept);
  return status;
}

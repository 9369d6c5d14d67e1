/* Columns that are no features as they are: row names and ids, and text that was meant to be numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/table/dialect.h"
#include "host/table/fit.h"

/* ---- ids ------------------------------------------------------------------------------------------------------ */

bool vise_i_is_called_id(const char *name) {
  const size_t n = strlen(name);
  if (strcasecmp(name, "id") == 0) return true;
  if (n < 3) return false;
  const char *end = name + n - 3;
  if (strcasecmp(end, "_id") == 0 || strcasecmp(end, ".id") == 0) return true;
  return n > 3 && *end >= 'a' && *end <= 'z' && (strcmp(end + 1, "Id") == 0 || strcmp(end + 1, "ID") == 0);
}

/* What is not so called for sure, but is ids if no value repeats. */
static bool is_id_name(const char *name) {
  static const char *const names[] = {"index",   "obs",     "case", "no",     "rownames", "Unnamed: 0",
                                      "patient", "subject", "pid",  "caseid", "idcase",   "seqno"};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
    if (strcasecmp(name, names[k]) == 0) return true;
  }
  return vise_i_is_called_id(name);
}

static bool is_whole(const vise_table *table, size_t c) {
  for (size_t b = 0; b < table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(table, b, c);
    for (size_t i = 0; i < span.n_rows && span.numbers != NULL; i++) {
      if (!isnan(span.numbers[i]) && span.numbers[i] != nearbyint(span.numbers[i])) return false;
    }
  }
  return true;
}

bool vise_i_may_be_id(const vise_table *table, size_t c) {
  const vise_i_column *column = &table->columns[c];
  if (!table->has_names || table->is_sparse || column->skipped) return false;
  return (c == 0 && !column->named) || is_id_name(column->name);
}

vise_status vise_i_judge_id(const vise_table *table, size_t c, const char **why, vise_error *err) {
  const vise_i_column *column = &table->columns[c];
  const bool is_unnamed = c == 0 && !column->named;
  bool unique = false;
  *why = NULL;
  if (!vise_i_may_be_id(table, c)) return VISE_OK;
  if (!is_unnamed && (column->kind == VISE_COLUMN_DATE || !is_whole(table, c))) return VISE_OK;

  const vise_status status = vise_i_is_unique(table, c, &unique, err);
  if (status == VISE_OK && unique)
    *why = is_unnamed ? "row names: a first column without a name or repeats" : "an id: no value repeats";
  return status;
}

/* ---- numbers in disguise -------------------------------------------------------------------------------------- */

typedef enum disguise { A_GAP, A_NUMBER, WITH_A_COMMA, WITH_EXTRAS, A_TEXT } disguise;

/* digits{1,3}, the first of which is no 0, and then groups of mark and three digits. */
static bool is_grouped(const char *s, char mark) {
  size_t n = strspn(s += *s == '-' || *s == '+', "0123456789");
  if (n < 1 || n > 3 || *s == '0' || s[n] != mark) return false;
  for (s += n; *s == mark; s += 4) {
    if (strspn(s + 1, "0123456789") != 3) return false;
  }
  return *s == '\0' || *s == '.' || *s == ',';
}

/* Without percent and currency signs, blanks and marks of thousands. False: it had none, or is too long. */
static bool strip_extras(const char *text, char mark, char *out, size_t n) {
  static const char *const signs[] = {"%", "$", "\xe2\x82\xac", "\xc2\xa3", " ", "\xc2\xa0"};
  const bool grouped = is_grouped(text + strspn(text, "$ "), mark);
  size_t used = 0;
  bool found = false;

  while (*text != '\0') {
    size_t skip = grouped && *text == mark ? 1 : 0;
    for (size_t k = 0; skip == 0 && k < sizeof signs / sizeof signs[0]; k++) {
      if (strncmp(text, signs[k], strlen(signs[k])) == 0) skip = strlen(signs[k]);
    }
    found = found || skip > 0;
    if (skip == 0 && used + 1 == n) return false;
    if (skip == 0) out[used++] = *text;
    text += skip > 0 ? skip : 1;
  }

  out[used] = '\0';
  return found;
}

static disguise disguise_of(const vise_i_dialect *d, const char *text) {
  char stripped[64];
  double v;
  const char other = d->decimal == '.' ? ',' : '.';
  const size_t n = strlen(text);
  if (vise_i_gap_of(d, text, n) != VISE_I_VALUE) return A_GAP;
  if (vise_i_field_number(d, text, n, &v)) return A_NUMBER;

  const char *end = vise_i_number_read(text, other, &v);
  if (end != NULL && *end == '\0' && !is_grouped(text, other)) return WITH_A_COMMA;
  if (strpbrk(text, "0123456789") == NULL || !strip_extras(text, other, stripped, sizeof stripped)) return A_TEXT;
  end = vise_i_number_read(stripped, d->decimal, &v);
  return end != NULL && *end == '\0' ? WITH_EXTRAS : A_TEXT;
}

/* Rows and different texts of each disguise, and the first text of it. */
typedef struct tally {
  size_t n_rows[A_TEXT + 1], n_texts[A_TEXT + 1];
  uint32_t first[A_TEXT + 1];
} tally;

static vise_status take_tally(const vise_table *table, size_t c, tally *t, vise_error *err) {
  const vise_i_dictionary *texts = &table->columns[c].texts;
  const vise_i_dialect dialect = {.decimal = table->decimal, .strip = table->strip != NULL ? table->strip : ""};
  size_t *counts = NULL, n_gaps;
  const vise_status status = vise_i_alloc(&counts, texts->n, sizeof *counts, "texts of a column", err);
  if (status != VISE_OK) return status;

  *t = (tally){0};
  vise_i_count_texts(table, c, NULL, counts, &n_gaps);
  for (uint32_t k = 0; k < texts->n; k++) {
    if (counts[k] == 0) continue;
    const disguise d = disguise_of(&dialect, vise_i_dictionary_text(texts, k));
    if (t->n_texts[d]++ == 0) t->first[d] = k;
    t->n_rows[d] += counts[k];
  }
  free(counts);
  return VISE_OK;
}

static vise_status fail_disguised(const vise_table *table, size_t c, const tally *t, disguise d, vise_error *err) {
  char place[VISE_I_PLACE_BYTES], quote[VISE_I_QUOTE_BYTES];
  const char *text = vise_i_dictionary_text(&table->columns[c].texts, t->first[d]);
  vise_i_place_text(place, table, vise_i_row_of_code(table, c, t->first[d]), c);
  vise_i_quote(quote, text, strlen(text));

  if (d == WITH_A_COMMA) {
    const char mark = table->decimal == '.' ? ',' : '.';
    return vise_i_fail(err, VISE_ERR_VALUE,
                       "%s: \"%s\" looks like a number with the decimal mark %c; `decimal` \"%c\" reads it so, "
                       "`categorical` takes the column as text, `drop` leaves it out",
                       place, quote, mark, mark);
  }

  const char mark = table->decimal == '.' ? ',' : '.';
  char or_decimal[64] = "";
  if (is_grouped(text, mark)) {
    (void)snprintf(or_decimal, sizeof or_decimal, "`decimal` \"%c\" if that is the decimal mark, ", mark);
  }
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "%s: \"%s\" looks like a number with other characters in it; `strip` removes them, such as "
                     "`strip` \"%%$%c\", %s`categorical` takes the column as text, `drop` leaves it out",
                     place, quote, mark, or_decimal);
}

vise_status vise_i_judge_text(const vise_table *table, size_t c, vise_error *err) {
  enum { FEW = 20 };
  const vise_i_column *column = &table->columns[c];
  tally t;
  if (column->kind != VISE_COLUMN_TEXT || column->forced || column->coded || column->skipped || !table->is_text) {
    return VISE_OK;
  }
  const vise_status status = take_tally(table, c, &t, err);
  if (status != VISE_OK) return status;

  const size_t n_disguised = t.n_rows[WITH_A_COMMA] + t.n_rows[WITH_EXTRAS];
  const size_t n_numbers = t.n_rows[A_NUMBER] + n_disguised, n_values = n_numbers + t.n_rows[A_TEXT];
  const size_t n_different = t.n_texts[A_NUMBER] + t.n_texts[WITH_A_COMMA] + t.n_texts[WITH_EXTRAS];
  if (t.n_rows[A_TEXT] == 0) {
    /* Where one has a decimal comma, 1,234 is 1.234: the comma may not be removed. */
    if (n_disguised == 0) return VISE_OK;
    return fail_disguised(table, c, &t, t.n_rows[WITH_A_COMMA] > 0 ? WITH_A_COMMA : WITH_EXTRAS, err);
  }
  if ((double)n_numbers < 0.9 * (double)n_values || n_different <= FEW) return VISE_OK;

  char place[VISE_I_PLACE_BYTES], quote[VISE_I_QUOTE_BYTES];
  const char *text = vise_i_dictionary_text(&column->texts, t.first[A_TEXT]);
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "%s: \"%s\" is not a number, as %zu of the column's %zu values are; `na` makes it a gap, "
                     "`categorical` takes the column as text, `drop` leaves it out",
                     vise_i_place_text(place, table, vise_i_row_of_code(table, c, t.first[A_TEXT]), c),
                     vise_i_quote(quote, text, strlen(text)), n_numbers, n_values);
}

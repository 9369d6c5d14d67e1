/* What kind a column is, as its fields come. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/quote.h"
#include "host/table/date.h"
#include "host/table/reader.h"

/* ---- what the first rows show --------------------------------------------------------------------------------- */

typedef struct counts {
  size_t n_numbers, n_quoted, n_dates, n_texts, n_soft_gaps;
} counts;

static void count_field(const vise_i_dialect *d, const vise_i_field *f, counts *n) {
  double v;
  const vise_i_gap gap = vise_i_gap_of(d, f->text, f->n);
  if (gap == VISE_I_HARD_GAP) return;

  if (gap == VISE_I_SOFT_GAP) {
    n->n_soft_gaps++;
  } else if (vise_i_field_number(d, f->text, f->n, &v)) {
    n->n_numbers++;
    n->n_quoted += f->quoted ? 1 : 0;
  } else if (vise_i_date_parse(f->text, f->n, &v)) {
    n->n_dates++;
  } else {
    n->n_texts++;
  }
}

static vise_i_mode mode_of(const vise_i_dialect *d, const counts *n) {
  if (n->n_texts > 0 || (n->n_dates > 0 && n->n_numbers + n->n_soft_gaps > 0)) return VISE_I_MODE_TEXT;
  if (n->n_dates > 0) return VISE_I_MODE_DATES;
  return n->n_numbers > 0 && n->n_quoted == n->n_numbers && d->plain && d->decimal == '.' ? VISE_I_MODE_CODES
                                                                                          : VISE_I_MODE_NUMBERS;
}

vise_status vise_i_kinds_begin(vise_i_reader *reader) {
  vise_status status = VISE_OK;
  const size_t n_columns = reader->table->n_columns;
  const char *p = reader->buffer + reader->at;
  vise_i_row row = {0};
  vise_i_scan result = VISE_I_SCANNED;
  counts *all = NULL;
  VISE_TRY(vise_i_alloc_zero(&all, n_columns, sizeof *all, "kinds of columns", reader->err));

  while (p < reader->buffer + reader->n && result != VISE_I_SCAN_INCOMPLETE) {
    bool is_comment;
    result = vise_i_scan_blank(&reader->scanner, &p, &is_comment);
    if (result == VISE_I_SCANNED) result = vise_i_scan_row(&reader->scanner, &p, &row);
    if (result == VISE_I_SCAN_MEMORY) VISE_TRY(vise_i_fail_memory(reader->err, 0, "the first rows"));
    if (result == VISE_I_SCAN_BAD_QUOTE) break; /* told when it is read */
    if (result != VISE_I_SCANNED) continue;
    for (size_t c = 0; c < n_columns && c < row.n; c++) count_field(&reader->dialect, &row.fields[c], &all[c]);
  }

  for (size_t c = 0; c < n_columns; c++) reader->columns[c].mode = mode_of(&reader->dialect, &all[c]);
  const counts *last = &all[n_columns - 1];
  const bool ends_empty = last->n_numbers + last->n_dates + last->n_texts + last->n_soft_gaps == 0;
  reader->first_shift = reader->first_is_short && !ends_empty ? 1 : 0;
done:
  vise_i_row_free(&row);
  free(all);
  return status;
}

/* ---- fields --------------------------------------------------------------------------------------------------- */

static vise_status fail_forced(const vise_i_reader *r, size_t c, const vise_i_field *f, const char *kind) {
  char column[VISE_I_COLUMN_TEXT_BYTES], quote[VISE_I_QUOTE_BYTES];
  vise_i_column_text(column, r->table, c);
  vise_i_quote(quote, f->text, f->n);

  if (r->options->like != NULL) {
    return vise_i_fail(r->err, VISE_ERR_VALUE, "%s:%zu: %s: \"%s\" is not a %s, which the model takes this column for",
                       r->source->name, r->line, column, quote, kind);
  }

  return vise_i_fail(r->err, VISE_ERR_VALUE,
                     "%s:%zu: %s: \"%s\" is not a number, as `numeric` says; `na` makes it a gap, `strip` removes "
                     "characters from numbers",
                     r->source->name, r->line, column, quote);
}

static vise_status take_text(vise_i_reader *r, size_t c, const vise_i_field *f, void *values, size_t i) {
  uint32_t code = VISE_I_GAP;
  if (vise_i_gap_of(&r->dialect, f->text, f->n) != VISE_I_HARD_GAP) {
    const vise_status status = vise_i_dictionary_code(&r->table->columns[c].texts, f->text, f->n, &code, r->err);
    if (status != VISE_OK) return status;
    r->columns[c].seen = true;
  }
  ((uint32_t *)values)[i] = code;
  return VISE_OK;
}

/* A column of numbers or dates meets another text: with nothing but gaps before, it becomes one of text at once; else
   its rows are read again, since the spelling of what came before is lost. */
static vise_status turn_to_text(vise_i_reader *r, size_t c, const vise_i_field *f, void *values, size_t i) {
  vise_i_reading *column = &r->columns[c];
  if (column->seen) {
    column->read_again = true;
    ((double *)values)[i] = NAN;
    return VISE_OK;
  }
  vise_i_column_to_gaps(r->table, c, r->n_stored);
  column->mode = VISE_I_MODE_TEXT;
  return take_text(r, c, f, values, i);
}

static vise_status take_number(vise_i_reader *r, size_t c, const vise_i_field *f, void *values, size_t i) {
  vise_i_reading *column = &r->columns[c];
  double v = NAN;
  const vise_i_gap gap = vise_i_gap_of(&r->dialect, f->text, f->n);

  if (gap == VISE_I_SOFT_GAP) {
    column->seen = true;
  } else if (gap == VISE_I_VALUE) {
    if (!vise_i_field_number(&r->dialect, f->text, f->n, &v)) {
      if (column->forced) return fail_forced(r, c, f, "number");
      if (!column->seen && vise_i_date_parse(f->text, f->n, &v)) {
        column->mode = VISE_I_MODE_DATES; /* gaps alone so far, which look the same */
      } else {
        return turn_to_text(r, c, f, values, i);
      }
    }
    column->seen = true;
    column->unquoted = column->unquoted || !f->quoted;
  }

  ((double *)values)[i] = v;
  return VISE_OK;
}

static vise_status take_date(vise_i_reader *r, size_t c, const vise_i_field *f, void *values, size_t i) {
  double v = NAN;
  if (vise_i_gap_of(&r->dialect, f->text, f->n) != VISE_I_HARD_GAP) {
    if (!vise_i_date_parse(f->text, f->n, &v)) {
      return r->columns[c].forced ? fail_forced(r, c, f, "date") : turn_to_text(r, c, f, values, i);
    }
    r->columns[c].seen = true;
  }
  ((double *)values)[i] = v;
  return VISE_OK;
}

/* A quoted number, as long as there are few different ones. */
static vise_status take_code(vise_i_reader *r, size_t c, const vise_i_field *f, void *values, size_t i) {
  vise_i_reading *column = &r->columns[c];
  double v;
  const vise_i_gap gap = vise_i_gap_of(&r->dialect, f->text, f->n);
  const bool is_number = gap == VISE_I_VALUE && vise_i_field_number(&r->dialect, f->text, f->n, &v);

  if (gap == VISE_I_VALUE && !is_number) {
    column->mode = VISE_I_MODE_TEXT;
    return take_text(r, c, f, values, i);
  }

  const bool is_one_more = is_number && r->table->columns[c].texts.n >= VISE_I_CODES_MAX &&
                           vise_i_dictionary_find(&r->table->columns[c].texts, f->text, f->n) == VISE_I_GAP;
  if (gap == VISE_I_SOFT_GAP || (is_number && !f->quoted) || is_one_more) {
    vise_i_column_to_numbers(r->table, c, r->n_stored);
    column->mode = VISE_I_MODE_NUMBERS;
    return take_number(r, c, f, values, i);
  }

  return take_text(r, c, f, values, i);
}

vise_status vise_i_kinds_take(vise_i_reader *reader, size_t c, const vise_i_field *field, void *values, size_t i) {
  switch (reader->columns[c].mode) {
    case VISE_I_MODE_NUMBERS:
      return take_number(reader, c, field, values, i);
    case VISE_I_MODE_CODES:
      return take_code(reader, c, field, values, i);
    case VISE_I_MODE_TEXT:
      return take_text(reader, c, field, values, i);
    case VISE_I_MODE_DATES:
      return take_date(reader, c, field, values, i);
    default:
      return VISE_OK;
  }
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

/* Some value of the first n_stored rows stands twice: there are more rows with one than different ones. */
static bool repeats(const vise_i_reader *r, size_t c) {
  const vise_table *t = r->table;
  size_t n_values = 0;
  for (size_t b = 0; b * t->block_rows < r->n_stored; b++) {
    const uint32_t *codes = vise_i_table_values(t, b, c);
    const size_t rest = r->n_stored - b * t->block_rows;
    const size_t skip = b == 0 ? t->offset : 0;
    for (size_t i = skip; i < rest && i < t->block_rows; i++) n_values += codes[i] != VISE_I_GAP;
  }
  return n_values > t->columns[c].texts.n;
}

vise_status vise_i_kinds_end(vise_i_reader *reader) {
  vise_table *table = reader->table;
  bool others_unquoted = false;
  for (size_t c = 0; c < table->n_columns; c++) {
    others_unquoted =
        others_unquoted || (reader->columns[c].mode == VISE_I_MODE_NUMBERS && reader->columns[c].unquoted);
  }

  for (size_t c = 0; c < table->n_columns; c++) {
    vise_i_column *column = &table->columns[c];
    const vise_i_mode mode = reader->columns[c].mode;
    column->forced = reader->columns[c].forced;
    column->skipped = mode == VISE_I_MODE_SKIP;
    if (mode == VISE_I_MODE_DATES) column->kind = VISE_COLUMN_DATE;
    if (mode == VISE_I_MODE_TEXT) column->kind = VISE_COLUMN_TEXT;
    if (mode != VISE_I_MODE_CODES) continue;

    column->coded = others_unquoted && repeats(reader, c);
    column->kind = VISE_COLUMN_TEXT;
    if (!column->coded) vise_i_column_to_numbers(table, c, reader->n_stored);
  }
  return VISE_OK;
}

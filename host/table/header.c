/* Whether line 1 is a header. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/table/date.h"
#include "host/table/reader.h"

/* What a field of line 1 is by itself. */
typedef enum look { LOOKS_EMPTY, LOOKS_NUMBER, LOOKS_DATE, LOOKS_TEXT } look;

static look look_of(const vise_i_reader *r, size_t c, double *number) {
  const vise_i_field *f = &r->first.fields[c];
  if (vise_i_gap_of(&r->dialect, f->text, f->n) != VISE_I_VALUE) return LOOKS_EMPTY;
  if (vise_i_field_number(&r->dialect, f->text, f->n, number)) return LOOKS_NUMBER;
  double days;
  return vise_i_date_parse(f->text, f->n, &days) ? LOOKS_DATE : LOOKS_TEXT;
}

vise_status vise_i_header_name(vise_i_reader *reader) {
  vise_table *table = reader->table;
  const bool sure = reader->dialect.header == VISE_HEADER_YES || reader->first_is_short;
  if (reader->dialect.header == VISE_HEADER_NO) return VISE_OK;

  table->has_names = true;
  for (size_t k = 0; k < reader->first.n; k++) {
    double v;
    char **name = &table->columns[k + reader->first_shift].name;
    /* As long as line 1 may hold data, a number there must not be taken for a name. */
    if (!sure && look_of(reader, k, &v) != LOOKS_TEXT) continue;
    free(*name);
    *name = NULL;
    const vise_status status = vise_i_copy_text(name, reader->first.fields[k].text, reader->err);
    if (status != VISE_OK) return status;
  }
  reader->is_named = sure;
  return sure ? vise_i_table_finish_names(table, reader->err) : VISE_OK;
}

/* Numbers of one step, not 0: at least three. */
static bool are_steps(const double *numbers, size_t n) {
  for (size_t k = 2; k < n; k++) {
    if (numbers[k] - numbers[k - 1] != numbers[1] - numbers[0]) return false;
  }
  return n >= 3 && numbers[1] != numbers[0];
}

/* Every text of the column reads as a number: those that were quoted, or are text by the caller's will. */
static bool are_numbers(const vise_i_column *column, const vise_i_dialect *d) {
  enum { LOOKED_AT = 1000 };
  double v;
  for (uint32_t k = 0; k < column->texts.n && k < LOOKED_AT; k++) {
    const char *text = vise_i_dictionary_text(&column->texts, k);
    if (!vise_i_field_number(d, text, strlen(text), &v)) return false;
  }
  return column->texts.n > 0;
}

/* The field of line 1 over column c cannot be one of its values. */
static bool stands_out(const vise_i_reader *r, size_t c, look seen) {
  const vise_i_reading *reading = &r->columns[c];
  if (seen == LOOKS_EMPTY) return false;

  switch (reading->mode) {
    case VISE_I_MODE_NUMBERS:
      return reading->seen && seen != LOOKS_NUMBER;
    case VISE_I_MODE_DATES:
      return reading->seen && seen != LOOKS_DATE;
    case VISE_I_MODE_CODES:
    case VISE_I_MODE_TEXT:
      return seen == LOOKS_TEXT && are_numbers(&r->table->columns[c], &r->dialect);
    default:
      return false;
  }
}

static bool appears_below(const vise_i_reader *r, size_t c) {
  const vise_i_field *f = &r->first.fields[c];
  return vise_i_dictionary_find(&r->table->columns[c].texts, f->text, f->n) != VISE_I_GAP;
}

/* Row names are texts or whole numbers; decimals in the first column are data, with a gap in line 1. */
static bool may_be_row_names(const vise_i_reader *r) {
  const vise_table *t = r->table;
  if (r->columns[0].mode != VISE_I_MODE_NUMBERS || !r->columns[0].seen) return true;
  for (size_t k = 1; k < r->n_stored && k < t->block_rows; k++) {
    const double v = ((const double *)vise_i_table_values(t, 0, 0))[k];
    if (!isnan(v) && v != nearbyint(v)) return false;
  }
  return true;
}

typedef struct looks {
  look *looks;
  double *numbers; /* of those that are numbers */
  size_t n_numbers, n_dates, n_texts;
} looks;

static bool are_different(const vise_i_reader *r, const look *seen, vise_i_dictionary *known) {
  for (size_t c = 0; c < r->first.n; c++) {
    const vise_i_field *f = &r->first.fields[c];
    uint32_t code;
    if (seen[c] != LOOKS_TEXT) continue;
    if (vise_i_dictionary_find(known, f->text, f->n) != VISE_I_GAP) return false;
    if (vise_i_dictionary_code(known, f->text, f->n, &code, r->err) != VISE_OK) return false;
  }
  return true;
}

static bool is_header(const vise_i_reader *r, looks *l, vise_i_dictionary *known) {
  const size_t n = r->first.n;
  const bool first_is_empty = r->first.fields[0].n == 0 && n > 1;
  if (r->n_stored <= 1 && l->n_texts == 0) return false; /* no rows below to compare with */
  if (first_is_empty && may_be_row_names(r)) return true;

  if (l->n_numbers == n && are_steps(l->numbers, n) && l->numbers[0] == 0 && l->numbers[1] == 1) return true;
  if ((l->n_texts > 0 || first_is_empty) && are_steps(l->numbers, l->n_numbers)) {
    for (size_t c = 0; c < n; c++) {
      if (l->looks[c] == LOOKS_NUMBER) l->looks[c] = LOOKS_TEXT;
    }
    l->n_texts += l->n_numbers;
    l->n_numbers = 0;
  }

  bool below = false;
  for (size_t c = 0; c < n; c++) {
    if (stands_out(r, c, l->looks[c])) return true;
    below = below || (l->looks[c] == LOOKS_TEXT && appears_below(r, c));
  }
  return l->n_texts > 0 && l->n_numbers + l->n_dates == 0 && !below && are_different(r, l->looks, known);
}

static vise_status decide(vise_i_reader *r, bool *out) {
  vise_status status = VISE_OK;
  vise_i_dictionary known = {0};
  const size_t n = r->first.n;
  looks l = {0};

  VISE_TRY(vise_i_alloc(&l.looks, n, sizeof *l.looks, "line 1", r->err));
  VISE_TRY(vise_i_alloc(&l.numbers, n, sizeof *l.numbers, "line 1", r->err));

  for (size_t c = 0; c < n; c++) {
    l.looks[c] = look_of(r, c, &l.numbers[l.n_numbers]);
    l.n_numbers += l.looks[c] == LOOKS_NUMBER;
    l.n_dates += l.looks[c] == LOOKS_DATE;
    l.n_texts += l.looks[c] == LOOKS_TEXT;
  }

  *out = is_header(r, &l, &known);
  status = r->err->code;

done:
  vise_i_dictionary_free(&known);
  free(l.looks);
  free(l.numbers);
  return status;
}

static vise_status take_as_names(vise_i_reader *r) {
  r->table->offset = r->first_has_place ? 1 : 0;
  r->dialect.header = VISE_HEADER_YES;
  return r->is_named ? VISE_OK : vise_i_header_name(r);
}

static vise_status take_as_row(vise_i_reader *r) {
  vise_table *table = r->table;
  const size_t line = r->line;
  r->line = r->first_line;

  for (size_t c = 0; c < table->n_columns; c++) {
    free(table->columns[c].name);
    table->columns[c].name = NULL;
    const vise_status status = vise_i_kinds_take(r, c, &r->first.fields[c], vise_i_table_values(table, 0, c), 0);
    if (status != VISE_OK) return status;
  }

  table->has_names = false;
  r->line = line;
  return VISE_OK;
}

vise_status vise_i_header_end(vise_i_reader *reader) {
  vise_status status = VISE_OK;
  const vise_header asked = reader->dialect.header;
  bool header = asked == VISE_HEADER_YES || reader->first_is_short;
  if (asked == VISE_HEADER_AUTO && !header) status = decide(reader, &header);
  if (status == VISE_OK && header) status = take_as_names(reader);
  if (status == VISE_OK && !header && reader->first_has_place) status = take_as_row(reader);
  if (status != VISE_OK) return status;

  reader->table->n_rows = reader->n_stored - reader->table->offset;
  if (reader->table->n_rows == 0) {
    return vise_i_fail(reader->err, VISE_ERR_FORMAT, "%s: holds a header line but no rows", reader->source->name);
  }
  return vise_i_list_addf(&reader->table->notes, reader->err, "line %zu is %s", reader->first_line,
                          header ? "a header" : "data, not a header");
}

/* The first rows of a text: what is left out, the delimiter, the number of columns, and line 1. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/memory.h"
#include "host/table/reader.h"

enum { SURVEY_ROWS = 100, COLUMNS_MAX = 1 << 20 };

/* Numbers of fields of the first rows under one delimiter. */
typedef struct survey {
  size_t counts[SURVEY_ROWS];
  size_t n_rows;
  bool first_ends_empty; /* the last field of line 1 is */
  bool failed;           /* quotes make no sense under it */
} survey;

static bool skip_line(vise_i_reader *r) {
  const char *p = r->buffer + r->at;
  while (*p != '\0' && *p != '\n' && *p != '\r') p++;
  if (vise_i_scan_line_end(&r->scanner, &p) != VISE_I_SCANNED) return false;
  r->at = (size_t)(p - r->buffer);
  r->line++;
  return true;
}

/* "sep=;" as Excel writes it. */
static vise_status take_separator_line(vise_i_reader *r) {
  const char *p = r->buffer + r->at;
  if (strncasecmp(p, "sep=", 4) != 0 || p[4] == '\0' || (p[5] != '\r' && p[5] != '\n')) return VISE_OK;
  const char separator = p[4];
  skip_line(r);
  if (r->dialect.delimiter != '\0') return VISE_OK; /* the caller knows better */
  return vise_i_dialect_delimit(&r->dialect, separator, r->err);
}

static vise_status skip_lines(vise_i_reader *r) {
  if (r->n >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0) r->at = 3; /* byte order mark */
  for (size_t k = 0; k < r->dialect.skip_lines; k++) {
    while (!skip_line(r)) {
      const vise_status status = vise_i_reader_fill(r);
      if (status != VISE_OK) return status;
    }
  }
  return take_separator_line(r);
}

static vise_i_scan survey_rows(const vise_i_reader *r, char delimiter, survey *s) {
  vise_i_dialect dialect = r->dialect;
  vise_i_scanner scanner = {.dialect = &dialect, .at_end = r->scanner.at_end};
  vise_i_row row = {0};
  const char *p = r->buffer + r->at;
  vise_i_scan result = VISE_I_SCANNED;
  *s = (survey){.failed = vise_i_dialect_delimit(&dialect, delimiter, NULL) != VISE_OK};

  while (!s->failed && s->n_rows < SURVEY_ROWS && p < r->buffer + r->n) {
    bool is_comment;
    result = vise_i_scan_blank(&scanner, &p, &is_comment);
    if (result == VISE_I_SCAN_NOTHING) continue;
    if (result == VISE_I_SCANNED) result = vise_i_scan_row(&scanner, &p, &row);
    if (result != VISE_I_SCANNED) break;
    if (s->n_rows == 0) s->first_ends_empty = row.fields[row.n - 1].n == 0;
    s->counts[s->n_rows++] = row.n;
  }
  s->failed = s->failed || result == VISE_I_SCAN_BAD_QUOTE;
  vise_i_row_free(&row);
  free(scanner.scratch);
  return result;
}

/* Line 1 has as many fields as n, or one less (row names without a name), or an empty one more. */
static bool fits_first(const survey *s, size_t n) {
  return s->counts[0] == n || s->counts[0] + 1 == n || (s->counts[0] == n + 1 && s->first_ends_empty);
}

static bool splits_equally(const survey *s) {
  if (s->failed || s->n_rows == 0) return false;
  const size_t n = s->counts[s->n_rows > 1 ? 1 : 0];
  for (size_t k = 1; k < s->n_rows; k++) {
    if (s->counts[k] != n) return false;
  }
  return n > 1 && fits_first(s, n);
}

/* The most frequent number of fields, and how many rows have it. */
static size_t usual_count(const survey *s, size_t *n_rows) {
  size_t best = 0, usual = 1;

  for (size_t k = 0; k < s->n_rows; k++) {
    size_t n = 0;
    for (size_t j = 0; j < s->n_rows; j++) n += s->counts[j] == s->counts[k];
    if (n > best) {
      best = n;
      usual = s->counts[k];
    }
  }

  *n_rows = best;
  return usual;
}

/* The first delimiter that splits the rows into equal numbers; else the one that splits most of them so, for a message
   about the others; else none, and each line is one field: the comma stands for that. */
static vise_status choose_delimiter(const vise_i_reader *r, char *out) {
  static const char candidates[] = {'\t', ';', '|', ',', ' '};
  char best = ',';
  size_t best_rows = 0;
  for (size_t k = 0; k < sizeof candidates; k++) {
    survey s;
    if (survey_rows(r, candidates[k], &s) == VISE_I_SCAN_MEMORY) return vise_i_fail_memory(r->err, 0, "the first rows");
    if (splits_equally(&s)) {
      *out = candidates[k];
      return VISE_OK;
    }

    size_t n_rows = 0;
    const size_t n = usual_count(&s, &n_rows);
    if (s.failed || n < 2 || n_rows * 2 <= s.n_rows || n_rows <= best_rows) continue;
    best = candidates[k];
    best_rows = n_rows;
  }
  *out = best == r->dialect.decimal && best_rows == 0 ? ';' : best;
  return VISE_OK;
}

static vise_status find_delimiter(vise_i_reader *r) {
  char delimiter = '\0';
  const vise_status status = choose_delimiter(r, &delimiter);
  return status == VISE_OK ? vise_i_dialect_delimit(&r->dialect, delimiter, r->err) : status;
}

/* More text until the first two rows are whole. */
static vise_status get_rows(vise_i_reader *r) {
  for (;;) {
    survey s;
    const vise_i_scan result = survey_rows(r, r->dialect.delimiter != '\0' ? r->dialect.delimiter : '\t', &s);
    if (result == VISE_I_SCAN_MEMORY) return vise_i_fail_memory(r->err, 0, "the first rows");
    if (s.n_rows >= 2 || r->scanner.at_end || result == VISE_I_SCAN_BAD_QUOTE) return VISE_OK;
    const vise_status status = vise_i_reader_fill(r);
    if (status != VISE_OK) return status;
  }
}

/* The line after this one; NULL: it is not whole. */
static const char *next_line(const vise_i_reader *r, const char *p) {
  while (*p != '\0' && *p != '\n' && *p != '\r') p++;
  return vise_i_scan_line_end(&r->scanner, &p) == VISE_I_SCANNED ? p : NULL;
}

/* More text until the lines at the start that begin with # are whole, and two rows after them; *rows is the place of
   those. */
static vise_status get_marked_lines(vise_i_reader *r, size_t *rows) {
  for (;;) {
    const size_t start = r->at;
    const char *p = r->buffer + start;
    while (p != NULL && *p == '#') p = next_line(r, p);

    survey s = {0};
    vise_i_scan result = VISE_I_SCANNED;
    if (p != NULL) {
      *rows = (size_t)(p - r->buffer);
      r->at = *rows;
      result = survey_rows(r, r->dialect.delimiter != '\0' ? r->dialect.delimiter : '\t', &s);
      r->at = start;
    }
    if (result == VISE_I_SCAN_MEMORY) return vise_i_fail_memory(r->err, 0, "the first rows");
    if (s.n_rows >= 2 || r->scanner.at_end || result == VISE_I_SCAN_BAD_QUOTE) return VISE_OK;
    const vise_status status = vise_i_reader_fill(r);
    if (status != VISE_OK) return status;
  }
}

/* Whether the line at p has n fields, or an empty one more: then it may hold names, or be a row. */
static bool has_fields(const vise_i_reader *r, const char *p, char delimiter, size_t n) {
  vise_i_dialect dialect = r->dialect;
  vise_i_row row = {0};
  if (vise_i_dialect_delimit(&dialect, delimiter, NULL) != VISE_OK) return true;
  vise_i_scanner scanner = {.dialect = &dialect, .at_end = r->scanner.at_end};

  const vise_i_scan result = vise_i_scan_row(&scanner, &p, &row);
  const bool has =
      result == VISE_I_SCANNED && row.n_line_ends == 0 && (row.n == n || (row.n == n + 1 && row.fields[n].n == 0));
  vise_i_row_free(&row);
  free(scanner.scratch);
  return has;
}

/* Lines at the start that begin with # are comments if they do not split as the rows after them do. One that does is
   looked at as any line 1, and a table of one column splits nothing. */
static vise_status skip_marked_lines(vise_i_reader *r) {
  size_t rows = r->at, n_rows;
  char delimiter = r->dialect.delimiter;
  survey s;
  if (r->dialect.comment != '\0' || r->buffer[r->at] != '#') return VISE_OK;
  vise_status status = get_marked_lines(r, &rows);
  if (status != VISE_OK) return status;

  const size_t start = r->at;
  r->at = rows;
  if (delimiter == '\0') status = choose_delimiter(r, &delimiter);
  if (status == VISE_OK && survey_rows(r, delimiter, &s) == VISE_I_SCAN_MEMORY) {
    status = vise_i_fail_memory(r->err, 0, "the first rows");
  }
  r->at = start;
  if (status != VISE_OK || rows == start || s.n_rows == 0) return status;

  const size_t n = usual_count(&s, &n_rows);
  while (n > 1 && r->at < rows && !has_fields(r, r->buffer + r->at, delimiter, n)) {
    r->n_marked++;
    skip_line(r);
  }
  return VISE_OK;
}

/* Blank lines and comments before line 1, then line 1. */
static vise_status take_first(vise_i_reader *r) {
  bool is_comment;
  const char *p = r->buffer + r->at;
  vise_i_scan result;
  while ((result = vise_i_scan_blank(&r->scanner, &p, &is_comment)) == VISE_I_SCAN_NOTHING) {
    if (p == r->buffer + r->n) return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: holds no rows", r->source->name);
    r->line++;
    r->n_blank += is_comment ? 0 : 1;
    r->n_comments += is_comment ? 1 : 0;
    r->at = (size_t)(p - r->buffer);
  }
  if (result == VISE_I_SCANNED) result = vise_i_scan_row(&r->scanner, &p, &r->first);
  if (result != VISE_I_SCANNED) return vise_i_reader_fail(r, result);

  r->first_line = r->line;
  r->first_at = r->at;
  r->at = (size_t)(p - r->buffer);
  r->line += 1 + r->first.n_line_ends;
  return VISE_OK;
}

static vise_status count_columns(vise_i_reader *r, size_t *n_columns) {
  survey s;
  size_t n_rows = 0;
  const size_t line = r->line;
  if (survey_rows(r, r->dialect.delimiter, &s) == VISE_I_SCAN_MEMORY) {
    return vise_i_fail_memory(r->err, 0, "the first rows");
  }
  const size_t n = splits_equally(&s) && s.n_rows > 1 ? s.counts[1] : usual_count(&s, &n_rows);
  const vise_status status = take_first(r);
  if (status != VISE_OK) return status;
  if (n > COLUMNS_MAX) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: %zu columns; at most %d are read", r->source->name, line, n,
                       COLUMNS_MAX);
  }

  *n_columns = n;
  r->first_is_short = r->first.n + 1 == n;
  if (r->first.n == n + 1 && r->first.fields[n].n == 0) r->first.n = n;
  if (r->first.n == n || (r->first_is_short && r->dialect.header != VISE_HEADER_NO)) return VISE_OK;
  return vise_i_fail(r->err, VISE_ERR_FORMAT,
                     "%s:%zu: %zu field%s, while most lines have %zu; `skip_lines` or `comment` leaves lines out",
                     r->source->name, r->first_line, r->first.n, r->first.n == 1 ? "" : "s", n);
}

vise_status vise_i_reader_begin(vise_i_reader *reader) {
  vise_status status = VISE_OK;
  size_t n_columns = 0;
  VISE_TRY(vise_i_reader_fill(reader));
  VISE_TRY(skip_lines(reader));
  VISE_TRY(skip_marked_lines(reader));
  VISE_TRY(get_rows(reader));
  if (reader->dialect.delimiter == '\0') VISE_TRY(find_delimiter(reader));
  VISE_TRY(count_columns(reader, &n_columns));

  VISE_TRY(vise_i_table_make(reader->source->name, n_columns, &reader->table, reader->err));
  reader->table->is_text = true;
  reader->table->delimiter = reader->dialect.delimiter;
  reader->table->decimal = reader->dialect.decimal;
  VISE_TRY(vise_i_copy_text(&reader->table->strip, reader->dialect.strip, reader->err));
  if (reader->options->na != NULL) VISE_TRY(vise_i_copy_text(&reader->table->na, reader->options->na, reader->err));
  VISE_TRY(vise_i_alloc_zero(&reader->columns, n_columns, sizeof *reader->columns, "columns", reader->err));
  if (reader->dialect.header == VISE_HEADER_NO) { /* line 1 is a row like any other */
    reader->at = reader->first_at;
    reader->line = reader->first_line;
  }
  reader->data_at = reader->base + reader->at;
  reader->data_line = reader->line;
  reader->first_has_place = reader->dialect.header == VISE_HEADER_AUTO && !reader->first_is_short;
done:
  return status;
}

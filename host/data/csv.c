/* CSV, streamed through libcsv: only the values are kept. Lines are counted here, since libcsv does not: with
   CSV_REPALL_NL it reports every line end outside quotes. */
#include <csv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/data/reader.h"

enum { CHUNK_BYTES = 1 << 16, FIELD_BYTES_MAX = 1 << 16, COLUMNS_MAX = 1 << 20 };

/* A growing array of rows of doubles. */
typedef struct rows {
  double *values;
  size_t n_cols, n_values, capacity;
} rows;

typedef struct reader {
  const char *name, *target;
  bool target_optional;
  vise_error *err;
  vise_status status; /* the first error; libcsv's callbacks cannot stop it */

  size_t line;                           /* of the next byte, from 1 */
  bool after_cr;                         /* the last line end was '\r' */
  size_t blank_line;                     /* the last empty line; 0: none yet */
  size_t column;                         /* of the next field */
  size_t field_lines;                    /* line ends within quotes in this row */
  size_t n_rows, first_line, shape_line; /* shape_line: the line that set the number of columns */

  /* The first row as text, until it is known whether it is a header: n_cols texts, each ended by a zero. */
  char *text;
  size_t n_text, text_capacity;
  size_t n_cols;
  const char **names; /* of the columns; NULL without a header */
  int32_t *slots;     /* vise_i_csv_pick; NULL before the end of the first row */
  rows features, targets;
} reader;

static vise_status grow(void *pointer, size_t *capacity, size_t needed, size_t element_bytes, reader *r) {
  void *memory;
  size_t wanted, n_bytes;
  memcpy(&memory, pointer, sizeof memory); /* the address of a pointer of any type */

  if (needed <= *capacity) return VISE_OK;
  if (!vise_i_size_add(needed, needed / 2 + 64, &wanted) || !vise_i_size_mul(wanted, element_bytes, &n_bytes)) {
    return vise_i_fail_memory(r->err, SIZE_MAX, r->name);
  }

  void *bigger = realloc(memory, n_bytes);
  if (bigger == NULL) return vise_i_fail_memory(r->err, n_bytes, r->name);
  memcpy(pointer, &bigger, sizeof bigger);
  *capacity = wanted;
  return VISE_OK;
}

static vise_status fail_field(reader *r, const char *text, size_t n, vise_i_number what) {
  char name[VISE_I_QUOTE_BYTES], quote[VISE_I_QUOTE_BYTES], column[VISE_I_QUOTE_BYTES + 8] = " (from 0)";
  if (r->names != NULL) {
    const char *full = r->names[r->column];
    snprintf(column, sizeof column, " (\"%s\")", vise_i_quote(name, full, strlen(full)));
  }

  if (n == 0) {
    return vise_i_fail(r->err, VISE_ERR_VALUE, "%s:%zu: column %zu%s: the field is empty; fill it in or drop the row",
                       r->name, r->line, r->column, column);
  }

  vise_i_quote(quote, text, n);
  if (what == VISE_I_NOT_FINITE) {
    return vise_i_fail(r->err, VISE_ERR_VALUE, "%s:%zu: column %zu%s: \"%s\" is not finite (or too large for f64)",
                       r->name, r->line, r->column, column, quote);
  }

  return vise_i_fail(r->err, VISE_ERR_VALUE, "%s:%zu: column %zu%s: \"%s\" is not a number%s", r->name, r->line,
                     r->column, column, quote,
                     memchr(text, ';', n) != NULL || memchr(text, '\t', n) != NULL
                         ? "; columns must be separated by commas"
                         : "; every value must be a decimal number");
}

/* Stores a value of the row that is being read; the rows have room for it. */
static void put(reader *r, size_t column, double v) {
  const int32_t slot = r->slots[column];
  if (slot < 0) {
    r->features.values[r->features.n_values++] = v;
  } else {
    r->targets.values[r->n_rows * r->targets.n_cols + (size_t)slot] = v;
  }
}

static vise_status make_room(reader *r) {
  size_t needed_targets;
  vise_status status =
      grow(&r->features.values, &r->features.capacity, r->features.n_values + r->features.n_cols, sizeof(double), r);
  if (status != VISE_OK || r->targets.n_cols == 0) return status;
  if (!vise_i_size_mul(r->n_rows + 1, r->targets.n_cols, &needed_targets)) {
    return vise_i_fail_memory(r->err, SIZE_MAX, r->name);
  }
  return grow(&r->targets.values, &r->targets.capacity, needed_targets, sizeof(double), r);
}

/* A field of the first row: kept as text. */
static vise_status keep_text(reader *r, const char *text, size_t n) {
  if (r->column == COLUMNS_MAX) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: more than %d columns", r->name, r->line, COLUMNS_MAX);
  }
  const vise_status status = grow(&r->text, &r->text_capacity, r->n_text + n + 1, 1, r);
  if (status != VISE_OK) return status;
  if (n > 0) memcpy(r->text + r->n_text, text, n);
  r->text[r->n_text + n] = 0;
  r->n_text += n + 1;
  return VISE_OK;
}

/* At the end of the first row: is it a header, and which columns are targets? */
static vise_status begin_columns(reader *r) {
  bool header = false;
  double v;
  const char *text;
  vise_status status;
  const char **texts = NULL;

  r->n_cols = r->column;
  r->shape_line = r->line;
  status = vise_i_alloc(&texts, r->n_cols, sizeof *texts, "column names", r->err);
  if (status != VISE_OK) return status;

  text = r->text;
  for (size_t c = 0; c < r->n_cols; c++, text += strlen(text) + 1) {
    texts[c] = text;
    /* "nan" is a bad value rather than a name: the row must not be lost silently. */
    if (vise_i_number_parse(text, strlen(text), &v) == VISE_I_NOT_A_NUMBER) header = true;
  }

  r->names = texts;
  status = vise_i_alloc(&r->slots, r->n_cols, sizeof *r->slots, "columns", r->err);
  if (status != VISE_OK) return status;
  const vise_i_columns columns = {r->name, r->n_cols, header ? texts : NULL};
  status = vise_i_csv_pick(&columns, r->target, r->target_optional, r->slots, &r->targets.n_cols, r->err);
  if (status != VISE_OK) return status;

  r->features.n_cols = r->n_cols - r->targets.n_cols;
  if (header) return VISE_OK;

  r->names = NULL;
  r->first_line = r->line;
  status = make_room(r);
  for (size_t c = 0; status == VISE_OK && c < r->n_cols; c++) {
    const vise_i_number what = vise_i_number_parse(texts[c], strlen(texts[c]), &v);
    r->column = c;
    if (what != VISE_I_NUMBER) status = fail_field(r, texts[c], strlen(texts[c]), what);
    if (status == VISE_OK) put(r, c, v);
  }

  r->column = r->n_cols;
  r->n_rows = status == VISE_OK ? 1 : 0;
  free(texts);
  return status;
}

static vise_status begin_row(reader *r) {
  if (r->blank_line != 0) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: is empty, but rows follow; delete the line", r->name,
                       r->blank_line);
  }
  if (r->slots == NULL) return VISE_OK;
  if (r->n_rows == 0) r->first_line = r->line;
  return make_room(r);
}

static vise_status take_field(reader *r, const char *text, size_t n) {
  double v;

  if (r->column == 0) {
    const vise_status status = begin_row(r);
    if (status != VISE_OK) return status;
  }

  for (const char *at = text; (at = memchr(at, '\n', n - (size_t)(at - text))) != NULL; at++) r->field_lines++;
  if (r->slots == NULL) return keep_text(r, text, n);
  if (r->column >= r->n_cols) return VISE_OK; /* counted; reported at the end of the row */

  const vise_i_number what = vise_i_number_parse(text, n, &v);
  if (what != VISE_I_NUMBER) return fail_field(r, text, n, what);
  put(r, r->column, v);
  return VISE_OK;
}

static void on_field(void *text, size_t n, void *data) {
  reader *r = data;
  r->after_cr = false;
  if (r->status != VISE_OK) return;
  r->status = take_field(r, text, n);
  r->column++;
}

static vise_status end_row(reader *r) {
  if (r->slots == NULL) return begin_columns(r);
  if (r->column != r->n_cols) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: %zu column%s, expected %zu (as in line %zu)", r->name, r->line,
                       r->column, r->column == 1 ? "" : "s", r->n_cols, r->shape_line);
  }
  r->n_rows++;
  return VISE_OK;
}

/* end: '\n', '\r', or -1 at the end of the file. */
static void on_line_end(int end, void *data) {
  reader *r = data;
  if (r->status != VISE_OK) return;

  if (r->column > 0) {
    r->status = end_row(r);
    r->column = 0;
  } else if (end == '\n' && r->after_cr) {
    r->after_cr = false; /* the second half of a CRLF */
    return;
  } else if (end != -1) {
    r->blank_line = r->line;
  }

  r->after_cr = end == '\r';
  r->line += 1 + r->field_lines;
  r->field_lines = 0;
}

static vise_status fail_syntax(reader *r, struct csv_parser *csv) {
  if (csv_error(csv) == CSV_ENOMEM) return vise_i_fail_memory(r->err, FIELD_BYTES_MAX, "a CSV field");
  return vise_i_fail(
      r->err, VISE_ERR_FORMAT,
      "%s:%zu: column %zu (from 0): misplaced or unclosed quote; write a quote within a quoted field twice", r->name,
      r->line, r->column);
}

static vise_status read_chunks(reader *r, vise_i_input *input, struct csv_parser *csv, char *chunk) {
  for (bool first = true;; first = false) {
    size_t got = 0, skip = 0;
    const vise_status status = vise_i_input_read(input, chunk, CHUNK_BYTES, &got, r->err);
    if (status != VISE_OK) return status;
    if (got == 0) break;

    if (first && got >= 3 && memcmp(chunk, "\xef\xbb\xbf", 3) == 0) skip = 3; /* byte order mark */
    if (memchr(chunk, 0, got) != NULL) {
      return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: holds zero bytes (after line %zu), so it is not CSV text",
                         r->name, r->line);
    }

    const size_t parsed = csv_parse(csv, chunk + skip, got - skip, on_field, on_line_end, r);
    if (r->status != VISE_OK) return r->status;
    if (parsed != got - skip) return fail_syntax(r, csv);

    /* entry_pos is the length so far of the field that goes on in the next chunk. */
    if (csv->entry_pos > FIELD_BYTES_MAX) {
      return vise_i_fail(r->err, VISE_ERR_FORMAT,
                         "%s:%zu: column %zu (from 0): a field of over %d bytes; a quote is "
                         "probably not closed",
                         r->name, r->line, r->column, FIELD_BYTES_MAX);
    }
  }

  if (csv_fini(csv, on_field, on_line_end, r) != 0) return fail_syntax(r, csv);
  return r->status;
}

/* Hands the values over, cut to size. */
static vise_status finish(reader *r, vise_i_csv *out) {
  if (r->n_rows == 0) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: %s", r->name,
                       r->slots == NULL ? "holds no rows" : "holds a header line but no rows of numbers");
  }

  rows *parts[] = {&r->features, &r->targets};
  vise_i_table *tables[] = {&out->features, &out->targets};
  for (size_t k = 0; k < 2; k++) {
    const size_t n = r->n_rows * parts[k]->n_cols;
    *tables[k] = (vise_i_table){0};
    if (parts[k]->n_cols == 0) continue;

    double *fitted = realloc(parts[k]->values, n * sizeof(double));
    tables[k]->memory = fitted != NULL ? fitted : parts[k]->values;
    tables[k]->array = vise_array_of(tables[k]->memory, VISE_F64, r->n_rows, parts[k]->n_cols);
    parts[k]->values = NULL;
  }

  vise_i_table_to_integers(&out->targets);
  out->first_line = r->first_line;
  return VISE_OK;
}

vise_status vise_i_csv_read(vise_i_input *input, const char *target, bool target_optional, vise_i_csv *out,
                            vise_error *err) {
  vise_status status = VISE_OK;
  reader r = {.name = input->name, .target = target, .target_optional = target_optional, .err = err, .line = 1};
  struct csv_parser csv;
  char *chunk = NULL;
  bool csv_live = false;

  VISE_TRY(vise_i_alloc(&chunk, CHUNK_BYTES, 1, "CSV buffer", err));

  csv_live = csv_init(&csv, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) == 0;
  if (!csv_live) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "libcsv cannot be set up"));
  csv_set_blk_size(&csv, 4096);

  VISE_TRY(read_chunks(&r, input, &csv, chunk));
  VISE_TRY(finish(&r, out));

done:
  if (csv_live) csv_free(&csv);
  free(chunk);
  free(r.text);
  free(r.names);
  free(r.slots);
  free(r.features.values);
  free(r.targets.values);
  return status;
}

vise_status vise_i_csv_parse(const char *name, const uint8_t *bytes, size_t n, const char *target, bool target_optional,
                             vise_i_csv *out, vise_error *err) {
  vise_i_input input;
  vise_status status = vise_i_input_open_memory(&input, name, bytes, n, err);
  if (status != VISE_OK) return status;
  status = vise_i_csv_read(&input, target, target_optional, out, err);
  vise_i_input_close(&input);
  return status;
}

void vise_i_table_to_integers(vise_i_table *table) {
  const vise_array *a = &table->array;
  const size_t n = a->n_rows * a->n_cols;
  double *values = table->memory;
  if (n == 0 || a->dtype != VISE_F64) return;

  for (size_t k = 0; k < n; k++) {
    if (!(fabs(values[k]) <= VISE_I_EXACT_INTEGERS && values[k] == nearbyint(values[k]))) return;
  }

  for (size_t k = 0; k < n; k++) {
    const int64_t v = (int64_t)values[k];
    memcpy(&values[k], &v, sizeof v);
  }
  table->array.dtype = VISE_I64;
}

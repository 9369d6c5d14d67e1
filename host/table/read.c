/* The rows of a delimited text, into the columns of a table. */
#include "host/table/read.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/table/reader.h"

/* A number that needs no second look, at *at; it is taken and *at moves to its end. */
static bool take_plain_number(const vise_i_reader *r, const char **at, double *out) {
  const char *p = *at;
  while (*p == ' ') p++;
  const char *end = vise_i_number_read(p, r->dialect.decimal, out);
  if (end == NULL || *end == '\0' || !r->dialect.ends_field[(unsigned char)*end]) return false;
  *at = end;
  return true;
}

/* The field at *at. */
static vise_i_scan scan_field(vise_i_reader *r, const char **at, vise_i_field *field) {
  const vise_i_scan result = vise_i_scan_field(&r->scanner, at, field);
  /* Half a field would be another one. */
  const bool is_half = result == VISE_I_SCANNED && **at == '\0' && !r->scanner.at_end;
  return is_half ? VISE_I_SCAN_INCOMPLETE : result;
}

/* The field at *at, into row i of column c, whose values are given. NOTHING: r->err says what is wrong with it. */
static vise_i_scan take_field(vise_i_reader *r, const char **at, size_t c, void *values, size_t i,
                              size_t *n_line_ends) {
  vise_i_field field;
  vise_i_reading *column = &r->columns[c];
  if (column->mode == VISE_I_MODE_NUMBERS && r->dialect.plain && take_plain_number(r, at, (double *)values + i)) {
    column->seen = column->unquoted = true;
    return VISE_I_SCANNED;
  }

  const vise_i_scan result = scan_field(r, at, &field);
  if (result != VISE_I_SCANNED) return result;
  *n_line_ends += field.n_line_ends;
  return vise_i_kinds_take(r, c, &field, values, i) == VISE_OK ? VISE_I_SCANNED : VISE_I_SCAN_NOTHING;
}

/* The row at *at, into row i of the last block; *n_fields may differ from the number of columns. What a row that is
   not whole has left there is written again when it comes whole. */
static vise_i_scan take_row(vise_i_reader *r, const char **at, size_t i, size_t *n_fields, size_t *n_line_ends) {
  const vise_i_block *block = &r->table->blocks[r->table->n_blocks - 1];
  const char delimiter = r->dialect.delimiter;
  const char *p = *at;
  *n_line_ends = 0;

  for (size_t c = 0;; c++) {
    vise_i_field beyond;
    vise_i_scan result = c < r->table->n_columns
                             ? take_field(r, &p, c, block->memory + c * r->table->column_bytes, i, n_line_ends)
                             : scan_field(r, &p, &beyond);
    if (result != VISE_I_SCANNED) return result;
    if (*p == delimiter && delimiter != ' ') {
      p++;
      continue;
    }

    result = vise_i_scan_line_end(&r->scanner, &p);
    if (result == VISE_I_SCAN_INCOMPLETE) return result;
    if (result == VISE_I_SCAN_NOTHING) continue; /* after spaces that delimit */
    *n_fields = c + 1;
    *at = p;
    return VISE_I_SCANNED;
  }
}

/* Notes the line of stored row n_stored, which is complete. */
static vise_status note_line(vise_i_reader *r, size_t line) {
  vise_i_block *block = &r->table->blocks[r->table->n_blocks - 1];
  const size_t i = r->n_stored % r->table->block_rows;
  if (i == 0) block->first_line = line;
  if (block->lines == NULL && line == block->first_line + i) return VISE_OK;

  if (block->lines == NULL) {
    const vise_status status = vise_i_alloc(&block->lines, r->table->block_rows, sizeof *block->lines, "lines", r->err);
    if (status != VISE_OK) return status;
    for (size_t k = 0; k < i; k++) block->lines[k] = (uint32_t)k;
  }
  block->lines[i] = (uint32_t)(line - block->first_line);
  return VISE_OK;
}

/* One row, or a line that is none; false: more text is needed. */
static vise_status read_line(vise_i_reader *r, bool *enough) {
  const char *p = r->buffer + r->at;
  bool is_comment;
  size_t n_fields = 0, n_line_ends = 0;
  vise_i_scan result = vise_i_scan_blank(&r->scanner, &p, &is_comment);
  *enough = result != VISE_I_SCAN_INCOMPLETE;
  if (!*enough) return VISE_OK;
  if (result == VISE_I_SCAN_NOTHING) {
    r->n_blank += is_comment ? 0 : 1;
    r->n_comments += is_comment ? 1 : 0;
    r->line++;
    r->at = (size_t)(p - r->buffer);
    return VISE_OK;
  }

  vise_status status = VISE_OK;
  if (r->n_stored == r->table->n_blocks * r->table->block_rows) status = vise_i_table_add_block(r->table, r->err);
  if (status != VISE_OK) return status;
  result = take_row(r, &p, r->n_stored % r->table->block_rows, &n_fields, &n_line_ends);
  if (result == VISE_I_SCAN_NOTHING) return r->err->code;
  *enough = result != VISE_I_SCAN_INCOMPLETE || r->scanner.at_end;
  if (!*enough) return VISE_OK;
  if (result != VISE_I_SCANNED) return vise_i_reader_fail(r, result);
  if (n_fields != r->table->n_columns) return vise_i_reader_fail_length(r, r->line, n_fields);

  status = note_line(r, r->line);
  r->n_stored++;
  r->line += 1 + n_line_ends;
  r->at = (size_t)(p - r->buffer);
  return status;
}

/* A blank line at the end is not worth a word: those are counted that rows follow. */
static vise_status read_rows(vise_i_reader *r) {
  size_t n_blank = r->n_blank;

  if (r->first_has_place) {
    vise_status status = vise_i_table_add_block(r->table, r->err);
    if (status == VISE_OK) status = note_line(r, r->first_line);
    if (status != VISE_OK) return status;
    r->n_stored = 1;
  }

  while (!(r->at == r->n && r->scanner.at_end)) {
    bool enough;
    const size_t n_stored = r->n_stored;
    vise_status status = read_line(r, &enough);
    if (status == VISE_OK && !enough) status = vise_i_reader_fill(r);
    if (status != VISE_OK) return status;
    if (r->n_stored > n_stored) n_blank = r->n_blank;
  }

  r->n_blank = n_blank;
  return VISE_OK;
}

static bool must_read_again(const vise_i_reader *r) {
  for (size_t c = 0; c < r->table->n_columns; c++) {
    if (r->columns[c].read_again) return true;
  }
  return false;
}

/* Back to the first row after line 1. */
static vise_status go_back(vise_i_reader *r) {
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_source_rewind(r->source, r->err));
  r->at = r->n = r->base = 0;

  do {
    r->at = r->n;
    VISE_TRY(vise_i_reader_fill(r));
  } while (r->base + r->n < r->data_at && !r->scanner.at_end);
  if (r->base + r->n < r->data_at) {
    VISE_TRY(vise_i_fail(r->err, VISE_ERR_IO, "%s: became shorter while it was read", r->source->name));
  }

  r->at = r->data_at - r->base;
  r->line = r->data_line;
  r->n_stored = 0;
  vise_i_table_clear(r->table);

done:
  return status;
}

/* All rows once more, with the columns that turned out to be text read as text from the start. */
static vise_status read_again(vise_i_reader *r) {
  const vise_status status = go_back(r);
  if (status != VISE_OK) return status;
  r->n_blank = r->n_comments = 0;
  for (size_t c = 0; c < r->table->n_columns; c++) {
    vise_i_reading *column = &r->columns[c];
    vise_i_dictionary_free(&r->table->columns[c].texts);
    if (column->read_again) column->mode = VISE_I_MODE_TEXT;
    column->read_again = column->seen = column->unquoted = false;
  }
  return read_rows(r);
}

static vise_status add_notes(vise_i_reader *r) {
  vise_i_list *notes = &r->table->notes;
  char buffer[8];
  vise_status status = VISE_OK;

  if (r->table->n_columns > 1) {
    VISE_TRY(vise_i_list_addf(notes, r->err, "delimiter %s", vise_i_delimiter_text(buffer, r->dialect.delimiter)));
  }
  if (r->n_marked > 0) {
    const size_t last = r->dialect.skip_lines + r->n_marked;
    VISE_TRY(vise_i_list_addf(notes, r->err, "%zu line%s before line %zu begin%s with # and %s taken for %s",
                              r->n_marked, r->n_marked == 1 ? "" : "s", last + 1, r->n_marked == 1 ? "s" : "",
                              r->n_marked == 1 ? "is" : "are", r->n_marked == 1 ? "a comment" : "comments"));
  }
  if (r->n_blank > 0) {
    VISE_TRY(vise_i_list_addf(notes, r->err, "%zu blank line%s skipped", r->n_blank, r->n_blank == 1 ? "" : "s"));
  }
  if (r->n_comments > 0) {
    VISE_TRY(vise_i_list_addf(notes, r->err, "%zu comment%s skipped", r->n_comments, r->n_comments == 1 ? "" : "s"));
  }

done:
  return status;
}

static vise_status read_table(vise_i_reader *r) {
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_reader_begin(r));
  VISE_TRY(vise_i_kinds_begin(r));
  VISE_TRY(vise_i_header_name(r));
  VISE_TRY(vise_i_wanted_kinds(r));

  VISE_TRY(read_rows(r));
  if (must_read_again(r)) VISE_TRY(read_again(r));

  VISE_TRY(vise_i_header_end(r));
  VISE_TRY(vise_i_kinds_end(r));
  VISE_TRY(add_notes(r));

done:
  return status;
}

vise_status vise_i_table_read_text(vise_i_source *source, const vise_table_options *options, vise_table **out,
                                   vise_error *err) {
  vise_error own = VISE_ERROR_INIT; /* where the caller wants no text, its code is needed all the same */
  vise_i_reader r = {.source = source, .options = options, .line = 1, .err = err != NULL ? err : &own};
  r.room = vise_i_room_of(source->name, options->max_bytes);
  vise_status status = vise_i_dialect_make(&r.dialect, options, r.err);
  if (status != VISE_OK) return status;

  r.scanner.dialect = &r.dialect;
  status = read_table(&r);
  if (status == VISE_OK) {
    *out = r.table;
    r.table = NULL;
  }
  vise_table_free(r.table);
  vise_i_dialect_free(&r.dialect);
  vise_i_row_free(&r.first);
  free(r.scanner.scratch);
  free(r.columns);
  free(r.buffer);
  return status;
}

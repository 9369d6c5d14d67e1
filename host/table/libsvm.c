/* libsvm and svmlight files: "LABEL INDEX:VALUE ...", indices ascending, what is not named being 0. They are kept as
   sparse rows while they are read, and become a table of dense rows if that fits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/base/room.h"
#include "host/table/read.h"
#include "host/table/table.h"

enum { FIRST_BYTES = 1 << 18, INDEX_MAX = 1 << 24 };

typedef struct entry {
  uint32_t index;
  double value;
} entry;

typedef struct rows {
  const char *name;
  size_t line;
  entry *entries;
  size_t n_entries, entries_capacity;
  size_t *ends; /* [n]; entries of row r end before ends[r] */
  double *labels;
  size_t *lines;
  size_t n, ends_capacity, labels_capacity, lines_capacity;
  size_t n_queries; /* qid: entries left out */
  uint32_t smallest, largest;
  vise_i_room room;
  vise_error *err;
} rows;

static vise_status fail_at(const rows *r, const char *text, const char *what) {
  char quote[VISE_I_QUOTE_BYTES];
  vise_i_quote(quote, text, strcspn(text, " \t\r\n#"));
  return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: \"%s\": %s", r->name, r->line, quote, what);
}

static const char *skip_blanks(const char *p) {
  while (*p == ' ' || *p == '\t' || *p == '\r') p++;
  return p;
}

static bool ends_token(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0' || c == '#';
}

/* INDEX:VALUE at *at. */
static vise_status take_entry(rows *r, const char **at, size_t begin) {
  const char *text = *at, *p = text;
  uint32_t index = 0;
  double v;
  if (strncmp(p, "qid:", 4) == 0) {
    p += strcspn(p, " \t\r\n#");
    r->n_queries++;
    *at = p;
    return VISE_OK;
  }
  for (; *p >= '0' && *p <= '9' && index <= INDEX_MAX; p++) index = index * 10 + (uint32_t)(*p - '0');
  if (index > INDEX_MAX) return fail_at(r, text, "an index over 16777216, more than is read");
  if (p == text || *p != ':') return fail_at(r, text, "expected INDEX:VALUE, as in 3:0.5");
  if (r->n_entries > begin && index <= r->entries[r->n_entries - 1].index) {
    return fail_at(r, text, "indices must ascend within a row");
  }
  const char *end = vise_i_number_read(p + 1, '.', &v);
  if (end == NULL || !ends_token(*end)) return fail_at(r, text, "the value is not a number");

  const vise_status status =
      vise_i_grow(&r->entries, &r->entries_capacity, r->n_entries + 1, sizeof *r->entries, r->name, r->err);
  if (status != VISE_OK) return status;
  r->entries[r->n_entries++] = (entry){index, v};
  if (index < r->smallest) r->smallest = index;
  if (index > r->largest) r->largest = index;
  *at = end;
  return VISE_OK;
}

static vise_status end_row(rows *r, double label) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_grow(&r->ends, &r->ends_capacity, r->n + 1, sizeof *r->ends, r->name, r->err));
  VISE_TRY(vise_i_grow(&r->labels, &r->labels_capacity, r->n + 1, sizeof *r->labels, r->name, r->err));
  VISE_TRY(vise_i_grow(&r->lines, &r->lines_capacity, r->n + 1, sizeof *r->lines, r->name, r->err));
  r->ends[r->n] = r->n_entries;
  r->labels[r->n] = label;
  r->lines[r->n++] = r->line;
done:
  return status;
}

/* One line, which ends with a line end or a zero. */
static vise_status take_line(rows *r, const char *p) {
  vise_status status = VISE_OK;
  double label;
  const size_t begin = r->n_entries;
  p = skip_blanks(p);
  if (*p == '#' || *p == '\n' || *p == '\0') return VISE_OK;

  const char *end = vise_i_number_read(p, '.', &label);
  if (end == NULL || !ends_token(*end)) return fail_at(r, p, "the label is not a number; one label a row is read");
  for (p = skip_blanks(end); *p != '\n' && *p != '\0' && *p != '#'; p = skip_blanks(p)) {
    status = take_entry(r, &p, begin);
    if (status != VISE_OK) return status;
  }
  return end_row(r, label);
}

/* The lines of text[0..n), which ends with one. */
static vise_status take_lines(rows *r, char *text, size_t n) {
  for (char *p = text; p < text + n;) {
    char *end = memchr(p, '\n', (size_t)(text + n - p));
    if (end == NULL) end = text + n;
    const vise_status status = take_line(r, p);
    if (status != VISE_OK) return status;
    r->line++;
    p = end + 1;
  }
  return VISE_OK;
}

/* Bytes of the rows as they are read. */
static double sparse_bytes(const rows *r) {
  return (double)r->entries_capacity * sizeof *r->entries + (double)r->ends_capacity * sizeof *r->ends +
         (double)r->labels_capacity * sizeof *r->labels + (double)r->lines_capacity * sizeof *r->lines;
}

/* Bytes of n dense rows, while the sparse ones are there too. */
static double dense_bytes(const rows *r, double n) {
  return n * (double)(r->largest + 1) * sizeof(double);
}

/* That the rows so far, and what the rest may come to, are not too many. */
static vise_status check_room(const rows *r, const vise_i_source *source) {
  const double done = vise_i_source_done(source), sparse = sparse_bytes(r);
  const vise_status status = vise_i_room_check_part(&r->room, sparse, done, r->err);
  if (status != VISE_OK || r->n_entries == 0) return status;
  return vise_i_room_check_part(&r->room, sparse + dense_bytes(r, (double)r->n), done, r->err);
}

static vise_status read_rows(rows *r, vise_i_source *source) {
  vise_status status = VISE_OK;
  char *buffer = NULL;
  size_t capacity = 0, n = 0, got = 0;
  for (bool at_end = false; !at_end;) {
    VISE_TRY(vise_i_grow(&buffer, &capacity, n + FIRST_BYTES, 1, r->name, r->err));
    const size_t wanted = capacity - n - 1;
    VISE_TRY(vise_i_source_read(source, buffer + n, wanted, &got, r->err));
    if (memchr(buffer + n, 0, got) != NULL) {
      VISE_TRY(vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: holds zero bytes, so it is no text", r->name));
    }
    n += got;
    buffer[n] = '\0';
    at_end = got < wanted;

    const char *last = at_end ? NULL : memrchr(buffer, '\n', n);
    const size_t whole = at_end ? n : (last != NULL ? (size_t)(last - buffer) + 1 : 0);
    VISE_TRY(take_lines(r, buffer, whole));
    memmove(buffer, buffer + whole, n - whole);
    n -= whole;
    if (!at_end) VISE_TRY(check_room(r, source));
  }
  if (r->n == 0) VISE_TRY(vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: holds no rows", r->name));
  if (r->n_entries == 0) VISE_TRY(vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: no row has a feature", r->name));
done:
  free(buffer);
  return status;
}

static vise_status check_size(const rows *r, size_t n_features) {
  char what[96];
  (void)snprintf(what, sizeof what, "%zu rows of %zu features as dense rows", r->n, n_features);
  return vise_i_room_check(&r->room, sparse_bytes(r) + dense_bytes(r, (double)r->n), VISE_I_NEEDS, what, r->err);
}

/* Names are the indices, so that files of different numbers of features match. */
static vise_status name_columns(vise_table *table, uint32_t first, vise_error *err) {
  vise_status status = VISE_OK;
  char text[16];
  for (size_t c = 0; c < table->n_columns; c++) {
    snprintf(text, sizeof text, "%zu", first + c);
    VISE_TRY(vise_i_copy_text(&table->columns[c].name, c + 1 == table->n_columns ? "label" : text, err));
    table->columns[c].named = true;
  }
  table->has_names = table->is_sparse = true;
done:
  return status;
}

static vise_status note_line(vise_table *table, size_t row, size_t line, vise_error *err) {
  vise_i_block *block = &table->blocks[row / table->block_rows];
  const size_t i = row % table->block_rows;
  if (i == 0) {
    block->first_line = line;
    const vise_status status = vise_i_alloc(&block->lines, table->block_rows, sizeof *block->lines, "lines", err);
    if (status != VISE_OK) return status;
  }
  block->lines[i] = (uint32_t)(line - block->first_line);
  return VISE_OK;
}

static vise_status make_table(const rows *r, vise_table **out) {
  vise_status status = VISE_OK;
  vise_table *table = NULL;
  const uint32_t first = r->smallest == 0 ? 0 : 1;
  const size_t n_features = r->largest - first + 1;
  VISE_TRY(check_size(r, n_features));
  VISE_TRY(vise_i_table_make(r->name, n_features + 1, &table, r->err));
  VISE_TRY(name_columns(table, first, r->err));

  size_t k = 0;
  for (size_t row = 0; row < r->n; row++) {
    const size_t i = row % table->block_rows;
    if (i == 0) VISE_TRY(vise_i_table_add_block(table, r->err));
    VISE_TRY(note_line(table, row, r->lines[row], r->err));
    const size_t b = table->n_blocks - 1;
    for (; k < r->ends[row]; k++) {
      ((double *)vise_i_table_values(table, b, r->entries[k].index - first))[i] = r->entries[k].value;
    }
    ((double *)vise_i_table_values(table, b, n_features))[i] = r->labels[row];
  }
  table->n_rows = r->n;
  VISE_TRY(vise_i_list_addf(&table->notes, r->err, "libsvm rows, %zu values, indices %u to %u", r->n_entries,
                            (unsigned)r->smallest, (unsigned)r->largest));
  if (r->n_queries > 0) VISE_TRY(vise_i_list_addf(&table->notes, r->err, "qid is left out"));
  *out = table;
  table = NULL;
done:
  vise_table_free(table);
  return status;
}

vise_status vise_i_table_read_libsvm(vise_i_source *source, const vise_table_options *options, vise_table **out,
                                     vise_error *err) {
  rows r = {.name = source->name, .line = 1, .smallest = UINT32_MAX, .err = err};
  r.room = vise_i_room_of(source->name, options->max_bytes);
  vise_status status = read_rows(&r, source);
  if (status == VISE_OK) status = make_table(&r, out);
  free(r.entries);
  free(r.ends);
  free(r.labels);
  free(r.lines);
  return status;
}

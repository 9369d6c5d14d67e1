#include "host/table/scan.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"

static bool is_blank(const vise_i_dialect *d, char c) {
  return c == ' ' || (c == '\t' && d->delimiter != '\t');
}

/* The text up to the closing quote, *at being after the opening one; two quotes are one. */
static vise_i_scan scan_quoted(vise_i_scanner *s, const char **at, vise_i_field *f) {
  const char *begin = *at, *p = begin;
  size_t n_quotes = 0;
  for (;; p++) {
    if (*p == '\0') return VISE_I_SCAN_INCOMPLETE;
    if (*p == '\n' || (*p == '\r' && p[1] != '\n')) f->n_line_ends++;
    if (*p != '"') continue;
    if (p[1] != '"') break;
    n_quotes++;
    p++;
  }
  *at = p + 1;
  f->text = begin;
  f->n = (size_t)(p - begin);
  if (n_quotes == 0) return VISE_I_SCANNED;

  if (vise_i_grow(&s->scratch, &s->scratch_capacity, f->n + 1, 1, "a field", NULL) != VISE_OK) {
    return VISE_I_SCAN_MEMORY;
  }
  size_t n = 0;
  for (const char *q = begin; q < p; q++) {
    s->scratch[n++] = *q;
    if (*q == '"') q++;
  }
  s->scratch[n] = '\0';
  f->text = s->scratch;
  f->n = n;
  return VISE_I_SCANNED;
}

vise_i_scan vise_i_scan_field(vise_i_scanner *scanner, const char **at, vise_i_field *field) {
  const vise_i_dialect *d = scanner->dialect;
  const char *p = *at;
  while (is_blank(d, *p)) p++;
  *field = (vise_i_field){.text = p};

  if (*p == '"') {
    p++;
    field->quoted = true;
    const vise_i_scan result = scan_quoted(scanner, &p, field);
    if (result != VISE_I_SCANNED) return result;
    while (is_blank(d, *p) && d->delimiter != ' ') p++;
    *at = p;
    return d->ends_field[(unsigned char)*p] ? VISE_I_SCANNED : VISE_I_SCAN_BAD_QUOTE;
  }

  while (!d->ends_field[(unsigned char)*p]) p++;
  *at = p;
  while (p > field->text && is_blank(d, p[-1])) p--;
  field->n = (size_t)(p - field->text);
  return VISE_I_SCANNED;
}

vise_i_scan vise_i_scan_line_end(const vise_i_scanner *scanner, const char **at) {
  const char *p = *at;
  if (scanner->dialect->delimiter == ' ') {
    while (*p == ' ') p++;
  }

  if (*p == '\0') {
    *at = p;
    return scanner->at_end ? VISE_I_SCANNED : VISE_I_SCAN_INCOMPLETE;
  }

  if (*p == '\r' && p[1] == '\0' && !scanner->at_end) return VISE_I_SCAN_INCOMPLETE;
  if (*p == '\r' && p[1] == '\n') p++;
  if (*p != '\n' && *p != '\r') return VISE_I_SCAN_NOTHING;

  *at = p + 1;
  return VISE_I_SCANNED;
}

vise_i_scan vise_i_scan_blank(const vise_i_scanner *scanner, const char **at, bool *is_comment) {
  const vise_i_dialect *d = scanner->dialect;
  const char *p = *at;
  while (is_blank(d, *p)) p++;
  *is_comment = d->comment != '\0' && *p == d->comment;
  if (*is_comment) {
    while (*p != '\0' && *p != '\n' && *p != '\r') p++;
  }
  if (*p != '\0' && *p != '\n' && *p != '\r') return VISE_I_SCANNED;
  if (*p == '\0' && !scanner->at_end) return VISE_I_SCAN_INCOMPLETE;

  const vise_i_scan result = vise_i_scan_line_end(scanner, &p);
  if (result != VISE_I_SCANNED) return result;
  *at = p;
  return VISE_I_SCAN_NOTHING;
}

static vise_i_scan add_field(vise_i_row *row, const vise_i_field *f) {
  const size_t n_bytes = row->n_bytes + f->n + 1;
  if (vise_i_grow(&row->bytes, &row->bytes_capacity, n_bytes, 1, "a row", NULL) != VISE_OK ||
      vise_i_grow(&row->fields, &row->fields_capacity, row->n + 1, sizeof *f, "a row", NULL) != VISE_OK) {
    return VISE_I_SCAN_MEMORY;
  }

  if (f->n > 0) memcpy(row->bytes + row->n_bytes, f->text, f->n);
  row->bytes[row->n_bytes + f->n] = '\0';
  row->n_bytes += f->n + 1;
  row->n_line_ends += f->n_line_ends;
  row->fields[row->n++] = *f;
  return VISE_I_SCANNED;
}

vise_i_scan vise_i_scan_row(vise_i_scanner *scanner, const char **at, vise_i_row *row) {
  const char *p = *at;
  row->n = row->n_bytes = row->n_line_ends = 0;
  for (;; p++) {
    vise_i_field f;
    vise_i_scan result = vise_i_scan_field(scanner, &p, &f);
    if (result == VISE_I_SCANNED) result = add_field(row, &f);
    if (result != VISE_I_SCANNED) return result;

    result = vise_i_scan_line_end(scanner, &p);
    if (result == VISE_I_SCAN_INCOMPLETE) return result;
    if (result == VISE_I_SCANNED) break;
    /* Else at the delimiter; spaces after it are skipped as blanks, so that a run of them is one. */
  }
  *at = p;

  size_t used = 0;
  for (size_t k = 0; k < row->n; used += row->fields[k].n + 1, k++) row->fields[k].text = row->bytes + used;
  return VISE_I_SCANNED;
}

void vise_i_row_free(vise_i_row *row) {
  free(row->bytes);
  free(row->fields);
  *row = (vise_i_row){0};
}

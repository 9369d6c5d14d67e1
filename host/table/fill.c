/* The text that a reader looks at, and what it says of rows that it cannot read. */
#include <string.h>

#include "host/base/memory.h"
#include "host/table/reader.h"

enum { FIRST_BYTES = 1 << 18, ROW_BYTES_MAX = 1 << 28 };

/* That what was read so far, and what its rest may come to, is not too much. */
static vise_status check_room(const vise_i_reader *r) {
  double n_bytes = (double)r->capacity;
  if (r->table != NULL) n_bytes += (double)vise_i_table_n_bytes(r->table);
  return vise_i_room_check_part(&r->room, n_bytes, vise_i_source_done(r->source), r->err);
}

vise_status vise_i_reader_fill(vise_i_reader *r) {
  vise_status status = check_room(r);
  size_t got = 0;
  if (status != VISE_OK) return status;

  const size_t rest = r->n - r->at;
  if (r->buffer != NULL && rest > 0 && r->at > 0) memmove(r->buffer, r->buffer + r->at, rest);
  r->base += r->at;
  r->at = 0;
  r->n = rest;
  if (rest > ROW_BYTES_MAX) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: a row of over %d bytes; a quote is probably not closed",
                       r->source->name, r->line, ROW_BYTES_MAX);
  }

  if (rest * 2 >= r->capacity) {
    status = vise_i_grow(&r->buffer, &r->capacity, rest * 2 > FIRST_BYTES ? rest * 2 : FIRST_BYTES, 1, r->source->name,
                         r->err);
    if (status != VISE_OK) return status;
  }
  status = vise_i_source_read(r->source, r->buffer + rest, r->capacity - rest - 1, &got, r->err);
  if (status != VISE_OK) return status;
  if (memchr(r->buffer + rest, 0, got) != NULL) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s: holds zero bytes (after line %zu), so it is no text",
                       r->source->name, r->line);
  }
  r->scanner.at_end = got < r->capacity - rest - 1;
  r->n += got;
  r->buffer[r->n] = '\0';
  return VISE_OK;
}

vise_status vise_i_reader_fail(const vise_i_reader *r, vise_i_scan scan) {
  if (scan == VISE_I_SCAN_MEMORY) return vise_i_fail_memory(r->err, 0, "a field");
  if (scan == VISE_I_SCAN_BAD_QUOTE) {
    return vise_i_fail(r->err, VISE_ERR_FORMAT,
                       "%s:%zu: text after a closing quote; write a quote within a quoted field twice", r->source->name,
                       r->line);
  }
  return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: a quote in this row is not closed", r->source->name, r->line);
}

vise_status vise_i_reader_fail_length(const vise_i_reader *r, size_t line, size_t n_fields) {
  const size_t n = r->table->n_columns;
  return vise_i_fail(r->err, VISE_ERR_FORMAT, "%s:%zu: %zu field%s, expected %zu (as in line %zu)%s", r->source->name,
                     line, n_fields, n_fields == 1 ? "" : "s", n, r->first_line,
                     n == 1 ? "; `delimiter` tells what separates them" : "");
}

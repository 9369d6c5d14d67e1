#include "host/base/error.h"
#include "host/json/read.h"

/* Line and column of a byte, from 1; a column is a character. */
static void find_place(const char *text, size_t byte, size_t *line, size_t *column) {
  *line = *column = 1;
  for (size_t i = 0; i < byte; i++) {
    if (text[i] == '\n') {
      (*line)++;
      *column = 1;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      (*column)++;
    }
  }
}

vise_status vise_i_json_read(const char *name, const char *text, size_t n, vise_i_json_places places, json_t **out,
                             vise_error *err) {
  vise_i_json_fault fault;
  const vise_status status = vise_i_json_parse(text, n, out, &fault);
  if (status == VISE_OK) return VISE_OK;
  if (status == VISE_ERR_MEMORY) return vise_i_fail_memory(err, 0, name);

  if (places == VISE_I_JSON_LINES) {
    size_t line, column;
    find_place(text, fault.byte, &line, &column);
    return vise_i_fail(err, status, "%s:%zu:%zu: %s", name, line, column, fault.what);
  }
  return vise_i_fail(err, status, "%s: is not JSON: byte %zu: %s", name, fault.byte, fault.what);
}

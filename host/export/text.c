#include "host/export/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAST_ROOM = 1 << 14 };

void vise_i_text_free(vise_i_text *text) {
  free(text->bytes);
  *text = (vise_i_text){0};
}

/* Room for n more bytes and a zero. */
static bool grow(vise_i_text *text, size_t n) {
  size_t room = text->room > 0 ? text->room : LEAST_ROOM;
  while (room - text->n <= n && room <= SIZE_MAX / 2) room *= 2;
  if (room == text->room) return true;
  char *bytes = room - text->n > n ? realloc(text->bytes, room) : NULL;
  if (bytes == NULL) return false;
  text->bytes = bytes;
  text->room = room;
  return true;
}

void vise_i_text_put(vise_i_text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int n = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);

  text->failed = text->failed || n < 0 || !grow(text, (size_t)n);
  if (!text->failed) text->n += (size_t)vsnprintf(text->bytes + text->n, (size_t)n + 1, format, again);
  va_end(again);
}

#include "host/cli/text_stream.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"

enum { FIRST_ROOM = 4096 };

static bool has_room(vise_i_cli_text_stream *text, size_t n) {
  size_t room = text->room > 0 ? text->room : FIRST_ROOM;
  while (room - text->n <= n) room *= 2; /* and a zero */
  if (room == text->room) return true;
  char *bytes = realloc(text->bytes, room);
  if (bytes == NULL) return false;
  text->bytes = bytes;
  text->room = room;
  return true;
}

/* What is less than n makes the stream one with an error. */
static ssize_t take(void *user, const char *bytes, size_t n) {
  vise_i_cli_text_stream *text = user;
  if (!has_room(text, n)) return 0;
  memcpy(text->bytes + text->n, bytes, n);
  text->n += n;
  return (ssize_t)n;
}

static vise_status fail(const char *what, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %s", what);
}

vise_status vise_i_cli_text_begin(vise_i_cli_text_stream *text, const char *what, vise_error *err) {
  *text = (vise_i_cli_text_stream){.stream = NULL};
  const bool begun = has_room(text, 0);
  if (begun) text->stream = fopencookie(text, "w", (cookie_io_functions_t){.write = take});
  if (text->stream != NULL) return VISE_OK;
  free(text->bytes);
  return fail(what, err);
}

void vise_i_cli_text_lacks(FILE *stream) {
  (void)fgetc(stream); /* an error of a stream that is written to, as POSIX has it */
}

vise_status vise_i_cli_text_end(vise_i_cli_text_stream *text, const char *what, char **out, size_t *n,
                                vise_error *err) {
  const bool flushed = fflush(text->stream) == 0, failed = ferror(text->stream) != 0;
  if (fclose(text->stream) != 0 || !flushed || failed) {
    free(text->bytes);
    return fail(what, err);
  }

  text->bytes[text->n] = '\0';
  *out = text->bytes;
  if (n != NULL) *n = text->n;
  return VISE_OK;
}

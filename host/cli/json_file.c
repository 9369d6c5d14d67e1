#include "host/cli/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/json/read.h"

enum { FIRST_ROOM = 1 << 16, MOST_BYTES = 16 << 20 };

/* Room for more bytes than *room, at most `most` and the zero. */
static bool grow(char **text, size_t *room, size_t most) {
  const size_t wanted = *room == 0 ? FIRST_ROOM : 2 * *room;
  const size_t bigger = wanted < most + 1 ? wanted : most + 1;
  char *memory = realloc(*text, bigger + 1);
  if (memory == NULL) return false;
  *text = memory;
  *room = bigger;
  return true;
}

static vise_status read_all(int fd, const char *name, size_t most, char **out, size_t *out_n, vise_error *err) {
  char *text = NULL;
  size_t n = 0, room = 0;
  vise_status status = VISE_OK;

  while (status == VISE_OK) {
    if (n == room && !grow(&text, &room, most)) {
      status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %s", name);
      break;
    }

    const ssize_t got = read(fd, text + n, room - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
    if (got <= 0) break;
    n += (size_t)got;
    if (n > most) status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: has more than the %zu bytes allowed", name, most);
  }

  if (status != VISE_OK) {
    free(text);
    return status;
  }
  text[n] = '\0';
  *out = text;
  *out_n = n;
  return VISE_OK;
}

vise_status vise_i_cli_read_file(const char *path, size_t most, char **out, size_t *n, vise_error *err) {
  FILE *stream = vise_i_cli_open(path);
  if (stream == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be opened: %s", path, vise_i_cli_open_error());
  }
  const vise_status status = read_all(fileno(stream), path, most, out, n, err);
  (void)fclose(stream);
  return status;
}

/* Frees text. */
static vise_status parse(const char *name, char *text, size_t n, json_t **out, vise_error *err) {
  const vise_status status = vise_i_json_read(name, text, n, VISE_I_JSON_LINES, out, err);
  free(text);
  return status;
}

vise_status vise_i_cli_json_read(const char *path, json_t **out, vise_error *err) {
  char *text = NULL;
  size_t n = 0;
  const vise_status status = vise_i_cli_read_file(path, MOST_BYTES, &text, &n, err);
  return status == VISE_OK ? parse(path, text, n, out, err) : status;
}

vise_status vise_i_cli_json_read_given(const char *path, json_t **out, vise_error *err) {
  const bool is_input = strcmp(path, "-") == 0;
  const char *name = is_input ? "standard input" : path;
  char *text = NULL;
  size_t n = 0;
  const int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));

  const vise_status status = read_all(fd, name, MOST_BYTES, &text, &n, err);
  if (!is_input) (void)close(fd);
  return status == VISE_OK ? parse(name, text, n, out, err) : status;
}

/* As getline, which is begun again where a signal interrupts it. */
static ssize_t read_line(vise_i_cli_lines *lines) {
  for (;;) {
    const off_t at = ftello(lines->stream);
    errno = 0;
    const ssize_t n = getline(&lines->text, &lines->room, lines->stream);
    if (!ferror(lines->stream) || errno != EINTR || at < 0 || fseeko(lines->stream, at, SEEK_SET) != 0) return n;
    clearerr(lines->stream);
  }
}

vise_status vise_i_cli_lines_next(vise_i_cli_lines *lines, vise_error *err) {
  const ssize_t n = read_line(lines);
  if ((n < 0 && !feof(lines->stream)) || ferror(lines->stream)) { /* an error may come after a part of a line */
    const int number = errno;
    return vise_i_cli_fail(err, number == ENOMEM ? VISE_ERR_MEMORY : VISE_ERR_IO, "%s: cannot be read: %s", lines->path,
                           strerror(number));
  }

  const bool is_whole = n > 0 && lines->text[n - 1] == '\n';
  lines->n = is_whole ? (size_t)n : 0;
  lines->number += is_whole;
  return VISE_OK;
}

vise_status vise_i_cli_lines_json(const vise_i_cli_lines *lines, json_t **out, vise_error *err) {
  vise_i_json_fault fault;
  const vise_status status = vise_i_json_parse(lines->text, lines->n, out, &fault);
  if (status == VISE_OK) return VISE_OK;
  if (status == VISE_ERR_MEMORY) return vise_i_cli_fail(err, status, "out of memory for %s", lines->path);
  return vise_i_cli_fail(err, status, "%s:%zu: this line is damaged: byte %zu: %s", lines->path, lines->number,
                         fault.byte, fault.what);
}

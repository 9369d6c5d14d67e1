#include "host/cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/characters.h"
#include "host/cli/files.h"

/* ---- characters --------------------------------------------------------------------------------------------------------- */

static size_t put_begun(vise_i_cli_plain *plain, char *out) {
  size_t n = 1;
  if (plain->n == plain->n_wanted && !vise_i_cli_character_is_control(plain->begun, plain->n)) {
    n = plain->n;
    memcpy(out, plain->begun, n);
  } else {
    *out = '?';
  }
  plain->n = 0;
  return n;
}

size_t vise_i_cli_plain_text(vise_i_cli_plain *plain, const char *text, size_t n, char *out) {
  size_t n_out = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)text[i];
    const bool goes_on = plain->n == 1 ? vise_i_cli_character_fits(plain->begun[0], c) : (c & 0xc0) == 0x80;
    if (plain->n > 0 && !goes_on) n_out += put_begun(plain, out + n_out); /* a character that was cut */

    if (plain->n == 0) {
      plain->n_wanted = vise_i_cli_character_length(c);
      if (plain->n_wanted == 0) {
        out[n_out++] = '?';
        continue;
      }
    }
    plain->begun[plain->n++] = c;
    if (plain->n == plain->n_wanted) n_out += put_begun(plain, out + n_out);
  }
  return n_out;
}

/* ---- streams ------------------------------------------------------------------------------------------------------------ */

typedef struct plain_stream {
  int fd;
  int reason; /* errno of a write that failed, or 0 */
  vise_i_cli_plain plain;
} plain_stream;

static plain_stream output = {.fd = STDOUT_FILENO}, error = {.fd = STDERR_FILENO};
static FILE *first_output, *first_error;

static ssize_t write_plain(void *cookie, const char *text, size_t n) {
  plain_stream *stream = cookie;
  char out[1024 + 8];
  for (size_t done = 0; done < n;) {
    const size_t now = n - done < 1024 ? n - done : 1024;
    const size_t n_out = vise_i_cli_plain_text(&stream->plain, text + done, now, out);
    if (!vise_i_cli_write_all(stream->fd, out, n_out)) {
      stream->reason = errno;
      return 0;
    }
    done += now;
  }
  return (ssize_t)n;
}

static FILE *open_plain(plain_stream *stream) {
  const cookie_io_functions_t calls = {.write = write_plain};
  return fopencookie(stream, "w", calls);
}

void vise_i_cli_terminal_begin(void) {
  first_output = stdout;
  first_error = stderr;
  FILE *plain_output = open_plain(&output), *plain_error = open_plain(&error);
  if (plain_output == NULL || plain_error == NULL) return; /* out of memory at the first step: what follows says so */

  if (isatty(STDOUT_FILENO)) (void)setvbuf(plain_output, NULL, _IOLBF, BUFSIZ);
  (void)setvbuf(plain_error, NULL, _IONBF, 0);
  stdout = plain_output;
  stderr = plain_error;
}

FILE *vise_i_cli_data_output(void) {
  return first_output == NULL || isatty(STDOUT_FILENO) ? stdout : first_output;
}

FILE *vise_i_cli_bar_output(int file) {
  if (file == STDOUT_FILENO) return first_output == NULL ? stdout : first_output;
  return first_error == NULL ? stderr : first_error;
}

bool vise_i_cli_output_is_written(void) {
  bool is_written = ferror(stdout) == 0 && fflush(stdout) == 0;
  if (first_output != NULL && first_output != stdout) {
    is_written = is_written && ferror(first_output) == 0 && fflush(first_output) == 0;
  }
  if (!is_written && output.reason != 0) errno = output.reason;
  return is_written;
}

static unsigned code_of(const unsigned char *c, size_t n) {
  unsigned code = n == 1 ? c[0] : c[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) code = code << 6 | (c[i] & 0x3fu);
  return code;
}

void vise_i_cli_put_json(FILE *stream, const char *json) {
  for (const unsigned char *c = (const unsigned char *)json; *c != '\0';) {
    size_t n = vise_i_cli_character_length(*c);
    if (n == 0 || strnlen((const char *)c, n) < n) n = 1;
    if (vise_i_cli_character_is_control(c, n)) {
      (void)fprintf(stream, "\\u%04x", code_of(c, n)); /* none of them is beyond 0xffff */
    } else {
      (void)fwrite(c, 1, n, stream);
    }
    c += n;
  }
}

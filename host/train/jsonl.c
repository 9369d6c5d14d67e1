#include "host/train/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"

enum { ROOM = 1 << 16 };

static bool cut(int fd, uint64_t n_bytes) {
  int failed;
  do failed = ftruncate(fd, (off_t)n_bytes);
  while (failed != 0 && errno == EINTR);
  return failed == 0;
}

vise_status vise_i_jsonl_open(vise_i_jsonl *file, const char *path, uint64_t keep_bytes, bool *was_short,
                              vise_error *err) {
  vise_status status;
  vise_i_jsonl made = VISE_I_JSONL_INIT;
  struct stat info;

  VISE_TRY(vise_i_copy_text(&made.path, path, err));
  VISE_TRY(vise_i_alloc(&made.waiting, ROOM, 1, "lines of metrics", err));

  /* O_NONBLOCK: opening a FIFO must not wait for a reader; it is refused below. */
  made.fd = vise_i_open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (made.fd < 0 && errno == ENXIO) VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: is not a regular file", path));
  if (made.fd < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path));
  if (fstat(made.fd, &info) != 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path));
  if (!S_ISREG(info.st_mode)) VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: is not a regular file", path));

  const bool is_short = (uint64_t)info.st_size < keep_bytes;
  made.n_bytes = is_short ? (uint64_t)info.st_size : keep_bytes;
  if (!cut(made.fd, made.n_bytes)) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be cut to %llu bytes", path,
                               (unsigned long long)made.n_bytes));
  }

  if (was_short != NULL) *was_short = is_short;
  *file = made;
  return VISE_OK;

done:
  vise_i_jsonl_close(&made);
  return status;
}

/* Length of the whole lines within the first n bytes of text. */
static size_t whole_lines(const char *text, size_t n) {
  while (n > 0 && text[n - 1] != '\n') n--;
  return n;
}

static vise_status write_lines(vise_i_jsonl *file, const char *lines, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  size_t written = 0;

  while (status == VISE_OK && written < n) {
    const ssize_t now = pwrite(file->fd, lines + written, n - written, (off_t)(file->n_bytes + written));
    if (now > 0) written += (size_t)now;
    if (now > 0 || (now < 0 && errno == EINTR)) continue;

    status = vise_i_fail_errno(err, VISE_ERR_IO, now < 0 ? errno : ENOSPC, "%s: cannot be written", file->path);
    written = whole_lines(lines, written);
    /* Best effort: what remains of a half line is cut off again when the run goes on. */
    (void)cut(file->fd, file->n_bytes + written);
    break;
  }

  file->n_bytes += written;
  file->written = vise_i_now();
  return status;
}

vise_status vise_i_jsonl_flush(vise_i_jsonl *file, vise_error *err) {
  const vise_status status = write_lines(file, file->waiting, file->n_waiting, err);
  file->n_waiting = 0;
  return status;
}

vise_status vise_i_jsonl_flush_old(vise_i_jsonl *file, vise_error *err) {
  if (file->n_waiting == 0 || vise_i_now() - file->written < VISE_I_JSONL_SECONDS) return VISE_OK;
  return vise_i_jsonl_flush(file, err);
}

static void add_bytes(vise_i_jsonl *file, const char *text, size_t n) {
  if (file->is_cut) return;
  if (file->n_line + n > file->line_bytes) {
    const size_t room = 2 * (file->n_line + n) + 512;
    char *line = realloc(file->line, room);
    file->is_cut = line == NULL;
    if (file->is_cut) return;
    file->line = line;
    file->line_bytes = room;
  }

  memcpy(file->line + file->n_line, text, n);
  file->n_line += n;
}

static void add(vise_i_jsonl *file, const char *text) {
  add_bytes(file, text, strlen(text));
}

/* Objects and arrays begin without a comma. */
static void add_comma(vise_i_jsonl *file) {
  const char last = file->n_line > 0 ? file->line[file->n_line - 1] : '{';
  if (last != '{' && last != '[') add(file, ",");
}

static void add_key(vise_i_jsonl *file, const char *key) {
  add_comma(file);
  add(file, "\"");
  add(file, key);
  add(file, "\":");
}

void vise_i_jsonl_text(vise_i_jsonl *file, const char *key, const char *value) {
  add_key(file, key);
  add(file, "\"");
  add(file, value);
  add(file, "\"");
}

void vise_i_jsonl_begin(vise_i_jsonl *file, const char *event) {
  file->n_line = 0;
  file->is_cut = false;
  add(file, "{");
  vise_i_jsonl_text(file, "event", event);
}

void vise_i_jsonl_count(vise_i_jsonl *file, const char *key, uint64_t value) {
  char text[24], *at = text + sizeof(text) - 1;
  *at = '\0';
  do {
    *--at = (char)('0' + value % 10);
    value /= 10;
  } while (value > 0);

  add_key(file, key);
  add(file, at);
}

void vise_i_jsonl_flag(vise_i_jsonl *file, const char *key, bool value) {
  add_key(file, key);
  add(file, value ? "true" : "false");
}

void vise_i_jsonl_list_begin(vise_i_jsonl *file, const char *key) {
  add_key(file, key);
  add(file, "[");
}

void vise_i_jsonl_list_end(vise_i_jsonl *file) {
  add(file, "]");
}

void vise_i_jsonl_object_begin(vise_i_jsonl *file) {
  add_comma(file);
  add(file, "{");
}

void vise_i_jsonl_object_end(vise_i_jsonl *file) {
  add(file, "}");
}

void vise_i_jsonl_members(vise_i_jsonl *file, const char *object) {
  add(file, ",");
  add_bytes(file, object + 1, strlen(object) - 2);
}

/* A finite number with a point or an exponent, which has neither a plus nor leading zeros. */
static void format_real(double value, char *text, size_t n_bytes) {
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c_locale);
  const int n = snprintf(text, n_bytes, "%.17g", value);
  (void)uselocale(before);
  freelocale(c_locale);

  char *exponent = strchr(text, 'e');
  if (exponent == NULL) {
    if (strchr(text, '.') == NULL) memcpy(text + n, ".0", 3);
    return;
  }

  char *to = exponent[1] == '-' ? exponent + 2 : exponent + 1;
  const char *from = exponent + 2;
  while (*from == '0') from++;
  memmove(to, from, strlen(from) + 1);
}

void vise_i_jsonl_number(vise_i_jsonl *file, const char *key, double value) {
  char text[40] = "null";
  if (isfinite(value)) format_real(value, text, sizeof(text));
  add_key(file, key);
  add(file, text);
}

vise_status vise_i_jsonl_end(vise_i_jsonl *file, vise_error *err) {
  vise_status status = VISE_OK;
  add(file, "}\n");
  const size_t n = file->n_line;

  if (file->is_cut) VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY, "out of memory for a line of %s", file->path));
  if (file->n_waiting + n > ROOM) VISE_TRY(vise_i_jsonl_flush(file, err));
  if (n > ROOM) return write_lines(file, file->line, n, err);
  memcpy(file->waiting + file->n_waiting, file->line, n);
  file->n_waiting += n;
  VISE_TRY(vise_i_jsonl_flush_old(file, err));

done:
  return status;
}

vise_status vise_i_jsonl_sync(vise_i_jsonl *file, vise_error *err) {
  const vise_status status = vise_i_jsonl_flush(file, err);
  if (status != VISE_OK) return status;

  /* The system tells once of what it could not write: later calls succeed although the lines are not there. */
  if (file->sync_error == 0 && !vise_i_sync(file->fd)) file->sync_error = errno;
  if (file->sync_error == 0) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, file->sync_error, "%s: its lines may not last: it cannot be synced",
                           file->path);
}

void vise_i_jsonl_close(vise_i_jsonl *file) {
  if (file->fd >= 0) close(file->fd);
  free(file->path);
  free(file->waiting);
  free(file->line);
  *file = (vise_i_jsonl)VISE_I_JSONL_INIT;
}

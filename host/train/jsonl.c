#include "host/train/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/json_text.h"
#include "host/base/memory.h"

enum { FIRST_ROOM = 1 << 16 };

vise_status vise_i_jsonl_open(vise_i_jsonl *file, const char *path, uint64_t keep_bytes, bool *was_short,
                              vise_error *err) {
  vise_status status;
  vise_i_jsonl made = VISE_I_JSONL_INIT;
  struct stat info;

  VISE_TRY(vise_i_copy_text(&made.path, path, err));
  VISE_TRY(vise_i_alloc(&made.waiting, FIRST_ROOM, 1, "lines of metrics", err));
  made.n_room = FIRST_ROOM;

  /* O_NONBLOCK: opening a FIFO must not wait for a reader; it is refused below. */
  made.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (made.fd < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path));
  if (fstat(made.fd, &info) != 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path));
  if (!S_ISREG(info.st_mode)) VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: is not a regular file", path));

  const bool is_short = (uint64_t)info.st_size < keep_bytes;
  made.n_bytes = is_short ? (uint64_t)info.st_size : keep_bytes;
  if (ftruncate(made.fd, (off_t)made.n_bytes) != 0) {
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

vise_status vise_i_jsonl_flush(vise_i_jsonl *file, vise_error *err) {
  vise_status status = VISE_OK;
  size_t written = 0;

  while (status == VISE_OK && written < file->n_waiting) {
    const ssize_t now =
        pwrite(file->fd, file->waiting + written, file->n_waiting - written, (off_t)(file->n_bytes + written));
    if (now > 0) written += (size_t)now;
    if (now > 0 || (now < 0 && errno == EINTR)) continue;

    status = vise_i_fail_errno(err, VISE_ERR_IO, now < 0 ? errno : ENOSPC, "%s: cannot be written", file->path);
    written = whole_lines(file->waiting, written);
    /* Best effort: what remains of a half line is cut off again when the run goes on. */
    if (ftruncate(file->fd, (off_t)(file->n_bytes + written)) != 0) status = VISE_ERR_IO;
    break;
  }

  file->n_bytes += written;
  file->n_waiting = 0;
  file->written = vise_i_now();
  return status;
}

vise_status vise_i_jsonl_flush_old(vise_i_jsonl *file, vise_error *err) {
  if (file->n_waiting == 0 || vise_i_now() - file->written < VISE_I_JSONL_SECONDS) return VISE_OK;
  return vise_i_jsonl_flush(file, err);
}

static vise_status make_room(vise_i_jsonl *file, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  if (file->n_waiting + n_bytes <= file->n_room) return VISE_OK;

  VISE_TRY(vise_i_jsonl_flush(file, err));
  if (n_bytes <= file->n_room) return VISE_OK;

  char *longer = realloc(file->waiting, n_bytes);
  if (longer == NULL) VISE_TRY(vise_i_fail_memory(err, n_bytes, "a line of metrics"));
  file->waiting = longer;
  file->n_room = n_bytes;

done:
  return status;
}

vise_status vise_i_jsonl_append(vise_i_jsonl *file, json_t *object, vise_error *err) {
  vise_status status;
  char *line = NULL;
  size_t n = 0;

  VISE_TRY(vise_i_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(17), "a line of metrics", &line, &n, err));
  line[n++] = '\n'; /* in the place of the zero */

  VISE_TRY(make_room(file, n, err));
  memcpy(file->waiting + file->n_waiting, line, n);
  file->n_waiting += n;
  VISE_TRY(vise_i_jsonl_flush_old(file, err));

done:
  json_decref(object);
  free(line);
  return status;
}

vise_status vise_i_jsonl_sync(vise_i_jsonl *file, vise_error *err) {
  const vise_status status = vise_i_jsonl_flush(file, err);
  if (status != VISE_OK) return status;
  if (fsync(file->fd) == 0 || errno == EINVAL || errno == EROFS) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be synced", file->path);
}

void vise_i_jsonl_close(vise_i_jsonl *file) {
  if (file->fd >= 0) close(file->fd);
  free(file->path);
  free(file->waiting);
  *file = (vise_i_jsonl)VISE_I_JSONL_INIT;
}

json_t *vise_i_jsonl_number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

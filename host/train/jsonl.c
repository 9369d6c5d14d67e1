#include "host/train/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/json_text.h"
#include "host/base/memory.h"

vise_status vise_i_jsonl_open(vise_i_jsonl *file, const char *path, uint64_t keep_bytes, bool *was_short,
                              vise_error *err) {
  vise_status status;
  vise_i_jsonl made = VISE_I_JSONL_INIT;
  struct stat info;

  VISE_TRY(vise_i_copy_text(&made.path, path, err));
  made.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (made.fd < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path));
  if (fstat(made.fd, &info) != 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path));

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

vise_status vise_i_jsonl_append(vise_i_jsonl *file, json_t *object, vise_error *err) {
  vise_status status = VISE_OK;
  char *line = NULL;
  size_t n = 0, written = 0;

  VISE_TRY(vise_i_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(17), "a line of metrics", &line, &n, err));
  line[n++] = '\n'; /* in the place of the zero */

  while (written < n) {
    const ssize_t now = pwrite(file->fd, line + written, n - written, (off_t)(file->n_bytes + written));
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) {
      status = vise_i_fail_errno(err, VISE_ERR_IO, now < 0 ? errno : ENOSPC, "%s: cannot be written", file->path);
      /* Best effort: what remains of a half line is cut off again when the run goes on. */
      const int cut = ftruncate(file->fd, (off_t)file->n_bytes);
      (void)cut;
      break;
    }
    written += (size_t)now;
  }
  if (status == VISE_OK) file->n_bytes += n;

done:
  json_decref(object);
  free(line);
  return status;
}

vise_status vise_i_jsonl_sync(vise_i_jsonl *file, vise_error *err) {
  if (fsync(file->fd) == 0 || errno == EINVAL || errno == EROFS) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be synced", file->path);
}

void vise_i_jsonl_close(vise_i_jsonl *file) {
  if (file->fd >= 0) close(file->fd);
  free(file->path);
  *file = (vise_i_jsonl)VISE_I_JSONL_INIT;
}

json_t *vise_i_jsonl_number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

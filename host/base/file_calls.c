/* Single calls of the system, which go on when a signal interrupts them, and paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"

/* ---- paths ------------------------------------------------------------------------------------------------------ */

vise_status vise_i_path_join(char **out, const char *a, const char *b, vise_error *err) {
  size_t n = strlen(a) + strlen(b) + 2;
  char *path = NULL;
  vise_status status = vise_i_alloc(&path, n, 1, "a path", err);
  if (status != VISE_OK) return status;
  snprintf(path, n, "%s/%s", a, b);
  *out = path;
  return VISE_OK;
}

vise_status vise_i_parent_path(const char *path, char **out, vise_error *err) {
  const char *slash = strrchr(path, '/');
  if (!slash) return vise_i_copy_text(out, ".", err);
  const size_t n = slash == path ? 1 : (size_t)(slash - path);
  char *parent = NULL;
  const vise_status status = vise_i_alloc(&parent, n + 1, 1, "a path", err);
  if (status != VISE_OK) return status;

  memcpy(parent, path, n);
  parent[n] = '\0';
  *out = parent;
  return VISE_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

int vise_i_open(const char *path, int flags, mode_t mode) {
  int fd;
  do fd = open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

bool vise_i_sync(int fd) {
  int failed;
  do failed = fsync(fd);
  while (failed != 0 && errno == EINTR);
  return failed == 0 || errno == EINVAL || errno == EROFS;
}

vise_status vise_i_sync_dir(const char *path, vise_error *err) {
  int fd = vise_i_open(path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0 && errno == EACCES) return VISE_OK; /* one that may be written but not read cannot be synced */
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);
  const bool synced = vise_i_sync(fd);
  const int reason = errno;
  close(fd);
  return synced ? VISE_OK : vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be synced", path);
}

vise_status vise_i_exists(const char *path, bool *out, vise_error *err) {
  struct stat info;
  *out = lstat(path, &info) == 0;
  if (*out || errno == ENOENT || errno == ENOTDIR) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

DIR *vise_i_open_dir(const char *path) {
  DIR *dir;
  do dir = opendir(path);
  while (dir == NULL && errno == EINTR);
  return dir;
}

struct dirent *vise_i_next_entry(DIR *dir, const char *path, vise_status *status, vise_error *err) {
  while (*status == VISE_OK) {
    errno = 0;
    struct dirent *entry = readdir(dir);
    if (!entry && errno == EINTR) continue;
    if (!entry && errno != 0) *status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", path);
    if (!entry) break;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry;
  }
  return NULL;
}

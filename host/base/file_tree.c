/* Folders: making, removing, joining paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"

/* Trees that Vise makes are three levels deep; a deeper one is not ours to remove. */
enum { MAX_DEPTH = 16 };

vise_status vise_i_path_join(char **out, const char *a, const char *b, vise_error *err) {
  size_t n = strlen(a) + strlen(b) + 2;
  char *path = NULL;
  vise_status status = vise_i_alloc(&path, n, 1, "a path", err);
  if (status != VISE_OK) return status;
  snprintf(path, n, "%s/%s", a, b);
  *out = path;
  return VISE_OK;
}

vise_status vise_i_make_dir(const char *path, vise_error *err) {
  if (mkdir(path, 0777) == 0) return VISE_OK;
  int reason = errno;
  struct stat info;
  if (reason == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: the folder cannot be made", path);
}

/* Whether a folder's name ends at text[i]. */
static bool name_ends(const char *text, size_t i) {
  return i > 0 && text[i - 1] != '/' && (text[i] == '/' || text[i] == '\0');
}

vise_status vise_i_make_dirs(const char *path, size_t *n_old, vise_error *err) {
  char *part = NULL;
  size_t n = strlen(path), old = 0;
  vise_status status = vise_i_copy_text(&part, path, err);

  for (size_t i = 1; status == VISE_OK && i <= n; ++i) {
    if (!name_ends(path, i)) continue;
    part[i] = '\0';
    if (mkdir(part, 0777) != 0) {
      status = vise_i_make_dir(part, err);
      if (status == VISE_OK) old = i;
    }
    part[i] = path[i];
  }

  if (status == VISE_OK) {
    *n_old = old;
  } else {
    vise_i_remove_empty_dirs(path, old);
  }
  free(part);
  return status;
}

void vise_i_remove_empty_dirs(const char *path, size_t n_old) {
  char *part = NULL;
  if (vise_i_copy_text(&part, path, NULL) != VISE_OK) return;

  for (size_t i = strlen(path); i > n_old; --i) {
    if (!name_ends(path, i)) continue;
    part[i] = '\0';
    (void)rmdir(part); /* one that is not empty stays */
  }
  free(part);
}

struct dirent *vise_i_next_entry(DIR *dir, const char *path, vise_status *status, vise_error *err) {
  while (*status == VISE_OK) {
    errno = 0;
    struct dirent *entry = readdir(dir);
    if (!entry && errno != 0) *status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", path);
    if (!entry) break;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry;
  }
  return NULL;
}

/* Removes `name` in the folder parent_fd; path is for messages. */
static vise_status remove_at(int parent_fd, const char *name, const char *path, int depth, vise_error *err) {
  if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) return VISE_OK;
  if (errno != EISDIR && errno != EPERM) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be removed", path, name);
  }
  if (depth >= MAX_DEPTH) return vise_i_fail(err, VISE_ERR_IO, "%s: deeper than %d folders", path, MAX_DEPTH);

  int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be removed", path, name);
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close(fd);
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be read", path, name);
  }

  vise_status status = VISE_OK;
  for (struct dirent *entry; (entry = vise_i_next_entry(dir, path, &status, err));) {
    status = remove_at(dirfd(dir), entry->d_name, path, depth + 1, err);
  }

  closedir(dir);
  if (status == VISE_OK && unlinkat(parent_fd, name, AT_REMOVEDIR) != 0) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be removed", path, name);
  }
  return status;
}

vise_status vise_i_remove_tree(const char *path, vise_error *err) {
  return remove_at(AT_FDCWD, path, path, 0, err);
}

/* Folders: making and removing. */
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

vise_status vise_i_make_dir(const char *path, vise_error *err) {
  if (mkdir(path, 0777) == 0) return VISE_OK;
  int reason = errno;
  struct stat info;
  const bool found = reason == EEXIST && stat(path, &info) == 0;
  if (found && S_ISDIR(info.st_mode)) return VISE_OK;
  if (!found && reason == EEXIST && errno != ENOENT) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  }
  if (found) return vise_i_fail(err, VISE_ERR_IO, "%s: is not a folder", path);
  return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: the folder cannot be made", path);
}

/* Whether a folder's name ends at text[i]. */
static bool name_ends(const char *text, size_t i) {
  return i > 0 && text[i - 1] != '/' && (text[i] == '/' || text[i] == '\0');
}

/* A folder that was made is there after a crash when the one it lies in is synced. */
static vise_status sync_parent(const char *path, vise_error *err) {
  char *parent = NULL;
  vise_status status = vise_i_parent_path(path, &parent, err);
  if (status == VISE_OK) status = vise_i_sync_dir(parent, err);
  free(parent);
  return status;
}

vise_status vise_i_make_dirs(const char *path, size_t *n_old, vise_error *err) {
  char *part = NULL;
  size_t n = strlen(path), old = 0;
  vise_status status = vise_i_copy_text(&part, path, err);
  if (status != VISE_OK) return status; /* nothing was made, and what is there stays */

  for (size_t i = 1; status == VISE_OK && i <= n; ++i) {
    if (!name_ends(path, i)) continue;
    part[i] = '\0';
    if (mkdir(part, 0777) == 0) {
      status = sync_parent(part, err);
    } else {
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

static vise_status remove_at(int parent_fd, const char *name, const char *path, int depth, vise_error *err);

/* Removes what is in the folder `name`. */
static vise_status empty_at(int parent_fd, const char *name, const char *path, int depth, vise_error *err) {
  int fd;
  do fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0 && errno == ENOENT) return VISE_OK;
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be removed", path, name);
  DIR *dir = fdopendir(fd);
  if (!dir) {
    const int reason = errno;
    close(fd);
    return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: '%s' cannot be read", path, name);
  }

  vise_status status = VISE_OK;
  for (struct dirent *entry; (entry = vise_i_next_entry(dir, path, &status, err));) {
    status = remove_at(dirfd(dir), entry->d_name, path, depth + 1, err);
  }
  closedir(dir);
  return status;
}

/* Removes `name` in the folder parent_fd; path is for messages. */
static vise_status remove_at(int parent_fd, const char *name, const char *path, int depth, vise_error *err) {
  struct stat info;
  if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) return VISE_OK;
  const int reason = errno; /* EISDIR of a folder, or EPERM, which has other causes too */
  if ((reason != EISDIR && reason != EPERM) || fstatat(parent_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISDIR(info.st_mode)) {
    return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: '%s' cannot be removed", path, name);
  }
  if (depth >= MAX_DEPTH) return vise_i_fail(err, VISE_ERR_IO, "%s: deeper than %d folders", path, MAX_DEPTH);

  const vise_status status = empty_at(parent_fd, name, path, depth, err);
  if (status == VISE_OK && unlinkat(parent_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: '%s' cannot be removed", path, name);
  }
  return status;
}

vise_status vise_i_remove_tree(const char *path, vise_error *err) {
  return remove_at(AT_FDCWD, path, path, 0, err);
}

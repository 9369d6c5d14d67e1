#include "host/train/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"

enum { OWNER_BYTES = HOST_NAME_MAX + 64 };

/* Why the lock was refused: by whom, as far as the file says so. */
static vise_status fail_held(int fd, const char *dir, vise_error *err) {
  char text[OWNER_BYTES] = "", host[OWNER_BYTES] = "";
  long pid = 0;
  const ssize_t n = pread(fd, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = '\0';

  if (sscanf(text, "%ld %127s", &pid, host) == 2) {
    return vise_i_fail(err, VISE_ERR_STATE,
                       "%s: a run is using this folder: process %ld on %s; wait for its end, or choose another folder",
                       dir, pid, host);
  }
  return vise_i_fail(err, VISE_ERR_STATE, "%s: a run is using this folder; wait for its end, or choose another folder",
                     dir);
}

/* Best effort: the lock holds without it. */
static void write_owner(int fd) {
  char text[OWNER_BYTES], host[HOST_NAME_MAX + 1] = "";
  if (gethostname(host, sizeof host - 1) != 0) snprintf(host, sizeof host, "localhost");
  const int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host);
  if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) != n) (void)ftruncate(fd, 0);
}

/* For those who only ask, by F_OFD_GETLK: to try flock would be to hold it, and refuse a run that begins at that moment.
   Best effort as well. */
static void show_lock(int fd) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  (void)fcntl(fd, F_OFD_SETLK, &whole);
}

/* Whether path still is the file that was opened: its last holder may have removed it in between. */
static bool is_at(int fd, const char *path) {
  struct stat opened, there;
  return fstat(fd, &opened) == 0 && lstat(path, &there) == 0 && opened.st_dev == there.st_dev &&
         opened.st_ino == there.st_ino;
}

static bool is_unsupported(int reason) {
  return reason == ENOLCK || reason == ENOSYS || reason == EOPNOTSUPP;
}

/* Opens and locks path. *again: it was removed meanwhile. */
static vise_status try_once(vise_i_run_lock *lock, const char *path, const char *dir, bool *has_locks, bool *again,
                            vise_error *err) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path);

  vise_status status = VISE_OK;
  const int reason = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  *has_locks = !is_unsupported(reason);
  *again = reason == 0 && !is_at(fd, path);

  if (reason == EWOULDBLOCK) {
    status = fail_held(fd, dir, err);
  } else if (reason != 0 && *has_locks) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be locked", path);
  }

  if (reason == 0 && !*again) {
    lock->fd = fd;
    show_lock(fd);
    write_owner(fd);
    return VISE_OK;
  }
  if (!*has_locks) unlink(path);
  close(fd);
  return status;
}

vise_status vise_i_run_lock_take(vise_i_run_lock *lock, const char *dir, bool *has_locks, vise_error *err) {
  char *path = NULL;
  bool again = true;
  vise_status status = vise_i_path_join(&path, dir, VISE_RUN_LOCK_NAME, err);

  while (status == VISE_OK && again) status = try_once(lock, path, dir, has_locks, &again, err);
  if (lock->fd >= 0) {
    lock->path = path;
    path = NULL;
  }
  free(path);
  return status;
}

void vise_i_run_lock_release(vise_i_run_lock *lock) {
  if (lock->fd >= 0) {
    unlink(lock->path); /* while it is still locked: a file that is free is never removed */
    close(lock->fd);
  }
  free(lock->path);
  *lock = (vise_i_run_lock)VISE_I_RUN_LOCK_INIT;
}

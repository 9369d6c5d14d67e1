#include "host/train/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"

enum { OWNER_BYTES = HOST_NAME_MAX + 64, MAX_TRIES = 1000, N_PAUSES = 20, PAUSE_NANOSECONDS = 10000000 };

/* Why the lock was refused: by whom, as far as the file says so. */
static vise_status fail_held(int fd, const char *dir, vise_error *err) {
  char text[OWNER_BYTES] = "", host[OWNER_BYTES] = "";
  long pid = 0;
  const ssize_t n = pread(fd, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = '\0';

  if (sscanf(text, "%ld %127s", &pid, host) == 2) {
    return vise_i_fail(err, VISE_ERR_STATE,
                       "%s: process %ld on %s is using this folder; wait for its end, or choose another folder", dir,
                       pid, host);
  }
  return vise_i_fail(err, VISE_ERR_STATE,
                     "%s: another process is using this folder; wait for its end, or choose another folder", dir);
}

/* Best effort: the lock holds without it. What it says is not cut before the new text is there: a process that is refused
   meanwhile must not be told of nobody. */
static void write_owner(int fd) {
  char text[OWNER_BYTES], host[HOST_NAME_MAX + 1] = "";
  if (gethostname(host, sizeof host - 1) != 0) snprintf(host, sizeof host, "localhost");
  const int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host);
  if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) != 0) (void)!ftruncate(fd, 0);
}

/* For those who only ask, by F_OFD_GETLK: to try flock would be to hold it, and refuse a run that begins at that moment.
   Best effort as well. */
static void show_lock(int fd) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  (void)fcntl(fd, F_OFD_SETLK, &whole);
}

/* Whether path still is the file that was opened: its last holder may have removed it in between. */
static vise_status check_is_at(int fd, const char *path, bool *gone, vise_error *err) {
  struct stat opened, there;
  if (fstat(fd, &opened) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  if (lstat(path, &there) == 0) {
    *gone = opened.st_dev != there.st_dev || opened.st_ino != there.st_ino;
  } else if (errno == ENOENT || errno == ENOTDIR) {
    *gone = true;
  } else {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  }
  return VISE_OK;
}

/* Opens the file; what is no regular file was made by others, and is not waited for, written to or removed. */
static vise_status open_lock(const char *path, int *out, bool *made, vise_error *err) {
  static const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  struct stat info;
  int fd = vise_i_open(path, flags | O_EXCL, 0666);
  *made = fd >= 0;
  if (fd < 0 && errno == EEXIST) fd = vise_i_open(path, flags, 0666);
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path);

  vise_status status = VISE_OK;
  if (fstat(fd, &info) != 0) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  } else if (!S_ISREG(info.st_mode)) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: is not a regular file, so that the folder cannot be locked", path);
  }
  *out = fd;
  return status;
}

/* The errno of locking it, 0 when it is locked. One that is held is tried again for a moment: a process that is refused the
   folder for another reason holds it just as long as it looks, and one that stays has written then who it is. */
static int lock_file(int fd) {
  const struct timespec pause = {0, PAUSE_NANOSECONDS};
  for (int n_left = N_PAUSES;;) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || n_left-- == 0) return errno;
    (void)nanosleep(&pause, NULL);
  }
}

static bool is_unsupported(int reason) {
  return reason == ENOLCK || reason == ENOSYS || reason == EOPNOTSUPP;
}

/* Opens and locks path. *gone: it was removed meanwhile. */
static vise_status try_once(vise_i_run_lock *lock, const char *path, const char *dir, bool *has_locks, bool *gone,
                            vise_error *err) {
  vise_status status;
  int fd = -1, reason = EIO;
  bool made = false;
  *gone = false;
  VISE_TRY(open_lock(path, &fd, &made, err));

  reason = lock_file(fd);
  *has_locks = !is_unsupported(reason);
  if (reason == EWOULDBLOCK) VISE_TRY(fail_held(fd, dir, err));
  if (reason != 0 && *has_locks) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be locked", path));
  }

  if (reason == 0) VISE_TRY(check_is_at(fd, path, gone, err));
  if (reason == 0 && !*gone) {
    lock->fd = fd;
    fd = -1;
    show_lock(lock->fd);
    write_owner(lock->fd);
  }

done:
  /* What was made for nothing goes: nobody else has its lock. */
  if (fd >= 0 && (!*has_locks || (made && !*gone && reason != EWOULDBLOCK))) unlink(path);
  if (fd >= 0) close(fd);
  return status;
}

vise_status vise_i_run_lock_take(vise_i_run_lock *lock, const char *dir, bool *has_locks, vise_error *err) {
  char *path = NULL;
  bool gone = true;
  vise_status status = vise_i_path_join(&path, dir, VISE_RUN_LOCK_NAME, err);

  for (int i = 0; status == VISE_OK && gone && i < MAX_TRIES; i++) {
    status = try_once(lock, path, dir, has_locks, &gone, err);
  }
  if (status == VISE_OK && gone) {
    status = vise_i_fail(err, VISE_ERR_STATE, "%s: runs begin and end in this folder all the time", dir);
  }

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

#include "tests/support/io_fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

const char *const io_call_names[IO_N_CALLS] = {"read",    "pwrite", "fsync",  "rename",   "write", "open", "opendir",
                                               "readdir", "mkdir",  "unlink", "truncate", "stat",  "flock"};

static struct {
  bool armed, has_failed, interrupts, kills;
  io_call call;
  int number;
  size_t until_failure, n_calls, until_kill;
} fault;

static void arm(io_call call, size_t after, int number) {
  fault.armed = true;
  fault.has_failed = false;
  fault.call = call;
  fault.number = number;
  fault.until_failure = after;
}

void io_fault_arm(io_call call, size_t after) {
  arm(call, after, EIO);
}

void io_fault_arm_with(io_call call, size_t after, int number) {
  arm(call, after, number);
}

void io_fault_arm_interrupts(void) {
  fault.interrupts = true;
  fault.has_failed = false;
}

bool io_fault_disarm(void) {
  fault.armed = fault.interrupts = false;
  return fault.has_failed;
}

void io_kill_arm(size_t after) {
  fault.kills = true;
  fault.until_kill = after;
}

static bool fails_now(io_call call) {
  /* Of these, none is interrupted on Linux. */
  const bool never = call == IO_RENAME || call == IO_MKDIR || call == IO_UNLINK || call == IO_STAT;
  if (fault.interrupts && !never && fault.n_calls++ % 2 == 0) {
    errno = EINTR;
    fault.has_failed = true;
    return true;
  }
  if (!fault.armed || fault.has_failed || fault.call != call) return false;
  fault.has_failed = fault.until_failure-- == 0;
  if (fault.has_failed) errno = fault.number;
  return fault.has_failed;
}

static void changes(void) {
  if (fault.kills && fault.until_kill-- == 0) _exit(IO_KILLED);
}

static size_t part(size_t n) {
  return fault.interrupts && n > 1 ? (n + 1) / 2 : n;
}

#define WRAP(result, name, parameters, arguments, call) \
  result __real_##name parameters;                      \
  result __wrap_##name parameters;                      \
  result __wrap_##name parameters {                     \
    if (fails_now(call)) return (result)-1;             \
    return __real_##name arguments;                     \
  }
#define WRAP_CHANGE(result, name, parameters, arguments, call) \
  result __real_##name parameters;                             \
  result __wrap_##name parameters;                             \
  result __wrap_##name parameters {                            \
    changes();                                                 \
    if (fails_now(call)) return (result)-1;                    \
    return __real_##name arguments;                            \
  }

WRAP(ssize_t, read, (int fd, void *to, size_t n), (fd, to, part(n)), IO_READ)
WRAP(int, stat, (const char *path, struct stat *out), (path, out), IO_STAT)
WRAP(int, lstat, (const char *path, struct stat *out), (path, out), IO_STAT)
WRAP(int, fstat, (int fd, struct stat *out), (fd, out), IO_STAT)
WRAP(int, fstatat, (int fd, const char *path, struct stat *out, int flags), (fd, path, out, flags), IO_STAT)
WRAP(int, flock, (int fd, int operation), (fd, operation), IO_FLOCK)
WRAP(int, fsync, (int fd), (fd), IO_FSYNC)
WRAP_CHANGE(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, part(n)), IO_WRITE)
WRAP_CHANGE(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, part(n), at), IO_PWRITE)
WRAP_CHANGE(int, rename, (const char *from, const char *to), (from, to), IO_RENAME)
WRAP_CHANGE(int, mkdir, (const char *path, mode_t mode), (path, mode), IO_MKDIR)
WRAP_CHANGE(int, unlink, (const char *path), (path), IO_UNLINK)
WRAP_CHANGE(int, rmdir, (const char *path), (path), IO_UNLINK)
WRAP_CHANGE(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), IO_UNLINK)
WRAP_CHANGE(int, ftruncate, (int fd, off_t n), (fd, n), IO_TRUNCATE)

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);

DIR *__wrap_opendir(const char *path) {
  return fails_now(IO_OPENDIR) ? NULL : __real_opendir(path);
}

struct dirent *__wrap_readdir(DIR *dir) {
  return fails_now(IO_READDIR) ? NULL : __real_readdir(dir);
}

int __wrap_open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0) changes();
  return fails_now(IO_OPEN) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int fd, const char *path, int flags, ...) {
  return fails_now(IO_OPEN) ? -1 : __real_openat(fd, path, flags, 0);
}

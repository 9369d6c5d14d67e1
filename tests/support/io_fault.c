#include "tests/support/io_fault.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
  bool armed, has_failed;
  io_call call;
  size_t until_failure;
} fault;

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

void io_fault_arm(io_call call, size_t after) {
  fault.armed = true;
  fault.has_failed = false;
  fault.call = call;
  fault.until_failure = after;
}

bool io_fault_disarm(void) {
  fault.armed = false;
  return fault.has_failed;
}

static bool fails_now(io_call call) {
  if (!fault.armed || fault.has_failed || fault.call != call) return false;
  fault.has_failed = fault.until_failure-- == 0;
  if (fault.has_failed) errno = EIO;
  return fault.has_failed;
}

ssize_t __wrap_read(int fd, void *to, size_t n) {
  return fails_now(IO_READ) ? -1 : __real_read(fd, to, n);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at) {
  return fails_now(IO_PWRITE) ? -1 : __real_pwrite(fd, from, n, at);
}

int __wrap_fsync(int fd) {
  return fails_now(IO_FSYNC) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to) {
  return fails_now(IO_RENAME) ? -1 : __real_rename(from, to);
}

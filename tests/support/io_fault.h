/* Makes calls of system functions fail, or ends the process at one, for tests that do so at each in turn. The program
   links with --wrap for these functions (vise_io_fault_test in tests/CMakeLists.txt), so that calls by Vise and the test
   come here, and those by shared libraries do not. */
#ifndef VISE_T_IO_FAULT_H
#define VISE_T_IO_FAULT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum io_call {
  IO_READ,
  IO_PWRITE,
  IO_FSYNC,
  IO_RENAME,
  IO_WRITE,
  IO_OPEN,    /* open and openat */
  IO_OPENDIR, /* opendir */
  IO_READDIR,
  IO_MKDIR,
  IO_UNLINK, /* unlink, unlinkat and rmdir */
  IO_TRUNCATE,
  IO_STAT, /* stat, lstat, fstat and fstatat */
  IO_FLOCK,
  IO_N_CALLS
} io_call;

extern const char *const io_call_names[IO_N_CALLS];

/* From now on lets `after` calls of this kind succeed, and the next one fail with EIO, or with number. */
void io_fault_arm(io_call call, size_t after);
void io_fault_arm_with(io_call call, size_t after, int number);
/* Every second call of all kinds is interrupted (EINTR); a write or read that is not does a byte. */
void io_fault_arm_interrupts(void);
/* Whether a call failed since then; all succeed from now on. */
bool io_fault_disarm(void);

/* From now on lets `after` calls that change something on the disk succeed, and ends the process before the next one, as
   SIGKILL would. */
void io_kill_arm(size_t after);
enum { IO_KILLED = 99 }; /* its exit code */

#endif

/* Makes one call of a system function fail, for tests that make each one fail in turn. The program links with --wrap
   for read, pwrite, fsync and rename (vise_io_fault_test in tests/CMakeLists.txt), so that calls by Vise and the test
   come here, and those by shared libraries do not. */
#ifndef VISE_T_IO_FAULT_H
#define VISE_T_IO_FAULT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum io_call { IO_READ, IO_PWRITE, IO_FSYNC, IO_RENAME, IO_N_CALLS } io_call;

/* From now on lets `after` calls of this kind succeed, and the next one fail with EIO. */
void io_fault_arm(io_call call, size_t after);
/* Whether a call failed since then; all succeed from now on. */
bool io_fault_disarm(void);

#endif

/*
 * Stands between the tool and the C library's allocator, by LD_PRELOAD: each allocation from the start of main on is
 * counted, those of the C library itself (streams, getline, asprintf) and of other libraries too, and one of them fails.
 *
 *   TORTURE_ALLOCATION  the number of the one that fails, from 1
 *   TORTURE_STAY        1: so do all after it
 *   TORTURE_COUNT       1: how many there were is reported when the process exits
 *   TORTURE_REPORT      the file for "count NUMBER" and for "fault NUMBER BYTES FRAME FRAME ...", a frame being the
 *                       name of an object and an offset in it, innermost first
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common.h"

enum { N_FRAMES = 16, SKIPPED_FRAMES = 2 };

/* The C library's own. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic long n_allocations;
static long chosen, stays;
static _Atomic bool counts;
static _Thread_local bool reporting; /* what the report itself allocates does not count */

static void report_fault(long number, size_t n_bytes) {
  void *frames[N_FRAMES];
  t_line line = {.n = 0};
  t_line_text(&line, "fault ");
  t_line_number(&line, (unsigned long)number, 10);
  t_line_text(&line, " ");
  t_line_number(&line, n_bytes, 10);

  const int n = backtrace(frames, N_FRAMES);
  for (int i = SKIPPED_FRAMES; i < n; i++) {
    Dl_info where;
    if (dladdr(frames[i], &where) == 0 || where.dli_fname == NULL) continue;
    const char *slash = strrchr(where.dli_fname, '/');
    t_line_text(&line, " ");
    t_line_text(&line, slash == NULL ? where.dli_fname : slash + 1);
    t_line_text(&line, "+0x");
    t_line_number(&line, (uintptr_t)frames[i] - (uintptr_t)where.dli_fbase, 16);
  }
  t_line_end(&line);
}

/* Whether this allocation fails. */
__attribute__((noinline)) static bool fails(size_t n_bytes) {
  if (!counts || reporting) return false;
  const long number = ++n_allocations;
  if (chosen <= 0 || number < chosen || (number > chosen && !stays)) return false;
  if (number == chosen) {
    reporting = true;
    report_fault(number, n_bytes);
    reporting = false;
  }
  errno = ENOMEM;
  return true;
}

void *malloc(size_t n) {
  return fails(n) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
  return fails(n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
  return fails(n) ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size) {
  if (size != 0 && n > SIZE_MAX / size) {
    errno = ENOMEM;
    return NULL;
  }
  return fails(n * size) ? NULL : __libc_realloc(p, n * size);
}

void *memalign(size_t alignment, size_t n) {
  return fails(n) ? NULL : __libc_memalign(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n) {
  return fails(n) ? NULL : __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n) {
  const int before = errno;
  void *p = fails(n) ? NULL : __libc_memalign(alignment, n);
  errno = before;
  if (p == NULL) return ENOMEM;
  *out = p;
  return 0;
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  if ((flags & MAP_ANONYMOUS) != 0 && fails(n)) return MAP_FAILED;
  const long result = t_system_call(SYS_mmap, (long)at, (long)n, protection, flags, fd, offset);
  if (result >= 0 || result < -4095) return (void *)result;
  errno = (int)-result;
  return MAP_FAILED;
}

/* ---- from the start of main to its end ------------------------------------------------------------------------------ */

static int (*tools_main)(int, char **, char **);

static void report_count(void) {
  t_line line = {.n = 0};
  t_line_text(&line, "count ");
  t_line_number(&line, (unsigned long)n_allocations, 10);
  t_line_end(&line);
}

static int main_counted(int argc, char **argv, char **environment) {
  void *frames[N_FRAMES];
  chosen = t_setting("TORTURE_ALLOCATION");
  stays = t_setting("TORTURE_STAY");
  t_report_open();
  (void)backtrace(frames, N_FRAMES); /* loads what it needs */
  if (t_setting("TORTURE_COUNT") != 0) (void)atexit(report_count);
  counts = true;
  return tools_main(argc, argv, environment);
}

int __libc_start_main(int (*main_of)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
  int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
  *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
  if (real == NULL) abort();
  tools_main = main_of;
  return real(main_counted, argc, argv, init, fini, rtld_fini, stack_end);
}

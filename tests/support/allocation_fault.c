#include "tests/support/allocation_fault.h"

#include <errno.h>

allocation_fault fault;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
int __real_posix_memalign(void **out, size_t alignment, size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
int __wrap_posix_memalign(void **out, size_t alignment, size_t n);

void fault_arm(size_t after) {
  fault = (allocation_fault){.armed = true, .until_failure = after};
}

void fault_disarm(void) {
  fault.armed = false;
}

static bool fails_now(void) {
  fault.n_calls++;
  if (!fault.armed || fault.has_failed) return false;
  fault.has_failed = fault.until_failure-- == 0;
  return fault.has_failed;
}

void *__wrap_malloc(size_t n) {
  return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
  return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t n) {
  return fails_now() ? NULL : __real_realloc(memory, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
  return fails_now() ? NULL : __real_aligned_alloc(alignment, n);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t n) {
  return fails_now() ? ENOMEM : __real_posix_memalign(out, alignment, n);
}

/* Counts allocations and makes one of them fail, for tests that make each one fail in turn. The program links with
   --wrap for the functions that allocate (vise_allocation_fault_test in tests/CMakeLists.txt), so that calls by Vise and
   the test come here, and those by shared libraries do not. */
#ifndef VISE_T_ALLOCATION_FAULT_H
#define VISE_T_ALLOCATION_FAULT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct allocation_fault {
  bool armed;
  bool has_failed;
  size_t until_failure; /* counts down to the one that fails */
  size_t n_calls;       /* since the start, or since fault_arm */
} allocation_fault;

/* This program's state; for one thread only. */
extern allocation_fault fault;

/* From now on lets `after` allocations succeed and the next one fail. */
void fault_arm(size_t after);
void fault_disarm(void);

/* malloc as the program's own calls get it, for a shared library that takes a function to allocate with. */
void *__wrap_malloc(size_t n);

#endif

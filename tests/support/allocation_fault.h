/* Makes one allocation fail, for tests that let every one fail in turn. The program links with --wrap for malloc,
   calloc, realloc and aligned_alloc (vise_allocation_fault_test in tests/CMakeLists.txt), so that the calls of Vise and
   of the test come here, and those of shared libraries do not. */
#ifndef VISE_T_ALLOCATION_FAULT_H
#define VISE_T_ALLOCATION_FAULT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct allocation_fault {
  bool armed;
  bool has_failed;
  size_t until_failure; /* counts down to the one that fails */
} allocation_fault;

/* The state of this program; one thread. */
extern allocation_fault fault;

/* Lets the allocation `after` that many others fail, from now on. */
void fault_arm(size_t after);
void fault_disarm(void);

/* malloc as the program's own calls get it, for a shared library that takes a function to allocate with. */
void *__wrap_malloc(size_t n);

#endif

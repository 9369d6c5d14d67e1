#include "host/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes of a huge page, and of an array that is worth some: rows are read from it in random order, and each would
   otherwise cost a walk through the page tables. */
enum { HUGE_PAGE = 1 << 21, WORTH_HUGE_PAGES = 2 * HUGE_PAGE };

bool vise_i_size_mul(size_t a, size_t b, size_t *out) {
  size_t product;
  if (__builtin_mul_overflow(a, b, &product)) return false;
  *out = product;
  return true;
}

bool vise_i_size_add(size_t a, size_t b, size_t *out) {
  size_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return false;
  *out = sum;
  return true;
}

typedef enum { PLAIN, ZERO, ALIGNED } kind;

static void *allocate_aligned(size_t n_bytes) {
  const size_t alignment = n_bytes >= WORTH_HUGE_PAGES ? HUGE_PAGE : VISE_I_ALIGNMENT;
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, n_bytes) != 0) return NULL;

  /* A wish: without huge pages all is as right, and slower. */
  if (alignment == HUGE_PAGE) (void)madvise(memory, n_bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
  return memory;
}

static vise_status allocate(void *out_pointer, size_t count, size_t element_bytes, kind how, const char *what,
                            vise_error *err) {
  size_t n_bytes;
  if (!vise_i_size_mul(count, element_bytes, &n_bytes) || n_bytes > PTRDIFF_MAX - HUGE_PAGE) {
    return vise_i_fail(err, VISE_ERR_MEMORY, "%s: %zu elements of %zu bytes do not fit in memory", what, count,
                       element_bytes);
  }
  if (n_bytes == 0) n_bytes = 1;

  void *memory = NULL;
  if (how == ALIGNED) {
    memory = allocate_aligned(n_bytes);
  } else {
    memory = how == ZERO ? calloc(n_bytes, 1) : malloc(n_bytes);
  }

  if (!memory) return vise_i_fail_memory(err, n_bytes, what);
  memcpy(out_pointer, &memory, sizeof memory); /* out_pointer is the address of a pointer of any type */
  return VISE_OK;
}

vise_status vise_i_alloc(void *out_pointer, size_t count, size_t element_bytes, const char *what, vise_error *err) {
  return allocate(out_pointer, count, element_bytes, PLAIN, what, err);
}

vise_status vise_i_alloc_zero(void *out_pointer, size_t count, size_t element_bytes, const char *what,
                              vise_error *err) {
  return allocate(out_pointer, count, element_bytes, ZERO, what, err);
}

vise_status vise_i_alloc_aligned(void *out_pointer, size_t count, size_t element_bytes, const char *what,
                                 vise_error *err) {
  return allocate(out_pointer, count, element_bytes, ALIGNED, what, err);
}

vise_status vise_i_grow(void *out_pointer, size_t *capacity, size_t needed, size_t element_bytes, const char *what,
                        vise_error *err) {
  void *memory;
  size_t wanted, n_bytes;
  memcpy(&memory, out_pointer, sizeof memory); /* out_pointer is the address of a pointer of any type */
  if (needed <= *capacity) return VISE_OK;
  if (!vise_i_size_add(needed, needed / 2 + 16, &wanted) || !vise_i_size_mul(wanted, element_bytes, &n_bytes)) {
    return vise_i_fail_memory(err, SIZE_MAX, what);
  }

  void *bigger = realloc(memory, n_bytes);
  if (bigger == NULL) return vise_i_fail_memory(err, n_bytes, what);
  memcpy(out_pointer, &bigger, sizeof bigger);
  *capacity = wanted;
  return VISE_OK;
}

vise_status vise_i_copy_text(char **out, const char *text, vise_error *err) {
  size_t n_bytes = strlen(text) + 1;
  char *copy = NULL;
  vise_status status = vise_i_alloc(&copy, n_bytes, 1, "a text", err);
  if (status != VISE_OK) return status;
  memcpy(copy, text, n_bytes);
  *out = copy;
  return VISE_OK;
}

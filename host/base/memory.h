/* Checked size arithmetic, and allocation. */
#ifndef VISE_I_MEMORY_H
#define VISE_I_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"

/* Bytes to which the arrays of numeric loops are aligned. */
enum { VISE_I_ALIGNMENT = 64 };

/* *out = a * b, or a + b; false (and *out untouched) on overflow. */
bool vise_i_size_mul(size_t a, size_t b, size_t *out);
bool vise_i_size_add(size_t a, size_t b, size_t *out);

/* Allocates count * element_bytes bytes (at least one), zeroed or not, for `what` (used in the message).
 *out is untouched on failure (VISE_ERR_MEMORY). Free with free(). */
VISE_WARN_UNUSED vise_status vise_i_alloc(void *out_pointer, size_t count, size_t element_bytes, const char *what,
                                          vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_alloc_zero(void *out_pointer, size_t count, size_t element_bytes, const char *what,
                                               vise_error *err);
/* The same, aligned to VISE_I_ALIGNMENT. */
VISE_WARN_UNUSED vise_status vise_i_alloc_aligned(void *out_pointer, size_t count, size_t element_bytes,
                                                  const char *what, vise_error *err);
/* Makes room for `needed` elements in the array whose address is out_pointer and whose room is *capacity, by realloc
   and with room to spare. Both are untouched on failure. */
VISE_WARN_UNUSED vise_status vise_i_grow(void *out_pointer, size_t *capacity, size_t needed, size_t element_bytes,
                                         const char *what, vise_error *err);
/* A copy of text. */
VISE_WARN_UNUSED vise_status vise_i_copy_text(char **out, const char *text, vise_error *err);

#endif

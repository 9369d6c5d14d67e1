/**
 * @file
 * Names of the enumerations (vise/enums.h), and arrays in the caller's memory. For each enumeration E there is
 *   const char *E_name(E value)                                   the name, or "?" for a value outside the table
 *   vise_status E_parse(const char *name, E *out, vise_error *)   VISE_ERR_USAGE (listing the names) if unknown
 */
#ifndef VISE_TYPES_H
#define VISE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vise/enums.h"
#include "vise/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VISE_ENUM_FUNCTIONS_(type, TABLE)       \
  VISE_API const char *type##_name(type value); \
  VISE_API VISE_WARN_UNUSED vise_status type##_parse(const char *name, type *out, vise_error *err);
VISE_ENUM_LIST(VISE_ENUM_FUNCTIONS_)
#undef VISE_ENUM_FUNCTIONS_

/** Traits: what the targets of a loss are, and whether a schedule needs to know how many steps are planned. */
VISE_API vise_targets vise_loss_targets(vise_loss loss);
VISE_API bool vise_schedule_ends(vise_schedule schedule);

/** Bytes of one element. */
VISE_API size_t vise_dtype_size(vise_dtype dtype);

/**
 * A two-dimensional array in the caller's memory: element (r, c) is data[r * row_stride + c * col_stride], strides
 * in elements. A C-ordered [n_rows, n_cols] array has row_stride n_cols and col_stride 1; a Fortran-ordered one
 * row_stride 1 and col_stride n_rows. Vise never writes through an array that it takes as input.
 */
typedef struct vise_array {
  const void *data;
  vise_dtype dtype;
  size_t n_rows, n_cols;
  size_t row_stride, col_stride;
} vise_array;

/** A C-ordered array over data. */
VISE_API vise_array vise_array_of(const void *data, vise_dtype dtype, size_t n_rows, size_t n_cols);

#ifdef __cplusplus
}
#endif
#endif

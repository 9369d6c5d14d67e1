/* Element access to vise_array, for code that is not on a hot path. */
#ifndef VISE_I_ARRAY_H
#define VISE_I_ARRAY_H

#include <stdbool.h>

#include "host/base/error.h"
#include "vise/types.h"

/* Up to here, every integer is a double. */
#define VISE_I_EXACT_INTEGERS 9007199254740992.0 /* 2^53 */

/* Element (r, c) as double (i64 beyond VISE_I_EXACT_INTEGERS is rounded). No bounds check. */
double vise_i_array_get(const vise_array *array, size_t r, size_t c);

/* Finds the first element that is no number from -most to most, in row order; false if there is none. */
bool vise_i_array_find_beyond(const vise_array *array, double most, size_t *row, size_t *col);

/* Checks that there are data, and that the sizes do not overflow. `what` names the array in messages. */
VISE_WARN_UNUSED vise_status vise_i_array_validate(const vise_array *array, const char *what, vise_error *err);

#endif

/* Writing errors, and passing them up. */
#ifndef VISE_I_ERROR_H
#define VISE_I_ERROR_H

#include <stddef.h>

#include "vise/status.h"

/* Writes code and text to err unless it holds an error already (the first one wins); err may be NULL.
   Returns the code given, so that `return vise_i_fail(err, VISE_ERR_IO, "...")` reads well. */
vise_status vise_i_fail(vise_error *err, vise_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, followed by ": <strerror(errno_value)>". */
vise_status vise_i_fail_errno(vise_error *err, vise_status code, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Out of memory while allocating n_bytes (0: not known) for `what`. */
vise_status vise_i_fail_memory(vise_error *err, size_t n_bytes, const char *what);

/* In a function with `vise_status status` and a `done:` exit that cleans up: leaves on failure. */
#define VISE_TRY(call)                \
  do {                                \
    status = (call);                  \
    if (status != VISE_OK) goto done; \
  } while (0)

#endif

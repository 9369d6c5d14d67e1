#include "host/base/call.h"

#include <string.h>

/* Length of a call's name as its caller wrote it: the header's macros add this. */
static int written_length(const char *call) {
  const char *sized = strstr(call, "_sized");
  return (int)(sized ? (size_t)(sized - call) : strlen(call));
}

vise_status vise_i_enter(vise_error *err, const char *call, const char *names, const void *const *values, size_t n) {
  vise_error_clear(err);

  for (size_t i = 0; i < n; ++i) {
    const size_t length = strcspn(names, ",");
    if (!values[i]) {
      return vise_i_fail(err, VISE_ERR_USAGE, "%.*s: the argument %.*s is NULL", written_length(call), call,
                         (int)length, names);
    }
    names += length + (names[length] ? 2 : 0); /* past ", " */
  }

  return VISE_OK;
}

#include "host/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STATUS_NAME(symbol, value, text) \
  case symbol:                           \
    return #symbol;
#define STATUS_TEXT(symbol, value, text) \
  case symbol:                           \
    return text;

const char *vise_status_name(vise_status status) {
  switch (status) { VISE_STATUS_TABLE(STATUS_NAME) }
  return "VISE_ERR_?";
}

const char *vise_status_text(vise_status status) {
  switch (status) { VISE_STATUS_TABLE(STATUS_TEXT) }
  return "unknown status";
}

void vise_error_clear(vise_error *err) {
  if (!err) return;
  err->code = VISE_OK;
  err->text[0] = '\0';
}

static void write_text(vise_error *err, vise_status code, const char *format, va_list arguments) {
  err->code = code;
  vsnprintf(err->text, sizeof err->text, format, arguments);
}

vise_status vise_i_fail(vise_error *err, vise_status code, const char *format, ...) {
  if (err && err->code == VISE_OK) {
    va_list arguments;
    va_start(arguments, format);
    write_text(err, code, format, arguments);
    va_end(arguments);
  }
  return code;
}

vise_status vise_i_fail_errno(vise_error *err, vise_status code, int errno_value, const char *format, ...) {
  if (err && err->code == VISE_OK) {
    va_list arguments;
    va_start(arguments, format);
    write_text(err, code, format, arguments);
    va_end(arguments);

    char reason[128];
    const char *text = strerror_r(errno_value, reason, sizeof reason); /* the GNU form */
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", text);
  }

  return code;
}

vise_status vise_i_fail_memory(vise_error *err, size_t n_bytes, const char *what) {
  if (n_bytes == 0) return vise_i_fail(err, VISE_ERR_MEMORY, "out of memory for %s", what);
  return vise_i_fail(err, VISE_ERR_MEMORY, "out of memory: %zu bytes for %s", n_bytes, what);
}

#include "host/cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

vise_status vise_i_cli_fail(vise_error *err, vise_status code, const char *format, ...) {
  if (err == NULL || err->code != VISE_OK) return code;
  va_list arguments;
  va_start(arguments, format);
  err->code = code;
  (void)vsnprintf(err->text, sizeof err->text, format, arguments);
  va_end(arguments);
  return code;
}

static bool parse_infinity(const char *text, double *out) {
  const char *word = *text == '+' || *text == '-' ? text + 1 : text;
  if (strcmp(word, "inf") != 0) return false;
  *out = *text == '-' ? -(double)INFINITY : (double)INFINITY;
  return true;
}

vise_status vise_i_cli_parse_real(const char *text, bool allow_infinity, double *out, vise_error *err) {
  if (allow_infinity && parse_infinity(text, out)) return VISE_OK;

  /* strtod would also take blanks, hexadecimal, "nan" and "infinity". */
  bool plain = *text != '\0' && strspn(text, "+-.0123456789eE") == strlen(text);
  char *end = NULL;
  errno = 0;
  double value = plain ? strtod(text, &end) : 0;

  if (!plain || end == text || *end != '\0') {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not a number", text);
  }
  if (!isfinite(value)) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is too large for a number", text);

  *out = value;
  return VISE_OK;
}

vise_status vise_i_cli_parse_count(const char *text, uint64_t *out, vise_error *err) {
  if (*text == '\0' || strspn(text, "0123456789") != strlen(text)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not a whole number", text);
  }
  errno = 0;
  unsigned long long value = strtoull(text, NULL, 10);
  if (errno == ERANGE) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is too large", text);
  *out = value;
  return VISE_OK;
}

vise_status vise_i_cli_parse_yes_no(const char *text, bool *out, vise_error *err) {
  bool yes = strcmp(text, "yes") == 0;
  if (!yes && strcmp(text, "no") != 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is neither yes nor no", text);
  }
  *out = yes;
  return VISE_OK;
}

vise_status vise_i_cli_parse_range(const char *text, double *lo, double *hi, vise_error *err) {
  const char *colon = strchr(text, ':');
  double low = 0, high = 0;

  if (colon == NULL) {
    vise_status status = vise_i_cli_parse_real(text, true, &high, err);
    if (status != VISE_OK) return status;
    if (!(high > 0)) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' must be > 0: X means -X:X; or give LO:HI, or off", text);
    }
    low = -high;
  } else {
    char first[64];
    size_t length = (size_t)(colon - text);
    if (length >= sizeof first) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not LO:HI", text);
    memcpy(first, text, length);
    first[length] = '\0';

    vise_status status = vise_i_cli_parse_real(first, true, &low, err);
    if (status == VISE_OK) status = vise_i_cli_parse_real(colon + 1, true, &high, err);
    if (status != VISE_OK) return status;
  }

  if (!(low <= high)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': the lower bound is above the upper one", text);
  }

  *lo = low;
  *hi = high;
  return VISE_OK;
}

/* Moves the text before the next `separator` from *rest to buffer, cut to fit; false at the end. */
static bool next_piece(const char **rest, char separator, char *buffer, size_t n_bytes) {
  if (*rest == NULL) return false;
  const char *end = strchr(*rest, separator);
  size_t length = end == NULL ? strlen(*rest) : (size_t)(end - *rest);
  if (length >= n_bytes) length = n_bytes - 1; /* no sensible number is that long */
  memcpy(buffer, *rest, length);
  buffer[length] = '\0';
  *rest = end == NULL ? NULL : end + 1;
  return true;
}

vise_status vise_i_cli_parse_layers(const char *text, size_t max_n, size_t *widths, size_t *n, vise_error *err) {
  char piece[64];
  const char *rest = text;
  size_t count = 0;

  while (next_piece(&rest, '-', piece, sizeof piece)) {
    bool at_end = count == 0 || rest == NULL;
    uint64_t width = 0;
    if (count >= max_n) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' has more than %zu sizes", text, max_n);
    }

    if (strcmp(piece, "auto") == 0) {
      if (!at_end) {
        return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': auto is possible for the first and the last size only",
                               text);
      }
    } else {
      vise_error inner = VISE_ERROR_INIT;
      if (vise_i_cli_parse_count(piece, &width, &inner) != VISE_OK || width == 0 || width > SIZE_MAX) {
        return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': '%s' is not a layer size; write sizes as in 784-128-10",
                               text, piece);
      }
    }

    widths[count++] = (size_t)width;
  }

  if (count < 2) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not two or more sizes; write them as in 784-128-10", text);
  }
  *n = count;
  return VISE_OK;
}

/* Number of comma-separated pieces. */
static size_t count_pieces(const char *text) {
  size_t n = 1;
  for (const char *c = text; *c != '\0'; c++) n += *c == ',';
  return n;
}

vise_status vise_i_cli_parse_real_list(const char *text, double **out, size_t *n, vise_error *err) {
  size_t count = count_pieces(text), i = 0;
  double *values = calloc(count, sizeof *values);
  if (values == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  char piece[64];
  const char *rest = text;
  while (next_piece(&rest, ',', piece, sizeof piece)) {
    vise_status status = vise_i_cli_parse_real(piece, false, &values[i++], err);
    if (status != VISE_OK) {
      free(values);
      return status;
    }
  }

  *out = values;
  *n = count;
  return VISE_OK;
}

vise_status vise_i_cli_parse_size_list(const char *text, size_t **out, size_t *n, vise_error *err) {
  size_t count = count_pieces(text), i = 0;
  size_t *values = calloc(count, sizeof *values);
  if (values == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  char piece[64];
  const char *rest = text;
  while (next_piece(&rest, ',', piece, sizeof piece)) {
    uint64_t value = 0;
    vise_status status = vise_i_cli_parse_count(piece, &value, err);
    if (status != VISE_OK) {
      free(values);
      return status;
    }
    values[i++] = (size_t)value;
  }

  *out = values;
  *n = count;
  return VISE_OK;
}

void vise_i_cli_format_real(double value, char *buffer, size_t n_bytes) {
  if (isinf(value)) {
    (void)snprintf(buffer, n_bytes, "%s", value < 0 ? "-inf" : "inf");
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    (void)snprintf(buffer, n_bytes, "%.*g", digits, value);
    if (strtod(buffer, NULL) == value) return;
  }
}

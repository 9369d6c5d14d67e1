#include "host/cli/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/options.h"

vise_status vise_i_cli_fail(vise_error *err, vise_status code, const char *format, ...) {
  if (err == NULL || err->code != VISE_OK) return code;
  va_list arguments;
  va_start(arguments, format);
  err->code = code;
  (void)vsnprintf(err->text, sizeof err->text, format, arguments);
  va_end(arguments);
  return code;
}

vise_status vise_i_cli_fail_needs(const char *option, const char *needed, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s needs --%s", option, needed);
}

vise_status vise_i_cli_fail_both(const char *a, const char *b, const char *why, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --%s contradict each other: %s", a, b, why);
}

/* Whether the n characters at name are one of a comma list of names; - and _ are one letter. */
static bool is_among(const char *list, const char *name, size_t n) {
  while (list != NULL && *list != '\0') {
    size_t length = strcspn(list, ","), same = 0;
    while (same < n && same < length &&
           (list[same] == '-' ? '_' : list[same]) == (name[same] == '-' ? '_' : name[same])) {
      same++;
    }
    if (same == n && length == n) return true;
    list += length + (list[length] == ',');
  }
  return false;
}

/* Appends the options of a field, "or" between them; false if there is none. */
static bool add_options(FILE *out, const char *name, size_t n, vise_i_cli_form form) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n_rows = vise_i_cli_list_rows(rows);
  const char *separator = "";

  for (size_t i = 0; i < n_rows; i++) {
    const bool called_so = is_among(rows[i]->name, name, n);
    if (!called_so && !is_among(rows[i]->field, name, n)) continue;
    (void)fprintf(out, form == VISE_I_CLI_AS_OPTION ? "%s--%s" : "%s\"%s\"", separator, rows[i]->name);
    separator = " or ";
    if (called_so) break;
  }

  return *separator != '\0';
}

void vise_i_cli_translate(const char *text, vise_i_cli_form form, char *buffer, size_t n_bytes) {
  FILE *out = fmemopen(buffer, n_bytes, "w");
  (void)snprintf(buffer, n_bytes, "%s", out == NULL ? text : "");
  if (out == NULL) return;

  for (const char *at = text; *at != '\0'; at++) {
    const char *end = *at == '`' ? strchr(at + 1, '`') : NULL;
    if (end != NULL && add_options(out, at + 1, (size_t)(end - at - 1), form)) {
      at = end;
    } else {
      (void)fputc(*at, out);
    }
  }
  (void)fclose(out);
  buffer[n_bytes - 1] = '\0';
}

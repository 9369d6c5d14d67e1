#include "host/cli/tell.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/commands.h"
#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/cli/terminal.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/build.h"
#include "host/json/text.h"

enum { TEXT_BYTES = 2 * VISE_ERROR_TEXT_BYTES };

static bool tells_events = false, is_refit = false;

void vise_i_cli_tell_events(bool events) {
  tells_events = events;
}

bool vise_i_cli_tells_events(void) {
  return tells_events;
}

void vise_i_cli_tell_as_typed(int argc, char **argv) {
  static const char option[] = "--progress";
  const size_t n = sizeof option - 1;
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], option, n) != 0) continue;
    const char *value = argv[i][n] == '=' ? argv[i] + n + 1 : argv[i][n] == '\0' ? argv[i + 1] : NULL;
    if (value != NULL) tells_events = strcmp(value, "json") == 0;
  }
}

void vise_i_cli_tell_of_refit(bool refit) {
  is_refit = refit;
}

/* ---- events --------------------------------------------------------------------------------------------------- */

json_t *vise_i_cli_event(const char *name) {
  json_t *event = json_pack("{s:s}", "event", name);
  if (is_refit) vise_i_json_put(&event, "refit", json_true());
  return event;
}

void vise_i_cli_event_write(json_t *event) {
  static const char lost[] = "{\"event\":\"warning\",\"text\":\"an event is left out: out of memory\"}\n";
  char *text = NULL, *line = NULL;
  size_t n = 0;
  bool written = false;
  const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(17);
  const bool made = vise_i_json_text(event, flags, "an event", &text, NULL, NULL) == VISE_OK;
  vise_i_cli_text_stream whole;
  if (made && vise_i_cli_text_begin(&whole, "an event", NULL) == VISE_OK) {
    vise_i_cli_put_json(whole.stream, text);
    (void)fputc('\n', whole.stream);
    written = vise_i_cli_text_end(&whole, "an event", &line, &n, NULL) == VISE_OK;
    if (written) (void)vise_i_cli_write_all(STDERR_FILENO, line, n);
  }
  if (!written) (void)vise_i_cli_write_all(STDERR_FILENO, lost, sizeof lost - 1);
  free(line);
  free(text);
  json_decref(event);
}

void vise_i_cli_event_real(json_t **event, const char *name, double value) {
  vise_i_json_put(event, name, isfinite(value) ? json_real(value) : json_null());
}

void vise_i_cli_event_count(json_t **event, const char *name, uint64_t value) {
  vise_i_json_put(event, name, json_integer((json_int_t)value));
}

/* ---- texts ---------------------------------------------------------------------------------------------------- */

void vise_i_cli_tell(vise_i_cli_tone tone, const char *format, ...) {
  static const char *const heads[] = {"warning: ", "note: ", ""};
  char text[TEXT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);

  if (!tells_events) {
    (void)fprintf(stderr, "%s%s\n", heads[tone], text);
    return;
  }
  json_t *event = vise_i_cli_event(tone == VISE_I_CLI_WARNING ? "warning" : "note");
  vise_i_json_put(&event, "text", vise_i_cli_name_json(text));
  vise_i_cli_event_write(event);
}

int vise_i_cli_report_error(unsigned command, const vise_error *err, vise_status status, int exit_code) {
  const char *name = vise_i_cli_command_of(command)->name;
  char text[TEXT_BYTES];
  vise_i_cli_translate(err->text[0] != '\0' ? err->text : vise_status_text(status), VISE_I_CLI_AS_OPTION, text,
                       sizeof text);

  if (!tells_events) {
    (void)fprintf(stderr, "vise %s: %s\n", name, text);
    if (status == VISE_ERR_USAGE) (void)fprintf(stderr, "Try 'vise %s --help' for the options.\n", name);
    return exit_code;
  }
  json_t *event = vise_i_cli_event("error");
  vise_i_json_put(&event, "text", vise_i_cli_name_json(text));
  vise_i_cli_event_count(&event, "exit_code", (uint64_t)exit_code);
  vise_i_cli_event_write(event);
  return exit_code;
}

/* The options that make the same again, as a shell takes them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/text.h"

enum { MOST_TEXT = 2000 };

static void put_word(FILE *page, const char *text) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./,:=+%@-";
  if (*text != '\0' && strspn(text, plain) == strlen(text)) {
    vise_i_cli_html_short(page, text, MOST_TEXT);
    return;
  }

  (void)fputs("&#39;", page);
  char *copy = strdup(text), *rest = copy, *part;
  if (copy == NULL) vise_i_cli_text_lacks(page);
  const char *separator = "";
  while (copy != NULL && (part = strsep(&rest, "'")) != NULL) {
    (void)fputs(separator, page);
    vise_i_cli_html_short(page, part, MOST_TEXT);
    separator = "&#39;\\&#39;&#39;";
  }
  free(copy);
  (void)fputs("&#39;", page);
}

static void put_name(FILE *page, const char *name) {
  (void)fputs(" \\\n    --", page);
  vise_i_cli_html_short(page, name, 80);
}

static void put_option(FILE *page, const char *name, const json_t *value) {
  if (json_is_null(value)) return;
  if (json_is_array(value)) {
    for (size_t i = 0; i < json_array_size(value); i++) put_option(page, name, json_array_get(value, i));
    return;
  }
  if (json_is_false(value)) {
    (void)fprintf(page, " \\\n    --%s", strncmp(name, "no-", 3) == 0 ? "" : "no-");
    vise_i_cli_html_short(page, strncmp(name, "no-", 3) == 0 ? name + 3 : name, 80);
    return;
  }

  put_name(page, name);
  if (json_is_true(value)) return;
  char *text = NULL;
  vise_status status = vise_i_cli_text_from_json(value, &text);
  if (status == VISE_ERR_FORMAT) {
    status = vise_i_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17), "the report", &text, NULL, NULL);
  }
  if (status != VISE_OK) vise_i_cli_text_lacks(page);
  (void)fputc(' ', page);
  put_word(page, text != NULL ? text : "");
  free(text);
}

void vise_i_cli_html_command(FILE *page, const char *command, const json_t *options, const char *more) {
  const char *name;
  json_t *value;
  (void)fprintf(page, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Command\"><pre>vise %s",
                command);
  json_object_foreach((json_t *)(uintptr_t)options, name, value) put_option(page, name, value);
  if (more != NULL) {
    (void)fputs(" \\\n    ", page);
    vise_i_cli_html_text(page, more);
  }
  (void)fputs("</pre></div>\n", page);
}

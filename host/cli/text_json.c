#include "host/cli/text_json.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/terminal.h"
#include "host/json/bytes.h"

#define KEY "latin-1"

json_t *vise_i_cli_text_to_json(const char *text) {
  return vise_i_json_of_bytes(text, KEY);
}

vise_status vise_i_cli_text_from_json(const json_t *value, char **out) {
  return vise_i_json_to_bytes(value, KEY, out);
}

json_t *vise_i_cli_name_json(const char *name) {
  if (name == NULL) return json_null();
  json_t *text = json_string(name);
  if (text != NULL) return text;

  vise_i_cli_plain state = {0};
  const size_t n = strlen(name);
  char *plain = malloc(n + sizeof state.begun + 2);
  if (plain == NULL) return NULL;
  size_t n_plain = vise_i_cli_plain_text(&state, name, n, plain);
  if (state.n > 0) plain[n_plain++] = '?'; /* a character that the end cut */
  plain[n_plain] = '\0';
  text = json_string(plain);
  free(plain);
  return text;
}

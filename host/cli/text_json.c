#include "host/cli/text_json.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/terminal.h"

#define KEY "latin-1"

/* Every byte as the character of its number, in UTF-8; malloc'ed. */
static char *bytes_to_utf8(const char *bytes) {
  char *text = malloc(2 * strlen(bytes) + 1), *to = text;
  if (text == NULL) return NULL;

  for (; *bytes != '\0'; bytes++) {
    const unsigned char byte = (unsigned char)*bytes;
    if (byte < 0x80) {
      *to++ = *bytes;
    } else {
      *to++ = (char)(0xc0 | byte >> 6);
      *to++ = (char)(0x80 | (byte & 0x3f));
    }
  }

  *to = '\0';
  return text;
}

json_t *vise_i_cli_text_to_json(const char *text) {
  json_t *json = json_string(text);
  if (json != NULL) return json;

  char *utf8 = bytes_to_utf8(text);
  if (utf8 != NULL) json = json_pack("{s:s}", KEY, utf8);
  free(utf8);
  return json;
}

char *vise_i_cli_text_from_object(const json_t *value) {
  const char *from = json_string_value(json_object_get(value, KEY));
  if (from == NULL || json_object_size(value) != 1) return NULL;
  char *bytes = malloc(strlen(from) + 1), *to = bytes;

  for (; bytes != NULL && *from != '\0'; from++) {
    const unsigned char first = (unsigned char)*from;
    if (first < 0x80) {
      *to++ = *from;
    } else if (first == 0xc2 || first == 0xc3) {
      *to++ = (char)(first << 6 | ((unsigned char)*++from & 0x3f));
    } else {
      free(bytes); /* a character beyond 255 */
      return NULL;
    }
  }

  if (bytes != NULL) *to = '\0';
  return bytes;
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

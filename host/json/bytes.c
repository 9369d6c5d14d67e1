#include "host/json/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/utf8.h"
#include "host/json/build.h"

json_t *vise_i_json_of_bytes(const char *text, const char *key) {
  const size_t n = strlen(text);
  if (vise_i_is_utf8(text, n)) return json_stringn_nocheck(text, n);

  char *wide = NULL;
  size_t used = 0;
  if (vise_i_alloc(&wide, 2 * n, 1, "a text", NULL) != VISE_OK) return NULL;
  for (size_t i = 0; i < n; i++) used += vise_i_utf8_put((unsigned char)text[i], wide + used);

  json_t *object = json_object();
  vise_i_json_put(&object, key, json_stringn_nocheck(wide, used));
  free(wide);
  return object;
}

/* The characters of text as bytes, in place; false: one is beyond 255. */
static bool narrow(char *text) {
  char *to = text;
  for (const unsigned char *from = (const unsigned char *)text; *from != 0; from++) {
    if (*from < 0x80) {
      *to++ = (char)*from;
    } else if ((*from & 0xfc) == 0xc0) {
      *to++ = (char)((*from & 3) << 6 | (from[1] & 0x3f));
      from++;
    } else {
      return false;
    }
  }
  *to = '\0';
  return true;
}

vise_status vise_i_json_to_bytes(const json_t *value, const char *key, char **out) {
  const json_t *wide = json_object_size(value) == 1 ? json_object_get(value, key) : NULL;
  const char *from = json_string_value(wide != NULL ? wide : value);
  char *text = NULL;
  if (from == NULL) return VISE_ERR_FORMAT;

  const vise_status status = vise_i_copy_text(&text, from, NULL);
  if (status != VISE_OK) return status;
  if (wide != NULL && !narrow(text)) {
    free(text);
    return VISE_ERR_FORMAT;
  }
  *out = text;
  return VISE_OK;
}

/* Names of columns and classes, which may be any bytes, as C has them. */
#include <ctype.h>
#include <string.h>

#include "host/export/export.h"

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void vise_i_put_in_comment(vise_i_text *text, const char *name) {
  for (; *name != '\0'; name++) {
    vise_i_text_put(text, "%c", is_alphanumeric(*name) || strchr(" ._=<>%-+()#:,", *name) != NULL ? *name : '_');
  }
}

void vise_i_put_c_string(vise_i_text *text, const char *name) {
  vise_i_text_put(text, "\"");
  for (; *name != '\0'; name++) {
    const bool plain = is_alphanumeric(*name) || strchr(" ._=<>%-+()#:,;!&'*/@[]^{|}~$`", *name) != NULL;
    vise_i_text_put(text, plain ? "%c" : "\\%03o", (unsigned char)*name);
  }
  vise_i_text_put(text, "\"");
}

static void put_identifier(vise_i_text *text, const char *name) {
  for (; *name != '\0'; name++) vise_i_text_put(text, "%c", is_alphanumeric(*name) ? toupper(*name) : '_');
}

/* Whether both are one identifier. */
static bool are_alike(const char *a, const char *b) {
  for (; *a != '\0' && *b != '\0'; a++, b++) {
    const int of_a = is_alphanumeric(*a) ? toupper(*a) : '_', of_b = is_alphanumeric(*b) ? toupper(*b) : '_';
    if (of_a != of_b) return false;
  }
  return *a == *b;
}

/* Whether another name becomes the same, or ends in a number as those do that are told apart. */
static bool needs_number(char *const *names, size_t n, size_t i) {
  const size_t length = strlen(names[i]);
  if (length == 0 || isdigit((unsigned char)names[i][length - 1])) return true;
  for (size_t k = 0; k < n; k++) {
    if (k != i && are_alike(names[i], names[k])) return true;
  }
  return false;
}

void vise_i_put_c_enum(vise_i_text *text, const char *prefix, char *const *names, size_t n) {
  vise_i_text_put(text, "enum {\n");
  for (size_t i = 0; i < n; i++) {
    vise_i_text_put(text, "  %s_", prefix);
    put_identifier(text, names[i]);
    if (needs_number(names, n, i)) vise_i_text_put(text, "_%zu", i);
    vise_i_text_put(text, " = %zu%s\n", i, i + 1 < n ? "," : "");
  }
  vise_i_text_put(text, "};\n");
}

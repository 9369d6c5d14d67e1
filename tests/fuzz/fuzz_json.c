/* Fuzz target: the reader of JSON takes what jansson takes, and makes the same of it. */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "host/json/read.h"

/* The text of a value, so that -0 and 0 differ. */
static char *dumped(const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT);
  FUZZ_CHECK(text != NULL);
  return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  json_t *value = NULL;
  json_error_t reason;
  vise_error err = VISE_ERROR_INIT;
  const char *text = n > 0 ? (const char *)bytes : "";

  json_t *wanted = json_loadb(text, n, JSON_REJECT_DUPLICATES, &reason);
  const vise_status status = vise_i_json_read("fuzz", text, n, VISE_I_JSON_LINES, &value, &err);
  fuzz_check_status(status, &err);
  if (memchr(text, '\0', n) != NULL) { /* jansson passes over one that follows a number */
    json_decref(wanted);
    wanted = NULL;
  }
  FUZZ_CHECK((value != NULL) == (wanted != NULL) && (value != NULL) == (status == VISE_OK));
  FUZZ_CHECK(status == VISE_OK || status == VISE_ERR_FORMAT);

  if (value != NULL) {
    char *a = dumped(value), *b = dumped(wanted);
    FUZZ_CHECK(json_equal(value, wanted) && strcmp(a, b) == 0);
    free(a);
    free(b);
  }

  json_decref(value);
  json_decref(wanted);
  return 0;
}

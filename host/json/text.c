#include "host/json/text.h"

#include <stdlib.h>

#include "host/base/memory.h"

vise_status vise_i_json_text(const json_t *value, size_t flags, const char *what, char **out, size_t *out_n,
                             vise_error *err) {
  vise_status status;
  char *text = NULL;

  /* A buffer of our own, since json_dumps of release 2.14 drops a key when there is no memory for it. */
  const size_t n = value != NULL ? json_dumpb(value, NULL, 0, flags) : 0;
  if (n == 0) VISE_TRY(vise_i_fail_memory(err, 0, what));
  VISE_TRY(vise_i_alloc(&text, n + 1, 1, what, err));
  if (json_dumpb(value, text, n, flags) != n) VISE_TRY(vise_i_fail_memory(err, n, what));
  text[n] = '\0';

  *out = text;
  if (out_n != NULL) *out_n = n;
  text = NULL;

done:
  free(text);
  return status;
}

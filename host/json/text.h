/* JSON values as text. */
#ifndef VISE_I_JSON_TEXT_H
#define VISE_I_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "host/base/error.h"

/* *out: value as a malloc'ed, zero-terminated text of *out_n bytes (out_n may be NULL); flags are jansson's; `what`
   names it if memory runs out. A NULL value means that making it ran out of memory. The outputs are set on success. */
VISE_WARN_UNUSED vise_status vise_i_json_text(const json_t *value, size_t flags, const char *what, char **out,
                                              size_t *out_n, vise_error *err);

#endif

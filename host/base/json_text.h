/* JSON values as text. */
#ifndef VISE_I_JSON_TEXT_H
#define VISE_I_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "host/base/error.h"

/* *out: value in jansson's flags as a malloc'ed text of *out_n bytes (out_n may be NULL) and a zero; `what` names it
   where memory is short. value may be NULL: what made it ran out of memory. The outputs are untouched on failure. */
VISE_WARN_UNUSED vise_status vise_i_json_text(const json_t *value, size_t flags, const char *what, char **out,
                                              size_t *out_n, vise_error *err);

#endif

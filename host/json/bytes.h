/* Texts that may be any bytes, such as paths and names from files, as JSON, which holds UTF-8 alone. */
#ifndef VISE_I_JSON_BYTES_H
#define VISE_I_JSON_BYTES_H

#include <jansson.h>

#include "vise/status.h"

/* A string; of a text that is not UTF-8, an object {key: string} in which each byte is the character of its number. NULL: no
   memory. */
json_t *vise_i_json_of_bytes(const char *text, const char *key);

/* The text of such a value, malloc'ed. VISE_ERR_FORMAT: it is none. VISE_ERR_MEMORY. */
VISE_WARN_UNUSED vise_status vise_i_json_to_bytes(const json_t *value, const char *key, char **out);

#endif

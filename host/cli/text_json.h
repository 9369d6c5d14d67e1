/* Texts of the command line as JSON. A path may be any bytes, JSON holds UTF-8 alone: other texts become an object with
   one key, {"latin-1": "caf\u00e9.csv"}, in which each character stands for the byte of its number. */
#ifndef VISE_I_CLI_TEXT_JSON_H
#define VISE_I_CLI_TEXT_JSON_H

#include <jansson.h>

#include "vise/status.h"

/* A new reference; NULL when out of memory. */
json_t *vise_i_cli_text_to_json(const char *text);

/* A name to show: what is not UTF-8 becomes question marks; NULL is null. */
json_t *vise_i_cli_name_json(const char *name);

/* The bytes of such a value, a string or an object, malloc'ed. VISE_ERR_FORMAT: it is neither. VISE_ERR_MEMORY. */
VISE_WARN_UNUSED vise_status vise_i_cli_text_from_json(const json_t *value, char **out);

#endif

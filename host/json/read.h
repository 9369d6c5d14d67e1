/* JSON text (RFC 8259) to values of jansson, whose own reader does not survive lack of memory. It is strict: the whole is one
   object or array, text is UTF-8 without U+0000, no key comes twice in an object, integers fit int64, reals (those with a
   fraction or an exponent) are read to the nearest double in any locale and are refused if they are too large. */
#ifndef VISE_I_JSON_READ_H
#define VISE_I_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

#include "vise/status.h"

/* Values within values, the innermost counted too. */
enum { VISE_I_JSON_MAX_DEPTH = 2048 };

/* Why a text is not JSON, and where. */
typedef struct vise_i_json_fault {
  size_t byte;   /* from 0 */
  char what[96]; /* "expected a value" */
} vise_i_json_fault;

/* Reads text[0..n), after which nothing needs to follow; *out is a new reference. VISE_ERR_FORMAT: *fault (may be NULL) says
   why. VISE_ERR_MEMORY: it says nothing. */
VISE_WARN_UNUSED vise_status vise_i_json_parse(const char *text, size_t n, json_t **out, vise_i_json_fault *fault);

/* How a message names a place: by line and column (a character), for files that people write; by byte for others. */
typedef enum vise_i_json_places { VISE_I_JSON_LINES, VISE_I_JSON_BYTES } vise_i_json_places;

/* The same with a message: "<name>:<line>:<column>: expected a value" or "<name>: is not JSON: byte <n>: expected a
   value". */
VISE_WARN_UNUSED vise_status vise_i_json_read(const char *name, const char *text, size_t n, vise_i_json_places places,
                                              json_t **out, vise_error *err);

#endif

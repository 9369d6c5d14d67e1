/* A file of JSON objects, one a line, that only grows: every line is whole or not there. */
#ifndef VISE_I_JSONL_H
#define VISE_I_JSONL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/error.h"

typedef struct vise_i_jsonl {
  int fd;           /* -1: closed */
  uint64_t n_bytes; /* written so far */
  char *path;
} vise_i_jsonl;

#define VISE_I_JSONL_INIT \
  { -1, 0, NULL }

/* Opens path and cuts it to keep_bytes (to its length if it is shorter, then *was_short, which may be NULL, is true).
   VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_open(vise_i_jsonl *file, const char *path, uint64_t keep_bytes,
                                               bool *was_short, vise_error *err);
/* Appends object (stolen, also on failure; NULL is VISE_ERR_MEMORY) as one line, reals with 17 digits. A line that
   could not be written whole is taken back. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_append(vise_i_jsonl *file, json_t *object, vise_error *err);
/* All lines are on the disk when this returns. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_sync(vise_i_jsonl *file, vise_error *err);
void vise_i_jsonl_close(vise_i_jsonl *file);

/* value, or null when it is not finite. */
json_t *vise_i_jsonl_number(double value);

#endif

/* Files of JSON: one value, or a value in each line. */
#ifndef VISE_I_CLI_JSON_FILE_H
#define VISE_I_CLI_JSON_FILE_H

#include <jansson.h>
#include <stdio.h>

#include "vise/status.h"

/* Reads a regular file whole; *out is malloc'ed, with a zero that *n does not count. VISE_ERR_IO; VISE_ERR_FORMAT: it has
   more than `most` bytes. */
VISE_WARN_UNUSED vise_status vise_i_cli_read_file(const char *path, size_t most, char **out, size_t *n,
                                                  vise_error *err);

/* The JSON in such a file of at most 16 MiB; messages name line and column. */
VISE_WARN_UNUSED vise_status vise_i_cli_json_read(const char *path, json_t **out, vise_error *err);
/* The same of what a user names: a pipe too, "-" being standard input. */
VISE_WARN_UNUSED vise_status vise_i_cli_json_read_given(const char *path, json_t **out, vise_error *err);

/* A file being read line by line. Zero but for stream and path, which are borrowed; free(text) in the end. */
typedef struct vise_i_cli_lines {
  FILE *stream;
  const char *path;
  char *text;     /* the line, its end included */
  size_t n, room; /* n: its bytes; 0: there are no more */
  size_t number;  /* from 1 */
} vise_i_cli_lines;

/* Reads the next line. A last one without an end was cut, and is none. */
VISE_WARN_UNUSED vise_status vise_i_cli_lines_next(vise_i_cli_lines *lines, vise_error *err);
/* The line as JSON. VISE_ERR_FORMAT: "<path>:<number>: this line is damaged: ...". */
VISE_WARN_UNUSED vise_status vise_i_cli_lines_json(const vise_i_cli_lines *lines, json_t **out, vise_error *err);

#endif

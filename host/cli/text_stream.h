/* Text in memory that is written through a stream, as by open_memstream, whose stream of glibc loses without a word what it
   has no memory for: this one knows. */
#ifndef VISE_I_CLI_TEXT_STREAM_H
#define VISE_I_CLI_TEXT_STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include "vise/status.h"

/* Not to be moved between begin and end. */
typedef struct vise_i_cli_text_stream {
  FILE *stream; /* to write to */
  /* The rest is private to text_stream.c. */
  char *bytes;
  size_t n, room;
} vise_i_cli_text_stream;

/* VISE_ERR_MEMORY; `what` is the text, for the message. After success end must be called. */
VISE_WARN_UNUSED vise_status vise_i_cli_text_begin(vise_i_cli_text_stream *text, const char *what, vise_error *err);
/* Says that something which belongs to the text could not be made. */
void vise_i_cli_text_lacks(FILE *stream);
/* *out: the whole text, malloc'ed, with a zero after its *n bytes (n may be NULL). VISE_ERR_MEMORY: part of it is missing. */
VISE_WARN_UNUSED vise_status vise_i_cli_text_end(vise_i_cli_text_stream *text, const char *what, char **out, size_t *n,
                                                 vise_error *err);

#endif

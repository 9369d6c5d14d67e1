/* The bytes of a table: a file, a pipe, standard input or memory; gz, zst, xz and bz2 data are unpacked on the way. */
#ifndef VISE_I_SOURCE_H
#define VISE_I_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "host/base/error.h"

struct archive;

enum { VISE_I_SOURCE_HEAD = 8, VISE_I_SOURCE_CHUNK = 1 << 16 };

/* Not to be moved once open (libarchive points into it). */
typedef struct vise_i_source {
  const char *name; /* for messages; borrowed */
  /* The rest is private to source.c. */
  int fd;               /* -1: memory, or all was unpacked at once */
  bool owns_fd;         /* not standard input */
  FILE *spool;          /* what a pipe has given so far, since it cannot be read twice; NULL: not a pipe */
  bool from_spool;      /* read again: the spool comes first */
  const uint8_t *bytes; /* of memory, borrowed */
  size_t n_bytes, at;
  size_t file_bytes; /* 0: not known */
  uint8_t *unpacked; /* owns bytes */
  uint8_t head[VISE_I_SOURCE_HEAD];
  size_t n_head, head_at; /* read to tell what it is, given out first */
  struct archive *archive;
  bool unpacking;     /* the head is one of the content, and libarchive has had the packed one */
  uint8_t *chunk;     /* for libarchive */
  vise_error failure; /* of a read within libarchive */
} vise_i_source;

/* Opens `path` ("-": standard input). VISE_ERR_IO (missing, a folder), VISE_ERR_FORMAT (empty; no text: ZIP, UTF-16,
   NPY). After success the caller calls vise_i_source_close. */
VISE_WARN_UNUSED vise_status vise_i_source_open(vise_i_source *source, const char *path, vise_error *err);
/* The same over memory, which is borrowed. */
VISE_WARN_UNUSED vise_status vise_i_source_open_memory(vise_i_source *source, const char *name, const uint8_t *bytes,
                                                       size_t n, vise_error *err);
/* NULL is allowed, and one that is closed. */
void vise_i_source_close(vise_i_source *source);

/* The next n bytes of the content; *got < n only at its end. Damaged data: VISE_ERR_FORMAT. */
VISE_WARN_UNUSED vise_status vise_i_source_read(vise_i_source *source, void *buffer, size_t n, size_t *got,
                                                vise_error *err);
/* The share of the bytes that was taken so far; 0: not known, as of a pipe. */
double vise_i_source_done(const vise_i_source *source);
/* From the beginning again. */
VISE_WARN_UNUSED vise_status vise_i_source_rewind(vise_i_source *source, vise_error *err);

#endif

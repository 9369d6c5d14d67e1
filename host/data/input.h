/* The bytes of a data file, from disk or from memory, gunzipped on the way if they are gzip data; or those of an array
   in an .npz, which is named as "FILE.npz:NAME", or by FILE.npz alone if it has one array. */
#ifndef VISE_I_INPUT_H
#define VISE_I_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "host/base/error.h"

struct archive;

typedef enum vise_i_kind { VISE_I_KIND_NPY, VISE_I_KIND_IDX, VISE_I_KIND_CSV } vise_i_kind;

enum { VISE_I_INPUT_HEAD = 8 };

/* Zero it with `= {0}` or open it before closing it. It must not move once open (zlib points into it). */
typedef struct vise_i_input {
  const char *name; /* the path, for messages; borrowed */
  vise_i_kind kind; /* by the first bytes of the content, then by the name */
  bool gzip;
  size_t max_bytes;        /* most memory that its values may take; 0: half of what is free */
  struct archive *archive; /* of a member of an .npz, which is always of kind NPY; else NULL */
  size_t n_bytes;          /* of the file or memory as it is (compressed, if gzip); of the member, unpacked */

  /* The rest is private to input.c. */
  int fd;               /* if bytes == NULL */
  const uint8_t *bytes; /* the memory, or NULL */
  size_t offset;        /* of the next raw byte */
  uint8_t head[VISE_I_INPUT_HEAD];
  size_t n_head, head_offset; /* content read to tell the kind, returned first */
  z_stream z;
  bool z_live, z_ended; /* z_ended: at the end of a gzip member */
  uint8_t *z_in;
} vise_i_input;

/* Opens a regular file that is not empty and tells its kind. VISE_ERR_IO (missing, a folder, a pipe, unreadable),
   VISE_ERR_FORMAT, VISE_ERR_USAGE (no such array in an .npz). After success the caller calls vise_i_input_close. */
VISE_WARN_UNUSED vise_status vise_i_input_open(vise_i_input *input, const char *path, vise_error *err);
/* The same over memory, which is borrowed. */
VISE_WARN_UNUSED vise_status vise_i_input_open_memory(vise_i_input *input, const char *name, const uint8_t *bytes,
                                                      size_t n, vise_error *err);
void vise_i_input_close(vise_i_input *input);

/* Reads the next n bytes of the content (after gunzip); *got < n only at its end. Damaged, truncated or trailing gzip
   data: VISE_ERR_FORMAT. */
VISE_WARN_UNUSED vise_status vise_i_input_read(vise_i_input *input, void *buffer, size_t n, size_t *got,
                                               vise_error *err);

/* All gzip content at once into out[0..n), which it must fill exactly. Much faster than vise_i_input_read and
   independent of its position; holds the compressed bytes in memory meanwhile. */
VISE_WARN_UNUSED vise_status vise_i_input_gunzip(vise_i_input *input, void *out, size_t n, vise_error *err);

#endif

/* Arrays within .npz files: ZIP archives of NPY files, stored or deflated, as numpy.savez writes them. */
#ifndef VISE_I_NPZ_H
#define VISE_I_NPZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/error.h"

struct archive;

/* Where an archive lies: a file that can be read from any place, or memory (bytes not NULL). Borrowed. */
typedef struct vise_i_npz {
  const char *name; /* of the archive, for messages */
  int fd;
  const uint8_t *bytes;
  size_t n_bytes;
} vise_i_npz;

/* The member that a path names, as in "data.npz:x": what follows ".npz:"; NULL: none. */
const char *vise_i_npz_member(const char *path);

/* Opens a member ("x" or "x.npy"; NULL: the only array) for archive_read_data; *n_content is how many bytes it has.
   VISE_ERR_FORMAT (damaged), VISE_ERR_USAGE (no such member; names those there are). archive_read_free(*out). */
VISE_WARN_UNUSED vise_status vise_i_npz_open(const vise_i_npz *npz, const char *member, struct archive **out,
                                             size_t *n_content, vise_error *err);
/* The next n bytes of the member; *got < n only at its end. */
VISE_WARN_UNUSED vise_status vise_i_npz_read(struct archive *archive, const char *name, uint8_t *out, size_t n,
                                             size_t *got, vise_error *err);

#endif

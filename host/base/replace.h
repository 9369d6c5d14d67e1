/* Replacing files of a folder by a new one, all or none, whenever the process is killed: what goes away is first moved
   into a hidden folder beside it, the new file is put in place with one rename, and then the hidden folder is removed. */
#ifndef VISE_I_REPLACE_H
#define VISE_I_REPLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"

/* The name of the hidden folder begins with it. */
#define VISE_I_REPLACED_NAME "vise-replaced"

typedef struct vise_i_replacement {
  const char *dir;
  const char *const *gone; /* names in dir, or "<folder>/<name>"; those that are missing are passed over */
  size_t n_gone;
  const char *name; /* the new file, which may be there already; NULL: there is none */
  const void *bytes;
  size_t n_bytes;
} vise_i_replacement;

/* On failure *changed says whether something is not as it was: the new file is in place but may not last, or what was
   moved could not be moved back, which the next recovery does. After success, remains (a cleared error) says why what
   went away could not be removed from the hidden folder, which the next recovery does too. VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_replace(const vise_i_replacement *r, bool *changed, vise_error *remains,
                                            vise_error *err);

/* Undoes a replacement whose process ended before the new file was in place, and finishes one that ended after it. No
   other process may be replacing files in dir. *changed: something was moved back. VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_replace_recover(const char *dir, bool *changed, vise_error *err);

/* Whether a name in a folder is that of the hidden one. */
bool vise_i_replace_is_hidden(const char *name);

#endif

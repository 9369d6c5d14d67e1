/* Temporary files and folders: what is being made beside its final place. Their names, "<name>.tmp-<pid>-<machine>-<random>",
   cannot be guessed, and say whether their maker still runs; of a long name the end is left away. Earlier versions wrote
   "<name>.tmp-<pid>-<number>" and "<name>.tmp-<pid>", which are known too. */
#ifndef VISE_I_TEMPORARY_H
#define VISE_I_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"

/* Opens a new file beside path for writing; *out is its path (malloc'ed). VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_temporary_file(const char *path, char **out, int *fd, vise_error *err);
/* Makes a new, empty folder beside path, with a dot before its name; *out is its path (malloc'ed). VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_temporary_dir(const char *path, char **out, vise_error *err);

/* Who made what has a temporary name. */
typedef enum vise_i_maker {
  VISE_I_MAKER_NONE, /* the name is not a temporary one */
  VISE_I_MAKER_SELF, /* this process, or one with its number before it */
  VISE_I_MAKER_RUNS,
  VISE_I_MAKER_ENDED,
  VISE_I_MAKER_ELSEWHERE /* a process of another machine or container, of which nothing is known */
} vise_i_maker;

/* *n_stem (may be NULL): the length of what stands before ".tmp-". */
vise_i_maker vise_i_temporary_maker(const char *name, size_t *n_stem);
/* Whether name is a temporary one whose maker does not write to it any more, provided that this process does not, and
   that a lock keeps those of other machines away. */
bool vise_i_temporary_is_abandoned(const char *name);
/* Removes the files that processes of this machine that have ended were making for path, as far as that can be done. */
void vise_i_temporary_remove_abandoned(const char *path);

#endif

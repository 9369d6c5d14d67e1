/* Temporary files and folders: what is being made beside its final place. Their names, "<name>.tmp-<pid>-<number>", are
   those of no other process or thread, and say whether their maker still runs. */
#ifndef VISE_I_TEMPORARY_H
#define VISE_I_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "host/base/error.h"

/* Opens a new file beside path for writing; *out is its path (malloc'ed). VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_temporary_file(const char *path, char **out, FILE **stream, vise_error *err);
/* Makes a new, empty folder beside path, with a dot before its name; *out is its path (malloc'ed). VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_temporary_dir(const char *path, char **out, vise_error *err);

/* Whether name is a temporary one; *n_stem (may be NULL): the length of what stands before ".tmp-". */
bool vise_i_temporary_is(const char *name, size_t *n_stem);
/* Whether the process that made it has ended on this machine, or is this one: nobody writes to it any more, if this
   process does not. */
bool vise_i_temporary_is_abandoned(const char *name);

#endif

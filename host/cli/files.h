/* Places for files that will be written. */
#ifndef VISE_I_CLI_FILES_H
#define VISE_I_CLI_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "vise/status.h"

/* Fails with VISE_ERR_IO when the folder that path lies in does not exist or cannot be written. */
VISE_WARN_UNUSED vise_status vise_i_cli_check_folder(const char *path, vise_error *err);
/* Whether both name one file, which need not exist yet: "a" and "./a", or a link and what it leads to. */
bool vise_i_cli_same_file(const char *a, const char *b);

/* Where standard input, output or error is closed, nothing that is opened may come to be it: what is read from it or
   written to it fails, as before. To be called first. */
void vise_i_cli_keep_standard_files(void);

/* Writes all of it; interrupted calls go on. false: errno says why. */
bool vise_i_cli_write_all(int file, const void *bytes, size_t n);
/* Writes a file under a temporary name beside it, syncs and renames it. Errors: VISE_ERR_IO, and nothing is left. */
VISE_WARN_UNUSED vise_status vise_i_cli_file_save(const char *path, const char *text, size_t n, vise_error *err);

#endif

/* Files and places for them. */
#ifndef VISE_I_CLI_FILES_H
#define VISE_I_CLI_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vise/status.h"

/* Fails with VISE_ERR_IO when no file can be written there: the folder that path lies in does not exist or cannot be
   written, or what is there, or what a link there leads to, is a folder or a special file. */
VISE_WARN_UNUSED vise_status vise_i_cli_check_output(const char *path, vise_error *err);
/* Whether both name one file, which need not exist yet: "a" and "./a", or a link and what it leads to. */
bool vise_i_cli_same_file(const char *a, const char *b);
/* Fails with VISE_ERR_USAGE if out (NULL is fine) is the file of the model, or the one in its folder. */
VISE_WARN_UNUSED vise_status vise_i_cli_check_spares_model(const char *out, const char *model, vise_error *err);
/* Whether something is there. Only a missing file, or folder on the way, means no; VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_cli_exists(const char *path, bool *out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_exists_in(const char *dir, const char *name, bool *out, vise_error *err);

/* Where standard input, output or error is closed, nothing that is opened may come to be it: what is read from it or
   written to it fails, as before. To be called first. */
void vise_i_cli_keep_standard_files(void);

/* Opens a regular file for reading; of anything else nothing is waited for. NULL: vise_i_cli_open_error says why. */
FILE *vise_i_cli_open(const char *path);
/* Opens a file of the tool's own for reading and writing, which is made if it is missing; a link is not followed. -1:
   vise_i_cli_open_error says why. flags are added to those of open. */
int vise_i_cli_open_own(const char *path, int flags);
/* What errno says after one of these. */
const char *vise_i_cli_open_error(void);

/* Writes all of it, or cuts the file; interrupted calls go on. false: errno says why. */
bool vise_i_cli_write_all(int file, const void *bytes, size_t n);
bool vise_i_cli_cut(int file, uint64_t n_bytes);

#endif

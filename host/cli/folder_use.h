/* Whether a process is at work in a folder: it holds a lock on a file there, which others ask for and never take. */
#ifndef VISE_I_CLI_FOLDER_USE_H
#define VISE_I_CLI_FOLDER_USE_H

typedef enum vise_i_cli_use_state {
  VISE_I_CLI_UNUSED, /* or there is no such file */
  VISE_I_CLI_USED,
  VISE_I_CLI_USE_UNKNOWN /* the file cannot be opened, or its file system has no locks */
} vise_i_cli_use_state;

/* Whether somebody holds the file at path by vise_i_cli_use_show, or by a run's lock. */
vise_i_cli_use_state vise_i_cli_use_of(const char *path);
/* Shows that the open file is in use, until it is closed. Best effort: it locks nobody out. */
void vise_i_cli_use_show(int file);

#endif

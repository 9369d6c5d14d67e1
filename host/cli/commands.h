/* What is said of the commands, in the help and the manual. */
#ifndef VISE_I_CLI_COMMANDS_H
#define VISE_I_CLI_COMMANDS_H

#include <stddef.h>

#include "vise/options.h"

typedef struct vise_i_cli_command {
  unsigned bit; /* VISE_COMMAND_... */
  const char *name, *topic, *summary;
  const char *about;       /* a paragraph; names of options stand in backquotes */
  const char *examples[5]; /* up to four, ended by NULL */
} vise_i_cli_command;

/* In the order of the help, ended by a row without name. */
extern const vise_i_cli_command vise_i_cli_commands[];

/* The command of that bit, or name; NULL: none. */
const vise_i_cli_command *vise_i_cli_command_of(unsigned bit);
const vise_i_cli_command *vise_i_cli_command_named(const char *name);

#endif

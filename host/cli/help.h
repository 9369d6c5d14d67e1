/* The help, made from the rows of options and commands. Lines are at most 80 columns wide. */
#ifndef VISE_I_CLI_HELP_H
#define VISE_I_CLI_HELP_H

#include <stdio.h>

#include "host/cli/commands.h"
#include "host/cli/options.h"

/* vise --help: examples and commands, on one screen. */
void vise_i_cli_help(FILE *stream);
/* vise COMMAND --help: examples and the most used options, on one screen; or with `all` every option with its default
   and range. */
void vise_i_cli_help_command(FILE *stream, const vise_i_cli_command *command, bool all);
/* vise help OPTION: that option as each command has it; false if none has it. */
bool vise_i_cli_help_option(FILE *stream, const char *name);

/* The whole text on an option: what it does, the values it takes, its default, how to negate it. The names of options
   in it are written as on the command line. */
void vise_i_cli_describe(const vise_option *row, unsigned command, char *buffer, size_t n_bytes);
/* "--clip-norm X". */
void vise_i_cli_label(const vise_option *row, char *buffer, size_t n_bytes);
/* The default of an option in that command; empty: none that could be typed. */
void vise_i_cli_default(const vise_option *row, unsigned command, char *buffer, size_t n_bytes);

#endif

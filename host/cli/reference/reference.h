/* Manual pages, completions and docs/options.md, made from the rows of options and commands. */
#ifndef VISE_I_CLI_REFERENCE_H
#define VISE_I_CLI_REFERENCE_H

#include <stdio.h>

#include "host/cli/help.h"

/* vise.1 if command is NULL, else vise-COMMAND.1. */
void vise_i_cli_write_man(FILE *stream, const vise_i_cli_command *command);

void vise_i_cli_write_bash(FILE *stream);
void vise_i_cli_write_zsh(FILE *stream);
void vise_i_cli_write_fish(FILE *stream);

void vise_i_cli_write_markdown(FILE *stream);

#endif

/* Warnings: printed to standard error as they come up, and kept for the report of a run. */
#ifndef VISE_I_CLI_WARNINGS_H
#define VISE_I_CLI_WARNINGS_H

#include "host/cli/setup.h"

typedef struct vise_i_cli_warnings {
  char **texts;
  size_t n;
} vise_i_cli_warnings;

/* Prints and keeps one. What memory has no room for is printed all the same. */
void vise_i_cli_warn(vise_i_cli_warnings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Keeps one that was printed already. */
void vise_i_cli_warnings_keep(vise_i_cli_warnings *list, const char *text);
void vise_i_cli_warnings_free(vise_i_cli_warnings *list);

/* What a friend would say before the first step: of the learning rate, of classes of few rows, of features of very
   different scale. options hold what was resolved. */
void vise_i_cli_warn_of_start(vise_i_cli_warnings *list, const vise_i_cli_options *options,
                              const vise_i_cli_setup *setup);
/* Of options that were given and do nothing beside the others (warn_idle.c). */
void vise_i_cli_warn_of_idle(vise_i_cli_warnings *list, const vise_i_cli_options *options);
/* After the training: of the first layer that has no weight but 0. */
void vise_i_cli_warn_of_zeros(vise_i_cli_warnings *list, const vise_train_config *training, const vise_model *model);

#endif

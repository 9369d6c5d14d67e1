/* From options to data sets and a model, for train and check. */
#ifndef VISE_I_CLI_SETUP_H
#define VISE_I_CLI_SETUP_H

#include "host/cli/options.h"

typedef struct vise_i_cli_setup {
  vise_dataset *train, *validation, *test; /* validation and test may be NULL */
  vise_model *model;
  size_t n_classes; /* that the labels need; 0: they are not class labels */
  bool made_up;     /* the rows are random numbers (check without --train) */
} vise_i_cli_setup;

/* Reads and splits the data, fills in "auto" sizes (options->net becomes what is used) and
   makes the initial model. *setup must be freed on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_setup_make(vise_i_cli_options *options, vise_i_cli_setup *setup,
                                                   vise_error *err);
void vise_i_cli_setup_free(vise_i_cli_setup *setup);

#endif

/* Recipes: defaults that go together. Whatever option is given wins over them. */
#ifndef VISE_I_CLI_RECIPE_H
#define VISE_I_CLI_RECIPE_H

#include <stdio.h>

#include "host/cli/options.h"

/* Sets what the recipe for tables says of the data, before they are split: n_rows, those of the table. Settles auto. */
VISE_WARN_UNUSED vise_status vise_i_cli_recipe_for_data(vise_i_cli_options *options, size_t n_rows, vise_error *err);
/* Sets the rest: n_rows to train on, n_features columns that they have. */
VISE_WARN_UNUSED vise_status vise_i_cli_recipe_for_training(vise_i_cli_options *options, size_t n_rows,
                                                            size_t n_features, bool has_validation, vise_error *err);

/* What the recipes set, for vise info --recipes. */
void vise_i_cli_recipe_print(FILE *stream);

#endif

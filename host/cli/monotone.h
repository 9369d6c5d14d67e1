#ifndef VISE_I_CLI_MONOTONE_H
#define VISE_I_CLI_MONOTONE_H

#include "host/cli/options.h"

/* Gives the model the signs that --monotone asks for; preprocessor: of a table, NULL for arrays. */
VISE_WARN_UNUSED vise_status vise_i_cli_make_monotone(const vise_i_cli_options *options,
                                                      const vise_preprocessor *preprocessor, vise_model *model,
                                                      vise_error *err);

#endif

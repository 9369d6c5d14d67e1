/* vise train --init: the net is that of the file. */
#ifndef VISE_I_CLI_ADOPT_H
#define VISE_I_CLI_ADOPT_H

#include "host/cli/options.h"

/* Takes into options->net what the file's net is where nothing else was typed. What has tensors there (sizes, biases, batch
   norm) may not be contradicted; typed activations, dropout and residuals replace the file's. */
VISE_WARN_UNUSED vise_status vise_i_cli_adopt_net(vise_i_cli_options *options, const vise_model *initial,
                                                  vise_error *err);

/* A model of that net, with the file's weights and running statistics. */
VISE_WARN_UNUSED vise_status vise_i_cli_adopt_model(const vise_i_cli_options *options, const vise_model *initial,
                                                    vise_dtype dtype, vise_model **out, vise_error *err);

#endif

/* What a net is, in words and as JSON. */
#ifndef VISE_I_CLI_NET_TEXT_H
#define VISE_I_CLI_NET_TEXT_H

#include <jansson.h>

#include "host/cli/options.h"

/* What a vise_net_config can say of a model's net. */
vise_net_config vise_i_cli_describe_net(const vise_model *model);

/* "784-128-10, 101770 parameters, relu, batch norm", without an end of line. */
void vise_i_cli_print_net(FILE *stream, const vise_net_config *net, size_t n_parameters);
/* ", batch norm, dropout 0.2, residual": what its hidden layers have besides; nothing for most nets. */
void vise_i_cli_print_extras(FILE *stream, const vise_net_config *net);

/* A new reference. */
json_t *vise_i_cli_net_json(const vise_model *model);

#endif

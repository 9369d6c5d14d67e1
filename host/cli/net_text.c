#include "host/cli/net_text.h"

#include "host/cli/cli.h"
#include "host/json/build.h"

vise_net_config vise_i_cli_describe_net(const vise_model *model) {
  vise_net_config net;
  vise_net_config_init(&net);
  net.n_layers = vise_model_n_layers(model);
  for (size_t i = 0; i <= net.n_layers; i++) net.widths[i] = vise_model_width(model, i);
  net.activation = vise_model_activation(model);
  net.bias = vise_model_has_bias(model);

  for (size_t i = 0; i < vise_model_n_listed(model); i++) {
    vise_layer layer;
    vise_model_layer(model, i, &layer);
    if (layer.kind == VISE_LAYER_BATCH_NORM) net.batch_norm = true;
    if (layer.kind == VISE_LAYER_RESIDUAL) net.residual = true;
    if (layer.kind == VISE_LAYER_DROPOUT && layer.dropout > 0) {
      *(i == 0 ? &net.input_dropout : &net.dropout) = layer.dropout;
    }
  }
  return net;
}

void vise_i_cli_print_extras(FILE *stream, const vise_net_config *net) {
  bool adds = false;
  for (size_t l = 0; l + 1 < net->n_layers; l++) adds = adds || (net->residual && net->widths[l] == net->widths[l + 1]);

  if (net->batch_norm && net->n_layers > 1) (void)fprintf(stream, ", batch norm");
  if (net->input_dropout > 0) (void)fprintf(stream, ", input dropout %g", net->input_dropout);
  if (net->dropout > 0 && net->n_layers > 1) (void)fprintf(stream, ", dropout %g", net->dropout);
  if (adds) (void)fprintf(stream, ", residual");
}

void vise_i_cli_print_net(FILE *stream, const vise_net_config *net, size_t n_parameters) {
  vise_i_cli_print_widths(stream, net);
  (void)fprintf(stream, "%s, %zu parameter%s, %s", net->bias ? "" : " without biases", n_parameters,
                vise_i_cli_plural(n_parameters),
                net->n_layers == 1 ? "a linear model" : vise_activation_name(net->activation));
  vise_i_cli_print_extras(stream, net);
}

json_t *vise_i_cli_net_json(const vise_model *model) {
  const vise_net_config net = vise_i_cli_describe_net(model);
  json_t *widths = json_array();
  for (size_t i = 0; i <= net.n_layers; i++) {
    vise_i_json_add(&widths, json_integer((json_int_t)net.widths[i]));
  }
  return json_pack("{s:o, s:s, s:b, s:I, s:b, s:f, s:f, s:b}", "widths", widths, "activation",
                   vise_activation_name(net.activation), "bias", (int)net.bias, "parameters",
                   (json_int_t)vise_model_n_parameters(model), "batch_norm", (int)net.batch_norm, "dropout",
                   net.dropout, "input_dropout", net.input_dropout, "residual", (int)net.residual);
}

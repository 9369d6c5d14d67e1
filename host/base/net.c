#include "host/base/net.h"

#include <stdio.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/struct.h"

/* The generator that draws parameters counts them in 32 bits; everything else uses size_t. */
#define MAX_TENSOR_ELEMENTS ((size_t)UINT32_MAX)

static void add_tensor(vise_i_net *net, size_t layer, size_t n_rows, size_t n_cols, bool is_bias) {
  vise_i_tensor *tensor = &net->tensors[net->n_tensors++];
  tensor->offset = net->n_params;
  tensor->n_rows = n_rows;
  tensor->n_cols = n_cols;
  tensor->layer = layer;
  tensor->is_bias = is_bias;
  snprintf(tensor->name, sizeof tensor->name, "%zu.%s", 2 * layer, is_bias ? "bias" : "weight");
  net->n_params += n_rows * n_cols;
}

vise_status vise_i_net_make(const vise_net_config *given, vise_i_net *out, vise_error *err) {
  vise_net_config own;
  const vise_net_config *config = &own;
  vise_net_config_init(&own);
  const vise_status status = vise_i_config_take(&own, sizeof own, given, "vise_net_config", err);
  if (status != VISE_OK) return status;

  if (config->n_layers < 1 || config->n_layers > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: %zu linear layers, expected 1 to %d", config->n_layers,
                       VISE_MAX_LAYERS);
  }
  if ((size_t)config->activation >= (size_t)vise_activation_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "net: unknown activation %d", (int)config->activation);
  }

  vise_i_net net;
  memset(&net, 0, sizeof net);
  net.n_layers = config->n_layers;
  net.activation = config->activation;
  net.bias = config->bias;

  for (size_t i = 0; i <= config->n_layers; ++i) {
    size_t width = config->widths[i];
    if (width < 1 || width > VISE_MAX_WIDTH) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "net: width %zu at position %zu, expected 1 to %d", width, i,
                         VISE_MAX_WIDTH);
    }
    net.widths[i] = width;
  }

  for (size_t l = 0; l < config->n_layers; ++l) {
    size_t n;
    if (!vise_i_size_mul(net.widths[l], net.widths[l + 1], &n) || n > MAX_TENSOR_ELEMENTS) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "net: layer %zu has %zu x %zu weights, more than %zu", l,
                         net.widths[l + 1], net.widths[l], MAX_TENSOR_ELEMENTS);
    }
    add_tensor(&net, l, net.widths[l + 1], net.widths[l], false);
    if (net.bias) add_tensor(&net, l, net.widths[l + 1], 1, true);
  }

  *out = net;
  return VISE_OK;
}

size_t vise_i_net_weight(const vise_i_net *net, size_t layer) {
  return net->bias ? 2 * layer : layer;
}

size_t vise_i_net_bias(const vise_i_net *net, size_t layer) {
  return vise_i_net_weight(net, layer) + 1;
}

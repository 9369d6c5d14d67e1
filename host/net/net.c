#include "host/net/net.h"

#include <stdio.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/net/kinds.h"

/* The generator that draws parameters counts them in 32 bits; everything else uses size_t. */
#define MAX_TENSOR_ELEMENTS ((size_t)UINT32_MAX)

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static vise_status check_width(size_t width, size_t i, vise_error *err) {
  if (width >= 1 && width <= VISE_MAX_WIDTH) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_SHAPE, "net: width %zu at position %zu, expected 1 to %d", width, i, VISE_MAX_WIDTH);
}

static vise_status check_linear(const vise_i_net *net, size_t n_out, vise_error *err) {
  const size_t l = net->n_layers;
  size_t n;
  if (l == VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: more than %d linear layers", VISE_MAX_LAYERS);
  }

  const vise_status status = check_width(n_out, l + 1, err);
  if (status != VISE_OK) return status;
  if (!vise_i_size_mul(net->widths[l], n_out, &n) || n > MAX_TENSOR_ELEMENTS) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: layer %zu has %zu x %zu weights, more than %zu", l, n_out,
                       net->widths[l], MAX_TENSOR_ELEMENTS);
  }
  return VISE_OK;
}

static vise_status check_residual(const vise_i_net *net, const vise_layer *layer, size_t i, vise_error *err) {
  const size_t l = net->n_layers - 1;
  const vise_i_block *block = &net->blocks[l];
  if (layer->span != i - block->linear) {
    return vise_i_fail(
        err, VISE_ERR_SHAPE,
        "net: layer %zu, residual over %zu layers: expected %zu, those of its block from the linear one on", i,
        layer->span, i - block->linear);
  }
  if (net->widths[l] != net->widths[l + 1]) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "net: layer %zu, residual: its block makes %zu values of %zu; expected as many", i,
                       net->widths[l + 1], net->widths[l]);
  }
  return VISE_OK;
}

static vise_status check_layer(const vise_i_net *net, const vise_layer *layer, size_t i, vise_error *err) {
  if ((size_t)layer->kind >= (size_t)vise_layer_kind_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "net: layer %zu has the unknown kind %d", i, (int)layer->kind);
  }
  if (layer->kind == VISE_LAYER_LINEAR) return check_linear(net, layer->width, err);

  const vise_i_kind *kind = vise_i_kind_of(layer->kind);
  const bool is_input_dropout = i == 0 && layer->kind == VISE_LAYER_DROPOUT;
  const bool in_order = net->n_layers > 0 && vise_i_kind_of(net->layers[i - 1].kind)->place < kind->place;
  if (!is_input_dropout && !in_order) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: layer %zu, %s, is out of place: expected after %s", i,
                       vise_layer_kind_name(layer->kind), kind->after);
  }

  if (layer->kind == VISE_LAYER_ACTIVATION && (size_t)layer->activation >= (size_t)vise_activation_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "net: layer %zu has the unknown activation %d", i, (int)layer->activation);
  }
  if (layer->kind == VISE_LAYER_DROPOUT && !(layer->dropout >= 0 && layer->dropout < 1)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "net: layer %zu, dropout %g: expected 0 <= P < 1", i, layer->dropout);
  }
  return layer->kind == VISE_LAYER_RESIDUAL ? check_residual(net, layer, i, err) : VISE_OK;
}

/* ---- layers and blocks ------------------------------------------------------------------------------------------- */

static void begin_block(vise_i_net *net, size_t n_out) {
  vise_i_block *block = &net->blocks[net->n_layers++];
  *block = (vise_i_block){.weight = VISE_I_NO_TENSOR,
                          .bias = VISE_I_NO_TENSOR,
                          .gain = VISE_I_NO_TENSOR,
                          .shift = VISE_I_NO_TENSOR,
                          .running_mean = VISE_I_NO_TENSOR,
                          .running_variance = VISE_I_NO_TENSOR,
                          .linear = net->n_listed,
                          .activation = VISE_IDENTITY};
  net->widths[net->n_layers] = n_out;
}

/* What the last block, or the net's inputs, take from one more layer. */
static void note_in_block(vise_i_net *net, const vise_layer *layer) {
  vise_i_block *block = net->n_layers > 0 ? &net->blocks[net->n_layers - 1] : NULL;
  double *dropout = block ? &block->dropout : &net->input_dropout;

  if (layer->kind == VISE_LAYER_DROPOUT) *dropout = layer->dropout;
  if (layer->kind == VISE_LAYER_BATCH_NORM) block->batch_norm = true;
  if (layer->kind == VISE_LAYER_RESIDUAL) block->residual = true;
  if (layer->kind == VISE_LAYER_ACTIVATION) {
    block->activation = layer->activation;
    block->has_activation = true;
  }
}

static void add_layer(vise_i_net *net, const vise_layer *layer, size_t *n_modules) {
  vise_i_layer *to = &net->layers[net->n_listed];
  const size_t n_in = net->widths[net->n_layers];
  if (layer->kind == VISE_LAYER_LINEAR) begin_block(net, layer->width);
  note_in_block(net, layer);

  *to = (vise_i_layer){.kind = layer->kind,
                       .n_in = n_in,
                       .n_out = net->widths[net->n_layers],
                       .block = net->n_layers > 0 ? net->n_layers - 1 : 0,
                       .activation = layer->activation,
                       .dropout = layer->dropout,
                       .from = net->n_listed - layer->span,
                       .module = *n_modules};
  if (vise_i_kind_of(layer->kind)->is_module) (*n_modules)++;
  net->n_listed++;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static size_t *index_of_role(vise_i_block *block, vise_i_role role) {
  switch (role) {
    case VISE_I_WEIGHT:
      return &block->weight;
    case VISE_I_BIAS:
      return &block->bias;
    case VISE_I_GAIN:
      return &block->gain;
    case VISE_I_SHIFT:
      return &block->shift;
    case VISE_I_RUNNING_MEAN:
      return &block->running_mean;
    case VISE_I_RUNNING_VARIANCE:
      break;
  }
  return &block->running_variance;
}

static void add_tensor(vise_i_net *net, const vise_i_layer *layer, vise_i_role role) {
  vise_i_tensor *tensor = &net->tensors[net->n_all_tensors];
  *index_of_role(&net->blocks[layer->block], role) = net->n_all_tensors++;

  *tensor = (vise_i_tensor){.offset = net->n_values,
                            .n_rows = layer->n_out,
                            .n_cols = role == VISE_I_WEIGHT ? layer->n_in : 1,
                            .layer = layer->block,
                            .role = role,
                            .is_bias = role != VISE_I_WEIGHT};
  snprintf(tensor->name, sizeof tensor->name, "%zu.%s", layer->module, vise_i_role_name(role));
  net->n_values += vise_i_tensor_n(tensor);
}

/* Adds the trained tensors of all layers, or the others. biases: [linear layer]. */
static void add_tensors(vise_i_net *net, const bool *biases, bool trained) {
  for (size_t i = 0; i < net->n_listed; i++) {
    const vise_i_layer *layer = &net->layers[i];
    const vise_i_kind *kind = vise_i_kind_of(layer->kind);
    for (size_t k = 0; k < kind->n_tensors; k++) {
      const bool wanted = kind->roles[k] != VISE_I_BIAS || biases[layer->block];
      if (wanted && vise_i_role_is_trained(kind->roles[k]) == trained) add_tensor(net, layer, kind->roles[k]);
    }
  }

  if (!trained) return;
  net->n_tensors = net->n_all_tensors;
  net->n_params = net->n_values;
}

/* ---- nets -------------------------------------------------------------------------------------------------------- */

/* Layer i of a list whose structs may be of another size than this build's. */
static vise_status take_layer(const vise_layer *layers, size_t i, vise_layer *out, vise_error *err) {
  const vise_layer *given = (const vise_layer *)(const void *)((const char *)layers + i * layers->struct_size);
  vise_layer_init(out);
  return vise_i_config_take(out, sizeof *out, given, "vise_layer", err);
}

static vise_status check_end(const vise_i_net *net, vise_error *err) {
  if (net->n_layers == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: 0 linear layers, expected 1 to %d", VISE_MAX_LAYERS);
  }
  const vise_i_layer *last = &net->layers[net->n_listed - 1];
  if (last->kind == VISE_LAYER_LINEAR) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_SHAPE,
                     "net: it ends with %s; expected a linear layer, to whose outputs the loss applies what it needs",
                     vise_layer_kind_name(last->kind));
}

vise_status vise_i_net_of_layers(size_t n_inputs, const vise_layer *layers, size_t n_layers, vise_i_net *out,
                                 vise_error *err) {
  vise_status status;
  vise_i_net net;
  bool biases[VISE_MAX_LAYERS] = {false};
  size_t n_modules = 0;

  memset(&net, 0, sizeof net);
  if (n_layers > VISE_I_MOST_LISTED) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: %zu layers, expected at most %d", n_layers, VISE_I_MOST_LISTED);
  }
  VISE_TRY(check_width(n_inputs, 0, err));
  net.widths[0] = n_inputs;

  for (size_t i = 0; i < n_layers; i++) {
    vise_layer layer;
    VISE_TRY(take_layer(layers, i, &layer, err));
    VISE_TRY(check_layer(&net, &layer, i, err));
    add_layer(&net, &layer, &n_modules);
    if (layer.kind == VISE_LAYER_LINEAR) biases[net.n_layers - 1] = layer.bias;
    /* Its gradient would be rounding noise: the mean is subtracted. */
    if (layer.kind == VISE_LAYER_BATCH_NORM) biases[net.n_layers - 1] = false;
  }

  VISE_TRY(check_end(&net, err));
  net.activation = net.n_layers > 1 ? net.blocks[0].activation : VISE_RELU;
  add_tensors(&net, biases, true);
  add_tensors(&net, biases, false);
  *out = net;

done:
  return status;
}

/* A list being written. */
typedef struct list {
  vise_layer layers[VISE_I_MOST_LISTED];
  size_t n;
} list;

static vise_layer *append(list *to, vise_layer_kind kind) {
  vise_layer *layer = &to->layers[to->n++];
  vise_layer_init(layer);
  layer->kind = kind;
  return layer;
}

static void append_linear(list *to, const vise_net_config *config, size_t l) {
  vise_layer *layer = append(to, VISE_LAYER_LINEAR);
  layer->width = config->widths[l + 1];
  layer->bias = config->bias;
}

static void append_block(list *to, const vise_net_config *config, size_t l) {
  const size_t begin = to->n;
  append_linear(to, config, l);
  if (config->batch_norm) append(to, VISE_LAYER_BATCH_NORM);
  append(to, VISE_LAYER_ACTIVATION)->activation = config->activation;
  if (config->dropout > 0) append(to, VISE_LAYER_DROPOUT)->dropout = config->dropout;

  if (config->residual && config->widths[l] == config->widths[l + 1]) {
    vise_layer *residual = append(to, VISE_LAYER_RESIDUAL);
    residual->span = to->n - 1 - begin;
  }
}

vise_status vise_i_net_make(const vise_net_config *given, vise_i_net *out, vise_error *err) {
  vise_net_config config;
  list made;
  made.n = 0; /* layers are written as they are added */
  vise_net_config_init(&config);
  const vise_status status = vise_i_config_take(&config, sizeof config, given, "vise_net_config", err);
  if (status != VISE_OK) return status;

  if (config.n_layers < 1 || config.n_layers > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "net: %zu linear layers, expected 1 to %d", config.n_layers,
                       VISE_MAX_LAYERS);
  }
  if ((size_t)config.activation >= (size_t)vise_activation_count_) { /* also of a net that has no hidden layer */
    return vise_i_fail(err, VISE_ERR_USAGE, "net: unknown activation %d", (int)config.activation);
  }
  const double dropouts[] = {config.dropout, config.input_dropout};
  for (size_t i = 0; i < 2; i++) {
    if (dropouts[i] >= 0 && dropouts[i] < 1) continue;
    return vise_i_fail(err, VISE_ERR_USAGE, "net: `%s` %g, expected 0 <= P < 1", i == 0 ? "dropout" : "input_dropout",
                       dropouts[i]);
  }

  if (config.input_dropout > 0) append(&made, VISE_LAYER_DROPOUT)->dropout = config.input_dropout;
  for (size_t l = 0; l + 1 < config.n_layers; l++) append_block(&made, &config, l);
  append_linear(&made, &config, config.n_layers - 1);
  const vise_status made_it = vise_i_net_of_layers(config.widths[0], made.layers, made.n, out, err);
  if (made_it == VISE_OK) out->activation = config.activation;
  return made_it;
}

vise_layer vise_i_net_layer(const vise_i_net *net, size_t i) {
  const vise_i_layer *from = &net->layers[i];
  vise_layer layer;
  vise_layer_init(&layer);
  layer.kind = from->kind;
  layer.activation = from->activation;
  layer.dropout = from->dropout;

  if (from->kind == VISE_LAYER_LINEAR) {
    layer.width = from->n_out;
    layer.bias = net->blocks[from->block].bias != VISE_I_NO_TENSOR;
  }
  if (from->kind == VISE_LAYER_RESIDUAL) layer.span = i - from->from;
  return layer;
}

void vise_i_net_set_activation(vise_i_net *net, vise_activation activation) {
  net->activation = activation;
  for (size_t i = 0; i < net->n_listed; i++) {
    vise_i_layer *layer = &net->layers[i];
    if (layer->kind != VISE_LAYER_ACTIVATION) continue;
    layer->activation = activation;
    net->blocks[layer->block].activation = activation;
  }
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static bool is_plain_block(const vise_i_net *net, size_t l) {
  const vise_i_block *block = &net->blocks[l], *first = &net->blocks[0];
  const bool hidden = l + 1 < net->n_layers;
  if ((block->bias == VISE_I_NO_TENSOR) != (first->bias == VISE_I_NO_TENSOR)) return false;
  return !hidden || (block->has_activation && block->activation == first->activation);
}

bool vise_i_net_is_plain(const vise_i_net *net) {
  for (size_t i = 0; i < net->n_listed; i++) { /* dropout that is off counts too: it is a module */
    if (net->layers[i].kind != VISE_LAYER_LINEAR && net->layers[i].kind != VISE_LAYER_ACTIVATION) return false;
  }
  for (size_t l = 0; l < net->n_layers; l++) {
    if (!is_plain_block(net, l)) return false;
  }
  return true;
}

bool vise_i_net_has_batch_norm(const vise_i_net *net) {
  for (size_t l = 0; l < net->n_layers; l++) {
    if (net->blocks[l].batch_norm) return true;
  }
  return false;
}

bool vise_i_net_has_dropout(const vise_i_net *net) {
  for (size_t l = 0; l < net->n_layers; l++) {
    if (net->blocks[l].dropout > 0) return true;
  }
  return net->input_dropout > 0;
}

size_t vise_i_batch_rows(const vise_i_net *net, size_t size, size_t left) {
  const bool joins = size > 1 && left == size + 1 && vise_i_net_has_batch_norm(net);
  return left < size || joins ? left : size;
}

size_t vise_i_n_batches(const vise_i_net *net, size_t size, size_t n) {
  const size_t all = (n - 1) / size + 1;
  return all > 1 && size > 1 && n % size == 1 && vise_i_net_has_batch_norm(net) ? all - 1 : all;
}

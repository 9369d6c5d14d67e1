/* A net as JSON and back. A plain net is {"widths": [784, 128, 10], "activation": "relu", "bias": true}; any other has its
   list too: "layers": [{"kind": "linear", "width": 128, "bias": true}, {"kind": "activation", "activation": "relu"},
   {"kind": "dropout", "p": 0.5}, {"kind": "batch-norm"}, {"kind": "residual", "span": 3}, ...]. */
#include "host/model/net_json.h"

#include <string.h>

#include "host/json/build.h"
#include "host/model/model_struct.h"

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *format_widths(const vise_i_net *net) {
  json_t *array = json_array();
  for (size_t i = 0; i <= net->n_layers; ++i) vise_i_json_add(&array, json_integer((json_int_t)net->widths[i]));
  return array;
}

static json_t *format_layer(const vise_i_net *net, size_t i) {
  const vise_layer layer = vise_i_net_layer(net, i);
  const char *kind = vise_layer_kind_name(layer.kind);

  switch (layer.kind) {
    case VISE_LAYER_LINEAR:
      return json_pack("{s:s, s:I, s:b}", "kind", kind, "width", (json_int_t)layer.width, "bias", (int)layer.bias);
    case VISE_LAYER_ACTIVATION:
      return json_pack("{s:s, s:s}", "kind", kind, "activation", vise_activation_name(layer.activation));
    case VISE_LAYER_DROPOUT:
      return json_pack("{s:s, s:f}", "kind", kind, "p", layer.dropout);
    case VISE_LAYER_RESIDUAL:
      return json_pack("{s:s, s:I}", "kind", kind, "span", (json_int_t)layer.span);
    default:
      return json_pack("{s:s}", "kind", kind);
  }
}

static json_t *format_layers(const vise_i_net *net) {
  json_t *array = json_array();
  for (size_t i = 0; i < net->n_listed; i++) vise_i_json_add(&array, format_layer(net, i));
  return array;
}

void vise_i_net_json_put(const vise_i_net *net, json_t **object) {
  const vise_i_block *last = &net->blocks[net->n_layers - 1];
  vise_i_json_put(object, "widths", format_widths(net));
  vise_i_json_put(object, "activation", json_string(vise_activation_name(net->activation)));
  vise_i_json_put(object, "bias", json_boolean(last->bias != VISE_I_NO_TENSOR));
  if (!vise_i_net_is_plain(net)) vise_i_json_put(object, "layers", format_layers(net));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static vise_status bad(const char *key, const char *name, const char *expected, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: metadata of Vise, \"%s\": expected %s", name, key, expected);
}

static vise_status parse_widths(const json_t *widths, const char *name, vise_net_config *config, vise_error *err) {
  const size_t n = json_array_size(widths);
  if (n < 2 || n > VISE_MAX_LAYERS + 1)
    return bad("widths", name, "those of 1 to " TEXT_OF(VISE_MAX_LAYERS) " layers", err);
  config->n_layers = n - 1;

  for (size_t i = 0; i < n; ++i) {
    const json_t *width = json_array_get(widths, i);
    if (!json_is_integer(width) || json_integer_value(width) < 1 || json_integer_value(width) > VISE_MAX_WIDTH) {
      return bad("widths", name, "integers from 1 to " TEXT_OF(VISE_MAX_WIDTH), err);
    }
    config->widths[i] = (size_t)json_integer_value(width);
  }
  return VISE_OK;
}

/* A whole number of at most `most` in a layer, or -1. */
static json_int_t count_of(const json_t *object, const char *key, json_int_t most) {
  const json_t *value = json_object_get(object, key);
  const json_int_t n = json_integer_value(value);
  return json_is_integer(value) && n >= 0 && n <= most ? n : -1;
}

/* Whether the object holds what its kind needs. */
static bool parse_layer(const json_t *object, vise_layer *out) {
  const char *kind = json_string_value(json_object_get(object, "kind"));
  vise_layer_init(out);
  if (kind == NULL || vise_layer_kind_parse(kind, &out->kind, NULL) != VISE_OK) return false;

  const json_t *bias = json_object_get(object, "bias"), *p = json_object_get(object, "p");
  const char *activation = json_string_value(json_object_get(object, "activation"));
  const json_int_t width = count_of(object, "width", VISE_MAX_WIDTH), span = count_of(object, "span", 8);

  switch (out->kind) {
    case VISE_LAYER_LINEAR:
      out->width = (size_t)width;
      out->bias = json_is_true(bias);
      return width > 0 && json_is_boolean(bias);
    case VISE_LAYER_ACTIVATION:
      return activation != NULL && vise_activation_parse(activation, &out->activation, NULL) == VISE_OK;
    case VISE_LAYER_DROPOUT:
      out->dropout = json_number_value(p);
      return json_is_number(p);
    case VISE_LAYER_RESIDUAL:
      out->span = (size_t)span;
      return span > 0;
    default:
      return true;
  }
}

static vise_status parse_layers(const json_t *array, const char *name, size_t n_inputs, vise_i_net *out,
                                vise_error *err) {
  vise_layer layers[VISE_I_MOST_LISTED];
  const size_t n = json_array_size(array);
  if (n < 1 || n > VISE_I_MOST_LISTED) return bad("layers", name, "the list of the net's layers", err);

  for (size_t i = 0; i < n; i++) {
    if (!parse_layer(json_array_get(array, i), &layers[i])) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: metadata of Vise, \"layers\": layer %zu is not one that Vise knows",
                         name, i);
    }
  }
  return vise_i_net_of_layers(n_inputs, layers, n, out, err);
}

static bool has_widths(const vise_i_net *net, const vise_net_config *config) {
  return net->n_layers == config->n_layers &&
         memcmp(net->widths, config->widths, (net->n_layers + 1) * sizeof *net->widths) == 0;
}

vise_status vise_i_net_json_parse(const json_t *object, const char *name, vise_i_net *out, vise_error *err) {
  vise_status status;
  vise_net_config config;
  const json_t *widths = json_object_get(object, "widths"), *bias = json_object_get(object, "bias");
  const json_t *activation = json_object_get(object, "activation"), *layers = json_object_get(object, "layers");
  const char *missing = !widths ? "widths" : !activation ? "activation" : !bias ? "bias" : NULL;
  if (missing) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the metadata of Vise have no \"%s\"", name, missing);
  }

  vise_net_config_init(&config);
  VISE_TRY(parse_widths(widths, name, &config, err));
  const bool is_known = !json_is_null(activation); /* a file of another program does not say */
  if (is_known && (!json_is_string(activation) ||
                   vise_activation_parse(json_string_value(activation), &config.activation, NULL) != VISE_OK)) {
    return bad("activation", name, "the name of an activation", err);
  }
  if (!json_is_boolean(bias)) return bad("bias", name, "true or false", err);
  config.bias = json_is_true(bias);
  if (layers == NULL) return vise_i_net_make(&config, out, err);

  VISE_TRY(parse_layers(layers, name, config.widths[0], out, err));
  if (!has_widths(out, &config)) return bad("layers", name, "the sizes that \"widths\" has", err);

done:
  return status;
}

/* An integer net as JSON. */
#include "host/integer/integer.h"
#include "host/json/build.h"

static const char *kind_name(vise_i_integer_kind kind) {
  static const char *const names[] = {"relu", "linear", "leaky", "table", "output"};
  return names[kind];
}

#define DEFINE_LIST(name, T, make)                                          \
  static json_t *name(const T *values, size_t n) {                          \
    json_t *list = json_array();                                            \
    for (size_t i = 0; i < n; i++) vise_i_json_add(&list, make(values[i])); \
    return list;                                                            \
  }

DEFINE_LIST(list_i16, int16_t, json_integer)
DEFINE_LIST(list_u8, uint8_t, json_integer)
DEFINE_LIST(list_u16, uint16_t, json_integer)
DEFINE_LIST(list_i32, int32_t, json_integer)
DEFINE_LIST(list_f32, float, json_real)

static json_t *layer_json(const vise_i_integer_layer *layer) {
  json_t *out = json_object(), *rows = json_array();
  for (size_t r = 0; r < layer->n_out; r++) {
    vise_i_json_add(&rows, list_i16(layer->weights + r * layer->n_in, layer->n_in));
  }

  vise_i_json_put(&out, "inputs", json_integer((json_int_t)layer->n_in));
  vise_i_json_put(&out, "outputs", json_integer((json_int_t)layer->n_out));
  vise_i_json_put(&out, "input_max", json_integer(layer->in_max));
  vise_i_json_put(&out, "input_zero", json_integer(layer->in_zero));
  vise_i_json_put(&out, "activation", json_string(vise_activation_name(layer->activation)));
  vise_i_json_put(&out, "kind", json_string(kind_name(layer->kind)));
  vise_i_json_put(&out, "weights", rows);
  vise_i_json_put(&out, "bias", list_i32(layer->bias, layer->n_out));
  vise_i_json_put(&out, "multiplier", list_u16(layer->multiplier, layer->n_out));
  vise_i_json_put(&out, "shift", list_u8(layer->shift, layer->n_out));

  if (layer->kind != VISE_I_INTEGER_OUTPUT) {
    vise_i_json_put(&out, "output_max", json_integer(layer->out_max));
    vise_i_json_put(&out, "output_zero", json_integer(layer->out_zero));
  }
  if (layer->negative != NULL) vise_i_json_put(&out, "negative_multiplier", list_u16(layer->negative, layer->n_out));
  if (layer->table != NULL) {
    vise_i_json_put(&out, "table", list_u8(layer->table, VISE_I_INTEGER_TABLE_SIZE));
    vise_i_json_put(&out, "table_error", json_real(layer->table_error));
  }
  return out;
}

json_t *vise_i_integer_json(const vise_i_integer_net *net) {
  char format[VISE_I_INTEGER_FORMAT_BYTES];
  const size_t n_in = net->layers[0].n_in;
  json_t *out = json_object(), *layers = json_array(), *input = json_object();

  vise_i_json_put(&input, "low", list_f32(net->input_low, n_in));
  vise_i_json_put(&input, "scale", list_f32(net->input_scale, n_in));
  for (size_t l = 0; l < net->n_layers; l++) vise_i_json_add(&layers, layer_json(&net->layers[l]));

  vise_i_json_put(&out, "format", json_string(vise_i_integer_format_text(&net->format, format)));
  vise_i_json_put(&out, "accumulator_bits", json_integer(net->format.acc_bits));
  vise_i_json_put(&out, "proven", json_boolean(net->is_proven));
  vise_i_json_put(&out, "output_scale", json_real(net->output_scale));
  vise_i_json_put(&out, "input", input);
  vise_i_json_put(&out, "layers", layers);
  return out;
}

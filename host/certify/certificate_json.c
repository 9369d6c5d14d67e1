/* A certificate as JSON (docs/files.md). */
#include <inttypes.h>
#include <stdio.h>

#include "host/base/call.h"
#include "host/certify/certificate.h"
#include "host/json/build.h"
#include "host/json/bytes.h"
#include "host/json/text.h"

/* As in a preprocessor: the key of the object that a text becomes which is not UTF-8. */
#define BYTES_KEY "latin1"

static json_t *text_of(const char *bytes) {
  return vise_i_json_of_bytes(bytes, BYTES_KEY);
}

static json_t *pair(double low, double high) {
  json_t *array = json_array();
  vise_i_json_add(&array, json_real(low));
  vise_i_json_add(&array, json_real(high));
  return array;
}

static json_t *pairs(const vise_i_ranges *ranges) {
  json_t *array = json_array();
  for (size_t i = 0; i < ranges->n; i++) vise_i_json_add(&array, pair(ranges->low[i], ranges->high[i]));
  return array;
}

static json_t *numbers(const double *values, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; i < n; i++) vise_i_json_add(&array, json_real(values[i]));
  return array;
}

static json_t *format_inputs(const vise_certificate *c) {
  json_t *object = json_object(), *names = json_array();
  vise_i_json_put(&object, "from", text_of(c->origin));
  vise_i_json_put(&object, "ranges", pairs(&c->given));
  vise_i_json_put(&object, "shift", numbers(c->inputs.shift, c->inputs.n));
  vise_i_json_put(&object, "scale", numbers(c->inputs.scale, c->inputs.n));

  for (size_t i = 0; c->inputs.names != NULL && i < c->inputs.n; i++) {
    vise_i_json_add(&names, text_of(c->inputs.names[i]));
  }
  if (c->inputs.names != NULL) {
    vise_i_json_put(&object, "names", names);
  } else {
    json_decref(names);
  }
  return object;
}

static const char *name_of(vise_i_spectral_by by) {
  static const char *const names[] = {"frobenius", "rows-and-columns", "cholesky"};
  return names[by];
}

static json_t *format_layer(const vise_i_certified_layer *layer) {
  json_t *object = json_object();
  vise_i_json_put(&object, "activation", json_string(vise_activation_name(layer->activation)));
  vise_i_json_put(&object, "slope", json_real(layer->slope));
  vise_i_json_put(&object, "batch_norm", json_boolean(layer->batch_norm));
  vise_i_json_put(&object, "residual", json_boolean(layer->residual));
  vise_i_json_put(&object, "row_l1", json_real(layer->row_l1));
  vise_i_json_put(&object, "spectral", json_real(layer->spectral));
  vise_i_json_put(&object, "spectral_by", json_string(name_of(layer->spectral_by)));
  vise_i_json_put(&object, "pre_activation", pairs(&layer->pre));
  return object;
}

/* For each output the inputs in which it is monotone. */
static json_t *format_monotone(const vise_certificate *c, bool (*is)(const vise_certificate *, size_t, size_t)) {
  json_t *all = json_array();
  for (size_t k = 0; k < c->n_outputs; k++) {
    json_t *inputs = json_array();
    for (size_t i = 0; i < c->inputs.n; i++) {
      if (is(c, k, i)) vise_i_json_add(&inputs, json_integer((json_int_t)i));
    }
    vise_i_json_add(&all, inputs);
  }
  return all;
}

/* ---- integers ---- */

static json_t *integer_pair(int64_t low, int64_t high) {
  json_t *array = json_array();
  vise_i_json_add(&array, json_integer(low));
  vise_i_json_add(&array, json_integer(high));
  return array;
}

/* The integers themselves, of a net that is not in the model's file. */
static void put_integers(json_t **object, const vise_i_integer_layer *layer) {
  json_t *rows = json_array(), *biases = json_array();
  for (size_t r = 0; r < layer->n_out; r++) {
    json_t *row = json_array();
    for (size_t j = 0; j < layer->n_in; j++) vise_i_json_add(&row, json_integer(layer->weights[r * layer->n_in + j]));
    vise_i_json_add(&rows, row);
    vise_i_json_add(&biases, json_integer(layer->bias[r]));
  }
  vise_i_json_put(object, "weights", rows);
  vise_i_json_put(object, "bias", biases);
}

static json_t *format_sums_of(const vise_i_certified_sums *sums, size_t l) {
  const vise_i_integer_layer *layer = &sums->net->layers[l];
  json_t *object = json_object(), *rows = json_array();
  for (size_t r = 0; r < layer->n_out; r++) {
    vise_i_json_add(&rows, integer_pair(sums->rows[l][r].low, sums->rows[l][r].high));
  }

  vise_i_json_put(&object, "input_max", json_integer(layer->in_max));
  vise_i_json_put(&object, "input_zero", json_integer(layer->in_zero));
  vise_i_json_put(&object, "fullest", json_real(sums->fullest[l]));
  vise_i_json_put(&object, "sums", rows);
  if (!sums->is_trained) put_integers(&object, layer);
  return object;
}

static json_t *format_sums(const vise_i_certified_sums *sums) {
  json_t *object = json_object(), *layers = json_array();
  vise_i_json_put(&object, "format", json_string(sums->format));
  vise_i_json_put(&object, "trained", json_boolean(sums->is_trained));
  if (sums->net == NULL) {
    json_decref(layers);
    vise_i_json_put(&object, "fault", json_string(sums->fault));
    return object;
  }

  const int bits = sums->net->format.acc_bits;
  const int64_t half = (int64_t)1 << (bits - 1);
  double fullest = 0;
  for (size_t l = 0; l < sums->net->n_layers; l++) {
    fullest = fmax(fullest, sums->fullest[l]);
    vise_i_json_add(&layers, format_sums_of(sums, l));
  }
  vise_i_json_put(&object, "accumulator_bits", json_integer(bits));
  vise_i_json_put(&object, "limits", integer_pair(-half, half - 1));
  vise_i_json_put(&object, "fullest", json_real(fullest));
  vise_i_json_put(&object, "layers", layers);
  return object;
}

/* ---- all ---- */

static json_t *format(const vise_certificate *c) {
  json_t *object = json_object(), *layers = json_array(), *lipschitz = json_object();
  char weights[17];
  (void)snprintf(weights, sizeof weights, "%016" PRIx64, c->weights);
  vise_i_json_put(&object, "certificate_version", json_integer(1));
  vise_i_json_put(&object, "arithmetic", json_string("float32"));
  vise_i_json_put(&object, "weights_xxh3", json_string(weights));
  vise_i_json_put(&object, "inputs", format_inputs(c));

  for (size_t l = 0; l < c->n_layers; l++) vise_i_json_add(&layers, format_layer(&c->layers[l]));
  vise_i_json_put(&object, "layers", layers);
  vise_i_json_put(&object, "outputs", pairs(&c->outputs));
  vise_i_json_put(&object, "float32_error", numbers(c->float32_error, c->n_outputs));

  vise_i_json_put(&lipschitz, "inf", json_real(c->inf));
  vise_i_json_put(&lipschitz, "inf_product", json_real(c->inf_product));
  vise_i_json_put(&lipschitz, "2", json_real(c->two));
  vise_i_json_put(&object, "lipschitz", lipschitz);

  vise_i_json_put(&object, "increasing", format_monotone(c, vise_certificate_increases));
  vise_i_json_put(&object, "decreasing", format_monotone(c, vise_certificate_decreases));
  if (c->sums.format[0] != '\0') vise_i_json_put(&object, "integer", format_sums(&c->sums));
  return object;
}

vise_status vise_certificate_to_json(const vise_certificate *certificate, char **out, vise_error *err) {
  VISE_ENTER(err, certificate, out);
  json_t *object = format(certificate);
  const vise_status status =
      vise_i_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(17), "a certificate", out, NULL, err);
  json_decref(object);
  return status;
}

#include "host/model/quantization_json.h"

#include <math.h>

#include "host/json/build.h"

static json_t *scale_array(const float *scales, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; i < n; i++) vise_i_json_add(&array, json_real((double)scales[i]));
  return array;
}

json_t *vise_i_quantization_format(const vise_i_quantization *q, const vise_i_net *net) {
  char format[VISE_I_INTEGER_FORMAT_BYTES];
  json_t *out = json_object(), *rows = json_array();
  for (size_t l = 0; l < q->n_layers; l++) {
    vise_i_json_add(&rows, scale_array(vise_i_row_scales(q, q->scales, l), net->widths[l + 1]));
  }

  vise_i_json_put(&out, "format", json_string(vise_i_integer_format_text(&q->format, format)));
  vise_i_json_put(&out, "input_zero", json_integer(q->in_zero));
  vise_i_json_put(&out, "row_scales", rows);
  vise_i_json_put(&out, "value_scales", scale_array(q->scales + q->n_rows, q->n_layers));
  return out;
}

static vise_status bad(const char *name, const char *key, const char *expected, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: metadata of Vise, \"quantization\", \"%s\": expected %s", name, key,
                     expected);
}

static bool parse_scales(const json_t *array, float *out, size_t n) {
  if (!json_is_array(array) || json_array_size(array) != n) return false;
  for (size_t i = 0; i < n; i++) {
    out[i] = (float)json_number_value(json_array_get(array, i));
    if (!(out[i] > 0) || !isfinite(out[i])) return false;
  }
  return true;
}

vise_status vise_i_quantization_parse(const json_t *value, const vise_i_net *net, const char *name,
                                      vise_i_quantization **out, vise_error *err) {
  vise_status status;
  vise_i_integer_format format;
  vise_i_quantization *q = NULL;
  const char *text = json_string_value(json_object_get(value, "format"));
  const json_t *zero = json_object_get(value, "input_zero"), *rows = json_object_get(value, "row_scales");

  if (text == NULL || vise_i_integer_format_parse("format", text, &format, NULL) != VISE_OK) {
    VISE_TRY(bad(name, "format", "a format as in int8,acc16", err));
  }
  VISE_TRY(vise_i_quantization_make(net, &format, &q, err));

  if (!json_is_integer(zero) || json_integer_value(zero) < 0 ||
      json_integer_value(zero) > vise_i_value_most(&format, 0)) {
    VISE_TRY(bad(name, "input_zero", "a whole number that an input can be", err));
  }

  for (size_t l = 0; l < net->n_layers; l++) {
    if (!parse_scales(json_array_get(rows, l), q->scales + q->first_row[l], net->widths[l + 1])) {
      VISE_TRY(bad(name, "row_scales", "for each linear layer as many numbers above 0 as it has rows", err));
    }
  }
  if (!parse_scales(json_object_get(value, "value_scales"), q->scales + q->n_rows, q->n_layers)) {
    VISE_TRY(bad(name, "value_scales", "as many numbers above 0 as there are linear layers", err));
  }

  vise_i_quantization_set_input(q, (double)q->scales[q->n_rows], (int)json_integer_value(zero));
  *out = q;
  q = NULL;

done:
  vise_i_quantization_free(q);
  return status;
}

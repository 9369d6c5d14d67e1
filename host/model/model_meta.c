/*
 * A model's description as JSON: {"format_version": 1, "vise_version": "0.1.0", "widths": [784, 128, 10],
 * "activation": "relu", "bias": true, "loss": "cross-entropy", "mse_reduction": "half_mean", "label_smoothing": 0.0,
 * "feature_scaling": {"kind": "standard", "shift": [...], "scale": [...]}, "target_scaling": {"kind": "none"}},
 * with a list of layers where the net is not plain (net_json.c),
 * for one that was trained to be an integer net "quantization": {...} (quantization_json.h),
 * and for a model of tables "preprocessing": {...}, see docs/files.md.
 * "activation" and "loss" are null where nobody has said what they are: in a model of another program that was changed.
 * It travels as one text in the metadata of a safetensors file, so that the tensors are those of the net alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/json/build.h"
#include "host/json/read.h"
#include "host/json/text.h"
#include "host/model/model_struct.h"
#include "host/model/net_json.h"
#include "host/model/quantization_json.h"

/* 1: plain nets; 2: a list of layers. A file has the lowest that says all. */
#define FORMAT_VERSION 2

static json_t *number_array(const double *values, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; i < n; ++i) vise_i_json_add(&array, json_real(values[i]));
  return array;
}

static json_t *format_scaler(const vise_i_scaler *scaler) {
  if (scaler->kind != VISE_SCALE_STANDARD) return json_pack("{s:s}", "kind", vise_scale_name(scaler->kind));
  return json_pack("{s:s, s:o, s:o}", "kind", vise_scale_name(scaler->kind), "shift",
                   number_array(scaler->shift, scaler->n), "scale", number_array(scaler->scale, scaler->n));
}

vise_status vise_i_model_meta_format(const vise_model *model, char **out, vise_error *err) {
  if (!(model->label_smoothing >= 0 && model->label_smoothing < 1)) {
    return vise_i_fail(err, VISE_ERR_VALUE, "model: label smoothing is %g, expected 0 <= x < 1",
                       model->label_smoothing);
  }
  if ((size_t)model->loss >= (size_t)vise_loss_count_ ||
      (size_t)model->mse_reduction >= (size_t)vise_mse_reduction_count_) {
    return vise_i_fail(err, VISE_ERR_VALUE, "model: unknown loss %d or reduction %d", (int)model->loss,
                       (int)model->mse_reduction);
  }

  const int version = vise_i_net_is_plain(&model->net) ? 1 : FORMAT_VERSION;
  vise_status status = VISE_OK;
  json_t *object = json_object(), *preprocessing = NULL;
  vise_i_json_put(&object, "format_version", json_integer(version));
  vise_i_json_put(&object, "vise_version", json_string(VISE_VERSION_TEXT));
  vise_i_net_json_put(&model->net, &object);
  if (model->lacks_activation) vise_i_json_put(&object, "activation", json_null());

  vise_i_json_put(&object, "loss", model->lacks_loss ? json_null() : json_string(vise_loss_name(model->loss)));
  vise_i_json_put(&object, "mse_reduction", json_string(vise_mse_reduction_name(model->mse_reduction)));
  vise_i_json_put(&object, "label_smoothing", json_real(model->label_smoothing));
  vise_i_json_put(&object, "feature_scaling", format_scaler(&model->features));
  vise_i_json_put(&object, "target_scaling", format_scaler(&model->targets));

  if (model->quantization) {
    vise_i_json_put(&object, "quantization", vise_i_quantization_format(model->quantization, &model->net));
  }
  if (model->preprocessing) {
    VISE_TRY(vise_i_json_read("the model's preprocessor", model->preprocessing, strlen(model->preprocessing),
                              VISE_I_JSON_BYTES, &preprocessing, err));
    vise_i_json_put(&object, "preprocessing", preprocessing);
  }
  VISE_TRY(vise_i_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(17), "a model's description", out, NULL, err));

done:
  json_decref(object);
  return status;
}

/* A field of the description; NULL (and the error written) when it is missing. */
static const json_t *field(const json_t *object, const char *key, const char *name, vise_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!value) vise_i_fail(err, VISE_ERR_FORMAT, "%s: the metadata of Vise have no \"%s\"", name, key);
  return value;
}

static vise_status bad(const char *key, const char *name, const char *expected, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: metadata of Vise, \"%s\": expected %s", name, key, expected);
}

static vise_status parse_version(const json_t *object, const char *name, vise_error *err) {
  const json_t *value = field(object, "format_version", name, err);
  if (!value) return VISE_ERR_FORMAT;
  if (!json_is_integer(value) || json_integer_value(value) < 1) return bad("format_version", name, "1", err);
  if (json_integer_value(value) > FORMAT_VERSION) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: written by a newer Vise (format %lld); this one reads format %d",
                       name, (long long)json_integer_value(value), FORMAT_VERSION);
  }
  return VISE_OK;
}

static vise_status parse_loss(const json_t *object, const char *name, vise_model *model, vise_error *err) {
  const json_t *loss = field(object, "loss", name, err);
  const json_t *reduction = field(object, "mse_reduction", name, err);
  const json_t *smoothing = field(object, "label_smoothing", name, err);
  if (!loss || !reduction || !smoothing) return VISE_ERR_FORMAT;

  model->lacks_loss = json_is_null(loss);
  if (!model->lacks_loss &&
      (!json_is_string(loss) || vise_loss_parse(json_string_value(loss), &model->loss, NULL) != VISE_OK)) {
    return bad("loss", name, "the name of a loss", err);
  }
  if (!json_is_string(reduction) ||
      vise_mse_reduction_parse(json_string_value(reduction), &model->mse_reduction, NULL) != VISE_OK) {
    return bad("mse_reduction", name, "the name of a reduction", err);
  }

  model->label_smoothing = json_number_value(smoothing);
  if (!json_is_number(smoothing) || !(model->label_smoothing >= 0 && model->label_smoothing < 1)) {
    return bad("label_smoothing", name, "a number, 0 <= x < 1", err);
  }
  return VISE_OK;
}

static vise_status parse_numbers(const json_t *array, const char *key, const char *name, double *out, size_t n,
                                 vise_error *err) {
  if (!json_is_array(array) || json_array_size(array) != n) {
    return bad(key, name, "shift and scale of as many numbers as the net has columns there", err);
  }
  for (size_t i = 0; i < n; ++i) {
    if (!json_is_number(json_array_get(array, i))) return bad(key, name, "numbers in shift and scale", err);
    out[i] = json_number_value(json_array_get(array, i));
  }
  return VISE_OK;
}

static vise_status parse_scaler(const json_t *object, const char *key, const char *name, vise_i_scaler *scaler,
                                vise_error *err) {
  vise_status status = VISE_OK;
  double *shift = NULL, *scale = NULL;
  const json_t *value = field(object, key, name, err);
  if (!value) return VISE_ERR_FORMAT;

  const char *kind_text = json_string_value(json_object_get(value, "kind"));
  vise_scale kind = VISE_SCALE_NONE;
  if (!kind_text || vise_scale_parse(kind_text, &kind, NULL) != VISE_OK || kind == VISE_SCALE_AUTO) {
    return bad(key, name, "kind none, unit or standard", err);
  }

  if (kind == VISE_SCALE_STANDARD) {
    VISE_TRY(vise_i_alloc(&shift, scaler->n, sizeof *shift, "scaling", err));
    VISE_TRY(vise_i_alloc(&scale, scaler->n, sizeof *scale, "scaling", err));
    VISE_TRY(parse_numbers(json_object_get(value, "shift"), key, name, shift, scaler->n, err));
    VISE_TRY(parse_numbers(json_object_get(value, "scale"), key, name, scale, scaler->n, err));
  }

  status = vise_i_scaler_set(scaler, key, kind, shift, scale, NULL);
  if (status == VISE_ERR_VALUE) status = bad(key, name, "finite shifts and finite scales > 0", err);
  if (status == VISE_ERR_MEMORY) vise_i_fail_memory(err, scaler->n * sizeof *shift, "scaling");

done:
  free(shift);
  free(scale);
  return status;
}

static vise_status parse_preprocessing(const json_t *object, const char *name, vise_model *model, vise_error *err) {
  const json_t *value = json_object_get(object, "preprocessing");
  if (value == NULL) return VISE_OK;
  if (!json_is_object(value)) return bad("preprocessing", name, "an object", err);
  return vise_i_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17), "a preprocessor", &model->preprocessing, NULL,
                          err);
}

static vise_status parse_quantization(const json_t *object, const char *name, vise_model *model, vise_error *err) {
  const json_t *value = json_object_get(object, "quantization");
  if (value == NULL) return VISE_OK;
  return vise_i_quantization_parse(value, &model->net, name, &model->quantization, err);
}

/* The whole description, an object. */
static vise_status read_object(const char *text, const char *name, json_t **out, vise_error *err) {
  vise_i_json_fault fault;
  json_t *value = NULL;
  const vise_status status = vise_i_json_parse(text, strlen(text), &value, &fault);
  if (status == VISE_ERR_MEMORY) return vise_i_fail_memory(err, 0, "a model's description");
  if (status != VISE_OK) {
    return vise_i_fail(err, status, "%s: the metadata of Vise, byte %zu: %s", name, fault.byte, fault.what);
  }

  if (!json_is_object(value)) {
    json_decref(value);
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the metadata of Vise is not a JSON object", name);
  }
  *out = value;
  return VISE_OK;
}

vise_status vise_i_model_meta_parse(const char *text, const char *name, vise_dtype dtype, size_t n_numbers,
                                    vise_model **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_model *model = NULL;
  vise_i_net net;
  json_t *object = NULL;

  VISE_TRY(read_object(text, name, &object, err));
  VISE_TRY(parse_version(object, name, err));
  VISE_TRY(vise_i_net_json_parse(object, name, &net, err));
  if (net.n_values != n_numbers) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE,
                         "%s: the tensors hold %zu numbers, but the net in the metadata of Vise "
                         "has %zu parameters",
                         name, n_numbers, net.n_values));
  }

  VISE_TRY(vise_i_model_of_net(&net, dtype, &model, err));
  model->lacks_activation = json_is_null(json_object_get(object, "activation"));
  VISE_TRY(parse_loss(object, name, model, err));
  VISE_TRY(parse_scaler(object, "feature_scaling", name, &model->features, err));
  VISE_TRY(parse_scaler(object, "target_scaling", name, &model->targets, err));
  VISE_TRY(parse_quantization(object, name, model, err));
  VISE_TRY(parse_preprocessing(object, name, model, err));

  *out = model;
  model = NULL;

done:
  vise_model_free(model);
  json_decref(object);
  return status;
}

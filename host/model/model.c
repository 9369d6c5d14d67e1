/* Creating and querying models. */
#include "host/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/json/read.h"
#include "host/model/model_struct.h"

static vise_layer default_layer(void) {
  return (vise_layer){
      .struct_size = sizeof(vise_layer), .kind = VISE_LAYER_LINEAR, .bias = true, .activation = VISE_RELU};
}

VISE_I_DEFINE_INIT(vise_layer, span, default_layer)

/* Gains of batch norms and running variances are 1. */
static void set_neutral(vise_model *model) {
  for (size_t t = 0; t < model->net.n_all_tensors; t++) {
    const vise_i_tensor *tensor = &model->net.tensors[t];
    const bool is_one = tensor->role == VISE_I_GAIN || tensor->role == VISE_I_RUNNING_VARIANCE;
    for (size_t i = 0; is_one && i < vise_i_tensor_n(tensor); i++) {
      vise_i_param_set(model->dtype, model->params, tensor->offset + i, 1);
    }
  }
}

vise_status vise_i_model_of_net(const vise_i_net *net, vise_dtype dtype, vise_model **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_model *model = NULL;
  if (dtype != VISE_F32 && dtype != VISE_F64) {
    return vise_i_fail(err, VISE_ERR_USAGE, "model: weights of type %s, expected f32 or f64", vise_dtype_name(dtype));
  }

  VISE_TRY(vise_i_alloc_zero(&model, 1, sizeof *model, "a model", err));
  atomic_init(&model->n_references, 1);
  model->net = *net;
  model->dtype = dtype;
  VISE_TRY(vise_i_alloc_aligned(&model->params, model->net.n_values, vise_dtype_size(dtype), "the weights", err));
  memset(model->params, 0, model->net.n_values * vise_dtype_size(dtype)); /* all zero bits are the number 0 */
  set_neutral(model);

  model->features.n = model->net.widths[0];
  model->targets.n = model->net.widths[model->net.n_layers];
  model->features.kind = model->targets.kind = VISE_SCALE_NONE;
  model->loss = model->targets.n == 1 ? VISE_LOSS_MSE : VISE_LOSS_CROSS_ENTROPY;
  model->mse_reduction = VISE_MSE_HALF_MEAN;

  *out = model;
  model = NULL;

done:
  vise_model_free(model);
  return status;
}

vise_status vise_model_create(const vise_net_config *config, vise_dtype dtype, vise_model **out, vise_error *err) {
  vise_i_net net;
  VISE_ENTER(err, config, out);
  const vise_status status = vise_i_net_make(config, &net, err);
  return status == VISE_OK ? vise_i_model_of_net(&net, dtype, out, err) : status;
}

vise_status vise_model_create_layers(size_t n_inputs, const vise_layer *layers, size_t n_layers, vise_dtype dtype,
                                     vise_model **out, vise_error *err) {
  vise_i_net net;
  VISE_ENTER(err, layers, out);
  const vise_status status = vise_i_net_of_layers(n_inputs, layers, n_layers, &net, err);
  return status == VISE_OK ? vise_i_model_of_net(&net, dtype, out, err) : status;
}

vise_model *vise_model_retain(vise_model *model) {
  if (model) atomic_fetch_add_explicit(&model->n_references, 1, memory_order_relaxed);
  return model;
}

void vise_model_free(vise_model *model) {
  /* Acquire-release: whoever frees must have seen all that others did. */
  if (!model || atomic_fetch_sub_explicit(&model->n_references, 1, memory_order_acq_rel) != 1) return;
  free(model->params);
  free(model->mask);
  free(model->signs);
  vise_i_scaler_free(&model->features);
  vise_i_scaler_free(&model->targets);
  free(model->preprocessing);
  vise_i_quantization_free(model->quantization);
  free(model);
}

/* A finite double that float cannot hold must not become infinite unnoticed. */
static vise_status check_fits(vise_dtype dtype, const vise_i_tensor *tensor, size_t element, double value,
                              vise_error *err) {
  if (dtype == VISE_F64 || !isfinite(value) || isfinite((float)value)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_VALUE, "tensor '%s', element %zu: %.17g does not fit in float32", tensor->name,
                     element, value);
}

/* Whether the numbers of one net have a place in the other. */
static vise_status check_alike(const vise_i_net *from, const vise_i_net *to, vise_error *err) {
  if (from->n_all_tensors != to->n_all_tensors) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "weights of %zu tensors, expected %zu", from->n_all_tensors,
                       to->n_all_tensors);
  }

  for (size_t t = 0; t < to->n_all_tensors; ++t) {
    const vise_i_tensor *a = &from->tensors[t], *b = &to->tensors[t];
    if (a->role == b->role && a->n_rows == b->n_rows && a->n_cols == b->n_cols) continue;
    return vise_i_fail(err, VISE_ERR_SHAPE, "tensor '%s' of %zu x %zu has no place in '%s' of %zu x %zu", a->name,
                       a->n_rows, a->n_cols, b->name, b->n_rows, b->n_cols);
  }
  return VISE_OK;
}

vise_status vise_model_copy_weights(const vise_model *from, vise_model *to, vise_error *err) {
  vise_status status;
  VISE_ENTER(err, from, to);
  VISE_TRY(check_alike(&from->net, &to->net, err));

  for (size_t t = 0; t < to->net.n_all_tensors; ++t) {
    const vise_i_tensor *place = &from->net.tensors[t];
    for (size_t i = 0; i < vise_i_tensor_n(place); ++i) {
      VISE_TRY(check_fits(to->dtype, place, i, vise_i_param_get(from->dtype, from->params, place->offset + i), err));
    }
  }

  /* Tensors of the same shapes in the same order lie at the same places. */
  for (size_t i = 0; i < to->net.n_values; ++i) {
    vise_i_param_set(to->dtype, to->params, i, vise_i_param_get(from->dtype, from->params, i));
  }
  to->n_batches_tracked = from->n_batches_tracked;
  to->scheme = from->scheme;
  to->is_drawn = from->is_drawn;
  vise_i_model_apply_mask(to);
  vise_i_model_apply_signs(to);

done:
  return status;
}

vise_status vise_model_clone(const vise_model *model, vise_dtype dtype, vise_model **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_model *copy = NULL;
  VISE_ENTER(err, model, out);

  VISE_TRY(vise_i_model_of_net(&model->net, dtype, &copy, err));
  VISE_TRY(vise_model_copy_weights(model, copy, err));
  vise_model_set_loss(copy, model->loss, model->mse_reduction, model->label_smoothing);
  copy->lacks_activation = model->lacks_activation;
  copy->lacks_loss = model->lacks_loss;
  VISE_TRY(vise_i_scaler_set(&copy->features, "feature", model->features.kind, model->features.shift,
                             model->features.scale, err));
  VISE_TRY(vise_i_scaler_set(&copy->targets, "target", model->targets.kind, model->targets.shift, model->targets.scale,
                             err));

  VISE_TRY(vise_i_model_set_quantization(copy, model->quantization, err));
  if (model->preprocessing) VISE_TRY(vise_i_copy_text(&copy->preprocessing, model->preprocessing, err));
  if (model->mask) {
    VISE_TRY(vise_i_alloc(&copy->mask, model->net.n_params, 1, "a mask", err));
    memcpy(copy->mask, model->mask, model->net.n_params);
  }
  if (model->signs) VISE_TRY(vise_model_set_signs(copy, model->signs, model->net.n_params, err));

  *out = copy;
  copy = NULL;

done:
  vise_model_free(copy);
  return status;
}

size_t vise_model_n_layers(const vise_model *model) {
  return model ? model->net.n_layers : 0;
}

size_t vise_model_width(const vise_model *model, size_t i) {
  return model && i <= model->net.n_layers ? model->net.widths[i] : 0;
}

vise_activation vise_model_activation(const vise_model *model) {
  return model ? model->net.activation : VISE_RELU;
}

vise_status vise_model_set_activation(vise_model *model, vise_activation activation, vise_error *err) {
  VISE_ENTER(err, model);
  if ((unsigned)activation >= (unsigned)vise_activation_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "activation %d: expected one of vise_activation", (int)activation);
  }
  vise_i_net_set_activation(&model->net, activation);
  model->lacks_activation = false;
  return VISE_OK;
}

bool vise_model_knows_activation(const vise_model *model) {
  return model && (!model->lacks_activation || model->net.n_layers == 1);
}

bool vise_model_has_bias(const vise_model *model) {
  return model && model->net.blocks[model->net.n_layers - 1].bias != VISE_I_NO_TENSOR;
}

size_t vise_model_n_listed(const vise_model *model) {
  return model ? model->net.n_listed : 0;
}

void vise_model_layer_sized(size_t out_bytes, const vise_model *model, size_t i, vise_layer *out) {
  if (!model || i >= model->net.n_listed) return;
  const vise_layer layer = vise_i_net_layer(&model->net, i);
  vise_i_config_give(out, out_bytes, &layer, sizeof layer);
}

void(vise_model_layer)(const vise_model *model, size_t i, vise_layer *out) {
  vise_model_layer_sized(VISE_I_BYTES_UP_TO(vise_layer, span), model, i, out);
}

vise_dtype vise_model_dtype(const vise_model *model) {
  return model ? model->dtype : VISE_U8;
}

size_t vise_model_n_parameters(const vise_model *model) {
  return model ? model->net.n_params : 0;
}

size_t vise_model_n_tensors(const vise_model *model) {
  return model ? model->net.n_all_tensors : 0;
}

const char *vise_model_tensor_name(const vise_model *model, size_t i) {
  return model && i < model->net.n_all_tensors ? model->net.tensors[i].name : NULL;
}

static vise_status check_tensor(const vise_model *model, size_t i, vise_error *err) {
  if (i < model->net.n_all_tensors) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_SHAPE, "tensor %zu: the model has %zu, counted from 0", i, model->net.n_all_tensors);
}

static vise_status check_elements(const vise_model *model, size_t i, size_t n, vise_error *err) {
  vise_status status = check_tensor(model, i, err);
  if (status != VISE_OK) return status;
  const vise_i_tensor *tensor = &model->net.tensors[i];
  if (n == vise_i_tensor_n(tensor)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_SHAPE, "tensor '%s': %zu elements given, expected %zu x %zu", tensor->name, n,
                     tensor->n_rows, tensor->n_cols);
}

vise_status vise_model_tensor_shape(const vise_model *model, size_t i, size_t *n_rows, size_t *n_cols,
                                    vise_error *err) {
  VISE_ENTER(err, model);
  vise_status status = check_tensor(model, i, err);
  if (status != VISE_OK) return status;
  if (n_rows) *n_rows = model->net.tensors[i].n_rows;
  if (n_cols) *n_cols = model->net.tensors[i].n_cols;
  return VISE_OK;
}

vise_status vise_model_get_tensor(const vise_model *model, size_t i, double *out, size_t n, vise_error *err) {
  VISE_ENTER(err, model, out);
  vise_status status = check_elements(model, i, n, err);
  if (status != VISE_OK) return status;
  size_t offset = model->net.tensors[i].offset;
  for (size_t k = 0; k < n; ++k) out[k] = vise_i_param_get(model->dtype, model->params, offset + k);
  return VISE_OK;
}

vise_status vise_model_set_tensor(vise_model *model, size_t i, const double *values, size_t n, vise_error *err) {
  VISE_ENTER(err, model, values);
  vise_status status = check_elements(model, i, n, err);
  if (status != VISE_OK) return status;
  for (size_t k = 0; k < n; ++k) { /* all are checked before the first is written */
    status = check_fits(model->dtype, &model->net.tensors[i], k, values[k], err);
    if (status != VISE_OK) return status;
  }
  size_t offset = model->net.tensors[i].offset;
  model->is_drawn = false;
  for (size_t k = 0; k < n; ++k) vise_i_param_set(model->dtype, model->params, offset + k, values[k]);
  return VISE_OK;
}

vise_loss vise_model_loss(const vise_model *model) {
  return model ? model->loss : VISE_LOSS_CROSS_ENTROPY;
}

void vise_model_set_loss(vise_model *model, vise_loss loss, vise_mse_reduction reduction, double label_smoothing) {
  if (!model) return;
  model->lacks_loss = false;
  model->loss = loss;
  model->mse_reduction = reduction;
  model->label_smoothing = label_smoothing;
}

bool vise_model_knows_loss(const vise_model *model) {
  return model && !model->lacks_loss;
}

vise_mse_reduction vise_model_mse_reduction(const vise_model *model) {
  return model ? model->mse_reduction : VISE_MSE_HALF_MEAN;
}

double vise_model_label_smoothing(const vise_model *model) {
  return model ? model->label_smoothing : 0;
}

vise_status vise_model_set_preprocessing(vise_model *model, const char *json, vise_error *err) {
  vise_status status = VISE_OK;
  char *text = NULL;
  VISE_ENTER(err, model);

  if (json != NULL) {
    json_t *value = NULL;
    status = vise_i_json_read("preprocessing", json, strlen(json), VISE_I_JSON_BYTES, &value, err);
    if (status == VISE_OK && !json_is_object(value)) {
      status = vise_i_fail(err, VISE_ERR_FORMAT, "preprocessing: is not a JSON object");
    }
    json_decref(value);
    if (status == VISE_OK) status = vise_i_copy_text(&text, json, err);
    if (status != VISE_OK) return status;
  }

  free(model->preprocessing);
  model->preprocessing = text;
  return VISE_OK;
}

const char *vise_model_preprocessing(const vise_model *model) {
  return model ? model->preprocessing : NULL;
}

const vise_i_net *vise_i_model_net(const vise_model *model) {
  return &model->net;
}

void *vise_i_model_params(vise_model *model) {
  model->is_drawn = false; /* whoever asks writes */
  return model->params;
}

const void *vise_i_model_const_params(const vise_model *model) {
  return model->params;
}

const vise_i_quantization *vise_i_model_quantization(const vise_model *model) {
  return model->quantization;
}

vise_status vise_i_model_set_quantization(vise_model *model, const vise_i_quantization *quantization, vise_error *err) {
  vise_i_quantization *copy = NULL;
  if (quantization != NULL) {
    const vise_status status = vise_i_quantization_copy(quantization, &copy, err);
    if (status != VISE_OK) return status;
  }
  vise_i_quantization_free(model->quantization);
  model->quantization = copy;
  return VISE_OK;
}

uint64_t *vise_i_model_n_batches(vise_model *model) {
  return &model->n_batches_tracked;
}

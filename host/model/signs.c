/* The signs that weights must have, and their file. */
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/model/model_struct.h"
#include "host/model/safetensors.h"

const int8_t *vise_model_signs(const vise_model *model) {
  return model ? model->signs : NULL;
}

void vise_i_model_apply_signs(vise_model *model) {
  for (size_t i = 0; model->signs && i < model->net.n_params; ++i) {
    const double w = vise_i_param_get(model->dtype, model->params, i);
    if (w * model->signs[i] < 0) vise_i_param_set(model->dtype, model->params, i, 0);
  }
}

/* Takes *signs, which becomes NULL. */
static void own_signs(vise_model *model, int8_t **signs) {
  free(model->signs);
  model->signs = *signs;
  *signs = NULL;
  vise_i_model_apply_signs(model);
}

vise_status vise_model_set_signs(vise_model *model, const int8_t *signs, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  int8_t *copy = NULL;
  VISE_ENTER(err, model);
  if (!signs) {
    free(model->signs);
    model->signs = NULL;
    return VISE_OK;
  }

  if (n != model->net.n_params) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "signs: %zu elements, expected %zu (one a parameter)", n,
                       model->net.n_params);
  }
  for (size_t i = 0; i < n; ++i) {
    if (signs[i] >= -1 && signs[i] <= 1) continue;
    return vise_i_fail(err, VISE_ERR_VALUE, "signs: element %zu is %d, expected -1, 0 or 1", i, signs[i]);
  }

  VISE_TRY(vise_i_alloc(&copy, n, 1, "signs", err));
  memcpy(copy, signs, n);
  own_signs(model, &copy);
done:
  return status;
}

/* ---- monotone nets ---- */

/* What a net must be like to be monotone once its later weights are not negative. */
static vise_status check_monotone(const vise_i_net *net, const int8_t *directions, size_t n_features, vise_error *err) {
  if (n_features != net->widths[0]) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "`monotone`: %zu directions, the net has %zu features", n_features,
                       net->widths[0]);
  }

  for (size_t l = 0; l + 1 < net->n_layers; ++l) {
    const vise_activation f = net->blocks[l].activation;
    if (f != VISE_GELU && f != VISE_SILU) continue;
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "`monotone`: not with `activation` %s, which falls where its argument is negative; relu, elu, tanh "
        "and others do not",
        vise_activation_name(f));
  }
  for (size_t i = 0; i < n_features; ++i) {
    if (directions[i] < -1 || directions[i] > 1) {
      return vise_i_fail(err, VISE_ERR_VALUE, "`monotone`: direction %zu is %d, expected -1, 0 or 1", i, directions[i]);
    }
    if (directions[i] < 0 && net->blocks[0].residual) {
      return vise_i_fail(err, VISE_ERR_USAGE,
                         "`monotone`: feature %zu cannot fall, since `residual` adds it to the first layer's outputs",
                         i);
    }
  }
  return VISE_OK;
}

vise_status vise_model_set_monotone(vise_model *model, const int8_t *directions, size_t n_features, vise_error *err) {
  vise_status status = VISE_OK;
  int8_t *signs = NULL;
  VISE_ENTER(err, model, directions);
  const vise_i_net *net = &model->net;

  VISE_TRY(check_monotone(net, directions, n_features, err));
  VISE_TRY(vise_i_alloc_zero(&signs, net->n_params, 1, "signs", err));
  for (size_t t = 0; t < net->n_tensors; ++t) {
    const vise_i_tensor *tensor = &net->tensors[t];
    const bool is_first = tensor->role == VISE_I_WEIGHT && tensor->layer == 0;
    for (size_t i = 0; i < vise_i_tensor_n(tensor); ++i) {
      int8_t sign = tensor->role == VISE_I_WEIGHT || tensor->role == VISE_I_GAIN;
      if (is_first) sign = directions[i % n_features];
      signs[tensor->offset + i] = sign;
    }
  }
  own_signs(model, &signs);

done:
  free(signs);
  return status;
}

/* ---- files ---- */

static double element(const vise_i_st_tensor *tensor, size_t i) {
  switch (tensor->dtype) {
    case VISE_I_ST_I8:
      return ((const int8_t *)tensor->data)[i];
    case VISE_I_ST_I64:
      return (double)((const int64_t *)tensor->data)[i];
    case VISE_I_ST_F32:
      return (double)((const float *)tensor->data)[i];
    case VISE_I_ST_F64:
      return ((const double *)tensor->data)[i];
    default:
      return 2; /* U8 has no -1 */
  }
}

static const vise_i_tensor *tensor_of_name(const vise_i_net *net, const char *name) {
  for (size_t t = 0; t < net->n_tensors; ++t) {
    if (strcmp(net->tensors[t].name, name) == 0) return &net->tensors[t];
  }
  return NULL;
}

static vise_status copy_signs(const vise_model *model, const vise_i_st_tensor *from, const char *path, int8_t *signs,
                              vise_error *err) {
  const vise_i_tensor *tensor = tensor_of_name(&model->net, from->name);
  if (!tensor) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: the net has no tensor '%s'; its first is '%s'", path, from->name,
                       model->net.tensors[0].name);
  }

  const size_t n = vise_i_tensor_n(tensor);
  const bool is_weight = tensor->role == VISE_I_WEIGHT;
  const bool fits = is_weight ? from->n_dims == 2 && from->dims[0] == tensor->n_rows && from->dims[1] == tensor->n_cols
                              : from->n_dims == 1 && from->dims[0] == n;
  if (!fits) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' does not have the net's shape, %zu x %zu", path,
                       from->name, tensor->n_rows, tensor->n_cols);
  }

  for (size_t i = 0; i < n; ++i) {
    const double sign = element(from, i);
    if (!(sign >= -1 && sign <= 1) || sign != (double)(int8_t)sign) {
      return vise_i_fail(err, VISE_ERR_VALUE, "%s: tensor '%s' (%s), element %zu: expected -1, 0 or 1", path,
                         from->name, vise_i_st_dtype_name(from->dtype), i);
    }
    signs[tensor->offset + i] = (int8_t)sign;
  }
  return VISE_OK;
}

vise_status vise_model_load_signs(vise_model *model, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_file *file = NULL;
  int8_t *signs = NULL;
  VISE_ENTER(err, model, path);

  VISE_TRY(vise_i_st_read(path, &file, err));
  VISE_TRY(vise_i_alloc_zero(&signs, model->net.n_params, 1, "signs", err));
  for (size_t i = 0; i < vise_i_st_n_tensors(file); ++i) {
    VISE_TRY(copy_signs(model, vise_i_st_at(file, i), path, signs, err));
  }
  own_signs(model, &signs);

done:
  free(signs);
  vise_i_st_free(file);
  return status;
}

vise_status vise_model_save_signs(const vise_model *model, const char *path, vise_error *err) {
  static const vise_i_st_meta meta[] = {{"format", "pt"}};
  vise_i_st_tensor tensors[VISE_I_MOST_TENSORS];
  VISE_ENTER(err, model, path);
  if (!model->signs) return vise_i_fail(err, VISE_ERR_STATE, "%s: the model has no signs to save", path);

  for (size_t t = 0; t < model->net.n_tensors; ++t) {
    const vise_i_tensor *tensor = &model->net.tensors[t];
    tensors[t] = (vise_i_st_tensor){.name = tensor->name,
                                    .dtype = VISE_I_ST_I8,
                                    .n_dims = tensor->role == VISE_I_WEIGHT ? 2 : 1,
                                    .dims = {tensor->n_rows, tensor->n_cols},
                                    .data = model->signs + tensor->offset};
  }

  const vise_i_st_content content = {tensors, model->net.n_tensors, meta, 1};
  return vise_i_st_write(path, &content, NULL, err);
}

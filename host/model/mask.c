/* The sparsity mask and its file. */
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/model/model_struct.h"
#include "host/model/safetensors.h"

const uint8_t *vise_model_mask(const vise_model *model) {
  return model ? model->mask : NULL;
}

void vise_i_model_apply_mask(vise_model *model) {
  for (size_t i = 0; model->mask && i < model->net.n_params; ++i) {
    if (!model->mask[i]) vise_i_param_set(model->dtype, model->params, i, 0);
  }
}

/* from names the file in messages; NULL: the caller's array. */
static vise_status check_mask(const vise_i_net *net, const uint8_t *mask, const char *from, vise_error *err) {
  for (size_t t = 0; t < net->n_tensors; ++t) {
    const vise_i_tensor *tensor = &net->tensors[t];
    for (size_t i = 0; i < vise_i_tensor_n(tensor); ++i) {
      uint8_t value = mask[tensor->offset + i];
      if (value > 1 || (tensor->is_bias && value != 1)) {
        return vise_i_fail(err, VISE_ERR_VALUE, "%s: tensor '%s', element %zu is %u, expected %s", from ? from : "mask",
                           tensor->name, i, value,
                           tensor->is_bias ? "1 (biases are never pruned)" : "0 (pruned) or 1 (kept)");
      }
    }
  }

  return VISE_OK;
}

static vise_status set_mask(vise_model *model, const uint8_t *mask, const char *from, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *copy = NULL;
  VISE_TRY(check_mask(&model->net, mask, from, err));
  VISE_TRY(vise_i_alloc(&copy, model->net.n_params, 1, "a mask", err));
  memcpy(copy, mask, model->net.n_params);
  free(model->mask);
  model->mask = copy;
  vise_i_model_apply_mask(model);
done:
  return status;
}

vise_status vise_model_set_mask(vise_model *model, const uint8_t *mask, size_t n, vise_error *err) {
  VISE_ENTER(err, model);
  if (!mask) {
    free(model->mask);
    model->mask = NULL;
    return VISE_OK;
  }

  if (n != model->net.n_params) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "mask: %zu elements, expected %zu (one a parameter)", n,
                       model->net.n_params);
  }

  return set_mask(model, mask, NULL, err);
}

/* The tensor of that name, else that of the layer-th module in the file: the same net with or without dropout has other
   indices. */
static const vise_i_st_tensor *find_tensor(const vise_i_st_file *file, const vise_i_tensor *weight) {
  const vise_i_st_tensor *found = vise_i_st_find(file, weight->name);
  for (size_t i = 0; found == NULL && i < vise_i_st_n_tensors(file); ++i) {
    const unsigned long module = strtoul(vise_i_st_at(file, i)->name, NULL, 10);
    size_t n_before = 0;
    for (size_t k = 0; k < vise_i_st_n_tensors(file); ++k) {
      n_before += strtoul(vise_i_st_at(file, k)->name, NULL, 10) < module;
    }
    if (n_before == weight->layer) found = vise_i_st_at(file, i);
  }
  return found;
}

static vise_status copy_tensor(const vise_i_st_file *file, const vise_i_tensor *weight, uint8_t *mask, const char *path,
                               vise_error *err) {
  const vise_i_st_tensor *found = find_tensor(file, weight);
  if (!found) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: no tensor '%s'; a mask has one for each weight of the model", path,
                       weight->name);
  }

  if (found->dtype != VISE_I_ST_U8) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s' is %s, expected U8", path, weight->name,
                       vise_i_st_dtype_name(found->dtype));
  }
  if (found->n_dims != 2 || found->dims[0] != weight->n_rows || found->dims[1] != weight->n_cols) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' does not have the weight's shape [%zu, %zu]", path,
                       weight->name, weight->n_rows, weight->n_cols);
  }

  memcpy(mask + weight->offset, found->data, vise_i_tensor_n(weight));
  return VISE_OK;
}

vise_status vise_model_load_mask(vise_model *model, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_file *file = NULL;
  uint8_t *mask = NULL;
  VISE_ENTER(err, model, path);

  VISE_TRY(vise_i_st_read(path, &file, err));
  if (vise_i_st_n_tensors(file) != model->net.n_layers) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu tensors, expected %zu (one for each weight of the model)", path,
                         vise_i_st_n_tensors(file), model->net.n_layers));
  }

  VISE_TRY(vise_i_alloc(&mask, model->net.n_params, 1, "a mask", err));
  memset(mask, 1, model->net.n_params);
  for (size_t l = 0; l < model->net.n_layers; ++l) {
    VISE_TRY(copy_tensor(file, &model->net.tensors[model->net.blocks[l].weight], mask, path, err));
  }
  VISE_TRY(set_mask(model, mask, path, err));

done:
  free(mask);
  vise_i_st_free(file);
  return status;
}

vise_status vise_model_save_mask(const vise_model *model, const char *path, vise_error *err) {
  static const vise_i_st_meta meta[] = {{"format", "pt"}};
  vise_i_st_tensor tensors[VISE_MAX_LAYERS];
  VISE_ENTER(err, model, path);
  if (!model->mask) return vise_i_fail(err, VISE_ERR_STATE, "%s: the model has no mask to save", path);

  for (size_t l = 0; l < model->net.n_layers; ++l) {
    const vise_i_tensor *weight = &model->net.tensors[model->net.blocks[l].weight];
    tensors[l] = (vise_i_st_tensor){.name = weight->name,
                                    .dtype = VISE_I_ST_U8,
                                    .n_dims = 2,
                                    .dims = {weight->n_rows, weight->n_cols},
                                    .data = model->mask + weight->offset};
  }

  const vise_i_st_content content = {tensors, model->net.n_layers, meta, 1};
  return vise_i_st_write(path, &content, NULL, err);
}

/* Models as safetensors, in files and in memory. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/model/foreign.h"
#include "host/model/model_struct.h"
#include "host/model/safetensors.h"

/* A model as the content of a file; free() the description. */
typedef struct content {
  vise_i_st_tensor tensors[VISE_I_MOST_ALL_TENSORS + VISE_MAX_LAYERS];
  size_t n_tensors;
  char counter_names[VISE_MAX_LAYERS][40];
  int64_t n_batches;
  vise_i_st_meta meta[2];
  char *description;
  vise_i_st_content all;
} content;

/* The end of the name of a batch norm's counter, a whole number that PyTorch keeps beside its running statistics. */
#define COUNTER "num_batches_tracked"

static void add_counters(const vise_model *model, content *out) {
  size_t n = 0;
  out->n_batches = (int64_t)model->n_batches_tracked;
  for (size_t i = 0; i < model->net.n_listed; i++) {
    const vise_i_layer *layer = &model->net.layers[i];
    if (layer->kind != VISE_LAYER_BATCH_NORM) continue;
    snprintf(out->counter_names[n], sizeof out->counter_names[n], "%zu." COUNTER, layer->module);
    out->tensors[out->n_tensors++] =
        (vise_i_st_tensor){.name = out->counter_names[n++], .dtype = VISE_I_ST_I64, .data = &out->n_batches};
  }
}

static vise_status make_content(const vise_model *model, content *out, vise_error *err) {
  vise_status status = vise_i_model_meta_format(model, &out->description, err);
  if (status != VISE_OK) return status;

  size_t element = vise_dtype_size(model->dtype);
  out->n_tensors = model->net.n_all_tensors;
  for (size_t t = 0; t < out->n_tensors; ++t) {
    const vise_i_tensor *tensor = &model->net.tensors[t];
    out->tensors[t] = (vise_i_st_tensor){.name = tensor->name,
                                         .dtype = model->dtype == VISE_F64 ? VISE_I_ST_F64 : VISE_I_ST_F32,
                                         .n_dims = tensor->is_bias ? 1 : 2,
                                         .dims = {tensor->n_rows, tensor->n_cols},
                                         .data = (const char *)model->params + tensor->offset * element};
  }

  out->meta[0] = (vise_i_st_meta){"format", "pt"};
  out->meta[1] = (vise_i_st_meta){VISE_I_MODEL_META_KEY, out->description};
  add_counters(model, out);
  out->all = (vise_i_st_content){out->tensors, out->n_tensors, out->meta, 2};
  return VISE_OK;
}

vise_status vise_model_save(const vise_model *model, const char *path, vise_error *err) {
  content made;
  VISE_ENTER(err, model, path);
  vise_status status = make_content(model, &made, err);
  if (status != VISE_OK) return status;
  status = vise_i_st_write(path, &made.all, NULL, err);
  free(made.description);
  return status;
}

vise_status vise_model_save_memory(const vise_model *model, void **out_bytes, size_t *out_n_bytes, vise_error *err) {
  content made;
  VISE_ENTER(err, model, out_bytes, out_n_bytes);
  vise_status status = make_content(model, &made, err);
  if (status != VISE_OK) return status;
  status = vise_i_st_write_memory(&made.all, out_bytes, out_n_bytes, err);
  free(made.description);
  return status;
}

void vise_buffer_free(void *bytes) {
  free(bytes);
}

static bool is_counter(const vise_i_st_tensor *tensor) {
  const size_t n = strlen(tensor->name), n_end = strlen(COUNTER);
  return tensor->dtype == VISE_I_ST_I64 && vise_i_st_n_elements(tensor) == 1 && n > n_end &&
         strcmp(tensor->name + n - n_end, COUNTER) == 0;
}

/* The one type of all tensors but counters, and how many numbers they hold. */
static vise_status survey(const vise_i_st_file *file, const char *path, vise_dtype *out_dtype, size_t *out_n,
                          vise_error *err) {
  size_t n = 0;
  if (vise_i_st_n_tensors(file) == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: no tensors; a model has '0.weight' at least", path);
  }

  const vise_i_st_tensor *first = NULL;
  for (size_t i = 0; i < vise_i_st_n_tensors(file); ++i) {
    const vise_i_st_tensor *tensor = vise_i_st_at(file, i);
    if (is_counter(tensor)) continue;
    if (!first) first = tensor;
    if (tensor->dtype != VISE_I_ST_F32 && tensor->dtype != VISE_I_ST_F64) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%.60s' is %s, expected F32 or F64", path, tensor->name,
                         vise_i_st_dtype_name(tensor->dtype));
    }
    if (tensor->dtype != first->dtype) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%.60s' is %s but '%.60s' is %s; expected one type for all",
                         path, tensor->name, vise_i_st_dtype_name(tensor->dtype), first->name,
                         vise_i_st_dtype_name(first->dtype));
    }

    n += vise_i_st_n_elements(tensor);
  }

  *out_dtype = first && first->dtype == VISE_I_ST_F64 ? VISE_F64 : VISE_F32;
  *out_n = n;
  return VISE_OK;
}

/* The net that the tensors' names and shapes describe, for a file without the metadata of Vise. */
static vise_status deduce_net(const vise_i_st_file *file, const char *path, vise_net_config *config, vise_error *err) {
  char name[32];
  vise_net_config_init(config);

  for (size_t l = 0;; ++l) {
    snprintf(name, sizeof name, "%zu.weight", 2 * l);
    const vise_i_st_tensor *weight = vise_i_st_find(file, name);
    if (!weight) break;

    if (l >= VISE_MAX_LAYERS) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "%s: more than %d linear layers", path, VISE_MAX_LAYERS);
    }
    if (weight->n_dims != 2) {
      return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' has %zu dimensions, expected 2: [outputs, inputs]", path,
                         name, weight->n_dims);
    }
    if (l > 0 && weight->dims[1] != config->widths[l]) {
      return vise_i_fail(err, VISE_ERR_SHAPE,
                         "%s: tensor '%s' is [%zu, %zu], expected [*, %zu], the outputs of "
                         "'%zu.weight'",
                         path, name, weight->dims[0], weight->dims[1], config->widths[l], 2 * l - 2);
    }

    config->widths[l] = weight->dims[1];
    config->widths[l + 1] = weight->dims[0];
    config->n_layers = l + 1;
  }

  if (config->n_layers == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "%s: no tensor '0.weight'; expected the names of an nn.Sequential of Linear "
                       "and activation modules: '0.weight', '0.bias', '2.weight', ... (the first here is '%.60s')",
                       path, vise_i_st_at(file, 0)->name);
  }

  config->bias = vise_i_st_find(file, "0.bias") != NULL;
  return VISE_OK;
}

static vise_status check_names(const vise_i_st_file *file, const vise_i_net *net, const char *path, vise_error *err) {
  for (size_t i = 0; i < vise_i_st_n_tensors(file); ++i) {
    const char *name = vise_i_st_at(file, i)->name;
    bool known =
        (is_counter(vise_i_st_at(file, i)) && vise_i_net_has_batch_norm(net)) || vise_i_foreign_is_absorbed(net, name);
    for (size_t t = 0; t < net->n_all_tensors && !known; ++t) known = strcmp(name, net->tensors[t].name) == 0;
    if (!known) {
      const bool has_bias = net->blocks[net->n_layers - 1].bias != VISE_I_NO_TENSOR;
      return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%.60s' has no place in a net of %zu linear layers %s bias",
                         path, name, net->n_layers, has_bias ? "with" : "without");
    }
  }
  return VISE_OK;
}

static vise_status take_tensor(const vise_i_st_file *file, const vise_i_tensor *place, const char *path,
                               vise_model *model, vise_error *err) {
  const vise_i_st_tensor *found = vise_i_st_find(file, place->name);
  if (!found) return vise_i_fail(err, VISE_ERR_SHAPE, "%s: no tensor '%s'", path, place->name);

  size_t n_dims = place->is_bias ? 1 : 2;
  if (found->n_dims != n_dims || found->dims[0] != place->n_rows ||
      (!place->is_bias && found->dims[1] != place->n_cols)) {
    char expected[64];
    if (place->is_bias) {
      snprintf(expected, sizeof expected, "[%zu]", place->n_rows);
    } else {
      snprintf(expected, sizeof expected, "[%zu, %zu]", place->n_rows, place->n_cols);
    }

    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' has another shape than the net needs, %s", path,
                       place->name, expected);
  }

  size_t n = vise_i_tensor_n(place), element = vise_dtype_size(model->dtype);
  memcpy((char *)model->params + place->offset * element, found->data, n * element);

  for (size_t i = 0; i < n; ++i) {
    double value = vise_i_param_get(model->dtype, model->params, place->offset + i);
    if (!isfinite(value)) {
      return vise_i_fail(err, VISE_ERR_VALUE, "%s: tensor '%s', element %zu is %g, expected a finite number", path,
                         place->name, i, value);
    }
  }
  return VISE_OK;
}

/* Batch norms are trained together, so that one counter says it of all. */
static void take_counter(const vise_i_st_file *file, vise_model *model) {
  for (size_t i = 0; i < vise_i_st_n_tensors(file); ++i) {
    const vise_i_st_tensor *tensor = vise_i_st_at(file, i);
    int64_t n = 0;
    if (!is_counter(tensor)) continue;
    memcpy(&n, tensor->data, sizeof n);
    model->n_batches_tracked = n > 0 ? (uint64_t)n : 0;
  }
}

vise_status vise_i_model_from_tensors(const vise_i_st_file *file, const char *path, vise_model **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_model *model = NULL;
  vise_dtype dtype = VISE_F32;
  size_t n_numbers = 0;

  VISE_TRY(survey(file, path, &dtype, &n_numbers, err));
  const char *description = vise_i_st_metadata(file, VISE_I_MODEL_META_KEY);
  if (description) {
    VISE_TRY(vise_i_model_meta_parse(description, path, dtype, n_numbers, &model, err));
  } else if (vise_i_foreign_has_modules(file)) {
    vise_i_net net;
    VISE_TRY(vise_i_foreign_net(file, path, VISE_RELU, &net, err));
    VISE_TRY(vise_i_model_of_net(&net, dtype, &model, err));
    model->lacks_activation = model->lacks_loss = true;
  } else {
    vise_net_config config;
    VISE_TRY(deduce_net(file, path, &config, err));
    VISE_TRY(vise_model_create(&config, dtype, &model, err));
    model->lacks_activation = model->lacks_loss = true;
  }

  VISE_TRY(check_names(file, &model->net, path, err));
  for (size_t t = 0; t < model->net.n_all_tensors; ++t) {
    VISE_TRY(take_tensor(file, &model->net.tensors[t], path, model, err));
  }
  VISE_TRY(vise_i_foreign_absorb(file, path, &model->net, dtype, model->params, err));
  take_counter(file, model);

  *out = model;
  model = NULL;

done:
  vise_model_free(model);
  return status;
}

vise_status vise_model_load_memory(const void *bytes, size_t n_bytes, vise_model **out, vise_error *err) {
  vise_i_st_file *file = NULL;
  VISE_ENTER(err, bytes, out);
  vise_status status = vise_i_st_parse("memory", bytes, n_bytes, &file, err);
  if (status != VISE_OK) return status;
  status = vise_i_model_from_tensors(file, "memory", out, err);
  vise_i_st_free(file);
  return status;
}

static vise_status load_file(const char *path, vise_model **out, vise_error *err) {
  vise_i_st_file *file = NULL;
  vise_status status = vise_i_st_read(path, &file, err);
  if (status != VISE_OK) return status;
  status = vise_i_model_from_tensors(file, path, out, err);
  vise_i_st_free(file);
  return status;
}

/* The model in the folder of a run, which has it from its end on. */
static vise_status load_from_run(const char *dir, vise_model **out, vise_error *err) {
  char *path = NULL;
  vise_status status = vise_i_path_join(&path, dir, "model.safetensors", err);
  if (status != VISE_OK) return status;

  if (access(path, F_OK) != 0 && errno == ENOENT) {
    status =
        vise_i_fail(err, VISE_ERR_IO, "%s: a folder without model.safetensors, which a run writes at its end", dir);
  } else {
    status = load_file(path, out, err);
  }
  free(path);
  return status;
}

vise_status vise_model_load(const char *path, vise_model **out, vise_error *err) {
  struct stat info;
  VISE_ENTER(err, path, out);
  if (stat(path, &info) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);
  return S_ISDIR(info.st_mode) ? load_from_run(path, out, err) : load_file(path, out, err);
}

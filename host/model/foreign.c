#include "host/model/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/model_struct.h"

/* Modules after which a file is not looked at: more than any net has. */
#define MOST_MODULES VISE_I_MOST_LISTED

/* The tensor "<module>.<what>", or NULL. */
static const vise_i_st_tensor *part_of(const vise_i_st_file *file, size_t module, const char *what) {
  char name[48];
  snprintf(name, sizeof name, "%zu.%s", module, what);
  return vise_i_st_find(file, name);
}

static bool is_batch_norm(const vise_i_st_file *file, size_t module) {
  return part_of(file, module, "running_mean") != NULL;
}

bool vise_i_foreign_has_modules(const vise_i_st_file *file) {
  size_t n_weights = 0, n_to_last = 0;
  if (part_of(file, 0, "weight") == NULL && part_of(file, 1, "weight") == NULL) return false;

  for (size_t m = 0; m < MOST_MODULES; m++) {
    if (is_batch_norm(file, m)) return true;
    if (part_of(file, m, "weight") == NULL) continue;
    if (m % 2 != 0) return true;
    n_weights++;
    n_to_last = m / 2 + 1;
  }
  return n_weights != n_to_last;
}

/* ---- the list ------------------------------------------------------------------------------------------------- */

typedef struct reading {
  const vise_i_st_file *file;
  const char *path;
  vise_activation activation;
  vise_layer layers[MOST_MODULES];
  size_t n;
  size_t n_inputs, n_outputs; /* of the net so far */
  size_t n_without;           /* modules without tensors since the last with some */
} reading;

static vise_layer *append(reading *r, vise_layer_kind kind) {
  vise_layer *layer = &r->layers[r->n++];
  vise_layer_init(layer);
  layer->kind = kind;
  layer->activation = r->activation;
  return layer;
}

/* What the modules without tensors before module m are. */
static vise_status append_others(reading *r, size_t m, vise_error *err) {
  const bool is_start = r->n == 0; /* with one at most: what has_modules says */
  if (r->n_without > 2) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "%s: modules %zu to %zu have no tensors; expected an activation and a dropout at most, before "
                       "module %zu",
                       r->path, m - r->n_without, m - 1, m);
  }

  if (r->n_without > 0 && !is_start) append(r, VISE_LAYER_ACTIVATION);
  if (r->n_without == (is_start ? 1 : 2)) append(r, VISE_LAYER_DROPOUT);
  r->n_without = 0;
  return VISE_OK;
}

static vise_status append_linear(reading *r, size_t m, const vise_i_st_tensor *weight, vise_error *err) {
  if (weight->n_dims != 2) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "%s: tensor '%s' has %zu dimensions, expected 2: [outputs, inputs] of a Linear, or "
                       "'%zu.running_mean' of a BatchNorm1d beside it",
                       r->path, weight->name, weight->n_dims, m);
  }
  if (r->n_outputs != 0 && weight->dims[1] != r->n_outputs) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' is [%zu, %zu], expected [*, %zu], the outputs before it",
                       r->path, weight->name, weight->dims[0], weight->dims[1], r->n_outputs);
  }

  if (r->n_outputs == 0) r->n_inputs = weight->dims[1];
  r->n_outputs = weight->dims[0];
  vise_layer *layer = append(r, VISE_LAYER_LINEAR);
  layer->width = r->n_outputs;
  layer->bias = part_of(r->file, m, "bias") != NULL;
  return VISE_OK;
}

static vise_status read_module(reading *r, size_t m, vise_error *err) {
  const vise_i_st_tensor *weight = part_of(r->file, m, "weight");
  const bool norm = is_batch_norm(r->file, m);
  if (!norm && weight == NULL) {
    r->n_without++;
    return VISE_OK;
  }

  const vise_status status = append_others(r, m, err);
  if (status != VISE_OK) return status;
  if (!norm) return append_linear(r, m, weight, err);
  append(r, VISE_LAYER_BATCH_NORM);
  return VISE_OK;
}

vise_status vise_i_foreign_net(const vise_i_st_file *file, const char *path, vise_activation activation,
                               vise_i_net *out, vise_error *err) {
  vise_status status;
  vise_error inner = VISE_ERROR_INIT;
  reading r = {.file = file, .path = path, .activation = activation};

  for (size_t m = 0; m < MOST_MODULES && r.n + 3 < MOST_MODULES; m++) VISE_TRY(read_module(&r, m, err));
  status = vise_i_net_of_layers(r.n_inputs, r.layers, r.n, out, &inner);
  if (status != VISE_OK) {
    return vise_i_fail(err, status, "%s: %s (as the modules of an nn.Sequential are read)", path, inner.text);
  }

done:
  return status;
}

/* ---- biases before batch norm --------------------------------------------------------------------------------- */

/* The bias of the linear layer of a block, whose batch norm takes its place; the name has room for 48 bytes. */
static bool absorbed_name(const vise_i_net *net, size_t l, char *name) {
  if (!net->blocks[l].batch_norm) return false;
  snprintf(name, 48, "%zu.bias", net->layers[net->blocks[l].linear].module);
  return true;
}

bool vise_i_foreign_is_absorbed(const vise_i_net *net, const char *name) {
  char own[48];
  for (size_t l = 0; l < net->n_layers; l++) {
    if (absorbed_name(net, l, own) && strcmp(own, name) == 0) return true;
  }
  return false;
}

static vise_status absorb(const vise_i_st_tensor *bias, const char *path, const vise_i_tensor *mean, vise_dtype dtype,
                          void *params, vise_error *err) {
  if (bias->n_dims != 1 || bias->dims[0] != mean->n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: tensor '%s' has another shape than the net needs, [%zu]", path,
                       bias->name, mean->n_rows);
  }

  for (size_t i = 0; i < mean->n_rows; i++) {
    const double less = vise_i_param_get(dtype, bias->data, i);
    vise_i_param_set(dtype, params, mean->offset + i, vise_i_param_get(dtype, params, mean->offset + i) - less);
    if (isfinite(vise_i_param_get(dtype, params, mean->offset + i))) continue;
    return vise_i_fail(err, VISE_ERR_VALUE, "%s: tensor '%s', element %zu is %g, expected a finite number", path,
                       bias->name, i, less);
  }
  return VISE_OK;
}

vise_status vise_i_foreign_absorb(const vise_i_st_file *file, const char *path, const vise_i_net *net, vise_dtype dtype,
                                  void *params, vise_error *err) {
  char name[48];
  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_i_st_tensor *bias = absorbed_name(net, l, name) ? vise_i_st_find(file, name) : NULL;
    if (bias == NULL) continue;
    const vise_i_tensor *mean = &net->tensors[net->blocks[l].running_mean];
    const vise_status status = absorb(bias, path, mean, dtype, params, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

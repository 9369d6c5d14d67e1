/* From a model and the ranges of its inputs to a certificate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/certify/certificate.h"

static vise_certify_config default_config(void) {
  return (vise_certify_config){.struct_size = sizeof(vise_certify_config)};
}

VISE_I_DEFINE_INIT(vise_certify_config, data, default_config)

/* "input 3", or "input 3 (age)". */
static void name_input(const vise_i_inputs *inputs, size_t i, char *out, size_t n_bytes) {
  const char *name = inputs->names == NULL ? NULL : inputs->names[i];
  (void)snprintf(out, n_bytes, name == NULL ? "input %zu" : "input %zu (%.60s)", i, name);
}

/* What is known of an input without being told. */
static bool known_range(const vise_i_inputs *inputs, size_t i, double *low, double *high) {
  const bool is_byte = inputs->names == NULL && inputs->kind == VISE_SCALE_UNIT;
  *low = 0;
  *high = is_byte ? 255 : 1;
  return is_byte || inputs->is_bit[i];
}

static vise_status take_range(const vise_certify_config *config, vise_certificate *out, size_t i, vise_error *err) {
  char name[96];
  double low = config->low == NULL ? NAN : config->low[i], high = config->high == NULL ? NAN : config->high[i];
  name_input(&out->inputs, i, name, sizeof name);

  if (isnan(low) && isnan(high) && !known_range(&out->inputs, i, &low, &high)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: its range is not known: give the ranges of the `inputs`, or `data` to take them from",
                       name);
  }
  if (!isfinite(low) || !isfinite(high) || low > high) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: the range %g to %g, expected two finite numbers, the smaller one first", name, low, high);
  }

  out->given.low[i] = low;
  out->given.high[i] = high;
  return VISE_OK;
}

static void describe_layers(const vise_i_net *net, vise_certificate *out) {
  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_i_block *block = &net->blocks[l];
    vise_i_certified_layer *layer = &out->layers[l];
    layer->has_activation = block->has_activation;
    layer->activation = block->has_activation ? block->activation : VISE_IDENTITY;
    layer->slope = vise_i_slope_bound(layer->activation);
    layer->batch_norm = block->batch_norm;
    layer->residual = block->residual;
  }
}

uint64_t vise_i_weights_sum(const vise_model *model) {
  const size_t n_bytes = vise_i_model_net(model)->n_values * vise_dtype_size(vise_model_dtype(model));
  return XXH3_64bits(vise_i_model_const_params(model), n_bytes);
}

static vise_status begin(const vise_model *model, const vise_certify_config *config, vise_certificate *out,
                         vise_error *err) {
  const vise_i_net *net = vise_i_model_net(model);
  vise_status status = VISE_OK;
  if (!vise_model_knows_activation(model)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "the model's file does not say its `activation`, which bounds depend on");
  }

  out->n_layers = net->n_layers;
  out->n_outputs = net->widths[net->n_layers];
  out->weights = vise_i_weights_sum(model);
  describe_layers(net, out);
  VISE_TRY(vise_i_copy_text(&out->origin, config->origin == NULL ? "given" : config->origin, err));

  VISE_TRY(vise_i_inputs_of(model, &out->inputs, err));
  VISE_TRY(vise_i_ranges_make(&out->given, out->inputs.n, err));
  for (size_t i = 0; i < out->inputs.n; i++) VISE_TRY(take_range(config, out, i, err));

done:
  return status;
}

vise_status vise_certify(const vise_model *model, const vise_certify_config *config, vise_certificate **out,
                         vise_error *err) {
  vise_status status = VISE_OK;
  vise_certificate *made = NULL;
  vise_certify_config own = default_config();
  VISE_ENTER(err, model, out);

  if (config != NULL) VISE_TRY(vise_i_config_take(&own, sizeof own, config, "vise_certify_config", err));
  VISE_TRY(vise_i_alloc_zero(&made, 1, sizeof *made, "a certificate", err));
  VISE_TRY(begin(model, &own, made, err));
  VISE_TRY(vise_i_certify_ranges(model, made, err));
  VISE_TRY(vise_i_certify_lipschitz(model, made, err));
  VISE_TRY(vise_i_certify_monotone(model, made, err));
  VISE_TRY(vise_i_certify_sums(model, &own, made, err));

  *out = made;
  made = NULL;

done:
  vise_certificate_free(made);
  return status;
}

/* The net as all formats see it. */
#include <ctype.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/export/export.h"

void vise_i_export_clear(vise_i_export *e) {
  for (size_t l = 0; l < e->n_layers; l++) {
    free(e->layers[l].weights);
    free(e->layers[l].bias);
  }
  vise_i_inputs_free(&e->inputs);
  free(e->upper);
  free(e->target_shift);
  free(e->target_scale);
  free(e->vectors.low);
  free(e->vectors.high);
  free(e->vectors.inputs);
  free(e->vectors.outputs);
  free(e->vectors.tolerance);
  *e = (vise_i_export){0};
}

static vise_status check_floats(const double *values, size_t n, const char *what, size_t layer, vise_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (fabs(values[i]) <= FLT_MAX) continue;
    return vise_i_fail(err, VISE_ERR_VALUE, "export: %s %zu of layer %zu is %g, which float32 does not hold", what, i,
                       layer, values[i]);
  }
  return VISE_OK;
}

static vise_status take_layer(const vise_model *model, size_t l, vise_i_export_layer *out, vise_error *err) {
  vise_i_affine a;
  size_t n = 0;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_affine_of(model, l, &a, err));
  *out = (vise_i_export_layer){.n_in = a.n_in,
                               .n_out = a.n_out,
                               .has_activation = a.block->has_activation,
                               .residual = a.block->residual,
                               .activation = a.block->has_activation ? a.block->activation : VISE_IDENTITY};

  if (!vise_i_size_mul(a.n_in, a.n_out, &n)) VISE_TRY(vise_i_fail_memory(err, 0, "a layer's weights"));
  VISE_TRY(vise_i_alloc(&out->weights, n, sizeof *out->weights, "a layer's weights", err));
  VISE_TRY(vise_i_alloc(&out->bias, a.n_out, sizeof *out->bias, "a layer's biases", err));
  for (size_t k = 0; k < a.n_out; k++) {
    for (size_t j = 0; j < a.n_in; j++) out->weights[k * a.n_in + j] = a.factor[k] * vise_i_affine_weight(&a, k, j);
    out->bias[k] = a.offset[k];
  }
  VISE_TRY(check_floats(out->weights, n, "weight", l, err));
  VISE_TRY(check_floats(out->bias, a.n_out, "bias", l, err));

done:
  vise_i_affine_free(&a);
  return status;
}

static vise_status take_targets(const vise_model *model, vise_i_export *out, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc(&out->target_shift, out->n_outputs, sizeof *out->target_shift, "scaling", err));
  VISE_TRY(vise_i_alloc(&out->target_scale, out->n_outputs, sizeof *out->target_scale, "scaling", err));
  out->scales_targets = vise_model_target_scaling(model, out->target_shift, out->target_scale) != VISE_SCALE_NONE;

  const vise_targets targets = vise_loss_targets(vise_model_loss(model));
  out->classifies = vise_model_knows_loss(model) && targets != VISE_TARGETS_NUMBERS && targets != VISE_TARGETS_COUNTS &&
                    targets != VISE_TARGETS_NONE;
  if (out->classifies) out->n_classes = out->n_outputs == 1 ? 2 : out->n_outputs;

done:
  return status;
}

/* Scales that vanish in float32 would be divided by. */
static vise_status check_scaling(const vise_i_inputs *inputs, vise_error *err) {
  for (size_t i = 0; i < inputs->n; i++) {
    const bool held = fabs(inputs->shift[i]) <= FLT_MAX && inputs->scale[i] <= FLT_MAX && inputs->scale[i] >= FLT_MIN;
    if (held) continue;
    return vise_i_fail(err, VISE_ERR_VALUE, "export: input %zu is scaled by (x - %g) / %g, which float32 does not hold",
                       i, inputs->shift[i], inputs->scale[i]);
  }
  return VISE_OK;
}

vise_status vise_i_export_begin(const vise_model *model, const vise_export_config *config, vise_i_export *out,
                                vise_error *err) {
  const vise_i_net *net = vise_i_model_net(model);
  vise_status status = VISE_OK;
  *out = (vise_i_export){.model = model,
                         .name = config->name,
                         .weights = vise_i_weights_sum(model),
                         .n_outputs = net->widths[net->n_layers]};

  VISE_TRY(vise_i_copy_text(&out->upper, config->name, err));
  for (char *c = out->upper; *c != '\0'; c++) *c = (char)toupper((unsigned char)*c);
  VISE_TRY(vise_i_inputs_of(model, &out->inputs, err));
  VISE_TRY(check_scaling(&out->inputs, err));

  for (size_t l = 0; l <= net->n_layers; l++) out->widest = net->widths[l] > out->widest ? net->widths[l] : out->widest;
  for (; out->n_layers < net->n_layers; out->n_layers++) {
    vise_i_export_layer *layer = &out->layers[out->n_layers];
    status = take_layer(model, out->n_layers, layer, err);
    if (status != VISE_OK) out->n_layers++; /* what it has is freed too */
    if (status != VISE_OK) goto done;
  }
  VISE_TRY(take_targets(model, out, err));

done:
  return status;
}

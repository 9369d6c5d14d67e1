/*
 * Relative weight operations. m and tau have the weights' own type: for float weights tau = (float)t * m, rounded to
 * float once, so that the comparison and the value written are what a float32 computation elsewhere would have.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/model/model.h"
#include "host/model/model_struct.h"
#include "host/options/options.h"

static vise_weight_op default_op(void) {
  return (vise_weight_op){
      .struct_size = sizeof(vise_weight_op), .kind = VISE_WEIGHT_OP_NONE, .t = 1, .scope = VISE_PRUNE_TENSOR};
}

_Static_assert(sizeof(vise_weight_op) == VISE_I_BYTES_UP_TO(vise_weight_op, frozen_m),
               "vise_train_config holds a vise_weight_op, so it cannot grow");
VISE_I_DEFINE_INIT(vise_weight_op, frozen_m, default_op)

static bool is_relative(vise_weight_op_kind kind) {
  return kind == VISE_REL_CLIP || kind == VISE_REL_RETAIN || kind == VISE_REL_DROP_LARGE;
}

static vise_status validate_layers(const vise_weight_op *op, size_t n_layers, bool *chosen, vise_error *err) {
  for (size_t l = 0; l < n_layers; ++l) chosen[l] = !op->layers;
  if (!op->layers) return VISE_OK;

  if (op->n_layers == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "weight operation: an empty list of layers; give NULL for all of them");
  }

  for (size_t i = 0; i < op->n_layers; ++i) {
    size_t layer = op->layers[i];
    if (layer >= n_layers) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`weight_op.layers`: layer %zu, expected 0 to %zu", layer, n_layers - 1);
    }
    if (chosen[layer]) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`weight_op.layers`: layer %zu is listed twice", layer);
    }
    chosen[layer] = true;
  }
  return VISE_OK;
}

static vise_status validate(const vise_weight_op *given, size_t n_layers, bool *chosen, vise_error *err) {
  vise_weight_op taken = default_op(), *op = &taken;
  vise_status status = vise_i_config_take(op, sizeof *op, given, "vise_weight_op", err);
  if (status != VISE_OK) return status;
  if ((size_t)op->kind >= (size_t)vise_weight_op_kind_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "weight operation: unknown kind %d", (int)op->kind);
  }

  const char *name = vise_weight_op_kind_name(op->kind);
  if (is_relative(op->kind)) {
    if (op->t == 0) return vise_i_fail(err, VISE_ERR_USAGE, "%s needs `weight_op.t`, which is 0", name);
    status = vise_i_option_check_real("weight-op-t", op->t, err);
    if (status != VISE_OK) return status;
  }
  if (op->literal && op->kind != VISE_REL_CLIP) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: `weight_op.literal` belongs to rel-clip alone", name);
  }
  if (op->frozen_m && !is_relative(op->kind)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: frozen_m belongs to the rel- operations alone", name);
  }

  if (op->kind == VISE_PRUNE) {
    status = vise_i_option_check_real("weight-op-fraction", op->fraction, err);
    if (status != VISE_OK) return status;
  }
  if ((size_t)op->scope >= (size_t)vise_prune_scope_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "prune: unknown scope %d", (int)op->scope);
  }

  status = validate_layers(op, n_layers, chosen, err);
  if (status != VISE_OK) return status;
  for (size_t l = 0; op->frozen_m && l < n_layers; ++l) {
    if (chosen[l] && (!(op->frozen_m[l] >= 0) || !isfinite(op->frozen_m[l]))) {
      return vise_i_fail(err, VISE_ERR_USAGE, "%s: frozen_m of layer %zu is %g, expected a finite number >= 0", name, l,
                         op->frozen_m[l]);
    }
  }
  return VISE_OK;
}

vise_status vise_i_weight_op_validate(const vise_weight_op *op, size_t n_layers, vise_error *err) {
  bool chosen[VISE_MAX_LAYERS];
  return validate(op, n_layers, chosen, err);
}

static const vise_i_tensor *weight_of(const vise_i_net *net, size_t layer) {
  return &net->tensors[net->blocks[layer].weight];
}

static double max_abs(const vise_i_tensor *tensor, vise_dtype dtype, const void *params) {
  double m = 0;
  for (size_t i = 0; i < vise_i_tensor_n(tensor); ++i) {
    double magnitude = fabs(vise_i_param_get(dtype, params, tensor->offset + i));
    if (magnitude > m) m = magnitude;
  }
  return m;
}

void vise_i_weight_op_max_abs(const vise_i_net *net, vise_dtype dtype, const void *params, double *m) {
  for (size_t l = 0; l < net->n_layers; ++l) m[l] = max_abs(weight_of(net, l), dtype, params);
}

/* Frobenius norm over the chosen layers, scaled by their largest entry so that no square overflows. */
static double norm_of(const vise_i_weights *weights, const bool *chosen) {
  const vise_i_net *net = weights->net;
  double largest = 0, sum = 0;

  for (size_t l = 0; l < net->n_layers; ++l) {
    if (chosen[l]) largest = fmax(largest, max_abs(weight_of(net, l), weights->dtype, weights->params));
  }
  if (largest == 0) return 0;

  for (size_t l = 0; l < net->n_layers; ++l) {
    const vise_i_tensor *tensor = weight_of(net, l);
    for (size_t i = 0; chosen[l] && i < vise_i_tensor_n(tensor); ++i) {
      double scaled = vise_i_param_get(weights->dtype, weights->params, tensor->offset + i) / largest;
      sum += scaled * scaled;
    }
  }

  return largest * sqrt(sum);
}

static vise_status check_finite(const vise_i_weights *weights, const bool *chosen, vise_error *err) {
  for (size_t l = 0; l < weights->net->n_layers; ++l) {
    const vise_i_tensor *tensor = weight_of(weights->net, l);
    for (size_t i = 0; chosen[l] && i < vise_i_tensor_n(tensor); ++i) {
      const double w = vise_i_param_get(weights->dtype, weights->params, tensor->offset + i);
      if (!isfinite(w)) {
        return vise_i_fail(err, VISE_ERR_VALUE,
                           "tensor '%s', row %zu, column %zu: the weight is %g; a weight "
                           "operation needs finite weights",
                           tensor->name, i / tensor->n_cols, i % tensor->n_cols, w);
      }
    }
  }

  return VISE_OK;
}

static double own_product(vise_dtype dtype, double t, double m) {
  return dtype == VISE_F64 ? t * m : (double)((float)t * (float)m);
}

static size_t apply_relative(const vise_i_weights *weights, const vise_i_tensor *tensor, const vise_weight_op *op) {
  const vise_dtype dtype = weights->dtype;
  void *params = weights->params;
  double m = op->frozen_m ? op->frozen_m[tensor->layer] : max_abs(tensor, dtype, params);
  double tau = own_product(dtype, op->t, m), written = op->literal ? op->t : tau;
  size_t n_reached = 0;

  for (size_t i = tensor->offset; i < tensor->offset + vise_i_tensor_n(tensor); ++i) {
    double w = vise_i_param_get(dtype, params, i);
    bool reached = fabs(w) >= tau;
    n_reached += reached;

    if (op->kind == VISE_REL_CLIP) {
      if (reached && w != 0) vise_i_param_set(dtype, params, i, w > 0 ? written : -written);
    } else if (reached == (op->kind == VISE_REL_DROP_LARGE)) {
      vise_i_param_set(dtype, params, i, 0);
    }
  }

  return n_reached;
}

vise_status vise_i_weight_op_apply(const vise_i_weights *weights, const vise_weight_op *op,
                                   vise_weight_op_report *report, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = weights->net;
  bool chosen[VISE_MAX_LAYERS];
  vise_weight_op_report made = {0};

  VISE_TRY(validate(op, net->n_layers, chosen, err));
  VISE_TRY(check_finite(weights, chosen, err));
  if (op->kind == VISE_PRUNE && !weights->mask) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "prune: no mask to write to");
  }

  if (report) made.norm_before = norm_of(weights, chosen);
  for (size_t l = 0; l < net->n_layers; ++l) {
    if (!chosen[l]) continue;
    made.n_considered += vise_i_tensor_n(weight_of(net, l));
    if (is_relative(op->kind)) made.n_reached += apply_relative(weights, weight_of(net, l), op);
  }

  if (op->kind == VISE_PRUNE) made.n_reached = vise_i_prune(weights, chosen, op->fraction, op->scope);

  if (report) {
    made.norm_after = norm_of(weights, chosen);
    *report = made;
  }

done:
  return status;
}

vise_status vise_model_apply_weight_op_sized(size_t report_bytes, vise_model *model, const vise_weight_op *op,
                                             vise_weight_op_report *report, vise_error *err) {
  vise_status status = VISE_OK;
  vise_weight_op_report made = {0};
  uint8_t *mask = NULL;
  vise_weight_op own = default_op();
  VISE_ENTER(err, model, op);

  VISE_TRY(vise_i_config_take(&own, sizeof own, op, "vise_weight_op", err));
  if (own.kind == VISE_PRUNE && !model->mask) {
    VISE_TRY(vise_i_alloc(&mask, model->net.n_params, 1, "a mask", err));
    memset(mask, 1, model->net.n_params);
  }

  const vise_i_weights weights = {&model->net, model->dtype, model->params, mask ? mask : model->mask};
  VISE_TRY(vise_i_weight_op_apply(&weights, &own, report ? &made : NULL, err));
  vise_i_struct_give(report, report_bytes, &made, sizeof made);
  if (mask) {
    model->mask = mask;
    mask = NULL;
  }

done:
  free(mask);
  return status;
}

vise_status(vise_model_apply_weight_op)(vise_model *model, const vise_weight_op *op, vise_weight_op_report *report,
                                        vise_error *err) {
  return vise_model_apply_weight_op_sized(VISE_I_BYTES_UP_TO(vise_weight_op_report, norm_after), model, op, report,
                                          err);
}

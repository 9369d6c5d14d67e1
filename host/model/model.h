/* What the training layer needs from a model beyond the public calls. */
#ifndef VISE_I_MODEL_H
#define VISE_I_MODEL_H

#include "host/base/error.h"
#include "host/net/net.h"
#include "host/net/quantization.h"
#include "vise/model.h"

/* The metadata entry of a model's file that holds its description (model_meta.c). */
#define VISE_I_MODEL_META_KEY "vise"

const vise_i_net *vise_i_model_net(const vise_model *model);
/* All n_values flat parameters, float or double as vise_model_dtype says; owned by the model. */
void *vise_i_model_params(vise_model *model);
const void *vise_i_model_const_params(const vise_model *model);

/* The range of a layer's weights: that of the scheme that drew them, else their largest magnitude. */
double vise_i_model_initial_range(const vise_model *model, size_t layer);

/* How its weights are integers; NULL: it was not trained to be an integer net. Set takes a copy, or NULL. */
const vise_i_quantization *vise_i_model_quantization(const vise_model *model);
VISE_WARN_UNUSED vise_status vise_i_model_set_quantization(vise_model *model, const vise_i_quantization *quantization,
                                                           vise_error *err);

/* Batches that the running statistics of the model's batch norms have seen. */
uint64_t *vise_i_model_n_batches(vise_model *model);

/* One parameter of either type. */
static inline double vise_i_param_get(vise_dtype dtype, const void *params, size_t i) {
  return dtype == VISE_F64 ? ((const double *)params)[i] : (double)((const float *)params)[i];
}

/* The same, written: rounded to the type. */
static inline void vise_i_param_set(vise_dtype dtype, void *params, size_t i, double value) {
  if (dtype == VISE_F64) {
    ((double *)params)[i] = value;
  } else {
    ((float *)params)[i] = (float)value;
  }
}

/* The flat parameters of a net (running statistics are not looked at), and their mask [net->n_params] or NULL. */
typedef struct vise_i_weights {
  const vise_i_net *net;
  vise_dtype dtype;
  void *params;
  uint8_t *mask;
} vise_i_weights;

/* A weight operation; prune needs a mask. Used by the model's public call and by training. max_abs fills m = max|W| per layer, for frozen_m. */
VISE_WARN_UNUSED vise_status vise_i_weight_op_apply(const vise_i_weights *weights, const vise_weight_op *op,
                                                    vise_weight_op_report *report, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_weight_op_validate(const vise_weight_op *op, size_t n_layers, vise_error *err);
void vise_i_weight_op_max_abs(const vise_i_net *net, vise_dtype dtype, const void *params, double *m);

#endif

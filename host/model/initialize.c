/* Initial weights. */
#include <math.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/rng.h"
#include "host/model/model_struct.h"

double vise_init_scheme_range(vise_init_scheme scheme, size_t n_in, size_t n_out) {
  const double in = (double)n_in, out = (double)n_out;
  if (scheme == VISE_INIT_LINEAR) return (double)(float)(1.0 / sqrt(in));
  if (scheme == VISE_INIT_HE) return (double)(float)sqrt(6.0 / in);
  if (scheme == VISE_INIT_GLOROT) return (double)(float)sqrt(6.0 / (in + out));
  return 0;
}

/* Half the width of the uniform distribution of a tensor's elements; 0: the tensor is all 0. */
static float bound_of(vise_init_scheme scheme, const vise_i_net *net, const vise_i_tensor *tensor) {
  const bool is_weight = tensor->role == VISE_I_WEIGHT;
  if (!is_weight && !(tensor->role == VISE_I_BIAS && scheme == VISE_INIT_LINEAR)) return 0;
  return (float)vise_init_scheme_range(scheme, net->widths[tensor->layer], net->widths[tensor->layer + 1]);
}

vise_status vise_model_initialize(vise_model *model, vise_init_scheme scheme, uint64_t seed, vise_error *err) {
  VISE_ENTER(err, model);
  if ((size_t)scheme >= (size_t)vise_init_scheme_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "model: unknown initialisation scheme %d", (int)scheme);
  }

  for (size_t t = 0; t < model->net.n_all_tensors; ++t) {
    const vise_i_tensor *tensor = &model->net.tensors[t];
    const bool is_one = tensor->role == VISE_I_GAIN || tensor->role == VISE_I_RUNNING_VARIANCE;
    float bound = bound_of(scheme, &model->net, tensor);

    for (size_t i = 0; i < vise_i_tensor_n(tensor); ++i) {
      float w = is_one ? 1 : 0;
      if (bound > 0) {
        uint32_t counter[4] = {(uint32_t)i, (uint32_t)t, 0, VISE_I_STREAM_INIT}, words[4];
        vise_i_philox(seed, counter, words);
        /* 2u - 1 is exact in float, so that this rounds once, alike on every device. */
        w = (2.0f * vise_i_uniform_f32(words[0]) - 1.0f) * bound;
      }
      vise_i_param_set(model->dtype, model->params, tensor->offset + i, (double)w);
    }
  }

  model->n_batches_tracked = 0;
  model->scheme = scheme;
  model->is_drawn = true;
  vise_i_model_apply_mask(model);
  vise_i_model_apply_signs(model);
  return VISE_OK;
}

double vise_i_model_initial_range(const vise_model *model, size_t layer) {
  const vise_i_tensor *weight = &model->net.tensors[model->net.blocks[layer].weight];
  if (model->is_drawn) return (double)bound_of(model->scheme, &model->net, weight);

  double largest = 0;
  for (size_t i = 0; i < vise_i_tensor_n(weight); ++i) {
    const double w = fabs(vise_i_param_get(model->dtype, model->params, weight->offset + i));
    if (w > largest) largest = w;
  }
  return largest;
}

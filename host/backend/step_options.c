#include "host/backend/step_options.h"

#include <math.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), "kernels and API count alike")

SAME(VISE_RELU, VISE_K_RELU);
SAME(VISE_LEAKY_RELU, VISE_K_LEAKY_RELU);
SAME(VISE_SILU, VISE_K_SILU);
SAME(VISE_TANH, VISE_K_TANH);
SAME(VISE_SIGMOID, VISE_K_SIGMOID);
SAME(VISE_GELU, VISE_K_GELU);
SAME(VISE_IDENTITY, VISE_K_IDENTITY);

SAME(VISE_LOSS_CROSS_ENTROPY, VISE_K_CROSS_ENTROPY);
SAME(VISE_LOSS_BCE, VISE_K_BCE);
SAME(VISE_LOSS_MSE, VISE_K_MSE);
SAME(VISE_LOSS_HUBER, VISE_K_HUBER);
SAME(VISE_LOSS_HINGE, VISE_K_HINGE);
SAME(VISE_LOSS_EXTERNAL, VISE_K_EXTERNAL);

SAME(VISE_SGD, VISE_K_SGD);
SAME(VISE_RMSPROP, VISE_K_RMSPROP);
SAME(VISE_ADAM, VISE_K_ADAM);

SAME(VISE_MSE_HALF_MEAN, 0);
SAME(VISE_MSE_MEAN, 1);
SAME(VISE_MSE_HALF_SUM, 2);
SAME(VISE_CLIP_GLOBAL, 0);
SAME(VISE_CLIP_TENSOR, 1);
SAME(VISE_CLIP_UNIT, 2);
SAME(VISE_NONFINITE_SKIP, 0);
SAME(VISE_NONFINITE_HALT, 1);
SAME(VISE_NONFINITE_PROPAGATE, 2);

SAME(VISE_U8, VISE_K_U8);
SAME(VISE_I32, VISE_K_I32);
SAME(VISE_I64, VISE_K_I64);
SAME(VISE_F32, VISE_K_F32);
SAME(VISE_F64, VISE_K_F64);

void vise_i_step_options(const vise_i_step_spec *spec, vise_k_step_options *out) {
  *out = (vise_k_step_options){
      .activation = (uint8_t)spec->net->activation,
      .loss = (uint8_t)spec->loss,
      .optimizer = (uint8_t)spec->optimizer,
      .mse_reduction = (uint8_t)spec->mse_reduction,
      .nesterov = spec->nesterov,
      .prox_l1 = spec->prox_l1,
      .penalize_bias = spec->penalize_bias,
      .clip_value = spec->clip_value,
      .clip_norm_type = (uint8_t)spec->clip_norm_type,
      .clip_norm_inf = spec->clip_norm_p == VISE_NORM_INF,
      .clip_norm_torch_eps = spec->clip_norm_torch_eps,
      .clip_scope_data = spec->clip_scope == VISE_CLIP_SCOPE_DATA,
      .clamp_bias = spec->clamp_bias,
      .max_norm_tensor = spec->max_norm_scope == VISE_MAX_NORM_TENSOR,
      .nonfinite = (uint8_t)spec->nonfinite,
      .classification =
          spec->loss == VISE_LOSS_CROSS_ENTROPY || spec->loss == VISE_LOSS_BCE || spec->loss == VISE_LOSS_HINGE,
      .max_skips = spec->max_skips,
      .label_smoothing = spec->label_smoothing,
      .momentum = spec->momentum,
      .rho = spec->rho,
      .beta1 = spec->beta1,
      .beta2 = spec->beta2,
      .eps = spec->eps,
      .max_update = spec->max_update,
      .k2 = spec->k2,
      .k1 = spec->k1,
      .kF = spec->kF,
      .k2d = spec->k2d,
      .clip_lo = spec->clip_lo,
      .clip_hi = spec->clip_hi,
      .clip_norm = spec->clip_norm,
      .max_norm = spec->max_norm,
  };

  for (size_t l = 0; l < VISE_K_MAX_LAYERS; l++) {
    out->box_lo[l] = spec->box_lo[l];
    out->box_hi[l] = spec->box_hi[l];
  }
}

static float scaled_bound(double bound, double factor) {
  return (float)(isfinite(bound) ? bound * factor : bound);
}

void vise_i_step_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double factor, float *lo, float *hi) {
  const bool exempt = tensor->is_bias && !spec->clamp_bias;
  *lo = exempt ? -INFINITY : scaled_bound(spec->box_lo[tensor->layer], factor);
  *hi = exempt ? INFINITY : scaled_bound(spec->box_hi[tensor->layer], factor);
}

vise_i_plan_request vise_i_step_request(const vise_i_step_spec *spec, const vise_i_plan_machine *machine,
                                        vise_k_step_options *options) {
  vise_i_step_options(spec, options);

  return (vise_i_plan_request){
      .net = spec->net,
      .options = options,
      .max_rows = spec->max_batch,
      .precision = spec->precision,
      .machine = *machine,
      .has_moment1 = spec->optimizer == VISE_ADAM || spec->momentum > 0,
      .has_moment2 = spec->optimizer == VISE_ADAM || spec->optimizer == VISE_RMSPROP,
      .has_mask = spec->use_mask,
      .n_ctas = (uint32_t)spec->n_ctas,
      .tile = spec->forced_tile - 1,
      .parts = spec->gradient_parts,
      .guard_bytes = spec->guard_bytes,
  };
}

vise_step_mode vise_i_step_mode_of(const vise_i_step_spec *spec) {
  if (spec->step_mode != VISE_STEP_AUTO) return spec->step_mode;
  if (spec->steps_per_launch > 1) return VISE_STEP_FUSED;
  return vise_i_plan_choose_step(spec->net, spec->max_batch, spec->precision);
}

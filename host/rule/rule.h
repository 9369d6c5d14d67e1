/*
 * The rule: what a step does to weights, at the level of gradients, and the formulas that all backends share. Plain C
 * that kernels include too; all of it is float64, rounded to float32 by the backends that compute in it.
 *
 * host/train/resolve.c makes a rule from what the user asked for (vise_train_config). A new option is a field here, its
 * formula in a function below, and nothing in the backends where these already call the function.
 */
#ifndef VISE_I_RULE_H
#define VISE_I_RULE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/traits.h"

/* Bounds, lo <= hi; -+infinity is open. */
typedef struct vise_i_box {
  double lo, hi;
} vise_i_box;

typedef struct vise_i_rule {
  vise_loss loss;
  vise_mse_reduction mse_reduction;
  double label_smoothing;

  vise_optimizer optimizer;
  bool nesterov;
  double momentum, rho, beta1, beta2, eps;
  double max_update; /* 0: off */

  double k2, k1, kF, k2d;
  bool prox_l1, penalize_bias;

  bool clip_value, clip_norm_torch_eps;
  double clip_lo, clip_hi;
  double clip_norm; /* 0: off */
  vise_clip_norm_type clip_norm_type;
  vise_norm_p clip_norm_p;
  vise_clip_scope clip_scope;
  double clip_agc; /* 0: off */

  bool clamp_bias;
  vise_max_norm_scope max_norm_scope;
  double max_norm; /* 0: off */

  vise_nonfinite nonfinite;
  uint64_t max_skips; /* consecutive */
} vise_i_rule;

/* What may change from step to step. */
typedef struct vise_i_hyper {
  double lr;            /* eta, schedule applied */
  double clip_factor;   /* times clip_lo, clip_hi, clip_norm */
  double clamp_factor;  /* times the boxes */
  uint64_t step;        /* attempted steps before this one: what dropout draws by */
  double row_l1_factor; /* times the radii of rows */
} vise_i_hyper;

/* Scalars of the optimizer's and the skip policy's state. */
typedef struct vise_i_counters {
  uint64_t applied_steps;  /* t */
  double beta1_t, beta2_t; /* beta^t by repeated multiplication, 1 at t = 0 */
  uint64_t consecutive_skips;
} vise_i_counters;

/* ---- loss ---- */

/* What divides by the weights of a batch: of rows that all have weight 0, loss and gradient are 0. */
VISE_BOTH double vise_i_weight_divisor(double sum_weights) {
  return sum_weights == 0 ? 1 : sum_weights; /* NaN stays */
}

/* What the sum of weighted losses over rows and outputs is divided by. Without weights their sum is the number of rows;
   PyTorch's rule for weights puts their sum in its place. */
VISE_BOTH double vise_i_loss_denominator(const vise_i_rule *rule, double sum_weights, double n_outputs) {
  const bool by_option = vise_i_loss_mean(rule->loss) == VISE_MEAN_BY_OPTION;
  const bool of_entries =
      by_option ? rule->mse_reduction == VISE_MSE_MEAN : vise_i_loss_mean(rule->loss) == VISE_MEAN_OF_ENTRIES;
  if (by_option && rule->mse_reduction == VISE_MSE_HALF_SUM) return 1;
  const double divisor = vise_i_weight_divisor(sum_weights);
  return of_entries ? divisor * n_outputs : divisor;
}

/* ---- penalties ---- */

typedef struct vise_i_strengths {
  double k2, k1, kF, k2d;
} vise_i_strengths;

/* The strengths that hold for one tensor: 0 for a bias unless biases are penalized. */
VISE_BOTH vise_i_strengths vise_i_strengths_of(const vise_i_rule *rule, bool is_bias) {
  const bool exempt = is_bias && !rule->penalize_bias;
  vise_i_strengths k;
  k.k2 = exempt ? 0 : rule->k2;
  k.k1 = exempt ? 0 : rule->k1;
  k.kF = exempt ? 0 : rule->kF;
  k.k2d = exempt ? 0 : rule->k2d;
  return k;
}

/* Whether the penalties have a value and a gradient. */
VISE_BOTH bool vise_i_is_penalized(const vise_i_strengths *k) {
  return k->k2 != 0 || k->k1 != 0 || k->kF != 0;
}

/* value + the penalties of a tensor, from the sums over its weights and their 2-norm (each needed only where its
   strength is not 0). L1 counts even where steps apply its proximal map. */
VISE_BOTH double vise_i_add_penalty(double value, const vise_i_strengths *k, double squares, double magnitudes,
                                    double norm) {
  if (k->k2 != 0) value += 0.5 * k->k2 * squares;
  if (k->k1 != 0) value += k->k1 * magnitudes;
  if (k->kF != 0) value += k->kF * norm;
  return value;
}

/* ---- clips ---- */

/* The bounds of the value clip; open when it is off. */
VISE_BOTH vise_i_box vise_i_value_bounds(const vise_i_rule *rule, double clip_factor) {
  vise_i_box bounds;
  bounds.lo = rule->clip_value ? clip_factor * rule->clip_lo : -INFINITY;
  bounds.hi = rule->clip_value ? clip_factor * rule->clip_hi : INFINITY;
  return bounds;
}

/* Gradients are scaled in two steps, each of which may be off: by units (rows of a weight; a bias is one unit), then by
   tensors or all alike. */

/* Whether units are scaled. */
VISE_BOTH bool vise_i_scales_units(const vise_i_rule *rule) {
  return rule->clip_agc != 0 || (rule->clip_norm != 0 && rule->clip_norm_type == VISE_CLIP_UNIT);
}

/* Whether that takes the norms of the units' weights at the start of the step. */
VISE_BOTH bool vise_i_weighs_units(const vise_i_rule *rule) {
  return rule->clip_agc != 0;
}

/* Whether tensors are scaled, each by itself or all alike. */
VISE_BOTH bool vise_i_clips_tensors(const vise_i_rule *rule) {
  return rule->clip_norm != 0 && rule->clip_norm_type != VISE_CLIP_UNIT;
}

/* Whether the norm that is clipped is the largest magnitude. */
VISE_BOTH bool vise_i_clips_by_max(const vise_i_rule *rule) {
  return rule->clip_norm != 0 && rule->clip_norm_p == VISE_NORM_INF;
}

/* What the norm clip multiplies a gradient of this norm by; NaN propagates. */
VISE_BOTH double vise_i_clip_scale(const vise_i_rule *rule, double clip_factor, double norm) {
  const double most = clip_factor * rule->clip_norm;
  if (rule->clip_norm_torch_eps) {
    const double scale = most / (norm + 1e-6);
    return scale > 1 ? 1 : scale;
  }
  return norm <= most ? 1 : most / norm;
}

/* Norms of a unit: of its gradient after the value clip, and of its weights. */
typedef struct vise_i_unit_norms {
  double gradient; /* 2-norm */
  double largest;  /* magnitude of the gradient, where vise_i_clips_by_max */
  double weight;   /* 2-norm, where vise_i_weighs_units */
} vise_i_unit_norms;

/* What adaptive clipping multiplies the gradient of a row by, ||g|| <= X max(||w||, 1e-3); NaN propagates. */
VISE_BOTH double vise_i_adaptive_scale(const vise_i_rule *rule, double clip_factor, const vise_i_unit_norms *norms) {
  const double most = clip_factor * rule->clip_agc * (norms->weight < 1e-3 ? 1e-3 : norms->weight);
  return norms->gradient <= most ? 1 : most / norms->gradient;
}

/* What the gradient of a unit is multiplied by: adaptive clipping, from which biases are exempt, then the norm clip. */
VISE_BOTH double vise_i_unit_scale(const vise_i_rule *rule, double clip_factor, bool is_bias,
                                   const vise_i_unit_norms *norms) {
  const double scale = rule->clip_agc != 0 && !is_bias ? vise_i_adaptive_scale(rule, clip_factor, norms) : 1;
  if (rule->clip_norm == 0 || rule->clip_norm_type != VISE_CLIP_UNIT) return scale;

  const double norm = vise_i_clips_by_max(rule) ? norms->largest : norms->gradient;
  return scale * vise_i_clip_scale(rule, clip_factor, scale * norm);
}

/* ---- skips and counters ---- */

/* Whether a step is skipped, from whether loss, gradients and norms are all finite. */
VISE_BOTH bool vise_i_must_skip(const vise_i_rule *rule, bool finite) {
  return !finite && rule->nonfinite != VISE_NONFINITE_PROPAGATE;
}

/* Whether the run ends after a skipped step. */
VISE_BOTH bool vise_i_skip_ends(const vise_i_rule *rule, uint64_t consecutive_skips) {
  return rule->nonfinite == VISE_NONFINITE_HALT || consecutive_skips >= rule->max_skips;
}

/* Counts a step that is skipped or about to be applied. */
VISE_BOTH void vise_i_count_step(const vise_i_rule *rule, vise_i_counters *counters, bool skipped) {
  if (skipped) {
    counters->consecutive_skips++;
    return;
  }
  counters->consecutive_skips = 0;
  counters->applied_steps++;
  counters->beta1_t *= rule->beta1;
  counters->beta2_t *= rule->beta2;
}

/* ---- update ---- */

/* Moments that the optimizer keeps: first v of sgd and rmsprop or m of adam, second s of rmsprop and adam. */
VISE_BOTH bool vise_i_keeps_moment1(const vise_i_rule *rule) {
  const int has = vise_i_optimizer_has(rule->optimizer);
  return has & VISE_HAS_MOMENT1 || (has & VISE_HAS_MOMENTUM && rule->momentum > 0);
}

VISE_BOTH bool vise_i_keeps_moment2(const vise_i_rule *rule) {
  return vise_i_optimizer_has(rule->optimizer) & VISE_HAS_MOMENT2;
}

/* Largest magnitude of lr * u. */
VISE_BOTH double vise_i_update_cap(const vise_i_rule *rule) {
  return rule->max_update > 0 ? rule->max_update : INFINITY;
}

/* What the decoupled decay multiplies weights by. */
VISE_BOTH double vise_i_decay(const vise_i_strengths *k, double lr) {
  const double keep = 1 - lr * k->k2d;
  return keep < 0 ? 0 : keep;
}

/* What the proximal map of L1 takes from magnitudes; 0 where L1 is not applied by it. */
VISE_BOTH double vise_i_shrinkage(const vise_i_rule *rule, const vise_i_strengths *k, double lr) {
  return rule->prox_l1 ? lr * k->k1 : 0;
}

/* ---- projection ---- */

/* A byte of the mask: 0 where a weight is pruned; else it is kept, and may not be of one sign. */
enum { VISE_I_KEPT = 1, VISE_I_NOT_NEGATIVE = 2, VISE_I_NOT_POSITIVE = 4 };

VISE_BOTH uint8_t vise_i_mask_byte(bool kept, int sign) {
  if (!kept) return 0;
  return (uint8_t)(VISE_I_KEPT | (sign > 0 ? VISE_I_NOT_NEGATIVE : 0) | (sign < 0 ? VISE_I_NOT_POSITIVE : 0));
}

/* The sign that a byte of the mask asks for; 0: any. */
VISE_BOTH int vise_i_mask_sign(uint32_t byte) {
  return (byte & VISE_I_NOT_NEGATIVE ? 1 : 0) - (byte & VISE_I_NOT_POSITIVE ? 1 : 0);
}

/* 0 in place of what is on the wrong side of it; NaN stays. The box contains 0 then, so that it may come before or after. */
VISE_BOTH float vise_i_bound_sign(float w, uint32_t byte) {
  const float upper = (byte & VISE_I_NOT_NEGATIVE) && w < 0 ? 0.0f : w;
  return (byte & VISE_I_NOT_POSITIVE) && upper > 0 ? 0.0f : upper;
}

/* The bounds of a tensor's entries: its layer's box times the factor, which leaves open bounds open. None for a bias
   unless biases are clamped. */
VISE_BOTH vise_i_box vise_i_bounds_of(const vise_i_rule *rule, vise_i_box box, bool is_bias, double clamp_factor) {
  if (is_bias && !rule->clamp_bias) {
    box.lo = -INFINITY;
    box.hi = INFINITY;
  }
  if (box.lo - box.lo == 0) box.lo *= clamp_factor; /* finite */
  if (box.hi - box.hi == 0) box.hi *= clamp_factor;
  return box;
}

VISE_BOTH bool vise_i_bounds_unit_norms(const vise_i_rule *rule) {
  return rule->max_norm != 0 && rule->max_norm_scope == VISE_MAX_NORM_UNIT;
}

VISE_BOTH bool vise_i_bounds_tensor_norms(const vise_i_rule *rule) {
  return rule->max_norm != 0 && rule->max_norm_scope == VISE_MAX_NORM_TENSOR;
}

/* What max-norm multiplies weights of this norm by; NaN propagates. */
VISE_BOTH double vise_i_max_norm_scale(const vise_i_rule *rule, double norm) {
  return norm <= rule->max_norm ? 1 : rule->max_norm / norm;
}

#endif

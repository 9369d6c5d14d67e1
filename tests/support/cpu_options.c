/* The options of a step, each as a change to a case. */
#include "tests/support/cpu_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void none(cpu_case *c) {
  (void)c;
}
static void set_relu(cpu_case *c) {
  c->activation = VISE_RELU;
}
static void set_leaky(cpu_case *c) {
  c->activation = VISE_LEAKY_RELU;
}
static void set_silu(cpu_case *c) {
  c->activation = VISE_SILU;
}
static void set_sigmoid(cpu_case *c) {
  c->activation = VISE_SIGMOID;
}
static void set_gelu(cpu_case *c) {
  c->activation = VISE_GELU;
}
static void set_elu(cpu_case *c) {
  c->activation = VISE_ELU;
}
static void set_identity(cpu_case *c) {
  c->activation = VISE_IDENTITY;
}
static void no_bias(cpu_case *c) {
  c->bias = false;
}

static void smoothing(cpu_case *c) {
  c->spec.rule.label_smoothing = 0.1;
}
static void values(cpu_case *c, vise_loss loss, vise_mse_reduction reduction) {
  c->spec.rule.loss = loss;
  c->spec.rule.mse_reduction = reduction;
  c->class_labels = false;
}
static void mse(cpu_case *c) {
  values(c, VISE_LOSS_MSE, VISE_MSE_HALF_MEAN);
}
static void mse_mean(cpu_case *c) {
  values(c, VISE_LOSS_MSE, VISE_MSE_MEAN);
}
static void mse_sum(cpu_case *c) {
  values(c, VISE_LOSS_MSE, VISE_MSE_HALF_SUM);
  c->lr = 0.01;
}
static void mse_labels(cpu_case *c) {
  c->spec.rule.loss = VISE_LOSS_MSE;
}
static void huber(cpu_case *c) {
  values(c, VISE_LOSS_HUBER, VISE_MSE_HALF_MEAN);
  c->target_low = -3;
  c->target_high = 3;
}
static void poisson(cpu_case *c) {
  values(c, VISE_LOSS_POISSON, VISE_MSE_HALF_MEAN);
  c->target_low = 0;
  c->target_high = 3;
}
static void bce_labels(cpu_case *c) {
  c->spec.rule.loss = VISE_LOSS_BCE;
}
static void bce_bits(cpu_case *c) {
  values(c, VISE_LOSS_BCE, VISE_MSE_HALF_MEAN);
  c->binary = true;
  c->target_low = 0;
}
static void hinge_labels(cpu_case *c) {
  c->spec.rule.loss = VISE_LOSS_HINGE;
}
static void hinge_signs(cpu_case *c) {
  values(c, VISE_LOSS_HINGE, VISE_MSE_HALF_MEAN);
  c->binary = true;
}

static void momentum(cpu_case *c) {
  c->spec.rule.momentum = 0.9;
}
static void nesterov(cpu_case *c) {
  c->spec.rule.momentum = 0.9;
  c->spec.rule.nesterov = true;
}
static void rmsprop(cpu_case *c) {
  c->spec.rule.optimizer = VISE_RMSPROP;
  c->lr = 0.01;
}
static void rmsprop_momentum(cpu_case *c) {
  rmsprop(c);
  c->spec.rule.momentum = 0.8;
}
static void adam(cpu_case *c) {
  c->spec.rule.optimizer = VISE_ADAM;
  c->lr = 0.01;
}

static void lion(cpu_case *c) {
  c->spec.rule.optimizer = VISE_LION;
  c->spec.rule.beta2 = 0.99;
  c->lr = 2e-5; /* so that a step the other way is within the tolerances of what is not a weight */
}

static void l2(cpu_case *c) {
  c->spec.rule.k2 = 0.03;
}
static void l1(cpu_case *c) {
  c->spec.rule.k1 = 0.02;
}
static void prox(cpu_case *c) {
  c->spec.rule.k1 = 0.1;
  c->spec.rule.prox_l1 = true;
}
static void frobenius(cpu_case *c) {
  c->spec.rule.kF = 0.05;
}
static void decay(cpu_case *c) {
  c->spec.rule.k2d = 0.1;
}
static void penalize_bias(cpu_case *c) {
  c->spec.rule.penalize_bias = true;
}
static void cap(cpu_case *c) {
  c->spec.rule.max_update = 2e-3;
}
static void value_clip(cpu_case *c) {
  c->spec.rule.clip_value = true;
  c->spec.rule.clip_lo = -0.01;
  c->spec.rule.clip_hi = 0.02;
}
static void value_clip_positive(cpu_case *c) {
  c->spec.rule.clip_value = true;
  c->spec.rule.clip_lo = 0.001;
  c->spec.rule.clip_hi = INFINITY;
}
static void norm_clip(cpu_case *c) {
  c->spec.rule.clip_norm = 0.2;
}
static void norm_clip_tensor(cpu_case *c) {
  c->spec.rule.clip_norm = 0.1;
  c->spec.rule.clip_norm_type = VISE_CLIP_TENSOR;
}
static void norm_clip_unit(cpu_case *c) {
  c->spec.rule.clip_norm = 0.05;
  c->spec.rule.clip_norm_type = VISE_CLIP_UNIT;
}
static void adaptive_clip(cpu_case *c) {
  c->spec.rule.clip_agc = 0.03;
}
static void norm_clip_inf(cpu_case *c) {
  c->spec.rule.clip_norm = 0.02;
  c->spec.rule.clip_norm_p = VISE_NORM_INF;
}
static void norm_clip_unit_inf(cpu_case *c) {
  norm_clip_unit(c);
  c->spec.rule.clip_norm_p = VISE_NORM_INF;
  c->spec.rule.clip_norm = 0.02;
}
static void torch_eps(cpu_case *c) {
  c->spec.rule.clip_norm_torch_eps = true;
}
static void scope_data(cpu_case *c) {
  c->spec.rule.clip_scope = VISE_CLIP_SCOPE_DATA;
}
static void box(cpu_case *c) {
  for (size_t l = 0; l < c->n_layers; l++) {
    c->spec.boxes[l].lo = -0.1;
    c->spec.boxes[l].hi = 0.15;
  }
}
static void box_bias(cpu_case *c) {
  box(c);
  c->spec.rule.clamp_bias = true;
}
static void box_half_open(cpu_case *c) {
  c->spec.boxes[0].lo = 0;
}
static void max_norm(cpu_case *c) {
  c->spec.rule.max_norm = 0.4;
}
static void max_norm_tensor(cpu_case *c) {
  c->spec.rule.max_norm = 1;
  c->spec.rule.max_norm_scope = VISE_MAX_NORM_TENSOR;
}
static void row_l1(cpu_case *c) {
  for (size_t l = 0; l < c->n_layers; l++) c->spec.row_balls[l] = (vise_i_row_ball){0.7, false};
}
static void row_l1_sided(cpu_case *c) {
  for (size_t l = 0; l < c->n_layers; l++) c->spec.row_balls[l] = (vise_i_row_ball){0.3, l % 2 == 0};
}
static void mask(cpu_case *c) {
  c->mask = true;
}
static void signs(cpu_case *c) {
  c->mask = c->signs = true;
}
static void row_weights(cpu_case *c) {
  c->row_weights = true;
}
static void class_weights(cpu_case *c) {
  c->class_weights = true;
}
static void factors(cpu_case *c) {
  c->clip_factor = 0.6;
  c->clamp_factor = 0.7;
}
static void propagate(cpu_case *c) {
  c->spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
}

const cpu_option cpu_options[] = {
    {"plain", "", none},
    {"relu", "activation", set_relu},
    {"leaky-relu", "activation", set_leaky},
    {"silu", "activation", set_silu},
    {"sigmoid", "activation", set_sigmoid},
    {"gelu", "activation", set_gelu},
    {"identity", "activation", set_identity},
    {"elu", "activation", set_elu},
    {"no bias", "bias", no_bias},
    {"label smoothing", "loss", smoothing},
    {"mse", "loss", mse},
    {"mse mean", "loss", mse_mean},
    {"mse half_sum", "loss", mse_sum},
    {"mse of labels", "loss", mse_labels},
    {"huber", "loss", huber},
    {"poisson", "loss", poisson},
    {"bce of labels", "loss", bce_labels},
    {"bce of bits", "loss", bce_bits},
    {"hinge of labels", "loss", hinge_labels},
    {"hinge of signs", "loss", hinge_signs},
    {"momentum", "optimizer", momentum},
    {"nesterov", "optimizer", nesterov},
    {"rmsprop", "optimizer", rmsprop},
    {"rmsprop momentum", "optimizer", rmsprop_momentum},
    {"adam", "optimizer", adam},
    {"lion", "optimizer", lion},
    {"l2", "l2", l2},
    {"l1", "l1", l1},
    {"prox l1", "l1", prox},
    {"frobenius", "frobenius", frobenius},
    {"decoupled decay", "decay", decay},
    {"penalize bias", "penalize bias", penalize_bias},
    {"max update", "cap", cap},
    {"value clip", "value clip", value_clip},
    {"value clip, positive", "value clip", value_clip_positive},
    {"norm clip", "norm clip", norm_clip},
    {"norm clip per tensor", "norm clip", norm_clip_tensor},
    {"norm clip per unit", "norm clip", norm_clip_unit},
    {"adaptive clip", "adaptive clip", adaptive_clip},
    {"norm clip inf", "norm clip", norm_clip_inf},
    {"norm clip per unit inf", "norm clip", norm_clip_unit_inf},
    {"torch eps", "torch eps", torch_eps},
    {"clip scope data", "scope", scope_data},
    {"box", "box", box},
    {"box with biases", "box", box_bias},
    {"box half open", "box", box_half_open},
    {"max-norm", "max-norm", max_norm},
    {"max-norm per tensor", "max-norm", max_norm_tensor},
    {"row l1", "row l1", row_l1},
    {"row l1 by sides", "row l1", row_l1_sided},
    {"mask", "mask", mask},
    {"signs", "mask", signs},
    {"row weights", "row weights", row_weights},
    {"class weights", "class weights", class_weights},
    {"factors", "factors", factors},
    {"propagate", "policy", propagate},
};
const size_t cpu_n_options = sizeof cpu_options / sizeof cpu_options[0];

bool cpu_option_allowed(const cpu_case *c) {
  return !c->class_weights || c->class_labels;
}

void cpu_option_everything(cpu_case *c) {
  static const size_t widths[] = {97, 64, 31, 10};
  cpu_case_shape(c, 3, widths);
  c->n_rows = 200;
  c->batch = 64;
  c->n_steps = 12;

  smoothing(c);
  adam(c);
  l2(c);
  l1(c);
  frobenius(c);
  decay(c);
  penalize_bias(c);
  value_clip(c);
  norm_clip_unit(c);
  scope_data(c);
  box_bias(c);
  max_norm(c);
  mask(c);
  row_weights(c);
  class_weights(c);
  factors(c);
}

void cpu_option_apply(cpu_case *c, const char *name) {
  for (size_t i = 0; i < cpu_n_options; i++) {
    if (strcmp(cpu_options[i].name, name) == 0) {
      cpu_options[i].apply(c);
      return;
    }
  }
  abort();
}

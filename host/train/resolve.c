/* Backend, threads, gradient-level strengths and boxes from a training configuration. */
#include "host/train/resolve.h"

#include <math.h>

#include "host/backend/cpu/threads.h"
#include "host/backend/public_plan.h"
#include "host/backend/step_plan.h"
#include "host/ranks/parts.h"

vise_status vise_i_resolve_backend(vise_backend requested, vise_step_mode step_mode, vise_precision precision,
                                   const vise_i_net *net, const vise_i_backend_ops **out_ops, vise_backend *out_backend,
                                   vise_error *err) {
  const char *why_not = NULL;
  vise_backend backend = requested;
  const vise_i_backend_ops *ops = NULL;

  if (requested == VISE_BACKEND_AUTO) {
    backend = VISE_BACKEND_CUDA;
    ops = net == NULL || vise_i_plan_takes(net) ? vise_i_backend_find(backend, &why_not) : NULL;
    if (ops == NULL) {
      backend = VISE_BACKEND_CPU;
      ops = vise_i_backend_find(backend, &why_not);
    }
  } else {
    ops = vise_i_backend_find(backend, &why_not);
  }

  const char *name = vise_backend_name(backend);
  if (ops == NULL) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`backend` %s: %s", name,
                       why_not != NULL ? why_not : "not available");
  }

  if (backend != VISE_BACKEND_CUDA && step_mode != VISE_STEP_AUTO) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`step_mode` %s: `backend` %s has only auto; the others are cuda's",
                       vise_step_mode_name(step_mode), name);
  }
  if (backend == VISE_BACKEND_CPU64 && precision != VISE_PRECISION_AUTO) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`precision` %s: `backend` cpu64 computes in float64; leave it auto",
                       vise_precision_name(precision));
  }
  if (backend == VISE_BACKEND_CPU && precision != VISE_PRECISION_AUTO && precision != VISE_FP32) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`precision` %s: `backend` cpu has only fp32",
                       vise_precision_name(precision));
  }

  *out_ops = ops;
  if (out_backend != NULL) *out_backend = backend;
  return VISE_OK;
}

bool vise_i_resolve_is_in_parts(const vise_train_config *config) {
  return config->parts > 0 || config->ranks != NULL;
}

vise_status vise_i_resolve_check_dtype(const vise_i_backend_ops *ops, const vise_model *model, vise_error *err) {
  if (vise_model_dtype(model) == ops->dtype) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "`backend` %s needs a model of %s, this one is %s (vise_model_clone converts)", ops->name,
                     vise_dtype_name(ops->dtype), vise_dtype_name(vise_model_dtype(model)));
}

int vise_i_resolve_threads(int n_threads, const vise_i_net *net, size_t max_batch) {
  if (n_threads > 0) return n_threads;
  const int chosen = vise_i_cpu_default_threads(net, max_batch);
  return chosen > 0 ? chosen : 1;
}

void vise_i_resolve_penalties(const vise_train_config *config, size_t n_rows, double *k2, double *k1) {
  *k2 = 2 * config->l2;
  *k1 = config->l1;
  if (config->penalty_convention == VISE_HALF) *k2 = config->l2;
  if (config->penalty_convention == VISE_OVER_M && n_rows > 0) {
    *k2 = config->l2 / (double)n_rows;
    *k1 = config->l1 / (2 * (double)n_rows);
  }
}

static vise_i_rule resolve_rule(const vise_train_config *config, size_t n_rows) {
  vise_i_rule rule = {
      .loss = config->loss,
      .mse_reduction = config->mse_reduction,
      .label_smoothing = config->label_smoothing,

      .optimizer = config->optimizer,
      .nesterov = config->nesterov,
      .momentum = config->momentum,
      .rho = config->rho,
      .beta1 = config->beta1,
      .beta2 = vise_i_beta2_of(config->optimizer, config->beta2),
      .eps = config->eps,
      .max_update = config->max_update,

      .kF = config->norm_penalty,
      .k2d = config->decoupled_decay,
      .prox_l1 = config->prox_l1,
      .penalize_bias = config->penalize_bias,

      .clip_value = config->clip_value,
      .clip_lo = config->clip_value_lo,
      .clip_hi = config->clip_value_hi,
      .clip_norm = config->clip_norm,
      .clip_norm_type = config->clip_norm_type,
      .clip_norm_p = config->clip_norm_p,
      .clip_norm_torch_eps = config->clip_norm_torch_eps,
      .clip_scope = config->clip_scope,
      .clip_agc = config->clip_agc,

      .clamp_bias = config->clamp_bias,
      .max_norm = config->max_norm,
      .max_norm_scope = config->max_norm_scope,
      .nonfinite = config->nonfinite,
      .max_skips = config->max_skips,
  };

  vise_i_resolve_penalties(config, n_rows, &rule.k2, &rule.k1);
  return rule;
}

static void open_boxes(vise_i_step_spec *spec) {
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) spec->boxes[l] = (vise_i_box){-INFINITY, INFINITY};
}

static void resolve_boxes(const vise_train_config *config, vise_i_step_spec *spec) {
  open_boxes(spec);
  for (size_t l = 0; config->clamp && l < VISE_MAX_LAYERS; l++) {
    spec->boxes[l] = (vise_i_box){config->clamp_lo, config->clamp_hi};
  }
  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    const vise_layer_clamp *clamp = &config->layer_clamps[i];
    spec->boxes[clamp->layer] = (vise_i_box){clamp->lo, clamp->hi};
  }
}

static void resolve_row_balls(const vise_train_config *config, vise_i_step_spec *spec) {
  const bool sided = config->row_l1_sided > 0;
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    spec->row_balls[l] = (vise_i_row_ball){sided ? config->row_l1_sided : config->row_l1, sided};
  }
  for (size_t i = 0; i < config->n_row_l1_layers; i++) {
    spec->row_balls[config->row_l1_layers[i].layer] = (vise_i_row_ball){config->row_l1_layers[i].bound, false};
  }
  for (size_t i = 0; i < config->n_row_l1_sided_layers; i++) {
    const vise_layer_bound *bound = &config->row_l1_sided_layers[i];
    spec->row_balls[bound->layer] = (vise_i_row_ball){bound->bound, true};
  }
}

vise_status vise_i_resolve_spec(const vise_train_config *config, const vise_i_net *net, size_t n_rows, bool use_mask,
                                vise_i_step_spec *spec, vise_error *err) {
  const bool penalized = config->l2 > 0 || config->l1 > 0;
  if (config->penalty_convention == VISE_OVER_M && penalized && n_rows == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`penalty_convention` over_m needs training data, to know m");
  }

  vise_i_step_spec made = {
      .net = net,
      .rule = resolve_rule(config, n_rows),
      .class_weights = config->class_weights,
      .use_mask = use_mask,
      .seed = config->seed,
      .assert_projection = config->assert_projection,
      .device = config->device,
      .step_mode = config->step_mode,
      .precision = config->precision,
      .steps_per_launch = config->steps_per_launch,
      .device_memory_limit = config->device_memory_limit,
      .parts = (size_t)config->parts,
      .ranks = config->sync_every > 0 ? NULL : config->ranks, /* else a step is this rank's alone */
  };

  if (made.ranks != NULL && made.parts == 0) made.parts = VISE_I_MOST_PARTS;
  resolve_boxes(config, &made);
  resolve_row_balls(config, &made);
  made.max_batch = config->batch;
  if (n_rows > 0 && (config->batch == 0 || config->batch > n_rows)) made.max_batch = n_rows;
  if (made.max_batch == 0) made.max_batch = 1;
  if (made.max_batch < n_rows) made.max_batch = vise_i_batch_rows(net, made.max_batch, made.max_batch + 1);
  const size_t share = made.max_batch / vise_ranks_size(made.ranks); /* of a rank */
  made.n_threads = vise_i_resolve_threads(config->n_threads, net, share > 0 ? share : 1);

  *spec = made;
  return VISE_OK;
}

void vise_i_resolve_way(vise_backend backend, vise_i_step_spec *spec) {
  if (backend == VISE_BACKEND_CPU64) {
    spec->n_threads = 1;
    return;
  }

  if (spec->precision == VISE_PRECISION_AUTO) spec->precision = VISE_FP32;
  if (backend == VISE_BACKEND_CUDA) spec->step_mode = vise_i_step_mode_of(spec);
}

vise_i_rule vise_i_rule_of_model(const vise_model *model) {
  return (vise_i_rule){.loss = vise_model_loss(model),
                       .mse_reduction = vise_model_mse_reduction(model),
                       .label_smoothing = vise_model_label_smoothing(model),
                       .optimizer = VISE_SGD,
                       .nonfinite = VISE_NONFINITE_PROPAGATE,
                       .max_skips = 1};
}

void vise_i_resolve_forward_spec(const vise_model *model, const vise_i_net *net, size_t max_batch, int n_threads,
                                 vise_i_step_spec *spec) {
  vise_i_step_spec made = {
      .net = net,
      .rule = vise_i_rule_of_model(model),
      .max_batch = max_batch > 0 ? max_batch : 1,
  };

  made.n_threads = vise_i_resolve_threads(n_threads, net, made.max_batch);
  open_boxes(&made);
  *spec = made;
}

/* Validation of a training configuration: every refused option is named as on the command line. */
#include "host/train/config.h"

#include <math.h>
#include <string.h>

#include "host/backend/backend.h"
#include "host/model/model.h"

void vise_train_config_init(vise_train_config *config) {
  memset(config, 0, sizeof(*config));
  config->struct_size = sizeof(*config);

  config->loss = VISE_LOSS_CROSS_ENTROPY;
  config->mse_reduction = VISE_MSE_HALF_MEAN;
  config->scale = VISE_SCALE_AUTO;

  config->optimizer = VISE_SGD;
  config->lr = 0.01;
  config->rho = 0.9;
  config->beta1 = 0.9;
  config->beta2 = 0.999;
  config->eps = 1e-8;

  const vise_schedule_config schedule = {.kind = VISE_SCHEDULE_CONSTANT, .gamma = 0.1, .step_epochs = 30};
  config->lr_schedule = schedule;
  config->clip_schedule = schedule;
  config->clamp_schedule = schedule;

  config->penalty_convention = VISE_LAMBDA_W2;
  config->clip_value_lo = -INFINITY;
  config->clip_value_hi = INFINITY;
  config->clip_norm_type = VISE_CLIP_GLOBAL;
  config->clip_norm_p = VISE_NORM_2;
  config->clip_scope = VISE_CLIP_SCOPE_TOTAL;
  config->clamp_lo = -INFINITY;
  config->clamp_hi = INFINITY;
  config->max_norm_scope = VISE_MAX_NORM_UNIT;

  vise_weight_op_init(&config->weight_op);
  config->weight_op_at = VISE_AT_EPOCH;
  config->weight_op_when = 1;

  config->batch = 64;
  config->shuffle = true;
  config->epochs = 10;
  config->nonfinite = VISE_NONFINITE_SKIP;
  config->max_skips = 8;

  config->backend = VISE_BACKEND_AUTO;
  config->step_mode = VISE_STEP_AUTO;
  config->precision = VISE_PRECISION_AUTO;
}

/* lo <= value <= hi (or < hi when open), finite. */
typedef struct range {
  const char *option;
  double value, lo, hi;
  bool open_hi;
} range;

static vise_status check_ranges(const range *ranges, size_t n, vise_error *err) {
  for (size_t i = 0; i < n; i++) {
    const range *r = &ranges[i];
    if (isfinite(r->value) && r->value >= r->lo && (r->open_hi ? r->value < r->hi : r->value <= r->hi)) continue;

    if (isinf(r->hi)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "%s %g: expected a finite number of at least %g", r->option, r->value,
                         r->lo);
    }
    return vise_i_fail(err, VISE_ERR_USAGE, "%s %g: expected %g <= x %s %g", r->option, r->value, r->lo,
                       r->open_hi ? "<" : "<=", r->hi);
  }
  return VISE_OK;
}

static vise_status check_enum(const char *option, unsigned value, unsigned count, vise_error *err) {
  if (value < count) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s: %u is not one of its %u values", option, value, count);
}

static vise_status check_enums(const vise_train_config *c, vise_error *err) {
  const struct {
    const char *option;
    unsigned value, count;
  } items[] = {
      {"--loss", c->loss, vise_loss_count_},
      {"--mse-reduction", c->mse_reduction, vise_mse_reduction_count_},
      {"--scale", c->scale, vise_scale_count_},
      {"--optimizer", c->optimizer, vise_optimizer_count_},
      {"--lr-schedule", c->lr_schedule.kind, vise_schedule_count_},
      {"clip_schedule", c->clip_schedule.kind, vise_schedule_count_},
      {"clamp_schedule", c->clamp_schedule.kind, vise_schedule_count_},
      {"--penalty-convention", c->penalty_convention, vise_penalty_convention_count_},
      {"--clip-norm-type", c->clip_norm_type, vise_clip_norm_type_count_},
      {"--clip-norm-p", c->clip_norm_p, vise_norm_p_count_},
      {"--clip-scope", c->clip_scope, vise_clip_scope_count_},
      {"--max-norm-scope", c->max_norm_scope, vise_max_norm_scope_count_},
      {"--weight-op", c->weight_op.kind, vise_weight_op_kind_count_},
      {"--weight-op-at", c->weight_op_at, VISE_AT_EVERY + 1},
      {"--nonfinite", c->nonfinite, vise_nonfinite_count_},
      {"--backend", c->backend, vise_backend_count_},
      {"--step", c->step_mode, vise_step_mode_count_},
      {"--precision", c->precision, vise_precision_count_},
  };

  for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
    const vise_status status = check_enum(items[i].option, items[i].value, items[i].count, err);
    if (status != VISE_OK) return status;
  }

  return VISE_OK;
}

static vise_status check_optimizer(const vise_train_config *c, vise_error *err) {
  const range ranges[] = {
      {"--lr", c->lr, 0, INFINITY, false},
      {"--momentum", c->momentum, 0, 1, true},
      {"--rho", c->rho, 0, 1, true},
      {"--beta1", c->beta1, 0, 1, true},
      {"--beta2", c->beta2, 0, 1, true},
      {"--eps", c->eps, 0, INFINITY, false},
      {"--max-update", c->max_update, 0, INFINITY, false},
  };

  const vise_status status = check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), err);
  if (status != VISE_OK) return status;

  if (!(c->eps > 0)) return vise_i_fail(err, VISE_ERR_USAGE, "--eps 0: expected a number above 0");
  if (c->optimizer == VISE_ADAM && c->momentum != 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--momentum %g: --optimizer adam has --beta1 in its place", c->momentum);
  }

  if (c->nesterov && c->optimizer != VISE_SGD) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--nesterov is for --optimizer sgd, not %s",
                       vise_optimizer_name(c->optimizer));
  }
  if (c->nesterov && !(c->momentum > 0)) return vise_i_fail(err, VISE_ERR_USAGE, "--nesterov needs --momentum > 0");
  return VISE_OK;
}

static vise_status check_schedule(const vise_train_config *c, const vise_schedule_config *s, const char *name,
                                  const char *ratio, const char *gamma, const char *epochs, vise_error *err) {
  const range ranges[] = {{ratio, s->final_ratio, 0, INFINITY, false}, {gamma, s->gamma, 0, INFINITY, false}};
  const vise_status status = check_ranges(ranges, 2, err);
  if (status != VISE_OK) return status;

  if (s->kind == VISE_SCHEDULE_STEP && s->step_epochs == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s 0: expected at least 1 epoch", epochs);
  }

  if (s->kind != VISE_SCHEDULE_LINEAR && s->kind != VISE_SCHEDULE_COSINE) return VISE_OK;
  if (c->epochs == 0 && c->steps == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s %s needs --epochs or --steps, to know where it ends", name,
                       vise_schedule_name(s->kind));
  }
  if (c->steps > 0 && s->warmup_steps >= c->steps) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--warmup-steps %llu: expected fewer than --steps %llu",
                       (unsigned long long)s->warmup_steps, (unsigned long long)c->steps);
  }

  return VISE_OK;
}

static vise_status check_schedules(const vise_train_config *c, vise_error *err) {
  vise_status status;
  VISE_TRY(
      check_schedule(c, &c->lr_schedule, "--lr-schedule", "--lr-final-ratio", "--lr-gamma", "--lr-step-epochs", err));
  VISE_TRY(check_schedule(c, &c->clip_schedule, "clip_schedule", "clip_schedule.final_ratio", "clip_schedule.gamma",
                          "clip_schedule.step_epochs", err));
  VISE_TRY(check_schedule(c, &c->clamp_schedule, "clamp_schedule", "clamp_schedule.final_ratio", "clamp_schedule.gamma",
                          "clamp_schedule.step_epochs", err));
done:
  return status;
}

static vise_status check_interval(const char *option, double lo, double hi, vise_error *err) {
  if (isnan(lo) || isnan(hi) || lo == INFINITY || hi == -INFINITY) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s %g:%g: expected two numbers LO <= HI", option, lo, hi);
  }
  if (lo > hi) return vise_i_fail(err, VISE_ERR_USAGE, "%s %g:%g: LO is above HI", option, lo, hi);
  return VISE_OK;
}

static vise_status check_layer_clamps(const vise_train_config *c, vise_error *err) {
  if (c->n_layer_clamps > 0 && c->layer_clamps == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "layer_clamps is NULL, n_layer_clamps is %zu", c->n_layer_clamps);
  }

  for (size_t i = 0; i < c->n_layer_clamps; i++) {
    const vise_layer_clamp *clamp = &c->layer_clamps[i];
    const vise_status status = check_interval("--clamp-layer", clamp->lo, clamp->hi, err);
    if (status != VISE_OK) return status;

    for (size_t j = 0; j < i; j++) {
      if (c->layer_clamps[j].layer == clamp->layer) {
        return vise_i_fail(err, VISE_ERR_USAGE, "--clamp-layer: layer %zu is given twice", clamp->layer);
      }
    }
  }

  return VISE_OK;
}

static vise_status check_regularization(const vise_train_config *c, vise_error *err) {
  const range ranges[] = {
      {"--l2", c->l2, 0, INFINITY, false},
      {"--l1", c->l1, 0, INFINITY, false},
      {"--norm-penalty", c->norm_penalty, 0, INFINITY, false},
      {"--decoupled-decay", c->decoupled_decay, 0, INFINITY, false},
      {"--clip-norm", c->clip_norm, 0, INFINITY, false},
      {"--max-norm", c->max_norm, 0, INFINITY, false},
  };
  vise_status status;

  VISE_TRY(check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), err));
  if (c->clip_value) VISE_TRY(check_interval("--clip-value", c->clip_value_lo, c->clip_value_hi, err));
  if (c->clamp) VISE_TRY(check_interval("--clamp", c->clamp_lo, c->clamp_hi, err));
  VISE_TRY(check_layer_clamps(c, err));

  if (c->clamp_bias && !c->clamp && c->n_layer_clamps == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--clamp-bias needs --clamp or --clamp-layer");
  }

done:
  return status;
}

static vise_status check_loss(const vise_train_config *c, vise_error *err) {
  const range smoothing = {"--label-smoothing", c->label_smoothing, 0, 1, true};
  vise_status status;

  VISE_TRY(check_ranges(&smoothing, 1, err));
  if (c->label_smoothing > 0 && c->loss != VISE_LOSS_CROSS_ENTROPY) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--label-smoothing is for --loss cross-entropy, not %s",
                       vise_loss_name(c->loss));
  }
  if (c->mse_reduction != VISE_MSE_HALF_MEAN && c->loss != VISE_LOSS_MSE) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--mse-reduction is for --loss mse, not %s", vise_loss_name(c->loss));
  }
  if (c->scale_target && c->loss != VISE_LOSS_MSE && c->loss != VISE_LOSS_HUBER) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--scale-target is for --loss mse and huber, not %s",
                       vise_loss_name(c->loss));
  }

  if ((c->class_weights == NULL) != (c->n_class_weights == 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: %zu numbers, but the pointer is %s", c->n_class_weights,
                       c->class_weights == NULL ? "NULL" : "not NULL");
  }

  double sum = 0;
  for (size_t i = 0; i < c->n_class_weights; i++) {
    const range weight = {"--class-weights", c->class_weights[i], 0, INFINITY, false};
    VISE_TRY(check_ranges(&weight, 1, err));
    sum += c->class_weights[i];
  }

  if (c->n_class_weights > 0 && !(sum > 0 && isfinite(sum))) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: their sum is %g, expected a number above 0", sum);
  }
  if (c->n_class_weights > 0 && c->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: the external loss has none");
  }

done:
  return status;
}

static vise_status check_stopping(const vise_train_config *c, vise_error *err) {
  const range ranges[] = {
      {"--stop-projected-gradient", c->stop_projected_gradient, 0, INFINITY, false},
      {"--min-delta", c->min_delta, 0, INFINITY, false},
  };

  const vise_status status = check_ranges(ranges, 2, err);
  if (status != VISE_OK) return status;

  if (c->stop_loss_on && !isfinite(c->stop_loss)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--stop-loss %g: expected a finite number", c->stop_loss);
  }
  if (c->min_delta > 0 && c->patience == 0) return vise_i_fail(err, VISE_ERR_USAGE, "--min-delta needs --patience");
  if (c->max_skips == 0) return vise_i_fail(err, VISE_ERR_USAGE, "--max-skips 0: expected at least 1");
  if (c->stop_projected_gradient > 0 && c->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--stop-projected-gradient: not with the external loss");
  }

  if (c->n_threads < 0 || c->n_threads > 4096) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--threads %d: expected 0 (chosen) to 4096", c->n_threads);
  }
  if (c->steps_per_launch > VISE_I_MOST_STEPS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--steps-per-launch %llu: expected up to %d",
                       (unsigned long long)c->steps_per_launch, VISE_I_MOST_STEPS);
  }
  if (c->device < 0) return vise_i_fail(err, VISE_ERR_USAGE, "--device %d: expected 0 or more", c->device);

  return VISE_OK;
}

static vise_status check_weight_op(const vise_train_config *c, vise_error *err) {
  if (c->weight_op.kind == VISE_WEIGHT_OP_NONE) return VISE_OK;
  if (c->weight_op_at == VISE_AT_EVERY) return VISE_OK;

  const bool by_step = c->weight_op_at == VISE_AT_STEP;
  const char *unit = by_step ? "step" : "epoch";
  const uint64_t limit = by_step ? c->steps : c->epochs;

  if (c->weight_op_when == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--weight-op-at %s:0: %ss count from 1", unit, unit);
  }
  if (limit > 0 && c->weight_op_when > limit) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--weight-op-at %s:%llu: the run ends before, at --%ss %llu", unit,
                       (unsigned long long)c->weight_op_when, unit, (unsigned long long)limit);
  }
  return VISE_OK;
}

vise_status vise_i_config_validate(const vise_train_config *config, vise_error *err) {
  if (config == NULL || config->struct_size != sizeof(*config)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "vise_train_config has size %zu, expected %zu: initialise it with "
                       "vise_train_config_init",
                       config == NULL ? 0 : config->struct_size, sizeof(*config));
  }

  vise_status status;
  VISE_TRY(check_enums(config, err));
  VISE_TRY(check_loss(config, err));
  VISE_TRY(check_optimizer(config, err));
  VISE_TRY(check_schedules(config, err));
  VISE_TRY(check_regularization(config, err));
  VISE_TRY(check_weight_op(config, err));
  VISE_TRY(check_stopping(config, err));

done:
  return status;
}

vise_status vise_i_config_require_zero_in_boxes(const vise_train_config *config, size_t n_layers, const char *needed_by,
                                                vise_error *err) {
  bool overridden[VISE_MAX_LAYERS] = {false};
  size_t n_overridden = 0;

  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    const vise_layer_clamp *clamp = &config->layer_clamps[i];
    if (clamp->layer < VISE_MAX_LAYERS && !overridden[clamp->layer]) {
      overridden[clamp->layer] = true;
      n_overridden++;
    }

    if (clamp->lo > 0 || clamp->hi < 0) {
      return vise_i_fail(err, VISE_ERR_USAGE, "--clamp-layer %zu=%g:%g: with %s the box must contain 0", clamp->layer,
                         clamp->lo, clamp->hi, needed_by);
    }
  }

  if (config->clamp && n_overridden < n_layers && (config->clamp_lo > 0 || config->clamp_hi < 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--clamp %g:%g: with %s the box must contain 0", config->clamp_lo,
                       config->clamp_hi, needed_by);
  }
  return VISE_OK;
}

static vise_status check_class_weight_count(const vise_train_config *c, size_t n_outputs, vise_error *err) {
  if (c->n_class_weights == 0) return VISE_OK;

  const bool binary = n_outputs == 1 && (c->loss == VISE_LOSS_BCE || c->loss == VISE_LOSS_HINGE);
  if (n_outputs == 1 && !binary) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: --loss %s with one output has no classes",
                       vise_loss_name(c->loss));
  }

  const size_t expected = binary ? 2 : n_outputs;
  if (c->n_class_weights != expected) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: %zu numbers, expected %zu, one for each class",
                       c->n_class_weights, expected);
  }
  return VISE_OK;
}

vise_status vise_i_config_validate_net(const vise_train_config *config, const vise_i_net *net, vise_error *err) {
  const size_t n_outputs = net->widths[net->n_layers];
  vise_status status;

  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    if (config->layer_clamps[i].layer >= net->n_layers) {
      return vise_i_fail(err, VISE_ERR_USAGE, "--clamp-layer %zu: the net has layers 0 to %zu",
                         config->layer_clamps[i].layer, net->n_layers - 1);
    }
  }
  if (config->loss == VISE_LOSS_CROSS_ENTROPY && n_outputs < 2) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "--loss cross-entropy needs at least 2 outputs, --layers ends in 1 (bce is "
                       "the loss for one output)");
  }

  VISE_TRY(check_class_weight_count(config, n_outputs, err));
  if (config->prox_l1) VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "--prox-l1", err));
  if (config->max_norm > 0) VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "--max-norm", err));
  if (config->weight_op.kind != VISE_WEIGHT_OP_NONE) {
    VISE_TRY(vise_i_weight_op_validate(&config->weight_op, net->n_layers, err));
    VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "--weight-op", err));
  }

  status = VISE_OK;
done:
  return status;
}

/* Refuses options that need training data. */
static vise_status check_without_data(const vise_train_config *c, vise_error *err) {
  const vise_schedule_config *schedules[] = {&c->lr_schedule, &c->clip_schedule, &c->clamp_schedule};
  const char *names[] = {"--lr-schedule", "clip_schedule", "clamp_schedule"};

  for (size_t i = 0; i < 3; i++) {
    const vise_schedule kind = schedules[i]->kind;
    const bool ends = kind == VISE_SCHEDULE_LINEAR || kind == VISE_SCHEDULE_COSINE;
    if (kind == VISE_SCHEDULE_STEP || (ends && c->steps == 0)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "%s %s counts epochs: it needs training data%s", names[i],
                         vise_schedule_name(kind), ends ? " or --steps" : "");
    }
  }

  if (c->stop_projected_gradient > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--stop-projected-gradient needs training data");
  }
  if (c->penalty_convention == VISE_OVER_M && (c->l2 > 0 || c->l1 > 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--penalty-convention over_m needs training data, to know m");
  }
  if (c->weight_op.kind != VISE_WEIGHT_OP_NONE && c->weight_op_at == VISE_AT_EPOCH) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--weight-op-at epoch needs training data");
  }
  if (c->scale_target) return vise_i_fail(err, VISE_ERR_USAGE, "--scale-target needs training data");
  return VISE_OK;
}

/* The steps of all epochs must reach past the warm-up of a schedule that ends. */
static vise_status check_planned(const vise_train_config *c, size_t n_rows, vise_error *err) {
  const size_t batch = c->batch == 0 || c->batch > n_rows ? n_rows : c->batch;
  const uint64_t per_epoch = c->drop_last ? n_rows / batch : (n_rows - 1) / batch + 1;
  if (c->epochs == 0 || c->epochs > UINT64_MAX / per_epoch) return VISE_OK;

  const vise_schedule_config *schedules[] = {&c->lr_schedule, &c->clip_schedule, &c->clamp_schedule};
  for (size_t i = 0; i < 3; i++) {
    const bool ends = schedules[i]->kind == VISE_SCHEDULE_LINEAR || schedules[i]->kind == VISE_SCHEDULE_COSINE;
    if (ends && schedules[i]->warmup_steps >= c->epochs * per_epoch) {
      return vise_i_fail(err, VISE_ERR_USAGE,
                         "--warmup-steps %llu: expected fewer than the %llu steps of --epochs %llu",
                         (unsigned long long)schedules[i]->warmup_steps, (unsigned long long)(c->epochs * per_epoch),
                         (unsigned long long)c->epochs);
    }
  }

  return VISE_OK;
}

vise_status vise_i_config_validate_data(const vise_train_config *config, const vise_i_net *net,
                                        const vise_dataset *train, const vise_dataset *validation, vise_error *err) {
  if (config->patience > 0 && validation == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--patience needs validation data (--val-fraction or --val)");
  }
  if (train == NULL) return check_without_data(config, err);

  const size_t n_rows = vise_dataset_n_rows(train), n_targets = vise_dataset_n_targets(train);
  if (n_rows == 0) return vise_i_fail(err, VISE_ERR_USAGE, "%s: no rows to train on", vise_dataset_name(train));
  if (config->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--loss external takes the caller's own batches, not training data");
  }
  if (config->drop_last && config->batch > n_rows) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--drop-last with --batch %zu leaves nothing of the %zu rows",
                       config->batch, n_rows);
  }

  const size_t n_outputs = net->widths[net->n_layers];
  if (config->n_class_weights > 0 && n_targets > 1) {
    return vise_i_fail(err, VISE_ERR_USAGE, "--class-weights: %s has %zu target columns, expected one of class labels",
                       vise_dataset_name(train), n_targets);
  }
  if (config->scale_target && n_targets == 1 && n_outputs > 1) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "--scale-target: the one target column of %s with %zu outputs means class "
                       "labels",
                       vise_dataset_name(train), n_outputs);
  }

  return check_planned(config, n_rows, err);
}

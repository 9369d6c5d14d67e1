/* The rules of a training configuration beyond the ranges in the table of options. */
#include "host/train/config.h"

#include <math.h>
#include <string.h>

#include "host/base/struct.h"
#include "host/base/traits.h"
#include "host/data/dataset.h"
#include "host/model/model.h"
#include "host/options/options.h"

static const char *const schedule_names[] = {"lr_schedule", "clip_schedule", "clamp_schedule", "row_l1_schedule"};
enum { N_SCHEDULES = sizeof schedule_names / sizeof *schedule_names };

/* In the order of their names. */
static const vise_schedule_config *schedule_at(const vise_train_config *c, size_t i) {
  const vise_schedule_config *schedules[N_SCHEDULES] = {&c->lr_schedule, &c->clip_schedule, &c->clamp_schedule,
                                                        &c->row_l1_schedule};
  return schedules[i];
}

static vise_status check_optimizer(const vise_train_config *c, vise_error *err) {
  const int has = vise_i_optimizer_has(c->optimizer);
  if (c->momentum != 0 && !(has & VISE_HAS_MOMENTUM)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`momentum` %g: `optimizer` %s has `beta1` in its place", c->momentum,
                       vise_optimizer_name(c->optimizer));
  }

  if (c->nesterov && !(has & VISE_HAS_NESTEROV)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`nesterov` is for `optimizer` sgd, not %s",
                       vise_optimizer_name(c->optimizer));
  }
  if (c->nesterov && !(c->momentum > 0)) return vise_i_fail(err, VISE_ERR_USAGE, "`nesterov` needs `momentum` > 0");
  return VISE_OK;
}

static vise_status check_schedule(const vise_train_config *c, const vise_schedule_config *s, const char *name,
                                  vise_error *err) {
  if (vise_i_schedule_counts_epochs(s->kind) && s->step_epochs == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s.step_epochs` 0: expected at least 1 epoch", name);
  }
  if (!vise_i_schedule_ends(s->kind)) return VISE_OK;

  if (c->epochs == 0 && c->steps == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s.kind` %s needs `epochs` or `steps`, to know where it ends", name,
                       vise_schedule_name(s->kind));
  }
  if (c->steps > 0 && s->warmup_steps >= c->steps) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s.warmup_steps` %llu: expected fewer than `steps` %llu", name,
                       (unsigned long long)s->warmup_steps, (unsigned long long)c->steps);
  }
  return VISE_OK;
}

static vise_status check_schedules(const vise_train_config *c, vise_error *err) {
  for (size_t i = 0; i < N_SCHEDULES; i++) {
    const vise_status status = check_schedule(c, schedule_at(c, i), schedule_names[i], err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
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
    const vise_status status = check_interval("`layer_clamps`", clamp->lo, clamp->hi, err);
    if (status != VISE_OK) return status;

    for (size_t j = 0; j < i; j++) {
      if (c->layer_clamps[j].layer == clamp->layer) {
        return vise_i_fail(err, VISE_ERR_USAGE, "`layer_clamps`: layer %zu is given twice", clamp->layer);
      }
    }
  }

  return VISE_OK;
}

static vise_status check_regularization(const vise_train_config *c, vise_error *err) {
  vise_status status = VISE_OK;

  if (c->clip_value) VISE_TRY(check_interval("`clip_value`", c->clip_value_lo, c->clip_value_hi, err));
  if (c->clamp) VISE_TRY(check_interval("`clamp`", c->clamp_lo, c->clamp_hi, err));
  VISE_TRY(check_layer_clamps(c, err));
  VISE_TRY(vise_i_config_check_rows(c, err));

  if (c->clamp && c->clamp_init > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`clamp` and `clamp_init` contradict each other: choose one");
  }
  if (c->clamp_bias && !c->clamp && c->n_layer_clamps == 0 && !(c->clamp_init > 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`clamp_bias` needs `clamp`, `clamp_init` or `layer_clamps`");
  }

done:
  return status;
}

vise_status vise_i_class_weights_check(vise_loss loss, const double *weights, size_t n, vise_error *err) {
  if ((weights == NULL) != (n == 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: %zu numbers, but the pointer is %s", n,
                       weights == NULL ? "NULL" : "not NULL");
  }

  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    if (!(weights[i] >= 0 && isfinite(weights[i]))) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights` %g: expected a number of at least 0 (weight %zu)",
                         weights[i], i);
    }
    sum += weights[i];
  }

  if (n > 0 && !(sum > 0 && isfinite(sum))) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: their sum is %g, expected a number above 0", sum);
  }
  if (n > 0 && loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: the external loss has none");
  }
  return VISE_OK;
}

static vise_status check_loss(const vise_train_config *c, vise_error *err) {
  if (c->label_smoothing > 0 && vise_i_loss_targets(c->loss) != VISE_TARGETS_LABELS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`label_smoothing` is for `loss` cross-entropy, not %s",
                       vise_loss_name(c->loss));
  }
  if (c->mse_reduction != VISE_MSE_HALF_MEAN && vise_i_loss_mean(c->loss) != VISE_MEAN_BY_OPTION) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`mse_reduction` is for `loss` mse, not %s", vise_loss_name(c->loss));
  }
  if (c->scale_target && vise_i_loss_targets(c->loss) != VISE_TARGETS_NUMBERS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`scale_target` is for `loss` mse and huber, not %s",
                       vise_loss_name(c->loss));
  }

  return vise_i_class_weights_check(c->loss, c->class_weights, c->n_class_weights, err);
}

static vise_status check_stopping(const vise_train_config *c, vise_error *err) {
  if (c->stop_loss_on && !isfinite(c->stop_loss)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`stop_loss` %g: expected a finite number", c->stop_loss);
  }
  if (c->min_delta > 0 && c->patience == 0 && c->stop_stall == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`min_delta` needs `patience` or `stop_stall`");
  }
  if (c->patience == 0 && (c->patience_by != VISE_PATIENCE_BY_LOSS || c->keep_best)) {
    const char *field = c->keep_best ? "keep_best" : "patience_by";
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s` needs `patience`", field);
  }
  if (c->keep_best && c->ranks != NULL) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`keep_best`: not with `ranks`, which may go wrong one by one");
  }
  if (c->stop_projected_gradient > 0 && c->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`stop_projected_gradient`: not with the external loss");
  }
  return VISE_OK;
}

static vise_status check_weight_op(const vise_train_config *c, vise_error *err) {
  if (c->weight_op.kind == VISE_WEIGHT_OP_NONE) return VISE_OK;
  if (c->weight_op_at == VISE_AT_EVERY) return VISE_OK;

  const bool by_step = c->weight_op_at == VISE_AT_STEP;
  const char *unit = by_step ? "step" : "epoch";
  const uint64_t limit = by_step ? c->steps : c->epochs;

  if (c->weight_op_when == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`weight_op_at` %s:0: %ss count from 1", unit, unit);
  }
  if (limit > 0 && c->weight_op_when > limit) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`weight_op_at` %s:%llu: the run ends before, at `%ss` %llu", unit,
                       (unsigned long long)c->weight_op_when, unit, (unsigned long long)limit);
  }
  return VISE_OK;
}

/* Steps on rows of a rank's own. */
static vise_status check_local(const vise_train_config *c, vise_error *err) {
  if (c->sync_every == 0) {
    return c->own_data ? vise_i_fail(err, VISE_ERR_USAGE,
                                     "`own_data` needs `sync_every`: between the means of weights "
                                     "each process trains on its own rows")
                       : VISE_OK;
  }

  if (c->ranks == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`sync_every` is for several processes: start them with mpirun or srun");
  }
  if (c->parts > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`parts` and `sync_every` contradict each other: a step has the rows of one process");
  }
  if (c->weight_op.kind != VISE_WEIGHT_OP_NONE && c->weight_op_at == VISE_AT_EVERY) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "`weight_op_at` every and `sync_every`: the weights that it goes by differ between the means; use a "
        "step or an epoch");
  }
  if (c->quantize != NULL) {
    return vise_i_fail(
        err, VISE_ERR_UNSUPPORTED,
        "`quantize` and `sync_every`: the scales of an integer net are fitted to all rows, which no process "
        "has; round the trained net instead");
  }
  if (c->stop_projected_gradient > 0) {
    return vise_i_fail(
        err, VISE_ERR_UNSUPPORTED,
        "`stop_projected_gradient` and `sync_every`: it takes the gradient over all rows, which no process "
        "has");
  }
  return VISE_OK;
}

/* What a caller's struct lacks has its default; one that lacks nothing needs none. */
static void begin_taking(const vise_train_config *given, vise_train_config *own) {
  const bool lacks_nothing = given != NULL && given->struct_size >= sizeof *own;
  if (lacks_nothing) {
    memset(own, 0, sizeof *own);
    own->struct_size = sizeof *own;
  } else {
    vise_train_config_init(own);
  }
}

vise_status vise_i_train_config_take(const vise_train_config *given, vise_train_config *out, vise_error *err) {
  vise_status status;
  vise_train_config own;
  begin_taking(given, &own);

  VISE_TRY(vise_i_config_take(&own, sizeof own, given, "vise_train_config", err));
  VISE_TRY(vise_i_options_check(VISE_OPTION_OF_TRAIN_CONFIG, &own, err));
  VISE_TRY(check_loss(&own, err));
  VISE_TRY(check_optimizer(&own, err));
  VISE_TRY(check_schedules(&own, err));
  VISE_TRY(check_regularization(&own, err));
  VISE_TRY(check_weight_op(&own, err));
  VISE_TRY(check_stopping(&own, err));
  VISE_TRY(check_local(&own, err));
  *out = own;

done:
  return status;
}

vise_status vise_i_class_weights_check_net(vise_loss loss, size_t n, size_t n_outputs, vise_error *err) {
  if (n == 0) return VISE_OK;

  const bool binary = n_outputs == 1 && vise_i_loss_is_binary(loss);
  if (n_outputs == 1 && !binary) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: `loss` %s with one output has no classes",
                       vise_loss_name(loss));
  }

  const size_t expected = binary ? 2 : n_outputs;
  if (n != expected) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: %zu numbers, expected %zu, one for each class", n,
                       expected);
  }
  return VISE_OK;
}

vise_status vise_i_class_weights_check_data(vise_loss loss, size_t n, const vise_dataset *data, vise_error *err) {
  const size_t n_targets = vise_i_dataset_targets_for(data, vise_loss_targets(loss)).n_cols;
  if (n == 0 || n_targets <= 1) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`class_weights`: %s has %zu target columns, expected one of class labels",
                     vise_dataset_name(data), n_targets);
}

/* What batch norm and dropout do not go with. */
static vise_status check_layers(const vise_train_config *c, const vise_i_net *net, vise_error *err) {
  const bool norm = vise_i_net_has_batch_norm(net), drops = vise_i_net_has_dropout(net);

  if (norm && c->batch == 1) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`batch` 1: batch norm needs at least 2 rows, one has no variance");
  }
  if (norm && c->stop_projected_gradient > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`stop_projected_gradient`: not with batch norm, whose gradient depends on the batch");
  }
  if ((norm || drops) && c->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`loss` external: not with %s, since the outputs that you see are not those of the step",
                       norm ? "batch norm" : "dropout");
  }
  return VISE_OK;
}

vise_status vise_i_config_validate_net(const vise_train_config *config, const vise_i_net *net, vise_error *err) {
  const size_t n_outputs = net->widths[net->n_layers];
  vise_status status;

  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    if (config->layer_clamps[i].layer >= net->n_layers) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`layer_clamps` %zu: the net has layers 0 to %zu",
                         config->layer_clamps[i].layer, net->n_layers - 1);
    }
  }
  if (vise_i_loss_targets(config->loss) == VISE_TARGETS_LABELS && n_outputs < 2) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "`loss` cross-entropy needs at least 2 outputs, `widths` ends in 1 (bce is the loss for one output)");
  }

  VISE_TRY(check_layers(config, net, err));
  VISE_TRY(vise_i_class_weights_check_net(config->loss, config->n_class_weights, n_outputs, err));
  VISE_TRY(vise_i_config_check_rows_of_net(config, net, err));
  if (config->prox_l1) VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "`prox_l1`", err));
  if (config->max_norm > 0) VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "`max_norm`", err));
  if (config->weight_op.kind != VISE_WEIGHT_OP_NONE) {
    VISE_TRY(vise_i_weight_op_validate(&config->weight_op, net->n_layers, err));
    VISE_TRY(vise_i_config_require_zero_in_boxes(config, net->n_layers, "`weight_op.kind`", err));
  }

  status = VISE_OK;
done:
  return status;
}

/* Refuses options that need training data. */
static vise_status check_without_data(const vise_train_config *c, vise_error *err) {
  for (size_t i = 0; i < N_SCHEDULES; i++) {
    const vise_schedule kind = schedule_at(c, i)->kind;
    if (vise_i_schedule_counts_epochs(kind) || (vise_i_schedule_ends(kind) && c->steps == 0)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s.kind` %s counts epochs: it needs training data%s", schedule_names[i],
                         vise_schedule_name(kind), vise_i_schedule_ends(kind) ? " or `steps`" : "");
    }
  }

  if (c->stop_projected_gradient > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`stop_projected_gradient` needs training data");
  }
  if (c->penalty_convention == VISE_OVER_M && (c->l2 > 0 || c->l1 > 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`penalty_convention` over_m needs training data, to know m");
  }
  if (c->weight_op.kind != VISE_WEIGHT_OP_NONE && c->weight_op_at == VISE_AT_EPOCH) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`weight_op_at` epoch needs training data");
  }
  if (c->scale_target) return vise_i_fail(err, VISE_ERR_USAGE, "`scale_target` needs training data");
  return VISE_OK;
}

/* The steps of all epochs must reach past the warm-up of a schedule that ends. */
static vise_status check_planned(const vise_train_config *c, const vise_i_net *net, size_t n_rows, vise_error *err) {
  const size_t batch = c->batch == 0 || c->batch > n_rows ? n_rows : c->batch;
  const uint64_t per_epoch = c->drop_last ? n_rows / batch : vise_i_n_batches(net, batch, n_rows);
  if (c->epochs == 0 || c->epochs > UINT64_MAX / per_epoch) return VISE_OK;

  for (size_t i = 0; i < N_SCHEDULES; i++) {
    if (vise_i_schedule_ends(schedule_at(c, i)->kind) && schedule_at(c, i)->warmup_steps >= c->epochs * per_epoch) {
      return vise_i_fail(err, VISE_ERR_USAGE,
                         "`%s.warmup_steps` %llu: expected fewer than the %llu steps of `epochs` %llu",
                         schedule_names[i], (unsigned long long)schedule_at(c, i)->warmup_steps,
                         (unsigned long long)(c->epochs * per_epoch), (unsigned long long)c->epochs);
    }
  }

  const bool is_at_step = c->weight_op.kind != VISE_WEIGHT_OP_NONE && c->weight_op_at == VISE_AT_STEP;
  if (is_at_step && c->sync_every == 0 && c->weight_op_when > c->epochs * per_epoch) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`weight_op_at` step:%llu: the run ends before, at the %llu steps of `epochs` %llu",
                       (unsigned long long)c->weight_op_when, (unsigned long long)(c->epochs * per_epoch),
                       (unsigned long long)c->epochs);
  }
  return VISE_OK;
}

/* R^2 takes two rows. */
static vise_status check_score(const vise_train_config *config, const vise_dataset *validation, vise_error *err) {
  if (config->patience == 0 || vise_i_loss_classifies(config->loss) || vise_dataset_n_rows(validation) >= 2) {
    return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "`patience_by` score: R^2 needs at least 2 validation rows, and %s has one; loss does with that",
                     vise_dataset_name(validation));
}

vise_status vise_i_config_validate_data(const vise_train_config *config, const vise_i_net *net,
                                        const vise_dataset *train, const vise_dataset *validation, vise_error *err) {
  if (config->patience > 0 && validation == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`patience` needs validation data (`validation`)");
  }
  if (config->patience_by == VISE_PATIENCE_BY_SCORE) {
    const vise_status status = check_score(config, validation, err);
    if (status != VISE_OK) return status;
  }
  if (train == NULL) return check_without_data(config, err);

  const size_t n_rows = vise_dataset_n_rows(train);
  const size_t n_targets = vise_i_dataset_targets_for(train, vise_loss_targets(config->loss)).n_cols;
  if (n_rows == 0) return vise_i_fail(err, VISE_ERR_USAGE, "%s: no rows to train on", vise_dataset_name(train));
  if (config->loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`loss` external takes the caller's own batches, not training data");
  }
  if (n_rows == 1 && vise_i_net_has_batch_norm(net)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: batch norm needs at least 2 rows, one has no variance",
                       vise_dataset_name(train));
  }
  if (config->drop_last && config->batch > n_rows) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`drop_last` with `batch` %zu leaves nothing of the %zu rows",
                       config->batch, n_rows);
  }

  const size_t n_outputs = net->widths[net->n_layers];
  const vise_status status = vise_i_class_weights_check_data(config->loss, config->n_class_weights, train, err);
  if (status != VISE_OK) return status;
  if (config->scale_target && n_targets == 1 && n_outputs > 1) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`scale_target`: the one target column of %s with %zu outputs means class "
                       "labels",
                       vise_dataset_name(train), n_outputs);
  }

  return check_planned(config, net, n_rows, err);
}

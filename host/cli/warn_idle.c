/* Options that were given and change nothing beside the others: told, rather than passed over. */
#include "host/cli/options.h"
#include "host/cli/warnings.h"

typedef struct idle_rule {
  const char *option;
  bool applies;
  const char *why_not;
} idle_rule;

static void warn_of(vise_i_cli_warnings *list, const vise_i_cli_options *options, const idle_rule *rules, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (rules[i].applies || !vise_i_cli_used(options, rules[i].option)) continue;
    vise_i_cli_warn(list, "--%s does nothing: %s", rules[i].option, rules[i].why_not);
  }
}

#define WARN_OF(list, options, rules) warn_of(list, options, rules, sizeof(rules) / sizeof *(rules))

static void warn_of_optimizer(vise_i_cli_warnings *list, const vise_i_cli_options *options) {
  const vise_train_config *c = &options->training;
  const bool rmsprop = c->optimizer == VISE_RMSPROP, adam = c->optimizer == VISE_ADAM;
  const bool has_betas = adam || c->optimizer == VISE_LION;
  const idle_rule rules[] = {
      {"rho", rmsprop, "it is for --optimizer rmsprop"},
      {"beta1", has_betas, "it is for --optimizer adam and lion"},
      {"beta2", has_betas, "it is for --optimizer adam and lion"},
      {"eps", rmsprop || adam, "it is for --optimizer rmsprop and adam"},
      {"max-skips", c->nonfinite == VISE_NONFINITE_SKIP, "it is for --nonfinite skip"},
  };
  WARN_OF(list, options, rules);
}

static bool has_end(const vise_schedule_config *schedule) {
  return schedule->kind == VISE_SCHEDULE_LINEAR || schedule->kind == VISE_SCHEDULE_COSINE;
}

static bool has_steps(const vise_schedule_config *schedule) {
  return schedule->kind == VISE_SCHEDULE_STEP;
}

static void warn_of_schedules(vise_i_cli_warnings *list, const vise_i_cli_options *options) {
  const vise_train_config *c = &options->training;
  const vise_schedule_config *const rows = &c->row_l1_schedule;

  const bool any_steps = has_steps(&c->lr_schedule) || has_steps(&c->clip_schedule) || has_steps(&c->clamp_schedule);
  const bool clips = c->clip_value || c->clip_norm > 0;
  const bool boxes = c->clamp || c->clamp_init > 0 || c->n_layer_clamps > 0;
  const bool bounds_rows =
      c->row_l1 > 0 || c->row_l1_sided > 0 || c->n_row_l1_layers > 0 || c->n_row_l1_sided_layers > 0;

  const idle_rule rules[] = {
      {"lr-final-ratio", has_end(&c->lr_schedule), "it is for --lr-schedule linear and cosine"},
      {"lr-gamma", any_steps, "no schedule is step"},
      {"lr-step-epochs", any_steps, "no schedule is step"},
      {"clip-schedule", clips, "there is no --clip-norm or --clip-value"},
      {"clip-final-ratio", has_end(&c->clip_schedule), "it is for --clip-schedule linear and cosine"},
      {"clamp-schedule", boxes, "there is no --clamp, --clamp-layer or --clamp-init"},
      {"clamp-final-ratio", has_end(&c->clamp_schedule), "it is for --clamp-schedule linear and cosine"},
      {"row-l1-schedule", bounds_rows, "there is no --row-l1 or --row-l1-sided"},
      {"row-l1-gamma", has_steps(rows), "it is for --row-l1-schedule step"},
      {"row-l1-step-epochs", has_steps(rows), "it is for --row-l1-schedule step"},
      {"row-l1-final-ratio", has_end(rows), "it is for --row-l1-schedule linear and cosine"},
  };
  WARN_OF(list, options, rules);
}

static void warn_of_limits(vise_i_cli_warnings *list, const vise_i_cli_options *options) {
  const vise_train_config *c = &options->training;
  const bool clips = c->clip_norm > 0;
  const bool penalizes = c->l2 > 0 || c->l1 > 0 || c->norm_penalty > 0 || c->decoupled_decay > 0;
  const idle_rule rules[] = {
      {"prox-l1", c->l1 > 0, "--l1 is 0"},
      {"penalize-bias", penalizes, "there is no penalty"},
      {"clip-norm-type", clips, "there is no --clip-norm"},
      {"clip-norm-p", clips, "there is no --clip-norm"},
      {"clip-norm-torch-eps", clips, "there is no --clip-norm"},
      {"max-norm-scope", c->max_norm > 0, "there is no --max-norm"},
      {"weight-op-scope", c->weight_op.kind == VISE_PRUNE, "it is for --weight-op prune"},
  };
  WARN_OF(list, options, rules);
}

void vise_i_cli_warn_of_idle(vise_i_cli_warnings *list, const vise_i_cli_options *options) {
  warn_of_optimizer(list, options);
  warn_of_schedules(list, options);
  warn_of_limits(list, options);
}

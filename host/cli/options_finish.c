/* What needs all options to be known: contradictions, and values that several options determine together. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/parse.h"

static vise_status fail_needs(const char *option, const char *needed, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s needs --%s", option, needed);
}

static vise_status fail_both(const char *a, const char *b, const char *why, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --%s contradict each other: %s", a, b, why);
}

static vise_status check_data(const vise_i_cli_options *options, vise_error *err) {
  if (options->train_labels != NULL && options->train == NULL) return fail_needs("train-labels", "train", err);
  if (options->val_labels != NULL && options->val == NULL) return fail_needs("val-labels", "val", err);
  if (options->test_labels != NULL && options->test == NULL) return fail_needs("test-labels", "test", err);
  if (options->labels != NULL && options->data == NULL) return fail_needs("labels", "data", err);

  if (options->train == NULL) {
    if (options->val != NULL) return fail_needs("val", "train", err);
    if (options->test != NULL) return fail_needs("test", "train", err);
    if (options->row_weights != NULL) return fail_needs("row-weights", "train", err);
    if (options->val_fraction > 0) return fail_needs("val-fraction", "train", err);
  }

  if (options->val != NULL && options->val_fraction > 0) {
    return fail_both("val", "val-fraction", "validation rows come from one of them", err);
  }
  if (options->target != NULL && options->train_labels != NULL) {
    return fail_both("target", "train-labels", "the targets come from one of them", err);
  }
  if (options->target != NULL && options->labels != NULL) {
    return fail_both("target", "labels", "the targets come from one of them", err);
  }

  return VISE_OK;
}

/* Checks a weight operation and its numbers; prefix is "weight-op-" for train and "" for prune. */
static vise_status check_operation(const vise_weight_op *op, const char *op_name, const char *prefix,
                                   bool fraction_given, vise_error *err) {
  bool relative = op->kind == VISE_REL_CLIP || op->kind == VISE_REL_RETAIN || op->kind == VISE_REL_DROP_LARGE;
  const char *kind = vise_weight_op_kind_name(op->kind);

  if (relative && !(op->t > 0)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s %s needs --%st, a threshold > 0 and <= 1", op_name, kind, prefix);
  }
  if (!relative && op->t > 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%st is for the rel-* operations, not for --%s %s", prefix, op_name,
                           kind);
  }

  if (op->kind == VISE_PRUNE && !fraction_given) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s prune needs --%sfraction", op_name, prefix);
  }
  if (op->kind != VISE_PRUNE && op->fraction > 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%sfraction is for prune, not for --%s %s", prefix, op_name, kind);
  }

  if (op->literal && op->kind != VISE_REL_CLIP) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%sliteral is for rel-clip, not for --%s %s", prefix, op_name, kind);
  }

  return VISE_OK;
}

static vise_status check_training(const vise_i_cli_options *options, vise_error *err) {
  const vise_train_config *training = &options->training;
  bool has_op = training->weight_op.kind != VISE_WEIGHT_OP_NONE;

  if (has_op && !options->weight_op_at_given) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--weight-op needs --weight-op-at step:N, epoch:N or every");
  }
  if (!has_op && options->weight_op_at_given) return fail_needs("weight-op-at", "weight-op", err);

  vise_status status = check_operation(&training->weight_op, "weight-op", "weight-op-",
                                       vise_i_cli_given(options, "weight-op-fraction"), err);
  if (status != VISE_OK) return status;

  if (training->patience > 0 && options->val == NULL && !(options->val_fraction > 0)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--patience needs validation data: give --val or --val-fraction");
  }
  if (training->epochs == 0 && training->steps == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--epochs off needs --steps: nothing else ends every run");
  }

  if (options->overwrite && options->out == NULL && options->resume == NULL) return fail_needs("overwrite", "out", err);
  if (options->command == VISE_I_CLI_TRAIN && options->train == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--train is missing: give the file with the training rows");
  }
  return VISE_OK;
}

static void finish_training(vise_i_cli_options *options) {
  vise_train_config *training = &options->training;
  training->class_weights = options->class_weights;
  training->n_class_weights = options->n_class_weights;
  training->layer_clamps = options->layer_clamps;
  training->n_layer_clamps = options->n_layer_clamps;

  training->batch = options->batch_full ? 0 : options->batch;
  training->n_threads = (int)options->n_threads;

  training->clip_schedule.final_ratio = options->clip_final_ratio;
  training->clamp_schedule.final_ratio = options->clamp_final_ratio;
  training->clip_schedule.gamma = training->clamp_schedule.gamma = training->lr_schedule.gamma;
  training->clip_schedule.step_epochs = training->clamp_schedule.step_epochs = training->lr_schedule.step_epochs;

  /* With only --steps the epochs are unlimited. */
  if (training->steps > 0 && !vise_i_cli_given(options, "epochs")) training->epochs = 0;
}

static vise_status check_prune(const vise_i_cli_options *options, vise_error *err) {
  const vise_weight_op *op = &options->op;
  if (op->kind == VISE_WEIGHT_OP_NONE) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--op is missing: rel-clip, rel-retain, rel-drop-large or prune");
  }

  vise_status status = check_operation(op, "op", "", vise_i_cli_given(options, "fraction"), err);
  if (status != VISE_OK) return status;

  if (options->mask_out != NULL && op->kind != VISE_PRUNE && options->mask == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--mask-out needs --op prune (or --mask): the other operations make no "
                           "mask");
  }
  if (options->out == NULL && options->mask_out == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out is missing: give the file for the changed model");
  }
  if (options->out != NULL && options->mask_out != NULL && vise_i_cli_same_file(options->out, options->mask_out)) {
    return fail_both("out", "mask-out", "they name the same file", err);
  }

  return VISE_OK;
}

vise_status vise_i_cli_options_finish(vise_i_cli_options *options, vise_error *err) {
  vise_status status = check_data(options, err);
  if (status != VISE_OK) return status;

  switch (options->command) {
    case VISE_I_CLI_TRAIN:
    case VISE_I_CLI_CHECK:
      finish_training(options);
      return check_training(options, err);
    case VISE_I_CLI_PRUNE:
      if (options->model == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--model is missing");
      return check_prune(options, err);
    case VISE_I_CLI_EVAL:
    case VISE_I_CLI_PREDICT:
      if (options->model == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--model is missing");
      if (options->data == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--data is missing");
      if (options->command == VISE_I_CLI_PREDICT && options->out == NULL) {
        return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out is missing: give a file that ends in .npy or .csv");
      }
      return VISE_OK;
    case VISE_I_CLI_INFO:
    case VISE_I_CLI_BENCH:
      return VISE_OK;
  }
  return VISE_OK;
}

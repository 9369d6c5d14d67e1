/* What needs all options to be known: contradictions, and values that several options determine together. */
#include <string.h>

#include "host/cli/files.h"
#include "host/cli/fold.h"
#include "host/cli/message.h"
#include "host/cli/options.h"

/* What leaves no nets, or none that know nothing of the rows; a yes in a file gives way. */
static vise_status check_cross_validation(const vise_i_cli_options *options, vise_error *err) {
  static const char *const name = "cross-validate";
  const int i = vise_i_cli_find(options, name, NULL);
  if (i < 0 || options->source[i] != VISE_I_CLI_FROM_LINE) return VISE_OK;
  if (options->cross_validate != VISE_I_CLI_CROSS_VALIDATE_YES) return VISE_OK;
  if (options->val != NULL) return vise_i_cli_fail_both(name, "val", "those rows judge the net", err);
  if (options->val_fraction > 0) return vise_i_cli_fail_both(name, "val-fraction", "those rows judge the net", err);
  if (options->fold != NULL) return vise_i_cli_fail_both(name, "fold", "those rows judge the net", err);
  if (options->init != NULL) return vise_i_cli_fail_both(name, "init", "its weights may know the rows", err);
  if (options->mask == NULL) return VISE_OK;
  return vise_i_cli_fail_both(name, "mask", "it may know the rows, and the nets of folds may be of other sizes", err);
}

static vise_status check_data(const vise_i_cli_options *options, vise_error *err) {
  if (options->train_labels != NULL && options->train == NULL)
    return vise_i_cli_fail_needs("train-labels", "train", err);
  const int scheme = vise_i_cli_find(options, "init-scheme", NULL); /* config.json of a run has both */
  if (options->init != NULL && scheme >= 0 && options->source[scheme] == VISE_I_CLI_FROM_LINE) {
    return vise_i_cli_fail_both("init", "init-scheme", "initial weights come from one of them", err);
  }
  if (options->sign != NULL && options->monotone != NULL) {
    return vise_i_cli_fail_both("sign", "monotone", "the signs come from one of them", err);
  }
  if (options->val_labels != NULL && options->val == NULL) return vise_i_cli_fail_needs("val-labels", "val", err);
  if (options->test_labels != NULL && options->test == NULL) return vise_i_cli_fail_needs("test-labels", "test", err);
  if (options->labels != NULL && options->data == NULL) return vise_i_cli_fail_needs("labels", "data", err);

  if (options->train == NULL) {
    if (options->val != NULL) return vise_i_cli_fail_needs("val", "train", err);
    if (options->test != NULL) return vise_i_cli_fail_needs("test", "train", err);
    if (options->row_weights != NULL) return vise_i_cli_fail_needs("row-weights", "train", err);
    if (options->val_fraction > 0) return vise_i_cli_fail_needs("val-fraction", "train", err);
    if (options->test_fraction > 0) return vise_i_cli_fail_needs("test-fraction", "train", err);
  }

  if (options->val != NULL && options->val_fraction > 0) {
    return vise_i_cli_fail_both("val", "val-fraction", "validation rows come from one of them", err);
  }
  if (options->test != NULL && options->test_fraction > 0) {
    return vise_i_cli_fail_both("test", "test-fraction", "test rows come from one of them", err);
  }
  if (options->target != NULL && options->train_labels != NULL) {
    return vise_i_cli_fail_both("target", "train-labels", "the targets come from one of them", err);
  }
  if (options->target != NULL && options->labels != NULL) {
    return vise_i_cli_fail_both("target", "labels", "the targets come from one of them", err);
  }

  return check_cross_validation(options, err);
}

/* What belongs to some weight operations only, and what they cannot do without. */
typedef struct operation_rule {
  const char *option;
  unsigned kinds; /* bits 1 << vise_weight_op_kind */
  const char *kinds_text;
  bool required;
} operation_rule;

/* Whose rows are whose. */
static vise_status check_shares(const vise_i_cli_options *options, vise_error *err) {
  if (options->shard_by != NULL && options->training.sync_every == 0) {
    return vise_i_cli_fail_needs("shard-by", "sync-every", err);
  }
  if (options->shard_by != NULL && options->training.own_data) {
    return vise_i_cli_fail_both("shard-by", "own-data", "each process has its own rows already", err);
  }
  if (options->training.own_data && options->training.sync_every == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--own-data needs --sync-every: between the means of weights each process trains on its own "
                           "rows");
  }
  if (options->training.own_data && options->fold != NULL) {
    return vise_i_cli_fail_both("fold", "own-data", "folds are dealt from one table", err);
  }
  if (options->training.sync_every > 0 && options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_YES) {
    return vise_i_cli_fail_both("cross-validate", "sync-every", "no process has all rows", err);
  }
  return VISE_OK;
}

/* The values that a sweep tries for an option, up to the end of their line; NULL: it does not vary it. */
static const char *varied(const vise_i_cli_options *options, const char *name) {
  const size_t n = strlen(name);
  for (const char *line = options->vary; line != NULL; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, name, n) == 0 && line[n] == '=') return line + n + 1;
  }
  return NULL;
}

static bool applies(const vise_i_cli_options *options, const operation_rule *rule) {
  const char *values = varied(options, "weight-op");
  if (values == NULL) return (rule->kinds >> options->training.weight_op.kind & 1) != 0;

  const char *end = strchrnul(values, '\n');
  for (vise_weight_op_kind kind = VISE_WEIGHT_OP_NONE; kind <= VISE_PRUNE; kind++) {
    const char *at = strstr(values, vise_weight_op_kind_name(kind));
    if ((rule->kinds >> kind & 1) != 0 && at != NULL && at < end) return true;
  }
  return false;
}

static vise_status check_operation(const vise_i_cli_options *options, vise_error *err) {
  static const operation_rule rules[] = {
      {"weight-op-t", 1u << VISE_REL_CLIP | 1u << VISE_REL_RETAIN | 1u << VISE_REL_DROP_LARGE, "the rel-* operations",
       true},
      {"weight-op-fraction", 1u << VISE_PRUNE, "prune", true},
      {"weight-op-literal", 1u << VISE_REL_CLIP, "rel-clip", false},
  };
  const vise_weight_op_kind kind = options->training.weight_op.kind;
  const char *kind_text = varied(options, "weight-op") != NULL ? "of --vary" : vise_weight_op_kind_name(kind);

  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    const operation_rule *rule = &rules[i];
    const bool is_there = vise_i_cli_given(options, rule->option) || varied(options, rule->option) != NULL;
    if (applies(options, rule) && rule->required && !is_there) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--weight-op %s needs --%s", kind_text, rule->option);
    }
    if (!applies(options, rule) && vise_i_cli_used(options, rule->option)) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s is for %s, not for --weight-op %s", rule->option,
                             rule->kinds_text, kind_text);
    }
  }
  return VISE_OK;
}

static vise_status check_training(const vise_i_cli_options *options, vise_error *err) {
  const vise_train_config *training = &options->training;
  const bool has_op = training->weight_op.kind != VISE_WEIGHT_OP_NONE || varied(options, "weight-op") != NULL;
  const bool has_time = training->weight_op_at == VISE_AT_EVERY || training->weight_op_when > 0 ||
                        varied(options, "weight-op-at") != NULL;

  if (has_op && !has_time) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--weight-op needs --weight-op-at step:N, epoch:N or every");
  }
  if (!has_op && has_time) return vise_i_cli_fail_needs("weight-op-at", "weight-op", err);

  const vise_status status = check_operation(options, err);
  if (status != VISE_OK) return status;

  if (training->epochs == 0 && training->steps == 0 && training->stop_after_epoch == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--epochs off needs --steps: nothing else ends every run");
  }

  if (options->run.overwrite && options->run.out_dir == NULL && vise_i_cli_goes_on(options) == NULL)
    return vise_i_cli_fail_needs("overwrite", "out", err);
  if ((options->command == VISE_COMMAND_TRAIN || options->command == VISE_COMMAND_SWEEP) && options->train == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--train is missing: give the file with the training rows");
  }
  return VISE_OK;
}

static vise_status check_prune(const vise_i_cli_options *options, vise_error *err) {
  const vise_weight_op *op = &options->training.weight_op;
  if (op->kind == VISE_WEIGHT_OP_NONE) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--weight-op is missing: rel-clip, rel-retain, rel-drop-large or prune");
  }

  const vise_status status = check_operation(options, err);
  if (status != VISE_OK) return status;

  if (options->mask_out != NULL && op->kind != VISE_PRUNE && options->mask == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--mask-out needs --weight-op prune (or --mask): the other operations make no mask");
  }
  if (options->out == NULL && options->mask_out == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out is missing: give the file for the changed model");
  }
  if (options->out != NULL && options->mask_out != NULL && vise_i_cli_same_file(options->out, options->mask_out)) {
    return vise_i_cli_fail_both("out", "mask-out", "they name the same file", err);
  }

  return VISE_OK;
}

/* What the numbers of an export are: `as`, or `weights` and `acc`, and of C alone. */
static vise_status check_weights(const vise_i_cli_options *options, vise_error *err) {
  const vise_i_cli_weights weights = options->weights;
  const bool is_float = weights == VISE_I_CLI_WEIGHTS_FLOAT32,
             is_integer = !is_float && weights != VISE_I_CLI_WEIGHTS_AUTO;
  const char *const integers = options->integers != NULL ? "as"
                               : options->acc_bits > 0   ? "acc"
                               : is_integer              ? "weights"
                                                         : NULL;

  if (options->format != VISE_EXPORT_INTEGER_C && integers != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--%s is about integers, and --format %s writes float32: give --format c, or leave it away",
                           integers, vise_export_format_name(options->format));
  }
  if (is_float && options->acc_bits > 0) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--acc and --weights float32: sums of floats have no bits to choose; --weights int8 or int16 "
        "go with --acc");
  }
  if (options->integers != NULL && weights != VISE_I_CLI_WEIGHTS_AUTO) {
    return vise_i_cli_fail_both("as", "weights", "--as int8,acc16 is --weights int8 --acc 16", err);
  }
  if (options->integers != NULL && options->acc_bits > 0) {
    return vise_i_cli_fail_both("as", "acc", "--as int8,acc16 is --weights int8 --acc 16", err);
  }
  if (is_integer && options->acc_bits == 0) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--weights int8 and int16 need --acc P, the bits of the accumulators: 10 to 32 (a model that was trained "
        "for integers needs neither)");
  }
  return VISE_OK;
}

static vise_status check_export(const vise_i_cli_options *options, vise_error *err) {
  if (options->out == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out is missing: give a new or empty folder");
  return check_weights(options, err);
}

static vise_status check_model(const vise_i_cli_options *options, vise_error *err) {
  if (options->model == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--model is missing");
  if (options->command == VISE_COMMAND_PRUNE) return check_prune(options, err);
  if (options->command == VISE_COMMAND_CERTIFY) return VISE_OK;
  if (options->command == VISE_COMMAND_EXPORT) return check_export(options, err);

  if (options->data == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--data is missing");
  if (options->command == VISE_COMMAND_PREDICT && options->out == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--out is missing: give a file that ends in .npy or .csv, or - for standard output");
  }
  return VISE_OK;
}

/* The options of a training are for --plan only. */
static vise_status check_info(const vise_i_cli_options *options, vise_error *err) {
  for (size_t i = 0; i < options->n_rows && !options->plan; i++) {
    const vise_option *row = options->rows[i];
    const bool of_plan = (row->commands & VISE_COMMAND_INFO) == 0 || strcmp(row->name, "plan-sms") == 0;
    if (of_plan && options->source[i] == VISE_I_CLI_FROM_LINE) return vise_i_cli_fail_needs(row->name, "plan", err);
  }
  if (options->plan && options->model != NULL) return vise_i_cli_fail_both("plan", "model", "one is shown", err);
  if (options->recipes && options->model != NULL) return vise_i_cli_fail_both("recipes", "model", "one is shown", err);
  return options->plan ? check_training(options, err) : VISE_OK;
}

/* Rows that come once, and are wanted again: those of val and test for each fold, all of them for the winner. */
static vise_status check_streams(const vise_i_cli_options *options, vise_error *err) {
  const bool refits = options->refit && (options->run.out_dir != NULL || vise_i_cli_goes_on(options) != NULL);
  const struct {
    const char *name, *path;
    bool again;
  } rows[] = {{"train", options->train, refits}, {"train-labels", options->train_labels, refits},
              {"val", options->val, true},       {"val-labels", options->val_labels, true},
              {"test", options->test, true},     {"test-labels", options->test_labels, true}};

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!rows[i].again || rows[i].path == NULL || strcmp(rows[i].path, "-") != 0) continue;
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s -: a sweep reads these rows more than once; give a file%s",
                           rows[i].name, i < 2 ? ", or --refit no" : "");
  }
  return VISE_OK;
}

/* The source of an option of this command. */
static unsigned char source_of(const vise_i_cli_options *options, const char *name) {
  return options->source[vise_i_cli_find(options, name, NULL)];
}

/* No progress, and a kind of it; where one of them was typed and the other stands in a file, the typed one wins. */
static vise_status check_shown(vise_i_cli_options *options, vise_error *err) {
  static const char *const name = "progress", *const quiet = "quiet";
  const bool agree = options->show == VISE_I_CLI_SHOW_AUTO || options->show == VISE_I_CLI_SHOW_NONE;
  if (!options->quiet || agree) return VISE_OK;

  const unsigned char shown = source_of(options, name), silenced = source_of(options, quiet);
  if (shown == silenced) return vise_i_cli_fail_both(quiet, name, "there is progress to be shown, or none", err);
  if (shown > silenced) {
    options->quiet = false;
  } else {
    options->show = VISE_I_CLI_SHOW_AUTO;
  }
  return VISE_OK;
}

static vise_status check_watch(const vise_i_cli_options *options, vise_error *err) {
  if (options->folders == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "which folder? As in: vise watch run, or vise watch sweep");
  }
  if (strchr(options->folders, '\n') != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "one folder at a time is watched");
  }
  if (options->show == VISE_I_CLI_SHOW_AUTO) return VISE_OK;
  if (options->json) return vise_i_cli_fail_both("json", "progress", "events are shown, or a bar or lines", err);
  return options->once ? vise_i_cli_fail_both("once", "progress", "the state is shown once", err) : VISE_OK;
}

/* What a sweep cannot do with, or without. */
static vise_status check_sweep(const vise_i_cli_options *options, vise_error *err) {
  const bool holds_out = options->val != NULL || options->val_fraction > 0;
  if (options->sweep_folds > 1 && holds_out) {
    return vise_i_cli_fail_both(options->val != NULL ? "val" : "val-fraction", "folds",
                                "configurations are scored on the folds; folds 1 scores them on those rows", err);
  }
  if (options->sweep_folds == 1 && options->sweep_repeats > 1) {
    return vise_i_cli_fail_both("repeats", "folds 1", "the same rows would be held out each time", err);
  }
  if (options->time_order && options->sweep_repeats > 1) {
    return vise_i_cli_fail_both("repeats", "time-order", "blocks of time are always the same", err);
  }

  if (options->complexity != NULL && options->select != VISE_SELECT_ONE_SE) {
    return vise_i_cli_fail_needs("complexity", "select one-se", err);
  }
  if (options->run.out_dir == NULL && vise_i_cli_goes_on(options) == NULL && vise_i_cli_given(options, "refit") &&
      options->refit) {
    return vise_i_cli_fail_needs("refit", "out", err);
  }
  return check_streams(options, err);
}

/* Whose rows are whose is for one training. */
static vise_status check_sweep_shares(const vise_i_cli_options *options, vise_error *err) {
  if (options->training.sync_every == 0) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_UNSUPPORTED,
                         "--sync-every: the fits of a sweep run side by side, each in one process that has all rows");
}

/* Standard input comes once: who reads it second finds nothing. */
static vise_status check_standard_input(const vise_i_cli_options *options, vise_error *err) {
  const char *first = NULL;
  for (size_t i = 0; i < options->n_rows; i++) {
    const vise_option *row = options->rows[i];
    const bool is_written =
        strcmp(row->name, "out") == 0 || strcmp(row->name, "mask-out") == 0 || strcmp(row->name, "csv") == 0;
    if (row->type != VISE_OPTION_PATH || is_written) continue;
    char *text = vise_i_cli_text(options, row);
    if (text == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the options");
    const bool is_standard = strcmp(text, "-") == 0;
    free(text);

    if (is_standard && first != NULL) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s - and --%s -: standard input can be read once", first,
                             row->name);
    }
    if (is_standard) first = row->name;
  }
  return VISE_OK;
}

vise_status vise_i_cli_finish(vise_i_cli_options *options, vise_error *err) {
  if (options->begun != VISE_OK) return vise_i_cli_fail(err, options->begun, "out of memory for the options");

  vise_status status = check_standard_input(options, err);
  if (status == VISE_OK) status = check_data(options, err);
  if (status == VISE_OK) status = check_shares(options, err);
  if (status == VISE_OK) status = vise_i_cli_fold_check(options, err);
  if (status != VISE_OK) return status;

  /* With only --steps the epochs are unlimited. */
  if (options->training.steps > 0 && !vise_i_cli_given(options, "epochs")) options->training.epochs = 0;

  switch (options->command) {
    case VISE_COMMAND_TRAIN:
      status = check_shown(options, err);
      return status == VISE_OK ? check_training(options, err) : status;
    case VISE_COMMAND_CHECK:
      options->training.sync_every = 0; /* of the config.json of a run: gradients are those of the rows at hand */
      options->training.own_data = false;
      return check_training(options, err);
    case VISE_COMMAND_SWEEP:
      status = check_shown(options, err);
      if (status == VISE_OK) status = check_sweep_shares(options, err);
      if (status == VISE_OK) status = check_sweep(options, err);
      return status == VISE_OK ? check_training(options, err) : status;
    case VISE_COMMAND_INFO:
      return check_info(options, err);
    case VISE_COMMAND_BENCH:
    case VISE_COMMAND_REPORT:
      return VISE_OK;
    case VISE_COMMAND_WATCH:
      return check_watch(options, err);
    default:
      return check_model(options, err);
  }
}

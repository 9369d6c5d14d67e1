#include "host/cli/fold.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/scores.h"

/* Digits at *text as a number, *text moved past them; 0: there are none, or they are beyond any number of rows. */
static size_t take_number(const char **text) {
  const size_t n_digits = strspn(*text, "0123456789");
  const unsigned long long number = n_digits > 0 && n_digits < 19 ? strtoull(*text, NULL, 10) : 0;
  *text += n_digits;
  return number;
}

static vise_status parse(vise_i_cli_options *options, vise_error *err) {
  const char *at = options->fold;
  const size_t number = take_number(&at);
  const bool parted = *at == '/';
  if (parted) at++;
  const size_t n_folds = take_number(&at);

  if (!parted || *at != '\0' || n_folds < 2) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--fold '%s': expected I/K, as in 2/5: fold I of K, K at least 2",
                           options->fold);
  }
  if (number < 1 || number > n_folds) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--fold '%s': folds are counted from 1 to %zu", options->fold, n_folds);
  }
  options->fold_number = number;
  options->n_folds = n_folds;
  return VISE_OK;
}

static bool is_typed(const vise_i_cli_options *options, const char *name) {
  const int i = vise_i_cli_find(options, name, NULL);
  return i >= 0 && options->source[i] == VISE_I_CLI_FROM_LINE;
}

/* What says how rows are dealt out, and says nothing where none are. */
static vise_status check_need(const vise_i_cli_options *options, vise_error *err) {
  const struct {
    const char *name;
    bool is_used;
  } rows[] = {{"fold-repeat", options->fold_repeat > 0 || is_typed(options, "fold-repeat")},
              {"fold-seed", options->fold_seed > 0 || is_typed(options, "fold-seed")},
              {"group", options->group != NULL},
              {"time-order", options->time_order}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!rows[i].is_used) continue;
    if (options->command != VISE_COMMAND_SWEEP) return vise_i_cli_fail_needs(rows[i].name, "fold", err);
    return vise_i_cli_fail_both(rows[i].name, "folds 1", "rows are dealt out to two folds or more", err);
  }
  return VISE_OK;
}

/* Time alone decides what stands in which block. */
static vise_status check_time(const vise_i_cli_options *options, vise_error *err) {
  static const char *const name = "time-order";
  if (!options->time_order) return VISE_OK;
  if (options->group != NULL) return vise_i_cli_fail_both(name, "group", "blocks of time may part a group", err);
  if (options->stratify == VISE_I_CLI_STRATIFY_YES) {
    return vise_i_cli_fail_both(name, "stratify yes", "blocks of time have the classes of their time", err);
  }
  if (options->fold_repeat > 0)
    return vise_i_cli_fail_both(name, "fold-repeat", "blocks of time are always the same", err);
  if (options->fold_seed > 0) return vise_i_cli_fail_both(name, "fold-seed", "blocks of time are always the same", err);
  return VISE_OK;
}

static vise_status check_group(const vise_i_cli_options *options, vise_error *err) {
  if (options->group == NULL || options->train_labels == NULL) return VISE_OK;
  return vise_i_cli_fail_both("group", "train-labels", "groups are a column of a table that has its targets too", err);
}

/* A sweep numbers the folds itself. */
static vise_status check_sweep(const vise_i_cli_options *options, vise_error *err) {
  const vise_status status = options->sweep_folds > 1 ? check_group(options, err) : check_need(options, err);
  return status == VISE_OK ? check_time(options, err) : status;
}

vise_status vise_i_cli_fold_check(vise_i_cli_options *options, vise_error *err) {
  if (options->command == VISE_COMMAND_SWEEP) return check_sweep(options, err);
  if (options->fold == NULL) return check_need(options, err);
  const vise_status status = parse(options, err);
  if (status != VISE_OK) return status;

  if (options->train == NULL) return vise_i_cli_fail_needs("fold", "train", err);
  if (options->val != NULL) return vise_i_cli_fail_both("fold", "val", "validation rows come from one of them", err);
  if (options->val_fraction > 0) {
    return vise_i_cli_fail_both("fold", "val-fraction", "the rows of the fold are the validation rows", err);
  }
  const vise_status grouped = check_group(options, err);
  return grouped == VISE_OK ? check_time(options, err) : grouped;
}

vise_fold_options vise_i_cli_fold_options(const vise_i_cli_options *options, const size_t *rows, size_t n_rows) {
  vise_fold_options dealing;
  vise_fold_options_init(&dealing);
  dealing.n_folds = options->n_folds;
  dealing.repeat = (uint32_t)options->fold_repeat;
  dealing.seed = options->fold_seed;
  dealing.stratify = options->stratify != VISE_I_CLI_STRATIFY_NO;
  dealing.group = options->group;
  dealing.time_order = options->time_order;
  dealing.rows = rows;
  dealing.n_rows = n_rows;
  return dealing;
}

vise_fold_options vise_i_cli_fold_options_of_labels(const vise_i_cli_options *options, const size_t *rows,
                                                    size_t n_rows) {
  vise_fold_options dealing = vise_i_cli_fold_options(options, rows, n_rows);
  if (vise_i_cli_is_regression(options->training.loss)) dealing.stratify = false;
  return dealing;
}

vise_status vise_i_cli_fold_split(const vise_i_cli_options *options, const size_t *folds, const size_t *rows, size_t n,
                                  vise_split *out, vise_error *err) {
  return options->time_order ? vise_folds_split_past(folds, rows, n, options->fold_number, out, err)
                             : vise_folds_split(folds, rows, n, options->fold_number, out, err);
}

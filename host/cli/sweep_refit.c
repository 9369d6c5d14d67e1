/* The winner on all rows: what train makes of its options, without folds, in DIR/best. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/sweep.h"
#include "host/json/read.h"

static int by_count(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* The median of the winner's best epochs, the later one of two in the middle; 0: there was no patience. */
static uint64_t median_epoch(const vise_i_cli_sweeping *s) {
  uint64_t *epochs = calloc(s->n_splits, sizeof *epochs), median = 0;
  for (size_t split = 0; epochs != NULL && split < s->n_splits; split++) {
    epochs[split] = vise_i_cli_fit_at(s, s->winner, split)->best_epoch;
  }
  if (epochs != NULL) {
    qsort(epochs, s->n_splits, sizeof *epochs, by_count);
    median = epochs[s->n_splits / 2];
  }
  free(epochs);
  return median;
}

/* Rows that were held out from the file are trained on now. */
static void leave_folds(const vise_i_cli_sweeping *s, vise_i_cli_options *options) {
  const uint64_t epoch = median_epoch(s);
  options->fold = NULL;
  options->fold_repeat = options->fold_seed = 0;
  options->time_order = false;
  options->val_fraction = 0;
  options->net.widths[0] = 0;
  if (options->val != NULL || options->training.patience == 0) return;
  options->training.patience = 0; /* without rows to watch */
  if (epoch > 0) options->training.stop_after_epoch = epoch;
}

/* A list of columns; where its text is one name, and that has a comma in it, the column's place; malloc'ed. */
static char *as_items(const vise_preprocessor *preprocessor, const char *text) {
  char *items = NULL;
  for (size_t i = 0; strchr(text, ',') != NULL && i < vise_preprocessor_n_columns(preprocessor); i++) {
    vise_column_info column;
    if (vise_preprocessor_column(preprocessor, i, &column, NULL) != VISE_OK) break;
    if (column.name == NULL || strcmp(column.name, text) != 0) continue;
    return asprintf(&items, "%zu", column.place) >= 0 ? items : NULL;
  }
  return strdup(text);
}

/* Without folds a group is a column like any other, which is still no feature. */
static vise_status drop_group(vise_i_cli_options *options, const vise_preprocessor *preprocessor, vise_error *err) {
  if (options->group == NULL) return VISE_OK;
  char *group = as_items(preprocessor, options->group), *columns = NULL;
  char *drop = options->drop != NULL ? as_items(preprocessor, options->drop) : NULL;
  vise_status status = VISE_OK;

  if (group == NULL || (options->drop != NULL && drop == NULL) ||
      asprintf(&columns, "%s%s%s", drop != NULL ? drop : "", drop != NULL ? "," : "", group) < 0) {
    columns = NULL;
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  }

  options->group = NULL;
  if (status == VISE_OK) {
    status = vise_i_cli_set(options, vise_i_cli_find(options, "drop", NULL), columns, VISE_I_CLI_FROM_FILE, err);
  }
  free(columns);
  free(group);
  free(drop);
  return status;
}

/* The winner's options as they were resolved, as text. */
static vise_status winner_text(const vise_i_cli_sweeping *s, char **out, vise_error *err) {
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_status status = vise_i_cli_sweep_resolve(s, s->winner, 0, &options, &setup, err);
  if (status == VISE_OK) status = drop_group(&options, setup.preprocessor, err);
  if (status == VISE_OK) {
    leave_folds(s, &options);
    status = vise_i_cli_config_text(&options, out, err);
  }
  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  return status;
}

static vise_status read_text(const char *text, vise_i_cli_options *out, vise_error *err) {
  json_t *root = NULL;
  vise_status status = vise_i_json_read("the winner", text, strlen(text), VISE_I_JSON_LINES, &root, err);
  if (status == VISE_OK) status = vise_i_cli_config_take(out, "the winner", root, err);
  json_decref(root);
  return status;
}

static vise_status place(const vise_i_cli_sweeping *s, vise_i_cli_options *options, vise_error *err) {
  char *out = NULL;
  if (asprintf(&out, "%s/best", s->dir) < 0) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  const vise_status status =
      vise_i_cli_set(options, vise_i_cli_find(options, "out", NULL), out, VISE_I_CLI_FROM_LINE, err);
  free(out);
  options->run.overwrite = true;
  options->quiet = s->options->quiet;
  options->show = s->options->show;
  options->silent = s->options->json;
  return status;
}

int vise_i_cli_sweep_refit(vise_i_cli_sweeping *s) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  char *text = NULL;
  vise_i_cli_options_init(&options, VISE_COMMAND_TRAIN);

  vise_status status = winner_text(s, &text, &err);
  if (status == VISE_OK) status = read_text(text, &options, &err);
  if (status == VISE_OK) status = place(s, &options, &err);
  if (status == VISE_OK) status = vise_i_cli_finish(&options, &err);
  free(text);

  vise_i_cli_tell_of_refit(true);
  const int code = status == VISE_OK ? vise_i_cli_train_with(&options)
                                     : vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_FAILED);
  vise_i_cli_tell_of_refit(false);
  vise_i_cli_options_free(&options);
  return code;
}

/* What a sweep varies, and what a configuration is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/signals.h"
#include "host/cli/suggest.h"
#include "host/cli/sweep.h"

/* ---- what may be varied --------------------------------------------------------------------------------------------- */

/* Options that are the same for all fits, and why; names with blanks around them. */
typedef struct fixed_options {
  const char *names, *why;
} fixed_options;

static const fixed_options fixed[] = {
    {" train train-labels val val-labels val-fraction test test-labels test-fraction target row-weights ",
     "all configurations are to be scored on the same rows"},
    {" delimiter comment header skip-lines decimal na strip categorical numeric init ",
     "the rows are read once, for all configurations"},
    {" stratify group time-order fold-seed fold fold-repeat ",
     "the folds are the same for all configurations; `repeats` deals out others"},
    {" backend step precision device device-memory-limit steps-per-launch threads ",
     "all configurations are trained in the same place"},
    {" out overwrite quiet tensorboard json config resume assert-projection ", "it does not change what is trained"},
    {" epochs steps stop-after-epoch ", NULL}, /* with --halving, which plans by them */
};

/* Options that change what a loss means; so losses cannot be compared. */
static const char of_loss[] = " loss mse-reduction label-smoothing class-weights scale-target recipe ";
/* Options that decide how rows are prepared. */
static const char of_data[] = " features drop max-categories missing scale loss recipe ";

static bool is_among(const char *names, const char *name) {
  char word[72];
  (void)snprintf(word, sizeof word, " %s ", name);
  return strstr(names, word) != NULL;
}

bool vise_i_cli_sweep_prepares(const char *axis) {
  return is_among(of_data, axis);
}

static vise_status fail_unknown(const vise_i_cli_options *train, const char *name, vise_error *err) {
  vise_i_cli_guess guess = {name, NULL, 0};
  for (size_t i = 0; i < train->n_rows; i++) vise_i_cli_suggest(&guess, train->rows[i]->name);
  if (guess.best == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--vary: train has no option '%s'", name);
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--vary: train has no option '%s'; did you mean %s?", name, guess.best);
}

static vise_status check_axis(const vise_i_cli_sweeping *s, const vise_i_cli_options *train, const char *name,
                              vise_error *err) {
  const int row = vise_i_cli_find(train, name, NULL);
  if (row < 0) return fail_unknown(train, name, err);

  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    if (!is_among(fixed[i].names, name)) continue;
    if (fixed[i].why != NULL) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--vary %s: it cannot be varied: %s", name, fixed[i].why);
    }
    if (s->options->halving > 0) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--vary %s and --halving contradict each other: rungs go by epochs",
                             name);
    }
  }

  if (s->options->score == VISE_I_CLI_SCORE_LOSS && is_among(of_loss, name)) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--vary %s: losses of its values cannot be compared; give another --score (accuracy, f1, auc, "
        "rmse, mae, r2)",
        name);
  }

  const int typed = vise_i_cli_find(s->options, name, NULL);
  if (typed >= 0 && s->options->source[typed] == VISE_I_CLI_FROM_LINE) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --vary %s contradict each other: give one of them", name,
                           name);
  }
  return VISE_OK;
}

/* Shares of the rows are drawn by the seed of the weights. */
static vise_status check_seed(const vise_i_cli_sweeping *s, const char *name, vise_error *err) {
  const bool draws = s->options->val_fraction > 0 || s->options->test_fraction > 0;
  if (!draws || strcmp(name, "seed") != 0) return VISE_OK;
  return vise_i_cli_fail_both(s->options->val_fraction > 0 ? "val-fraction" : "test-fraction", "vary seed",
                              "it draws other rows for each seed, and all configurations are to be scored on the same "
                              "rows",
                              err);
}

/* Rows that a value leaves out would not be scored. */
static vise_status check_missing(const vise_i_cli_sweeping *s, size_t axis, vise_error *err) {
  if (strcmp(vise_space_axis_name(s->space, axis), "missing") != 0) return VISE_OK;
  for (size_t point = 0; point < s->n_configs; point++) {
    char text[32];
    (void)vise_space_text(s->space, point, axis, text, sizeof text);
    if (strcmp(text, "drop-rows") != 0) continue;
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--vary missing: drop-rows leaves rows out, and all configurations are to be scored on the "
                           "same rows");
  }
  return VISE_OK;
}

/* A format has commas, which part the values of a list unless that has semicolons. */
static vise_status check_formats(const vise_i_cli_sweeping *s, size_t axis, vise_error *err) {
  if (strcmp(vise_space_axis_name(s->space, axis), "quantize") != 0) return VISE_OK;
  for (size_t point = 0; point < s->n_configs; point++) {
    char text[VISE_I_CLI_FORMAT_BYTES];
    (void)vise_space_text(s->space, point, axis, text, sizeof text);
    if (strcmp(text, "off") == 0 || strchr(text, ',') != NULL) continue;
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--vary quantize: '%s' is no format: those have commas, so part them by semicolons, as in "
                           "--vary 'quantize=off;int8,acc16;int8,acc14,act4'",
                           text);
  }
  return VISE_OK;
}

/* ---- a configuration ------------------------------------------------------------------------------------------------ */

/* What was typed for all configurations, as train would have it. */
static vise_status copy_given(const vise_i_cli_options *from, vise_i_cli_options *to, vise_error *err) {
  for (size_t i = 0; i < from->n_rows; i++) {
    const vise_option *row = from->rows[i];
    if (from->source[i] == VISE_I_CLI_DEFAULT || row->change == VISE_OPTION_LOCAL) continue;
    const int place = vise_i_cli_find(to, row->name, NULL);
    if (place < 0 || to->rows[place] != row) continue;

    char *text = vise_i_cli_text(from, row);
    if (text == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the options of a fit");
    const vise_status status = vise_i_cli_set(to, place, text, (vise_i_cli_source)from->source[i], err);
    free(text);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

static vise_status set_varied(const vise_i_cli_sweeping *s, size_t config, vise_i_cli_options *to, vise_error *err) {
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    char text[1024];
    const size_t n = vise_space_text(s->space, config, axis, text, sizeof text);
    const char *name = vise_space_axis_name(s->space, axis);
    if (n >= sizeof text) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--vary %s: a value is too long", name);
    const vise_status status = vise_i_cli_set(to, vise_i_cli_find(to, name, NULL), text, VISE_I_CLI_FROM_LINE, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

static vise_status set_fold(const vise_i_cli_sweeping *s, size_t split, vise_i_cli_options *to, vise_error *err) {
  char fold[64], repeat[32];
  (void)snprintf(fold, sizeof fold, "%zu/%zu", split % s->n_folds + 1, s->n_folds);
  (void)snprintf(repeat, sizeof repeat, "%zu", split / s->n_folds);
  vise_status status = vise_i_cli_set(to, vise_i_cli_find(to, "fold", NULL), fold, VISE_I_CLI_FROM_LINE, err);
  if (status == VISE_OK && split >= s->n_folds) {
    status = vise_i_cli_set(to, vise_i_cli_find(to, "fold-repeat", NULL), repeat, VISE_I_CLI_FROM_LINE, err);
  }
  return status;
}

/* Fits borrow the texts and lists of the options that all have, so that those are read once. */
static vise_status make_base(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_options_init(&s->base, VISE_COMMAND_TRAIN);
  s->base.cross_validate = VISE_I_CLI_CROSS_VALIDATE_NO;
  return copy_given(s->options, &s->base, err);
}

vise_status vise_i_cli_sweep_options(const vise_i_cli_sweeping *s, size_t config, size_t split, vise_i_cli_options *out,
                                     vise_error *err) {
  *out = s->base;
  out->owned = out->training.owned = out->run.owned = NULL;
  vise_status status = set_varied(s, config, out, err);
  if (status == VISE_OK && split != SIZE_MAX && s->n_folds > 1) status = set_fold(s, split, out, err);
  return status == VISE_OK ? vise_i_cli_finish(out, err) : status;
}

vise_status vise_i_cli_sweep_resolve(const vise_i_cli_sweeping *s, size_t config, size_t split,
                                     vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  setup->model = NULL;
  const vise_status status = vise_i_cli_sweep_options(s, config, split, options, err);
  if (status != VISE_OK) return status;
  return vise_i_cli_setup_follow(options, &s->data[s->data_of[config]].setups[split], setup, err);
}

void vise_i_cli_sweep_name(const vise_i_cli_sweeping *s, size_t config, char *buffer, size_t n_bytes) {
  size_t at = 0;
  if (n_bytes > 0) *buffer = '\0';
  for (size_t axis = 0; axis < s->n_axes && at < n_bytes; axis++) {
    char text[256];
    (void)vise_space_text(s->space, config, axis, text, sizeof text);
    const int n =
        snprintf(buffer + at, n_bytes - at, "%s%s=%s", axis > 0 ? " " : "", vise_space_axis_name(s->space, axis), text);
    at += n > 0 ? (size_t)n : 0;
  }
}

vise_status vise_i_cli_sweep_fit_failed(const vise_i_cli_sweeping *s, size_t config, size_t split, vise_status status,
                                        const char *text, vise_error *err) {
  char name[256];
  vise_i_cli_sweep_name(s, config, name, sizeof name);
  if (s->n_folds == 1) return vise_i_cli_fail(err, status, "configuration %zu (%s): %s", config, name, text);
  return vise_i_cli_fail(err, status, "configuration %zu (%s), fold %zu of repeat %zu: %s", config, name,
                         split % s->n_folds + 1, split / s->n_folds, text);
}

bool vise_i_cli_sweep_quantizes(const vise_i_cli_sweeping *s, size_t config, char *buffer, size_t n_bytes) {
  const char *given = s->base.training.quantize;
  (void)snprintf(buffer, n_bytes, "%s", given == NULL ? "off" : given);
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    if (strcmp(vise_space_axis_name(s->space, axis), "quantize") != 0) continue;
    (void)vise_space_text(s->space, config, axis, buffer, n_bytes);
  }
  return strcmp(buffer, "off") != 0;
}

bool vise_i_cli_sweep_quantizes_any(const vise_i_cli_sweeping *s) {
  char format[VISE_I_CLI_FORMAT_BYTES];
  for (size_t config = 0; config < s->n_configs; config++) {
    if (vise_i_cli_sweep_quantizes(s, config, format, sizeof format)) return true;
  }
  return false;
}

/* ---- the space ------------------------------------------------------------------------------------------------------ */

static vise_status add_axes(vise_i_cli_sweeping *s, vise_error *err) {
  vise_status status = VISE_OK;
  char *lines = strdup(s->options->vary), *rest = lines, *line;
  if (lines == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  while (status == VISE_OK && (line = strsep(&rest, "\n")) != NULL) {
    vise_error inner = VISE_ERROR_INIT;
    status = vise_space_add_axis(s->space, line, &inner);
    if (status != VISE_OK) (void)vise_i_cli_fail(err, status, "--vary %s", inner.text);
  }
  free(lines);
  return status;
}

static vise_status check_axes(const vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_options train;
  vise_status status = VISE_OK;
  vise_i_cli_options_init(&train, VISE_COMMAND_TRAIN);
  for (size_t axis = 0; axis < s->n_axes && status == VISE_OK; axis++) {
    status = check_axis(s, &train, vise_space_axis_name(s->space, axis), err);
    if (status == VISE_OK) status = check_seed(s, vise_space_axis_name(s->space, axis), err);
    if (status == VISE_OK) status = check_missing(s, axis, err);
    if (status == VISE_OK) status = check_formats(s, axis, err);
  }
  vise_i_cli_options_free(&train);
  return status;
}

/* What train would refuse is refused before anything is trained. */
static vise_status check_configs(const vise_i_cli_sweeping *s, vise_error *err) {
  for (size_t config = 0; config < s->n_configs && vise_i_cli_signal_caught() == 0; config++) {
    vise_error inner = VISE_ERROR_INIT;
    vise_i_cli_options options;
    const vise_status status = vise_i_cli_sweep_options(s, config, 0, &options, &inner);
    vise_i_cli_options_free(&options);
    if (status == VISE_OK) continue;

    char name[256];
    vise_i_cli_sweep_name(s, config, name, sizeof name);
    return vise_i_cli_fail(err, status, "configuration %zu (%s): %s", config, name, inner.text);
  }
  return VISE_OK;
}

/* What is made of it at the end is read at the start. */
static vise_status check_complexity(const char *text, vise_error *err) {
  vise_complexity *complexity = NULL;
  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = vise_complexity_parse(text, &complexity, &inner);
  vise_complexity_free(complexity);
  return status == VISE_OK ? VISE_OK : vise_i_cli_fail(err, status, "--%s", inner.text);
}

vise_status vise_i_cli_sweep_space(vise_i_cli_sweeping *s, vise_error *err) {
  const vise_i_cli_options *options = s->options;
  vise_space_options how;
  vise_space_options_init(&how);
  how.search = options->search;
  how.n_configs = options->n_configs;
  how.seed = options->search_seed;

  if (options->vary == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--vary is missing: give an option of train and values, as in --vary "
                           "l2=off,1e-4,1e-3");
  }
  if (how.search != VISE_SEARCH_GRID && how.n_configs == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--search %s needs --configs N: how many configurations it draws",
                           vise_search_name(how.search));
  }
  if (how.search == VISE_SEARCH_GRID && how.n_configs > 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--configs needs --search random or sobol: a grid has all combinations of its values");
  }

  vise_status status = check_complexity(options->complexity, err);
  if (status == VISE_OK) status = vise_space_create(&how, &s->space, err);
  if (status == VISE_OK) status = add_axes(s, err);
  if (status != VISE_OK) return status;
  s->n_axes = vise_space_n_axes(s->space);
  s->n_configs = vise_space_n_points(s->space);

  status = make_base(s, err);
  if (status != VISE_OK) return status;
  s->same_as = calloc(s->n_configs, sizeof *s->same_as);
  if (s->same_as == NULL)
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu configurations", s->n_configs);
  status = vise_space_same_as(s->space, s->same_as, s->n_configs, err);
  if (status == VISE_OK) status = check_axes(s, err);
  return status == VISE_OK ? check_configs(s, err) : status;
}

size_t vise_i_cli_sweep_n_planned(const vise_i_cli_sweeping *s) {
  size_t n = 0, n_planned = 0;
  for (size_t config = 0; config < s->n_configs; config++) n += s->same_as[config] == config;
  for (size_t rung = 1; rung <= s->n_rungs; rung++) {
    n_planned += n * s->n_splits;
    if (s->options->halving > 0) n = (n + s->options->halving - 1) / s->options->halving;
  }
  return n_planned;
}

void vise_i_cli_sweep_fill(const vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_sweep_fit *fit) {
  fit->net = setup->model == NULL ? &options->net : NULL;
  fit->init_scheme = options->init_scheme;
  fit->initial = setup->model;
  fit->train = setup->train;
  fit->validation = setup->validation;
}

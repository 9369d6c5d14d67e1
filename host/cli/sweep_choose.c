/* From scores to a choice: means and their errors, ranks, the winner, and what is to be said of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/sweep.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

/* ---- scores ---------------------------------------------------------------------------------------------------------- */

/* Rungs that all folds of a configuration have; 0 where one is not finite. */
static size_t rungs_of(const vise_i_cli_sweeping *s, size_t config) {
  size_t least = s->n_rungs;
  for (size_t split = 0; split < s->n_splits; split++) {
    const vise_i_cli_fit *fit = vise_i_cli_fit_at(s, config, split);
    if (fit->status == VISE_I_CLI_FIT_NONFINITE) return 0;
    if (fit->n_rungs < least) least = fit->n_rungs;
  }
  return least;
}

/* Configurations that are the same have the same fits. */
static void copy_same(vise_i_cli_sweeping *s) {
  for (size_t config = 0; config < s->n_configs; config++) {
    if (s->same_as[config] == config) continue;
    memcpy(vise_i_cli_fit_at(s, config, 0), vise_i_cli_fit_at(s, s->same_as[config], 0), s->n_splits * sizeof *s->fits);
  }
}

/* The scores of configs[n], as vise_scores wants them; NULL: no memory. */
static double *values_of(const vise_i_cli_sweeping *s, const size_t *configs, size_t n) {
  double *values = calloc(n * s->n_splits + 1, sizeof *values);
  for (size_t i = 0; values != NULL && i < n; i++) {
    for (size_t split = 0; split < s->n_splits; split++) {
      values[i * s->n_splits + split] = vise_i_cli_fit_at(s, configs[i], split)->score;
    }
  }
  return values;
}

static vise_scores scores_of(const vise_i_cli_sweeping *s, const double *values, size_t n) {
  vise_scores scores;
  vise_scores_init(&scores);
  scores.values = values;
  scores.n_configs = n;
  scores.n_repeats = s->n_repeats;
  scores.n_folds = s->n_folds;
  scores.larger_is_better = s->larger_is_better;
  return scores;
}

/* Ranks configs[n] after n_before others. */
static vise_status rank(vise_i_cli_sweeping *s, const size_t *configs, size_t n, size_t n_before, vise_error *err) {
  double *values = values_of(s, configs, n);
  size_t *ranks = calloc(n + 1, sizeof *ranks);
  vise_status status = VISE_OK;
  if (values == NULL || ranks == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the scores of %zu configurations", n);
  } else {
    const vise_scores scores = scores_of(s, values, n);
    status = vise_scores_rank(&scores, ranks, err);
  }
  for (size_t i = 0; i < n && status == VISE_OK; i++) s->ranks[configs[i]] = n_before + ranks[i];
  free(values);
  free(ranks);
  return status;
}

/* Those that got further come first; those that are not finite last. */
static vise_status rank_all(vise_i_cli_sweeping *s, size_t *configs, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_before = 0;
  for (size_t rungs = s->n_rungs + 1; rungs-- > 0 && status == VISE_OK;) {
    size_t n = 0;
    for (size_t config = 0; config < s->n_configs; config++) {
      if (rungs_of(s, config) == rungs) configs[n++] = config;
    }
    if (n > 0) status = rank(s, configs, n, n_before, err);
    n_before += n;
  }
  return status;
}

/* ---- the winner ------------------------------------------------------------------------------------------------------ */

static vise_status keys_of(const vise_i_cli_sweeping *s, const vise_complexity *complexity, size_t config, double *out,
                           vise_error *err) {
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_status status = vise_i_cli_sweep_resolve(s, config, 0, &options, &setup, err);
  if (status == VISE_OK) {
    const size_t n_rows = vise_dataset_n_rows(setup.train);
    status = vise_complexity_keys(complexity, &options.training, &options.net, n_rows, out, err);
  }
  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  return status;
}

/* Chooses among configs[n], which ran to the end. */
static vise_status choose(vise_i_cli_sweeping *s, const size_t *configs, size_t n, const vise_complexity *complexity,
                          vise_error *err) {
  const size_t n_keys = vise_complexity_n_keys(complexity);
  double *values = values_of(s, configs, n), *keys = calloc(n * n_keys + 1, sizeof *keys);
  size_t best = 0, one_se = 0;
  vise_status status = VISE_OK;
  if (values == NULL || keys == NULL) status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  for (size_t i = 0; i < n && status == VISE_OK; i++)
    status = keys_of(s, complexity, configs[i], keys + i * n_keys, err);
  if (status == VISE_OK) {
    const vise_scores scores = scores_of(s, values, n);
    status = vise_scores_choose(&scores, VISE_SELECT_BEST, NULL, 0, &best, err);
    if (status == VISE_OK) status = vise_scores_choose(&scores, VISE_SELECT_ONE_SE, keys, n_keys, &one_se, err);
  }
  if (status == VISE_OK) {
    s->best = configs[best];
    s->one_se = configs[one_se];
    s->winner = s->options->select == VISE_SELECT_ONE_SE ? s->one_se : s->best;
    s->has_winner = true;
  }
  free(values);
  free(keys);
  return status;
}

/* ---- warnings ---------------------------------------------------------------------------------------------------------- */

static void warn_of_nonfinite(vise_i_cli_sweeping *s) {
  size_t first = SIZE_MAX, at = 0, n_configs = 0;
  char name[256];
  for (size_t config = 0; config < s->n_configs; config++) {
    bool is_bad = false;
    for (size_t split = 0; split < s->n_splits && s->same_as[config] == config; split++) {
      if (vise_i_cli_fit_at(s, config, split)->status != VISE_I_CLI_FIT_NONFINITE) continue;
      if (first == SIZE_MAX) {
        first = config;
        at = split;
      }
      is_bad = true;
      s->n_nonfinite++;
    }
    n_configs += is_bad;
  }
  if (first == SIZE_MAX) return;

  vise_i_cli_sweep_name(s, first, name, sizeof name);
  vise_i_cli_warn(
      &s->warnings,
      "%zu fit%s of %zu configuration%s %s not finite and scored worst; the first is configuration %zu (%s), "
      "fold %zu%s",
      s->n_nonfinite, vise_i_cli_plural(s->n_nonfinite), n_configs, vise_i_cli_plural(n_configs),
      s->n_nonfinite == 1 ? "was" : "were", first, name, at % s->n_folds + 1,
      s->dir != NULL ? "; fits.jsonl says why" : "");
}

static void warn_of_edges(vise_i_cli_sweeping *s) {
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    char text[256];
    const int edge = vise_space_edge(s->space, s->winner, axis);
    if (edge == 0) continue;
    (void)vise_space_text(s->space, s->winner, axis, text, sizeof text);
    vise_i_cli_warn(&s->warnings, "the winner's %s, %s, is at the %s edge of what was tried: %s values may be better",
                    vise_space_axis_name(s->space, axis), text, edge < 0 ? "lower" : "upper",
                    edge < 0 ? "smaller" : "larger");
  }
}

/* Equal draws count once; of two, which halving may leave, nothing is said. */
static void warn_of_noise(vise_i_cli_sweeping *s, const size_t *configs, size_t n) {
  const double mean = s->means[s->best], error = s->errors[s->best];
  size_t n_distinct = 0;
  s->n_within = 0;
  for (size_t i = 0; i < n; i++) {
    const double distance = s->larger_is_better ? mean - s->means[configs[i]] : s->means[configs[i]] - mean;
    if (s->same_as[configs[i]] != configs[i]) continue;
    n_distinct++;
    s->n_within += distance <= error;
  }
  if (!isfinite(error) || s->n_within < 3 || 2 * s->n_within < n_distinct) return;
  vise_i_cli_warn(
      &s->warnings,
      "%zu of %zu configurations are within one standard error of the best: their differences may be chance",
      s->n_within, n_distinct);
}

static void warn_of_patience(vise_i_cli_sweeping *s) {
  for (size_t split = 0; split < s->n_splits; split++) {
    if (vise_i_cli_fit_at(s, s->winner, split)->best_epoch == 0) continue;
    vise_i_cli_warn(&s->warnings,
                    "--patience chose each fit's epoch by the rows that score it, so the scores are a little too good");
    return;
  }
}

vise_status vise_i_cli_sweep_choose(vise_i_cli_sweeping *s, vise_error *err) {
  vise_complexity *complexity = NULL;
  size_t *configs = calloc(s->n_configs, sizeof *configs), *all = calloc(s->n_configs, sizeof *all);
  s->means = calloc(s->n_configs, sizeof *s->means);
  s->errors = calloc(s->n_configs, sizeof *s->errors);
  s->ranks = calloc(s->n_configs, sizeof *s->ranks);
  double *values = NULL;
  vise_status status = VISE_OK;
  copy_same(s);

  for (size_t i = 0; all != NULL && i < s->n_configs; i++) all[i] = i;
  if (configs != NULL && all != NULL) values = values_of(s, all, s->n_configs);
  if (values == NULL || s->means == NULL || s->errors == NULL || s->ranks == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu configurations", s->n_configs);
  } else {
    const vise_scores scores = scores_of(s, values, s->n_configs);
    status = vise_scores_summarize(&scores, s->means, s->errors, err);
  }
  if (status == VISE_OK) status = vise_complexity_parse(s->options->complexity, &complexity, err);
  if (status == VISE_OK) status = rank_all(s, configs, err);

  size_t n = 0;
  for (size_t config = 0; status == VISE_OK && config < s->n_configs; config++) {
    if (rungs_of(s, config) == s->n_rungs) configs[n++] = config;
  }
  s->n_eligible = n;
  if (status == VISE_OK) warn_of_nonfinite(s);
  if (status == VISE_OK && n > 0) status = choose(s, configs, n, complexity, err);
  if (status == VISE_OK && n > 0) {
    warn_of_edges(s);
    warn_of_noise(s, configs, n);
    warn_of_patience(s);
  }

  vise_complexity_free(complexity);
  free(values);
  free(configs);
  free(all);
  return status;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------- */

json_t *vise_i_cli_sweep_params_json(const vise_i_cli_sweeping *s, size_t config) {
  json_t *params = json_object();
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    char text[1024];
    (void)vise_space_text(s->space, config, axis, text, sizeof text);
    vise_i_json_put(&params, vise_space_axis_name(s->space, axis), vise_i_cli_text_to_json(text));
  }
  return params;
}

static json_t *config_json(const vise_i_cli_sweeping *s, size_t config) {
  json_t *object = json_object();
  vise_i_json_put(&object, "config", json_integer((json_int_t)config));
  vise_i_json_put(&object, "params", vise_i_cli_sweep_params_json(s, config));
  vise_i_json_put(&object, "score", vise_i_cli_json_real(s->means[config]));
  vise_i_json_put(&object, "standard_error", vise_i_cli_json_real(s->errors[config]));
  return object;
}

json_t *vise_i_cli_sweep_choice_json(const vise_i_cli_sweeping *s) {
  json_t *object = json_object(), *warnings = json_array();
  for (size_t i = 0; i < s->warnings.n; i++) {
    vise_i_json_add(&warnings, vise_i_cli_text_to_json(s->warnings.texts[i]));
  }
  vise_i_json_put(&object, "select", json_string(vise_select_name(s->options->select)));
  vise_i_json_put(&object, "winner", config_json(s, s->winner));
  vise_i_json_put(&object, "best", config_json(s, s->best));
  vise_i_json_put(&object, "one_se", config_json(s, s->one_se));
  vise_i_json_put(&object, "within_one_se", json_integer((json_int_t)s->n_within));
  vise_i_json_put(&object, "nonfinite_fits", json_integer((json_int_t)s->n_nonfinite));
  vise_i_json_put(&object, "warnings", warnings);
  return object;
}

/* The choice among configurations by their scores. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "vise/search.h"

static vise_scores default_scores(void) {
  vise_scores own;
  memset(&own, 0, sizeof own);
  own.struct_size = sizeof own;
  own.n_repeats = 1;
  own.n_folds = 1;
  return own;
}

VISE_I_DEFINE_INIT(vise_scores, larger_is_better, default_scores)

static vise_status take(vise_scores *own, const vise_scores *given, vise_error *err) {
  *own = default_scores();
  const vise_status status = vise_i_config_take(own, sizeof *own, given, "vise_scores", err);
  if (status != VISE_OK) return status;

  if (own->values == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "vise_scores: `values` is NULL");
  if (own->n_configs >= 1 && own->n_repeats >= 1 && own->n_folds >= 1) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "vise_scores: `n_configs` %zu, `n_repeats` %zu, `n_folds` %zu: each must be at least 1",
                     own->n_configs, own->n_repeats, own->n_folds);
}

/* ---- means and errors ------------------------------------------------------------------------------------------- */

/* Mean and standard error, as vise_scores_summarize says; smaller is better in both. */
typedef struct summary {
  double mean, error;
} summary;

static double mean_of(const double *values, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  return sum / (double)n;
}

/* NaN for one value. */
static double error_of(const double *values, size_t n) {
  const double mean = mean_of(values, n);
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
  return n < 2 ? NAN : sqrt(squares / (double)(n - 1) / (double)n);
}

static summary summarize(const vise_scores *scores, size_t config) {
  const size_t n = scores->n_repeats * scores->n_folds;
  const double *values = scores->values + config * n;
  double sum = 0;

  const double mean = mean_of(values, n); /* not finite if a value is not */
  if (!isfinite(mean)) return (summary){INFINITY, NAN};
  for (size_t r = 0; r < scores->n_repeats; r++) sum += error_of(values + r * scores->n_folds, scores->n_folds);
  return (summary){scores->larger_is_better ? -mean : mean, sum / (double)scores->n_repeats};
}

vise_status vise_scores_summarize(const vise_scores *scores, double *means, double *errors, vise_error *err) {
  vise_scores own;
  VISE_ENTER(err, scores, means, errors);
  const vise_status status = take(&own, scores, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < own.n_configs; i++) {
    const summary s = summarize(&own, i);
    means[i] = own.larger_is_better ? -s.mean : s.mean;
    errors[i] = s.error;
  }
  return VISE_OK;
}

/* ---- ranks ------------------------------------------------------------------------------------------------------ */

typedef struct placed {
  double mean;
  size_t config;
} placed;

static int by_mean(const void *a, const void *b) {
  const double x = ((const placed *)a)->mean, y = ((const placed *)b)->mean;
  return (x > y) - (x < y);
}

vise_status vise_scores_rank(const vise_scores *scores, size_t *ranks, vise_error *err) {
  vise_scores own;
  placed *order = NULL;
  vise_status status;
  VISE_ENTER(err, scores, ranks);

  VISE_TRY(take(&own, scores, err));
  VISE_TRY(vise_i_alloc(&order, own.n_configs, sizeof *order, "ranks", err));
  for (size_t i = 0; i < own.n_configs; i++) order[i] = (placed){summarize(&own, i).mean, i};
  qsort(order, own.n_configs, sizeof *order, by_mean);

  size_t first = 0; /* of those with this mean */
  for (size_t i = 0; i < own.n_configs; i++) {
    if (by_mean(&order[first], &order[i]) != 0) first = i;
    ranks[order[i].config] = first + 1;
  }

done:
  free(order);
  return status;
}

/* ---- choice ----------------------------------------------------------------------------------------------------- */

/* Above 0: a is more regularised than b. NaN is least. */
static int compare_keys(const double *a, const double *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x = isnan(a[i]) ? -INFINITY : a[i], y = isnan(b[i]) ? -INFINITY : b[i];
    if (x > y) return 1;
    if (x < y) return -1;
  }
  return 0;
}

static size_t find_best(const vise_scores *scores, summary *best) {
  size_t winner = 0;
  *best = summarize(scores, 0);
  for (size_t i = 1; i < scores->n_configs; i++) {
    const summary s = summarize(scores, i);
    if (!(s.mean < best->mean)) continue;
    winner = i;
    *best = s;
  }
  return winner;
}

static size_t find_most_regularized(const vise_scores *scores, double limit, const double *keys, size_t n_keys) {
  size_t winner = scores->n_configs;
  double mean = INFINITY;
  for (size_t i = 0; i < scores->n_configs; i++) {
    const summary s = summarize(scores, i);
    if (!(s.mean <= limit)) continue;

    const int more = winner == scores->n_configs ? 1 : compare_keys(keys + i * n_keys, keys + winner * n_keys, n_keys);
    if (more < 0 || (more == 0 && !(s.mean < mean))) continue;
    winner = i;
    mean = s.mean;
  }
  return winner;
}

vise_status vise_scores_choose(const vise_scores *scores, vise_select select, const double *keys, size_t n_keys,
                               size_t *out, vise_error *err) {
  vise_scores own;
  summary best;
  VISE_ENTER(err, scores, out);
  if ((size_t)select >= (size_t)vise_select_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "select: %d is not one of its %d values", (int)select,
                       (int)vise_select_count_);
  }
  if (select == VISE_SELECT_ONE_SE && keys == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_scores_choose: keys is NULL, and one-se compares them");
  }

  const vise_status status = take(&own, scores, err);
  if (status != VISE_OK) return status;
  const size_t winner = find_best(&own, &best);
  if (!isfinite(best.mean)) {
    return vise_i_fail(err, VISE_ERR_VALUE, "none of the %zu configurations has a score that is finite on every fold",
                       own.n_configs);
  }

  const bool has_error = select == VISE_SELECT_ONE_SE && !isnan(best.error);
  *out = has_error ? find_most_regularized(&own, best.mean + best.error, keys, n_keys) : winner;
  return VISE_OK;
}

/* Folds of cross-validation over the rows of a table. */
#include "host/base/folds.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/table/groups.h"

static vise_status deal(vise_i_fit *fit, const vise_fold_options *options, const vise_i_strata *strata, size_t *out) {
  char group[VISE_I_COLUMN_TEXT_BYTES];
  vise_i_dealing dealing = {
      .n = strata->n, .labels = strata->labels, .n_classes = strata->n_classes, .name = fit->table->name};
  vise_i_groups groups = {0};
  size_t *folds = NULL;
  vise_status status = VISE_OK;

  if (options->group != NULL) {
    VISE_TRY(vise_i_groups_make(fit, options->group, strata, &groups));
    dealing.groups = groups.of;
    dealing.n_groups = groups.n;
    dealing.group = vise_i_column_text(group, fit->table, groups.column);
  }
  VISE_TRY(vise_i_alloc(&folds, strata->n, sizeof *folds, "folds", fit->err));
  VISE_TRY(vise_i_deal(&dealing, options, folds, fit->err));

  memset(out, 0, fit->table->n_rows * sizeof *out);
  for (size_t i = 0; i < strata->n; i++) out[strata->rows[i]] = folds[i];

done:
  free(groups.of);
  free(folds);
  return status;
}

vise_status vise_table_folds(const vise_table *table, const vise_preprocessor_options *preprocessor_options,
                             const vise_fold_options *options, size_t *out, size_t n, vise_error *err) {
  vise_preprocessor_options fit_options;
  vise_fold_options complete;
  vise_i_fit fit = {.table = table, .options = &fit_options, .err = err};
  vise_i_strata strata = {0};
  vise_status status = VISE_OK;
  VISE_ENTER(err, table, out);

  VISE_TRY(vise_i_fold_options_take(options, &complete, err));
  if (n != table->n_rows) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: room for the folds of %zu rows, and there are %zu", table->name, n,
                         table->n_rows));
  }
  VISE_TRY(vise_i_fit_options(preprocessor_options, &fit_options, err));
  VISE_TRY(vise_i_fit_begin(&fit, complete.rows, complete.n_rows));
  VISE_TRY(vise_i_strata_make(&fit, complete.stratify && !complete.time_order, &strata));
  VISE_TRY(deal(&fit, &complete, &strata, out));

done:
  vise_i_fit_end(&fit);
  vise_i_strata_free(&strata);
  return status;
}

/* Rows rows[0..n) (NULL: 0 to n - 1), of which one fold is to be held out. */
typedef struct dealt {
  const size_t *folds, *rows;
  size_t n, fold;
} dealt;

static size_t row_at(const dealt *d, size_t i) {
  return d->rows != NULL ? d->rows[i] : i;
}

/* The first row of the fold; SIZE_MAX: it has none. */
static size_t first_row(const dealt *d) {
  size_t first = SIZE_MAX;
  for (size_t i = 0; i < d->n; i++) {
    const size_t row = row_at(d, i);
    if (d->folds[row] == d->fold && row < first) first = row;
  }
  return first;
}

/* Of the rows in other folds, past keeps those of earlier ones before the fold. */
static vise_status split(const dealt *d, bool past, vise_split *out, vise_error *err) {
  const size_t end = past ? first_row(d) : SIZE_MAX;
  vise_split made = {0};
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc(&made.kept, d->n, sizeof *made.kept, "a fold", err));
  VISE_TRY(vise_i_alloc(&made.held_out, d->n, sizeof *made.held_out, "a fold", err));

  for (size_t i = 0; i < d->n; i++) {
    const size_t row = row_at(d, i);
    if (d->folds[row] == d->fold) {
      made.held_out[made.n_held_out++] = row;
    } else if (!past || (d->folds[row] < d->fold && row < end)) {
      made.kept[made.n_kept++] = row;
    }
  }
  if (d->fold == 0 || made.n_held_out == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "fold %zu has no rows; folds count from 1", d->fold));
  }
  *out = made;
  return VISE_OK;

done:
  vise_split_clear(&made);
  return status;
}

vise_status vise_folds_split(const size_t *folds, const size_t *rows, size_t n, size_t fold, vise_split *out,
                             vise_error *err) {
  VISE_ENTER(err, folds, out);
  const dealt d = {folds, rows, n, fold};
  return split(&d, false, out, err);
}

vise_status vise_folds_split_past(const size_t *folds, const size_t *rows, size_t n, size_t fold, vise_split *out,
                                  vise_error *err) {
  VISE_ENTER(err, folds, out);
  const dealt d = {folds, rows, n, fold};
  return split(&d, true, out, err);
}

/* Folds of cross-validation: every row in one of them, class by class. */
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/base/struct.h"
#include "host/table/strata.h"

static vise_fold_options default_options(void) {
  return (vise_fold_options){.struct_size = sizeof(vise_fold_options), .n_folds = 5, .shuffle = true, .stratify = true};
}

VISE_I_DEFINE_INIT(vise_fold_options, n_rows, default_options)

static vise_status check(const vise_fold_options *given, vise_fold_options *options, vise_error *err) {
  *options = default_options();
  if (given != NULL) {
    const vise_status status = vise_i_config_take(options, sizeof *options, given, "vise_fold_options", err);
    if (status != VISE_OK) return status;
  }
  if (options->n_folds >= 2) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`n_folds` %zu: expected at least 2", options->n_folds);
}

/* Deals the rows out: class after class, each in the order of a permutation (or of the file), one to each fold in turn.
   So folds differ by at most one row, and by at most one of each class. */
static vise_status deal(const vise_fold_options *o, const vise_i_strata *strata, size_t *out, vise_error *err) {
  vise_status status = VISE_OK;
  size_t *order = NULL, *sizes = NULL, *turns = NULL, turn = 0;
  VISE_TRY(vise_i_alloc(&order, strata->n, sizeof *order, "folds", err));
  VISE_TRY(vise_i_alloc_zero(&sizes, strata->n_classes, sizeof *sizes, "folds", err));
  VISE_TRY(vise_i_alloc(&turns, strata->n_classes, sizeof *turns, "folds", err));

  for (size_t i = 0; i < strata->n; i++) order[i] = i;
  if (o->shuffle) vise_i_permutation(o->seed, VISE_I_STREAM_FOLDS, o->repeat, order, strata->n);

  /* The only row of a class is in no fold: without it no net could know the class. */
  for (size_t i = 0; i < strata->n; i++) sizes[strata->labels[i]]++;
  for (size_t k = 0; k < strata->n_classes; k++) {
    turns[k] = turn;
    if (sizes[k] > 1 || strata->n_classes == 1) turn += sizes[k];
  }

  for (size_t i = 0; i < strata->n; i++) {
    const size_t k = strata->labels[order[i]];
    if (sizes[k] > 1 || strata->n_classes == 1) out[strata->rows[order[i]]] = 1 + turns[k]++ % o->n_folds;
  }

done:
  free(order);
  free(sizes);
  free(turns);
  return status;
}

static vise_status check_rows(const vise_i_fit *fit, const vise_fold_options *o, size_t n) {
  if (n >= o->n_folds) return VISE_OK;
  return vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: %zu rows with a target are too few for %zu folds", fit->table->name,
                     n, o->n_folds);
}

vise_status vise_table_folds(const vise_table *table, const vise_preprocessor_options *preprocessor_options,
                             const vise_fold_options *options, size_t *out, size_t n, vise_error *err) {
  vise_preprocessor_options fit_options;
  vise_fold_options complete;
  vise_i_fit fit = {.table = table, .options = &fit_options, .err = err};
  vise_i_strata strata = {0};
  vise_status status = VISE_OK;
  VISE_ENTER(err, table, out);

  VISE_TRY(check(options, &complete, err));
  if (n != table->n_rows) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: room for the folds of %zu rows, and there are %zu", table->name, n,
                         table->n_rows));
  }
  VISE_TRY(vise_i_fit_options(preprocessor_options, &fit_options, err));
  VISE_TRY(vise_i_fit_begin(&fit, complete.rows, complete.n_rows));
  VISE_TRY(vise_i_strata_make(&fit, complete.stratify, &strata));
  VISE_TRY(check_rows(&fit, &complete, strata.n));

  memset(out, 0, n * sizeof *out);
  VISE_TRY(deal(&complete, &strata, out, err));

done:
  vise_i_fit_end(&fit);
  vise_i_strata_free(&strata);
  return status;
}

vise_status vise_folds_split(const size_t *folds, const size_t *rows, size_t n, size_t fold, vise_split *out,
                             vise_error *err) {
  vise_split made = {0};
  vise_status status = VISE_OK;
  VISE_ENTER(err, folds, out);
  VISE_TRY(vise_i_alloc(&made.kept, n, sizeof *made.kept, "a fold", err));
  VISE_TRY(vise_i_alloc(&made.held_out, n, sizeof *made.held_out, "a fold", err));

  for (size_t i = 0; i < n; i++) {
    const size_t row = rows != NULL ? rows[i] : i;
    if (folds[row] == fold) {
      made.held_out[made.n_held_out++] = row;
    } else {
      made.kept[made.n_kept++] = row;
    }
  }
  if (fold == 0 || made.n_held_out == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "fold %zu has no rows; folds count from 1", fold));
  }
  *out = made;
  return VISE_OK;

done:
  vise_split_clear(&made);
  return status;
}

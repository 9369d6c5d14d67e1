/* Fitting a preprocessor, from the choice of columns on. */
#include "host/table/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/table/groups.h"
#include "host/table/pool.h"

static vise_preprocessor_options default_options(void) {
  return (vise_preprocessor_options){
      .struct_size = sizeof(vise_preprocessor_options), .scale = VISE_SCALE_AUTO, .loss = VISE_LOSS_MSE};
}

VISE_I_DEFINE_INIT(vise_preprocessor_options, loss, default_options)

vise_status vise_i_fit_options(const vise_preprocessor_options *given, vise_preprocessor_options *options,
                               vise_error *err) {
  *options = default_options();
  if (given == NULL) return VISE_OK;
  const vise_status status = vise_i_config_take(options, sizeof *options, given, "vise_preprocessor_options", err);
  if (status != VISE_OK) return status;

  if ((size_t)options->missing >= vise_missing_count_ || (size_t)options->scale >= vise_scale_count_ ||
      (size_t)options->loss >= vise_loss_count_ || (size_t)options->target_kind >= vise_target_kind_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "preprocessor options: `missing`, `scale`, `loss` or `target_kind` is out of range");
  }
  return VISE_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static vise_status mark_rows(vise_i_fit *fit, const size_t *rows, size_t n_rows) {
  const size_t n = fit->table->n_rows;
  const vise_status status = vise_i_alloc_zero(&fit->used, n, sizeof *fit->used, "training rows", fit->err);
  if (status != VISE_OK) return status;
  if (rows == NULL) {
    memset(fit->used, 1, n);
    fit->n_used = n;
    return VISE_OK;
  }

  for (size_t k = 0; k < n_rows; k++) {
    if (rows[k] >= n || fit->used[rows[k]]) {
      return vise_i_fail(fit->err, VISE_ERR_SHAPE, "%s: training row %zu is %s", fit->table->name, rows[k],
                         rows[k] >= n ? "beyond the table" : "given twice");
    }
    fit->used[rows[k]] = true;
  }
  fit->n_used = n_rows;
  return n_rows > 0 ? VISE_OK : vise_i_fail(fit->err, VISE_ERR_SHAPE, "%s: no training rows", fit->table->name);
}

void vise_i_fit_leave_out_gaps(vise_i_fit *fit, size_t c, size_t *n) {
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows; i++) {
      const bool gap =
          span.codes != NULL ? span.codes[i] == VISE_I_GAP : span.numbers == NULL || isnan(span.numbers[i]);
      if (!gap || !fit->used[span.first_row + i]) continue;

      fit->used[span.first_row + i] = false;
      fit->n_used--;
      ++*n;
    }
  }
}

/* Whether column c has a value in one of the used rows; *gap_row is the first without. */
static bool has_values(const vise_i_fit *fit, size_t c, size_t *gap_row) {
  bool any = false;
  *gap_row = SIZE_MAX;

  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (size_t i = 0; i < span.n_rows; i++) {
      const bool gap =
          span.codes != NULL ? span.codes[i] == VISE_I_GAP : span.numbers == NULL || isnan(span.numbers[i]);
      if (!fit->used[span.first_row + i]) continue;
      any = any || !gap;
      if (gap && *gap_row == SIZE_MAX) *gap_row = span.first_row + i;
    }
  }

  return any;
}

/* ---- columns -------------------------------------------------------------------------------------------------- */

/* An empty last column is what lines that end in a delimiter leave. */
static size_t last_column(const vise_table *table) {
  size_t c = table->n_columns - 1;
  for (; c > 0 && !(table->has_names && table->columns[c].named); c--) {
    for (size_t b = 0; b < table->n_blocks; b++) {
      const vise_i_span span = vise_i_table_span(table, b, c);
      for (size_t i = 0; i < span.n_rows; i++) {
        if (span.codes != NULL ? span.codes[i] != VISE_I_GAP : !isnan(span.numbers[i])) return c;
      }
    }
  }
  return c;
}

static vise_status add_target(vise_i_fit *fit, size_t c) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  for (size_t i = 0; i < fit->n_targets; i++) {
    if (fit->targets[i] != c) continue;
    return vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: `target` names %s twice", fit->table->name,
                       vise_i_column_text(column, fit->table, c));
  }
  fit->targets[fit->n_targets++] = c;
  return VISE_OK;
}

static vise_status find_targets(vise_i_fit *fit) {
  const vise_table *table = fit->table;
  const char *target = fit->options->target;
  vise_i_list items = {0};
  size_t c = 0;
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc(&fit->targets, table->n_columns, sizeof *fit->targets, "targets", fit->err));
  if (target == NULL) {
    VISE_TRY(add_target(fit, last_column(table)));
  } else if (vise_i_table_find_name(table, target, &c) && target[0] != '\0') { /* a name may hold a comma */
    VISE_TRY(add_target(fit, c));
  } else {
    VISE_TRY(vise_i_list_split(&items, target, fit->err));
    for (size_t i = 0; i < items.n; i++) {
      VISE_TRY(vise_i_table_find(table, items.items[i], "target", &c, fit->err));
      VISE_TRY(add_target(fit, c));
    }
  }

done:
  vise_i_list_free(&items);
  return status;
}

static vise_status begin_recipes(vise_i_fit *fit) {
  vise_preprocessor *made = fit->made;
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&made->columns, fit->table->n_columns, sizeof *made->columns, "columns", fit->err));
  made->n_columns = fit->table->n_columns;

  for (size_t c = 0; c < made->n_columns; c++) {
    const vise_i_column *column = &fit->table->columns[c];
    made->columns[c].kind = column->kind;
    made->columns[c].scale = 1;
    if (column->name != NULL) VISE_TRY(vise_i_copy_text(&made->columns[c].name, column->name, fit->err));
  }

  for (size_t i = 0; i < fit->n_targets; i++) {
    made->columns[fit->targets[i]].role = VISE_COLUMN_TARGET;
    made->columns[fit->targets[i]].target_index = i;
  }

done:
  return status;
}

static vise_status take_lists(vise_i_fit *fit, bool *dropped) {
  const vise_table *table = fit->table;
  const bool some = fit->options->features != NULL && fit->options->features[0] != '\0';
  char column[VISE_I_COLUMN_TEXT_BYTES];
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_table_choose(table, fit->options->features, "features", fit->listed, fit->err));
  VISE_TRY(vise_i_table_choose(table, fit->options->drop, "drop", dropped, fit->err));

  for (size_t c = 0; c < table->n_columns; c++) {
    const bool is_target = fit->made->columns[c].role == VISE_COLUMN_TARGET;
    if ((dropped[c] && is_target) || (dropped[c] && fit->listed[c]) || (is_target && fit->listed[c])) {
      VISE_TRY(vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: %s is %s and %s; it can be one of them", table->name,
                           vise_i_column_text(column, table, c), is_target ? "the target" : "in `features`",
                           dropped[c] ? "in `drop`" : "in `features`"));
    }
    if (dropped[c]) {
      VISE_TRY(vise_i_fit_drop(fit, c, "by `drop`"));
    } else if (some && !fit->listed[c] && !is_target) {
      VISE_TRY(vise_i_fit_drop(fit, c, "not in `features`"));
    }
  }
done:
  return status;
}

/* What tells which rows belong together is no feature. */
static vise_status drop_group(vise_i_fit *fit) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  size_t c = 0;
  if (fit->options->group == NULL) return VISE_OK;
  const vise_status status = vise_i_groups_find(fit, fit->options->group, &c);
  if (status != VISE_OK) return status;

  if (fit->listed[c]) {
    return vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: %s is in `features` and the `group`; it can be one of them",
                       fit->table->name, vise_i_column_text(column, fit->table, c));
  }
  return fit->made->columns[c].role == VISE_COLUMN_FEATURE ? vise_i_fit_drop(fit, c, "it is the `group`") : VISE_OK;
}

/* Row names and ids, unless the caller lists them. */
static vise_status drop_ids(vise_i_fit *fit) {
  for (size_t c = 0; c < fit->table->n_columns; c++) {
    const char *why;
    if (fit->made->columns[c].role != VISE_COLUMN_FEATURE || fit->listed[c]) continue;
    vise_status status = vise_i_judge_id(fit->table, c, &why, fit->err);
    bool is_id = why != NULL;
    if (status == VISE_OK && vise_i_may_be_id(fit->table, c)) status = vise_i_pool_all(fit, &is_id);
    if (status == VISE_OK && is_id) status = vise_i_fit_drop(fit, c, "%s", why);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

/* Gaps among the features, where they are not to be filled. */
static vise_status treat_gaps(vise_i_fit *fit) {
  char place[VISE_I_PLACE_BYTES];
  if (fit->made->missing == VISE_MISSING_AUTO) return VISE_OK;

  for (size_t c = 0; c < fit->table->n_columns; c++) {
    size_t row;
    if (fit->made->columns[c].role != VISE_COLUMN_FEATURE || !has_values(fit, c, &row) || row == SIZE_MAX) continue;
    if (fit->made->missing == VISE_MISSING_ERROR) {
      return vise_i_fail(fit->err, VISE_ERR_VALUE,
                         "%s: the field is empty or a gap; `missing` auto fills it, drop-rows leaves the row out",
                         vise_i_place_text(place, fit->table, row, c));
    }
    vise_i_fit_leave_out_gaps(fit, c, &fit->made->n_dropped);
  }

  return fit->n_used > 0 ? VISE_OK
                         : vise_i_fail(fit->err, VISE_ERR_VALUE,
                                       "%s: every row has a gap, so `missing` drop-rows leaves none; auto fills them",
                                       fit->table->name);
}

static vise_status leave_out_targets(vise_i_fit *fit) {
  for (size_t i = 0; i < fit->n_targets; i++) {
    char column[VISE_I_COLUMN_TEXT_BYTES];
    vise_i_fit_leave_out_gaps(fit, fit->targets[i], &fit->made->n_without_target);
    if (fit->n_used > 0) continue;
    return vise_i_fail(fit->err, VISE_ERR_VALUE, "%s: target %s holds nothing but gaps", fit->table->name,
                       vise_i_column_text(column, fit->table, fit->targets[i]));
  }
  return VISE_OK;
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

vise_status vise_i_fit_begin(vise_i_fit *fit, const size_t *rows, size_t n_rows) {
  const vise_table *table = fit->table;
  vise_status status = VISE_OK;

  if (table->used_up) VISE_TRY(vise_i_fail(fit->err, VISE_ERR_STATE, "%s: the table was used up", table->name));
  if (table->n_columns == 0) VISE_TRY(vise_i_fail(fit->err, VISE_ERR_SHAPE, "%s: has no columns", table->name));

  VISE_TRY(vise_i_alloc_zero(&fit->made, 1, sizeof *fit->made, "a preprocessor", fit->err));
  fit->made->has_names = table->has_names;
  fit->made->is_sparse = table->is_sparse;
  fit->made->missing = fit->options->missing;
  fit->made->decimal = table->decimal == ',' ? ',' : '.';
  if (table->na != NULL) VISE_TRY(vise_i_copy_text(&fit->made->na, table->na, fit->err));
  if (table->strip != NULL && table->strip[0] != '\0') {
    VISE_TRY(vise_i_copy_text(&fit->made->strip, table->strip, fit->err));
  }

  VISE_TRY(mark_rows(fit, rows, n_rows));
  VISE_TRY(find_targets(fit));
  VISE_TRY(begin_recipes(fit));
  VISE_TRY(leave_out_targets(fit));
  fit->n_all = fit->n_used;

done:
  return status;
}

void vise_i_fit_end(vise_i_fit *fit) {
  vise_preprocessor_free(fit->made);
  free(fit->used);
  free(fit->listed);
  free(fit->targets);
}

/* Of all ranks; made has what the lines tell. */
static vise_status count_rows(vise_i_fit *fit) {
  uint64_t counts[] = {fit->n_used, fit->made->n_without_target, fit->made->n_dropped};
  const vise_status status = vise_i_pool_counts(fit, counts, sizeof counts / sizeof *counts);
  fit->n_all = (size_t)counts[0];
  fit->made->n_rows = (size_t)counts[0];
  fit->made->n_without_target = (size_t)counts[1];
  fit->made->n_dropped = (size_t)counts[2];
  return status;
}

static vise_status fit_features(vise_i_fit *fit) {
  vise_status status = VISE_OK;
  bool *dropped = NULL;

  VISE_TRY(vise_i_alloc_zero(&fit->listed, fit->table->n_columns, sizeof *fit->listed, "columns", fit->err));
  VISE_TRY(vise_i_alloc_zero(&dropped, fit->table->n_columns, sizeof *dropped, "columns", fit->err));
  VISE_TRY(take_lists(fit, dropped));
  VISE_TRY(drop_group(fit));
  VISE_TRY(vise_i_pool_columns(fit));
  VISE_TRY(drop_ids(fit));
  VISE_TRY(treat_gaps(fit));
  VISE_TRY(count_rows(fit));

  for (size_t c = 0; c < fit->table->n_columns; c++) {
    if (fit->made->columns[c].role == VISE_COLUMN_FEATURE) VISE_TRY(vise_i_fit_feature(fit, c));
  }
  vise_i_preprocessor_number_inputs(fit->made);

done:
  free(dropped);
  return status;
}

/* Why no column is left, by the first reason. */
static vise_status fail_no_features(const vise_i_fit *fit) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  for (size_t c = 0; c < fit->made->n_columns; c++) {
    if (fit->made->columns[c].reason == NULL) continue;
    return vise_i_fail(fit->err, VISE_ERR_VALUE, "%s: no feature is left; %s was left out: %s", fit->table->name,
                       vise_i_column_text(column, fit->table, c), fit->made->columns[c].reason);
  }
  return vise_i_fail(fit->err, VISE_ERR_VALUE,
                     "%s: no feature is left beside the target; `delimiter` tells what "
                     "separates columns",
                     fit->table->name);
}

static vise_status fit_all(vise_i_fit *fit, const size_t *rows, size_t n_rows) {
  vise_status status;
  VISE_TRY(vise_i_fit_begin(fit, rows, n_rows));
  VISE_TRY(fit_features(fit));
  VISE_TRY(vise_i_fit_target(fit));
  if (fit->made->n_inputs == 0) VISE_TRY(fail_no_features(fit));

  char name[64];
  (void)snprintf(name, sizeof name, "%zu tables", vise_ranks_size(fit->ranks));
  VISE_TRY(vise_i_preprocessor_describe(fit->made, vise_i_fit_is_pooled(fit) ? name : fit->table->name, fit->err));
done:
  return status;
}

vise_status vise_preprocessor_fit(const vise_table *table, const vise_preprocessor_options *options, const size_t *rows,
                                  size_t n_rows, vise_preprocessor **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_preprocessor_options complete;
  vise_i_fit fit = {.table = table, .options = &complete, .err = err};
  VISE_ENTER(err, table, out);
  VISE_TRY(vise_i_fit_options(options, &complete, err));
  fit.ranks = complete.ranks;
  VISE_TRY(vise_ranks_agree(fit.ranks, fit_all(&fit, rows, n_rows), err));
  *out = fit.made;
  fit.made = NULL;
done:
  vise_i_fit_end(&fit);
  return status;
}

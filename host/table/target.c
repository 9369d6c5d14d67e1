/* Fitting the targets: classes or numbers, and why. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/table/pool.h"

enum { FEW_ROWS = 5, CODES_MAX = 20, COLUMN_BYTES = VISE_I_COLUMN_TEXT_BYTES };

/* The different numbers of a target, ascending, and the rows of each. */
typedef struct numbers {
  double *values;
  size_t *counts, n, n_rows, fewest;
  bool are_whole;
  bool are_known; /* false: ranks have so many that they are no classes, and n is the most that one has */
} numbers;

static vise_status fail_target(const vise_i_fit *fit, size_t c, const char *what) {
  char column[COLUMN_BYTES];
  return vise_i_fail(fit->err, VISE_ERR_VALUE, "%s: target %s %s", fit->table->name,
                     vise_i_column_text(column, fit->table, c), what);
}

static bool classifies(vise_loss loss) {
  return loss == VISE_LOSS_CROSS_ENTROPY || loss == VISE_LOSS_BCE || loss == VISE_LOSS_HINGE;
}

static vise_status add_class(vise_i_fit *fit, const char *name, double value, size_t n_rows) {
  vise_preprocessor *made = fit->made;
  vise_i_class *class = &made->classes[made->n_classes];
  const vise_status status = vise_i_copy_text(&class->name, name, fit->err);
  if (status != VISE_OK) return status;
  class->value = value;
  class->n_rows = n_rows;
  made->n_classes++;
  return VISE_OK;
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* n_texts different ones in n_rows rows. */
static vise_status check_texts(const vise_i_fit *fit, size_t c, size_t n_texts, size_t n_rows) {
  char what[256];

  if (fit->options->loss_given && !classifies(fit->options->loss)) {
    snprintf(what, sizeof what,
             "is text, which `loss` %s cannot take; use cross-entropy, or `numeric` if it is numbers",
             vise_loss_name(fit->options->loss));
    return fail_target(fit, c, what);
  }

  if (n_texts == 1) return fail_target(fit, c, "is the same in every row, so there is nothing to learn");
  if (n_texts * 2 > n_rows && fit->options->target_kind != VISE_TARGET_CLASSES) {
    const bool is_alone = fit->table->n_columns == 1;
    snprintf(what, sizeof what, "is text that differs in %zu of %zu rows, so it names rows and not classes; `%s` %s",
             n_texts, n_rows, is_alone ? "delimiter" : "target",
             is_alone ? "tells what separates columns" : "names another column");
    return fail_target(fit, c, what);
  }

  return VISE_OK;
}

static vise_status add_text_classes(vise_i_fit *fit, const vise_i_text_count *texts, size_t n) {
  vise_i_list names = {0};
  vise_status status = VISE_OK;
  for (size_t k = 0; k < n; k++) VISE_TRY(vise_i_list_add(&names, texts[k].text, strlen(texts[k].text), fit->err));
  vise_i_sort_names(&names);
  VISE_TRY(vise_i_alloc_zero(&fit->made->classes, n, sizeof *fit->made->classes, "classes", fit->err));

  for (size_t k = 0; k < names.n; k++) {
    size_t i = 0;
    while (strcmp(texts[i].text, names.items[k]) != 0) i++;
    VISE_TRY(add_class(fit, names.items[k], (double)k, texts[i].n_rows));
  }

done:
  vise_i_list_free(&names);
  return status;
}

static vise_status fit_text(vise_i_fit *fit, size_t c) {
  vise_status status = VISE_OK;
  const vise_i_column *column = &fit->table->columns[c];
  vise_i_text_count *texts = NULL;
  char *storage = NULL;
  size_t n_gaps = 0, n = 0, n_rows = fit->n_used;
  VISE_TRY(vise_i_judge_text(fit->table, c, fit->err));
  VISE_TRY(vise_i_fit_texts(fit, c, &texts, &n, &n_gaps));

  size_t n_different = n;
  bool differ = n > 1 && n * 2 > n_rows && fit->options->target_kind != VISE_TARGET_CLASSES;
  VISE_TRY(vise_i_pool_differ(fit, &n_different, &n_rows, &differ));
  if (differ) VISE_TRY(check_texts(fit, c, n_different, n_rows));
  VISE_TRY(vise_i_pool_texts(fit, &texts, &n, &n_gaps, &storage));
  VISE_TRY(check_texts(fit, c, n, fit->n_all));
  VISE_TRY(add_text_classes(fit, texts, n));

  fit->made->target_kind = VISE_TARGET_CLASSES;
  VISE_TRY(vise_i_copy_text(&fit->made->reason,
                            column->coded ? "its numbers are all quoted, so they are codes of classes; `numeric` makes "
                                            "them numbers"
                                          : (column->forced ? "classes, by `categorical`" : "its text names classes"),
                            fit->err));
done:
  free(texts);
  free(storage);
  return status;
}

/* ---- numbers -------------------------------------------------------------------------------------------------- */

static vise_status take_numbers(const vise_i_fit *fit, size_t c, numbers *out) {
  numbers n = {.fewest = SIZE_MAX, .are_whole = true};
  const bool asked =
      fit->options->target_kind == VISE_TARGET_CLASSES || (fit->options->loss_given && classifies(fit->options->loss));
  vise_status status = vise_i_fit_distinct(fit, c, &n.values, &n.counts, &n.n);
  if (status == VISE_OK) status = vise_i_pool_distinct(fit, asked, &n.values, &n.counts, &n.n, &n.are_known);
  if (status != VISE_OK || !n.are_known) {
    *out = n;
    return status;
  }
  for (size_t k = 0; k < n.n; k++) {
    n.n_rows += n.counts[k];
    if (n.counts[k] < n.fewest) n.fewest = n.counts[k];
    n.are_whole = n.are_whole && n.values[k] == nearbyint(n.values[k]);
  }
  *out = n;
  return VISE_OK;
}

/* Whole numbers that start at -1, 0 or 1, as codes of classes do. */
static bool look_like_codes(const numbers *n) {
  return n->are_whole && n->n <= CODES_MAX && n->values[0] >= -1 && n->values[0] <= 1;
}

/* 0, 1, 2, ... or 1, 2, 3, ...: labels, however few rows have each. */
static bool are_labels(const numbers *n) {
  return look_like_codes(n) && n->values[n->n - 1] - n->values[0] == (double)(n->n - 1);
}

/* The reason why they are classes, or "" if they are numbers. */
static void judge_numbers(const vise_i_fit *fit, size_t c, const numbers *n, char *reason, size_t n_bytes) {
  char low[VISE_I_NUMBER_BYTES], high[VISE_I_NUMBER_BYTES];
  reason[0] = '\0';
  if (fit->table->columns[c].forced || !n->are_known) return;

  vise_i_number_text(low, n->values[0]);
  vise_i_number_text(high, n->values[n->n - 1]);

  if (n->n == 2 && n->n_rows >= FEW_ROWS) {
    snprintf(reason, n_bytes, "it has two values, %s and %s, so they are classes; `loss` mse makes them numbers", low,
             high);
  } else if (look_like_codes(n) && n->fewest >= FEW_ROWS) {
    snprintf(
        reason, n_bytes,
        "it holds %zu whole numbers from %s to %s, each in at least %d rows, so they are classes; `loss` mse makes "
        "them numbers",
        n->n, low, high, FEW_ROWS);
  }
}

static vise_status check_asked_classes(const vise_i_fit *fit, size_t c, const numbers *n) {
  char what[256];
  if (n->are_known && (n->n <= 2 || are_labels(n) || (double)n->n <= sqrt((double)n->n_rows))) return VISE_OK;
  snprintf(what, sizeof what,
           "has %zu different numbers in %zu rows, too many to be classes; `loss` mse takes them as numbers, "
           "`categorical` as classes",
           n->n, n->are_known ? n->n_rows : fit->n_all);
  return fail_target(fit, c, what);
}

static vise_status add_number_classes(vise_i_fit *fit, const numbers *n, const char *reason) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_zero(&fit->made->classes, n->n, sizeof *fit->made->classes, "classes", fit->err));
  for (size_t k = 0; k < n->n; k++) {
    char text[VISE_I_NUMBER_BYTES];
    VISE_TRY(add_class(fit, vise_i_number_text(text, n->values[k]), n->values[k], n->counts[k]));
  }
  fit->made->target_kind = VISE_TARGET_CLASSES;
  VISE_TRY(vise_i_copy_text(&fit->made->reason, reason, fit->err));
done:
  return status;
}

static vise_status fit_number(vise_i_fit *fit, size_t c) {
  vise_status status = VISE_OK;
  numbers n = {0};
  char reason[256] = "";
  vise_i_values range;
  const bool asked = fit->options->loss_given;
  VISE_TRY(vise_i_fit_values(fit, c, 0, &range)); /* refuses what is beyond float32 */
  VISE_TRY(take_numbers(fit, c, &n));
  const bool takes_constant = fit->options->constant_target != 0 && fit->options->target_kind == VISE_TARGET_NUMBERS;
  if (n.are_known && n.n == 1 && !takes_constant) {
    char text[VISE_I_NUMBER_BYTES], what[128];
    snprintf(what, sizeof what, "is %s in all of %zu rows, so there is nothing to learn",
             vise_i_number_text(text, n.values[0]), n.n_rows);
    VISE_TRY(fail_target(fit, c, what));
  }

  const vise_target_kind kind = fit->options->target_kind;
  if (kind == VISE_TARGET_NONE) judge_numbers(fit, c, &n, reason, sizeof reason);
  if (kind == VISE_TARGET_CLASSES) {
    if (!n.are_known) VISE_TRY(check_asked_classes(fit, c, &n));
    snprintf(reason, sizeof reason, "classes, as asked for or by all rows of the table");
  } else if (kind == VISE_TARGET_NONE && asked && classifies(fit->options->loss)) {
    VISE_TRY(check_asked_classes(fit, c, &n));
    snprintf(reason, sizeof reason, "classes, by `loss` %s", vise_loss_name(fit->options->loss));
  }
  if (reason[0] != '\0' && !(asked && !classifies(fit->options->loss))) {
    VISE_TRY(add_number_classes(fit, &n, reason));
    goto done;
  }
  const vise_i_column *column = &fit->table->columns[c];
  if (!asked && !column->forced && column->name != NULL && vise_i_is_called_id(column->name)) {
    VISE_TRY(fail_target(fit, c,
                         "is called as ids are; `target` names another column, `numeric` takes it as numbers, "
                         "`categorical` as classes"));
  }
  snprintf(reason, sizeof reason, "it has %zu different numbers%s; `categorical` makes them classes", n.n,
           n.are_known ? "" : " in one table");
  fit->made->target_kind = VISE_TARGET_NUMBERS;
  VISE_TRY(vise_i_copy_text(&fit->made->reason, reason, fit->err));
done:
  free(n.values);
  free(n.counts);
  return status;
}

/* ---- any ------------------------------------------------------------------------------------------------------ */

static vise_status scale_targets(vise_i_fit *fit) {
  vise_preprocessor *made = fit->made;

  for (size_t i = 0; i < fit->n_targets; i++) {
    vise_i_values v;
    made->target_shift[i] = 0;
    made->target_scale[i] = 1;
    if (made->target_kind != VISE_TARGET_NUMBERS) continue;

    vise_status status = vise_i_fit_values(fit, fit->targets[i], 0, &v);
    if (status == VISE_OK) status = vise_i_pool_values(fit, &v);
    if (status != VISE_OK) return status;
    made->target_shift[i] = v.mean;
    made->target_scale[i] = v.deviation > 0 ? v.deviation : 1;
  }
  return VISE_OK;
}

static vise_status check_target(vise_i_fit *fit, size_t c) {
  const vise_i_column *column = &fit->table->columns[c];
  const char *id = NULL;
  if (column->kind == VISE_COLUMN_DATE) {
    return fail_target(fit, c, "is dates; `target` names another column, `drop` leaves this one out");
  }
  if (column->forced || fit->options->loss_given) return VISE_OK;
  vise_status status = vise_i_judge_id(fit->table, c, &id, fit->err);
  bool is_id = id != NULL;
  if (status == VISE_OK && vise_i_may_be_id(fit->table, c)) status = vise_i_pool_all(fit, &is_id);
  if (status != VISE_OK || !is_id) return status;
  return fail_target(fit, c, "holds row names or ids; `target` names another column, `numeric` takes it as numbers");
}

/* Several targets are numbers, a net's outputs. */
static vise_status check_several(const vise_i_fit *fit) {
  for (size_t i = 0; i < fit->n_targets; i++) {
    if (fit->table->columns[fit->targets[i]].kind == VISE_COLUMN_TEXT) {
      return fail_target(fit, fit->targets[i], "is text; of several targets each must be numbers");
    }
  }
  if (!fit->options->loss_given || fit->options->loss != VISE_LOSS_CROSS_ENTROPY) return VISE_OK;
  return vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: `loss` cross-entropy takes one target of classes, not %zu columns",
                     fit->table->name, fit->n_targets);
}

static vise_status check_loss(const vise_i_fit *fit) {
  const vise_preprocessor *made = fit->made;
  if (made->target_kind != VISE_TARGET_CLASSES || made->loss != VISE_LOSS_BCE || made->n_classes == 2) return VISE_OK;
  return vise_i_fail(fit->err, VISE_ERR_VALUE,
                     "%s: `loss` bce takes two classes, and the target has %zu; use cross-entropy", fit->table->name,
                     made->n_classes);
}

vise_status vise_i_fit_target(vise_i_fit *fit) {
  vise_preprocessor *made = fit->made;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc(&made->target_shift, fit->n_targets, sizeof *made->target_shift, "targets", fit->err));
  VISE_TRY(vise_i_alloc(&made->target_scale, fit->n_targets, sizeof *made->target_scale, "targets", fit->err));
  made->n_targets = fit->n_targets;
  for (size_t i = 0; i < fit->n_targets; i++) VISE_TRY(check_target(fit, fit->targets[i]));

  if (fit->n_targets == 0) {
    made->target_kind = VISE_TARGET_NONE;
    VISE_TRY(vise_i_copy_text(&made->reason, "no target", fit->err));
  } else if (fit->n_targets == 1) {
    const size_t c = fit->targets[0];
    VISE_TRY(fit->table->columns[c].kind == VISE_COLUMN_TEXT ? fit_text(fit, c) : fit_number(fit, c));
  } else {
    VISE_TRY(check_several(fit));
    made->target_kind = VISE_TARGET_NUMBERS;
    VISE_TRY(vise_i_copy_text(&made->reason, "several targets are numbers", fit->err));
  }

  made->loss = made->target_kind == VISE_TARGET_CLASSES ? VISE_LOSS_CROSS_ENTROPY : VISE_LOSS_MSE;
  if (fit->options->loss_given) made->loss = fit->options->loss;
  VISE_TRY(check_loss(fit));
  VISE_TRY(scale_targets(fit));
done:
  return status;
}

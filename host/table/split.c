/* Holding rows out, class by class. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/base/struct.h"
#include "host/table/fit.h"

static vise_split_options default_options(void) {
  return (vise_split_options){
      .struct_size = sizeof(vise_split_options), .fraction = 0.1, .shuffle = true, .stratify = true};
}

VISE_I_DEFINE_INIT(vise_split_options, n_rows, default_options)

/* The rows to split, and what decides on them. Row i of the list is in class labels[i]. */
typedef struct splitting {
  const vise_split_options *options;
  size_t *rows, n;
  size_t n_wanted; /* to hold out */
  size_t *labels, n_classes;
  size_t *quotas; /* [n_classes]: to hold out of each class */
  bool *chosen;   /* [n] */
  vise_error *err;
} splitting;

static vise_status list_rows(splitting *s, const vise_i_fit *fit) {
  vise_status status = vise_i_alloc(&s->rows, fit->n_used, sizeof *s->rows, "a split", s->err);
  if (status != VISE_OK) return status;
  for (size_t row = 0; row < fit->table->n_rows; row++) {
    if (fit->used[row]) s->rows[s->n++] = row;
  }
  s->n_wanted = (size_t)floor(s->options->fraction * (double)s->n);
  if (s->n_wanted > 0 && s->n_wanted < s->n) return VISE_OK;
  return vise_i_fail(s->err, VISE_ERR_USAGE, "%s: a fraction of %g of %zu rows leaves %s without rows",
                     fit->table->name, s->options->fraction, s->n, s->n_wanted == 0 ? "the held-out part" : "training");
}

/* The class of each row; one class for all where the target is numbers. */
static vise_status label_rows(splitting *s, vise_i_fit *fit) {
  const vise_preprocessor *made = fit->made;
  vise_status status = VISE_OK;
  size_t *class_of = NULL, i = 0;
  const vise_i_column *target = fit->n_targets == 1 ? &fit->table->columns[fit->targets[0]] : NULL;
  const size_t n_texts = target != NULL ? target->texts.n : 0;
  VISE_TRY(vise_i_alloc_zero(&s->labels, s->n, sizeof *s->labels, "a split", s->err));
  s->n_classes = 1;
  if (made->target_kind != VISE_TARGET_CLASSES) goto done;

  s->n_classes = made->n_classes;
  VISE_TRY(vise_i_alloc(&class_of, n_texts, sizeof *class_of, "a split", s->err));
  for (uint32_t k = 0; k < n_texts; k++) {
    class_of[k] = vise_i_preprocessor_class_of_text(made, vise_i_dictionary_text(&target->texts, k));
  }
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, fit->targets[0]);
    for (; i < s->n && s->rows[i] < span.first_row + span.n_rows; i++) {
      const size_t at = s->rows[i] - span.first_row;
      s->labels[i] =
          span.codes != NULL ? class_of[span.codes[at]] : vise_i_preprocessor_class_of_number(made, span.numbers[at]);
    }
  }
done:
  free(class_of);
  return status;
}

/* Rows to hold out of each class: its share, rounded down; what is left goes to the largest remainders, the earlier
   class first. No class loses its last row, as long as there are others to take. */
static vise_status share_out(splitting *s) {
  size_t *sizes = NULL, left = s->n_wanted;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_zero(&s->quotas, s->n_classes, sizeof *s->quotas, "a split", s->err));
  VISE_TRY(vise_i_alloc_zero(&sizes, s->n_classes, sizeof *sizes, "a split", s->err));
  for (size_t i = 0; i < s->n; i++) sizes[s->labels[i]]++;
  for (size_t k = 0; k < s->n_classes; k++) {
    s->quotas[k] = (size_t)((double)sizes[k] / (double)s->n * (double)s->n_wanted);
    left -= s->quotas[k];
  }

  for (bool keep_one = true; left > 0; left--) {
    size_t best = SIZE_MAX;
    double best_remainder = -INFINITY;
    for (size_t k = 0; k < s->n_classes; k++) {
      const double remainder = (double)sizes[k] / (double)s->n * (double)s->n_wanted - (double)s->quotas[k];
      if (s->quotas[k] + (keep_one ? 1 : 0) >= sizes[k] || !(remainder > best_remainder)) continue;
      best = k;
      best_remainder = remainder;
    }
    if (best == SIZE_MAX && !keep_one) break;
    if (best == SIZE_MAX) {
      keep_one = false;
      left++;
      continue;
    }
    s->quotas[best]++;
  }
done:
  free(sizes);
  return status;
}

/* Draws in the order of a permutation, as many of each class as its quota. */
static vise_status choose(splitting *s) {
  const vise_split_options *o = s->options;
  size_t *order = NULL;
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&s->chosen, s->n, sizeof *s->chosen, "a split", s->err));
  if (!o->shuffle) {
    for (size_t k = 0; k < s->n_wanted; k++) s->chosen[s->n - 1 - k] = true;
    goto done;
  }

  VISE_TRY(vise_i_alloc(&order, s->n, sizeof *order, "a split", s->err));
  vise_i_permutation(o->seed, VISE_I_STREAM_SPLIT, o->index, order, s->n);
  for (size_t k = 0; k < s->n; k++) {
    size_t *quota = &s->quotas[s->labels[order[k]]];
    if (*quota == 0) continue;
    --*quota;
    s->chosen[order[k]] = true;
  }

done:
  free(order);
  return status;
}

static vise_status check(const vise_split_options *given, vise_split_options *options, vise_error *err) {
  *options = default_options();
  if (given == NULL) return VISE_OK;
  const vise_status status = vise_i_config_take(options, sizeof *options, given, "vise_split_options", err);
  if (status != VISE_OK) return status;

  if (options->fraction > 0 && options->fraction < 1) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "a fraction of %g of the rows; must be between 0 and 1", options->fraction);
}

static vise_status split(splitting *s, vise_i_fit *fit) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_fit_begin(fit, s->options->rows, s->options->n_rows));
  if (s->options->shuffle && s->options->stratify) VISE_TRY(vise_i_fit_target(fit));
  VISE_TRY(list_rows(s, fit));
  VISE_TRY(label_rows(s, fit));
  VISE_TRY(share_out(s));
  VISE_TRY(choose(s));
done:
  return status;
}

static vise_status hand_over(const splitting *s, vise_split *out) {
  vise_split made = {.n_kept = 0};
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc(&made.kept, s->n - s->n_wanted, sizeof *made.kept, "a split", s->err));
  VISE_TRY(vise_i_alloc(&made.held_out, s->n_wanted, sizeof *made.held_out, "a split", s->err));

  for (size_t i = 0; i < s->n; i++) {
    if (s->chosen[i]) {
      made.held_out[made.n_held_out++] = s->rows[i];
    } else {
      made.kept[made.n_kept++] = s->rows[i];
    }
  }

  *out = made;
  return VISE_OK;

done:
  vise_split_clear(&made);
  return status;
}

void vise_split_clear(vise_split *split) {
  if (split == NULL) return;
  free(split->kept);
  free(split->held_out);
  *split = (vise_split){0};
}

vise_status vise_table_split(const vise_table *table, const vise_preprocessor_options *preprocessor_options,
                             const vise_split_options *options, vise_split *out, vise_error *err) {
  vise_preprocessor_options fit_options;
  vise_split_options complete;
  vise_i_fit fit = {.table = table, .options = &fit_options, .err = err};
  splitting s = {.options = &complete, .err = err};
  vise_status status = VISE_OK;
  VISE_ENTER(err, table, out);
  VISE_TRY(check(options, &complete, err));
  VISE_TRY(vise_i_fit_options(preprocessor_options, &fit_options, err));
  VISE_TRY(split(&s, &fit));

  VISE_TRY(hand_over(&s, out));
done:
  vise_i_fit_end(&fit);
  free(s.rows);
  free(s.labels);
  free(s.quotas);
  free(s.chosen);
  return status;
}

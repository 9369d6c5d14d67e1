/* Holding rows out, class by class. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/base/struct.h"
#include "host/table/strata.h"

static vise_split_options default_options(void) {
  return (vise_split_options){
      .struct_size = sizeof(vise_split_options), .fraction = 0.1, .shuffle = true, .stratify = true};
}

VISE_I_DEFINE_INIT(vise_split_options, n_rows, default_options)

/* The rows to split, and what decides on them. */
typedef struct splitting {
  const vise_split_options *options;
  vise_i_strata strata;
  size_t n_wanted; /* to hold out */
  size_t *quotas;  /* [n_classes]: to hold out of each class */
  bool *chosen;    /* [n] */
  vise_error *err;
} splitting;

static vise_status count_wanted(splitting *s, const vise_i_fit *fit) {
  const size_t n = s->strata.n;
  s->n_wanted = (size_t)floor(s->options->fraction * (double)n);
  if (s->n_wanted > 0 && s->n_wanted < n) return VISE_OK;
  return vise_i_fail(s->err, VISE_ERR_USAGE, "%s: a fraction of %g of %zu rows leaves %s without rows",
                     fit->table->name, s->options->fraction, n, s->n_wanted == 0 ? "the held-out part" : "training");
}

/* Rows to hold out of each class: its share, rounded down; what is left goes to the largest remainders, the earlier
   class first. No class loses its last row, as long as there are others to take. */
static vise_status share_out(splitting *s) {
  size_t *sizes = NULL, left = s->n_wanted;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_zero(&s->quotas, s->strata.n_classes, sizeof *s->quotas, "a split", s->err));
  VISE_TRY(vise_i_alloc_zero(&sizes, s->strata.n_classes, sizeof *sizes, "a split", s->err));
  for (size_t i = 0; i < s->strata.n; i++) sizes[s->strata.labels[i]]++;
  for (size_t k = 0; k < s->strata.n_classes; k++) {
    s->quotas[k] = (size_t)((double)sizes[k] / (double)s->strata.n * (double)s->n_wanted);
    left -= s->quotas[k];
  }

  for (bool keep_one = true; left > 0; left--) {
    size_t best = SIZE_MAX;
    double best_remainder = -INFINITY;
    for (size_t k = 0; k < s->strata.n_classes; k++) {
      const double remainder = (double)sizes[k] / (double)s->strata.n * (double)s->n_wanted - (double)s->quotas[k];
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

  VISE_TRY(vise_i_alloc_zero(&s->chosen, s->strata.n, sizeof *s->chosen, "a split", s->err));
  if (!o->shuffle) {
    for (size_t k = 0; k < s->n_wanted; k++) s->chosen[s->strata.n - 1 - k] = true;
    goto done;
  }

  VISE_TRY(vise_i_alloc(&order, s->strata.n, sizeof *order, "a split", s->err));
  vise_i_permutation(o->seed, VISE_I_STREAM_SPLIT, o->index, order, s->strata.n);
  for (size_t k = 0; k < s->strata.n; k++) {
    size_t *quota = &s->quotas[s->strata.labels[order[k]]];
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
  VISE_TRY(vise_i_strata_make(fit, s->options->shuffle && s->options->stratify, &s->strata));
  VISE_TRY(count_wanted(s, fit));
  VISE_TRY(share_out(s));
  VISE_TRY(choose(s));
done:
  return status;
}

static vise_status hand_over(const splitting *s, vise_split *out) {
  vise_split made = {.n_kept = 0};
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc(&made.kept, s->strata.n - s->n_wanted, sizeof *made.kept, "a split", s->err));
  VISE_TRY(vise_i_alloc(&made.held_out, s->n_wanted, sizeof *made.held_out, "a split", s->err));

  for (size_t i = 0; i < s->strata.n; i++) {
    if (s->chosen[i]) {
      made.held_out[made.n_held_out++] = s->strata.rows[i];
    } else {
      made.kept[made.n_kept++] = s->strata.rows[i];
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
  vise_i_strata_free(&s.strata);
  free(s.quotas);
  free(s.chosen);
  return status;
}

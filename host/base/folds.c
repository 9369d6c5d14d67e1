#include "host/base/folds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/base/struct.h"

/* Sums that differ by less are equal but for rounding. */
#define NO_DIFFERENCE 1e-12

static vise_fold_options default_options(void) {
  return (vise_fold_options){.struct_size = sizeof(vise_fold_options), .n_folds = 5, .shuffle = true, .stratify = true};
}

VISE_I_DEFINE_INIT(vise_fold_options, n_rows, default_options)

vise_status vise_i_fold_options_take(const vise_fold_options *given, vise_fold_options *options, vise_error *err) {
  *options = default_options();
  if (given != NULL) {
    const vise_status status = vise_i_config_take(options, sizeof *options, given, "vise_fold_options", err);
    if (status != VISE_OK) return status;
  }

  if (options->n_folds < 2) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`n_folds` %zu: expected at least 2", options->n_folds);
  }
  if (options->time_order && options->group != NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`time_order` and `group` contradict each other: blocks of time may part a group");
  }
  return VISE_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

/* Class after class, each in the order of a permutation (or of the file), one row to each fold in turn. So folds differ
   by at most one row, and by at most one of each class. */
static vise_status deal_rows(const vise_i_dealing *d, const vise_fold_options *o, size_t *folds, vise_error *err) {
  vise_status status = VISE_OK;
  size_t *order = NULL, *sizes = NULL, *turns = NULL, turn = 0;
  VISE_TRY(vise_i_alloc(&order, d->n, sizeof *order, "folds", err));
  VISE_TRY(vise_i_alloc_zero(&sizes, d->n_classes, sizeof *sizes, "folds", err));
  VISE_TRY(vise_i_alloc(&turns, d->n_classes, sizeof *turns, "folds", err));

  for (size_t i = 0; i < d->n; i++) order[i] = i;
  if (o->shuffle) vise_i_permutation(o->seed, VISE_I_STREAM_FOLDS, o->repeat, order, d->n);

  /* The only row of a class is in no fold: without it no net could know the class. */
  for (size_t i = 0; i < d->n; i++) sizes[d->labels[i]]++;
  for (size_t k = 0; k < d->n_classes; k++) {
    turns[k] = turn;
    if (sizes[k] > 1 || d->n_classes == 1) turn += sizes[k];
  }

  for (size_t i = 0; i < d->n; i++) {
    const size_t k = d->labels[order[i]];
    if (sizes[k] > 1 || d->n_classes == 1) folds[order[i]] = 1 + turns[k]++ % o->n_folds;
  }

done:
  free(order);
  free(sizes);
  free(turns);
  return status;
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

/* A group, and its rows: sharing.rows[first .. first + n). */
typedef struct group {
  size_t first, n;
  size_t turn; /* its place in the permutation of the groups */
  size_t fold; /* from 0 */
  bool stays;  /* in no fold: no other group has one of its classes */
} group;

/* Groups being dealt out. */
typedef struct sharing {
  const vise_i_dealing *dealing;
  const vise_fold_options *options;
  group *groups;       /* [n_groups] */
  group **order;       /* [n_groups]: the largest first */
  size_t *rows;        /* [n], group after group */
  size_t *class_sizes; /* [n_classes] */
  size_t *counts;      /* [n_folds, n_classes]: rows of each class in each fold */
  size_t *fold_sizes;  /* [n_folds] */
  vise_error *err;
} sharing;

static void free_sharing(sharing *s) {
  free(s->groups);
  free(s->order);
  free(s->rows);
  free(s->class_sizes);
  free(s->counts);
  free(s->fold_sizes);
}

static vise_status begin_sharing(sharing *s) {
  const vise_i_dealing *d = s->dealing;
  const size_t n_folds = s->options->n_folds;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_zero(&s->groups, d->n_groups, sizeof *s->groups, "folds", s->err));
  VISE_TRY(vise_i_alloc(&s->order, d->n_groups, sizeof *s->order, "folds", s->err));
  VISE_TRY(vise_i_alloc(&s->rows, d->n, sizeof *s->rows, "folds", s->err));
  VISE_TRY(vise_i_alloc_zero(&s->class_sizes, d->n_classes, sizeof *s->class_sizes, "folds", s->err));
  VISE_TRY(vise_i_alloc_zero(&s->counts, n_folds, d->n_classes * sizeof *s->counts, "folds", s->err));
  VISE_TRY(vise_i_alloc_zero(&s->fold_sizes, n_folds, sizeof *s->fold_sizes, "folds", s->err));
done:
  return status;
}

static void list_rows(sharing *s) {
  const vise_i_dealing *d = s->dealing;
  for (size_t i = 0; i < d->n; i++) {
    s->groups[d->groups[i]].n++;
    s->class_sizes[d->labels[i]]++;
  }
  for (size_t g = 0, first = 0; g < d->n_groups; g++) {
    s->groups[g].first = first;
    first += s->groups[g].n;
    s->groups[g].n = 0;
  }
  for (size_t i = 0; i < d->n; i++) {
    group *g = &s->groups[d->groups[i]];
    s->rows[g->first + g->n++] = i;
  }
}

/* A group that alone has a class stays with all nets, as the only row of a class does. */
static vise_status find_stayers(sharing *s, size_t *n_stayers) {
  const vise_i_dealing *d = s->dealing;
  size_t *counts = NULL; /* of the classes, in one group */
  const vise_status status = vise_i_alloc_zero(&counts, d->n_classes, sizeof *counts, "folds", s->err);
  if (status != VISE_OK) return status;

  for (size_t k = 0; k < d->n_groups && d->n_classes > 1; k++) {
    group *g = &s->groups[k];
    for (size_t i = g->first; i < g->first + g->n; i++) {
      const size_t label = d->labels[s->rows[i]];
      g->stays = g->stays || ++counts[label] == s->class_sizes[label];
    }
    for (size_t i = g->first; i < g->first + g->n; i++) counts[d->labels[s->rows[i]]] = 0;
    *n_stayers += g->stays;
  }

  free(counts);
  return VISE_OK;
}

static vise_status check_groups(const sharing *s, size_t n_stayers) {
  const vise_i_dealing *d = s->dealing;
  const size_t n_folds = s->options->n_folds;
  if (d->n_groups < n_folds) {
    return vise_i_fail(s->err, VISE_ERR_USAGE, "%s: %zu groups in %s are too few for %zu folds", d->name, d->n_groups,
                       d->group, n_folds);
  }
  if (d->n_groups - n_stayers >= n_folds) return VISE_OK;
  return vise_i_fail(
      s->err, VISE_ERR_USAGE,
      "%s: %zu groups in %s are too few for %zu folds, as those that alone have a class (%zu) are in none", d->name,
      d->n_groups, d->group, n_folds, n_stayers);
}

static int compare_groups(const void *a, const void *b) {
  const group *g = *(group *const *)a, *h = *(group *const *)b;
  if (g->n != h->n) return g->n > h->n ? -1 : 1;
  return g->turn < h->turn ? -1 : 1;
}

static vise_status order_groups(sharing *s) {
  const vise_fold_options *o = s->options;
  const size_t n = s->dealing->n_groups;
  size_t *turns = NULL;
  const vise_status status = vise_i_alloc(&turns, n, sizeof *turns, "folds", s->err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < n; i++) turns[i] = i;
  if (o->shuffle) vise_i_permutation(o->seed, VISE_I_STREAM_FOLDS, o->repeat, turns, n);
  for (size_t i = 0; i < n; i++) {
    s->groups[turns[i]].turn = i;
    s->order[i] = &s->groups[i];
  }
  qsort(s->order, n, sizeof *s->order, compare_groups);
  free(turns);
  return VISE_OK;
}

/* By how much a fold would be less balanced with the group: half of how the sum over the classes of (their rows in it / all
   their rows)^2 grows, less what is the same for all folds. */
static double strain(const sharing *s, const group *g, size_t fold) {
  const vise_i_dealing *d = s->dealing;
  double sum = 0;
  for (size_t i = g->first; i < g->first + g->n; i++) {
    const size_t label = d->labels[s->rows[i]];
    const double size = (double)s->class_sizes[label];
    sum += (double)s->counts[fold * d->n_classes + label] / (size * size);
  }
  return sum;
}

static size_t choose_fold(const sharing *s, const group *g) {
  size_t best = 0;
  double least = strain(s, g, 0);
  for (size_t fold = 1; fold < s->options->n_folds; fold++) {
    const double here = strain(s, g, fold);
    const bool ties = fabs(here - least) <= NO_DIFFERENCE * least;
    if (ties ? s->fold_sizes[fold] >= s->fold_sizes[best] : here > least) continue;
    best = fold;
    least = here;
  }
  return best;
}

/* Whole groups, the largest first, each to the fold that it strains least; of equals to the one of the fewest rows. */
static vise_status deal_groups(const vise_i_dealing *d, const vise_fold_options *o, size_t *folds, vise_error *err) {
  sharing s = {.dealing = d, .options = o, .err = err};
  size_t n_stayers = 0;
  vise_status status = VISE_OK;
  VISE_TRY(begin_sharing(&s));
  list_rows(&s);
  VISE_TRY(find_stayers(&s, &n_stayers));
  VISE_TRY(check_groups(&s, n_stayers));
  VISE_TRY(order_groups(&s));

  for (size_t k = 0; k < d->n_groups; k++) {
    group *g = s.order[k];
    if (g->stays) continue;
    g->fold = choose_fold(&s, g);
    s.fold_sizes[g->fold] += g->n;
    for (size_t i = g->first; i < g->first + g->n; i++) {
      s.counts[g->fold * d->n_classes + d->labels[s.rows[i]]]++;
      folds[s.rows[i]] = 1 + g->fold;
    }
  }

done:
  free_sharing(&s);
  return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

/* Blocks of one size but for the first, which has what is left and is in no fold. */
static void deal_blocks(size_t n, size_t n_folds, size_t *folds) {
  const size_t size = n / (n_folds + 1), first = n - n_folds * size;
  for (size_t i = first; i < n; i++) folds[i] = 1 + (i - first) / size;
}

vise_status vise_i_deal(const vise_i_dealing *dealing, const vise_fold_options *options, size_t *folds,
                        vise_error *err) {
  const bool in_blocks = options->time_order;
  if (in_blocks ? dealing->n <= options->n_folds : dealing->n < options->n_folds) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: %zu rows with a target are too few for %zu folds%s", dealing->name,
                       dealing->n, options->n_folds, in_blocks ? " and a first block before them" : "");
  }

  memset(folds, 0, dealing->n * sizeof *folds);
  if (!in_blocks) return (dealing->groups != NULL ? deal_groups : deal_rows)(dealing, options, folds, err);
  deal_blocks(dealing->n, options->n_folds, folds);
  return VISE_OK;
}

/* ---- numbering ------------------------------------------------------------------------------------------------ */

typedef struct placed {
  double value;
  size_t place;
} placed;

static int compare_placed(const void *a, const void *b) {
  const placed *p = a, *q = b;
  if (p->value < q->value) return -1;
  if (p->value > q->value) return 1;
  return p->place < q->place ? -1 : p->place > q->place;
}

vise_status vise_i_number_values(const double *values, size_t n, size_t *numbers, size_t *n_different,
                                 vise_error *err) {
  placed *sorted = NULL;
  const vise_status status = vise_i_alloc(&sorted, n, sizeof *sorted, "values", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < n; i++) sorted[i] = (placed){values[i], i};
  qsort(sorted, n, sizeof *sorted, compare_placed);

  /* First the place of the first one of this value, which is the least of them; then its number. */
  for (size_t k = 0, first = 0; k < n; k++) {
    if (k == 0 || sorted[k].value > sorted[k - 1].value) first = sorted[k].place;
    numbers[sorted[k].place] = first;
  }
  free(sorted);

  *n_different = 0;
  for (size_t i = 0; i < n; i++) numbers[i] = numbers[i] == i ? (*n_different)++ : numbers[numbers[i]];
  return VISE_OK;
}

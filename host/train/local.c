#include "host/train/local.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/data/dataset.h"
#include "host/json/text.h"
#include "host/ranks/pool.h"
#include "host/train/rows.h"

/* ---- before the first step ----------------------------------------------------------------------------------------- */

static bool is_constant(const vise_dataset *train, const vise_array *columns, size_t c) {
  const size_t *rows = vise_i_dataset_rows(train);
  const double first = vise_i_array_get(columns, rows != NULL ? rows[0] : 0, c);
  for (size_t i = 1; i < vise_dataset_n_rows(train); i++) {
    if (vise_i_array_get(columns, rows != NULL ? rows[i] : i, c) != first) return false;
  }
  return true;
}

vise_status vise_i_local_pool_scales(vise_ranks *ranks, const vise_dataset *train, const vise_array *columns,
                                     double *shift, double *scale, vise_error *err) {
  vise_status status;
  const size_t n = columns->n_cols;
  const double n_rows = (double)vise_dataset_n_rows(train);
  vise_i_moments *moments = NULL;

  VISE_TRY(vise_i_alloc(&moments, n, sizeof *moments, "means of columns", err));
  for (size_t c = 0; c < n; c++) {
    const bool varies = scale[c] != 1 || !is_constant(train, columns, c); /* a constant column has a scale of 1 */
    moments[c] = (vise_i_moments){n_rows, shift[c], varies ? scale[c] * scale[c] * n_rows : 0};
  }
  VISE_TRY(vise_i_ranks_pool_moments(ranks, moments, n, err));
  for (size_t c = 0; c < n; c++) {
    const double deviation = sqrt(moments[c].squares / moments[c].n);
    shift[c] = moments[c].mean;
    scale[c] = deviation > 0 ? deviation : 1;
  }

done:
  free(moments);
  return status;
}

/* One hash of all rows of all ranks, for a run that goes on. */
static vise_status hash_rows(vise_trainer *t, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = t->config.ranks;
  json_t *rows = NULL;
  char *text = NULL;
  uint64_t *all = NULL;

  VISE_TRY(vise_i_alloc(&all, vise_ranks_size(ranks), sizeof *all, "ranks", err));
  VISE_TRY(vise_i_rows_make(t, &rows, err));
  VISE_TRY(vise_i_json_text(rows, JSON_COMPACT, "the rows of a rank", &text, NULL, err));
  const uint64_t mine = XXH64(text, strlen(text), 0);
  VISE_TRY(vise_i_ranks_pool_each(ranks, &mine, sizeof mine, all, err));
  t->local.rows_hash = XXH64(all, vise_ranks_size(ranks) * sizeof *all, 0);

done:
  json_decref(rows);
  free(text);
  free(all);
  return status;
}

/* What a rank has. */
typedef struct holding {
  uint64_t n_rows, n_batches;
} holding;

vise_status vise_i_local_begin(vise_trainer *t, vise_error *err) {
  vise_status status = VISE_OK;
  vise_ranks *ranks = t->config.ranks;
  holding *all = NULL;
  uint64_t most = 0;
  if (!vise_i_trainer_is_local(t) || !t->has_train) return VISE_OK;

  VISE_TRY(vise_i_alloc(&all, vise_ranks_size(ranks), sizeof *all, "ranks", err));
  const holding mine = {t->train.n_rows, t->steps_per_epoch};
  VISE_TRY(vise_i_ranks_pool_each(ranks, &mine, sizeof mine, all, err));
  for (size_t r = 0; r < vise_ranks_size(ranks); r++) {
    t->local.n_rows += all[r].n_rows;
    if (all[r].n_batches > most) most = all[r].n_batches;
  }

  if (t->steps_per_epoch < most) { /* its rows come again */
    t->steps_per_epoch = most;
    t->n_per_epoch = (size_t)most * t->batch;
  }
  t->local.n_laps = (t->n_per_epoch + t->train.n_rows - 1) / t->train.n_rows;
  VISE_TRY(hash_rows(t, err));

done:
  free(all);
  return status;
}

/* ---- when the ranks meet ------------------------------------------------------------------------------------------- */

/* The next step of this kind from `step` on, or `nearest` if that is sooner. */
static uint64_t sooner(uint64_t when, uint64_t step, uint64_t nearest) {
  return when > step && when - step < nearest ? when - step : nearest;
}

uint64_t vise_i_local_steps(const vise_trainer *t) {
  const vise_train_config *config = &t->config;
  const uint64_t step = t->state.step, every = config->sync_every;
  if (!vise_i_trainer_is_local(t)) return UINT64_MAX;

  uint64_t n = sooner(config->steps, step, every - step % every);
  const bool has_op = config->weight_op.kind != VISE_WEIGHT_OP_NONE && config->weight_op_at == VISE_AT_STEP;
  return has_op ? sooner(config->weight_op_when, step, n) : n;
}

bool vise_i_local_meets(const vise_trainer *t, uint64_t step, uint64_t step_in_epoch) {
  if (!vise_i_trainer_is_local(t)) return false;
  return step_in_epoch == t->steps_per_epoch || step - t->state.step == vise_i_local_steps(t);
}

bool vise_i_local_is_met(const vise_trainer *t) {
  const vise_i_train_state *s = &t->state;
  return !vise_i_trainer_is_local(t) || s->steps_in_epoch == 0 || s->step % t->config.sync_every == 0;
}

/* ---- the mean ------------------------------------------------------------------------------------------------------ */

/* The arrays of state that the mean is taken of, one after another; and, last, beta1^t and beta2^t, which correct moments that
   begin at 0: those of a mean are the mean of theirs. */
enum { N_STATES = 3, N_POWERS = 2 };
static const vise_i_state states[N_STATES] = {VISE_I_PARAMS, VISE_I_MOMENT1, VISE_I_MOMENT2};

typedef struct meeting {
  vise_trainer *t;
  void *own;      /* one array of the backend's type */
  double *values; /* [n]: sums of rows times values */
  double *room;
  size_t n;
} meeting;

static bool has(const meeting *m, size_t i) {
  return m->t->ops->has_state(m->t->backend, states[i]);
}

static vise_status begin_mean(meeting *m, vise_error *err) {
  vise_status status;
  vise_trainer *t = m->t;
  for (size_t i = 0; i < N_STATES; i++) m->n += has(m, i) ? vise_i_state_n(t->net, states[i]) : 0;
  m->n += N_POWERS;

  VISE_TRY(vise_i_alloc(&m->own, t->net->n_values, vise_dtype_size(t->ops->dtype), "weights", err));
  VISE_TRY(vise_i_alloc(&m->values, m->n, sizeof *m->values, "weights", err));
  VISE_TRY(vise_i_ranks_sum_room(t->config.ranks, m->n, &m->room, err));
done:
  return status;
}

/* In float64, where rows times a float32 is exact, as is the mean of equal ones. */
static vise_status weigh(meeting *m, vise_error *err) {
  vise_status status = VISE_OK;
  vise_trainer *t = m->t;
  const double n_rows = (double)t->train.n_rows;
  double *to = m->values;

  for (size_t i = 0; i < N_STATES; i++) {
    const size_t n = vise_i_state_n(t->net, states[i]);
    const vise_array own = vise_array_of(m->own, t->ops->dtype, 1, n);
    if (!has(m, i)) continue;
    VISE_TRY(t->ops->get_state(t->backend, states[i], m->own, err));
    for (size_t k = 0; k < n; k++) to[k] = n_rows * vise_i_array_get(&own, 0, k);
    to += n;
  }
  const vise_i_counters counters = t->ops->get_counters(t->backend);
  to[0] = n_rows * counters.beta1_t;
  to[1] = n_rows * counters.beta2_t;

done:
  return status;
}

static vise_status take_mean(meeting *m, vise_error *err) {
  vise_status status = VISE_OK;
  vise_trainer *t = m->t;
  const double n_rows = (double)t->local.n_rows;
  const double *from = m->values;

  for (size_t i = 0; i < N_STATES; i++) {
    const size_t n = vise_i_state_n(t->net, states[i]);
    if (!has(m, i)) continue;
    for (size_t k = 0; k < n; k++) {
      if (t->ops->dtype == VISE_F64) {
        ((double *)m->own)[k] = from[k] / n_rows;
      } else {
        ((float *)m->own)[k] = (float)(from[k] / n_rows);
      }
    }
    VISE_TRY(t->ops->set_state(t->backend, states[i], m->own, err));
    from += n;
  }

  vise_i_counters counters = t->ops->get_counters(t->backend);
  counters.beta1_t = from[0] / n_rows;
  counters.beta2_t = from[1] / n_rows;
  t->ops->set_counters(t->backend, &counters);

  /* Rounding may leave a bound that all weights keep. */
  const vise_i_hyper hyper = vise_i_trainer_last_hyper(t);
  VISE_TRY(t->ops->project(t->backend, &hyper, err));
done:
  return status;
}

/* What a rank has seen of the epoch since the last meeting (the first one: since its beginning), and steps that were taken. */
typedef struct seen {
  vise_i_epoch_sums sums;
  uint64_t applied_steps;
} seen;

static vise_status pool_sums(vise_trainer *t, seen *all, vise_error *err) {
  vise_ranks *ranks = t->config.ranks;
  vise_i_train_state *s = &t->state;
  vise_i_counters counters = t->ops->get_counters(t->backend);
  const seen mine = {s->current, counters.applied_steps};
  const vise_status status = vise_i_ranks_gather(ranks, &mine, sizeof mine, all, err);
  if (status != VISE_OK) return status;

  s->current = (vise_i_epoch_sums){0};
  for (size_t r = 0; r < vise_ranks_size(ranks); r++) {
    s->current.loss += all[r].sums.loss;
    s->current.rows += all[r].sums.rows;
    s->current.correct += all[r].sums.correct;
    if (all[r].applied_steps > counters.applied_steps) counters.applied_steps = all[r].applied_steps;
  }
  t->ops->set_counters(t->backend, &counters);

  const bool epoch_ended = s->steps_in_epoch == t->steps_per_epoch;
  if (!epoch_ended && !vise_i_ranks_is_first(ranks)) s->current = (vise_i_epoch_sums){0};
  return VISE_OK;
}

vise_status vise_i_local_mean(vise_trainer *t, vise_status status, vise_error *err) {
  meeting m = {.t = t};
  seen *all = NULL;
  vise_ranks *ranks = t->config.ranks;

  /* Before the ranks meet, so that what is lacking on one is told to all. */
  if (status == VISE_OK) status = vise_i_alloc(&all, vise_ranks_size(ranks), sizeof *all, "ranks", err);
  if (status == VISE_OK) status = begin_mean(&m, err);
  if (status == VISE_OK) status = weigh(&m, err);
  VISE_TRY(vise_ranks_agree(ranks, status, err));

  VISE_TRY(vise_i_ranks_sum(ranks, m.values, m.n, m.room, err));
  VISE_TRY(pool_sums(t, all, err));
  VISE_TRY(take_mean(&m, err));

done:
  free(all);
  free(m.own);
  free(m.values);
  free(m.room);
  return status;
}

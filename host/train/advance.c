/* Steps on the training data: the order of the rows, epochs, counts, and weight operations when due. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/train/local.h"
#include "host/train/quantize.h"

/* Of a rank that has fewer batches than another, an epoch is made of several orders of its rows. */
static void make_order(vise_trainer *t, const vise_i_order_key *key) {
  const size_t n_laps = t->local.n_laps > 0 ? t->local.n_laps : 1;
  for (size_t lap = 0; lap < n_laps; lap++) {
    vise_i_order_key of_lap = *key;
    of_lap.epoch = key->epoch * n_laps + lap;
    vise_i_order_make(&of_lap, t->order + lap * t->train.n_rows);
  }
}

/* Gives the backend the row order of this epoch. */
static vise_status ensure_order(vise_trainer *t, vise_error *err) {
  if (t->order_is_set && t->order_epoch == t->state.epoch) return VISE_OK;
  if (!t->config.shuffle && t->order_is_set) {
    t->order_epoch = t->state.epoch;
    return VISE_OK;
  }

  vise_status status = VISE_OK;
  const vise_i_order_key key = {&t->train, t->config.shuffle, t->config.seed, t->state.epoch};
  const size_t *order = t->order;
  if (t->orders != NULL) {
    status = vise_i_orders_get(t->orders, &key, &order, err);
  } else {
    make_order(t, &key);
  }
  if (status == VISE_OK) status = t->ops->set_order(t->backend, order, t->n_per_epoch, err);
  if (status != VISE_OK) return status;
  t->order_is_set = true;
  t->order_epoch = t->state.epoch;
  return VISE_OK;
}

static void add_to_record(vise_i_record_sums *sums, const vise_step_stats *stats) {
  sums->steps++;
  sums->skipped += stats->skipped;
  if (stats->skipped) return;

  sums->norm_clipped += stats->norm_clipped;
  sums->clipped_values += stats->n_clipped_values;
  sums->penalty += stats->penalty;
  sums->grad_norm += stats->grad_norm;
  sums->grad_norm_clipped += stats->grad_norm_clipped;
}

void vise_i_trainer_count(vise_trainer *trainer, const vise_step_stats *stats, bool in_epoch) {
  vise_i_train_state *s = &trainer->state;

  s->step++;
  if (stats->skipped) {
    if (s->n_skipped == 0) {
      s->first_skip_step = s->step;
      s->first_bad_tensor = stats->bad_tensor;
    }
    s->n_skipped++;
  } else {
    /* Clipping in a step that was not taken does not count. */
    s->n_clipped_values += stats->n_clipped_values;
    if (stats->norm_clipped) s->n_norm_clipped++;
  }

  if (in_epoch) {
    add_to_record(&s->since_record, stats);
    s->steps_in_epoch++;
    if (!stats->skipped) {
      s->current.loss += (double)stats->n_rows * stats->loss;
      s->current.rows += (double)stats->n_rows;
      s->current.correct += stats->n_correct;
    }
  }

  trainer->last_stats = *stats;
  trainer->has_stepped = true;
}

vise_metrics vise_i_epoch_metrics(const vise_trainer *trainer, const vise_i_epoch_sums *sums) {
  vise_metrics metrics = vise_i_metrics_none();
  metrics.n_rows = (size_t)sums->rows;
  if (!(sums->rows > 0)) return metrics;
  metrics.loss = sums->loss / sums->rows;
  if (vise_i_loss_classifies(trainer->config.loss)) metrics.accuracy = (double)sums->correct / sums->rows;
  return metrics;
}

static bool weight_op_is_due(const vise_trainer *t, bool skipped, bool epoch_ended) {
  const vise_train_config *config = &t->config;
  if (config->weight_op.kind == VISE_WEIGHT_OP_NONE) return false;
  switch (config->weight_op_at) {
    case VISE_AT_STEP:
      return t->state.step == config->weight_op_when;
    case VISE_AT_EPOCH:
      return epoch_ended && t->state.epoch == config->weight_op_when;
    default:
      return !skipped; /* a skipped step leaves the weights bit-identical */
  }
}

vise_status vise_i_trainer_apply_weight_op(vise_trainer *trainer, bool skipped, bool epoch_ended, vise_error *err) {
  if (!weight_op_is_due(trainer, skipped, epoch_ended)) return VISE_OK;

  vise_status status;
  vise_trainer *t = trainer;
  void *params = NULL;
  uint8_t *mask = NULL;
  vise_weight_op op = t->config.weight_op;
  double m[VISE_MAX_LAYERS];

  VISE_TRY(vise_i_alloc(&params, vise_i_trainer_n_bytes(t), 1, "weights", err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, params, err));
  if (op.kind == VISE_PRUNE) {
    VISE_TRY(vise_i_alloc(&mask, t->net->n_params, 1, "mask", err));
    VISE_TRY(t->ops->get_state(t->backend, VISE_I_MASK, mask, err));
  }

  const bool freezes = t->config.weight_op_at == VISE_AT_EVERY && op.frozen_m == NULL &&
                       (op.kind == VISE_REL_CLIP || op.kind == VISE_REL_DROP_LARGE);
  if (freezes) {
    /* Recomputed at every step, m would shrink the weights as t^k. */
    if (!t->state.has_frozen_m) vise_i_weight_op_max_abs(t->net, t->ops->dtype, params, m);
    op.frozen_m = t->state.has_frozen_m ? t->state.frozen_m : m;
  }

  const vise_i_weights weights = {t->net, t->ops->dtype, params, mask};
  VISE_TRY(vise_i_weight_op_apply(&weights, &op, NULL, err));
  if (freezes && !t->state.has_frozen_m) {
    memcpy(t->state.frozen_m, m, t->net->n_layers * sizeof(double));
    t->state.has_frozen_m = true;
  }

  VISE_TRY(t->ops->set_state(t->backend, VISE_I_PARAMS, params, err));
  if (mask != NULL) {
    VISE_TRY(t->ops->set_state(t->backend, VISE_I_MASK, mask, err));
    t->has_mask = true;
  }

  const vise_i_hyper hyper = vise_i_trainer_last_hyper(t);
  VISE_TRY(t->ops->project(t->backend, &hyper, err));

done:
  free(params);
  free(mask);
  return status;
}

/* How many of n_steps may go to the backend at once. */
static size_t segment(const vise_trainer *t, size_t n_steps) {
  const vise_i_train_state *s = &t->state;
  const vise_train_config *config = &t->config;
  size_t n = n_steps < t->segment_steps ? n_steps : t->segment_steps;
  if (t->steps_per_epoch - s->steps_in_epoch < n) n = (size_t)(t->steps_per_epoch - s->steps_in_epoch);
  if (vise_i_trainer_steps_to_refit(t) < n) n = (size_t)vise_i_trainer_steps_to_refit(t);
  if (vise_i_local_steps(t) < n) n = (size_t)vise_i_local_steps(t);

  if (config->weight_op.kind == VISE_WEIGHT_OP_NONE || n == 0) return n;
  if (config->weight_op_at == VISE_AT_EVERY) return 1;
  if (config->weight_op_at == VISE_AT_STEP && s->step < config->weight_op_when &&
      config->weight_op_when - s->step < n) {
    n = (size_t)(config->weight_op_when - s->step);
  }

  return n;
}

vise_status vise_i_trainer_begin_steps(vise_trainer *trainer, size_t n_steps, vise_i_steps *out, vise_error *err) {
  vise_status status;
  vise_trainer *t = trainer;
  if (!t->has_train) VISE_TRY(vise_i_fail(err, VISE_ERR_STATE, "the trainer was made without training data"));
  VISE_TRY(ensure_order(t, err));

  const size_t n = segment(t, n_steps);
  for (size_t i = 0; i < n; i++) t->hyper[i] = vise_i_trainer_hyper_ahead(t, i);
  *out = (vise_i_steps){(size_t)t->state.steps_in_epoch * t->batch, t->batch, n, t->hyper, t->stats};

done:
  return status;
}

/* Takes the training loss of the epoch that just ended, for stop_stall. */
static void note_stall(vise_trainer *trainer) {
  vise_i_train_state *s = &trainer->state;
  const double loss = vise_i_epoch_metrics(trainer, &s->last).loss;
  if (!(loss < s->stall_loss - trainer->config.min_delta)) return;
  s->stall_loss = loss;
  s->stall_epoch = s->epoch;
}

vise_status vise_i_trainer_end_steps(vise_trainer *trainer, vise_status status, vise_error *err) {
  vise_i_train_state *s = &trainer->state;
  const bool ended = s->steps_in_epoch == trainer->steps_per_epoch;
  if (ended) {
    s->last = s->current;
    memset(&s->current, 0, sizeof(s->current));
    s->steps_in_epoch = 0;
    s->epoch++;
    note_stall(trainer);
  }
  if (status == VISE_OK) status = vise_i_trainer_apply_weight_op(trainer, trainer->last_stats.skipped, ended, err);
  if (status == VISE_OK) status = vise_i_trainer_refit(trainer, err);
  return status;
}

vise_status vise_i_trainer_advance(vise_trainer *trainer, size_t n_steps, size_t *n_done, vise_error *err) {
  vise_trainer *t = trainer;
  vise_i_steps steps = {.n = 0};
  size_t done_steps = 0;

  vise_status status = vise_i_trainer_begin_steps(t, n_steps, &steps, err);
  if (status == VISE_OK && steps.n > 0) {
    const bool meets = vise_i_local_meets(t, t->state.step + steps.n, t->state.steps_in_epoch + steps.n);
    memset(t->stats, 0, steps.n * sizeof(*t->stats));
    status = t->ops->run(t->backend, &steps, &done_steps, err);

    for (size_t i = 0; i < done_steps; i++) {
      t->stats[i].step = t->state.step + 1;
      t->stats[i].epoch = t->state.epoch + 1;
      vise_i_trainer_count(t, &t->stats[i], true);
    }
    if (meets) status = vise_i_local_mean(t, status, err);
    status = vise_i_trainer_end_steps(t, status, err);
  }

  *n_done = done_steps;
  return status;
}

vise_status vise_trainer_step_sized(size_t stats_bytes, vise_trainer *trainer, size_t n_steps, vise_step_stats *stats,
                                    size_t *n_done, vise_error *err) {
  vise_status status = VISE_OK;
  size_t total = 0;
  if (n_done != NULL) *n_done = 0; /* also when the call is refused */
  VISE_ENTER_TRAINER(err, trainer);

  while (status == VISE_OK && total < n_steps) {
    size_t now = 0;
    status = vise_i_trainer_advance(trainer, n_steps - total, &now, err);
    if (stats != NULL) {
      char *next = (char *)stats + total * stats_bytes;
      vise_i_struct_give_array(next, stats_bytes, trainer->stats, sizeof(*trainer->stats), now);
    }
    total += now;
  }

  if (n_done != NULL) *n_done = total;
  return vise_i_trainer_note(trainer, status, err);
}

vise_status(vise_trainer_step)(vise_trainer *trainer, size_t n_steps, vise_step_stats *stats, size_t *n_done,
                               vise_error *err) {
  return vise_trainer_step_sized(VISE_I_FIRST_STATS_BYTES, trainer, n_steps, stats, n_done, err);
}

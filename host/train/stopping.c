#include "host/train/stopping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/projection.h"
#include "host/base/memory.h"
#include "host/train/quantize.h"

static double param_at(const vise_trainer *t, const void *params, size_t i) {
  return vise_i_param_get(t->ops->dtype, params, i);
}

/* v <- v min(1, R/||v||); the norm by the largest entry, so that no square overflows. */
static void bound_norm(double max_norm, double *v, size_t n) {
  double largest = 0, sum = 0;
  for (size_t i = 0; i < n; i++) largest = fabs(v[i]) > largest ? fabs(v[i]) : largest;
  if (largest == 0) return;
  for (size_t i = 0; i < n; i++) sum += (v[i] / largest) * (v[i] / largest);
  const double norm = largest * sqrt(sum);
  if (norm <= max_norm) return;
  for (size_t i = 0; i < n; i++) v[i] *= max_norm / norm;
}

/* P on v [n_params] in place, without the mask. */
static void project(const vise_trainer *t, double *v) {
  const double factor = vise_i_trainer_last_hyper(t).row_l1_factor;
  for (size_t k = 0; k < t->net->n_tensors; k++) {
    const vise_i_tensor *tensor = &t->net->tensors[k];
    const vise_i_box box = vise_i_trainer_box(t, tensor);
    const vise_i_row_ball ball = vise_i_tensor_ball(&t->spec, tensor);
    double *w = v + tensor->offset;
    for (size_t i = 0; i < vise_i_tensor_n(tensor); i++)
      w[i] = w[i] < box.lo ? box.lo : (w[i] > box.hi ? box.hi : w[i]);

    vise_i_bound_rows(&ball, factor, tensor, w);
    if (!(t->spec.rule.max_norm > 0) || tensor->is_bias) continue;
    const bool by_row = t->spec.rule.max_norm_scope == VISE_MAX_NORM_UNIT;
    const size_t n_groups = by_row ? tensor->n_rows : 1;
    const size_t n_each = by_row ? tensor->n_cols : vise_i_tensor_n(tensor);
    for (size_t i = 0; i < n_groups; i++) bound_norm(t->spec.rule.max_norm, w + i * n_each, n_each);
  }
}

/* g_i = 0 where the L1 subgradient at w_i = 0 contains 0. There sign(w_i) = 0, so that g_i has no L1 term. */
static void zero_where_l1_holds(const vise_trainer *t, const void *params, double *g) {
  for (size_t k = 0; k < t->net->n_tensors; k++) {
    const vise_i_tensor *tensor = &t->net->tensors[k];
    const bool penalized = !tensor->is_bias || t->spec.rule.penalize_bias;
    if (!(t->spec.rule.k1 > 0) || !penalized) continue;
    for (size_t i = tensor->offset; i < tensor->offset + vise_i_tensor_n(tensor); i++) {
      if (param_at(t, params, i) == 0 && fabs(g[i]) <= t->spec.rule.k1) g[i] = 0;
    }
  }
}

vise_status vise_i_projected_gradient(vise_trainer *trainer, double *out, vise_error *err) {
  vise_status status;
  vise_trainer *t = trainer;
  void *params = NULL;
  double *v = NULL;
  uint8_t *mask = NULL;
  const size_t n = t->net->n_params;

  VISE_TRY(vise_i_alloc(&params, vise_i_trainer_n_bytes(t), 1, "weights", err));
  VISE_TRY(vise_i_alloc(&v, n, sizeof(double), "the gradient", err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, params, err));
  const vise_i_batch batch = {.data = &t->train.data, .rows = t->train.rows, .n = t->train.n_rows, .keeps_all = true};
  VISE_TRY(t->ops->full_gradient(t->backend, &batch, v, NULL, NULL, err));

  if (t->has_mask) {
    VISE_TRY(vise_i_alloc(&mask, n, 1, "mask", err));
    VISE_TRY(t->ops->get_state(t->backend, VISE_I_MASK, mask, err));
  }

  zero_where_l1_holds(t, params, v);
  for (size_t i = 0; i < n; i++) {
    v[i] = param_at(t, params, i) - v[i];
    if (mask != NULL && (mask[i] == 0 || v[i] * vise_i_mask_sign(mask[i]) < 0)) v[i] = 0;
  }
  project(t, v);

  double largest = 0;
  for (size_t i = 0; i < n; i++) {
    const double distance = fabs(v[i] - param_at(t, params, i));
    if (!(distance <= largest)) largest = distance;
    if (isnan(largest)) break;
  }
  *out = largest;

done:
  free(params);
  free(v);
  free(mask);
  return status;
}

double vise_i_patience_watched(const vise_trainer *trainer, const vise_metrics *validation) {
  const bool by_score = trainer->config.patience_by == VISE_PATIENCE_BY_SCORE;
  return by_score ? -vise_i_metrics_score(validation) : validation->loss;
}

vise_status vise_i_patience_update(vise_trainer *trainer, const vise_metrics *validation, vise_error *err) {
  vise_status status = VISE_OK;
  vise_trainer *t = trainer;
  const double watched = vise_i_patience_watched(t, validation);
  if (!t->has_validation || !(watched < t->state.best_loss - t->config.min_delta)) return VISE_OK;

  if (t->config.patience > 0) {
    if (t->best_params == NULL) VISE_TRY(vise_i_alloc(&t->best_params, vise_i_trainer_n_bytes(t), 1, "weights", err));
    VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, t->best_params, err));
    free(t->best_scales);
    t->best_scales = NULL;
    VISE_TRY(vise_i_trainer_copy_scales(t, &t->best_scales, err));
  }
  t->state.best_loss = watched;
  t->state.best_epoch = t->state.epoch;
done:
  return status;
}

vise_status vise_i_stop_check(vise_trainer *trainer, vise_stop_reason *out, vise_error *err) {
  const vise_train_config *config = &trainer->config;
  const vise_i_train_state *s = &trainer->state;
  vise_stop_reason reason = VISE_STOP_NONE;

  if (config->stop_after_epoch > 0 && s->epoch >= config->stop_after_epoch) reason = VISE_STOP_AFTER_EPOCH;
  if (config->epochs > 0 && s->epoch >= config->epochs) reason = VISE_STOP_EPOCHS;
  if (config->steps > 0 && s->step >= config->steps) reason = VISE_STOP_STEPS;

  if (s->epoch > 0 && s->steps_in_epoch == 0) {
    if (config->patience > 0 && s->epoch - s->best_epoch >= config->patience) reason = VISE_STOP_PATIENCE;
    if (config->stop_stall > 0 && s->epoch - s->stall_epoch >= config->stop_stall) reason = VISE_STOP_STALL;
    if (config->stop_projected_gradient > 0) {
      double distance = NAN;
      const vise_status status = vise_i_projected_gradient(trainer, &distance, err);
      if (status != VISE_OK) return status;
      if (distance <= config->stop_projected_gradient) reason = VISE_STOP_PROJECTED_GRADIENT;
    }
    if (config->stop_loss_on && vise_i_epoch_metrics(trainer, &s->last).loss <= config->stop_loss) {
      reason = VISE_STOP_LOSS;
    }
  }

  *out = reason;
  return VISE_OK;
}

bool vise_i_stop_is_possible(const vise_train_config *config) {
  return config->epochs > 0 || config->steps > 0 || config->stop_after_epoch > 0 || config->patience > 0 ||
         config->stop_loss_on || config->stop_stall > 0 || config->stop_projected_gradient > 0;
}

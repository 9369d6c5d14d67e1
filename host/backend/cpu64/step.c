/* One step in the order of docs/step.md, and what happens when numbers are not finite. */
#include <math.h>
#include <string.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/backend/nonfinite.h"
#include "host/backend/projection.h"

static uint64_t count_nonfinite(const vise_i_cpu64 *b, size_t tensor) {
  const vise_i_tensor *info = &b->net->tensors[tensor];
  const double *g = b->grad + info->offset;
  uint64_t count = 0;
  for (size_t i = 0; i < info->n_rows * info->n_cols; i++) count += !isfinite(g[i]);
  return count;
}

/* First tensor of grad with a non-finite entry, or -1. */
static int first_bad_tensor(const vise_i_cpu64 *b) {
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    if (count_nonfinite(b, t) > 0) return (int)t;
  }
  return -1;
}

/* Steps 3 to 6: counts, penalties and clips, all on b->grad; fills their part of stats. */
static void shape_gradient(vise_i_cpu64 *b, const vise_i_hyper *hyper, vise_step_stats *stats) {
  bool with_l1 = !b->rule->prox_l1;

  memset(b->host.base.tensor_stats, 0, sizeof b->host.base.tensor_stats);
  for (size_t t = 0; t < b->net->n_tensors; t++) {
    b->host.base.tensor_stats[t].n_nonfinite = count_nonfinite(b, t);
    stats->n_nonfinite += b->host.base.tensor_stats[t].n_nonfinite;
  }
  stats->bad_tensor = first_bad_tensor(b);

  if (b->rule->clip_scope == VISE_CLIP_SCOPE_TOTAL) {
    vise_i_cpu64_add_penalty_gradient(b, with_l1, b->grad);
    if (stats->bad_tensor < 0) stats->bad_tensor = first_bad_tensor(b);
  }

  vise_i_cpu64_clip_value(b, hyper->clip_factor);
  for (size_t t = 0; t < b->net->n_tensors; t++)
    stats->n_clipped_values += b->host.base.tensor_stats[t].n_clipped_values;
  stats->grad_norm = vise_i_cpu64_norm2(b->grad, b->net->n_params);
  stats->norm_clipped = vise_i_cpu64_clip_norm(b, hyper->clip_factor);
  stats->grad_norm_clipped = vise_i_cpu64_norm2(b->grad, b->net->n_params);

  if (b->rule->clip_scope == VISE_CLIP_SCOPE_DATA) {
    vise_i_cpu64_add_penalty_gradient(b, with_l1, b->grad);
    if (stats->bad_tensor < 0) stats->bad_tensor = first_bad_tensor(b);
  }
}

/* The running statistics of batch norms, which follow applied steps. */
static void track(vise_i_cpu64 *b, size_t n_rows) {
  for (size_t i = 0; i < b->net->n_listed; i++) {
    const vise_i_layer *layer = &b->net->layers[i];
    if (layer->kind != VISE_LAYER_BATCH_NORM) continue;
    vise_i_ref64_track(b->net, layer, b->statistics[layer->block], n_rows, b->params);
  }
}

vise_status vise_i_cpu64_step(vise_i_cpu64 *b, const vise_i_batch *batch, const vise_i_hyper *hyper,
                              vise_step_stats *stats, vise_error *err) {
  vise_status status = VISE_OK;
  vise_step_stats s = {.n_rows = batch->n, .lr = hyper->lr, .bad_tensor = -1};

  vise_i_batch now = *batch;
  now.step = hyper->step;
  VISE_TRY(vise_i_cpu64_gradient(b, &now, &(vise_i_cpu64_result){b->grad, &s.loss, &s.n_correct}, err));
  if (batch->delta) s.loss = batch->external_loss;
  s.penalty = vise_i_cpu64_penalty(b);
  shape_gradient(b, hyper, &s);

  /* Step 7: decided before any state is written. */
  const bool finite = isfinite(s.loss) && isfinite(s.grad_norm) && s.bad_tensor < 0;
  s.skipped = vise_i_must_skip(b->rule, finite);
  vise_i_count_step(b->rule, &b->host.counters, s.skipped);

  if (s.skipped) {
    status = vise_i_after_skip(b->spec, b->host.counters.consecutive_skips, &s, err);
  } else {
    vise_i_cpu64_update(b, hyper->lr);
    track(b, batch->n);
    vise_i_cpu64_apply_mask(b);
    vise_i_cpu64_project(b, hyper);
    vise_i_cpu64_round(b, true);
    if (b->spec->assert_projection) {
      const vise_array weights = vise_array_of(b->params, VISE_F64, 1, b->net->n_params);
      const vise_array used = vise_array_of(b->used, VISE_F64, 1, b->net->n_params);
      VISE_TRY(vise_i_verify_projection(b->spec, &weights, b->mask, hyper, err));
      VISE_TRY(vise_i_verify_rounding(b->spec, b->host.state[VISE_I_SCALES], &used, err));
    }
  }

  vise_i_cpu64_count_bounds(b, hyper->clamp_factor, &s);
  s.step = stats->step;
  s.epoch = stats->epoch;
  *stats = s;

done:
  return status;
}

/* One step: gradient of a batch, then the order of docs/step.md; whether to skip is decided before any write. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/nonfinite.h"
#include "host/backend/projection.h"

static vise_status check_rows(const vise_i_cpu *b, size_t n, vise_error *err) {
  if (n <= b->chunk || !vise_i_net_has_batch_norm(b->net)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: %zu rows at once with batch norm, there is room for %zu", n,
                     b->chunk);
}

vise_status vise_i_cpu_gradient(vise_i_cpu *b, const vise_i_batch *batch, double *loss, uint64_t *n_correct,
                                vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_cpu_source source = batch->data == &b->host.data ? VISE_I_CPU_BOUND : VISE_I_CPU_SINGLE;
  vise_i_cpu_rows rows = {.batch = batch, .source = source, .end = batch->n};
  double sum_loss = 0;
  uint64_t sum_correct = 0;

  VISE_TRY(check_rows(b, batch->n, err));
  if (!batch->delta) VISE_TRY(vise_i_cpu_sum_weights(b, batch, &rows.weight_sum, err));
  rows.weight_sum = vise_i_weight_divisor(rows.weight_sum);
  if (vise_i_cpu_goes_by_rows(b, batch->n)) {
    vise_i_cpu_gradient_by_rows(b, &rows, &sum_loss, &sum_correct);
  } else {
    vise_i_cpu_gradient_of_rows(b, &rows, &sum_loss, &sum_correct);
  }

  *loss = sum_loss;
  *n_correct = sum_correct;

done:
  return status;
}

vise_status vise_i_cpu_step(vise_i_cpu *b, const vise_i_batch *batch, const vise_i_hyper *hyper, vise_step_stats *stats,
                            vise_error *err) {
  vise_status status = VISE_OK;
  vise_step_stats s = {
      .step = stats->step, .epoch = stats->epoch, .n_rows = batch->n, .lr = hyper->lr, .bad_tensor = -1};

  vise_i_batch now = *batch;
  now.step = hyper->step;
  VISE_TRY(vise_i_cpu_gradient(b, &now, &s.loss, &s.n_correct, err));
  if (batch->delta) s.loss = batch->external_loss;
  const bool finite = vise_i_cpu_reduce_gradient(b, hyper, &s) && isfinite(s.loss);
  vise_i_cpu_set_box(b, hyper);
  s.skipped = vise_i_must_skip(b->rule, finite);
  vise_i_count_step(b->rule, &b->host.counters, s.skipped);

  if (s.skipped) {
    vise_i_cpu_count_bounds(b);
    status = vise_i_after_skip(b->spec, b->host.counters.consecutive_skips, &s, err);
  } else {
    vise_i_cpu_update(b, hyper);
    vise_i_cpu_track(b);
    if (b->spec->assert_projection) {
      const vise_array weights = vise_array_of(b->params, VISE_F32, 1, b->net->n_params);
      VISE_TRY(vise_i_verify_projection(b->spec, &weights, b->mask, hyper->clamp_factor, err));
    }
  }

  vise_i_cpu_sum_bounds(b, &s);
  *stats = s;

done:
  return status;
}

/* One step: gradient of a batch, then the order of docs/step.md; whether to skip is decided before any write. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/nonfinite.h"
#include "host/backend/projection.h"

void vise_i_cpu_gradient_of_rows(vise_i_backend *b, const vise_i_cpu_batch *batch, double *loss, uint64_t *n_correct) {
  for (size_t first = batch->first; first < batch->end; first += b->chunk) {
    const size_t n = batch->end - first < b->chunk ? batch->end - first : b->chunk;
    const size_t *rows = batch->rows ? batch->rows + first : NULL;
    vise_i_cpu_gather_x(b, batch->data, batch->source, rows, first, n);
    vise_i_cpu_forward(b, n);

    if (batch->delta) {
      vise_i_cpu_gather_delta(b, batch->delta, first, n);
    } else {
      double part;
      uint64_t part_correct;
      vise_i_cpu_gather_y(b, batch->data, batch->source, rows, first, n);
      vise_i_cpu_loss(b, n, batch->weight_sum, &part, &part_correct);
      *loss += part;
      *n_correct += part_correct;
    }

    vise_i_cpu_backward(b, n, first > batch->first);
  }
}

vise_status vise_i_cpu_gradient(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source,
                                const size_t *rows, size_t n, const vise_array *delta, double *loss,
                                uint64_t *n_correct, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cpu_batch batch = {data, source, rows, n, 0, n, delta, 1};
  double sum_loss = 0;
  uint64_t sum_correct = 0;

  if (!delta) VISE_TRY(vise_i_cpu_sum_weights(b, data, rows, n, &batch.weight_sum, err));
  batch.weight_sum = vise_i_weight_divisor(batch.weight_sum);
  if (vise_i_cpu_goes_by_rows(b, n)) {
    vise_i_cpu_gradient_by_rows(b, &batch, &sum_loss, &sum_correct);
  } else {
    vise_i_cpu_gradient_of_rows(b, &batch, &sum_loss, &sum_correct);
  }

  *loss = sum_loss;
  *n_correct = sum_correct;

done:
  return status;
}

vise_status vise_i_cpu_step(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source, const size_t *rows,
                            size_t n, const vise_array *delta, double external_loss, const vise_i_hyper *hyper,
                            vise_step_stats *stats, vise_error *err) {
  vise_status status = VISE_OK;
  vise_step_stats s = {.step = stats->step, .epoch = stats->epoch, .n_rows = n, .lr = hyper->lr, .bad_tensor = -1};

  VISE_TRY(vise_i_cpu_gradient(b, data, source, rows, n, delta, &s.loss, &s.n_correct, err));
  if (delta) s.loss = external_loss;
  const bool finite = vise_i_cpu_reduce_gradient(b, hyper, &s) && isfinite(s.loss);
  vise_i_cpu_set_box(b, hyper);
  s.skipped = vise_i_must_skip(&b->spec.rule, finite);
  vise_i_count_step(&b->spec.rule, &b->counters, s.skipped);

  if (s.skipped) {
    vise_i_cpu_count_bounds(b);
    status = vise_i_after_skip(&b->spec, b->counters.consecutive_skips, &s, err);
  } else {
    vise_i_cpu_update(b, hyper);
    if (b->spec.assert_projection) {
      const vise_array weights = vise_array_of(b->params, VISE_F32, 1, b->net->n_params);
      VISE_TRY(vise_i_verify_projection(&b->spec, &weights, b->mask, hyper->clamp_factor, err));
    }
  }

  vise_i_cpu_sum_bounds(b, &s);
  *stats = s;

done:
  return status;
}

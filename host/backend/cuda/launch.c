/* What goes to the device before launches and comes back after them. */
#include <math.h>
#include <string.h>

#include "host/backend/cuda/parts.h"
#include "host/backend/cuda/unfused.h"
#include "host/backend/projection.h"

vise_status vise_i_cuda_send(vise_i_cuda *b, vise_i_cuda_team *team, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_step *step = &team->step;

  team->state.cursor = 0;
  team->state.halted = 0;
  team->state.gathered = 0;
  b->cx->mail->state = team->state;

  VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync(step->state, &b->cx->mail->state, sizeof b->cx->mail->state,
                                         cudaMemcpyHostToDevice, b->cx->copies));
  VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync((void *)(uintptr_t)step->records, b->cx->mail->records,
                                         n * sizeof *b->cx->mail->records, cudaMemcpyHostToDevice, b->cx->copies));
  VISE_TRY(vise_i_cuda_await_copies(b->cx, err));

done:
  return status;
}

vise_status vise_i_cuda_launch(vise_i_cuda *b, const vise_i_cuda_team *team, const vise_k_step *step, size_t at,
                               vise_error *err) {
  vise_status status = VISE_OK;
  if (b->unfused && step->mode == VISE_K_STEP) {
    return vise_i_unfused_launch(b, step, b->cx->mail->records[at].n_rows, step->x.x != b->cx->single, err);
  }
  if (b->parts && step->mode == VISE_K_STEP) return vise_i_cuda_parts_launch(b, step, at, err);
  b->n_launched = 1;
  VISE_I_CUDA_TRY(b->cx, vise_k_step_run(team->plan.variant, step, team->plan.shared_bytes, b->cx->steps));
done:
  return status;
}

vise_status vise_i_cuda_fetch(vise_i_cuda *b, const vise_i_cuda_team *team, size_t first, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_cuda_await_launches(b->cx, err));
  VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync(b->cx->mail->stats + first, team->step.stats + first,
                                         n * sizeof *b->cx->mail->stats, cudaMemcpyDeviceToHost, b->cx->copies));
done:
  return status;
}

vise_status vise_i_cuda_receive(vise_i_cuda *b, vise_i_cuda_team *team, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_step *step = &team->step;
  VISE_TRY(vise_i_cuda_await_launches(b->cx, err));
  VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync(&b->cx->mail->state, step->state, sizeof b->cx->mail->state,
                                         cudaMemcpyDeviceToHost, b->cx->copies));
  VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));
  team->state = b->cx->mail->state;
done:
  return status;
}

vise_k_step vise_i_cuda_mode_step(const vise_i_cuda_team *team, vise_k_step_mode mode) {
  vise_i_plan plan = team->plan;
  vise_k_step step;
  plan.step = team->step;
  vise_i_plan_mode(&plan, mode, &step);
  return step;
}

vise_status vise_i_cuda_call(vise_i_cuda *b, vise_i_cuda_team *team, const vise_k_step *step, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_cuda_send(b, team, 1, err));
  VISE_TRY(vise_i_cuda_launch(b, team, step, 0, err));
  VISE_TRY(vise_i_cuda_fetch(b, team, 0, 1, err));
  VISE_TRY(vise_i_cuda_receive(b, team, err));
done:
  return status;
}

void vise_i_cuda_report(vise_i_cuda *b, const vise_k_step_stats *from, size_t n_rows, const vise_i_hyper *hyper,
                        vise_step_stats *stats) {
  vise_step_stats s = {
      .step = stats->step,
      .epoch = stats->epoch,
      .n_rows = n_rows,
      .loss = from->loss,
      .penalty = from->penalty,
      .lr = hyper->lr,
      .grad_norm = from->grad_norm,
      .grad_norm_clipped = from->grad_norm_clipped,
      .norm_clipped = from->norm_clipped != 0,
      .n_correct = from->n_correct,
      .skipped = from->skipped != 0,
      .bad_tensor = from->bad_tensor,
  };

  for (size_t t = 0; t < b->net->n_tensors; t++) {
    const vise_k_tensor_counts *n = &from->tensors[t];
    const vise_i_tensor *tensor = &b->net->tensors[t];
    b->base.tensor_stats[t] = (vise_tensor_stats){n->n_nonfinite, n->n_clipped_values, n->n_at_lo, n->n_at_hi};
    s.n_nonfinite += n->n_nonfinite;
    s.n_clipped_values += n->n_clipped_values;
    s.n_at_lo += n->n_at_lo;
    s.n_at_hi += n->n_at_hi;
    const vise_i_box box = vise_i_tensor_box(&b->base.spec, tensor, hyper->clamp_factor);
    if (isfinite((float)box.lo) || isfinite((float)box.hi)) s.n_boxed += tensor->n_rows * tensor->n_cols;
  }

  *stats = s;
}

/* Between gradient and update: whether the step is taken, and the scales of the norm clip. Every CTA comes to the same
   answers from the same numbers. */
#ifndef VISE_K_DECIDE_CUH
#define VISE_K_DECIDE_CUH

#include "kernels/sums.cuh"

/* What a CTA reports about its part of the step in every exchange: bit 0, a loss that is not finite; bits 8 to 15 (data
   alone) and 16 to 23 (with penalties), one more than the lowest tensor with a bad gradient, 0 for none. */
VISE_FN uint32_t vise_step_flags(vise_step *step) {
  const uint32_t gradient = step->bad_gradient == VISE_NO_TENSOR ? 0 : step->bad_gradient + 1;
  const uint32_t total = step->bad_total == VISE_NO_TENSOR ? 0 : step->bad_total + 1;
  return (step->loss_is_bad ? 1u : 0u) | gradient << 8 | total << 16;
}

/* One thread: joins another member's flags to this CTA's. */
VISE_FN void vise_step_join(vise_step *step, uint32_t flags) {
  const uint32_t gradient = flags >> 8 & 0xff, total = flags >> 16 & 0xff;
  if (flags & 1) atomicOr(&step->loss_is_bad, 1u);
  if (gradient) atomicMin(&step->bad_gradient, gradient - 1);
  if (total) atomicMin(&step->bad_total, total - 1);
}

/* Sum over tensors from the left. */
VISE_FN double vise_sum_of_net(vise_step *step, const double *tensors) {
  double sum = 0.0;
#pragma unroll 1
  for (uint32_t t = 0; t < vise_step_n_tensors(&step->p); t++) sum += tensors[t];
  return sum;
}

/* Sums of squares of the gradient by tensor, into this CTA's shared memory. */
VISE_FN_CALLED void vise_gradient_squares(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  if (VISE_RARE(p->sum_phase)) {
    __syncthreads();
    vise_sum_tensors(p->group_sums, step->gradient_squares);
  } else if (!VISE_RARE(!p->cells_travel)) {
    vise_sum_cells(vise_step_payloads(), step->gradient_squares);
  } else {
    vise_sum_tensors_alone(p->gradient_sums, p->sums_by_rows, (double *)vise_step_stage(), step->gradient_squares);
  }
}

/* One thread, before norms are known: the counters and Adam's corrections if the step is taken. */
VISE_FN void vise_correct_ahead(vise_step *step) {
  const vise_i_rule *rule = &step->p.rule;
  step->taken = step->state.counters;
  vise_i_count_step(rule, &step->taken, 0);
  if (vise_i_optimizer_has(rule->optimizer) & VISE_HAS_CORRECTIONS) {
    step->correct1 = (float)(1.0 / (1.0 - step->taken.beta1_t));
    step->correct2 = (float)(1.0 / (1.0 - step->taken.beta2_t));
  }
}

/* One thread: whether the step is skipped, and the state's new counters. */
VISE_FN void vise_decide_skip(vise_step *step) {
  const vise_i_rule *rule = &step->p.rule;
  const int finite = !step->loss_is_bad && step->bad_gradient == VISE_NO_TENSOR && step->bad_total == VISE_NO_TENSOR;
  vise_i_counters *counters = &step->state.counters;

  step->skip = vise_i_must_skip(rule, finite);
  if (step->skip) {
    vise_i_count_step(rule, counters, 1);
    step->state.halted = vise_i_skip_ends(rule, counters->consecutive_skips);
  } else {
    *counters = step->taken;
  }
}

/* The norm that the gradient of a tensor is clipped by: its own, or that of the net. */
VISE_FN double vise_clipped_norm(vise_step *step, uint32_t tensor) {
  const vise_i_rule *rule = &step->p.rule;
  const int global = rule->clip_norm_type == VISE_CLIP_GLOBAL;

  if (!VISE_RARE(vise_i_clips_by_max(rule))) {
    return vise_sqrt_f64(global ? vise_sum_of_net(step, step->gradient_squares) : step->gradient_squares[tensor]);
  }

  float most = step->gradient_max[tensor];
#pragma unroll 1
  for (uint32_t t = 0; global && t < vise_step_n_tensors(&step->p); t++)
    most = vise_larger(most, step->gradient_max[t]);
  return (double)most;
}

/* Sets step->skip, step->scales and the new counters of the state. vise_correct_ahead comes first. */
VISE_FN_CALLED void vise_decide(void) {
  vise_step *const step = vise_step_here();
  const vise_i_rule *rule = &step->p.rule;
  const int by_tensors = vise_i_clips_tensors(rule);

  if (by_tensors && VISE_RARE(vise_i_scales_units(rule))) {
    vise_sum_scaled_units(step->gradient_squares, step->gradient_max);
  } else if (by_tensors) {
    vise_gradient_squares();
    if (VISE_RARE(vise_i_clips_by_max(rule))) vise_max_tensors(step->gradient_max);
  }

  __syncthreads();
  if (threadIdx.x == VISE_K_STEP_THREADS - 1) vise_decide_skip(step); /* the first warp has norms to find */
  if (by_tensors && threadIdx.x < vise_step_n_tensors(&step->p)) {
    const double norm = vise_clipped_norm(step, threadIdx.x);
    step->scales[threadIdx.x] = (float)vise_i_clip_scale(rule, step->record.hyper.clip_factor, norm);
  }
  __syncthreads();
}

#endif

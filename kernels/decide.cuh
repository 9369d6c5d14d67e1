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

/* Clip factor for a gradient of the given norm: norm <= M ? 1 : M / norm; NaN propagates. */
VISE_FN_CALLED double vise_clip_scale(double norm) {
  const vise_step *const step = vise_step_here();
  const vise_k_step_options *o = &step->p.options;
  const double most = step->record.clip_factor * o->clip_norm;
  if (o->clip_norm_torch_eps) {
    const double scale = most / (norm + 1e-6);
    return scale > 1.0 ? 1.0 : scale;
  }
  return norm <= most ? 1.0 : most / norm;
}

/* Clip scale of a unit, once the sums of units are there. */
VISE_FN_CALLED double vise_unit_scale(uint32_t unit) {
  const vise_k_step *p = &vise_step_here()->p;
  return vise_clip_scale(p->options.clip_norm_inf ? (double)p->unit_max[unit] : vise_sqrt_f64(p->unit_sums[unit]));
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
  if (p->sum_phase) {
    __syncthreads();
    vise_sum_tensors(p->group_sums, step->gradient_squares);
  } else {
    vise_sum_tensors_alone(p->gradient_sums, p->sums_by_rows, (double *)vise_step_stage(), step->gradient_squares);
  }
}

/* Sets step->skip, step->scales, Adam's corrections and the new counters of the state. */
VISE_FN_CALLED void vise_decide(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_step_options *o = &p->options;
  const int by_tensors = o->clip_norm > 0.0 && o->clip_norm_type != 2;

  if (by_tensors) {
    vise_gradient_squares();
    if (o->clip_norm_inf) vise_max_tensors(step->gradient_max);
  }

  __syncthreads();
  if (threadIdx.x == 0) {
    step->skip = o->nonfinite != 2 &&
                 (step->loss_is_bad || step->bad_gradient != VISE_NO_TENSOR || step->bad_total != VISE_NO_TENSOR);

    vise_k_step_state *state = &step->state;
    if (step->skip) {
      state->consecutive_skips++;
      state->halted = o->nonfinite == 1 || state->consecutive_skips >= o->max_skips;
    } else {
      state->consecutive_skips = 0;
      state->applied_steps++;
      state->beta1_t *= o->beta1;
      state->beta2_t *= o->beta2;
      if (o->optimizer == VISE_K_ADAM) {
        step->correct1 = (float)(1.0 / (1.0 - state->beta1_t));
        step->correct2 = (float)(1.0 / (1.0 - state->beta2_t));
      }
    }
  }

  if (by_tensors && threadIdx.x < vise_step_n_tensors(p)) {
    double norm;
    if (o->clip_norm_inf) {
      uint32_t bits = vise_bits_f32(step->gradient_max[threadIdx.x]);
      if (o->clip_norm_type == 0) {
#pragma unroll 1
        for (uint32_t t = 0; t < vise_step_n_tensors(p); t++) {
          const uint32_t other = vise_bits_f32(step->gradient_max[t]);
          bits = other > bits ? other : bits;
        }
      }
      norm = (double)vise_f32_bits(bits);
    } else {
      norm = vise_sqrt_f64(o->clip_norm_type == 0 ? vise_sum_of_net(step, step->gradient_squares)
                                                  : step->gradient_squares[threadIdx.x]);
    }

    step->scales[threadIdx.x] = (float)vise_clip_scale(norm);
  }

  __syncthreads();
}

#endif

/*
 * The unfused step between gradient and update: a few numbers from many sums.
 *
 * unfused_sums_warp_per_group    sums of groups, and of units where the norm clip is by units, from those of cells
 * unfused_norms_one_cta          kF / ||W|| of each tensor; or the scale of max-norm, min(1, R / ||W||)
 * unfused_decide_one_cta         norms and scales of the gradient, whether the step is taken, statistics, counters
 *
 * Formulas    those of the fused step, by the same functions: sums.cuh, decide.cuh, walk.cuh.
 * Layout      kernels/step_types.h. decide writes context, state and the step's statistics.
 * Work        warps take groups and units in turn; the others are one CTA, which the cells of a small net or the groups
 *             of a larger one are few enough for.
 * Memory      sums once, 8 bytes a lane, coalesced; 40 KB of shared memory.
 * Numerics    float64, canonical order (kernels/canonical.h).
 * Limits      those of the plan.
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_test.c).
 */
#include "kernels/unfused.cuh"
#include "kernels/walk.cuh"

/* Beside what vise_step_context.cuh places: the groups of a small net, or the leaves of a batch. */
enum { SHARED_BYTES = VISE_K_FIXED_BYTES + VISE_K_SPLIT_BYTES + 2048 * 8 };

/* The step into shared memory, where the functions of the fused step look for it. */
VISE_FN vise_step *open_step(const vise_k_unfused *u) {
  vise_step *const step = vise_step_here();
  const uint32_t *from = (const uint32_t *)&u->step;
  uint32_t *to = (uint32_t *)&step->p;
  for (uint32_t i = threadIdx.x; i < sizeof u->step / 4; i += VISE_UNFUSED_THREADS) to[i] = from[i];
  __syncthreads();
  if (threadIdx.x == 0) {
    const vise_k_unfused_context *c = u->context;
    step->p.n_members = gridDim.x;
    step->state = *u->step.state;
    step->record = c->record;
    step->loss_is_bad = c->loss_is_bad;
    step->bad_gradient = c->bad_gradient;
    step->bad_total = c->bad_total;
    step->skip = 0;
    step->correct1 = step->correct2 = 1.0f;
  }
  __syncthreads();
  return step;
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_sums_warp_per_group(const __grid_constant__ vise_k_unfused u, uint32_t what) {
  if (!u.context->active) return;
  const vise_k_step *p = &open_step(&u)->p;
  const uint32_t first = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32, n_warps = gridDim.x * VISE_STEP_WARPS;
  if (what == VISE_K_SUM_GRADIENT) {
    vise_sum_phase();
  } else if (what == VISE_K_SUM_WEIGHTS) {
    vise_sum_groups(vise_weight_sums(p, u.context->parity, 0), 0, p->group_sums + p->n_groups, first, n_warps);
  } else {
    vise_sum_groups(p->norm_sums, 0, p->group_sums, first, n_warps);
  }
}
VISE_KERNEL(unfused_sums_warp_per_group);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_norms_one_cta(const __grid_constant__ vise_k_unfused u, int new_weights) {
  if (!u.context->active) return;
  vise_step *const step = open_step(&u);
  const vise_k_step *p = &step->p;
  const uint32_t tensor = threadIdx.x;
  if (p->sum_phase) {
    vise_sum_tensors(p->group_sums + (new_weights ? 0 : p->n_groups), step->weight_squares);
  } else {
    const double *sums = new_weights ? p->norm_sums : vise_weight_sums(p, u.context->parity, 0);
    vise_sum_tensors_alone(sums, 0, (double *)vise_step_stage(), step->weight_squares);
  }
  if (tensor >= vise_step_n_tensors(p)) return;
  if (new_weights) {
    u.context->max_norm_scales[tensor] = vise_bound_scale(p->options.max_norm, step->weight_squares[tensor]);
  } else {
    u.context->norm_strengths[tensor] = vise_norm_strength(p->options.kF, step->weight_squares[tensor]);
  }
}
VISE_KERNEL(unfused_norms_one_cta);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_decide_one_cta(const __grid_constant__ vise_k_unfused u) {
  if (!u.context->active) return;
  vise_step *const step = open_step(&u);
  vise_k_unfused_context *c = u.context;
  vise_decide();
  vise_step_report();
  if (threadIdx.x < vise_step_n_tensors(&step->p)) c->scales[threadIdx.x] = step->scales[threadIdx.x];
  if (threadIdx.x == 0) {
    vise_k_step_state *state = &step->state;
    c->skip = step->skip;
    c->correct1 = step->correct1;
    c->correct2 = step->correct2;
    state->parity ^= 1;
    state->gathered = 0;
    state->cursor++;
    *u.step.state = *state;
    if (u.step.progress) ptx_store_release_sys(u.step.progress, state->cursor);
  }
}
VISE_KERNEL(unfused_decide_one_cta);

cudaError_t vise_k_unfused_sums(const vise_k_unfused *u, vise_k_unfused_sum what, uint32_t n_sms, cudaStream_t stream) {
  const uint32_t n = u->step.sums_by_rows && u->step.n_units > u->step.n_groups ? u->step.n_units : u->step.n_groups;
  uint32_t which = (uint32_t)what;
  void *arguments[] = {(void *)u, &which};
  return vise_launch((const void *)unfused_sums_warp_per_group, vise_unfused_ctas(n, n_sms), VISE_UNFUSED_THREADS,
                     SHARED_BYTES, 0, stream, arguments);
}

cudaError_t vise_k_unfused_norms(const vise_k_unfused *u, int new_weights, cudaStream_t stream) {
  void *arguments[] = {(void *)u, &new_weights};
  return vise_launch((const void *)unfused_norms_one_cta, 1, VISE_UNFUSED_THREADS, SHARED_BYTES, 0, stream, arguments);
}

cudaError_t vise_k_unfused_decide(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_decide_one_cta, 1, VISE_UNFUSED_THREADS, SHARED_BYTES, 0, stream, arguments);
}

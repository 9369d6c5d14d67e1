/*
 * The unfused step between gradient and update: a few numbers from many sums.
 *
 * unfused_sums_warp_per_group    sums of groups, and of units where the norm clip is by units, from those of cells
 * unfused_norms_one_cta          kF / ||W|| of each tensor; or the scale of max-norm, min(1, R / ||W||)
 * unfused_decide_one_cta         norms and scales of the gradient, whether the step is taken, statistics, counters
 *
 * Formulas    those of the fused step, by the same functions: sums.cuh, decide.cuh, walk.cuh.
 * Layout      kernels/step_types.h. decide writes context, state and the step's statistics.
 * Work        warps take groups and units in turn; the others are one CTA, for there is one number to 1024 weights.
 * Memory      sums once, 8 bytes a lane, coalesced; 26 to 56 KB of shared memory.
 * Numerics    float64, canonical order (kernels/canonical.h).
 * Limits      those of the plan.
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_agreement_test.c).
 */
#define VISE_ALL_INLINE
#include "kernels/unfused.cuh"
#include "kernels/walk.cuh"

/* Scratch memory holds a number for each group, or for each thread. */
static size_t shared_bytes(uint32_t n_groups) {
  const size_t n = n_groups > VISE_UNFUSED_THREADS ? n_groups : (size_t)VISE_UNFUSED_THREADS;
  return VISE_K_FIXED_BYTES + VISE_K_SPLIT_BYTES + n * sizeof(double);
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_sums_warp_per_group(const __grid_constant__ vise_k_unfused u) {
  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;
  if (threadIdx.x == 0) step->p.n_members = gridDim.x;
  __syncthreads();
  vise_sum_phase();
}
VISE_KERNEL(unfused_sums_warp_per_group);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_norms_one_cta(const __grid_constant__ vise_k_unfused u, int new_weights) {
  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;

  const vise_k_step *p = &step->p;
  const uint32_t tensor = threadIdx.x;

  if (new_weights) {
    vise_sum_tensors_alone(p->norm_sums, vise_norms_by_rows(p), (double *)vise_step_stage(), step->weight_squares);
    if (tensor < vise_step_n_tensors(p)) {
      u.context->max_norm_scales[tensor] = vise_bound_scale(step, step->weight_squares[tensor]);
    }
  } else {
    vise_norm_strengths();
    if (tensor < vise_step_n_tensors(p)) u.context->norm_strengths[tensor] = step->norm_strengths[tensor];
  }
}
VISE_KERNEL(unfused_norms_one_cta);

/* The loss of the batch from its leaves. */
VISE_FN void report_loss(const vise_k_unfused *u, vise_step *step) {
  double loss = step->record.external_loss;
  if (step->p.rule.loss != VISE_LOSS_EXTERNAL) {
    const double sum = vise_sum_tree_cta(u->loss_leaves, vise_n_leaves(step->record.n_rows), step->tree);
    loss = sum / step->record.denominator;
  }
  if (threadIdx.x == 0) step->loss = loss;
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_decide_one_cta(const __grid_constant__ vise_k_unfused u) {
  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;
  vise_k_unfused_context *c = u.context;

  if (threadIdx.x == 0) {
    step->state = *u.step.state;
    step->loss_is_bad = c->loss_is_bad;
    step->bad_gradient = c->bad_gradient;
    step->bad_total = c->bad_total;
  }
  __syncthreads();

  report_loss(&u, step);
  vise_batch_penalty();
  if (threadIdx.x == 0) vise_correct_ahead(step);
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
  }
}
VISE_KERNEL(unfused_decide_one_cta);

cudaError_t vise_k_unfused_prepare(void) {
  const void *const kernels[] = {(const void *)unfused_sums_warp_per_group, (const void *)unfused_norms_one_cta,
                                 (const void *)unfused_decide_one_cta};
  for (int i = 0; i < 3; i++) {
    const cudaError_t error = cudaFuncSetAttribute(kernels[i], cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                   (int)shared_bytes(VISE_MOST_GROUPS));
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t vise_k_unfused_sums(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream) {
  const uint32_t n = u->step.sums_by_rows && u->step.n_units > u->step.n_groups ? u->step.n_units : u->step.n_groups;
  void *arguments[] = {(void *)u};
  return vise_launch(
      (const void *)unfused_sums_warp_per_group,
      {vise_unfused_ctas((n + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS, n_sms), VISE_UNFUSED_THREADS, shared_bytes(0), 0},
      stream, arguments);
}

cudaError_t vise_k_unfused_norms(const vise_k_unfused *u, int new_weights, cudaStream_t stream) {
  void *arguments[] = {(void *)u, &new_weights};
  return vise_launch((const void *)unfused_norms_one_cta, {1, VISE_UNFUSED_THREADS, shared_bytes(u->step.n_groups), 0},
                     stream, arguments);
}

cudaError_t vise_k_unfused_decide(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_decide_one_cta, {1, VISE_UNFUSED_THREADS, shared_bytes(u->step.n_groups), 0},
                     stream, arguments);
}

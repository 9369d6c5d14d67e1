/*
 * The kernel of many teams in one launch. A source file sets what kernels/step_kernel.cuh wants, VISE_STEP_TEAMS 1 and
 * VISE_STEP_CTAS, how many CTAs a multiprocessor should hold, and includes this once.
 *
 * Formula     that of kernels/step_kernel.cuh, for each team by itself.
 * Layout      kernels/teams.h. A team reads its step and its record, and writes the arrays of its own net and its own
 *             result; data and orders, which only are read, may be those of other teams too.
 * Work        team = CTA / n_members, member = CTA % n_members. A team never waits for another one.
 * Memory      that of the step; nothing is written for a step but the sums of its team, which stay in shared memory.
 * Numerics    the bits of a team are those of the same net alone, whatever n_members, whichever teams run beside it.
 * Limits      n_members a power of 2 up to 8. Steps, outputs and projections; no gradients, no external loss.
 * Oracle      the single kernels, bit for bit (tests/gpu/group_test.c).
 *
 * Other than there, near tiles are loaded once (kernels/gradient.cuh), and each step ends with an exchange before which
 * the CTAs have added their counts, so that the CTA that reports can add them to the sums before the next step.
 */
#ifndef VISE_K_TEAMS_KERNEL_CUH
#define VISE_K_TEAMS_KERNEL_CUH

#include "kernels/step_kernel.cuh"

/* Step, state and sums of the team to shared memory, with what the launch says of them. */
VISE_FN void vise_team_load(vise_step *step, const vise_k_teams *given) {
  const uint32_t team = blockIdx.x / given->n_members;
  const vise_k_team *t = &given->teams[team];
  vise_k_team_result *result = &given->results[team];

  if (threadIdx.x < sizeof(vise_k_step_state) / 8) {
    ((uint64_t *)&step->state)[threadIdx.x] = ((const uint64_t *)&t->state)[threadIdx.x];
  }
  vise_step_copy(step, &given->steps[t->step]);
  __syncthreads();

  if (threadIdx.x == 0) {
    vise_k_step *p = &step->p;
    p->n_steps = t->n_steps;
    p->records = t->records;
    p->order = t->order;
    p->row_weights = t->row_weights;
    p->labels = (uint8_t)t->labels;
    p->state = &result->state;
    p->stats = &result->last;
  } else if (threadIdx.x == 32) {
    step->p.x = t->x;
    step->p.y = t->y;
  } else if (threadIdx.x == 64) {
    step->sums = t->sums;
  }
  vise_step_prepare(step);
  __syncthreads();
}

/* Adds the step to the sums, in the CTA that reports, once all CTAs have added their counts. By one warp. */
VISE_FN void vise_team_count(vise_step *step) {
  const vise_k_step_stats *stats = vise_step_stats(step);
  vise_k_sums *sums = &step->sums;
  uint32_t n_clipped = 0;

  if (threadIdx.x < 32) {
#pragma unroll 1
    for (uint32_t tensor = threadIdx.x; tensor < step->p.n_tensors; tensor += 32) {
      n_clipped += stats->tensors[tensor].n_clipped_values;
    }
    n_clipped = __reduce_add_sync(0xffffffffu, n_clipped);
  }

  if (threadIdx.x == 0) {
    sums->n_steps++;
    if (stats->skipped) {
      if (sums->n_skipped == 0) {
        sums->first_skip = sums->n_steps;
        sums->first_bad_tensor = stats->bad_tensor;
      }
      sums->n_skipped++;
    } else {
      const double n_rows = (double)step->record.n_rows;
      sums->loss += n_rows * stats->loss;
      sums->rows += n_rows;
      sums->n_correct += stats->n_correct;
      sums->n_clipped_values += n_clipped;
      sums->n_norm_clipped += stats->norm_clipped != 0;
    }
  }
  __syncthreads();
}

/* The outputs of the record's rows without padding, once all CTAs have made theirs. The next record's overwrite them
   after one more exchange. */
VISE_FN void vise_team_put_outputs(const vise_step *step, float *outputs) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_out = last->n_out, n = step->record.n_rows * n_out;
  const float *from = p->activations + last->out;
  float *to = outputs + (size_t)step->record.position * n_out;

#pragma unroll 1
  for (uint32_t i = vise_step_member() * VISE_K_STEP_THREADS + threadIdx.x; i < n;
       i += p->n_members * VISE_K_STEP_THREADS) {
    to[i] = from[(size_t)(i / n_out) * last->ld_out + i % n_out];
  }
  __syncthreads(); /* the next step sets the record */
}

extern "C" __global__ void __launch_bounds__(VISE_K_STEP_THREADS, VISE_STEP_CTAS)
    VISE_STEP_NAME(const __grid_constant__ vise_k_teams given) {
  vise_step *const step = vise_step_here();
  vise_team_load(step, &given);
  vise_exchange x = vise_step_open(step);

#pragma unroll 1
  for (;;) {
    vise_step_walk(step, &x, NULL);

    const int goes_on = step->state.cursor + 1 < step->p.n_steps && !step->state.halted;
    if (vise_mode_of(&step->p) == VISE_K_STEP) vise_add_correct(step);
    vise_exchange_arrive(&x, vise_step_member());
    vise_step_end(step, NULL);
    vise_exchange_pass(&x);

    if (vise_mode_of(&step->p) == VISE_K_STEP) {
      if (vise_step_reports(step)) vise_team_count(step);
    } else if (vise_mode_of(&step->p) == VISE_K_FORWARD_ONLY) {
      vise_team_put_outputs(step, given.teams[blockIdx.x / given.n_members].outputs);
    }
    if (!goes_on) break;
  }

  if (vise_step_reports(step) && threadIdx.x == 0) {
    vise_k_team_result *result = &given.results[blockIdx.x / given.n_members];
    step->state.epoch = x.epoch;
    result->state = step->state;
    result->sums = step->sums;
  }
}
VISE_KERNEL(VISE_STEP_NAME);

#endif

/*
 * The step as a walk through its phases, many steps in a launch. Between phases the team exchanges where the plan says
 * so: what was written before is then seen by all, and flags of losses and gradients that are not finite travel with
 * it.
 *
 * What each thread of the team must agree on (skip, halt, counters) is computed by every CTA from the same numbers.
 */
#ifndef VISE_K_WALK_CUH
#define VISE_K_WALK_CUH

#include "kernels/rows.cuh"
#include "kernels/update.cuh"

VISE_FN void vise_step_exchange(vise_exchange *x) {
  vise_exchange_arrive(x, vise_step_member());
  vise_exchange_pass(x);
}

/* Before the update every CTA tells what it found to be bad, and, if cells travel, the sums of the cells of its tiles,
   which lie where all cells will be. What else the update reads of other CTAs, their losses and the reads of weights
   that it overwrites, lies before the exchange before the gradient: it needs no order if cells travel. */
VISE_FN void vise_step_arrive_update(vise_step *step, const vise_exchange *x) {
  const vise_k_step *p = &step->p;
  const uint32_t member = vise_step_member();
  __syncthreads();
  if (p->n_members == 1) return;

  const uint32_t flags = vise_step_flags(step);
  if (VISE_RARE(!p->cells_travel)) {
    if (threadIdx.x == 0) vise_exchange_publish(x, member, 0.0, flags, 1);
    return;
  }

  if (member >= p->n_gradient_tiles && threadIdx.x == 0) {
    vise_exchange_publish(x, p->n_cells + member - p->n_gradient_tiles, 0.0, flags, 0);
  }
#pragma unroll 1
  for (uint32_t i = 0; i < step->n_own; i++) {
    const vise_step_tile t = vise_own_tile(step, i);
    const int64_t cell = vise_cell_of_tile(&t, threadIdx.x);
    if (cell >= 0) vise_exchange_publish(x, (uint32_t)cell, x->values[cell], flags, 0);
  }
  __syncthreads(); /* the wait puts all cells there, these too */
}

VISE_FN void vise_step_wait_update(const vise_step *step, vise_exchange *x) {
  if (VISE_RARE(!step->p.cells_travel)) {
    vise_exchange_wait(x, 1);
  } else {
    vise_exchange_wait(x, 0);
  }
}

/* Then joins what the CTAs found; each tells all that it has found since the step began. A barrier must follow. */
VISE_FN void vise_step_join_all(vise_step *step, const vise_exchange *x) {
  if (x->n_members == 1) return;
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < x->n_slots; i += VISE_K_STEP_THREADS) {
    if (x->flags[i]) vise_step_join(step, x->flags[i]);
  }
}

/* Loss of the batch, step->loss: leaves of 32 rows, the tree over leaves. By one CTA, in its stages. */
VISE_FN_CALLED void vise_batch_loss(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t n_rows = step->record.n_rows, n_leaves = vise_n_leaves(n_rows);
  double *leaves = (double *)vise_step_stage();

#pragma unroll 1
  for (uint32_t leaf = threadIdx.x / 32; leaf < n_leaves; leaf += VISE_STEP_WARPS) {
    const double sum = vise_sum_row_losses(p, n_rows, leaf);
    if (threadIdx.x % 32 == 0) leaves[leaf] = sum;
  }

  __syncthreads();
  double sum = 0.0;
  if (n_leaves > 1024) {
    sum = vise_sum_tree_cta(leaves, n_leaves, step->tree);
  } else if (threadIdx.x < 32) {
    sum = vise_sum_tree_warp(leaves, n_leaves);
  }
  if (threadIdx.x == 0) step->loss = sum / step->record.denominator;
}

/* Whether the sums of the weights are made by VISE_K_SUM. */
VISE_FN int vise_penalty_is_late(const vise_k_step *p) {
  return VISE_RARE(p->sum_phase) && vise_mode_of(p) == VISE_K_STEP;
}

/* Penalty at the weights of the start of the step, step->penalty. By one CTA, in its stages. */
VISE_FN_CALLED void vise_batch_penalty(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;

  if (!p->weight_sums_needed) {
    if (threadIdx.x == 0) step->penalty = 0.0;
    __syncthreads();
    return;
  }

  /* The parity has not moved yet: these are the old weights' sums. */
  if (vise_penalty_is_late(p)) {
    vise_sum_tensors(p->group_sums + p->n_groups, step->weight_squares);
    if (vise_weighs_magnitudes(p)) {
      vise_sum_tensors(p->group_sums + 2 * (size_t)p->n_groups, step->weight_magnitudes);
    }
  } else {
    vise_sum_weights(step->state.parity, 0, step->weight_squares);
    if (vise_weighs_magnitudes(p)) vise_sum_weights(step->state.parity, 1, step->weight_magnitudes);
  }

  if (threadIdx.x == 0) {
    const vise_i_strengths of_weights = vise_i_strengths_of(&p->rule, 0), of_biases = vise_i_strengths_of(&p->rule, 1);
    double value = 0.0;
#pragma unroll 1
    for (uint32_t tensor = 0; tensor < vise_step_n_tensors(p); tensor++) {
      const vise_i_strengths k = vise_step_tensor_at(p, tensor).is_bias ? of_biases : of_weights;
      const double squares = step->weight_squares[tensor];
      const double norm = VISE_RARE(k.kF != 0.0) ? vise_sqrt_f64(squares) : 0.0;
      value = vise_i_add_penalty(value, &k, squares, step->weight_magnitudes[tensor], norm);
    }
    step->penalty = value;
  }

  __syncthreads();
}

/* Square of the gradient's norm after its units are scaled, and tensors if they are too; whether one was scaled. Each
   thread takes units in turn. */
VISE_FN double vise_clipped_units(vise_step *step, int *clipped) {
  const vise_k_step *p = &step->p;
  double *sums = (double *)vise_step_stage();
  double sum = 0.0;
  int any = 0;

#pragma unroll 1
  for (uint32_t unit = threadIdx.x; unit < p->n_units; unit += VISE_K_STEP_THREADS) {
    const float by_tensor = vise_i_clips_tensors(&p->rule) ? step->scales[vise_tensor_of_unit(p, unit)] : 1.0f;
    const double scale = (double)(p->unit_scales[unit] * by_tensor);
    any = any || scale != 1.0;
    sum += scale * scale * p->unit_sums[unit];
  }

  __syncthreads();
  sums[threadIdx.x] = sum;
  *clipped = __syncthreads_or(any);
  return vise_sum_tree_cta(sums, VISE_K_STEP_THREADS, step->tree);
}

/* Whether the CTA that reports does so while others make the gradient and the update, of which it has no tiles; else it
   does after it has arrived for the exchanges that follow. */
VISE_FN int vise_reports_early(const vise_k_step *p) {
  return vise_step_member() >= p->n_gradient_tiles && vise_mode_of(p) == VISE_K_STEP;
}

/* VISE_K_GIVEN: the loss of the batch, which is the sum over its parts. */
VISE_FN double vise_given_loss(const vise_k_step *p, const vise_k_step_record *record) {
  double loss = 0.0;
#pragma unroll 1
  for (uint32_t i = 0; i < record->given.n_parts; i++) loss += p->found[i].loss;
  return loss;
}

VISE_FN uint32_t vise_given_correct(const vise_step *step) {
  uint32_t n = 0;
#pragma unroll 1
  for (uint32_t i = 0; i < step->record.given.n_parts; i++) n += step->p.found[i].n_correct;
  return n;
}

/* What one CTA can say of the step once the gradient is made. */
VISE_FN void vise_step_report_ahead(vise_step *step) {
  const int external = VISE_RARE(step->p.rule.loss == VISE_LOSS_EXTERNAL);
  if (!external && !vise_is_given(&step->p)) {
    vise_batch_loss();
  } else if (threadIdx.x == 0) {
    step->loss = external ? step->record.external_loss : vise_given_loss(&step->p, &step->record);
  }
  if (!vise_penalty_is_late(&step->p)) vise_batch_penalty();
}

/* The numbers of the step, by the same CTA: loss and penalty are known, and skip and scales of a whole step. */
VISE_FN_CALLED void vise_step_report(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_i_rule *rule = &p->rule;

  __syncthreads();
  if (vise_penalty_is_late(p)) vise_batch_penalty();
  double norm = 0.0, after = 0.0;
  int clipped = 0;

  if (vise_mode_of(p) == VISE_K_STEP) {
    if (VISE_RARE(vise_i_scales_units(rule)) || !vise_i_clips_tensors(rule)) vise_gradient_squares();
    norm = vise_sqrt_f64(vise_sum_of_net(step, step->gradient_squares));
    after = norm;

    if (VISE_RARE(vise_i_scales_units(rule))) {
      const double square = vise_clipped_units(step, &clipped);
      if (clipped) after = vise_sqrt_f64(square);
    } else if (vise_i_clips_tensors(rule)) {
      double square = 0.0;
#pragma unroll 1
      for (uint32_t t = 0; t < vise_step_n_tensors(p); t++) {
        const double scale = (double)step->scales[t];
        square += scale * scale * step->gradient_squares[t];
        clipped = clipped || scale != 1.0;
      }
      if (clipped) after = vise_sqrt_f64(square);
    }
  }

  if (threadIdx.x == 0) {
    vise_k_step_stats *stats = vise_step_stats(step);
    stats->loss = step->loss;
    if (vise_is_given(p)) stats->n_correct = vise_given_correct(step);
    stats->penalty = step->penalty;
    stats->grad_norm = norm;
    stats->grad_norm_clipped = after;

    const uint32_t bad = step->bad_gradient != VISE_NO_TENSOR ? step->bad_gradient : step->bad_total;
    stats->bad_tensor = bad == VISE_NO_TENSOR ? -1 : (int32_t)bad;
    stats->skipped = step->skip;
    stats->norm_clipped = (uint32_t)clipped;
  }

  __syncthreads();
}

/* Rows classified correctly: every CTA adds its own, after an exchange has followed the clearing of the statistics. */
VISE_FN void vise_add_correct(vise_step *step) {
  if (threadIdx.x == 0 && step->n_correct > 0) {
    atomicAdd(&vise_step_stats(step)->n_correct, step->n_correct);
  }
}

#endif

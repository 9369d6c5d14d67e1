/*
 * The unfused step's kernels on all tensors of the net at once.
 *
 * unfused_gradient_cta_per_cell     g += penalties; value clip; counts, sums of squares, largest magnitudes; leaves of
 *                                   the batch's loss
 * unfused_update_cta_per_cell       norm clip, optimizer, decay, proximal L1, mask, box; counts, sums of new weights;
 *                                   running statistics of batch norms
 * unfused_integer_update_cta_per_cell   the same of an integer net, whose latent weights are cut to what can be reached
 * unfused_round_warp_per_row        the rounded weights of an integer net: its rows and biases
 * unfused_row_l1_cta_per_group      rows onto L1 balls; counts and sums instead of update's
 * unfused_max_norm_cta_per_group    w *= min(1, R / ||w||), by rows or tensors; counts and sums instead of update's
 *
 * Formulas    those of the fused step, by the same functions: gradient.cuh, update.cuh.
 * Layout      kernels/step_types.h; gradients, weights and moments in place.
 * Work        a CTA takes cells of 32 rows x 32 columns in turn, a lane four neighbours; with sums of rows and
 *             max-norm it takes the 32 rows of a group.
 * Memory      gradient: g, and w where there is a penalty, read; g written where it may have changed. update: g, w, m,
 *             s read, w, m, s written. 16 bytes a lane, coalesced; 8 bytes for each 1024 entries and kind of sum.
 * Numerics    float32; sums float64 in canonical order. A step that is skipped writes no weight and no moment.
 * Limits      those of the plan.
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_agreement_test.c).
 */
#define VISE_ALL_INLINE
#include "kernels/round_rows.cuh"
#include "kernels/row_l1.cuh"
#include "kernels/unfused.cuh"
#include "kernels/update.cuh"

/* ---- gradient ---- */

/* Stores the largest magnitudes of the rows in their leaves, or that of a warp's strip in `strips`. */
VISE_FN void note_max(const vise_k_step *p, const vise_cell *c, float *strips, float row_most) {
  if (p->sums_by_rows) {
    const size_t at = (size_t)c->row * vise_n_leaves(c->t.tensor.n_columns) + c->t.column / VISE_LEAF;
    if (threadIdx.x % 8 == 0 && c->row < c->t.tensor.n_rows) {
      p->gradient_max[c->t.tensor.at.row_leaves + at] = row_most;
    }
    return;
  }

  const float most = vise_max_lanes(row_most);
  if (threadIdx.x % 32 == 0) strips[threadIdx.x / 32] = most;
}

/* After a barrier, one thread: sum and largest magnitude of the cell. */
VISE_FN void store_cell(const vise_k_step *p, const vise_cell *c, const double *strips, const float *max) {
  const size_t at = vise_cell_place(c);
  float most = 0.0f;
  p->gradient_sums[at] = vise_sum_strips(strips);
  if (!p->gradient_max) return;
  for (uint32_t i = 0; i < VISE_STRIPS; i++) most = vise_larger(most, max[i]);
  p->gradient_max[at] = most;
}

VISE_FN void shape_cell(vise_step *step, const vise_cell *c, const vise_shaping *s, double *strips, float *max) {
  const vise_k_step *p = &step->p;
  vise_findings found = {0, 0, 0};
  float g[4] = {0.0f, 0.0f, 0.0f, 0.0f}, w[4] = {0.0f, 0.0f, 0.0f, 0.0f};

  if (c->n > 0) vise_quad_load(p->gradients + c->at, g);
  if (c->n > 0 && (s->penalized || s->weighs)) vise_quad_load(p->params + c->at, w);
  if (s->weighs) vise_cell_note(p->weight_row_sums, 1, c, strips, vise_quad_squares(w));

  vise_shape_quad(s, c->n, g, w, &found);
  if (c->n > 0 && (s->clips || (s->penalized && s->total))) vise_quad_store(p->gradients + c->at, g);

  vise_note_findings(step, c->t.index, &found);
  vise_cell_note(p->gradient_sums, p->sums_by_rows, c, strips, vise_quad_squares(g));
  if (p->gradient_max) note_max(p, c, max, vise_quad_max(g));
}

/* By all warps of the launch: sums of 32 row losses each, for the report. */
VISE_FN void sum_row_losses(const vise_k_unfused *u, vise_step *step) {
  const uint32_t n_rows = step->record.n_rows, n_leaves = vise_n_leaves(n_rows);
#pragma unroll 4
  for (uint32_t leaf = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32; leaf < n_leaves;
       leaf += gridDim.x * VISE_STEP_WARPS) {
    const double sum = vise_sum_row_losses(&u->step, n_rows, leaf);
    if (threadIdx.x % 32 == 0) u->loss_leaves[leaf] = sum;
  }
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_gradient_cta_per_cell(const __grid_constant__ vise_k_unfused u) {
  __shared__ double strips[2][VISE_STRIPS]; /* of this cell and of the one before, which may still be read */
  __shared__ float max[2][VISE_STRIPS];

  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;
  sum_row_losses(&u, step);

  vise_cell c = vise_cell_at(&step->p, blockIdx.x);
  for (uint32_t cell = blockIdx.x, half = 0; cell < step->p.n_cells; cell += gridDim.x, half ^= 1) {
    const vise_cell here = vise_cell_at(&step->p, cell);
    if (here.t.index != c.t.index) vise_flush_counts(step, c.t.index);

    c = here;
    const vise_shaping s = vise_shaping_of(step, &c.t);
    shape_cell(step, &c, &s, strips[half], max[half]);
    if (step->p.sums_by_rows) continue;
    __syncthreads();
    if (threadIdx.x == 0) store_cell(&step->p, &c, strips[half], max[half]);
  }

  vise_flush_counts(step, c.t.index);
  if (threadIdx.x > 0) return;
  if (step->bad_gradient != VISE_NO_TENSOR) atomicMin(&u.context->bad_gradient, step->bad_gradient);
  if (step->bad_total != VISE_NO_TENSOR) atomicMin(&u.context->bad_total, step->bad_total);
}
VISE_KERNEL(unfused_gradient_cta_per_cell);

/* ---- update ---- */

/* Counts entries at their bounds, and notes the sums of the weights that the next step reports. */
VISE_FN void measure_cell(vise_step *step, const vise_cell *c, const vise_update *how, const float w[4],
                          double (*strips)[VISE_STRIPS]) {
  const vise_k_step *p = &step->p;
  const int by_rows = vise_weight_sums_by_rows(p);
  vise_count_at_bounds(step, how->lo, how->hi, w, c->n);
  if (!p->weight_sums_needed) return;
  vise_cell_note(vise_weight_sums(p, step->state.parity + 1, 0), by_rows, c, strips[0], vise_quad_squares(w));
  vise_cell_note(vise_weight_sums(p, step->state.parity + 1, 1), by_rows, c, strips[1], vise_quad_magnitudes(w));
}

/* After a barrier, one thread: the sums of the cell. */
VISE_FN void store_measures(vise_step *step, const vise_cell *c, double (*strips)[VISE_STRIPS]) {
  const size_t at = vise_cell_place(c);
  if (!step->p.weight_sums_needed || vise_weight_sums_by_rows(&step->p)) return;
  vise_weight_sums(&step->p, step->state.parity + 1, 0)[at] = vise_sum_strips(strips[0]);
  vise_weight_sums(&step->p, step->state.parity + 1, 1)[at] = vise_sum_strips(strips[1]);
}

/* What follows a stage: the measures if it is the last, or the sums for max-norm. */
VISE_FN void end_cell(vise_step *step, const vise_cell *c, const vise_update *how, const float w[4], int stage,
                      double (*strips)[VISE_STRIPS]) {
  const vise_k_step *p = &step->p;
  if (!vise_more_stages(p, p->bounds_rows, stage)) {
    measure_cell(step, c, how, w, strips);
  } else if (p->norm_sums && stage == vise_stage_of_norms(p->bounds_rows)) {
    vise_cell_note(p->norm_sums, vise_norms_by_rows(p), c, strips[0], vise_quad_squares(w));
  }
}

/* Whether that leaves something in strips. */
VISE_FN int leaves_strips(const vise_k_step *p, int stage) {
  if (!vise_more_stages(p, p->bounds_rows, stage)) return p->weight_sums_needed && !vise_weight_sums_by_rows(p);
  return p->norm_sums && stage == vise_stage_of_norms(p->bounds_rows) && !vise_norms_by_rows(p);
}

/* After a barrier, one thread: the sums of the cell. */
VISE_FN void store_cell_sums(vise_step *step, const vise_cell *c, int stage, double (*strips)[VISE_STRIPS]) {
  if (vise_more_stages(&step->p, step->p.bounds_rows, stage)) {
    step->p.norm_sums[vise_cell_place(c)] = vise_sum_strips(strips[0]);
  } else {
    store_measures(step, c, strips);
  }
}

VISE_FN void store_weights(const vise_k_unfused *u, const vise_cell *c, const float w[4]) {
  vise_quad_store(u->step.params + c->at, w);
  if (u->step.params16) vise_quad_store16(u->step.params16 + c->at, w);
}

/* New weights and moments of the lane's quad, w in place. */
VISE_FN void update_quad(const vise_k_unfused *u, vise_step *step, const vise_cell *c, const vise_update *how,
                         int integer, float w[4]) {
  const vise_k_step *p = &step->p;
  vise_entries e = {{0}, {w[0], w[1], w[2], w[3]}, {0}, {0}, c->n, 0x01010101u};

  vise_quad_load(p->gradients + c->at, e.g);
  if (p->has_moment1) vise_quad_load(p->moment1 + c->at, e.m1);
  if (p->has_moment2) vise_quad_load(p->moment2 + c->at, e.m2);
  if (p->has_mask) e.mask = *(const uint32_t *)(p->mask + c->at);

  const float by_unit = p->unit_scales ? p->unit_scales[c->t.tensor.at.units + c->row] : 1.0f;
  vise_update_quad(step, how, by_unit * vise_tensor_scale(step, c->t.index), &e);
  if (integer) vise_cut_quad(p, &c->t.tensor, c->row, c->t.column + threadIdx.x % 8 * 4, c->n, e.w);

  store_weights(u, c, e.w);
  if (p->has_moment1) vise_quad_store(p->moment1 + c->at, e.m1);
  if (p->has_moment2) vise_quad_store(p->moment2 + c->at, e.m2);
#pragma unroll
  for (int i = 0; i < 4; i++) w[i] = e.w[i];
}

/* A cell's new weights, and their sums. */
VISE_FN void update_cell(const vise_k_unfused *u, vise_step *step, const vise_cell *c, const vise_update *how,
                         int integer, double (*strips)[VISE_STRIPS]) {
  const vise_k_step *p = &step->p;
  float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};

  if (c->n > 0) {
    vise_quad_load(p->params + c->at, w);
    if (!step->skip) update_quad(u, step, c, how, integer, w);
  }

  end_cell(step, c, how, w, VISE_STAGE_UPDATE, strips);
}

/* The running statistics, by all threads of the launch. */
VISE_FN void track_norms(vise_step *step) {
  if (threadIdx.x == 0) step->p.n_members = gridDim.x;
  __syncthreads();
  vise_norm_track();
}

/* By a launch; strips: shared memory. */
VISE_FN void update_cells(const vise_k_unfused *u, int integer, double (*strips)[2][VISE_STRIPS]) {
  vise_step *const step = vise_unfused_open(u);
  if (!step) return;

  const vise_k_step *p = &step->p;
  const int has_sums = leaves_strips(p, VISE_STAGE_UPDATE);
  if (p->has_norm && !step->skip) track_norms(step);

  vise_cell c = vise_cell_at(p, blockIdx.x);
  vise_update how = vise_update_of(step, &c.t);

  for (uint32_t cell = blockIdx.x, half = 0; cell < p->n_cells; cell += gridDim.x, half ^= 1) {
    const vise_cell here = vise_cell_at(p, cell);
    if (here.t.index != c.t.index) {
      vise_flush_counts(step, c.t.index);
      how = vise_update_of(step, &here.t);
    }

    c = here;
    update_cell(u, step, &c, &how, integer, strips[half]);

    if (!has_sums) continue;
    __syncthreads();
    if (threadIdx.x == 0) store_cell_sums(step, &c, VISE_STAGE_UPDATE, strips[half]);
  }

  vise_flush_counts(step, c.t.index);
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_update_cta_per_cell(const __grid_constant__ vise_k_unfused u) {
  __shared__ double strips[2][2][VISE_STRIPS];
  update_cells(&u, 0, strips);
}
VISE_KERNEL(unfused_update_cta_per_cell);

/* ---- integer nets ---- */

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_integer_update_cta_per_cell(const __grid_constant__ vise_k_unfused u) {
  __shared__ double strips[2][2][VISE_STRIPS];
  update_cells(&u, 1, strips);
}
VISE_KERNEL(unfused_integer_update_cta_per_cell);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_round_warp_per_row(const __grid_constant__ vise_k_unfused u) {
  vise_step *const step = vise_unfused_open(&u);
  if (!step || step->skip) return;
  vise_round_units(&step->p, blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32, gridDim.x * VISE_STEP_WARPS, NULL);
}
VISE_KERNEL(unfused_round_warp_per_row);

/* ---- sums of rows ---- */

/* The thresholds of the rows of a group, by its warps, into found [VISE_GROUP_ROWS] (shared memory). */
VISE_FN void find_thresholds(vise_step *step, const vise_step_tensor *t, uint32_t group, vise_i_row_thresholds *found) {
  const int bounded = !step->skip && !t->is_bias && vise_k_has_ball(&step->p, t->layer);

  for (uint32_t i = threadIdx.x / 32; i < VISE_GROUP_ROWS; i += VISE_STEP_WARPS) {
    const uint32_t row = group * VISE_GROUP_ROWS + i;
    vise_i_row_thresholds by = {0.0f, 0.0f};
    if (bounded && row < t->n_rows) by = vise_row_thresholds(step, t, row, 0);
    if (threadIdx.x % 32 == 0) found[i] = by;
  }

  __syncthreads();
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_row_l1_cta_per_group(const __grid_constant__ vise_k_unfused u) {
  __shared__ vise_i_row_thresholds thresholds[VISE_GROUP_ROWS];
  __shared__ double strips[2][2][VISE_STRIPS];

  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;

  const uint32_t tensor = vise_tensor_of_group(&step->p, blockIdx.x);
  const vise_step_tensor t = vise_step_tensor_at(&step->p, tensor);
  const uint32_t group = blockIdx.x - t.at.groups, n_leaves = vise_n_leaves(t.n_columns);

  find_thresholds(step, &t, group, thresholds);
  vise_cell c = vise_cell_of(&t, tensor, group, 0);
  const vise_update how = vise_update_of(step, &c.t);
  const vise_i_row_thresholds by = thresholds[threadIdx.x / 8];
  const int has_sums = leaves_strips(&step->p, VISE_STAGE_SHRINK);

  for (uint32_t leaf = 0, half = 0; leaf < n_leaves; leaf++, half ^= 1) {
    float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    c = vise_cell_of(&t, tensor, group, leaf);
    if (c.n > 0) vise_quad_load(step->p.params + c.at, w);
    if (c.n > 0 && vise_shrink_by(by, c.n, w)) store_weights(&u, &c, w);

    end_cell(step, &c, &how, w, VISE_STAGE_SHRINK, strips[half]);
    if (!has_sums) continue;
    __syncthreads();
    if (threadIdx.x == 0) store_cell_sums(step, &c, VISE_STAGE_SHRINK, strips[half]);
  }

  vise_flush_counts(step, c.t.index);
}
VISE_KERNEL(unfused_row_l1_cta_per_group);

/* ---- max-norm ---- */

/* The scales of the rows of a group, by its warps, into scales [VISE_GROUP_ROWS] (shared memory). */
VISE_FN void scale_rows(const vise_k_unfused *u, vise_step *step, const vise_step_tensor *t, uint32_t tensor,
                        uint32_t group, float *scales) {
  const vise_k_step *p = &step->p;
  const uint32_t n_leaves = vise_n_leaves(t->n_columns);

  for (uint32_t i = threadIdx.x / 32; i < VISE_GROUP_ROWS; i += VISE_STEP_WARPS) {
    const uint32_t row = group * VISE_GROUP_ROWS + i;
    float scale = 1.0f;
    if (!step->skip && !t->is_bias && row < t->n_rows) {
      if (vise_i_bounds_tensor_norms(&p->rule)) {
        scale = u->context->max_norm_scales[tensor];
      } else {
        const double *leaves = p->norm_sums + t->at.row_leaves + (size_t)row * n_leaves;
        scale = vise_bound_scale(step, vise_sum_tree_warp(leaves, n_leaves));
      }
    }

    if (threadIdx.x % 32 == 0) scales[i] = scale;
  }

  __syncthreads();
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS)
    unfused_max_norm_cta_per_group(const __grid_constant__ vise_k_unfused u) {
  __shared__ float scales[VISE_GROUP_ROWS];
  __shared__ double strips[2][2][VISE_STRIPS];

  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;

  const uint32_t tensor = vise_tensor_of_group(&step->p, blockIdx.x);
  const vise_step_tensor t = vise_step_tensor_at(&step->p, tensor);
  const uint32_t group = blockIdx.x - t.at.groups, n_leaves = vise_n_leaves(t.n_columns);

  scale_rows(&u, step, &t, tensor, group, scales);
  vise_cell c = vise_cell_of(&t, tensor, group, 0);
  const vise_update how = vise_update_of(step, &c.t);
  const float scale = scales[threadIdx.x / 8];

  for (uint32_t leaf = 0, half = 0; leaf < n_leaves; leaf++, half ^= 1) {
    float w[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    c = vise_cell_of(&t, tensor, group, leaf);
    if (c.n > 0) vise_quad_load(step->p.params + c.at, w);

    if (c.n > 0 && scale != 1.0f) {
#pragma unroll
      for (uint32_t i = 0; i < 4; i++) w[i] *= scale;
      store_weights(&u, &c, w);
    }

    measure_cell(step, &c, &how, w, strips[half]);
    __syncthreads();
    if (threadIdx.x == 0) store_measures(step, &c, strips[half]);
  }

  vise_flush_counts(step, c.t.index);
}
VISE_KERNEL(unfused_max_norm_cta_per_group);

/* ---- launches ---- */

cudaError_t vise_k_unfused_gradient(const vise_k_unfused *u, uint32_t n_rows, uint32_t n_sms, cudaStream_t stream) {
  const uint32_t n_for_rows = (vise_n_leaves(n_rows) + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS;
  const uint32_t n = u->step.n_cells > n_for_rows ? u->step.n_cells : n_for_rows;
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_gradient_cta_per_cell,
                     {vise_unfused_ctas(n, n_sms), VISE_UNFUSED_THREADS, VISE_K_FIXED_BYTES, 0}, stream, arguments);
}

cudaError_t vise_k_unfused_update(const vise_k_unfused *u, uint32_t n_sms, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  const void *kernel =
      u->step.rounds ? (const void *)unfused_integer_update_cta_per_cell : (const void *)unfused_update_cta_per_cell;
  return vise_launch(kernel, {vise_unfused_ctas(u->step.n_cells, n_sms), VISE_UNFUSED_THREADS, VISE_K_FIXED_BYTES, 0},
                     stream, arguments);
}

cudaError_t vise_k_unfused_round(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch(
      (const void *)unfused_round_warp_per_row,
      {(u->step.n_units + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS, VISE_UNFUSED_THREADS, VISE_K_FIXED_BYTES, 0}, stream,
      arguments);
}

cudaError_t vise_k_unfused_row_l1(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_row_l1_cta_per_group,
                     {u->step.n_groups, VISE_UNFUSED_THREADS, VISE_K_FIXED_BYTES, 0}, stream, arguments);
}

cudaError_t vise_k_unfused_max_norm(const vise_k_unfused *u, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_max_norm_cta_per_group,
                     {u->step.n_groups, VISE_UNFUSED_THREADS, VISE_K_FIXED_BYTES, 0}, stream, arguments);
}

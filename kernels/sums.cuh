/*
 * The sums of a step in the canonical order (kernels/canonical.h): squares of gradients and weights over tensors and
 * units. The warps that make or update a tile leave a number for each cell (32 rows x 32 columns), or for each leaf
 * of a row where norms of units are asked for; here these become groups, tensors, units.
 */
#ifndef VISE_K_SUMS_CUH
#define VISE_K_SUMS_CUH

#include "kernels/step_context.cuh"

/* Groups of a weight, and of all tensors, at most: of layers of 8192 units, whose biases are a group each. */
enum {
  VISE_MOST_TENSOR_GROUPS = 8192 / VISE_GROUP_ROWS,
  VISE_MOST_GROUPS = VISE_K_MAX_LAYERS * (VISE_MOST_TENSOR_GROUPS + 1)
};

/* Sums of the strips of the current tile, in shared memory: [cell of the tile][strip], of up to two quantities. */
enum { VISE_TILE_CELLS = 16, VISE_TILE_STRIPS = VISE_TILE_CELLS * VISE_STRIPS };

VISE_FN double *vise_tile_strips(int which) {
  return (double *)vise_step_split() + which * VISE_TILE_STRIPS;
}

/* What is not part of the tensor adds nothing: all strips 0 to begin with. Ends with all threads together. */
VISE_FN void vise_clear_strips(void) {
  static_assert(2 * VISE_TILE_STRIPS == VISE_K_STEP_THREADS, "a strip for each thread");
  vise_tile_strips(0)[threadIdx.x] = 0.0;
  __syncthreads();
}

/* Notes the sums of a strip's rows in their leaves of rows. */
VISE_FN void vise_note_rows(double *sums, const vise_step_tile *t, const vise_strip *s, double row_sum) {
  const uint32_t row = t->row + s->row;
  const size_t at = (size_t)row * vise_n_leaves(t->tensor.n_columns) + t->column / VISE_LEAF + s->leaf;
  if (threadIdx.x % 8 == 0 && row < t->tensor.n_rows) sums[t->tensor.at.row_leaves + at] = row_sum;
}

/* Notes the sum of a strip, given as those of its rows, as quantity `which` of the current tile. */
VISE_FN void vise_note_strip(int which, const vise_step_tile *t, const vise_strip *s, double row_sum) {
  const double sum = vise_strip_sum(row_sum);
  const uint32_t cell = s->first_row / VISE_GROUP_ROWS * (t->side / VISE_LEAF) + s->leaf;
  if (threadIdx.x % 32 > 0) return;
  vise_tile_strips(which)[cell * VISE_STRIPS + s->first_row % VISE_GROUP_ROWS / VISE_STRIP_ROWS] = sum;
}

/* Where thread i finds the sum of the i-th cell of a tile among those of all tensors; -1 if there is none. */
VISE_FN int64_t vise_cell_of_tile(const vise_step_tile *t, uint32_t i) {
  const uint32_t n_across = t->side / VISE_LEAF, across_log = (uint32_t)vise_tree_depth(n_across);
  if (i >= vise_ceil_div(t->n_rows, VISE_GROUP_ROWS) << across_log) return -1;
  const uint32_t row = t->row + (i >> across_log) * VISE_GROUP_ROWS,
                 leaf = t->column / VISE_LEAF + (i & (n_across - 1));
  const uint32_t n_leaves = vise_n_leaves(t->tensor.n_columns);
  if (row >= t->tensor.n_rows || leaf >= n_leaves) return -1;
  return (int64_t)t->tensor.at.cells + (int64_t)(row / VISE_GROUP_ROWS) * n_leaves + leaf;
}

/* After a barrier: stores the cells of the tile. */
VISE_FN void vise_store_cells(double *sums, int which, const vise_step_tile *t) {
  const int64_t cell = vise_cell_of_tile(t, threadIdx.x);
  if (cell >= 0) sums[cell] = vise_sum_strips(vise_tile_strips(which) + threadIdx.x * VISE_STRIPS);
}

/* Sums of squares of the gradient's cells (or rows): this CTA's own, and after the exchange before the update all. */
VISE_FN double *vise_gradient_sums(const vise_k_step *p) {
  return VISE_RARE(!p->cells_travel) ? p->gradient_sums : vise_step_payloads();
}

/* The sum of a group by a warp; items: shared memory of the warp, [256]. */
VISE_FN double vise_group_sum(const double *sums, int by_rows, const vise_step_tensor *t, uint32_t group,
                              double *items) {
  const uint32_t n_leaves = vise_n_leaves(t->n_columns);
  if (!by_rows) return vise_sum_tree_warp(sums + t->at.cells + (size_t)group * n_leaves, n_leaves);

  const uint32_t row = group * VISE_GROUP_ROWS + threadIdx.x % 32;
#pragma unroll 1
  for (uint32_t leaf = 0; leaf < n_leaves; leaf++) {
    const double own = row < t->n_rows ? sums[t->at.row_leaves + (size_t)row * n_leaves + leaf] : 0.0;
    const double cell = vise_sum_lanes(own, VISE_GROUP_ROWS);
    if (threadIdx.x % 32 == 0) items[leaf] = cell;
  }

  __syncwarp();
  const double sum = vise_sum_tree_warp(items, n_leaves);
  __syncwarp();
  return sum;
}

/* Which tensor a group, or a unit, of all tensors belongs to. */
VISE_FN uint32_t vise_tensor_of(const vise_k_step *p, uint32_t item, int is_unit) {
  uint32_t tensor = 0;
#pragma unroll 1
  for (; tensor + 1 < vise_step_n_tensors(p); tensor++) {
    const vise_k_places next = vise_step_tensor_at(p, tensor + 1).at;
    if (item < (is_unit ? next.units : next.groups)) break;
  }
  return tensor;
}

VISE_FN uint32_t vise_tensor_of_group(const vise_k_step *p, uint32_t group) {
  return vise_tensor_of(p, group, 0);
}

VISE_FN uint32_t vise_tensor_of_unit(const vise_k_step *p, uint32_t unit) {
  return vise_tensor_of(p, unit, 1);
}

/* The cells of a group. */
VISE_FN vise_span vise_group_cells(const vise_k_step *p, uint32_t group) {
  const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_group(p, group));
  vise_span s;
  s.n = (uint16_t)vise_n_leaves(t.n_columns);
  s.first = (uint16_t)(t.at.cells + (group - t.at.groups) * s.n);
  return s;
}

/* Sums of the groups of nets whose cells travel, which are few, from those of cells, by all warps of the CTA. */
VISE_FN void vise_sum_few_groups(const double *cells, double *groups) {
  const vise_step *const step = vise_step_here();
#pragma unroll 1
  for (uint32_t group = threadIdx.x / 32; group < step->p.n_groups; group += VISE_STEP_WARPS) {
    const vise_span s = group < VISE_STEP_SPANS ? step->groups[group] : vise_group_cells(&step->p, group);
    const double sum = vise_sum_tree_warp(cells + s.first, s.n);
    if (threadIdx.x % 32 == 0) groups[group] = sum;
  }
}

/* Sums of all groups into groups[n_groups]; this warp, of the team or the CTA, takes first, first + n_warps, ... */
VISE_FN_CALLED void vise_sum_groups(const double *sums, int by_rows, double *groups, uint32_t first, uint32_t n_warps) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  double *items = (double *)vise_step_split() + threadIdx.x / 32 * 256;
#pragma unroll 1
  for (uint32_t group = first; group < p->n_groups; group += n_warps) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_group(p, group));
    const double sum = vise_group_sum(sums, by_rows, &t, group - t.at.groups, items);
    if (threadIdx.x % 32 == 0) groups[group] = sum;
  }
}

/* First unit of a warp of the team, and the distance to its next. */
VISE_FN uint32_t vise_first_unit(void) {
  return vise_step_member() * VISE_STEP_WARPS + threadIdx.x / 32;
}

VISE_FN uint32_t vise_unit_step(const vise_k_step *p) {
  return p->n_members * VISE_STEP_WARPS;
}

/* Sums of squares of all units of the gradient, and what they are multiplied by, by the warps of the team. */
VISE_FN_CALLED void vise_scale_units(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < p->n_units; unit += vise_unit_step(p)) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_unit(p, unit));
    const uint32_t n_leaves = vise_n_leaves(t.n_columns);
    const size_t at = t.at.row_leaves + (size_t)(unit - t.at.units) * n_leaves;

    const double square = vise_sum_tree_warp(p->gradient_sums + at, n_leaves);
    const double weight = p->weight_row_sums ? vise_sum_tree_warp(p->weight_row_sums + at, n_leaves) : 0.0;
    const float largest = p->gradient_max ? vise_max_warp(p->gradient_max + at, n_leaves) : 0.0f;
    if (threadIdx.x % 32 > 0) continue;

    const vise_i_unit_norms norms = {vise_sqrt_f64(square), (double)largest, vise_sqrt_f64(weight)};
    p->unit_sums[unit] = square;
    p->unit_scales[unit] = (float)vise_i_unit_scale(&p->rule, step->record.hyper.clip_factor, t.is_bias, &norms);
    if (p->unit_max) p->unit_max[unit] = largest;
  }
}

/* Sums of the tensors into out[n_tensors] (shared memory), from the groups' sums: a warp to a tensor. Begins and ends
   with all threads together. */
VISE_FN_CALLED void vise_sum_tensors(const double *groups, double *out) {
  const vise_k_step *p = &vise_step_here()->p;
  static_assert(VISE_MOST_TENSOR_GROUPS <= 1024, "a warp adds up to 1024 groups");
#pragma unroll 1
  for (uint32_t tensor = threadIdx.x / 32; tensor < vise_step_n_tensors(p); tensor += VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const double sum = vise_sum_tree_warp(groups + t.at.groups, vise_n_groups(t.n_rows));
    if (threadIdx.x % 32 == 0) out[tensor] = sum;
  }
  __syncthreads();
}

/* The same from cells or rows, by this CTA alone; scratch: memory of this CTA, [groups of all tensors]. */
VISE_FN_CALLED void vise_sum_tensors_alone(const double *sums, int by_rows, double *scratch, double *out) {
  static_assert(VISE_MOST_GROUPS * sizeof(double) <= VISE_K_STAGE_BYTES, "the stages are the scratch memory");
  __syncthreads();
  vise_sum_groups(sums, by_rows, scratch, threadIdx.x / 32, VISE_STEP_WARPS);
  __syncthreads();
  vise_sum_tensors(scratch, out);
}

/* Sums of the tensors into out[n_tensors] (shared memory) from those of cells, in memory or in shared memory, by this CTA
   alone in its stages. Ends with all threads together. */
VISE_FN_CALLED void vise_sum_cells(const double *cells, double *out) {
  double *groups = (double *)vise_step_stage();
  if (VISE_RARE(!vise_step_here()->p.cells_travel)) {
    vise_sum_tensors_alone(cells, 0, groups, out);
    return;
  }
  __syncthreads();
  vise_sum_few_groups(cells, groups);
  __syncthreads();
  vise_sum_tensors(groups, out);
}

/* Whether sums of weights are kept by rows. */
VISE_FN int vise_weight_sums_by_rows(const vise_k_step *p) {
  return VISE_RARE(p->weight_sums_by_rows);
}

/* Whether the squares of the new weights for max-norm are. */
VISE_FN int vise_norms_by_rows(const vise_k_step *p) {
  return vise_weight_sums_by_rows(p) || vise_i_bounds_unit_norms(&p->rule);
}

/* Weight sums of a parity: squares, then magnitudes. */
VISE_FN double *vise_weight_sums(const vise_k_step *p, uint32_t parity, int magnitudes) {
  const uint32_t n = vise_weight_sums_by_rows(p) ? p->n_row_leaves : p->n_cells;
  return p->weight_sums + ((size_t)(parity & 1) * 2 + (magnitudes ? 1 : 0)) * n;
}

/* Whether anything takes the magnitudes. */
VISE_FN int vise_weighs_magnitudes(const vise_k_step *p) {
  return p->rule.k1 != 0.0;
}

/* The sum of cell `cell` of all tensors from those of the leaves of its rows, by one thread. */
VISE_FN double vise_cell_of_rows(const vise_k_step *p, const double *leaves, uint32_t cell) {
  uint32_t tensor = 0;
  while (tensor + 1 < vise_step_n_tensors(p) && cell >= vise_step_tensor_at(p, tensor + 1).at.cells) tensor++;
  const vise_step_tensor t = vise_step_tensor_at(p, tensor);
  const uint32_t n_leaves = vise_n_leaves(t.n_columns), at = cell - t.at.cells;
  const uint32_t first = at / n_leaves * VISE_GROUP_ROWS;
  const double *own = leaves + t.at.row_leaves + (size_t)first * n_leaves + at % n_leaves;

  double strips[VISE_STRIPS];
#pragma unroll
  for (uint32_t i = 0; i < VISE_STRIPS; i++) {
    double rows[VISE_STRIP_ROWS];
#pragma unroll
    for (uint32_t k = 0; k < VISE_STRIP_ROWS; k++) {
      const uint32_t row = i * VISE_STRIP_ROWS + k, is_there = first + row < t.n_rows;
      const double sum = own[(size_t)(is_there ? row : 0) * n_leaves]; /* no branch that other loads wait for */
      rows[k] = is_there ? sum : 0.0;
    }
    strips[i] = (rows[0] + rows[1]) + (rows[2] + rows[3]);
  }
  return vise_sum_strips(strips);
}

/* The same as vise_sum_cells from sums of the weights. */
VISE_FN void vise_sum_weights(uint32_t parity, int magnitudes, double *out) {
  const vise_k_step *p = &vise_step_here()->p;
  const double *sums = vise_weight_sums(p, parity, magnitudes);
  double *stage = (double *)vise_step_stage(), *cells = stage + VISE_K_MOST_SLOTS;

  if (!vise_weight_sums_by_rows(p)) {
    vise_sum_cells(sums, out);
  } else if (p->cells_travel) {
    static_assert(VISE_K_MOST_SLOTS <= VISE_K_STEP_THREADS, "a cell to a thread");
    if (threadIdx.x < p->n_cells) cells[threadIdx.x] = vise_cell_of_rows(p, sums, threadIdx.x);
    vise_sum_cells(cells, out);
  } else {
    vise_sum_tensors_alone(sums, 1, stage, out);
  }
}

/* Largest magnitude of each tensor by a warp to a tensor, into out[n_tensors] (shared memory). */
VISE_FN_CALLED void vise_max_tensors(float *out) {
  const vise_k_step *p = &vise_step_here()->p;

#pragma unroll 1
  for (uint32_t tensor = threadIdx.x / 32; tensor < vise_step_n_tensors(p); tensor += VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const float most =
        vise_max_warp(p->gradient_max + t.at.cells, (size_t)vise_n_groups(t.n_rows) * vise_n_leaves(t.n_columns));
    if (threadIdx.x % 32 == 0) out[tensor] = most;
  }

  __syncthreads();
}

/* What the clip by tensors sees where units are scaled before it: sums of squares, and largest magnitudes, of the
   tensors' scaled units, by a warp to a tensor, into arrays [n_tensors] in shared memory. */
VISE_FN_CALLED void vise_sum_scaled_units(double *squares, float *max) {
  const vise_k_step *p = &vise_step_here()->p;

#pragma unroll 1
  for (uint32_t tensor = threadIdx.x / 32; tensor < vise_step_n_tensors(p); tensor += VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    double sum = 0.0;
    float most = 0.0f;

#pragma unroll 1
    for (uint32_t unit = t.at.units + threadIdx.x % 32; unit < t.at.units + t.n_rows; unit += 32) {
      const float scale = p->unit_scales[unit];
      sum += (double)scale * (double)scale * p->unit_sums[unit];
      if (p->unit_max) most = vise_larger(most, fabsf(scale * p->unit_max[unit]));
    }

    sum = vise_sum_lanes(sum, 32);
    most = vise_max_lanes(most);
    if (threadIdx.x % 32 > 0) continue;
    squares[tensor] = sum;
    max[tensor] = most;
  }

  __syncthreads();
}

/* VISE_K_SUM: sums of groups of the gradient and of the weights at the start of the step; units of the gradient. */
VISE_FN_CALLED void vise_sum_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t first = vise_step_member() * VISE_STEP_WARPS + threadIdx.x / 32,
                 n_warps = p->n_members * VISE_STEP_WARPS;
  vise_sum_groups(p->gradient_sums, p->sums_by_rows, p->group_sums, first, n_warps);
  if (p->weight_sums_needed) {
    const uint32_t parity = step->state.parity;
    const int by_rows = vise_weight_sums_by_rows(p);
    vise_sum_groups(vise_weight_sums(p, parity, 0), by_rows, p->group_sums + p->n_groups, first, n_warps);
    if (vise_weighs_magnitudes(p)) {
      vise_sum_groups(vise_weight_sums(p, parity, 1), by_rows, p->group_sums + 2 * (size_t)p->n_groups, first, n_warps);
    }
  }
  if (p->sums_by_rows) vise_scale_units();
}

/* VISE_K_UNIT_SUM: sums of squares of the rows of the new weights. */
VISE_FN_CALLED void vise_norm_unit_sums(void) {
  const vise_k_step *p = &vise_step_here()->p;

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < p->n_units; unit += vise_unit_step(p)) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_unit(p, unit));
    const uint32_t n_leaves = vise_n_leaves(t.n_columns);
    const double *leaves = p->norm_sums + t.at.row_leaves + (size_t)(unit - t.at.units) * n_leaves;
    const double sum = vise_sum_tree_warp(leaves, n_leaves);
    if (threadIdx.x % 32 == 0) p->norm_unit_sums[unit] = sum;
  }
}

/* The sum of the losses of 32 rows of the batch, by a warp. */
VISE_FN double vise_sum_row_losses(const vise_k_step *p, uint32_t n_rows, uint32_t leaf) {
  const uint32_t r = leaf * VISE_LEAF + threadIdx.x % 32;
  return vise_sum_lanes(r < n_rows ? p->row_losses[r] : 0.0, VISE_LEAF);
}

#endif

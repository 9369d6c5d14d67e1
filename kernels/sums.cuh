/*
 * The sums of a step in the canonical order (kernels/canonical.h): squares of gradients and weights over tensors and
 * units. The warps that make or update a tile leave a number for each cell (four rows x 32 columns), or for each leaf
 * of a row where norms of units are asked for; here these become groups, tensors, units.
 */
#ifndef VISE_K_SUMS_CUH
#define VISE_K_SUMS_CUH

#include "kernels/step_context.cuh"

/* The lanes hold one column of a leaf of four rows: the sum over the leaf of row lane % 4. Each step of the butterfly
   adds neighbours, and the first two also share the rows among the lanes. */
VISE_FN double vise_sum_four_rows(const double rows[VISE_GROUP_ROWS]) {
  const uint32_t lane = threadIdx.x % 32;
  const int odd = lane & 1, upper = lane & 2;
  /* even lanes go on with rows 0 and 2, odd ones with 1 and 3; then the lower of two pairs with the first of these */
  const double give_first = odd ? rows[0] : rows[1], give_second = odd ? rows[2] : rows[3];
  const double first = (odd ? rows[1] : rows[0]) + __shfl_xor_sync(0xffffffffu, give_first, 1);
  const double second = (odd ? rows[3] : rows[2]) + __shfl_xor_sync(0xffffffffu, give_second, 1);
  double sum = (upper ? second : first) + __shfl_xor_sync(0xffffffffu, upper ? first : second, 2);
  for (int step = 4; step < VISE_LEAF; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  return sum;
}

/* From the sums of the rows in lanes 0 to 3 the sum of the cell, in all lanes. */
VISE_FN double vise_sum_cell(double row_sum) {
  const double pair = row_sum + __shfl_xor_sync(0xffffffffu, row_sum, 1);
  return pair + __shfl_xor_sync(0xffffffffu, pair, 2);
}

/* Stores the sums of a cell whose rows' sums are in lanes 0 to 3. by_rows: into leaves of rows, else into cells. */
VISE_FN void vise_store_sums(double *sums, int by_rows, const vise_step_tensor *t, uint32_t row, uint32_t leaf,
                             double row_sum) {
  const uint32_t lane = threadIdx.x % 32, n_leaves = vise_n_leaves(t->n_columns);
  if (by_rows) {
    if (lane < VISE_GROUP_ROWS && row + lane < t->n_rows) {
      sums[t->row_leaves + (size_t)(row + lane) * n_leaves + leaf] = row_sum;
    }
    return;
  }
  const double cell = vise_sum_cell(row_sum);
  if (lane == 0) sums[t->cells + (size_t)(row / VISE_GROUP_ROWS) * n_leaves + leaf] = cell;
}

/* The sum of a group by a warp; items: shared memory of the warp, [256]. */
VISE_FN double vise_group_sum(const double *sums, int by_rows, const vise_step_tensor *t, uint32_t group,
                              double *items) {
  const uint32_t n_leaves = vise_n_leaves(t->n_columns), row = group * VISE_GROUP_ROWS;
  if (!by_rows) return vise_sum_tree_warp(sums + t->cells + (size_t)group * n_leaves, n_leaves);
  for (uint32_t leaf = threadIdx.x % 32; leaf < n_leaves; leaf += 32) {
    double rows[VISE_GROUP_ROWS];
    for (uint32_t r = 0; r < VISE_GROUP_ROWS; r++) {
      rows[r] = row + r < t->n_rows ? sums[t->row_leaves + (size_t)(row + r) * n_leaves + leaf] : 0.0;
    }
    items[leaf] = (rows[0] + rows[1]) + (rows[2] + rows[3]);
  }
  __syncwarp();
  const double sum = vise_sum_tree_warp(items, n_leaves);
  __syncwarp();
  return sum;
}

/* Which tensor a group, or a unit, of all tensors belongs to. */
VISE_FN uint32_t vise_tensor_of_group(const vise_k_step *p, uint32_t group) {
  uint32_t tensor = 0;
  while (tensor + 1 < vise_step_n_tensors(p) && group >= vise_step_tensor_at(p, tensor + 1).groups) tensor++;
  return tensor;
}
VISE_FN uint32_t vise_tensor_of_unit(const vise_k_step *p, uint32_t unit) {
  uint32_t tensor = 0;
  while (tensor + 1 < vise_step_n_tensors(p) && unit >= vise_step_tensor_at(p, tensor + 1).units) tensor++;
  return tensor;
}

/* Sums of all groups into groups[n_groups], by warps first, first + step, ... of the team or of the CTA. */
VISE_STEP_FN void vise_sum_groups(const double *sums, int by_rows, double *groups, uint32_t first, uint32_t n_warps) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  double *items = (double *)vise_step_split() + threadIdx.x / 32 * 256;
  for (uint32_t group = first; group < p->n_groups; group += n_warps) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_group(p, group));
    const double sum = vise_group_sum(sums, by_rows, &t, group - t.groups, items);
    if (threadIdx.x % 32 == 0) groups[group] = sum;
  }
}

/* Sums of squares, and with max not NULL largest magnitudes into unit_max, of all units, by the warps of the team. */
VISE_STEP_FN void vise_sum_units(const double *sums, double *out, const float *max) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t lane = threadIdx.x % 32;
  for (uint32_t unit = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32; unit < p->n_units;
       unit += p->n_members * VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_unit(p, unit));
    const uint32_t n_leaves = vise_n_leaves(t.n_columns);
    const size_t at = t.row_leaves + (size_t)(unit - t.units) * n_leaves;
    const double sum = vise_sum_tree_warp(sums + at, n_leaves);
    if (lane == 0) out[unit] = sum;
    if (max) {
      uint32_t bits = 0;
      for (uint32_t leaf = lane; leaf < n_leaves; leaf += 32) {
        const uint32_t other = vise_bits_f32(max[at + leaf]);
        bits = other > bits ? other : bits;
      }
      bits = __reduce_max_sync(0xffffffffu, bits);
      if (lane == 0) p->unit_max[unit] = vise_f32_bits(bits);
    }
  }
}

/* Sums of the tensors into out[n_tensors] (shared memory), from the groups' sums: a warp to a tensor, the CTA to one of
   many groups. Begins and ends with all threads together. */
VISE_STEP_FN void vise_sum_tensors(const double *groups, double *out) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t n_tensors = vise_step_n_tensors(p), warp = threadIdx.x / 32;
  for (uint32_t tensor = warp; tensor < n_tensors; tensor += VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const uint32_t n_groups = vise_n_groups(t.n_rows);
    if (n_groups > 1024) continue;
    const double sum = vise_sum_tree_warp(groups + t.groups, n_groups);
    if (threadIdx.x % 32 == 0) out[tensor] = sum;
  }
  for (uint32_t tensor = 0; tensor < n_tensors; tensor++) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const uint32_t n_groups = vise_n_groups(t.n_rows);
    if (n_groups <= 1024) continue;
    const double sum = vise_sum_tree_cta(groups + t.groups, n_groups, step->tree);
    if (threadIdx.x == 0) out[tensor] = sum;
  }
  __syncthreads();
}

/* The same from cells or rows, by this CTA alone; scratch: memory of this CTA, [VISE_K_ALONE_GROUPS]. */
enum { VISE_K_ALONE_GROUPS = 8192 };
VISE_STEP_FN void vise_sum_tensors_alone(const double *sums, int by_rows, double *scratch, double *out) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  __syncthreads();
  if (p->n_groups <= VISE_K_ALONE_GROUPS) {
    vise_sum_groups(sums, by_rows, scratch, threadIdx.x / 32, VISE_STEP_WARPS);
    __syncthreads();
    vise_sum_tensors(scratch, out);
    return;
  }
  double *items = (double *)vise_step_split() + threadIdx.x / 32 * 256;
  for (uint32_t tensor = 0; tensor < vise_step_n_tensors(p); tensor++) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const uint32_t n_groups = vise_n_groups(t.n_rows);
    for (uint32_t group = threadIdx.x / 32; group < n_groups; group += VISE_STEP_WARPS) {
      const double sum = vise_group_sum(sums, by_rows, &t, group, items);
      if (threadIdx.x % 32 == 0) scratch[group] = sum;
    }
    __syncthreads();
    const double sum = vise_sum_tree_cta(scratch, n_groups, step->tree);
    if (threadIdx.x == 0) out[tensor] = sum;
  }
  __syncthreads();
}

/* Largest magnitude of each tensor by a warp to a tensor, into out[n_tensors] (shared memory). */
VISE_STEP_FN void vise_max_tensors(float *out) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  for (uint32_t tensor = threadIdx.x / 32; tensor < vise_step_n_tensors(p); tensor += VISE_STEP_WARPS) {
    const vise_step_tensor t = vise_step_tensor_at(p, tensor);
    const size_t n_leaves = vise_n_leaves(t.n_columns);
    const size_t n = p->sums_by_rows ? t.n_rows * n_leaves : vise_n_groups(t.n_rows) * n_leaves;
    const float *max = p->gradient_max + (p->sums_by_rows ? t.row_leaves : t.cells);
    uint32_t bits = 0;
    for (size_t i = threadIdx.x % 32; i < n; i += 32) {
      const uint32_t other = vise_bits_f32(max[i]);
      bits = other > bits ? other : bits;
    }
    bits = __reduce_max_sync(0xffffffffu, bits);
    if (threadIdx.x % 32 == 0) out[tensor] = vise_f32_bits(bits);
  }
  __syncthreads();
}

/* Weight sums of a parity: squares, then magnitudes. */
VISE_FN double *vise_weight_sums(const vise_k_step *p, uint32_t parity, int magnitudes) {
  return p->weight_sums + ((size_t)(parity & 1) * 2 + (magnitudes ? 1 : 0)) * p->n_cells;
}

/* VISE_K_SUM: sums of groups of the gradient and of the weights at the start of the step; units of the gradient. */
VISE_STEP_FN void vise_sum_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t first = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32, n_warps = p->n_members * VISE_STEP_WARPS;
  vise_sum_groups(p->gradient_sums, p->sums_by_rows, p->group_sums, first, n_warps);
  if (p->weight_sums_needed) {
    const uint32_t parity = step->state.parity;
    vise_sum_groups(vise_weight_sums(p, parity, 0), 0, p->group_sums + p->n_groups, first, n_warps);
    vise_sum_groups(vise_weight_sums(p, parity, 1), 0, p->group_sums + 2 * (size_t)p->n_groups, first, n_warps);
  }
  if (p->sums_by_rows) vise_sum_units(p->gradient_sums, p->unit_sums, p->gradient_max);
}

/* VISE_K_UNIT_SUM: sums of squares of the rows of the new weights. */
VISE_STEP_FN void vise_norm_unit_sums(void) {
  const vise_k_step *p = &vise_step_here()->p;
  vise_sum_units(p->norm_sums, p->norm_unit_sums, NULL);
}

#endif

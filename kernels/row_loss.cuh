/*
 * The loss of one row and its gradient at the outputs, by a warp: lane i has outputs i, i + 32, ...
 *
 * Formulas    those of host/backend/cpu64/loss.c. With r the row weight, c the class weight and D the record's
 *             denominator: value r c row_i (not yet divided by D), delta r c d_k / D; cross-entropy has c inside row_i.
 * Numerics    terms in float32 (exp, log, log1p of math_f32.cuh), sums over outputs in float64 in canonical order:
 *             leaves of 32 outputs, the tree over leaves.
 * Oracle      host/backend/cpu64/loss.c, by tolerance.
 */
#ifndef VISE_K_ROW_LOSS_CUH
#define VISE_K_ROW_LOSS_CUH

#include "kernels/gather.cuh"
#include "kernels/math_f32.cuh"
#include "kernels/step_context.cuh"

enum { VISE_MAX_OUTPUT_LEAVES = 256 }; /* 8192 outputs */

typedef struct vise_row {
  const float *z; /* [n_out] outputs */
  float *delta;   /* [n_out], written */
  uint32_t n_out;
  size_t data_row;
  const float *targets; /* [n_out], or the label; NULL: read them from the data set */
  double *leaves;       /* shared memory, [VISE_MAX_OUTPUT_LEAVES], of this warp */
} vise_row;

/* Adds up the lanes' terms for one leaf of 32 outputs. Called for each leaf in turn; then vise_row_sum gives the sum of
   the row. */
VISE_FN void vise_row_leaf(const vise_row *row, uint32_t leaf, double term) {
  const double sum = vise_sum_lanes(term, VISE_LEAF);
  if (threadIdx.x % 32 == 0) row->leaves[leaf] = sum;
}

VISE_FN double vise_row_sum(const vise_row *row) {
  __syncwarp();
  const double sum = vise_sum_tree_warp(row->leaves, vise_n_leaves(row->n_out));
  __syncwarp();
  return sum;
}

/* The largest output, and the lowest index that has it. */
VISE_FN float vise_row_max(const vise_row *row, uint32_t *index) {
  float most = -INFINITY;
  uint32_t at = 0xffffffffu;

#pragma unroll 1
  for (uint32_t k = threadIdx.x % 32; k < row->n_out; k += 32) {
    if (row->z[k] > most || at == 0xffffffffu) {
      most = row->z[k];
      at = k;
    }
  }

  for (int step = 16; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, most, step);
    const uint32_t other_at = __shfl_xor_sync(0xffffffffu, at, step);
    if (other > most || (other == most && other_at < at)) {
      most = other;
      at = other_at;
    }
  }

  *index = at;
  return most;
}

VISE_FN float vise_class_weight(const vise_k_step *p, uint32_t index) {
  return p->class_weights ? p->class_weights[index] : 1.0f;
}

/* (1 - q) c_t (log sum e^z - z_t) + q/K sum_k c_k (log sum e^z - z_k), q the label smoothing. */
VISE_FN double vise_row_cross_entropy(const vise_k_step *p, const vise_row *row, uint32_t label, float most,
                                      float scale) {
  const uint32_t lane = threadIdx.x % 32, n_leaves = vise_n_leaves(row->n_out);
  const float q = (float)p->rule.label_smoothing, own = (1.0f - q) * vise_class_weight(p, label);
  const float spread = q / (float)row->n_out;

#pragma unroll 1
  for (uint32_t leaf = 0; leaf < n_leaves; leaf++) {
    const uint32_t k = leaf * 32 + lane;
    float e = 0.0f;
    if (k < row->n_out) {
      e = vise_exp_f32(row->z[k] - most);
      row->delta[k] = e;
    }
    vise_row_leaf(row, leaf, (double)e);
  }

  const float sum = (float)vise_row_sum(row), log_sum = vise_log_f32(sum);
  double smooth = 0.0, all_weights = 1.0;
  if (q > 0.0f) {
#pragma unroll 1
    for (uint32_t leaf = 0; leaf < n_leaves; leaf++) {
      const uint32_t k = leaf * 32 + lane;
      const float term = k < row->n_out ? vise_class_weight(p, k) * (log_sum - (row->z[k] - most)) : 0.0f;
      vise_row_leaf(row, leaf, (double)term);
    }
    smooth = vise_row_sum(row);

#pragma unroll 1
    for (uint32_t leaf = 0; leaf < n_leaves; leaf++) {
      const uint32_t k = leaf * 32 + lane;
      vise_row_leaf(row, leaf, k < row->n_out ? (double)vise_class_weight(p, k) : 0.0);
    }
    all_weights = vise_row_sum(row);
  }

#pragma unroll 1
  for (uint32_t k = lane; k < row->n_out; k += 32) {
    const float probability = row->delta[k] / sum;
    float d = own * (k == label ? probability - 1.0f : probability);
    if (q > 0.0f) d = fmaf(spread, fmaf(probability, (float)all_weights, -vise_class_weight(p, k)), d);
    row->delta[k] = d * scale;
  }

  return (double)own * (double)(log_sum - (row->z[label] - most)) + (double)spread * smooth;
}

/* Value and derivative of one output, for the other losses. */
VISE_FN double vise_output_loss(const vise_k_step *p, float z, float y, float *d) {
  switch (p->rule.loss) {
    case VISE_LOSS_BCE: {
      const float e = vise_exp_f32(-fabsf(z));
      *d = vise_sigmoid_f32(z) - y;
      return (double)(z > 0.0f ? z : (z == z ? 0.0f : z)) - (double)z * (double)y + (double)vise_log1p_f32(e);
    }
    case VISE_LOSS_HUBER: {
      const float e = z - y, a = fabsf(e);
      *d = e < -1.0f ? -1.0f : (e > 1.0f ? 1.0f : e);
      return a < 1.0f ? 0.5 * (double)e * (double)e : (double)a - 0.5;
    }
    case VISE_LOSS_HINGE: {
      const float s = y > 0.0f ? 1.0f : -1.0f, margin = 1.0f - s * z;
      *d = margin > 0.0f ? -s : (margin == margin ? 0.0f : margin);
      return margin < 0.0f ? 0.0 : (double)margin;
    }
    case VISE_LOSS_POISSON: {
      const float e = vise_exp_f32(z);
      *d = e - y;
      return (double)e - (double)z * (double)y;
    }
    default: {
      const float e = z - y;
      const int mean = p->rule.mse_reduction == VISE_MSE_MEAN;
      *d = mean ? e + e : e;
      return (mean ? 1.0 : 0.5) * (double)e * (double)e;
    }
  }
}

/* Element k of a row of the targets. */
VISE_FN_CALLED float vise_target_f32(size_t data_row, uint32_t k) {
  const vise_k_source *y = &vise_step_here()->p.y;
  return vise_gather_one(y, (const char *)y->x + data_row * y->row_bytes, k);
}

/* Target of output k: a value, or, for a label, 1 or 0. */
VISE_FN float vise_row_target(const vise_k_step *p, const vise_row *row, uint32_t label, uint32_t k) {
  if (p->labels) return k == label ? 1.0f : 0.0f;
  return row->targets ? row->targets[k] : vise_target_f32(row->data_row, k);
}

/* Value of the row, delta written, *right: whether it is classified correctly. All lanes get the value. */
VISE_FN double vise_row_loss(const vise_k_step *p, const vise_row *row, int *right) {
  const uint32_t lane = threadIdx.x % 32, n_leaves = vise_n_leaves(row->n_out);
  const float inverse = (float)vise_step_here()->inverse;
  float weight = p->row_weights ? p->row_weights[row->data_row] : 1.0f;
  uint32_t label = 0, best;

  if (p->labels) {
    label = (uint32_t)(row->targets ? row->targets[0] : vise_target_f32(row->data_row, 0));
  }

  const float most = vise_row_max(row, &best);
  int same = p->labels ? best == label : 1;

  double value;
  if (p->rule.loss == VISE_LOSS_CROSS_ENTROPY) {
    value = vise_row_cross_entropy(p, row, label, most, weight * inverse);
  } else {
    if (p->class_weights) {
      const int positive = !p->labels && vise_row_target(p, row, 0, 0) > 0.0f;
      weight *= p->class_weights[p->labels ? label : (uint32_t)positive];
    }

#pragma unroll 1
    for (uint32_t leaf = 0; leaf < n_leaves; leaf++) {
      const uint32_t k = leaf * 32 + lane;
      double term = 0.0;
      if (k < row->n_out) {
        const float y = vise_row_target(p, row, label, k);
        float d;
        term = vise_output_loss(p, row->z[k], y, &d);
        row->delta[k] = d * (weight * inverse);
        if (!p->labels) same = same && (row->z[k] > 0.0f) == (y > 0.0f);
      }
      vise_row_leaf(row, leaf, term);
    }

    value = vise_row_sum(row);
  }

  *right = __all_sync(0xffffffffu, same);
  return (double)weight * value;
}

#endif

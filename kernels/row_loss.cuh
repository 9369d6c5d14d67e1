/*
 * The loss of one row and its gradient at the outputs, by a warp: lane i has outputs i, i + 32, ... Rows of up to 32
 * outputs have a way of their own, where all that a lane has is in registers (vise_lane_row).
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

/* Derivative of one output, for the other losses. */
VISE_FN float vise_output_slope(const vise_k_step *p, float z, float y) {
  switch (p->rule.loss) {
    case VISE_LOSS_BCE:
      return vise_sigmoid_f32(z) - y;
    case VISE_LOSS_HUBER: {
      const float e = z - y;
      return e < -1.0f ? -1.0f : (e > 1.0f ? 1.0f : e);
    }
    case VISE_LOSS_HINGE: {
      const float s = y > 0.0f ? 1.0f : -1.0f, margin = 1.0f - s * z;
      return margin > 0.0f ? -s : (margin == margin ? 0.0f : margin);
    }
    case VISE_LOSS_POISSON:
      return vise_exp_f32(z) - y;
    default: {
      const float e = z - y;
      return p->rule.mse_reduction == VISE_MSE_MEAN ? e + e : e;
    }
  }
}

/* Its value. */
VISE_FN double vise_output_value(const vise_k_step *p, float z, float y) {
  switch (p->rule.loss) {
    case VISE_LOSS_BCE: {
      const float e = vise_exp_f32(-fabsf(z));
      return (double)(z > 0.0f ? z : (z == z ? 0.0f : z)) - (double)z * (double)y + (double)vise_log1p_f32(e);
    }
    case VISE_LOSS_HUBER: {
      const float e = z - y, a = fabsf(e);
      return a < 1.0f ? 0.5 * (double)e * (double)e : (double)a - 0.5;
    }
    case VISE_LOSS_HINGE: {
      const float s = y > 0.0f ? 1.0f : -1.0f, margin = 1.0f - s * z;
      return margin < 0.0f ? 0.0 : (double)margin;
    }
    case VISE_LOSS_POISSON:
      return (double)vise_exp_f32(z) - (double)z * (double)y;
    default: {
      const float e = z - y;
      return (p->rule.mse_reduction == VISE_MSE_MEAN ? 1.0 : 0.5) * (double)e * (double)e;
    }
  }
}

/* Element k of a row of the targets. */
VISE_FN_CALLED float vise_target_f32(size_t data_row, uint32_t k) {
  const vise_k_source *y = &vise_step_here()->p.y;
  return vise_gather_one_called(y, (const char *)y->x + data_row * y->row_bytes, k);
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
        term = vise_output_value(p, row->z[k], y);
        row->delta[k] = vise_output_slope(p, row->z[k], y) * (weight * inverse);
        if (!p->labels) same = same && (row->z[k] > 0.0f) == (y > 0.0f);
      }
      vise_row_leaf(row, leaf, term);
    }

    value = vise_row_sum(row);
  }

  *right = __all_sync(0xffffffffu, same);
  return (double)weight * value;
}

/* ---- rows of up to 32 outputs: a lane has one ----------------------------------------------------------------------
   In four parts, so that memory is read before the outputs are known, and others have the deltas before the value is
   made: open, aim; z is set; delta; value. Lanes past the last output have zeros. */
typedef struct vise_lane_row {
  uint32_t n_out, label; /* label: 0 where targets are values */
  int inside;            /* the lane has an output */
  float z, target;       /* target: a value, or for a label 1 or 0 */
  float weight;          /* of the row, and of its class but in cross-entropy */
  float class_weight;    /* of the lane's class */
  float scale;           /* of derivatives: weight / D */
  float smoothing;
  float own, most, sum; /* cross-entropy: (1 - q) c_t; the largest output; the sum of e^(z - most) */
} vise_lane_row;

/* Row data_row of the data. Reads device memory. */
VISE_FN vise_lane_row vise_lane_row_open(const vise_k_step *p, uint32_t n_out, size_t data_row) {
  const uint32_t lane = threadIdx.x % 32, n_classes = n_out > 2 ? n_out : 2;
  vise_lane_row row;

  row.n_out = n_out;
  row.label = 0;
  row.inside = lane < n_out;
  row.weight = p->row_weights ? p->row_weights[data_row] : 1.0f;
  row.class_weight = p->class_weights && lane < n_classes ? p->class_weights[lane] : 1.0f;
  row.scale = (float)vise_step_here()->inverse;
  row.smoothing = VISE_RARE((float)p->rule.label_smoothing);
  row.z = row.target = row.own = row.most = row.sum = 0.0f;

  return row;
}

/* targets: [n_out], or the label. */
VISE_FN void vise_lane_row_aim(const vise_k_step *p, vise_lane_row *row, const float *targets) {
  const uint32_t lane = threadIdx.x % 32;
  const float first = targets[0];
  uint32_t class_of_row = first > 0.0f;

  if (p->labels) {
    row->label = class_of_row = (uint32_t)first;
    row->target = lane == row->label ? 1.0f : 0.0f;
  } else {
    row->target = row->inside ? targets[lane] : 0.0f;
  }

  const float own = __shfl_sync(0xffffffffu, row->class_weight, (int)(p->class_weights ? class_of_row : 0));
  if (p->rule.loss == VISE_LOSS_CROSS_ENTROPY) {
    row->own = (1.0f - row->smoothing) * own;
  } else {
    row->weight *= own;
  }
  row->scale *= row->weight;
}

/* The sum of the class weights. */
VISE_FN float vise_lane_all_weights(const vise_k_step *p, const vise_lane_row *row) {
  if (!p->class_weights) return (float)row->n_out;
  return (float)vise_sum_first_lanes(row->inside ? (double)row->class_weight : 0.0, row->n_out);
}

/* The derivative at the lane's output; see vise_row_cross_entropy. */
VISE_FN float vise_lane_row_delta(const vise_k_step *p, vise_lane_row *row) {
  float d;

  if (p->rule.loss == VISE_LOSS_CROSS_ENTROPY) {
    row->most = vise_largest_lane(row->inside ? row->z : -INFINITY);
    const float e = vise_exp_f32(row->z - row->most), counted = row->inside ? e : 0.0f;
    row->sum = (float)vise_sum_first_lanes((double)counted, row->n_out);

    const float probability = counted / row->sum;
    d = row->own * (threadIdx.x % 32 == row->label ? probability - 1.0f : probability);
    if (row->smoothing > 0.0f) {
      const float spread = row->smoothing / (float)row->n_out;
      d = fmaf(spread, fmaf(probability, vise_lane_all_weights(p, row), -row->class_weight), d);
    }
  } else {
    d = vise_output_slope(p, row->z, row->target);
  }

  return row->inside ? d * row->scale : 0.0f;
}

/* Whether the row is classified correctly: the label has the largest output, the first of these; or all signs agree. */
VISE_FN int vise_lane_row_is_right(const vise_k_step *p, const vise_lane_row *row) {
  if (!p->labels) {
    const int same = !row->inside || (row->z > 0.0f) == (row->target > 0.0f);
    return p->rule.loss == VISE_LOSS_CROSS_ENTROPY || __all_sync(0xffffffffu, same);
  }

  const float most = vise_largest_lane(row->inside ? row->z : -INFINITY);
  const uint32_t has_most = __ballot_sync(0xffffffffu, row->inside && row->z == most);
  if (__any_sync(0xffffffffu, !(row->z == row->z))) return 0;
  return (has_most & (0u - has_most)) == 1u << row->label;
}

/* The value of the row, in lane 0. */
VISE_FN double vise_lane_row_value(const vise_k_step *p, const vise_lane_row *row) {
  if (p->rule.loss != VISE_LOSS_CROSS_ENTROPY) {
    const double term = row->inside ? vise_output_value(p, row->z, row->target) : 0.0;
    return (double)row->weight * (vise_sum_first_lanes(term, row->n_out) + 0.0);
  }

  const float below = vise_log_f32(row->sum) - (row->z - row->most);
  const float of_label = __shfl_sync(0xffffffffu, below, (int)row->label);
  double value = (double)row->own * (double)of_label, smooth = 0.0;
  float spread = 0.0f;
  if (row->smoothing > 0.0f) {
    const float term = row->inside ? row->class_weight * below : 0.0f;
    spread = row->smoothing / (float)row->n_out;
    smooth = vise_sum_first_lanes((double)term, row->n_out) + 0.0;
  }
  value += (double)spread * smooth;
  return (double)row->weight * value;
}

#endif

/* Around the products of a layer: their operands, and the epilogues of the forward and delta phases: what follows a linear
   layer in its block, and the way back through that. Batch norm in training, which needs all rows, has phases of its own
   (ops/batch_norm.cuh). */
#ifndef VISE_K_LAYERS_CUH
#define VISE_K_LAYERS_CUH

#include "host/rule/batch_norm.h"
#include "kernels/activation.cuh"
#include "kernels/ops/dropout.cuh"
#include "kernels/ops/residual.cuh"
#include "kernels/rounding.cuh"
#include "kernels/stage.cuh"

/* Starts to copy the biases of n units from `unit` on, both multiples of 4 and n up to VISE_K_BIAS_TILE, to step->bias;
   whoever waits for later copies waits for these. */
VISE_FN void vise_load_bias(vise_step *step, uint32_t layer, uint32_t unit, uint32_t n) {
  const vise_k_layer *l = &step->p.layers[layer];
  const uint32_t at = threadIdx.x * 4, left = l->n_out - (unit + at);
  if (!vise_k_has_bias(l) || at >= n || unit + at >= l->n_out) return;
  ptx_cp_async_16(step->bias + threadIdx.x, vise_used_params(&step->p) + l->vector + unit + at,
                  left < 4 ? 4 * left : 16);
  ptx_cp_async_commit();
}

/* Whether the pass is one of training: batch norm takes the statistics of the batch. */
VISE_FN int vise_step_trains(const vise_k_step *p) {
  return vise_mode_of(p) != VISE_K_FORWARD_ONLY;
}

/* Batch norm outside of training, by the running statistics. */
VISE_FN float vise_norm_running(const vise_k_step *p, const vise_k_layer *l, uint32_t unit, float z) {
  const float *means = p->params + vise_k_running(l), *variances = p->params + vise_k_running_variance(l);
  const float x = (z - means[unit]) * (1.0f / sqrtf(variances[unit] + (float)VISE_I_BATCH_NORM_EPS));
  return fmaf(p->params[vise_k_vector_of(l, 0).at + unit], x, p->params[vise_k_vector_of(l, 1).at + unit]);
}

/* Whether a block is a linear layer and an activation alone: no batch norm, dropout or residual. */
VISE_FN int vise_is_plain_way(const vise_k_layer *l) {
  return !VISE_RARE((l->has_norm | l->has_residual) || l->dropout.threshold);
}

/* And so is the way back to it. Of a hidden layer. */
VISE_FN int vise_is_plain_block(const vise_k_layer *l) {
  return vise_is_plain_way(l) && !VISE_RARE(l[1].has_residual);
}

/* f'(z), where the commonest activation needs no call. */
VISE_FN float vise_slope_f32(vise_activation kind, float a, float z) {
  if (kind == VISE_RELU) return a > 0.0f ? 1.0f : 0.0f;
  return vise_activation_slope_f32(kind, a, z);
}

/* f(u), likewise. */
VISE_FN float vise_act_f32(vise_activation kind, float u) {
  if (kind == VISE_RELU) return u < 0.0f ? 0.0f : u;
  return vise_activation_f32(kind, u);
}

/* Whether what hidden layer l's activation gives is rounded. */
VISE_FN int vise_rounds_outputs(const vise_k_step *p, uint32_t layer) {
  return VISE_STEP_INTEGER && layer + 1 < p->n_layers;
}

/* What slopes of a plain block are made of: the outputs, before they were rounded. */
VISE_FN uint64_t vise_unrounded_at(const vise_k_layer *l) {
  return VISE_STEP_INTEGER ? vise_k_act(l) : l->out;
}

/* The outputs of a block from u, what its activation takes; keeps what the way back will need. The last layer's are u. */
VISE_FN void vise_put_output(vise_step *step, uint32_t layer, uint32_t row, uint32_t unit, float u) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const size_t at = (size_t)row * l->ld_out + unit;

  if (vise_i_activation_needs_z(kind)) p->activations[vise_k_pre(l) + at] = u;
  float a = vise_act_f32(kind, u);
  if (VISE_RARE(l->act_by)) p->activations[vise_k_act(l) + at] = a;
  if (vise_rounds_outputs(p, layer)) {
    const vise_levels levels = vise_levels_of(p, layer + 1);
    a = vise_round_value(&levels, a);
  }
  if (VISE_RARE(l->dropout.threshold)) a = vise_dropout(layer + 1, row, unit, a);
  if (VISE_RARE(l->has_residual)) a += vise_residual_input(step, layer, row, unit);
  vise_put_activation(p, l->out + at, a);
}

/* The quads of units of a tile that a thread takes: the same columns of every `step`-th row. */
typedef struct vise_tile_quads {
  uint32_t column, row, step, n_rows; /* within the tile */
} vise_tile_quads;

VISE_FN vise_tile_quads vise_tile_quads_of(const vise_step *step, uint32_t row0, uint32_t rows_log,
                                           uint32_t units_log) {
  const uint32_t left = step->record.n_rows - row0, rows = 1u << rows_log;
  vise_tile_quads q;
  q.column = (threadIdx.x & ((1u << (units_log - 2)) - 1)) * 4;
  q.row = threadIdx.x >> (units_log - 2);
  q.step = VISE_K_STEP_THREADS >> (units_log - 2);
  q.n_rows = row0 >= step->record.n_rows ? 0 : left < rows ? left : rows;
  return q;
}

/* Whether an epilogue goes by quads: tiles from 32 units on, of whole quads. */
VISE_FN int vise_has_quads(const vise_k_layer *l, uint32_t units_log) {
  return units_log >= 5 && l->n_out % 4 == 0;
}

/* The outputs of a plain block from c, for such a tile. */
VISE_FN_CALLED void vise_forward_quads(uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t rows_log,
                                       uint32_t units_log) {
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const vise_tile_quads q = vise_tile_quads_of(step, row0, rows_log, units_log);
  const uint32_t unit = unit0 + q.column;
  const int has_bias = vise_k_has_bias(l), keeps_u = vise_i_activation_needs_z(kind);
  const int rounds = vise_rounds_outputs(p, layer);
  float bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  vise_levels levels = {};
  if (unit >= l->n_out) return;
  if (rounds) levels = vise_levels_of(p, layer + 1);
  if (has_bias) vise_quad_load((const float *)step->bias + q.column, bias);

#pragma unroll 1
  for (uint32_t r = q.row; r < q.n_rows; r += q.step) {
    const size_t at = (size_t)(row0 + r) * l->ld_out + unit;
    float x[4];
    vise_quad_load(vise_step_stage() + (r << units_log) + q.column, x);
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] = has_bias ? x[i] + bias[i] : x[i];
    if (keeps_u) vise_quad_store(p->activations + vise_k_pre(l) + at, x);
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] = vise_act_f32(kind, x[i]);
    if (rounds) {
      if (l->act_by) vise_quad_store(p->activations + vise_k_act(l) + at, x);
#pragma unroll
      for (int i = 0; i < 4; i++) x[i] = vise_round_value(&levels, x[i]);
    }
    vise_put_activations(p, l->out + at, x);
  }
}

/* The way back through one, from c. What the slopes are made of, a or z, is loaded for several quads at a time. */
VISE_FN_CALLED void vise_delta_quads(uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t side_log) {
  enum { N = 4 };
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const vise_tile_quads q = vise_tile_quads_of(step, row0, side_log, side_log);
  const uint32_t unit = unit0 + q.column;
  const float *const from =
      p->activations + (vise_i_activation_needs_z(kind) ? vise_k_pre(l) : vise_unrounded_at(l)) + unit;
  if (unit >= l->n_out) return;

#pragma unroll 1
  for (uint32_t first = q.row; first < q.n_rows; first += N * q.step) {
    float v[N][4] = {};
#pragma unroll
    for (uint32_t k = 0; k < N; k++) {
      const uint32_t r = first + k * q.step;
      if (r < q.n_rows) vise_quad_load(from + (size_t)(row0 + r) * l->ld_out, v[k]);
    }

#pragma unroll
    for (uint32_t k = 0; k < N; k++) {
      const uint32_t r = first + k * q.step;
      if (r >= q.n_rows) break;
      float c[4];
      vise_quad_load(vise_step_stage() + (r << side_log) + q.column, c);
#pragma unroll
      for (int i = 0; i < 4; i++) c[i] *= vise_slope_f32(kind, v[k][i], v[k][i]);
      vise_put_activations(p, l->delta + (size_t)(row0 + r) * l->ld_out + unit, c);
    }
  }
}

/* z = c + b for a tile of rows x units, whose product c is in the stages, and what follows it; a batch norm in training
   waits for all rows. */
VISE_FN_CALLED void vise_forward_epilogue(uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t rows_log,
                                          uint32_t units_log) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const float *c = vise_step_stage();
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t n_rows = step->record.n_rows, units = 1u << units_log;
  const float *bias = vise_k_has_bias(l) ? (const float *)step->bias : NULL;
  if (vise_has_quads(l, units_log) && vise_is_plain_way(l)) {
    vise_forward_quads(layer, row0, unit0, rows_log, units_log);
    return;
  }

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < units << rows_log; i += VISE_K_STEP_THREADS) {
    const uint32_t row = row0 + (i >> units_log), unit = unit0 + (i & (units - 1));
    if (row >= n_rows || unit >= l->n_out) continue;

    const float z = bias ? c[i] + bias[i & (units - 1)] : c[i];
    if (VISE_RARE(l->has_norm) && vise_step_trains(p)) {
      p->activations[vise_k_linear(l) + (size_t)row * l->ld_out + unit] = z;
    } else {
      vise_put_output(step, layer, row, unit, VISE_RARE(l->has_norm) ? vise_norm_running(p, l, unit, z) : z);
    }
  }
}

/* The way back through the block of hidden layer `layer` at a row and unit, from c, the part of dL/d out that the layer
   above gives through its weights; out: the block's output there. Ends at dL/dz, or before a batch norm at dL/du. */
VISE_FN void vise_put_delta(vise_step *step, uint32_t layer, uint32_t row, uint32_t unit, float c, float out) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const size_t at = (size_t)row * l->ld_out + unit;

  if (VISE_RARE(l[1].has_residual)) c += vise_residual_delta(p, layer + 1, row, unit);
  if (VISE_RARE(l->has_residual)) p->activations[vise_k_delta_out(l) + at] = c;
  if (VISE_RARE(l->dropout.threshold)) c = vise_dropout(layer + 1, row, unit, c);

  const float a = VISE_RARE(l->act_by) ? p->activations[vise_k_act(l) + at] : out;
  const float u = vise_i_activation_needs_z(kind) ? p->activations[vise_k_pre(l) + at] : 0.0f;
  const float delta = c * vise_activation_slope_f32(kind, a, u);
  if (VISE_RARE(l->has_norm)) {
    p->activations[l->delta + at] = delta;
  } else {
    vise_put_activation(p, l->delta + at, delta);
  }
}

/* The way back from c = dL/dz_above W for a tile of rows x units. */
VISE_FN void vise_delta_epilogue(vise_step *step, uint32_t layer, uint32_t row0, uint32_t unit0, uint32_t side_log,
                                 const float *c) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t side = 1u << side_log;
  if (vise_has_quads(l, side_log) && vise_is_plain_block(l)) {
    vise_delta_quads(layer, row0, unit0, side_log);
    return;
  }

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < side * side; i += VISE_K_STEP_THREADS) {
    const uint32_t row = row0 + (i >> side_log), unit = unit0 + (i & (side - 1));
    if (row >= step->record.n_rows || unit >= l->n_out) continue;
    vise_put_delta(step, layer, row, unit, c[i], p->activations[l->out + (size_t)row * l->ld_out + unit]);
  }
}

/* The inputs of a layer for the rows of the batch: activations of the layer below, or the gathered rows. */
VISE_FN vise_operand vise_operand_inputs(const vise_step *step, uint32_t layer) {
  const vise_k_step *p = &step->p;
  const uint32_t n_rows = step->record.n_rows;
  if (layer == 0) {
    return vise_operand_of(p->inputs, p->inputs16, (size_t)(step->inputs - p->inputs), p->ld_inputs, n_rows,
                           p->layers[0].n_in);
  }
  const vise_k_layer *below = &p->layers[layer - 1];
  return vise_operand_of(p->activations, p->activations16, below->out, below->ld_out, n_rows, below->n_out);
}

VISE_FN vise_operand vise_operand_weights(const vise_k_step *p, uint32_t layer) {
  const vise_k_layer *l = &p->layers[layer];
  return vise_operand_of(vise_used_params(p), p->params16, l->weight, l->ld, l->n_out, l->n_in);
}

VISE_FN vise_operand vise_operand_deltas(const vise_step *step, uint32_t layer) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  return vise_operand_of(p->activations, p->activations16, l->delta, l->ld_out, step->record.n_rows, l->n_out);
}

#endif

/* What follows the product of a linear layer. A plain block, a bias and an activation, is one fused pass each way. */
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/ops/rounding.h"

static const vise_i_block *block_of(const vise_i_cpu *b, const vise_i_cpu_units *units) {
  return &b->net->blocks[units->layer];
}

/* The units' rows of an array [width, n], which may be NULL. */
static float *rows_of(const vise_i_cpu *b, const vise_i_cpu_units *units, float *array) {
  return array ? array + units->first * b->pass.n : NULL;
}

/* The units' part of a trained tensor: weights, or gradient; NULL where there is none. */
static const float *weights_of(const vise_i_cpu *b, const vise_i_cpu_units *units, size_t tensor) {
  return tensor != VISE_I_NO_TENSOR ? b->tensors[tensor].used + units->first : NULL;
}

static float *gradient_of(const vise_i_cpu *b, const vise_i_cpu_units *units, size_t tensor) {
  return tensor != VISE_I_NO_TENSOR ? b->tensors[tensor].g + units->first : NULL;
}

/* What is added after the product: the bias, or the shift of batch norm in its place. */
static size_t bias_of(const vise_i_block *block) {
  return block->batch_norm ? block->shift : block->bias;
}

static bool drops(const vise_i_cpu *b, const vise_i_block *block) {
  return b->pass.drops && block->dropout > 0;
}

static bool rounds(const vise_i_cpu *b, size_t l) {
  return vise_i_rounds_outputs(b->spec->quantization, l);
}

/* Whether the outputs of block l are not those of its activation. */
static bool has_own_outputs(const vise_i_cpu *b, size_t l) {
  const vise_i_block *block = &b->net->blocks[l];
  return block->residual || drops(b, block) || rounds(b, l);
}

const float *vise_i_cpu_inputs_of(const vise_i_cpu *b, size_t l) {
  if (l == 0) return b->x;
  return has_own_outputs(b, l - 1) ? b->more[l - 1].out : b->act[l - 1];
}

bool vise_i_cpu_passes_by(const vise_i_cpu *b, size_t l) {
  return b->net->blocks[l].residual && l > 0; /* nothing below the first is trained */
}

static vise_i_cpu_outputs outputs_of(const vise_i_cpu *b, const vise_i_cpu_units *units) {
  return (vise_i_cpu_outputs){rows_of(b, units, b->act[units->layer]), rows_of(b, units, b->pre[units->layer]),
                              units->end - units->first, b->pass.n};
}

/* ---- batch norm -------------------------------------------------------------------------------------------------- */

static vise_i_cpu_batch_norm norm_of(const vise_i_cpu *b, const vise_i_cpu_units *units) {
  const vise_i_cpu_more *more = &b->more[units->layer];
  return (vise_i_cpu_batch_norm){
      .gain = weights_of(b, units, block_of(b, units)->gain),
      .mean = more->statistics + units->first,
      .variance = more->statistics + b->net->widths[units->layer + 1] + units->first,
      .x = rows_of(b, units, more->x),
      .width = units->end - units->first,
      .n = b->pass.n,
  };
}

/* The running statistics lie after what is trained. */
static float *running_of(const vise_i_cpu *b, const vise_i_cpu_units *units, size_t tensor) {
  return b->params + b->net->tensors[tensor].offset + units->first;
}

static void normalize(vise_i_cpu *b, const vise_i_cpu_units *units, float *z) {
  const vise_i_cpu_batch_norm norm = norm_of(b, units);
  const float *mean = running_of(b, units, block_of(b, units)->running_mean);
  const float *variance = running_of(b, units, block_of(b, units)->running_variance);

  if (b->pass.training) {
    if (!b->has_statistics) vise_i_cpu_batch_norm_measure(&norm, z);
  } else {
    for (size_t k = 0; k < norm.width; k++) {
      norm.mean[k] = (double)mean[k];
      norm.variance[k] = (double)variance[k];
    }
  }
  vise_i_cpu_batch_norm_forward(&norm, z);
}

void vise_i_cpu_measure(vise_i_cpu *b, const vise_i_cpu_units *units) {
  const vise_i_cpu_batch_norm norm = norm_of(b, units);
  vise_i_cpu_batch_norm_measure(&norm, rows_of(b, units, b->act[units->layer]));
}

void vise_i_cpu_normalize_backward(vise_i_cpu *b, const vise_i_cpu_units *units, const double *sums, size_t n,
                                   float *delta) {
  const vise_i_cpu_batch_norm norm = norm_of(b, units);
  const double *sum = sums + units->first, *sum_x = sums + b->net->widths[units->layer + 1] + units->first;
  vise_i_cpu_batch_norm_below(&norm, sum, sum_x, n, rows_of(b, units, delta));
}

/* The gradient of the gains, and at the inputs of the norm unless other parts' sums are to go into that. */
static void normalize_backward(vise_i_cpu *b, const vise_i_cpu_units *units, float *delta) {
  const vise_i_cpu_batch_norm norm = norm_of(b, units);
  float *gain_grad = gradient_of(b, units, block_of(b, units)->gain), *d = rows_of(b, units, delta);
  double *sums = b->more[units->layer].sums;

  if (!b->has_statistics) {
    vise_i_cpu_batch_norm_backward(&norm, d, gain_grad);
    return;
  }
  vise_i_cpu_batch_norm_sum(&norm, d, sums + units->first, sums + b->net->widths[units->layer + 1] + units->first,
                            gain_grad);
}

void vise_i_cpu_track(vise_i_cpu *b) {
  for (size_t l = 0; l < b->net->n_layers; l++) {
    const vise_i_block *block = &b->net->blocks[l];
    const vise_i_cpu_units all = {.layer = l, .first = 0, .end = b->net->widths[l + 1]};
    if (!block->batch_norm) continue;

    const vise_i_cpu_batch_norm norm = norm_of(b, &all);
    vise_i_cpu_batch_norm_track(&norm, running_of(b, &all, block->running_mean),
                                running_of(b, &all, block->running_variance));
  }
}

/* ---- dropout ----------------------------------------------------------------------------------------------------- */

static void drop(vise_i_cpu *b, const vise_i_cpu_units *units, const float *in, float *out) {
  const vise_i_cpu_dropout dropout = {&b->pass, (uint32_t)units->layer + 1, block_of(b, units)->dropout};
  vise_i_cpu_dropout_forward(&dropout, units->first, units->end - units->first, in,
                             rows_of(b, units, b->more[units->layer].factors), out);
}

void vise_i_cpu_drop_inputs(vise_i_cpu *b, size_t first, size_t end) {
  const vise_i_cpu_dropout dropout = {&b->pass, 0, b->net->input_dropout};
  vise_i_cpu_dropout_inputs(&dropout, b->x, b->net->widths[0], first, end);
}

/* ---- rounding ---------------------------------------------------------------------------------------------------- */

static void round_outputs(vise_i_cpu *b, const vise_i_cpu_units *units, const float *in, float *out) {
  const vise_i_levels levels =
      vise_i_output_levels(b->spec->quantization, b->net, b->host.state[VISE_I_SCALES], units->layer);
  vise_i_round_values_f32(&levels, in, out, (units->end - units->first) * b->pass.n);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void add_inputs(vise_i_cpu *b, const vise_i_cpu_units *units, const float *block, float *out) {
  const size_t n = b->pass.n, width = units->end - units->first;
  const float *from = vise_i_cpu_inputs_of(b, units->layer);
  if (units->layer == 0) {
    vise_i_cpu_residual_of_inputs(block, from + units->first, b->net->widths[0], width, n, out);
  } else {
    vise_i_cpu_residual_forward(block, from + units->first * n, width, n, out);
  }
}

void vise_i_cpu_block_forward(vise_i_cpu *b, const vise_i_cpu_units *units) {
  const vise_i_block *block = block_of(b, units);
  const vise_i_cpu_outputs outputs = outputs_of(b, units);
  float *out = rows_of(b, units, b->more[units->layer].out);

  if (block->batch_norm) normalize(b, units, outputs.act);
  vise_i_cpu_activate(block->activation, &outputs, weights_of(b, units, bias_of(block)));

  const float *values = outputs.act;
  if (rounds(b, units->layer)) {
    round_outputs(b, units, values, out);
    values = out;
  }
  if (drops(b, block)) {
    drop(b, units, values, out);
    values = out;
  }
  if (block->residual) add_inputs(b, units, values, out);
}

void vise_i_cpu_block_backward(vise_i_cpu *b, const vise_i_cpu_units *units, float *delta, float *next, bool add) {
  const vise_i_block *block = block_of(b, units);
  const vise_i_cpu_outputs outputs = outputs_of(b, units);
  const size_t n_values = outputs.width * outputs.n;
  float *d = rows_of(b, units, delta);

  if (vise_i_cpu_passes_by(b, units->layer)) memcpy(rows_of(b, units, next), d, n_values * sizeof *d);
  if (drops(b, block)) vise_i_cpu_dropout_backward(rows_of(b, units, b->more[units->layer].factors), d, n_values);
  vise_i_cpu_activate_backward(block->activation, &outputs, d, gradient_of(b, units, bias_of(block)), add);

  if (block->batch_norm) normalize_backward(b, units, delta);
}

/*
 * What is done to elements of an integer net (docs/step.md): hidden values are rounded as they are made, latent weights are
 * cut as they are updated. The bits are those of host/ops/rounding.c. Rows: round_rows.cuh.
 */
#ifndef VISE_K_ROUNDING_CUH
#define VISE_K_ROUNDING_CUH

#include "host/rule/integer.h"
#include "kernels/step_context.cuh"

/* ---- values ---- */

/* t of what a layer reads. */
VISE_FN float vise_value_scale(const vise_k_step *p, uint32_t layer) {
  return p->rounding.scales[p->n_units + layer];
}

/* Values a become t (x - z) with the nearest x in [0, X]. */
typedef struct vise_levels {
  float scale, by, zero, most; /* t, 1/t, z, X */
} vise_levels;

/* Of what a layer reads. */
VISE_FN vise_levels vise_levels_of(const vise_k_step *p, uint32_t layer) {
  vise_levels l;
  l.scale = vise_value_scale(p, layer);
  l.by = p->rounding.scales[p->n_units + p->n_layers + layer];
  l.zero = (float)p->rounding.zeros[layer];
  l.most = (float)vise_k_most_level(p, layer);
  return l;
}

/* NaN stays NaN. */
VISE_FN float vise_round_value(const vise_levels *l, float a) {
  const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float x = a * l->by + l->zero, in = x < 0.0f ? 0.0f : (x > l->most ? l->most : x);
  return l->scale * (((in + shifter) - shifter) - l->zero);
}

/* ---- latent weights ---- */

/* Cuts n elements of a quad at (row, column) of a tensor to what can be reached: weights to 127 s, biases to the bound of
   B0. NaN stays NaN. */
VISE_FN void vise_cut_quad(const vise_k_step *p, const vise_step_tensor *t, uint32_t row, uint32_t column, uint32_t n,
                           float w[4]) {
  const vise_k_rounding *rounding = &p->rounding;
  const float *scales =
      rounding->scales + (t->is_bias ? p->layers[t->layer].weight_at.units + column : t->at.units + row);
  const double most = t->is_bias ? vise_i_bias_limit(rounding->acc_bits) : (double)VISE_I_MOST_Q;
  const double by = t->is_bias ? (double)vise_value_scale(p, t->layer) : 1.0;
  if (!rounding->bounds) return;

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    if (i >= n) continue;
    const float hi = (float)(most * ((double)scales[t->is_bias ? i : 0] * by));
    w[i] = w[i] < -hi ? -hi : (w[i] > hi ? hi : w[i]);
  }
}

#endif

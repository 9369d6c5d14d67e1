/*
 * Weights and hidden values rounded to integers, as training for an integer net does (docs/hardware.md).
 *
 * A row of weights is projected onto the integer rows whose positive entries add up to at most R+ and whose negative
 * ones to at least -R-, in units of its scale s. With V = rint(2^16 |w| / s), at most 127 2^16, and the smallest integer
 * T >= 0 for which
 *   sum of max(0, (V - T + 2^15) >> 16) <= R,
 * q is that summand, with the sign of w; each sign has its own T. All of it is integers, whose sums have no order: there
 * is one answer, which bisection finds.
 */
#ifndef VISE_I_ROUNDING_H
#define VISE_I_ROUNDING_H

#include <stddef.h>
#include <stdint.h>

#include "host/net/quantization.h"

/* v[i] = V of w[i] with its sign; s > 0. A NaN becomes the largest. */
void vise_i_fixed_f32(const float *w, size_t n, float s, int32_t *v);
void vise_i_fixed_f64(const double *w, size_t n, double s, int32_t *v);

/* v, as above, becomes q. */
void vise_i_project_row(int32_t *v, size_t n, const vise_i_radii *radii);

/* Values a become t (x - z) with the nearest x in [0, most]; t > 0. NaN stays NaN. */
typedef struct vise_i_levels {
  double scale;   /* t */
  int most, zero; /* X, z */
} vise_i_levels;

void vise_i_round_values_f32(const vise_i_levels *levels, const float *in, float *out, size_t n);
void vise_i_round_values_f64(const vise_i_levels *levels, const double *in, double *out, size_t n);

/* What training does to a net's parameters: of `latent` weights and biases, f32 or f64 [net->n_params], the ones that
   the integer net has go to `rounded`, and the latent ones are kept within reach: weights within 127 s, biases within
   vise_i_bias_most. */
typedef struct vise_i_rounding {
  const vise_i_quantization *quantization;
  const vise_i_net *net;
  const float *scales; /* as in the quantization */
  int32_t *v;          /* room for as many as the widest layer has inputs */
} vise_i_rounding;

/* Rows [first, end) of layer l. */

void vise_i_round_layer_f32(const vise_i_rounding *r, size_t l, size_t first, size_t end, float *latent,
                            float *rounded);
void vise_i_round_layer_f64(const vise_i_rounding *r, size_t l, size_t first, size_t end, double *latent,
                            double *rounded);

#endif

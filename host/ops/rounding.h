/*
 * Weights and hidden values rounded to integers, as training for an integer net does (docs/hardware.md).
 *
 * A row of weights is projected onto the integer rows whose positive entries add up to at most R+ and whose negative
 * ones to at least -R-, in units of its scale s. With V = rint(2^16 |w| / s), at most 127 2^16, and the smallest integer
 * T >= 0 for which
 *   sum of max(0, (V - T + 2^15) >> 16) <= R,
 * q is that summand, with the sign of w; each sign has its own T. All of it is integers, whose sums have no order: there
 * is one answer, which bisection finds. Weights of 16 bits have 8 bits of fraction: V is that of 2^8 s, with 2^7 and 8 in
 * place of 2^15 and 16.
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

/*
 * What training does to a net's parameters: from latent weights and biases, which the optimizer moves, come those that
 * the integer net has. Scales are as in the quantization.
 */
typedef struct vise_i_rounding {
  const vise_i_quantization *quantization;
  const vise_i_net *net;
  const float *scales;
  int32_t *v;  /* room for as many as the widest layer has inputs */
  bool bounds; /* the latent ones are cut to what can be reached: weights to 127 s, biases to vise_i_bias_most */
} vise_i_rounding;

/* Rows [first, end) of layer l: weights [end - first, n_in] and biases (NULL: none), latent and as they become. Returns
   whether a latent weight was cut. */
typedef struct vise_i_rounded_rows_f32 {
  size_t l, first, end;
  float *latent, *latent_bias, *out, *out_bias;
} vise_i_rounded_rows_f32;

typedef struct vise_i_rounded_rows_f64 {
  size_t l, first, end;
  double *latent, *latent_bias, *out, *out_bias;
} vise_i_rounded_rows_f64;

bool vise_i_round_rows_f32(const vise_i_rounding *r, const vise_i_rounded_rows_f32 *rows);
bool vise_i_round_rows_f64(const vise_i_rounding *r, const vise_i_rounded_rows_f64 *rows);

/* Whether layer l's outputs are rounded to levels, and to which; the outputs of the net are not. */
static inline bool vise_i_rounds_outputs(const vise_i_quantization *quantization, size_t l) {
  return quantization != NULL && l + 1 < quantization->n_layers;
}

vise_i_levels vise_i_output_levels(const vise_i_quantization *quantization, const vise_i_net *net, const float *scales,
                                   size_t l);

#endif

/*
 * How a net is made of integers (docs/hardware.md): weights are s q with whole q in [-127, 127] and one scale s for each
 * row; what a layer reads is t (x - z) with whole x in [0, X], one scale t for the layer and the integer z that stands
 * for 0. A row's sum is then s t (sum of q x + B).
 */
#ifndef VISE_I_QUANTIZATION_H
#define VISE_I_QUANTIZATION_H

#include <stdint.h>

#include "host/base/error.h"
#include "host/net/net.h"
#include "host/rule/integer.h"

/* "int8,acc16,act8,in8": what is asked for. Weights of 16 bits are for finished nets: no training has them. */
typedef struct vise_i_integer_format {
  int acc_bits;       /* P, of the accumulators: 10 to 32; 0: there is no quantization */
  int act_bits;       /* of hidden values: 2 to 8 */
  int in_bits;        /* of the net's inputs: 2 to 8 */
  bool unconstrained; /* rows are rounded as if the accumulators were wide: their sums may overflow */
  bool int16;         /* weights have 16 bits in place of 8 */
} vise_i_integer_format;

enum { VISE_I_INTEGER_FORMAT_BYTES = 48 };

/* Reads a format; errors begin with `field` in backquotes. */
VISE_WARN_UNUSED vise_status vise_i_integer_format_parse(const char *field, const char *text,
                                                         vise_i_integer_format *out, vise_error *err);
/* The format in full ("int8,acc16,act8,in8"); returns buffer. */
const char *vise_i_integer_format_text(const vise_i_integer_format *format, char buffer[VISE_I_INTEGER_FORMAT_BYTES]);

bool vise_i_integer_format_is_same(const vise_i_integer_format *a, const vise_i_integer_format *b);

/* How many bits an integer weight has beyond 8. Its fraction in a projection has as many less, so that both fit 24. */
static inline int vise_i_more_bits(const vise_i_integer_format *format) {
  return format->int16 ? 8 : 0;
}

/* The largest magnitude of an integer weight. */
static inline int vise_i_most_q(const vise_i_integer_format *format) {
  return VISE_I_MOST_Q << vise_i_more_bits(format);
}

/* VISE_OK, or VISE_ERR_UNSUPPORTED with what no integer net can have and what would do. trains: batch norm, which a
   finished net folds into its weights, is refused too. */
VISE_WARN_UNUSED vise_status vise_i_integer_check_net(const vise_i_net *net, bool trains, vise_error *err);

typedef struct vise_i_quantization {
  vise_i_integer_format format;
  int in_zero;                 /* z of the net's inputs */
  double in_shift, in_divisor; /* the same as (x - shift) / divisor, for backends */
  size_t n_layers, n_rows;
  size_t first_row[VISE_MAX_LAYERS];
  size_t n_scales; /* n_rows + n_layers */
  float *scales;   /* s of each row of each layer, then t of what each layer reads */
} vise_i_quantization;

/* How many scales a net has. */
size_t vise_i_n_scales(const vise_i_net *net);

/* All scales 1, z 0. vise_i_quantization_free also takes NULL and frees the struct. */
VISE_WARN_UNUSED vise_status vise_i_quantization_make(const vise_i_net *net, const vise_i_integer_format *format,
                                                      vise_i_quantization **out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_quantization_copy(const vise_i_quantization *from, vise_i_quantization **out,
                                                      vise_error *err);
void vise_i_quantization_free(vise_i_quantization *quantization);

/* The scale and the zero point of the net's inputs. */
void vise_i_quantization_set_input(vise_i_quantization *quantization, double scale, int zero);

/* Where the scales of layer l lie: of its rows, and of what it reads. */
static inline const float *vise_i_row_scales(const vise_i_quantization *q, const float *scales, size_t l) {
  return scales + q->first_row[l];
}

static inline float vise_i_value_scale(const vise_i_quantization *q, const float *scales, size_t l) {
  return scales[q->n_rows + l];
}

/* X of what layer l reads. */
static inline int vise_i_value_most(const vise_i_integer_format *format, size_t l) {
  return (1 << (l == 0 ? format->in_bits : format->act_bits)) - 1;
}

/* z of the values of an activation with the largest integer X. */
int vise_i_activation_zero(vise_activation activation, int most);
/* z of what layer l reads. */
int vise_i_value_zero(const vise_i_quantization *q, const vise_i_net *net, size_t l);
/* The scale of the values of an activation whose range does not depend on data (tanh, sigmoid); 0: it does. */
float vise_i_activation_scale(vise_activation activation, int most);

/* ---- the accumulator ---- */

/* How far a bias goes, in units of s t, before the zero point is folded into it: half of the range of the accumulator,
   and of weights of 8 bits, which training has as floats, what a float32 tells apart with room to spare. */
static inline double vise_i_bias_most(const vise_i_integer_format *format) {
  const int half = format->acc_bits - 2, bits = format->int16 || half < 21 ? half : 21;
  return (double)((int64_t)1 << bits);
}

/*
 * So much that no sum of any of a row's terms, its bias among them or not, in any order, leaves P bits. With the bias B
 * as it is added and x in [0, X]:
 *   X plus + max(B, 0) <= 2^(P-1) - 1  and  X minus + max(-B, 0) <= 2^(P-1).
 * Where z is not 0, B = B0 - z (sum of q) depends on the row: with plus = minus = (2^(P-1) - 1 - |B0|) / X both hold for
 * every row within them, since z <= X. bias: B0.
 */
vise_i_radii vise_i_integer_radii(const vise_i_integer_format *format, int most, int zero, int64_t bias);

#endif

/*
 * A net that computes in integers alone, and that no sum of can overflow.
 *
 * Layer l reads n_in whole numbers x, 0 <= x <= in_max, of which in_zero stands for the real 0. Row r of it computes
 *   acc = bias[r] + sum over j of weights[r n_in + j] x[j]
 * in two's complement of acc_bits bits. For every row the net has been proven, when it was made, to keep
 *   in_max S+ + max(bias, 0) <= 2^(acc_bits - 1) - 1  and  in_max S- + max(-bias, 0) <= 2^(acc_bits - 1),
 * S+ the sum of the row's positive weights and S- that of the magnitudes of its negative ones. That is necessary and
 * sufficient for the sum of every subset of the terms (the bias is one), in any order, tree or vector lane, to fit.
 * (`is_proven` is false only for a format that says "unconstrained".) The zero point is within the bias already.
 *
 * What follows, with m = multiplier[r] from 0 to 32767, sh = shift[r] from 1 to 30 (46 for weights of 16 bits and acc_bits
 * beyond 16) and
 *   scaled(y, m, sh) = floor((y m + 2^(sh - 1)) / 2^sh),
 * whose product fits 32 bits for acc_bits <= 16 and 47 otherwise:
 *   RELU    x' = min(scaled(max(acc, 0), m, sh), out_max); out_zero is 0
 *   LINEAR  x' = clamp(scaled(acc, m, sh) + out_zero, 0, out_max)
 *   LEAKY   the same, but with negative[r] in place of m where acc < 0
 *   TABLE   x' = table[clamp(scaled(acc, m, sh) + 128, 0, 255)]
 *   OUTPUT  y = scaled(acc, m, sh), an int32 that no product or sum above overflows: the last layer alone. The outputs
 *           of all rows have one scale, so they can be compared; y output_scale is the net's output as a real number
 *           (a model's target scaling is not undone).
 * Shifts of negative numbers round down.
 *
 * The inputs of the net are real numbers, in the units of the data. Feature f becomes
 *   t = (x - input_low[f]) * input_scale[f], in float32, not contracted;  0 if !(t > 0), in_max if t >= in_max, else t
 *   cut to an integer,
 * so the model's feature scaling is in it, out-of-range values saturate and a NaN becomes 0.
 */
#ifndef VISE_I_INTEGER_H
#define VISE_I_INTEGER_H

#include <jansson.h>

#include "host/model/model.h"
#include "host/net/quantization.h"

typedef enum vise_i_integer_kind {
  VISE_I_INTEGER_RELU,
  VISE_I_INTEGER_LINEAR,
  VISE_I_INTEGER_LEAKY,
  VISE_I_INTEGER_TABLE,
  VISE_I_INTEGER_OUTPUT
} vise_i_integer_kind;

enum { VISE_I_INTEGER_TABLE_SIZE = 256 };

/* All arrays belong to the net. */
typedef struct vise_i_integer_layer {
  size_t n_in, n_out;
  int32_t in_max, in_zero;
  int16_t *weights;     /* [n_out, n_in], -127 to 127, or 256 times that for weights of 16 bits */
  int32_t *bias;        /* [n_out], within acc_bits */
  uint16_t *multiplier; /* [n_out] */
  uint8_t *shift;       /* [n_out] */

  vise_i_integer_kind kind;
  vise_activation activation; /* what the model has there; identity for OUTPUT */
  uint16_t *negative;         /* LEAKY: [n_out]; else NULL */
  uint8_t *table;             /* TABLE: [VISE_I_INTEGER_TABLE_SIZE]; else NULL */
  double table_error;         /* TABLE: most that a value differs from the activation of acc, as a real number */
  int32_t out_max, out_zero;  /* of x'; 0 for OUTPUT */
} vise_i_integer_layer;

typedef struct vise_i_integer_net {
  vise_i_integer_format format;
  bool is_proven;
  size_t n_layers;
  vise_i_integer_layer layers[VISE_MAX_LAYERS];
  size_t widest;                  /* of all layers' inputs */
  float *input_low, *input_scale; /* [n_in of layer 0] */
  double output_scale;
} vise_i_integer_net;

/*
 * The net of a model that was quantized in training (vise_i_model_quantization), exactly: weights that are not s q are
 * VISE_ERR_VALUE, which says that they have been changed. A model without batch norm, residuals and activations that
 * vise_i_integer_check_net refuses. Errors: VISE_ERR_UNSUPPORTED (also: a multiplier that does not fit), VISE_ERR_VALUE
 * (a row that breaks the proof, which names it), VISE_ERR_MEMORY. *out: vise_i_integer_net_free (NULL is fine).
 */
VISE_WARN_UNUSED vise_status vise_i_integer_net_of_model(const vise_model *model, vise_i_integer_net **out,
                                                         vise_error *err);

/* Rows of data with the model's feature scaling applied, x [n, n_in of the net] in C order, from which ranges are taken.
   unit_range: all values that there can be lie in [0, 1]. */
typedef struct vise_i_calibration {
  const float *x;
  size_t n;
  bool unit_range;
} vise_i_calibration;

/* How many rows are enough, for a net of this size. */
size_t vise_i_calibration_rows(const vise_i_net *net);

/* The net of any other model, rounded after training: batch norm is folded into weights, each row's scale is the one of
   least error, ranges are those of the calibration rows (n > 0). Errors: as above. */
VISE_WARN_UNUSED vise_status vise_i_integer_net_of_floats(const vise_model *model, const vise_i_integer_format *format,
                                                          const vise_i_calibration *calibration,
                                                          vise_i_integer_net **out, vise_error *err);

void vise_i_integer_net_free(vise_i_integer_net *net);

/* ---- fit.c: scales ---- */

/* Weights [n_out, n_in] and biases [n_out] of each linear layer, without batch norm. */
typedef struct vise_i_folded {
  const vise_i_net *net;
  double *weights[VISE_MAX_LAYERS], *biases[VISE_MAX_LAYERS];
} vise_i_folded;

/* From parameters [net->n_values] of the type; vise_i_folded_free also after a failure. */
VISE_WARN_UNUSED vise_status vise_i_folded_make(const vise_i_net *net, vise_dtype dtype, const void *params,
                                                vise_i_folded *out, vise_error *err);
void vise_i_folded_free(vise_i_folded *folded);

/* The scales of weights that are final: of the inputs, then layer by layer of the rows (those of least error; one, a power
   of 2, for all rows of a layer where accumulators have 16 bits or more) and of the values that they make. */
VISE_WARN_UNUSED vise_status vise_i_quantization_fit(const vise_i_folded *folded, const vise_i_integer_format *format,
                                                     const vise_i_calibration *calibration, vise_i_quantization **out,
                                                     vise_error *err);
/* The scales that training starts with. Weights that lie where initializers draw them from are taken for drawn: their
   scales leave them room, and some layers are multiplied by a number (fit.c). Others are as above, with some room. */
VISE_WARN_UNUSED vise_status vise_i_quantization_start(vise_i_folded *folded, const vise_i_integer_format *format,
                                                       const vise_i_calibration *calibration, vise_i_quantization **out,
                                                       vise_error *err);
/* The scales of hidden values anew, into q->scales; the others stay. */
VISE_WARN_UNUSED vise_status vise_i_quantization_fit_values(const vise_i_folded *folded,
                                                            const vise_i_calibration *calibration,
                                                            vise_i_quantization *q, vise_error *err);

/* The integer that a scaled feature becomes, as integer nets have it up to the rounding of ties. */
static inline uint8_t vise_i_quantize_input(const vise_i_quantization *q, double scaled) {
  const double x = scaled / (double)vise_i_value_scale(q, q->scales, 0) + q->in_zero + 0.5;
  const int most = vise_i_value_most(&q->format, 0);
  return (uint8_t)(x > 0 ? (x < most ? x : most) : 0);
}

/* ---- forward.c ---- */

uint8_t vise_i_integer_input(const vise_i_integer_net *net, size_t feature, double x);

/* What the sums have been: of each layer the least and the largest prefix (the bias first, then the inputs in order),
   and how many sums had one that acc_bits do not hold. */
typedef struct vise_i_integer_seen {
  int64_t least[VISE_MAX_LAYERS], most[VISE_MAX_LAYERS];
  uint64_t n_sums, n_overflows;
} vise_i_integer_seen;

/* One row: x [n_in] integers to y [n_out]. scratch: 2 widest bytes. seen: NULL, or every prefix of every sum is looked at
   and added to it, which is slower. A sum that overflows wraps around, as the accumulator would: that takes a net that
   is not proven. */
void vise_i_integer_forward(const vise_i_integer_net *net, const uint8_t *x, uint8_t *scratch, int32_t *y,
                            vise_i_integer_seen *seen);

/* ---- sums.c ---- */

/* From the least to the largest that any of a row's terms can add up to, its bias among them or not: what every part of its
   sum lies in, in any order; inputs reach both ends. */
typedef struct vise_i_integer_range {
  int64_t low, high;
} vise_i_integer_range;

vise_i_integer_range vise_i_integer_row_range(const vise_i_integer_layer *layer, size_t r);
/* The share of an accumulator's range that it takes: at most 1 if it fits. */
double vise_i_integer_fullness(const vise_i_integer_range *range, int acc_bits);

/* ---- json.c ---- */

/* All of the net; NULL when out of memory:
   {"format": "int8,acc16,act8,in8", "accumulator_bits": 16, "proven": true, "output_scale": X, "input": {"low": [...],
   "scale": [...]}, "layers": [{"inputs": N, "outputs": N, "input_max": X, "input_zero": Z, "activation": "relu",
   "kind": "relu|linear|leaky|table|output", "weights": [[...], ...], "bias": [...], "multiplier": [...],
   "shift": [...], "output_max": X, "output_zero": Z, "negative_multiplier": [...], "table": [...]}, ...]} */
json_t *vise_i_integer_json(const vise_i_integer_net *net);

#endif

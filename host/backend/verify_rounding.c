/* The debug mode of trainings for integer nets: what was rounded is a net whose sums fit, found without the projection. */
#include <math.h>

#include "host/backend/projection.h"
#include "host/base/array.h"

/* The rounded weights of a step, and what they are to be multiples of. */
typedef struct rounded_net {
  const vise_i_net *net;
  const vise_i_quantization *quantization;
  const float *scales;
  const vise_array *weights;
  double slack; /* how far a multiple may be off, in its units */
} rounded_net;

static vise_status read_multiple(const rounded_net *n, const vise_i_tensor *tensor, size_t i, double scale,
                                 int64_t *out, vise_error *err) {
  const double w = vise_i_array_get(n->weights, 0, tensor->offset + i), q = rint(w / scale);
  *out = 0;
  if (isnan(w)) return VISE_OK;
  if (fabs(w / scale - q) <= n->slack * fmax(1, fabs(q)) && fabs(q) < 0x1p31) {
    *out = (int64_t)q;
    return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.9g is no whole multiple of its scale %.9g after a step",
                     tensor->name, i, w, scale);
}

/* Row r of layer l: its integers within bounds, and the sums of its terms. */
static vise_status verify_row(const rounded_net *n, size_t l, size_t r, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_quantization *q = n->quantization;
  const vise_i_block *block = &n->net->blocks[l];
  const vise_i_tensor *weight = &n->net->tensors[block->weight];
  const double s = (double)vise_i_row_scales(q, n->scales, l)[r], t = (double)vise_i_value_scale(q, n->scales, l);
  const int64_t x = vise_i_value_most(&q->format, l), limit = ((int64_t)1 << (q->format.acc_bits - 1)) - 1;
  int64_t plus = 0, minus = 0, bias = 0, v = 0;

  for (size_t i = 0; i < weight->n_cols; i++) {
    VISE_TRY(read_multiple(n, weight, r * weight->n_cols + i, s, &v, err));
    if (v > VISE_I_MOST_Q || v < -VISE_I_MOST_Q) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "%s, row %zu: the integer %lld is beyond %d after a step",
                           weight->name, r, (long long)v, VISE_I_MOST_Q));
    }
    *(v > 0 ? &plus : &minus) += v > 0 ? v : -v;
  }
  if (block->bias != VISE_I_NO_TENSOR) {
    VISE_TRY(read_multiple(n, &n->net->tensors[block->bias], r, s * t, &bias, err));
  }

  bias -= vise_i_value_zero(q, n->net, l) * (plus - minus);
  const int64_t high = x * plus + (bias > 0 ? bias : 0), low = x * minus + (bias < 0 ? -bias : 0);
  if (high > limit || low > limit + 1) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL,
                         "%s, row %zu: sums go from %lld to %lld, which %d bits do not hold, after a step",
                         weight->name, r, (long long)-low, (long long)high, q->format.acc_bits));
  }

done:
  return status;
}

vise_status vise_i_verify_rounding(const vise_i_step_spec *spec, const float *scales, const vise_array *rounded,
                                   vise_error *err) {
  vise_status status = VISE_OK;
  if (spec->quantization == NULL) return VISE_OK;
  const double slack = rounded->dtype == VISE_F32 ? 1e-6 : 1e-12;
  const rounded_net n = {spec->net, spec->quantization, scales, rounded, slack};

  for (size_t l = 0; l < spec->net->n_layers; l++) {
    for (size_t r = 0; r < spec->net->widths[l + 1]; r++) VISE_TRY(verify_row(&n, l, r, err));
  }

done:
  return status;
}

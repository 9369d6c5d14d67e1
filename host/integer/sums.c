/* How far the sums of an integer net can go, whatever its inputs. */
#include "host/integer/integer.h"

vise_i_integer_range vise_i_integer_row_range(const vise_i_integer_layer *layer, size_t r) {
  const int64_t bias = layer->bias[r], most = layer->in_max;
  vise_i_integer_range out = {bias < 0 ? bias : 0, bias > 0 ? bias : 0};
  for (size_t j = 0; j < layer->n_in; j++) {
    const int64_t w = layer->weights[r * layer->n_in + j];
    *(w < 0 ? &out.low : &out.high) += w * most;
  }
  return out;
}

double vise_i_integer_fullness(const vise_i_integer_range *range, int acc_bits) {
  const double half = (double)((int64_t)1 << (acc_bits - 1)), below = -(double)range->low / half;
  const double above = (double)range->high / (half - 1);
  return below > above ? below : above;
}

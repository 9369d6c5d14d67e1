/* The integer forward pass, exactly. */
#include <string.h>

#include "host/integer/integer.h"

uint8_t vise_i_integer_input(const vise_i_integer_net *net, size_t feature, double x) {
  const float shifted = (float)x - net->input_low[feature], t = shifted * net->input_scale[feature];
  const int32_t most = net->layers[0].in_max;
  if (!(t > 0)) return 0;
  return (uint8_t)(t < (float)most ? (int32_t)t : most);
}

/* ---- sums ---- */

/* Of a row that is proven: no sum of its terms leaves 32 bits. */
static int64_t sum_proven(const int16_t *w, const uint8_t *x, size_t n, int32_t bias) {
  int32_t sum = bias;
  for (size_t i = 0; i < n; i++) sum += (int32_t)w[i] * x[i];
  return sum;
}

/* The same, looking at every prefix; wraps around at the end, which is where any order of wrapping sums arrives. */
static int64_t sum_watched(const vise_i_integer_net *net, const vise_i_integer_layer *layer, size_t r, const uint8_t *x,
                           vise_i_integer_seen *seen) {
  const size_t l = (size_t)(layer - net->layers);
  const int16_t *w = layer->weights + r * layer->n_in;
  const int64_t half = (int64_t)1 << (net->format.acc_bits - 1);
  int64_t sum = layer->bias[r], least = sum, most = sum;

  for (size_t i = 0; i < layer->n_in; i++) {
    sum += (int32_t)w[i] * x[i];
    least = sum < least ? sum : least;
    most = sum > most ? sum : most;
  }

  if (seen != NULL) {
    if (least < seen->least[l]) seen->least[l] = least;
    if (most > seen->most[l]) seen->most[l] = most;
    seen->n_sums++;
    seen->n_overflows += least < -half || most >= half;
  }
  const uint64_t bits = (uint64_t)(sum + half) & (2 * (uint64_t)half - 1);
  return (int64_t)bits - half;
}

/* ---- what follows a sum ---- */

/* floor((y m + 2^(sh - 1)) / 2^sh) */
static int64_t scaled(int64_t y, int64_t m, int sh) {
  const int64_t product = y * m + ((int64_t)1 << (sh - 1));
  return product >= 0 ? product >> sh : -((-product + ((int64_t)1 << sh) - 1) >> sh);
}

static int64_t clamp(int64_t x, int64_t most) {
  return x < 0 ? 0 : (x > most ? most : x);
}

static uint8_t activate(const vise_i_integer_layer *layer, size_t r, int64_t acc) {
  const int sh = layer->shift[r];
  const int64_t m = layer->multiplier[r];

  switch (layer->kind) {
    case VISE_I_INTEGER_RELU:
      return (uint8_t)clamp(scaled(acc > 0 ? acc : 0, m, sh), layer->out_max);
    case VISE_I_INTEGER_LEAKY:
      return (uint8_t)clamp(scaled(acc, acc < 0 ? layer->negative[r] : m, sh) + layer->out_zero, layer->out_max);
    case VISE_I_INTEGER_TABLE:
      return layer->table[clamp(scaled(acc, m, sh) + 128, 255)];
    default:
      return (uint8_t)clamp(scaled(acc, m, sh) + layer->out_zero, layer->out_max);
  }
}

void vise_i_integer_forward(const vise_i_integer_net *net, const uint8_t *x, uint8_t *scratch, int32_t *y,
                            vise_i_integer_seen *seen) {
  uint8_t *next = scratch, *other = scratch + net->widest;

  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_i_integer_layer *layer = &net->layers[l];
    for (size_t r = 0; r < layer->n_out; r++) {
      const int64_t acc = net->is_proven && seen == NULL
                              ? sum_proven(layer->weights + r * layer->n_in, x, layer->n_in, layer->bias[r])
                              : sum_watched(net, layer, r, x, seen);
      if (layer->kind == VISE_I_INTEGER_OUTPUT) {
        y[r] = (int32_t)scaled(acc, layer->multiplier[r], layer->shift[r]);
      } else {
        next[r] = activate(layer, r, acc);
      }
    }

    x = next;
    next = other;
    other = (uint8_t *)(uintptr_t)x;
  }
}

/*
 * Pruning by magnitude: which weights are the k smallest, ties by index. Selection works on the bits of |w|, which
 * sort like the numbers when read as integers: eight passes over the weights find the k-th smallest exactly, in linear
 * time whatever the data, and without extra memory.
 */
#include <math.h>
#include <string.h>

#include "host/model/model_struct.h"

/* A run of weights in the flat parameters. */
typedef struct span {
  size_t offset, n;
} span;

static uint64_t key_of(vise_dtype dtype, const void *params, size_t i) {
  double magnitude = fabs(vise_i_param_get(dtype, params, i));
  uint64_t bits;
  memcpy(&bits, &magnitude, sizeof bits);
  return bits;
}

/* The key of the k-th smallest (k >= 1); *n_ties receives how many of the keys equal to it are among the k. */
static uint64_t select_key(vise_dtype dtype, const void *params, const span *spans, size_t n_spans, size_t k,
                           size_t *n_ties) {
  uint64_t prefix = 0, prefix_mask = 0;

  for (int shift = 56; shift >= 0; shift -= 8) {
    size_t counts[256] = {0};
    for (size_t s = 0; s < n_spans; ++s) {
      for (size_t i = 0; i < spans[s].n; ++i) {
        uint64_t key = key_of(dtype, params, spans[s].offset + i);
        if ((key & prefix_mask) == prefix) ++counts[(key >> shift) & 255];
      }
    }

    unsigned digit = 0;
    while (k > counts[digit]) k -= counts[digit++];
    prefix |= (uint64_t)digit << shift;
    prefix_mask |= (uint64_t)255 << shift;
  }

  *n_ties = k;
  return prefix;
}

static size_t prune_spans(const vise_i_weights *weights, const span *spans, size_t n_spans, double fraction) {
  const vise_dtype dtype = weights->dtype;
  void *params = weights->params;
  size_t n = 0;
  for (size_t s = 0; s < n_spans; ++s) n += spans[s].n;
  size_t k = (size_t)floor(fraction * (double)n + 0.5);
  if (k > n) k = n;
  if (k == 0) return 0;

  size_t n_ties = 0;
  uint64_t last = select_key(dtype, params, spans, n_spans, k, &n_ties);

  for (size_t s = 0; s < n_spans; ++s) {
    for (size_t i = spans[s].offset; i < spans[s].offset + spans[s].n; ++i) {
      uint64_t key = key_of(dtype, params, i);
      if (key > last || (key == last && n_ties == 0)) continue;
      if (key == last) --n_ties;
      vise_i_param_set(dtype, params, i, 0);
      weights->mask[i] = 0;
    }
  }

  return k;
}

size_t vise_i_prune(const vise_i_weights *weights, const bool *chosen, double fraction, vise_prune_scope scope) {
  const vise_i_net *net = weights->net;
  span spans[VISE_MAX_LAYERS];
  size_t n_spans = 0, n_pruned = 0;

  for (size_t l = 0; l < net->n_layers; ++l) {
    if (!chosen[l]) continue;
    const vise_i_tensor *weight = &net->tensors[net->blocks[l].weight];
    spans[n_spans++] = (span){weight->offset, vise_i_tensor_n(weight)};

    if (scope == VISE_PRUNE_TENSOR) {
      n_pruned += prune_spans(weights, &spans[n_spans - 1], 1, fraction);
    } else if (scope == VISE_PRUNE_ROW) {
      for (size_t r = 0; r < weight->n_rows; ++r) {
        span row = {weight->offset + r * weight->n_cols, weight->n_cols};
        n_pruned += prune_spans(weights, &row, 1, fraction);
      }
    }
  }

  if (scope == VISE_PRUNE_GLOBAL) n_pruned = prune_spans(weights, spans, n_spans, fraction);
  return n_pruned;
}

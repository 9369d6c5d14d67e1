/* Weights and biases without batch norm: g (W x - m) + h becomes (g W) x + (h - g m). */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/integer/integer.h"

/* Of batch norm (docs/step.md). */
#define EPS 1e-5

static double param(const vise_i_net *net, vise_dtype dtype, const void *params, size_t tensor, size_t i) {
  return vise_i_param_get(dtype, params, net->tensors[tensor].offset + i);
}

static vise_status fold_layer(const vise_i_net *net, vise_dtype dtype, const void *params, size_t l, vise_i_folded *out,
                              vise_error *err) {
  vise_status status;
  const vise_i_block *block = &net->blocks[l];
  const size_t n_in = net->widths[l], n_out = net->widths[l + 1];

  VISE_TRY(vise_i_alloc(&out->weights[l], n_in * n_out, sizeof(double), "an integer net", err));
  VISE_TRY(vise_i_alloc(&out->biases[l], n_out, sizeof(double), "an integer net", err));

  for (size_t r = 0; r < n_out; r++) {
    double gain = 1, bias = 0;
    if (block->bias != VISE_I_NO_TENSOR) bias = param(net, dtype, params, block->bias, r);
    if (block->batch_norm) {
      gain =
          param(net, dtype, params, block->gain, r) / sqrt(param(net, dtype, params, block->running_variance, r) + EPS);
      bias = param(net, dtype, params, block->shift, r) +
             gain * (bias - param(net, dtype, params, block->running_mean, r));
    }

    out->biases[l][r] = bias;
    for (size_t i = 0; i < n_in; i++) {
      out->weights[l][r * n_in + i] = gain * param(net, dtype, params, block->weight, r * n_in + i);
    }
  }

done:
  return status;
}

vise_status vise_i_folded_make(const vise_i_net *net, vise_dtype dtype, const void *params, vise_i_folded *out,
                               vise_error *err) {
  *out = (vise_i_folded){.net = net};
  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_status status = fold_layer(net, dtype, params, l, out, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

void vise_i_folded_free(vise_i_folded *folded) {
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(folded->weights[l]);
    free(folded->biases[l]);
  }
  *folded = (vise_i_folded){0};
}

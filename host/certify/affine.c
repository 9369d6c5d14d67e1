/* A layer as one affine map, and what is known of activations. */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"
#include "host/rule/batch_norm.h"

void vise_i_affine_free(vise_i_affine *affine) {
  free(affine->factor);
  free(affine->offset);
  free(affine->bulk);
  *affine = (vise_i_affine){0};
}

/* Element k of a tensor of the block; `none` where it has no such tensor. */
static double element(const vise_i_affine *a, size_t tensor, size_t k, double none) {
  if (tensor == VISE_I_NO_TENSOR) return none;
  const size_t at = vise_i_model_net(a->model)->tensors[tensor].offset + k;
  return vise_i_param_get(vise_model_dtype(a->model), vise_i_model_const_params(a->model), at);
}

static void fill(vise_i_affine *a) {
  const vise_i_block *block = a->block;
  for (size_t k = 0; k < a->n_out; k++) {
    const double bias = element(a, block->bias, k, 0);
    a->factor[k] = 1;
    a->offset[k] = bias;
    a->bulk[k] = fabs(bias);
    if (!block->batch_norm) continue;

    const double variance = element(a, block->running_variance, k, 1);
    const double mean = element(a, block->running_mean, k, 0), shift = element(a, block->shift, k, 0);
    a->factor[k] = element(a, block->gain, k, 1) / sqrt(variance + VISE_I_BATCH_NORM_EPS);
    a->offset[k] = a->factor[k] * (bias - mean) + shift;
    a->bulk[k] = fabs(a->factor[k]) * (fabs(bias) + fabs(mean)) + fabs(shift);
  }
}

vise_status vise_i_affine_of(const vise_model *model, size_t layer, vise_i_affine *out, vise_error *err) {
  const vise_i_net *net = vise_i_model_net(model);
  vise_status status = VISE_OK;
  *out = (vise_i_affine){.model = model,
                         .block = &net->blocks[layer],
                         .n_in = net->widths[layer],
                         .n_out = net->widths[layer + 1],
                         .at = net->tensors[net->blocks[layer].weight].offset};

  VISE_TRY(vise_i_alloc(&out->factor, out->n_out, sizeof *out->factor, "a layer", err));
  VISE_TRY(vise_i_alloc(&out->offset, out->n_out, sizeof *out->offset, "a layer", err));
  VISE_TRY(vise_i_alloc(&out->bulk, out->n_out, sizeof *out->bulk, "a layer", err));
  fill(out);

done:
  return status;
}

/* gelu: 1.1289 at sqrt 2; silu: 1.0999 at 2.3994. */
double vise_i_slope_bound(vise_activation activation) {
  switch (activation) {
    case VISE_GELU:
      return 1.13;
    case VISE_SILU:
      return 1.10;
    case VISE_SIGMOID:
      return 0.25;
    default:
      return 1;
  }
}

bool vise_i_is_monotone(vise_activation activation) {
  return activation != VISE_GELU && activation != VISE_SILU;
}

vise_status vise_i_ranges_make(vise_i_ranges *out, size_t n, vise_error *err) {
  size_t both = 0;
  if (!vise_i_size_mul(n, 2, &both)) return vise_i_fail_memory(err, 0, "ranges");
  const vise_status status = vise_i_alloc_zero(&out->low, both, sizeof *out->low, "ranges", err);
  if (status != VISE_OK) return status;
  out->n = n;
  out->high = out->low + n;
  return VISE_OK;
}

void vise_i_ranges_free(vise_i_ranges *ranges) {
  free(ranges->low);
  *ranges = (vise_i_ranges){0};
}

/* The debug mode: after a step, what mask, box and max-norm promise holds for every weight. */
#include <stdlib.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/projection.h"
#include "host/base/memory.h"

vise_status vise_i_cuda_verify(vise_i_backend *b, const vise_i_hyper *hyper, vise_error *err) {
  vise_status status;
  float *weights = NULL;
  uint8_t *mask = NULL;
  const size_t n = b->net->n_params;

  VISE_TRY(vise_i_alloc(&weights, n, sizeof *weights, "weights", err));
  VISE_TRY(vise_i_cuda_get_state(b, VISE_I_PARAMS, weights, err));
  if (b->train.step.has_mask) {
    VISE_TRY(vise_i_alloc(&mask, n, 1, "mask", err));
    VISE_TRY(vise_i_cuda_get_state(b, VISE_I_MASK, mask, err));
  }

  const vise_array all = vise_array_of(weights, VISE_F32, 1, n);
  VISE_TRY(vise_i_verify_projection(&b->spec, &all, mask, hyper->clamp_factor, err));

done:
  free(weights);
  free(mask);
  return status;
}

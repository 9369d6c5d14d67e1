/* After a step: whether it ends the run; and the debug mode, in which mask, box and max-norm must hold for every weight. */
#include <stdlib.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/nonfinite.h"
#include "host/backend/projection.h"
#include "host/base/memory.h"

/* Of an integer net; room: [n_values]. */
static vise_status verify_rounding(vise_i_cuda *b, float *room, vise_error *err) {
  vise_status status;
  float *scales = NULL;
  if (b->base.spec.quantization == NULL) return VISE_OK;
  VISE_TRY(vise_i_alloc(&scales, vise_i_state_n(b->net, VISE_I_SCALES), sizeof *scales, "scales", err));
  VISE_TRY(vise_i_cuda_get_state(&b->base, VISE_I_SCALES, scales, err));
  VISE_TRY(vise_i_cuda_get_state(&b->base, VISE_I_ROUNDED, room, err));
  const vise_array rounded = vise_array_of(room, VISE_F32, 1, b->net->n_params);
  VISE_TRY(vise_i_verify_rounding(&b->base.spec, scales, &rounded, err));
done:
  free(scales);
  return status;
}

vise_status vise_i_cuda_verify(vise_i_cuda *b, const vise_i_hyper *hyper, vise_error *err) {
  vise_status status;
  float *weights = NULL;
  uint8_t *mask = NULL;
  const size_t n = b->net->n_params;

  VISE_TRY(vise_i_alloc(&weights, b->net->n_values, sizeof *weights, "weights", err));
  VISE_TRY(vise_i_cuda_get_state(&b->base, VISE_I_PARAMS, weights, err));
  if (b->train.step.has_mask) {
    VISE_TRY(vise_i_alloc(&mask, n, 1, "mask", err));
    VISE_TRY(vise_i_cuda_get_state(&b->base, VISE_I_MASK, mask, err));
  }

  const vise_array all = vise_array_of(weights, VISE_F32, 1, n);
  VISE_TRY(vise_i_verify_projection(&b->base.spec, &all, mask, hyper, err));
  VISE_TRY(verify_rounding(b, weights, err));

done:
  free(weights);
  free(mask);
  return status;
}

vise_status vise_i_cuda_after_step(vise_i_cuda *b, const vise_step_stats *stats, const vise_i_hyper *hyper,
                                   uint64_t *consecutive_skips, vise_error *err) {
  *consecutive_skips = stats->skipped ? *consecutive_skips + 1 : 0;
  if (stats->skipped) return vise_i_after_skip(&b->base.spec, *consecutive_skips, stats, err);
  return b->base.spec.assert_projection ? vise_i_cuda_verify(b, hyper, err) : VISE_OK;
}

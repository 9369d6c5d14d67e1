/* Dropout: which values a step keeps. The draws are those of host/ops/dropout/dropout.h, one for each step, position in the
   batch and unit, so that tiles, CTAs and parts of a batch change nothing. */
#ifndef VISE_K_DROPOUT_CUH
#define VISE_K_DROPOUT_CUH

#include "kernels/philox.cuh"
#include "kernels/step_context.cuh"

enum { VISE_STREAM_DROPOUT = 5 };

/* place: 0 for the net's inputs, l + 1 after linear layer l; row: of the batch or of the part of it at hand. */
VISE_FN float vise_drop(vise_k_dropout d, uint32_t number, uint32_t place, uint32_t position, uint32_t unit,
                        float value) {
  const uint32_t counter[4] = {number, position, (place << 24) + unit, VISE_STREAM_DROPOUT};
  uint32_t draw[4];
  vise_philox(vise_step_here()->p.seed, counter, draw);
  return draw[0] >> 8 >= d.threshold ? value * d.scale : 0.0f;
}

/* The same in the step at hand, where dropout is on: not in a pass forward alone. */
VISE_FN_CALLED float vise_dropout(vise_k_dropout d, uint32_t place, uint32_t row, uint32_t unit, float value) {
  const vise_step *step = vise_step_here();
  const vise_k_step_record *record = &step->record;
  if (step->p.mode == VISE_K_FORWARD_ONLY || record->keeps_all) return value;
  return vise_drop(d, (uint32_t)record->hyper.step, place, record->position + row, unit, value);
}

#endif

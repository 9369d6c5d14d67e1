/* Dropout: which values a step keeps. The draws are those of host/ops/dropout/dropout.h, one for each step, position in the
   batch and unit, so that tiles, CTAs and parts of a batch change nothing. */
#ifndef VISE_K_DROPOUT_CUH
#define VISE_K_DROPOUT_CUH

#include "kernels/philox.cuh"
#include "kernels/step_context.cuh"

enum { VISE_STREAM_DROPOUT = 5 };

/* What is left of a value in the step of the record, where dropout is on: not in a pass forward alone. place: 0 for the
   net's inputs, l + 1 after linear layer l; row: of the batch or of the part of it at hand. */
VISE_FN float vise_drop(const vise_k_step *p, const vise_k_step_record *record, uint32_t place, uint32_t row,
                        uint32_t unit, float value) {
  const vise_k_dropout d = place == 0 ? p->input_dropout : p->layers[place - 1].dropout;
  const uint32_t counter[4] = {(uint32_t)record->hyper.step, record->position + row, (place << 24) + unit,
                               VISE_STREAM_DROPOUT};
  uint32_t draw[4];
  if (vise_mode_of(p) == VISE_K_FORWARD_ONLY || record->keeps_all) return value;
  vise_philox(p->seed, counter, draw);
  return draw[0] >> 8 >= d.threshold ? value * d.scale : 0.0f;
}

/* The same in the fused kernel. */
VISE_FN_CALLED float vise_drop_called(const vise_k_step_record *record, uint32_t place, uint32_t row, uint32_t unit,
                                      float value) {
  return vise_drop(&vise_step_here()->p, record, place, row, unit, value);
}

/* In the step at hand. */
VISE_FN_CALLED float vise_dropout(uint32_t place, uint32_t row, uint32_t unit, float value) {
  return vise_drop_called(&vise_step_here()->record, place, row, unit, value);
}

#endif

/* The weights of the integer net that the current ones stand for. */
#include "host/ops/rounding.h"

#include "host/backend/cpu64/cpu64.h"

void vise_i_cpu64_round(vise_i_cpu64 *b, bool bounds) {
  const vise_i_rounding rounding = {.quantization = b->spec->quantization,
                                    .net = b->net,
                                    .scales = b->host.state[VISE_I_SCALES],
                                    .v = b->row,
                                    .bounds = bounds};
  if (b->spec->quantization == NULL) return;

  for (size_t l = 0; l < b->net->n_layers; l++) {
    const vise_i_block *block = &b->net->blocks[l];
    const size_t weight = b->net->tensors[block->weight].offset;
    const bool has_bias = block->bias != VISE_I_NO_TENSOR;
    const size_t bias = has_bias ? b->net->tensors[block->bias].offset : 0;
    (void)vise_i_round_rows_f64(&rounding, &(vise_i_rounded_rows_f64){.l = l,
                                                                      .end = b->net->widths[l + 1],
                                                                      .latent = b->params + weight,
                                                                      .latent_bias = has_bias ? b->params + bias : NULL,
                                                                      .out = b->used + weight,
                                                                      .out_bias = b->used + bias});
  }
}

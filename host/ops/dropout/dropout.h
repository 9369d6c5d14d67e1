/*
 * Which values dropout keeps: a draw of its own for each step, row and unit, so that tiles, threads, teams, parts and
 * ranks change nothing. Philox has the seed as its key, and the counter (step, position in the whole batch,
 * place * 2^24 + unit, VISE_I_STREAM_DROPOUT); place is 0 for the net's inputs, l + 1 after linear layer l.
 */
#ifndef VISE_I_DROPOUT_H
#define VISE_I_DROPOUT_H

#include "host/base/rng.h"
#include "host/net/net.h"
#include "host/ops/pass.h"

static inline uint32_t vise_i_dropout_place(const vise_i_layer *layer, size_t index) {
  return index == 0 ? 0 : (uint32_t)layer->block + 1;
}

/* Whether the value of a unit is kept, in row i of the pass. */
static inline bool vise_i_dropout_keeps(const vise_i_op_pass *pass, size_t i, uint32_t place, size_t unit,
                                        uint32_t threshold) {
  const uint32_t counter[4] = {pass->step, (uint32_t)(pass->first + i), (place << 24) + (uint32_t)unit,
                               VISE_I_STREAM_DROPOUT};
  uint32_t draw[4];
  vise_i_philox(pass->seed, counter, draw);
  return draw[0] >> 8 >= threshold;
}

#endif

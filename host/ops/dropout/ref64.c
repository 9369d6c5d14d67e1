/* Where it is on, a = keep ? a s : 0, s = float(1 / (1 - P)); else nothing. The gradient likewise. */
#include "host/ops/ref64.h"

#include <string.h>

#include "host/ops/dropout/dropout.h"

static void apply(const vise_i_ref64 *op, const double *from, double *to) {
  const size_t n = op->pass->n, width = op->layer->n_out;
  const uint32_t threshold = vise_i_dropout_threshold(op->layer->dropout);
  const uint32_t place = vise_i_dropout_place(op->layer, (size_t)(op->layer - op->net->layers));
  const double scale = (double)vise_i_dropout_scale(op->layer->dropout);

  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < width; k++) {
      const size_t at = i * width + k;
      to[at] = vise_i_dropout_keeps(op->pass, i, place, k, threshold) ? from[at] * scale : 0;
    }
  }
}

static void forward(const vise_i_ref64 *op) {
  if (op->pass->drops) {
    apply(op, op->in, op->out);
  } else {
    memcpy(op->out, op->in, op->pass->n * op->layer->n_out * sizeof *op->out);
  }
}

static void backward(const vise_i_ref64 *op, const double *delta, double *below, double *grads) {
  (void)grads;
  if (op->pass->drops) {
    apply(op, delta, below);
  } else if (below != delta) {
    memcpy(below, delta, op->pass->n * op->layer->n_out * sizeof *below);
  }
}

const vise_i_ref64_kind vise_i_ref64_dropout = {forward, backward};

/* The walk through the net, forward and backward: products, and what follows each of them (block.c). The threads share
   the units of a layer, or what its inputs are units of; the first layer's products are in first_layer.c. */
#include "host/backend/cpu/cpu.h"
#include "host/product/product.h"

/* Work on a layer that is worth a second thread, and what the units of a thread are a multiple of. */
enum { SHARE_PRODUCT = 100000 /* multiply-adds */, ALIGN_UNITS = 16 };

/* A thread's units of layer l, or of what it reads. */
static vise_i_cpu_units share_of(const vise_i_cpu *b, const vise_i_crew *crew, size_t l, size_t width) {
  vise_i_cpu_units units = {.layer = l};
  const size_t work = b->net->widths[l] * b->net->widths[l + 1] * b->pass.n;
  const size_t align = l == 0 && width >= crew->n_parts * VISE_I_CPU_PANEL ? VISE_I_CPU_PANEL : ALIGN_UNITS;
  vise_i_crew_slice(crew, width, align, work >= SHARE_PRODUCT, &units.first, &units.end);
  return units;
}

vise_i_cpu_units vise_i_cpu_share(const vise_i_cpu *b, const vise_i_crew *crew, size_t l) {
  return share_of(b, crew, l, b->net->widths[l + 1]);
}

static const vise_i_cpu_tensor *weight_of(const vise_i_cpu *b, size_t l) {
  return &b->tensors[b->net->blocks[l].weight];
}

/* Of one row the weights are the matrix that is read along its rows. */
void vise_i_cpu_layer_product(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units) {
  const size_t l = units->layer, n = b->pass.n, in = b->net->widths[l], width = units->end - units->first;
  const float *inputs = vise_i_cpu_inputs_of(b, l), *w = weight_of(b, l)->used + units->first * in;
  float *act = b->act[l] + units->first * n;

  if (l == 0) {
    vise_i_cpu_first_forward(b, crew, units);
  } else if (n == 1) {
    vise_i_multiply_f32(&(vise_i_product_f32){1, width, in, {inputs, 0, 1}, {w, 1, in}, act, 0, false, NULL});
  } else {
    vise_i_multiply_f32(&(vise_i_product_f32){width, n, in, {w, in, 1}, {inputs, n, 1}, act, n, false, NULL});
  }
}

void vise_i_cpu_forward(vise_i_cpu *b, const vise_i_crew *crew) {
  for (size_t l = 0; l < b->net->n_layers; l++) {
    const vise_i_cpu_units units = vise_i_cpu_share(b, crew, l);
    vise_i_cpu_layer_product(b, crew, &units);
    vise_i_cpu_block_forward(b, &units);
    vise_i_crew_meet(crew);
  }
}

/* delta times inputs. */
void vise_i_cpu_layer_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units,
                               const float *delta, bool add) {
  const size_t l = units->layer, n = b->pass.n, in = b->net->widths[l], width = units->end - units->first;
  if (l == 0) {
    vise_i_cpu_first_gradient(b, crew, units, delta, add);
    return;
  }

  vise_i_multiply_f32(&(vise_i_product_f32){.m = width,
                                            .n = in,
                                            .k = n,
                                            .a = {delta + units->first * n, n, 1},
                                            .b = {vise_i_cpu_inputs_of(b, l), 1, n},
                                            .c = weight_of(b, l)->g + units->first * in,
                                            .c_row = in,
                                            .add = add});
}

void vise_i_cpu_layer_below(const vise_i_cpu *b, const vise_i_crew *crew, size_t l, const float *delta, float *next) {
  const size_t n = b->pass.n, in = b->net->widths[l], out = b->net->widths[l + 1];
  const vise_i_cpu_units units = share_of(b, crew, l, in);
  const size_t width = units.end - units.first;
  const bool add = vise_i_cpu_passes_by(b, l);
  const float *w = weight_of(b, l)->used + units.first;
  float *to = next + units.first * n;

  if (n == 1) {
    vise_i_multiply_f32(&(vise_i_product_f32){1, width, out, {delta, 0, 1}, {w, in, 1}, to, 0, add, NULL});
  } else {
    vise_i_multiply_f32(&(vise_i_product_f32){width, n, out, {w, 1, in}, {delta, n, 1}, to, n, add, NULL});
  }
}

void vise_i_cpu_backward(vise_i_cpu *b, const vise_i_crew *crew, bool add) {
  float *delta = b->delta[0], *next = b->delta[1];

  for (size_t l = b->net->n_layers; l-- > 0;) {
    const vise_i_cpu_units units = vise_i_cpu_share(b, crew, l);
    vise_i_cpu_block_backward(b, &units, delta, next, add);
    vise_i_cpu_layer_gradient(b, crew, &units, delta, add);
    vise_i_crew_meet(crew);
    if (l == 0) break;

    vise_i_cpu_layer_below(b, crew, l, delta, next);
    vise_i_crew_meet(crew);
    float *swap = delta;
    delta = next;
    next = swap;
  }
}

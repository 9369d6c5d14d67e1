/* Gradients in parts: the sums of slices of the batch made apart and added in their order, bit for bit as in one. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/backend_rig.h"

typedef struct shape {
  size_t n_layers, widths[4], batch, n_rows;
} shape;

/* Weights and first moments after an epoch and a half, the last batch of the epoch being a partial one. */
static void train(const shape *s, int parts, int tile, double *params, double *moments, uint64_t *n_launches) {
  vise_error err = VISE_ERROR_INIT;
  const vise_i_backend_ops *ops = &vise_i_backend_cuda;
  const vise_i_net net = rig_net(s->n_layers, s->widths, VISE_TANH, true);
  vise_i_step_spec spec = rig_spec(&net);
  spec.momentum = 0.5;
  spec.k2 = 0.01;
  spec.clip_norm = 0.5;
  spec.max_batch = s->batch;
  spec.gradient_parts = parts;
  spec.forced_tile = tile;
  const size_t n_in = s->widths[0], n_out = s->widths[s->n_layers];
  double *x = malloc(s->n_rows * n_in * sizeof *x), *y = malloc(s->n_rows * n_out * sizeof *y);
  double *start = malloc(net.n_params * sizeof *start);
  size_t *order = malloc(s->n_rows * sizeof *order);
  uint64_t state = 99;
  rig_fill(&state, 1, x, s->n_rows * n_in);
  rig_fill(&state, 1, y, s->n_rows * n_out);
  rig_fill(&state, 0.3, start, net.n_params);
  for (size_t i = 0; i < s->n_rows; i++) order[i] = s->n_rows - 1 - i;
  const vise_i_data data = rig_data(x, s->n_rows, n_in, y, n_out, false, NULL);
  vise_i_backend *b = rig_create(ops, &spec, start);
  cr_assert_eq(ops->bind(b, &data, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(ops->set_order(b, order, s->n_rows, &err), VISE_OK, "%s", err.text);
  const size_t per_epoch = (s->n_rows - 1) / s->batch + 1;
  const vise_i_hyper hyper = rig_hyper(0.1);
  for (size_t i = 0; i < per_epoch + 1; i++) {
    vise_step_stats stats = {0};
    size_t n_done;
    cr_assert_eq(ops->run(b, i % per_epoch * s->batch, s->batch, 1, &hyper, &stats, &n_done, &err), VISE_OK, "%s",
                 err.text);
    cr_assert(stats.grad_norm > 0 && !stats.skipped);
  }
  rig_get_state(ops, b, VISE_I_PARAMS, net.n_params, params);
  rig_get_state(ops, b, VISE_I_MOMENT1, net.n_params, moments);
  *n_launches = ops->n_launches(b);
  ops->destroy(b);
  free(x);
  free(y);
  free(start);
  free(order);
}

Test(gradient_parts, give_the_bits_of_the_whole) {
  static const shape shapes[] = {
      {1, {5, 3}, 33, 50},
      {2, {33, 65, 7}, 100, 250},
      {3, {17, 64, 64, 6}, 1500, 1501}, /* slices of 64; the last batch has one row */
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const vise_i_net net = rig_net(shapes[i].n_layers, shapes[i].widths, VISE_TANH, true);
    const size_t n = net.n_params;
    double *whole = malloc(4 * n * sizeof *whole), *parts = whole + 2 * n;
    uint64_t n_launches[2];
    train(&shapes[i], -1, 0, whole, whole + n, &n_launches[0]);
    for (int tile = 2; tile <= 4; tile++) { /* 32, 64, 128 */
      train(&shapes[i], 1, tile, parts, parts + n, &n_launches[1]);
      for (size_t k = 0; k < 2 * n; k++) {
        cr_assert(memcmp(&whole[k], &parts[k], sizeof *whole) == 0, "shape %zu, tile %d: [%zu] %.9g, whole %.9g", i,
                  tile, k, parts[k], whole[k]);
      }
      cr_assert_eq(n_launches[0], n_launches[1]);
    }
    free(whole);
  }
}

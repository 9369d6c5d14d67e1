/*
 * Float32 training gives the bits of this table on the emulated device and on every GPU, whatever the schedule, the
 * number of multiprocessors or the plan. Changing the canonical order (kernels/canonical.h), a function in
 * kernels/math_f32.cuh or a formula changes them: then update the table from what the test prints, and say why in the
 * commit.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#include "tests/support/backend_rig.h"

enum { N_STEPS = 100 };

typedef struct golden {
  const char *name;
  size_t n_layers, widths[4], n_rows, batch;
  vise_activation activation;
  vise_loss loss;
  vise_optimizer optimizer;
  bool labels, layers; /* layers: batch norm, dropout, residuals */
  uint64_t weights;    /* XXH3 of the float32 weights after N_STEPS steps */
} golden;

static const golden GOLDEN[] = {
    {"classifier",
     2,
     {196, 64, 10},
     300,
     64,
     VISE_RELU,
     VISE_LOSS_CROSS_ENTROPY,
     VISE_SGD,
     true,
     false,
     0x25f8e493b43f6ce5},
    {"regression", 3, {32, 96, 96, 1}, 150, 50, VISE_GELU, VISE_LOSS_MSE, VISE_ADAM, false, false, 0x846e5e3ca6717921},
    {"policy", 3, {17, 64, 64, 6}, 100, 33, VISE_TANH, VISE_LOSS_HUBER, VISE_RMSPROP, false, false, 0x90777d8c78878c81},
    {"layers",
     3,
     {24, 40, 40, 4},
     65,
     16,
     VISE_SILU,
     VISE_LOSS_CROSS_ENTROPY,
     VISE_ADAM,
     true,
     true,
     0xad5c29592e2cccb7},
};

static vise_i_step_spec spec_of(const golden *g, const vise_i_net *net) {
  vise_i_step_spec spec = rig_spec(net);
  spec.rule.loss = g->loss;
  spec.rule.optimizer = g->optimizer;
  spec.rule.momentum = g->optimizer == VISE_ADAM ? 0 : 0.9;
  spec.rule.k2 = 1e-4;
  spec.rule.k1 = g->optimizer == VISE_SGD ? 0 : 1e-5;
  spec.rule.clip_norm = 1;
  spec.max_batch = vise_i_batch_rows(net, g->batch, g->batch + 1);

  for (size_t l = 0; l < g->n_layers; l++) {
    spec.boxes[l].lo = -0.25;
    spec.boxes[l].hi = 0.25;
  }

  return spec;
}

static vise_i_net net_of(const golden *g) {
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config = {.struct_size = sizeof config,
                            .n_layers = g->n_layers,
                            .activation = g->activation,
                            .bias = true,
                            .batch_norm = g->layers,
                            .residual = g->layers,
                            .dropout = g->layers ? 0.25 : 0,
                            .input_dropout = g->layers ? 0.125 : 0};
  vise_i_net net;
  for (size_t l = 0; l <= g->n_layers; l++) config.widths[l] = g->widths[l];
  cr_assert_eq(vise_i_net_make(&config, &net, &err), VISE_OK, "%s", err.text);
  return net;
}

static uint64_t train(const golden *g) {
  vise_error err = VISE_ERROR_INIT;
  const vise_i_backend_ops *ops = &vise_i_backend_cuda;
  const vise_i_net net = net_of(g);
  const vise_i_step_spec spec = spec_of(g, &net);
  const size_t n_in = g->widths[0], n_out = g->widths[g->n_layers], n_y = g->labels ? 1 : n_out;
  double *x = malloc(g->n_rows * n_in * sizeof *x), *y = malloc(g->n_rows * n_y * sizeof *y);
  double *params = malloc(net.n_values * sizeof *params);
  size_t *order = malloc(g->n_rows * sizeof *order);
  vise_i_hyper hyper[N_STEPS];
  vise_step_stats stats[N_STEPS];
  uint64_t state = 20261127;

  rig_fill(&state, 1, x, g->n_rows * n_in);
  rig_fill(&state, 1, y, g->n_rows * n_y);
  rig_fill(&state, 0.25, params, net.n_values);
  for (size_t i = 0; i < g->n_rows; i++) {
    order[i] = i * 7 % g->n_rows;
    if (g->labels) y[i] = floor((y[i] + 1) / 2 * (double)n_out);
  }
  for (size_t s = 0; s < N_STEPS; s++) {
    hyper[s] = rig_hyper(0.05 / (1 + 0.01 * (double)s));
    hyper[s].step = s;
  }

  const vise_i_data data = rig_data(x, g->n_rows, n_in, y, n_y, g->labels, NULL);
  vise_i_backend *b = rig_begin(ops, &spec, params, &hyper[0], &data, order, g->n_rows);
  rig_run(ops, b, g->n_rows, g->batch, N_STEPS, N_STEPS, hyper, stats);

  for (size_t s = 0; s < N_STEPS; s++) {
    cr_assert(isfinite(stats[s].loss) && !stats[s].skipped, "step %zu: loss %g", s + 1, stats[s].loss);
  }

  float *end = malloc(net.n_values * sizeof *end);
  cr_assert_eq(ops->get_state(b, VISE_I_PARAMS, end, &err), VISE_OK, "%s", err.text);
  const uint64_t hash = XXH3_64bits(end, net.n_values * sizeof *end);

  ops->destroy(b);
  free(x);
  free(y);
  free(params);
  free(order);
  free(end);
  return hash;
}

Test(golden, weights_after_100_steps) {
  for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++) {
    const uint64_t got = train(&GOLDEN[i]);
    cr_expect_eq(got, GOLDEN[i].weights, "%s: 0x%016llx, expected 0x%016llx", GOLDEN[i].name, (unsigned long long)got,
                 (unsigned long long)GOLDEN[i].weights);
  }
}

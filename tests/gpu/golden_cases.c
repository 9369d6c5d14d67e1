#include "tests/gpu/golden_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Changing the canonical order (kernels/canonical.h), a function in kernels/math_f32.cuh or a formula changes the bits:
   then update the table from what golden_test.c prints, and say why in the commit. */
const golden_case golden_cases[] = {
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
    {"mnist", 2, {784, 128, 10}, 300, 64, VISE_RELU, VISE_LOSS_CROSS_ENTROPY, VISE_SGD, true, false, 0},
};
const size_t golden_n_cases = sizeof golden_cases / sizeof *golden_cases;

static void require(vise_status status, const char *call, const vise_error *err) {
  if (status == VISE_OK) return;
  fprintf(stderr, "%s: %s\n", call, err->text);
  abort();
}

static vise_i_step_spec spec_of(const golden_case *g, const vise_i_net *net) {
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

static vise_i_net net_of(const golden_case *g) {
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
  require(vise_i_net_make(&config, &net, &err), "vise_i_net_make", &err);
  return net;
}

golden_training *golden_open(const golden_case *g) {
  golden_training *t = calloc(1, sizeof *t);
  const size_t n_in = g->widths[0], n_out = g->widths[g->n_layers], n_y = g->labels ? 1 : n_out;
  uint64_t state = 20261127;

  t->of = g;
  t->net = net_of(g);
  t->spec = spec_of(g, &t->net);
  t->x = malloc(g->n_rows * n_in * sizeof *t->x);
  t->y = malloc(g->n_rows * n_y * sizeof *t->y);
  t->params = malloc(t->net.n_values * sizeof *t->params);
  t->order = malloc(g->n_rows * sizeof *t->order);

  rig_fill(&state, 1, t->x, g->n_rows * n_in);
  rig_fill(&state, 1, t->y, g->n_rows * n_y);
  rig_fill(&state, 0.25, t->params, t->net.n_values);
  for (size_t i = 0; i < g->n_rows; i++) {
    t->order[i] = i * 7 % g->n_rows;
    if (g->labels) t->y[i] = floor((t->y[i] + 1) / 2 * (double)n_out);
  }

  for (size_t s = 0; s < GOLDEN_STEPS; s++) {
    t->hyper[s] = rig_hyper(0.05 / (1 + 0.01 * (double)s));
    t->hyper[s].step = s;
  }

  const vise_i_data data = rig_data(t->x, g->n_rows, n_in, t->y, n_y, g->labels, NULL);
  t->backend = rig_begin(&vise_i_backend_cuda, &t->spec, t->params, &t->hyper[0], &data, t->order, g->n_rows);
  return t;
}

void golden_take(golden_training *t, size_t n, vise_step_stats *stats) {
  const size_t per_epoch = vise_i_n_batches(&t->net, t->of->batch, t->of->n_rows);

  for (size_t end = t->n_done + n, taken; t->n_done < end; t->n_done += taken, stats += taken) {
    const size_t at = t->n_done % per_epoch, left = end - t->n_done;
    const size_t asked = left < per_epoch - at ? left : per_epoch - at;
    vise_error err = VISE_ERROR_INIT;
    require(vise_i_backend_cuda.run(
                t->backend, &(vise_i_steps){at * t->of->batch, t->of->batch, asked, t->hyper + t->n_done, stats},
                &taken, &err),
            "run", &err);
  }
}

void golden_weights(const golden_training *t, float *out) {
  vise_error err = VISE_ERROR_INIT;
  require(vise_i_backend_cuda.get_state(t->backend, VISE_I_PARAMS, out, &err), "get_state", &err);
}

void golden_close(golden_training *t) {
  vise_i_backend_cuda.destroy(t->backend);
  free(t->x);
  free(t->y);
  free(t->params);
  free(t->order);
  free(t);
}

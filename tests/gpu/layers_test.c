/* Batch norm, dropout and residuals in the fused step: against cpu64, and the same bits however the step is cut. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/support/layers_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda, *const ORACLE = &vise_i_backend_cpu64;
static const vise_activation ACTIVATIONS[] = {VISE_RELU, VISE_GELU, VISE_TANH};

/* ---- agreement ---- */

/* What a backend shows outside of steps. */
static void show(const layers_rig *r, vise_i_backend *b, double *outputs, double *gradient) {
  vise_error err = VISE_ERROR_INIT;
  const vise_i_batch all = {.data = &r->data, .n = LAYERS_ROWS};
  const vise_i_batch some = {.data = &r->data, .rows = r->order, .n = LAYERS_BATCH, .step = 5};
  cr_expect(r->ops->forward(b, &all, outputs, &err) == VISE_OK, "%s", err.text);
  cr_expect(r->ops->full_gradient(b, &some, gradient, NULL, NULL, &err) == VISE_OK, "%s", err.text);
}

static void expect_agreement(const layers_net *net, vise_activation activation, int parts) {
  enum { STEPS = 9, N_OUTPUTS = LAYERS_ROWS * LAYERS_OUT };
  layers_rig *r = layers_rig_make(OPS, net, activation), *oracle = layers_rig_make(ORACLE, net, activation);
  double outputs[2][N_OUTPUTS], *gradients[2];
  for (size_t k = 0; k < 2; k++) gradients[k] = calloc(r->net.n_params, sizeof(double));
  r->spec.steps_per_launch = 1;
  r->spec.hooks.gradient_parts = parts;

  vise_i_backend *b = layers_rig_start(r), *b64 = layers_rig_start(oracle);
  check_layers_steps(r, b, oracle, b64, STEPS, 1);
  show(r, b, outputs[0], gradients[0]);
  show(oracle, b64, outputs[1], gradients[1]);
  check_layers_near("outputs", net->name, outputs[0], outputs[1], N_OUTPUTS, 2e-4);
  check_layers_near("gradient", net->name, gradients[0], gradients[1], r->net.n_params, 2e-4);
  cr_expect_eq(OPS->n_launches(b), STEPS);

  for (size_t k = 0; k < 2; k++) free(gradients[k]);
  OPS->destroy(b);
  ORACLE->destroy(b64);
  layers_rig_free(r);
  layers_rig_free(oracle);
}

Test(layers, agree_with_the_oracle) {
  for (size_t i = 0; i < n_layers_nets; i++) expect_agreement(&layers_nets[i], ACTIVATIONS[i % 3], 0);
}

Test(layers, agree_where_gradients_come_in_parts) {
  for (size_t k = 0; k < 3; k++) expect_agreement(&layers_nets[n_layers_nets - 1], ACTIVATIONS[k], 1);
}

/* ---- bits ---- */

static void expect_bits(const layers_rig *r, const double *reference, const vise_step_stats *stats, size_t most,
                        const char *what) {
  enum { STEPS = 8 };
  vise_step_stats own[STEPS];
  vise_i_backend *b = layers_rig_start(r);
  layers_rig_run(r, b, 0, STEPS, most, own);
  double *params = layers_rig_params(r, b);

  cr_expect(memcmp(reference, params, r->net.n_values * sizeof *params) == 0, "%s: the weights differ", what);
  for (size_t s = 0; s < STEPS; s++) {
    cr_expect(own[s].loss == stats[s].loss && own[s].grad_norm == stats[s].grad_norm, "%s: step %zu differs", what, s);
  }
  free(params);
  OPS->destroy(b);
}

/* The net with all three, and what it becomes. */
static layers_rig *reference_of(double **params, vise_step_stats *stats) {
  layers_rig *r = layers_rig_make(OPS, &layers_nets[n_layers_nets - 1], VISE_SILU);
  vise_i_backend *b = layers_rig_start(r);
  layers_rig_run(r, b, 0, 8, 8, stats);
  *params = layers_rig_params(r, b);
  OPS->destroy(b);
  return r;
}

Test(layers, bits_whatever_the_launches_and_ctas) {
  static const uint64_t per_launch[] = {1, 7, 0};
  static const uint32_t n_ctas[] = {1, 3, 8};
  vise_step_stats stats[8];
  double *params;
  layers_rig *r = reference_of(&params, stats);
  vise_i_backend *b = layers_rig_start(r);
  const uint32_t most = vise_i_cuda_of(b)->train.step.n_members;
  OPS->destroy(b);

  for (size_t i = 0; i < 3; i++) {
    r->spec.steps_per_launch = per_launch[i];
    expect_bits(r, params, stats, i == 1 ? 2 : 8, "steps per launch and call");
  }
  for (size_t i = 0; i < 3; i++) {
    if (n_ctas[i] > most) continue;
    r->spec.hooks.n_ctas = n_ctas[i];
    expect_bits(r, params, stats, 8, "CTAs");
  }

  free(params);
  layers_rig_free(r);
}

Test(layers, bits_whatever_the_tiles) {
  vise_step_stats stats[8];
  double *params;
  layers_rig *r = reference_of(&params, stats);

  for (int tile = VISE_K_TILE_8; tile < VISE_K_N_TILES; tile++) {
    r->spec.hooks.forced_tile = 1 + tile;
    expect_bits(r, params, stats, 8, "tiles");
  }
  free(params);
  layers_rig_free(r);
}

/* ---- skips ---- */

Test(layers, running_statistics_stay_in_a_skipped_step) {
  layers_rig *r = layers_rig_make(OPS, &layers_nets[n_layers_nets - 1], VISE_RELU);
  check_layers_skip(r);
  layers_rig_free(r);
}

/* Batch norm, dropout and residuals in the fused step: against cpu64, and the same bits however the step is cut. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/support/layers_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda, *const ORACLE = &vise_i_backend_cpu64;
static const vise_activation ACTIVATIONS[] = {VISE_RELU, VISE_GELU, VISE_TANH};

static void expect_near(const char *what, const char *name, const double *got, const double *ref, size_t n,
                        double tolerance) {
  size_t worst;
  const size_t n_bad = rig_compare(got, ref, n, tolerance, tolerance, &worst);
  cr_expect(n_bad == 0, "%s, %s: %zu of %zu off, worst [%zu]: %.9g, cpu64 %.9g", name, what, n_bad, n, worst,
            got[worst], ref[worst]);
}

/* ---- agreement ---- */

/* What a training leaves and shows. */
typedef struct outcome {
  double *params, *outputs, *gradient;
  vise_step_stats stats[LAYERS_MOST_STEPS];
} outcome;

static outcome train(const layers_rig *r, size_t n_steps) {
  vise_error err = VISE_ERROR_INIT;
  outcome o = {.outputs = calloc(LAYERS_ROWS * LAYERS_OUT, sizeof(double)),
               .gradient = calloc(r->net.n_params, sizeof(double))};
  vise_i_backend *b = layers_rig_start(r);
  const vise_i_batch all = {.data = &r->data, .n = LAYERS_ROWS};
  const vise_i_batch some = {.data = &r->data, .rows = r->order, .n = LAYERS_BATCH, .step = 5};

  layers_rig_run(r, b, 0, n_steps, 4, o.stats);
  o.params = layers_rig_params(r, b);
  cr_expect(r->ops->forward(b, &all, o.outputs, &err) == VISE_OK, "%s", err.text);
  cr_expect(r->ops->full_gradient(b, &some, o.gradient, NULL, NULL, &err) == VISE_OK, "%s", err.text);
  if (r->ops == OPS) cr_expect_eq(OPS->n_launches(b), n_steps);
  r->ops->destroy(b);
  return o;
}

static void free_outcome(outcome *o) {
  free(o->params);
  free(o->outputs);
  free(o->gradient);
}

static void expect_agreement(const layers_net *net, vise_activation activation, int parts) {
  enum { STEPS = 9 };
  layers_rig *r = layers_rig_make(OPS, net, activation), *oracle = layers_rig_make(ORACLE, net, activation);
  r->spec.steps_per_launch = 1;
  r->spec.hooks.gradient_parts = parts;
  outcome got = train(r, STEPS), ref = train(oracle, STEPS);

  for (size_t s = 0; s < STEPS; s++) {
    const vise_step_stats *g = &got.stats[s], *o = &ref.stats[s];
    const double gs[] = {g->loss, g->penalty, g->grad_norm, g->grad_norm_clipped};
    const double os[] = {o->loss, o->penalty, o->grad_norm, o->grad_norm_clipped};
    expect_near("loss, penalty, norms", net->name, gs, os, 4, 1e-4);
    cr_expect(g->n_rows == o->n_rows && g->skipped == o->skipped);
  }
  expect_near("parameters", net->name, got.params, ref.params, r->net.n_values, 1e-4);
  expect_near("outputs", net->name, got.outputs, ref.outputs, LAYERS_ROWS * LAYERS_OUT, 2e-4);
  expect_near("gradient", net->name, got.gradient, ref.gradient, r->net.n_params, 2e-4);

  free_outcome(&got);
  free_outcome(&ref);
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
  vise_step_stats stats[2];
  r->x[r->order[LAYERS_BATCH] * LAYERS_IN] = NAN; /* in the second step; input dropout may take it */
  r->x[r->order[LAYERS_BATCH] * LAYERS_IN + 1] = NAN;
  r->x[r->order[LAYERS_BATCH + 1] * LAYERS_IN + 2] = NAN;

  vise_i_backend *b = layers_rig_start(r);
  layers_rig_run(r, b, 0, 1, 1, stats);
  double *before = layers_rig_params(r, b);
  layers_rig_run(r, b, 1, 1, 1, stats + 1);
  double *after = layers_rig_params(r, b);

  cr_expect(!stats[0].skipped && stats[1].skipped);
  cr_expect(memcmp(before, after, r->net.n_values * sizeof *before) == 0);
  free(before);
  free(after);
  OPS->destroy(b);
  layers_rig_free(r);
}

#include "tests/support/layers_checks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a training leaves and shows. */
typedef struct outcome {
  const char *name;
  double *params, *outputs, *gradient;
  vise_step_stats stats[LAYERS_MOST_STEPS];
} outcome;

static outcome train(const layers_rig *r, size_t n_steps, vise_i_backend **backend) {
  vise_error err = VISE_ERROR_INIT;
  outcome o = {.name = r->name,
               .outputs = calloc(LAYERS_ROWS * LAYERS_OUT, sizeof(double)),
               .gradient = calloc(r->net.n_params, sizeof(double))};
  vise_i_backend *b = layers_rig_start(r);
  const vise_i_batch all = {.data = &r->data, .n = LAYERS_ROWS};
  const vise_i_batch some = {.data = &r->data, .rows = r->order, .n = LAYERS_BATCH, .step = 5};

  layers_rig_run(r, b, 0, n_steps, 4, o.stats);
  o.params = layers_rig_params(r, b);
  cr_expect(r->ops->forward(b, &all, o.outputs, &err) == VISE_OK, "%s", err.text);
  cr_expect(r->ops->full_gradient(b, &some, o.gradient, NULL, NULL, &err) == VISE_OK, "%s", err.text);
  *backend = b;
  return o;
}

static void free_outcome(outcome *o) {
  free(o->params);
  free(o->outputs);
  free(o->gradient);
}

static void expect_near(const char *what, const char *name, const double *got, const double *ref, size_t n,
                        double tolerance) {
  size_t worst;
  const size_t n_bad = rig_compare(got, ref, n, tolerance, tolerance, &worst);
  cr_expect(n_bad == 0, "%s, %s: %zu of %zu off, worst [%zu]: %.9g, cpu64 %.9g", name, what, n_bad, n, worst,
            got[worst], ref[worst]);
}

vise_i_backend *check_layers_agreement(const layers_rig *r, const layers_rig *oracle, size_t n_steps, double slack) {
  vise_i_backend *b, *b64;
  outcome got = train(r, n_steps, &b), ref = train(oracle, n_steps, &b64);

  for (size_t s = 0; s < n_steps; s++) {
    const vise_step_stats *g = &got.stats[s], *o = &ref.stats[s];
    const double gs[] = {g->loss, g->penalty, g->grad_norm, g->grad_norm_clipped};
    const double os[] = {o->loss, o->penalty, o->grad_norm, o->grad_norm_clipped};
    expect_near("loss, penalty, norms", got.name, gs, os, 4, 1e-4 * slack);
    cr_expect(g->n_rows == o->n_rows && g->skipped == o->skipped);
  }
  expect_near("parameters", got.name, got.params, ref.params, r->net.n_values, 1e-4 * slack);
  expect_near("outputs", got.name, got.outputs, ref.outputs, LAYERS_ROWS * LAYERS_OUT, 2e-4 * slack);
  expect_near("gradient", got.name, got.gradient, ref.gradient, r->net.n_params, 2e-4 * slack);

  free_outcome(&got);
  free_outcome(&ref);
  oracle->ops->destroy(b64);
  return b;
}

void check_layers_skip(layers_rig *r) {
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
  r->ops->destroy(b);
}

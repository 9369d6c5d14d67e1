#include "tests/support/layers_checks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void check_layers_near(const char *what, const char *name, const double *got, const double *ref, size_t n,
                       double tolerance) {
  size_t worst;
  const size_t n_bad = rig_compare(got, ref, n, tolerance, tolerance, &worst);
  cr_expect(n_bad == 0, "%s, %s: %zu of %zu off, worst [%zu]: %.9g, cpu64 %.9g", name, what, n_bad, n, worst,
            got[worst], ref[worst]);
}

void check_layers_steps(const layers_rig *r, vise_i_backend *b, const layers_rig *oracle, vise_i_backend *b64,
                        size_t n_steps, double slack) {
  vise_step_stats stats[LAYERS_MOST_STEPS], expected[LAYERS_MOST_STEPS];
  layers_rig_run(r, b, 0, n_steps, 4, stats);
  layers_rig_run(oracle, b64, 0, n_steps, 4, expected);

  for (size_t s = 0; s < n_steps; s++) {
    const vise_step_stats *g = &stats[s], *o = &expected[s];
    const double gs[] = {g->loss, g->penalty, g->grad_norm, g->grad_norm_clipped};
    const double os[] = {o->loss, o->penalty, o->grad_norm, o->grad_norm_clipped};
    check_layers_near("loss, penalty, norms", r->name, gs, os, 4, 1e-4 * slack);
    cr_expect(g->n_rows == o->n_rows && g->skipped == o->skipped);
  }

  double *params = layers_rig_params(r, b), *ref = layers_rig_params(oracle, b64);
  check_layers_near("parameters", r->name, params, ref, r->net.n_values, 1e-4 * slack);
  free(params);
  free(ref);
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

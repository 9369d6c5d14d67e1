/* cuda against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/backend_rig.h"
#include "tests/support/trajectory.h"

/* As for cpu (tests/cpu/cpu_trajectories.c): float32 after hundreds of steps. */
#define TOLERANCE 5e-5
#define ADAM_TOLERANCE 5e-3
#define STATS_TOLERANCE 1e-4

static double worst_report(const trajectory *t, const vise_step_stats *stats) {
  double worst = 0;
  for (size_t i = 0; i < t->n_reported; i++) {
    const vise_step_stats *s = &stats[t->reported_steps[i] - 1];
    const double got[4] = {s->loss, s->penalty, s->grad_norm, s->grad_norm_clipped};
    const double ref[4] = {t->losses[i], t->penalties[i], t->grad_norms[i], t->grad_norms_clipped[i]};
    for (size_t k = 0; k < 4; k++) {
      const double error = fabs(got[k] - ref[k]) / (1 + fabs(ref[k]));
      if (!(error <= worst)) worst = isnan(error) ? INFINITY : error;
    }
  }
  return worst;
}

Test(trajectories, agree_with_pytorch) {
  size_t n_cases;
  trajectory *cases = trajectory_load_all(VISE_SOURCE_DIR "/tests/golden/trajectories.json", &n_cases);
  cr_assert(n_cases >= 70);
  for (size_t c = 0; c < n_cases; c++) {
    const trajectory *t = &cases[c];
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats *stats = calloc(t->n_steps, sizeof *stats);
    double *final = calloc(t->net.n_params, sizeof *final);
    size_t worst;
    cr_assert(trajectory_run(t, &vise_i_backend_cuda, final, stats, &err) == VISE_OK, "%s: %s", t->name, err.text);
    const double tolerance = t->spec.optimizer == VISE_ADAM ? ADAM_TOLERANCE : TOLERANCE;
    const size_t n_bad = rig_compare(final, t->final, t->net.n_params, tolerance, 0, &worst);
    const double reported = worst_report(t, stats);
    cr_expect(n_bad == 0, "%s: %zu weights differ, worst [%zu] = %.9g, PyTorch %.9g", t->name, n_bad, worst,
              final[worst], t->final[worst]);
    cr_expect(reported <= STATS_TOLERANCE, "%s: a reported loss, penalty or norm is off by %g", t->name, reported);
    free(stats);
    free(final);
  }
  trajectory_free_all(cases, n_cases);
}

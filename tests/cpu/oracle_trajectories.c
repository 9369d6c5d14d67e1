/* cpu64 against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/backend_rig.h"
#include "tests/support/trajectory.h"

/* The contract promises 1e-9; what is seen is some 1e-15. */
#define TOLERANCE 1e-12

/* Largest error over the reported steps, relative to 1 + |ref|; NaN counts as infinite. */
static double report_error(const trajectory *t, const vise_step_stats *stats) {
  double worst = 0;
  for (size_t i = 0; i < t->n_reported; i++) {
    const vise_step_stats *s = &stats[t->reported_steps[i] - 1];
    const double got[4] = {s->loss, s->penalty, s->grad_norm, s->grad_norm_clipped};
    const double ref[4] = {t->losses[i], t->penalties[i], t->grad_norms[i], t->grad_norms_clipped[i]};
    for (size_t k = 0; k < 4; k++) {
      double error = fabs(got[k] - ref[k]) / (1 + fabs(ref[k]));
      if (!(error <= worst)) worst = isnan(error) ? INFINITY : error;
    }
  }
  return worst;
}

static void check_totals(const trajectory *t, const vise_step_stats *stats) {
  const vise_step_stats *last = &stats[t->n_steps - 1];
  uint64_t clipped_values = 0, norm_clipped = 0, correct = 0;
  for (size_t s = 0; s < t->n_steps; s++) {
    clipped_values += stats[s].n_clipped_values;
    norm_clipped += stats[s].norm_clipped;
    correct += stats[s].n_correct;
    cr_expect(!stats[s].skipped && stats[s].bad_tensor == -1 && stats[s].n_nonfinite == 0, "%s: step %zu skipped",
              t->name, s + 1);
  }
  cr_expect(clipped_values == t->clipped_values, "%s: %lu values clipped, PyTorch %lu", t->name, clipped_values,
            t->clipped_values);
  cr_expect(norm_clipped == t->norm_clipped, "%s: %lu norms clipped, PyTorch %lu", t->name, norm_clipped,
            t->norm_clipped);
  cr_expect(correct == t->correct, "%s: %lu rows right, PyTorch %lu", t->name, correct, t->correct);
  cr_expect(last->n_at_lo == t->at_lo && last->n_at_hi == t->at_hi, "%s: %lu and %lu at bounds, PyTorch %lu and %lu",
            t->name, last->n_at_lo, last->n_at_hi, t->at_lo, t->at_hi);
}

Test(oracle_trajectories, agree_with_pytorch_float64) {
  size_t n_cases;
  trajectory *cases = trajectory_load_all(VISE_SOURCE_DIR "/tests/golden/trajectories.json", &n_cases);
  double overall = 0;
  cr_assert(n_cases >= 70);
  for (size_t c = 0; c < n_cases; c++) {
    const trajectory *t = &cases[c];
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats *stats = calloc(t->n_steps, sizeof *stats);
    double *final = calloc(t->net.n_params, sizeof *final), reported;
    size_t worst, n_bad;
    cr_assert(trajectory_run(t, &vise_i_backend_cpu64, final, stats, &err) == VISE_OK, "%s: %s", t->name, err.text);
    n_bad = rig_compare(final, t->final, t->net.n_params, TOLERANCE, 0, &worst);
    reported = report_error(t, stats);
    cr_expect(n_bad == 0, "%s: %zu weights differ, worst [%zu] = %.17g, PyTorch %.17g", t->name, n_bad, worst,
              final[worst], t->final[worst]);
    cr_expect(reported <= TOLERANCE, "%s: a reported loss, penalty or norm is off by %g", t->name, reported);
    check_totals(t, stats);
    overall = fmax(overall, fabs(final[worst] - t->final[worst]));
    free(stats);
    free(final);
  }
  cr_log_info("%zu trajectories, largest difference of a weight %g", n_cases, overall);
  trajectory_free_all(cases, n_cases);
}

/* A single wrong entry must be seen: the comparison itself is under test. */
Test(oracle_trajectories, comparison_sees_one_wrong_or_nan_entry) {
  double ref[5] = {1, 2, 3, 4, 5}, got[5] = {1, 2, 3, 4, 5};
  size_t worst;
  cr_assert(rig_compare(got, ref, 5, TOLERANCE, 0, &worst) == 0);
  got[3] += 1e-9;
  cr_assert(rig_compare(got, ref, 5, TOLERANCE, 0, &worst) == 1 && worst == 3);
  got[1] = NAN;
  cr_assert(rig_compare(got, ref, 5, TOLERANCE, 0, &worst) == 2 && worst == 1);
}

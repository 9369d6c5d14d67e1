/* cpu64 against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/support/backend_rig.h"
#include "tests/support/trajectory.h"

/* The actual error is about 1e-15. */
#define TOLERANCE 1e-12

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
  static const trajectory_tolerance tolerance = {TOLERANCE, TOLERANCE, TOLERANCE};
  trajectory_check_all(TRAJECTORIES_PLAIN, &vise_i_backend_cpu64, &tolerance, check_totals);
}

/* Batch norm, dropout and residuals, each alone and all together. The running statistics are part of the weights. */
Test(oracle_trajectories, layers_agree_with_pytorch_float64) {
  static const trajectory_tolerance tolerance = {TOLERANCE, TOLERANCE, TOLERANCE};
  trajectory_check_all(TRAJECTORIES_LAYERS, &vise_i_backend_cpu64, &tolerance, check_totals);
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

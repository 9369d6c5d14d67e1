/* Float32 training gives the bits of golden_cases.c on the emulated device and on every GPU, whatever the schedule, the
   number of multiprocessors or the plan. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tests/gpu/golden_cases.h"

static uint64_t train(const golden_case *g) {
  static vise_step_stats stats[GOLDEN_STEPS];
  golden_training *t = golden_open(g);
  memset(stats, 0, sizeof stats);
  golden_take(t, GOLDEN_STEPS, stats);

  for (size_t s = 0; s < GOLDEN_STEPS; s++) {
    cr_assert(isfinite(stats[s].loss) && !stats[s].skipped, "step %zu: loss %g", s + 1, stats[s].loss);
  }

  float *end = malloc(t->net.n_values * sizeof *end);
  golden_weights(t, end);
  const uint64_t hash = XXH3_64bits(end, t->net.n_values * sizeof *end);
  free(end);
  golden_close(t);
  return hash;
}

Test(golden, weights_after_100_steps) {
  for (size_t i = 0; i < golden_n_cases; i++) {
    if (golden_cases[i].weights == 0) continue;
    const uint64_t got = train(&golden_cases[i]);
    cr_expect_eq(got, golden_cases[i].weights, "%s: 0x%016llx, expected 0x%016llx", golden_cases[i].name,
                 (unsigned long long)got, (unsigned long long)golden_cases[i].weights);
  }
}

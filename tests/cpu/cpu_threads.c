/* The bits of everything that cpu computes are the same for any number of threads. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"
#include "tests/support/cpu_options.h"

static const int MORE_THREADS[] = {2, 3, 7};

static bool same(const double *a, const double *b, size_t n) {
  return (a == NULL) == (b == NULL) && (a == NULL || memcmp(a, b, n * sizeof *a) == 0);
}

/* Runs the case with one thread and with more. */
static void expect_same_bits(const cpu_case *given, const char *what) {
  cpu_case c = *given;
  c.spec.n_threads = 1;
  cpu_result alone = cpu_case_run(&c, &vise_i_backend_cpu);
  const size_t n = alone.net.n_params;

  for (size_t i = 0; i < N_OF(MORE_THREADS); i++) {
    c.spec.n_threads = MORE_THREADS[i];
    cpu_result got = cpu_case_run(&c, &vise_i_backend_cpu);
    cr_expect(same(got.params, alone.params, alone.net.n_values), "%s, %d threads: weights", what, c.spec.n_threads);
    cr_expect(same(got.moment1, alone.moment1, n) && same(got.moment2, alone.moment2, n), "%s, %d threads: moments",
              what, c.spec.n_threads);
    cr_expect(same(got.gradient, alone.gradient, n), "%s, %d threads: gradient", what, c.spec.n_threads);
    cr_expect(same(got.outputs, alone.outputs, alone.n_outputs), "%s, %d threads: outputs", what, c.spec.n_threads);
    cr_expect(same(&got.loss, &alone.loss, 1) && same(&got.penalty, &alone.penalty, 1), "%s, %d threads: loss", what,
              c.spec.n_threads);
    cr_expect(memcmp(got.stats, alone.stats, sizeof got.stats) == 0, "%s, %d threads: statistics", what,
              c.spec.n_threads);
    cr_expect(memcmp(got.tensor_sum, alone.tensor_sum, sizeof got.tensor_sum) == 0, "%s, %d threads: counts", what,
              c.spec.n_threads);
    cpu_result_free(&got);
  }

  cpu_result_free(&alone);
}

/* Every layer is worth sharing, and no width is a multiple of what threads are given. */
Test(cpu_threads, every_option) {
  static const size_t widths[] = {151, 139, 131, 10};

  for (size_t i = 0; i < cpu_n_options; i++) {
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, 3, widths);
    c.n_rows = 50;
    c.batch = 33;
    c.n_steps = 3;
    cpu_options[i].apply(&c);
    if (!cpu_option_allowed(&c)) continue;
    expect_same_bits(&c, cpu_options[i].name);
  }
}

Test(cpu_threads, batches_of_one_to_five_thousand) {
  static const size_t nets[][4] = {{150, 140, 130, 10}, {13, 17, 9, 5}}, batches[] = {1, 2, 31, 64, 257, 1025, 5000};

  for (size_t net = 0; net < N_OF(nets); net++) {
    for (size_t i = 0; i < N_OF(batches); i++) {
      cpu_case c = cpu_case_make();
      char what[64];
      cpu_case_shape(&c, 3, nets[net]);
      c.n_rows = batches[i] + batches[i] / 3;
      c.batch = batches[i];
      c.n_steps = 2;
      c.spec.rule.clip_norm = 0.1;
      (void)snprintf(what, sizeof what, "net %zu, batches of %zu", net, batches[i]);
      expect_same_bits(&c, what);
    }
  }
}

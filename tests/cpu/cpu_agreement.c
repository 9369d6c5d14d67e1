/* cpu against cpu64: every option alone over shapes and batches, and in pairs. */
#include <criterion/criterion.h>
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"

static const agreement CPU = {.ops = &vise_i_backend_cpu, .slack = 1};

Test(cpu_agreement, each_option_over_shapes_and_batches) {
  agreement_over_shapes(&CPU, 0, 1);
}

Test(cpu_agreement, options_in_pairs) {
  agreement_in_pairs(&CPU, 0, 1, 900);
}

Test(cpu_agreement, one_output) {
  agreement_of_one_output(&CPU);
}

Test(cpu_agreement, everything_at_once) {
  cpu_case c = agreement_case(&CPU, 0);
  cpu_option_everything(&c);
  agreement_expect(&CPU, &c, "everything", "at once");
}

Test(cpu_agreement, batches_above_a_chunk_are_one_batch) {
  agreement_of_full_batches(&CPU, 3); /* summed over chunks of 1024 */
}

/* Batches large for their net are cut into parts by rows, each with a gradient of its own; threads take parts. */
Test(cpu_agreement, threads_share_the_rows_of_large_batches) {
  static const char *const more[] = {"plain",       "silu",          "mse",     "hinge of signs", "bce of bits",
                                     "row weights", "class weights", "no bias", "mask",           "label smoothing"};

  for (size_t i = 0; i < N_OF(more); i++) {
    for (int n_threads = 2; n_threads <= 3; n_threads++) {
      cpu_case c = cpu_case_make();
      c.n_rows = 1550; /* an epoch ends with a batch too small for this */
      c.batch = 1500;
      c.n_steps = 3;
      c.spec.n_threads = n_threads;
      cpu_option_apply(&c, more[i]);

      agreement_expect(&CPU, &c, "by rows", more[i]);
    }
  }
}

Test(cpu_agreement, which_batches_go_by_rows) {
  static const struct net_case {
    size_t widths[3], least; /* fewest rows that are cut into parts; 0: never */
  } cases[] = {{{64, 64, 10}, 256}, {{784, 128, 10}, 256}, {{512, 512, 10}, 512}, {{64, 4096, 10}, 0}};

  for (size_t i = 0; i < N_OF(cases); i++) {
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
      const vise_i_net net = rig_net(2, cases[i].widths, VISE_RELU, true);
      const size_t least = cases[i].least;
      vise_error err = VISE_ERROR_INIT;
      vise_i_step_spec spec = rig_spec(&net);
      vise_i_backend *b;

      spec.n_threads = n_threads;
      spec.max_batch = 4096;
      cr_assert_eq(vise_i_backend_cpu.create(&spec, &b, &err), VISE_OK, "%s", err.text);

      const vise_i_cpu *cpu = (vise_i_cpu *)b;
      cr_expect_eq(vise_i_cpu_parts(cpu, 4096).n, least > 0 ? 8 : 1, "net %zu", i);
      cr_expect_eq(vise_i_cpu_parts(cpu, least).n, least > 0 ? 2 : 1, "net %zu", i);
      cr_expect_eq(vise_i_cpu_parts(cpu, least - (least > 0)).n, 1, "net %zu", i);
      vise_i_backend_cpu.destroy(b);
    }
  }
}

/* The comparison itself: a wrong strength must be seen. */
Test(cpu_agreement, comparison_sees_another_training) {
  char text[256];
  cpu_case a = cpu_case_make(), b = cpu_case_make();
  b.spec.rule.k2 = 1e-3;
  cpu_result x = cpu_case_run(&a, &vise_i_backend_cpu), y = cpu_case_run(&b, &vise_i_backend_cpu);

  double most = 0;
  for (size_t i = 0; i < x.net.n_params; i++) most = fmax(most, fabs(x.params[i] - y.params[i]));

  cr_expect(most > 4e-5, "a penalty of 1e-3 moves no weight by more than the tolerance: %g", most);
  cr_expect(cpu_case_agrees(&a, &vise_i_backend_cpu, 1, text, sizeof text), "%s", text);
  cr_expect(!cpu_case_agrees(&a, &vise_i_backend_cpu, 1e-6, text, sizeof text),
            "float32 is not exact, but nothing was seen");

  cpu_result_free(&x);
  cpu_result_free(&y);
}

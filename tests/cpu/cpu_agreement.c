/* cpu against cpu64: every option alone over shapes and batches, and in pairs. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "tests/cpu/cpu_options.h"
#include "tests/support/backend_rig.h"

static void expect_agreement(const cpu_case *c, const char *first, const char *second) {
  char text[256];
  if (!cpu_case_agrees(c, &vise_i_backend_cpu, 1, text, sizeof text)) {
    cr_expect(false, "%s + %s, %zu-%zu.., batch %zu: %s", first, second, c->widths[0], c->widths[1], c->batch, text);
  }
}

Test(cpu_agreement, each_option_over_shapes_and_batches) {
  static const struct shape {
    size_t n_layers, widths[8];
  } shapes[] = {
      {1, {1, 2}},
      {1, {31, 33}},
      {1, {64, 16}},
      {2, {33, 31, 2}},
      {2, {97, 65, 10}},
      {3, {5, 1, 17, 3}},
      {4, {16, 15, 16, 17, 6}},
      {6, {7, 9, 11, 13, 11, 9, 4}},
  };
  static const size_t batches[] = {1, 7, 64};
  for (size_t o = 0; o < cpu_n_options; o++) {
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
      for (size_t b = 0; b < 3; b++) {
        cpu_case c = cpu_case_make();
        cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
        c.batch = batches[b];
        c.n_rows = c.batch * 2 + c.batch / 2 + 1;
        c.n_steps = 4;
        cpu_options[o].apply(&c);
        if (cpu_option_allowed(&c)) expect_agreement(&c, cpu_options[o].name, "alone");
      }
    }
  }
}

Test(cpu_agreement, options_in_pairs) {
  size_t n_pairs = 0;
  for (size_t i = 1; i < cpu_n_options; i++) {
    for (size_t j = i + 1; j < cpu_n_options; j++) {
      cpu_case c = cpu_case_make();
      if (strcmp(cpu_options[i].group, cpu_options[j].group) == 0) continue;
      cpu_options[i].apply(&c);
      cpu_options[j].apply(&c);
      if (!cpu_option_allowed(&c)) continue;
      expect_agreement(&c, cpu_options[i].name, cpu_options[j].name);
      n_pairs++;
    }
  }
  cr_assert(n_pairs > 900, "%zu pairs", n_pairs);
}

Test(cpu_agreement, one_output) {
  static const char *const losses[] = {"mse",         "mse mean",      "mse half_sum",   "huber",
                                       "bce of bits", "bce of labels", "hinge of signs", "hinge of labels"};
  static const size_t widths[] = {19, 8, 1};
  for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
    for (int weighted = 0; weighted < 2; weighted++) {
      cpu_case c = cpu_case_make();
      cpu_case_shape(&c, 2, widths);
      cpu_option_apply(&c, losses[i]);
      c.row_weights = weighted;
      c.class_weights = weighted && (c.spec.loss == VISE_LOSS_BCE || c.spec.loss == VISE_LOSS_HINGE);
      expect_agreement(&c, "one output", weighted ? "weighted" : "unweighted");
    }
  }
}

Test(cpu_agreement, everything_at_once) {
  cpu_case c = cpu_case_make();
  cpu_option_everything(&c);
  expect_agreement(&c, "everything", "at once");
}

Test(cpu_agreement, batches_above_a_chunk_are_one_batch) {
  cpu_case c = cpu_case_make();
  c.n_rows = c.batch = 2500; /* summed over chunks of 1024 */
  c.n_steps = 3;
  expect_agreement(&c, "full batch", "cross-entropy");
  cpu_option_apply(&c, "mse");
  cpu_option_apply(&c, "row weights");
  expect_agreement(&c, "full batch", "mse, row weights");
}

/* Batches that are large for their net are shared by rows, each thread having a gradient of its own. */
Test(cpu_agreement, threads_share_the_rows_of_large_batches) {
  static const char *const more[] = {"plain",       "silu",          "mse",     "hinge of signs", "bce of bits",
                                     "row weights", "class weights", "no bias", "mask",           "label smoothing"};
  for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
    for (int n_threads = 2; n_threads <= 3; n_threads++) {
      cpu_case c = cpu_case_make();
      c.n_rows = 1550; /* an epoch ends with a batch too small for this */
      c.batch = 1500;
      c.n_steps = 3;
      c.spec.n_threads = n_threads;
      cpu_option_apply(&c, more[i]);
      expect_agreement(&c, "by rows", more[i]);
    }
  }
}

Test(cpu_agreement, which_batches_go_by_rows) {
  static const struct net_case {
    size_t widths[3], least; /* rows, for two threads; 0: none do */
  } cases[] = {{{64, 64, 10}, 64}, {{784, 128, 10}, 128}, {{512, 512, 10}, 512}, {{64, 4096, 10}, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
      const vise_i_net net = rig_net(2, cases[i].widths, VISE_RELU, true);
      const size_t least = cases[i].least;
      vise_error err = VISE_ERROR_INIT;
      vise_i_step_spec spec = rig_spec(&net);
      vise_i_backend *b;
      spec.n_threads = n_threads;
      cr_assert_eq(vise_i_backend_cpu.create(&spec, &b, &err), VISE_OK, "%s", err.text);
      cr_expect_eq(vise_i_cpu_goes_by_rows(b, 4096), n_threads == 2 && least > 0, "net %zu", i);
      cr_expect_eq(vise_i_cpu_goes_by_rows(b, least), n_threads == 2 && least > 0, "net %zu", i);
      cr_expect_not(vise_i_cpu_goes_by_rows(b, least - (least > 0)), "net %zu", i);
      vise_i_backend_cpu.destroy(b);
    }
  }
}

/* The comparison itself: a wrong strength must be seen. */
Test(cpu_agreement, comparison_sees_another_training) {
  char text[256];
  cpu_case a = cpu_case_make(), b = cpu_case_make();
  b.spec.k2 = 1e-3;
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

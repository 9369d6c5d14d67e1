/* The unfused step against cpu64: every option alone over shapes and batches, and in pairs; with all epilogues of
   cuBLAS, with some, with none. */
#include <criterion/criterion.h>

#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"

/* Case by case: all epilogues of cuBLAS, some, none, and so on. */
static void set_unfused(cpu_case *c, size_t i) {
  c->spec.step_mode = VISE_STEP_UNFUSED;
  c->spec.hooks.without_epilogues = (int)(i % 3);
  c->spec.device_memory_limit = (size_t)64 << 20; /* keeps the workspace of cuBLAS small */
}

static const agreement UNFUSED = {.ops = &vise_i_backend_cuda, .slack = 1, .set = set_unfused, .is_slow = true};

AGREEMENT_TESTS(unfused_agreement, &UNFUSED)

Test(unfused_agreement, relu_with_each_set_of_epilogues) {
  static const agreement_shape shape = {3, {40, 130, 33, 66}, 20};
  for (size_t without = 0; without < 3; without++) {
    for (int bias = 0; bias < 2; bias++) {
      cpu_case c = agreement_case_of(&UNFUSED, &shape, 47, 6, without);
      c.activation = VISE_RELU;
      c.bias = bias != 0;
      agreement_expect(&UNFUSED, &c, "relu", bias ? "with biases" : "without");
    }
  }
}

Test(unfused_agreement, everything_at_once) {
  for (size_t without = 0; without < 3; without++) {
    cpu_case c = agreement_case(&UNFUSED, without);
    cpu_option_everything(&c);
    c.spec.step_mode = VISE_STEP_UNFUSED_GRAPH;
    agreement_expect(&UNFUSED, &c, "everything", "at once");
  }
}

/* Sums over many groups, wide outputs, many layers. */
Test(unfused_agreement, shapes) {
  static const agreement_shape shapes[] = {
      {2, {129, 65, 10}, 65}, {3, {65, 129, 33, 100}, 40},       {2, {257, 9, 64}, 130},
      {1, {785, 11}, 70},     {7, {9, 8, 7, 6, 5, 4, 3, 2}, 17}, {2, {5, 2100, 3}, 9}};
  agreement_of_sums(&UNFUSED, shapes, N_OF(shapes));
}

/* So many weights that all multiprocessors share in their sums. */
Test(unfused_agreement, a_large_net) {
  static const agreement_shape shape = {2, {1500, 1500, 2}, 3};
  static const char *const names[] = {"norm clip", "frobenius"};
  for (size_t o = 0; o < 2; o++) {
    cpu_case c = agreement_case_of(&UNFUSED, &shape, 7, 2, 0);
    c.spec.device_memory_limit = 0;
    c.activation = VISE_RELU;
    c.spec.assert_projection = false;
    cpu_option_apply(&c, names[o]);
    agreement_expect(&UNFUSED, &c, names[o], "a large net");
  }
}

/* Products of 11 and of 8 bits. eps keeps gradients of mere rounding from deciding the step of adam and rmsprop. */
static void low_precision(vise_precision precision, double slack) {
  static const size_t widths[] = {40, 65, 31, 6};
  agreement a = UNFUSED;
  a.slack = slack;

  for (size_t o = 0; o < cpu_n_options; o++) {
    if (rig_is_short() && o % 2 != (size_t)(precision == VISE_BF16)) continue;
    cpu_case c = agreement_case(&a, o);
    cpu_case_shape(&c, 3, widths);
    c.spec.precision = precision;
    c.spec.rule.eps = 0.05;
    c.n_steps = 3;
    cpu_options[o].apply(&c);
    if (cpu_option_allowed(&c)) agreement_expect(&a, &c, cpu_options[o].name, vise_precision_name(precision));
  }
}

/* A GPU's cuBLAS may truncate the inputs to 11 bits where kernels and emulation round: twice the error. */
Test(unfused_agreement, tf32) {
  low_precision(VISE_TF32, 120);
}
Test(unfused_agreement, bf16) {
  low_precision(VISE_BF16, 400);
}

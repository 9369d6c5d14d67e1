/* The unfused step against cpu64: every option alone over shapes and batches, and in pairs; with all epilogues of
   cuBLAS, with some, with none. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/cpu/cpu_options.h"

static cpu_case unfused_case(int without_epilogues) {
  cpu_case c = cpu_case_make();
  c.spec.step_mode = VISE_STEP_UNFUSED;
  c.spec.without_epilogues = without_epilogues;
  c.spec.device_memory_limit = (size_t)64 << 20; /* keeps the workspace of cuBLAS small */
  return c;
}

static void agrees(const cpu_case *c, double slack, const char *first, const char *second) {
  char text[256];
  const bool same = cpu_case_agrees(c, &vise_i_backend_cuda, slack, text, sizeof text);
  cr_expect(same, "%s + %s, %zu layers %zu-%zu.., batch %zu, without %d: %s", first, second, c->n_layers, c->widths[0],
            c->widths[1], c->batch, c->spec.without_epilogues, text);
}

/* Options part, part + 4, ...: Criterion runs tests side by side. */
static void options_over_shapes(size_t part) {
  static const struct shape {
    size_t n_layers, widths[8];
  } shapes[] = {
      {1, {1, 2}}, {1, {31, 33}}, {2, {33, 31, 2}}, {2, {40, 65, 66}}, {4, {16, 15, 16, 17, 6}},
  };
  static const size_t batches[] = {1, 33};
  for (size_t o = part; o < cpu_n_options; o += 4) {
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
      for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        cpu_case c = unfused_case((int)(o + s + b) % 3);
        cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
        c.batch = batches[b];
        c.n_rows = c.batch * 2 + c.batch / 2 + 1;
        c.n_steps = 3;
        c.spec.assert_projection = s == 2;
        cpu_options[o].apply(&c);
        if (cpu_option_allowed(&c)) agrees(&c, 1, cpu_options[o].name, "alone");
      }
    }
  }
}

Test(unfused_agreement, options_over_shapes_1) {
  options_over_shapes(0);
}
Test(unfused_agreement, options_over_shapes_2) {
  options_over_shapes(1);
}
Test(unfused_agreement, options_over_shapes_3) {
  options_over_shapes(2);
}
Test(unfused_agreement, options_over_shapes_4) {
  options_over_shapes(3);
}

static void pairs(size_t part) {
  size_t n_pairs = 0;
  for (size_t i = 1 + part; i < cpu_n_options; i += 4) {
    for (size_t j = i + 1; j < cpu_n_options; j++) {
      cpu_case c = unfused_case((int)(i + j) % 3);
      if (strcmp(cpu_options[i].group, cpu_options[j].group) == 0) continue;
      c.n_steps = 3;
      c.spec.assert_projection = false;
      cpu_options[i].apply(&c);
      cpu_options[j].apply(&c);
      if (!cpu_option_allowed(&c)) continue;
      agrees(&c, 1, cpu_options[i].name, cpu_options[j].name);
      n_pairs++;
    }
  }
  cr_assert(n_pairs > 220, "%zu pairs", n_pairs);
}

Test(unfused_agreement, options_in_pairs_1) {
  pairs(0);
}
Test(unfused_agreement, options_in_pairs_2) {
  pairs(1);
}
Test(unfused_agreement, options_in_pairs_3) {
  pairs(2);
}
Test(unfused_agreement, options_in_pairs_4) {
  pairs(3);
}

Test(unfused_agreement, relu_with_each_set_of_epilogues) {
  static const size_t widths[] = {40, 130, 33, 66};
  for (int without = 0; without < 3; without++) {
    for (int bias = 0; bias < 2; bias++) {
      cpu_case c = unfused_case(without);
      cpu_case_shape(&c, 3, widths);
      c.activation = VISE_RELU;
      c.bias = bias != 0;
      c.batch = 20;
      c.n_rows = 47;
      agrees(&c, 1, "relu", bias ? "with biases" : "without");
    }
  }
}

Test(unfused_agreement, everything_at_once) {
  for (int without = 0; without < 3; without++) {
    cpu_case c = unfused_case(without);
    cpu_option_everything(&c);
    c.spec.step_mode = VISE_STEP_UNFUSED_GRAPH;
    c.spec.without_epilogues = without;
    agrees(&c, 1, "everything", "at once");
  }
}

/* Sums over many groups, wide outputs, many layers. */
Test(unfused_agreement, shapes) {
  static const struct shape {
    size_t n_layers, widths[8], batch;
  } shapes[] = {{2, {129, 65, 10}, 65}, {3, {65, 129, 33, 100}, 40},       {2, {257, 9, 64}, 130},
                {1, {785, 11}, 70},     {7, {9, 8, 7, 6, 5, 4, 3, 2}, 17}, {2, {5, 2100, 3}, 9}};
  static const char *const names[] = {"plain", "norm clip per unit inf", "frobenius", "max-norm"};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (size_t o = 0; o < 4; o++) {
      cpu_case c = unfused_case(0);
      cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
      c.batch = shapes[s].batch;
      c.n_rows = 2 * c.batch + 3;
      c.n_steps = 3;
      cpu_option_apply(&c, names[o]);
      agrees(&c, 1, names[o], "shapes");
    }
  }
}

/* So many weights that their sums are shared by all multiprocessors. */
Test(unfused_agreement, a_large_net) {
  static const size_t widths[] = {1500, 1500, 2};
  static const char *const names[] = {"norm clip", "frobenius"};
  for (size_t o = 0; o < 2; o++) {
    cpu_case c = unfused_case(0);
    cpu_case_shape(&c, 2, widths);
    c.spec.device_memory_limit = 0;
    c.activation = VISE_RELU;
    c.batch = 3;
    c.n_rows = 7;
    c.n_steps = 2;
    c.spec.assert_projection = false;
    cpu_option_apply(&c, names[o]);
    agrees(&c, 1, names[o], "a large net");
  }
}

/* Products of 11 and of 8 bits. eps keeps gradients that are all rounding from deciding the step of adam and rmsprop.
 */
static void low_precision(vise_precision precision, double slack) {
  static const size_t widths[] = {40, 65, 31, 6};
  for (size_t o = 0; o < cpu_n_options; o++) {
    cpu_case c = unfused_case((int)o % 3);
    cpu_case_shape(&c, 3, widths);
    c.spec.precision = precision;
    c.spec.eps = 0.05;
    c.n_steps = 3;
    cpu_options[o].apply(&c);
    if (cpu_option_allowed(&c)) agrees(&c, slack, cpu_options[o].name, vise_precision_name(precision));
  }
}

/* A GPU's cuBLAS may cut the inputs to 11 bits where kernels and emulation round: twice the error. */
Test(unfused_agreement, tf32) {
  low_precision(VISE_TF32, 120);
}
Test(unfused_agreement, bf16) {
  low_precision(VISE_BF16, 400);
}

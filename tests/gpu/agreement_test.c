/* cuda against cpu64: every option alone over shapes and batches, and in pairs. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernels/step_types.h"
#include "tests/cpu/cpu_options.h"

static bool agrees(const cpu_case *c, const char *first, const char *second) {
  char text[256];
  const bool same = cpu_case_agrees(c, &vise_i_backend_cuda, 1, text, sizeof text);
  cr_expect(same, "%s + %s, %zu layers %zu-%zu.., batch %zu: %s", first, second, c->n_layers, c->widths[0],
            c->widths[1], c->batch, text);
  return same;
}

/* Options [part, part + 1) of four: Criterion runs tests side by side. */
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
        cpu_case c = cpu_case_make();
        cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
        c.batch = batches[b];
        c.n_rows = c.batch * 2 + c.batch / 2 + 1;
        c.n_steps = 3;
        c.spec.assert_projection = s == 2;
        cpu_options[o].apply(&c);
        if (cpu_option_allowed(&c)) agrees(&c, cpu_options[o].name, "alone");
      }
    }
  }
}

Test(agreement, options_over_shapes_1) {
  options_over_shapes(0);
}
Test(agreement, options_over_shapes_2) {
  options_over_shapes(1);
}
Test(agreement, options_over_shapes_3) {
  options_over_shapes(2);
}
Test(agreement, options_over_shapes_4) {
  options_over_shapes(3);
}

static void pairs(size_t part) {
  size_t n_pairs = 0;
  for (size_t i = 1 + part; i < cpu_n_options; i += 4) {
    for (size_t j = i + 1; j < cpu_n_options; j++) {
      cpu_case c = cpu_case_make();
      if (strcmp(cpu_options[i].group, cpu_options[j].group) == 0) continue;
      c.n_steps = 3;
      c.spec.assert_projection = false;
      cpu_options[i].apply(&c);
      cpu_options[j].apply(&c);
      if (!cpu_option_allowed(&c)) continue;
      agrees(&c, cpu_options[i].name, cpu_options[j].name);
      n_pairs++;
    }
  }
  cr_assert(n_pairs > 220, "%zu pairs", n_pairs);
}

Test(agreement, options_in_pairs_1) {
  pairs(0);
}
Test(agreement, options_in_pairs_2) {
  pairs(1);
}
Test(agreement, options_in_pairs_3) {
  pairs(2);
}
Test(agreement, options_in_pairs_4) {
  pairs(3);
}

Test(agreement, one_output) {
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
      agrees(&c, "one output", weighted ? "weighted" : "unweighted");
    }
  }
}

Test(agreement, everything_at_once) {
  cpu_case c = cpu_case_make();
  cpu_option_everything(&c);
  agrees(&c, "everything", "at once");
}

/* One over each tile, sixteen layers, wide outputs; batches of many row blocks. */
Test(agreement, shapes) {
  static const struct shape {
    size_t n_layers, widths[8], batch;
  } shapes[] = {{2, {129, 65, 10}, 65}, {3, {65, 129, 33, 100}, 40}, {2, {257, 9, 64}, 130},
                {2, {9, 300, 3}, 20},   {1, {785, 11}, 70},          {7, {9, 8, 7, 6, 5, 4, 3, 2}, 17}};
  static const char *const names[] = {"plain", "norm clip per unit inf", "frobenius", "max-norm"};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (size_t o = 0; o < 4; o++) {
      cpu_case c = cpu_case_make();
      cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
      c.batch = shapes[s].batch;
      c.n_rows = 2 * c.batch + 3;
      c.n_steps = 3;
      cpu_option_apply(&c, names[o]);
      agrees(&c, names[o], "shapes");
    }
  }
}

Test(agreement, full_batch) {
  cpu_case c = cpu_case_make();
  c.n_rows = c.batch = 2500;
  c.n_steps = 2;
  agrees(&c, "full batch", "cross-entropy");
  cpu_option_apply(&c, "mse");
  cpu_option_apply(&c, "row weights");
  agrees(&c, "full batch", "mse, row weights");
}

/* The most layers, units and outputs. */
Test(agreement, extremes) {
  static const struct shape {
    size_t n_layers, widths[17], batch;
  } shapes[] = {{16, {9, 8, 7, 6, 5, 4, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5}, 7},
                {16, {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 70}, 3},
                {1, {8192, 3}, 2},
                {2, {3, 8192, 2}, 3},
                {2, {3, 1500, 2}, 3}, /* slices of 64 of a last weight in shared memory */
                {1, {2, 8192}, 2}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
    c.batch = shapes[s].batch;
    c.n_rows = 2 * c.batch + 1;
    c.n_steps = 3;
    cpu_option_apply(&c, "norm clip per unit");
    cpu_option_apply(&c, "l2");
    agrees(&c, "norm clip per unit, l2", "extremes");
  }
}

/* Products by the matrix units, in tiles of 64 and 128: within their precision of float64, and the same bits twice. */
static void precision(vise_precision precision, double slack) {
  static const struct shape {
    size_t n_layers, widths[8], batch;
  } shapes[] = {{2, {64, 64, 64}, 64}, {3, {65, 130, 70, 10}, 67}, {1, {129, 3}, 20}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (int tile = VISE_K_TILE_64; tile <= VISE_K_TILE_128; tile++) {
      char text[256];
      cpu_case c = cpu_case_make();
      cpu_case_shape(&c, shapes[s].n_layers, shapes[s].widths);
      c.batch = shapes[s].batch;
      c.n_rows = 2 * c.batch + 5;
      c.n_steps = 3;
      c.spec.precision = precision;
      c.spec.forced_tile = 1 + tile;
      cr_expect(cpu_case_agrees(&c, &vise_i_backend_cuda, slack, text, sizeof text), "%s, shape %zu, tile %d: %s",
                vise_precision_name(precision), s, tile, text);
      cr_expect(!cpu_case_agrees(&c, &vise_i_backend_cuda, 1, text, sizeof text) || s == 2,
                "%s, shape %zu, tile %d: as exact as float32", vise_precision_name(precision), s, tile);
      cpu_result a = cpu_case_run(&c, &vise_i_backend_cuda), b = cpu_case_run(&c, &vise_i_backend_cuda);
      cr_expect(memcmp(a.params, b.params, a.net.n_params * sizeof *a.params) == 0);
      cpu_result_free(&a);
      cpu_result_free(&b);
    }
  }
}

Test(agreement, tf32) {
  precision(VISE_TF32, 100);
}
Test(agreement, bf16) {
  precision(VISE_BF16, 1000);
}

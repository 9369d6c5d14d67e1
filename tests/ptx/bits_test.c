/* The compiled kernels against what the host's compiler makes of the same sources: the same bits of weights, moments,
   gradients, outputs and statistics, with every option of a step alone, and with many at once. */
#include <criterion/criterion.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/emulation/ptx/switch.h"
#include "tests/support/cpu_options.h"

static cpu_result run(const cpu_case *c, bool from_ptx) {
  const uint64_t before = emu_ptx_launches();
  emu_ptx_use(from_ptx);
  const cpu_result r = cpu_case_run(c, &vise_i_backend_cuda);
  cr_assert_eq(emu_ptx_launches() > before, from_ptx, "launches were %srun from the PTX", from_ptx ? "not " : "");
  return r;
}

static void expect_same(const double *got, const double *want, size_t n, const char *what, const char *name) {
  cr_assert_eq(got == NULL, want == NULL);
  for (size_t k = 0; got && k < n; k++) {
    cr_assert(memcmp(&got[k], &want[k], sizeof *got) == 0, "%s: %s [%zu] %a, compiled for the host %a", name, what, k,
              got[k], want[k]);
  }
}

static void expect_same_bits(const cpu_case *c, const char *name) {
  cpu_result host = run(c, false), ptx = run(c, true);

  expect_same(ptx.params, host.params, host.net.n_values, "weight", name);
  expect_same(ptx.moment1, host.moment1, host.net.n_params, "first moment", name);
  expect_same(ptx.moment2, host.moment2, host.net.n_params, "second moment", name);
  expect_same(ptx.gradient, host.gradient, host.net.n_params, "gradient", name);
  expect_same(ptx.outputs, host.outputs, host.n_outputs, "output", name);
  cr_assert(memcmp(&ptx.loss, &host.loss, sizeof ptx.loss) == 0, "%s: loss", name);
  cr_assert(memcmp(&ptx.penalty, &host.penalty, sizeof ptx.penalty) == 0, "%s: penalty", name);
  cr_assert(memcmp(ptx.stats, host.stats, c->n_steps * sizeof *ptx.stats) == 0, "%s: statistics", name);
  cr_assert(memcmp(ptx.tensor_sum, host.tensor_sum, sizeof ptx.tensor_sum) == 0, "%s: counts of tensors", name);

  cpu_result_free(&host);
  cpu_result_free(&ptx);
}

static cpu_case short_case(void) {
  cpu_case c = cpu_case_make();
  c.n_steps = 4; /* the third has a part of a batch */
  c.steps_per_call = 2;
  return c;
}

/* Tested by tests/ptx/faults.py too, with faults in the PTX. */
Test(ptx, one_net) {
  cpu_case c = short_case();
  cpu_option_apply(&c, "gelu");
  cpu_option_apply(&c, "l2");
  cpu_option_apply(&c, "norm clip");
  cpu_option_apply(&c, "box");
  expect_same_bits(&c, "one net");
}

Test(ptx, every_option) {
  for (size_t i = 0; i < cpu_n_options; i++) {
    cpu_case c = short_case();
    cpu_options[i].apply(&c);
    if (cpu_option_allowed(&c)) expect_same_bits(&c, cpu_options[i].name);
  }
}

/* Blocks of rows, tiles that overhang, phases for losses of many outputs, one layer. */
Test(ptx, shapes) {
  static const struct {
    size_t n_layers, widths[4], batch, n_rows;
  } shapes[] = {
      {1, {5, 3}, 7, 20},
      {2, {33, 70, 65}, 40, 90},
      {3, {17, 64, 64, 6}, 64, 130},
      {3, {32, 130, 130, 1}, 33, 70},
  };

  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    cpu_case c = short_case();
    cpu_option_everything(&c);
    cpu_case_shape(&c, shapes[i].n_layers, shapes[i].widths);
    c.batch = shapes[i].batch;
    c.n_rows = shapes[i].n_rows;
    c.n_steps = 4;
    if (shapes[i].widths[shapes[i].n_layers] == 1) {
      cpu_option_apply(&c, "mse");
      c.class_weights = false;
    }
    expect_same_bits(&c, "shapes");
  }
}

/* The large kernel. */
Test(ptx, large_tiles) {
  for (int tile = VISE_K_TILE_32; tile <= VISE_K_TILE_128; tile++) {
    cpu_case c = short_case();
    static const size_t widths[] = {70, 140, 5};
    cpu_case_shape(&c, 2, widths);
    c.n_steps = 2;
    c.spec.hooks.forced_tile = 1 + tile;
    c.spec.hooks.gradient_parts = tile == VISE_K_TILE_64 ? 1 : 0;
    expect_same_bits(&c, "large tiles");
  }
}

Test(ptx, layers) {
  for (int i = 0; i < 4; i++) {
    cpu_case c = short_case();
    static const size_t widths[] = {19, 24, 24, 24, 5};
    cpu_case_shape(&c, 4, widths);
    c.batch_norm = i == 0 || i == 3;
    c.residual = i == 1 || i == 3;
    c.dropout = i >= 2 ? 0.25 : 0;
    c.input_dropout = i == 3 ? 0.1 : 0;
    expect_same_bits(&c, "layers");
  }
}

/* Sums of long rows, by CTAs and, where there are many, by warps. */
Test(ptx, sums_of_rows) {
  static const size_t shapes[][4] = {{530, 12, 3}, {260, 257, 3}};
  for (size_t i = 0; i < 4; i++) {
    cpu_case c = short_case();
    cpu_case_shape(&c, 2, shapes[i % 2]);
    c.batch = 5;
    c.n_steps = 3;
    cpu_option_apply(&c, "l1");
    cpu_option_apply(&c, "box");
    cpu_option_apply(&c, i < 2 ? "row l1" : "row l1 by sides");
    if (i == 1) cpu_option_apply(&c, "max-norm");
    if (i == 2) cpu_option_apply(&c, "max-norm per tensor");
    expect_same_bits(&c, "sums of rows");
  }
}

/* A loss that is not finite: the steps are skipped. */
Test(ptx, skipped_steps) {
  cpu_case c = short_case();
  c.bad_every = 5;
  expect_same_bits(&c, "skipped steps");
}

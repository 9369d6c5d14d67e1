/* Batches in parts (host/ranks/parts.h) by cuda, all of them in this process: two launches a step, and two for each batch
   norm; one part has the bits of the whole, several agree with cpu64, and their bits depend on nothing but their number.
   Ranks: tests/package/ranks.py. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/step_types.h"
#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"
#include "tests/support/data_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

enum { N_NORMS = 2 }; /* of a net with batch norm */

/* Three slices, the last one short; the last batch has one; calls of several steps. */
static cpu_case make(size_t o) {
  static const size_t widths[] = {17, 17, 17, 5};
  cpu_case c = cpu_case_make();
  cpu_case_shape(&c, 3, widths);
  c.spec.seed = 0x123456789abcdefu;
  c.spec.assert_projection = false;
  c.batch = 75;
  c.n_rows = 170;
  c.n_steps = 4;
  c.steps_per_call = 3;
  if (o % 2) {
    c.residual = true;
    c.dropout = 0.4;
    c.input_dropout = 0.2;
  }
  c.batch_norm = o % 3 == 2;
  return c;
}

static void apply(cpu_case *c, size_t option) {
  cpu_options[option].apply(c);
  if (c->spec.rule.mse_reduction == VISE_MSE_HALF_SUM) c->lr /= (double)c->batch;
}

static void expect_same(const cpu_result *got, const cpu_result *whole, size_t n_steps, const char *what) {
  const size_t n_bytes = whole->net.n_params * sizeof(double), n_all_bytes = whole->net.n_values * sizeof(double);
  cr_expect(memcmp(got->params, whole->params, n_all_bytes) == 0, "%s: weights", what);
  if (whole->moment1) cr_expect(memcmp(got->moment1, whole->moment1, n_bytes) == 0, "%s: moments", what);
  if (whole->moment2) cr_expect(memcmp(got->moment2, whole->moment2, n_bytes) == 0, "%s: second moments", what);
  for (size_t s = 0; s < n_steps; s++) {
    cr_expect(memcmp(&got->stats[s], &whole->stats[s], sizeof whole->stats[s]) == 0, "%s: what step %zu reports", what,
              s + 1);
  }
  cr_expect(memcmp(got->tensor_sum, whole->tensor_sum, sizeof whole->tensor_sum) == 0, "%s: counts", what);
}

/* All that comes after the gradient: it is a launch of its own, which is given the same gradient. */
Test(batch_parts, one_part_has_the_bits_of_the_whole) {
  for (size_t o = 0; o < cpu_n_options; o++) {
    cpu_case c = make(o);
    apply(&c, o);
    if (!cpu_option_allowed(&c) || (rig_is_short() && o % 3 != 1)) continue;
    cpu_result whole = cpu_case_run(&c, OPS);
    c.spec.parts = 1;
    cpu_result got = cpu_case_run(&c, OPS);
    expect_same(&got, &whole, c.n_steps, cpu_options[o].name);
    const size_t n_launches = c.batch_norm ? 2 + 2 * N_NORMS : 2;
    cr_expect_eq(got.n_launches, n_launches * c.n_steps, "%s: %d launches", cpu_options[o].name, (int)got.n_launches);
    cpu_result_free(&whole);
    cpu_result_free(&got);
  }
}

/* Nor do they move running statistics. */
Test(batch_parts, steps_that_are_skipped) {
  for (size_t norm = 0; norm < 2; norm++) {
    cpu_case c = make(0);
    c.batch_norm = norm;
    c.bad_every = 160; /* the first steps of two */
    c.spec.rule.nonfinite = VISE_NONFINITE_SKIP;
    c.spec.rule.max_skips = 100;
    cpu_result whole = cpu_case_run(&c, OPS);
    for (size_t parts = 1; parts <= 3; parts += 2) {
      c.spec.parts = parts;
      cpu_result got = cpu_case_run(&c, OPS);
      for (size_t s = 0; s < c.n_steps; s++) cr_expect_eq(got.stats[s].skipped, whole.stats[s].skipped, "step %zu", s);
      for (size_t i = 0; i < got.net.n_values; i++) cr_assert(isfinite(got.params[i]), "%zu parts", parts);
      if (parts == 1) expect_same(&got, &whole, c.n_steps, "skips");
      cpu_result_free(&got);
    }
    cr_assert(whole.stats[2].skipped && !whole.stats[0].skipped);
    cpu_result_free(&whole);
  }
}

static void expect_agreement(const cpu_case *c, const char *what) {
  char text[256];
  cpu_case without = *c;
  without.spec.parts = 0;
  cpu_result got = cpu_case_run(c, OPS);
  cr_expect(cpu_result_agrees(&without, &got, 1, text, sizeof text), "%s, %zu parts: %s", what, c->spec.parts, text);
  cpu_result_free(&got);
}

Test(batch_parts, options_agree_with_float64) {
  for (size_t o = 0; o < cpu_n_options; o += rig_is_short() ? 3 : 1) {
    cpu_case c = make(o + 1);
    c.spec.parts = 2 + o % 2;
    apply(&c, o);
    if (cpu_option_allowed(&c)) expect_agreement(&c, cpu_options[o].name);
  }
}

/* Fewer slices than parts, and more; trees that are not full; parts of one row. */
Test(batch_parts, batches_of_any_size) {
  static const size_t batches[] = {1, 31, 33, 65, 161, 230, 300};
  for (size_t i = 0; i < N_OF(batches); i++) {
    cpu_case c = make(i);
    c.spec.parts = 8 - i % 2;
    c.batch = batches[i];
    c.n_rows = 2 * c.batch + 7;
    c.batch_norm = c.batch > 1 && i % 3 > 0; /* one row has no variance */
    expect_agreement(&c, "a batch");
  }
}

/* Products in tiles of any size, by any number of CTAs, or over slices of a part. */
static void expect_same_bits(bool batch_norm) {
  static const size_t widths[] = {33, 70, 6};
  cpu_case c = make(0);
  cpu_case_shape(&c, 2, widths);
  c.batch_norm = batch_norm;
  c.batch = 700;
  c.n_rows = 1003;
  c.n_steps = 3;
  c.spec.parts = 3;
  c.spec.rule.clip_norm = 0.5;
  c.spec.hooks.gradient_parts = -1;
  cpu_result first = cpu_case_run(&c, OPS);

  for (int i = 1; i < 4; i++) {
    char what[32];
    c.spec.hooks.forced_tile = i == 3 ? 1 + VISE_K_TILE_64 : 0;
    c.spec.hooks.gradient_parts = i == 2 ? 1 : -1;
    c.spec.hooks.n_ctas = i == 1 ? 1 : 3;
    (void)snprintf(what, sizeof what, "way %d", i);
    cpu_result got = cpu_case_run(&c, OPS);
    expect_same(&got, &first, c.n_steps, what);
    cpu_result_free(&got);
  }
  cpu_result_free(&first);
}

Test(batch_parts, bits_are_those_of_the_number_of_parts) {
  if (!rig_is_short()) expect_same_bits(false);
  expect_same_bits(true); /* goes through the same products */
}

Test(batch_parts, external_deltas_go_to_their_rows) {
  check_external_delta(OPS, 8);
}

/* Gradients in parts: sums over slices of the batch, made apart and added in order, have the bits of the whole. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "kernels/step_types.h"
#include "tests/support/agreement.h"

static const agreement CUDA = {.ops = &vise_i_backend_cuda, .slack = 1};

static void expect_same(const double *got, const double *whole, size_t n, const char *what) {
  for (size_t k = 0; k < n; k++) {
    cr_assert(memcmp(&got[k], &whole[k], sizeof *got) == 0, "%s: [%zu] %.9g, whole %.9g", what, k, got[k], whole[k]);
  }
}

/* parts, tile: gradient_parts and forced_tile of vise_i_step_spec. */
static cpu_result train(const cpu_case *c, int parts, int tile) {
  cpu_case own = *c;
  own.spec.hooks.gradient_parts = parts;
  own.spec.hooks.forced_tile = tile;
  const cpu_result r = cpu_case_run(&own, CUDA.ops);
  for (size_t s = 0; s < c->n_steps; s++) cr_assert(r.stats[s].grad_norm > 0 && !r.stats[s].skipped);
  return r;
}

Test(gradient_parts, give_the_bits_of_the_whole) {
  static const agreement_shape shapes[] = {
      {1, {5, 3}, 33}, {2, {33, 65, 7}, 100}, {3, {17, 64, 64, 6}, 1500}, /* slices of 64; the last batch has one row */
  };
  static const size_t n_rows[] = {50, 250, 1501};

  for (size_t i = 0; i < N_OF(shapes); i++) {
    /* An epoch, whose last batch is partial, and one more step. */
    cpu_case c = agreement_case_of(&CUDA, &shapes[i], n_rows[i], (n_rows[i] - 1) / shapes[i].batch + 2, 0);
    cpu_option_apply(&c, "mse");
    c.spec.rule.momentum = 0.5;
    c.spec.rule.k2 = 0.01;
    c.spec.rule.clip_norm = 0.5;
    c.spec.assert_projection = false;

    cpu_result whole = train(&c, -1, 0);
    for (int tile = VISE_K_TILE_32; tile <= VISE_K_TILE_128; tile++) {
      char what[64];
      (void)snprintf(what, sizeof what, "shape %zu, tile of %d", i, (int)vise_k_tile_side((vise_k_tile)tile));
      cpu_result parts = train(&c, 1, 1 + tile);

      expect_same(parts.params, whole.params, whole.net.n_params, what);
      expect_same(parts.moment1, whole.moment1, whole.net.n_params, what);
      cr_assert_eq(parts.n_launches, whole.n_launches, "%s", what);
      cpu_result_free(&parts);
    }
    cpu_result_free(&whole);
  }
}

/* cuda against cpu64: every option alone over shapes and batches, and in pairs. */
#include "tests/support/agreement.h"

#include <criterion/criterion.h>
#include <string.h>

#include "kernels/step_types.h"

static const agreement FUSED = {.ops = &vise_i_backend_cuda, .slack = 1, .is_slow = true};

AGREEMENT_TESTS(agreement, &FUSED)

Test(agreement, one_output) {
  agreement_of_one_output(&FUSED);
}

Test(agreement, everything_at_once) {
  cpu_case c = agreement_case(&FUSED, 0);
  cpu_option_everything(&c);
  agreement_expect(&FUSED, &c, "everything", "at once");
}

/* Widths one above each tile, many layers, wide outputs; batches of many row blocks; as many outputs as lanes, one less,
   one more. */
Test(agreement, shapes) {
  static const agreement_shape shapes[] = {
      {2, {129, 65, 10}, 65}, {3, {65, 129, 33, 100}, 40}, {2, {257, 9, 64}, 130},
      {2, {9, 300, 3}, 20},   {1, {785, 11}, 70},          {7, {9, 8, 7, 6, 5, 4, 3, 2}, 17},
      {2, {9, 129, 32}, 3},   {2, {9, 700, 31}, 9},        {2, {9, 65, 33}, 4}};
  agreement_of_sums(&FUSED, shapes, N_OF(shapes));
}

Test(agreement, full_batch) {
  agreement_of_full_batches(&FUSED, 2);
}

/* The most layers, units and outputs. */
Test(agreement, extremes) {
  static const agreement_shape shapes[] = {{16, {9, 8, 7, 6, 5, 4, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5}, 7},
                                           {16, {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 70}, 3},
                                           {1, {8192, 3}, 2},
                                           {2, {3, 8192, 2}, 3},
                                           {2, {3, 1500, 2}, 3}, /* a last weight in shared memory, in slices of 64 */
                                           {1, {2, 8192}, 2}};

  for (size_t s = 0; s < N_OF(shapes); s++) {
    cpu_case c = agreement_case_of(&FUSED, &shapes[s], 2 * shapes[s].batch + 1, 3, 0);
    cpu_option_apply(&c, "norm clip per unit");
    cpu_option_apply(&c, "l2");
    agreement_expect(&FUSED, &c, "norm clip per unit, l2", "extremes");
  }
}

/* Products on tensor cores, in tiles of 64 and 128: as exact as their precision allows, and the same bits twice. */
static void precision(vise_precision precision, double slack) {
  static const agreement_shape shapes[] = {{2, {64, 64, 64}, 64}, {3, {65, 130, 70, 10}, 67}, {1, {129, 3}, 20}};

  for (size_t s = 0; s < N_OF(shapes); s++) {
    for (int tile = VISE_K_TILE_64; tile <= VISE_K_TILE_128; tile++) {
      char text[256];
      cpu_case c = agreement_case_of(&FUSED, &shapes[s], 2 * shapes[s].batch + 5, 3, 0);
      c.spec.precision = precision;
      c.spec.hooks.forced_tile = 1 + tile;

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

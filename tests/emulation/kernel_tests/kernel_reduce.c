// The sum of squares against the canonical order, bit for bit, for any number of CTAs.
#include "kernels/canonical.h"
#include "kernels/reduce.h"
#include "tests/emulation/kernel_tests/kernel_rig.h"

static void check(uint32_t n_rows, uint32_t n_columns, size_t stride, const uint32_t *n_ctas, size_t n) {
  uint64_t state = n_rows + 7919 * (uint64_t)n_columns;
  const size_t n_elements = (size_t)n_rows * stride;
  const uint32_t n_groups = vise_n_groups(n_rows);
  float *x = malloc(n_elements * sizeof *x);
  for (size_t i = 0; i < n_elements; i++) {
    const uint32_t bits = rig_draw(&state);
    const uint32_t kept = (bits & 0x807fffffu) | (100 + (bits >> 23 & 63)) << 23;
    memcpy(&x[i], &kept, 4);
    if (i % stride >= n_columns) memset(&x[i], 0xff, 4);
  }

  double *cells = malloc(vise_n_leaves(n_columns) * sizeof *cells), *groups = malloc(n_groups * sizeof *groups);
  double *got_groups = malloc(n_groups * sizeof *groups);
  const double expected = vise_canonical_squares(x, n_rows, n_columns, stride, cells, groups);

  float *device_x = rig_device(x, n_elements * sizeof *x);
  for (size_t i = 0; i < n; i++) {
    double sum;
    vise_k_sum_squares p;
    memset(&p, 0, sizeof p);
    p.x = device_x;
    p.n_rows = n_rows;
    p.n_columns = n_columns;
    p.stride = stride;

    p.groups = rig_device(NULL, n_groups * sizeof *groups);
    p.sum = rig_device(NULL, sizeof sum);
    p.exchange.slots = rig_device(NULL, vise_k_exchange_bytes(n_ctas[i]));
    RIG_OK(vise_k_exchange_prepare(p.exchange.slots, 1, n_ctas[i], 0));
    p.exchange.n_slots = p.exchange.n_members = n_ctas[i];
    p.exchange.first_epoch = (uint32_t)i;

    RIG_OK(vise_k_sum_squares_run(&p, 0));
    rig_free(p.sum, &sum, sizeof sum);
    rig_free(p.groups, got_groups, n_groups * sizeof *groups);
    rig_free(p.exchange.slots, NULL, vise_k_exchange_bytes(n_ctas[i]));

    cr_assert(memcmp(&sum, &expected, sizeof sum) == 0, "%u x %u by %u CTAs: %a, expected %a", n_rows, n_columns,
              n_ctas[i], sum, expected);
    cr_assert(memcmp(got_groups, groups, n_groups * sizeof *groups) == 0, "%u x %u: groups", n_rows, n_columns);
  }

  rig_free(device_x, NULL, n_elements * sizeof *x);
  free(x);
  free(cells);
  free(groups);
  free(got_groups);
}

Test(kernel_reduce, any_number_of_ctas_gives_the_canonical_bits) {
  static const uint32_t n_ctas[] = {1, 2, 3, 4};
  static const uint32_t shapes[][2] = {{1, 1}, {1, 31}, {3, 33}, {5, 32}, {31, 97}, {128, 784}, {10, 128}, {131, 65}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check(shapes[i][0], shapes[i][1], shapes[i][1] + i % 3, n_ctas, sizeof n_ctas / sizeof *n_ctas);
  }
}

Test(kernel_reduce, long_rows_many_rows_and_the_whole_device) {
  uint32_t n_ctas[] = {1, rig_resident_ctas()};
  if (n_ctas[1] > 132) n_ctas[1] = 132;
  check(1, 8192, 8192, n_ctas, 2);
  check(8192, 3, 3, n_ctas, 2);
  check(1025, 40, 40, n_ctas, 2);
}

Test(kernel_reduce, refuses_what_it_cannot_hold) {
  vise_k_sum_squares p;
  memset(&p, 0, sizeof p);
  p.n_rows = 8193;
  p.n_columns = 1;
  p.exchange.n_slots = p.exchange.n_members = 1;
  cr_assert_eq(vise_k_sum_squares_run(&p, 0), cudaErrorInvalidValue);
  p.n_rows = 1;
  p.exchange.n_slots = 2;
  cr_assert_eq(vise_k_sum_squares_run(&p, 0), cudaErrorInvalidValue);
}

#include "kernels/philox.cuh"

#include <criterion/criterion.h>

#include "host/base/rng.h"
#include "tests/support/random.h"

Test(kernel_philox, equals_the_host) {
  uint64_t state = 1;
  for (int i = 0; i < 20000; i++) {
    uint32_t counter[4], expected[4], got[4];
    for (int j = 0; j < 4; j++) {
      const uint32_t drawn = rig_draw(&state);
      counter[j] = i % 7 == 0 ? UINT32_MAX * (uint32_t)(j % 2) : drawn;
    }

    const uint64_t seed = i % 5 == 0 ? UINT64_MAX : state;
    vise_i_philox(seed, counter, expected);
    vise_philox(seed, counter, got);
    cr_assert_arr_eq(got, expected, sizeof got);
    cr_assert_eq(vise_uniform_f32(got[0]), vise_i_uniform_f32(expected[0]));

    vise_philox(seed, counter, counter);
    cr_assert_arr_eq(counter, expected, sizeof counter);
  }
}

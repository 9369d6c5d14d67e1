// The PTX instructions in kernels, and the device's functions against the same source compiled as C.
#include "kernels/math_f32.cuh"
#include "kernels/philox.cuh"
#include "tests/emulation/kernel_tests/kernel_rig.h"
#include "tests/emulation/kernel_tests/ptx_kernels.h"

Test(kernel_ptx, math_has_the_bits_of_the_host) {
  enum { N = 4096 };
  static float x[N], out[N][PTX_N_MATH];
  static uint32_t draws[N];
  uint64_t state = 1;

  for (int i = 0; i < N; i++) {
    const uint32_t bits = rig_draw(&state);
    memcpy(&x[i], &bits, 4);
    if (i % 2) x[i] = (float)((int32_t)bits >> 8) * 0x1p-18f;  // from -32 to 32
  }

  float *device_x = rig_device(x, sizeof x), *device_out = rig_device(NULL, sizeof out);
  uint32_t *device_draws = rig_device(NULL, sizeof draws);
  RIG_OK(ptx_test_math(device_x, N, device_out, device_draws));
  rig_free(device_x, NULL, sizeof x);
  rig_free(device_out, out, sizeof out);
  rig_free(device_draws, draws, sizeof draws);

  for (int i = 0; i < N; i++) {
    const float want[PTX_N_MATH] = {vise_exp_f32(x[i]),  vise_log_f32(x[i]), vise_log1p_f32(x[i]),
                                    vise_tanh_f32(x[i]), vise_erf_f32(x[i]), vise_sigmoid_f32(x[i])};
    for (int f = 0; f < PTX_N_MATH; f++) {
      cr_assert(isnan(want[f]) ? isnan(out[i][f]) : memcmp(&want[f], &out[i][f], 4) == 0,
                "function %d of %a: %a, expected %a", f, x[i], out[i][f], want[f]);
    }

    const uint32_t counter[4] = {1, 2, 3, 4};
    uint32_t draw[4];
    vise_philox((uint64_t)i, counter, draw);
    cr_assert_eq(draws[i], draw[0]);
  }
}

enum { N_WORDS = 256 * PTX_COPY_CHUNKS };

static void check_copy(int kind, uint32_t n_last) {
  uint32_t from[N_WORDS], to[N_WORDS];
  uint64_t state = 9;
  for (int i = 0; i < N_WORDS; i++) from[i] = rig_draw(&state);
  uint32_t *device_from = rig_device(from, sizeof from), *device_to = rig_device(NULL, sizeof to);

  if (kind == 0) RIG_OK(ptx_test_copy_async(device_from, device_to, n_last));
  if (kind == 1) RIG_OK(ptx_test_copy_async_small(device_from, device_to));
  if (kind == 2) RIG_OK(ptx_test_bulk_copy(device_from, device_to));
  rig_free(device_from, NULL, sizeof from);
  rig_free(device_to, to, sizeof to);

  for (int i = 0; i < N_WORDS; i++) {
    const int zero = i % 256 >= 252 && (uint32_t)(i % 256 - 252) * 4 >= n_last;
    cr_assert_eq(to[i], zero ? 0 : from[i], "kind %d, %u bytes last, word %d: %u", kind, n_last, i, to[i]);
  }
}

Test(kernel_ptx, asynchronous_copies_and_their_zeros) {
  for (uint32_t n_last = 0; n_last <= 16; n_last += 4) check_copy(0, n_last);
  check_copy(1, 16);
}

Test(kernel_ptx, bulk_copies) {
  int major = 0;
  RIG_OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  if (major >= 9) check_copy(2, 16);
}

Test(kernel_ptx, matrix_products) {
  float a[16][16], b[16][16], d[16][16];
  uint64_t state = 4;
  for (int i = 0; i < 256; i++) {
    a[i / 16][i % 16] = (float)(rig_draw(&state) % 15) - 7;
    b[i / 16][i % 16] = (float)(rig_draw(&state) % 15) - 7;
  }

  for (int tf32 = 0; tf32 < 2; tf32++) {
    float *device_a = rig_device(a, sizeof a), *device_b = rig_device(b, sizeof b),
          *device_d = rig_device(NULL, sizeof d);
    RIG_OK((tf32 ? ptx_test_mma_tf32 : ptx_test_mma_bf16)(device_a, device_b, device_d));
    rig_free(device_a, NULL, sizeof a);
    rig_free(device_b, NULL, sizeof b);
    rig_free(device_d, d, sizeof d);

    for (int i = 0; i < 16; i++) {
      for (int j = 0; j < 16; j++) {
        float sum = 0;  // of small integers: exact
        for (int k = 0; k < 16; k++) sum += a[i][k] * b[k][j];
        cr_assert_eq(d[i][j], sum, "tf32 %d row %d column %d: %g, expected %g", tf32, i, j, d[i][j], sum);
      }
    }
  }
}

Test(kernel_ptx, releases_and_acquires) {
  enum { N_CTAS = 4 };
  uint32_t words[3] = {0};
  uint64_t sums[5];
  for (int repeat = 0; repeat < 3; repeat++) {
    uint32_t *device_words = rig_device(words, sizeof words);
    uint64_t *values = rig_device(NULL, N_CTAS * 32 * 8), *device_sums = rig_device(NULL, sizeof sums);

    RIG_OK(ptx_test_last_cta(device_words, device_words + 1, values, N_CTAS, device_sums));
    rig_free(device_words, words, sizeof words);
    rig_free(values, NULL, N_CTAS * 32 * 8);
    rig_free(device_sums, sums, sizeof sums);

    cr_assert_eq(words[0], 0);
    cr_assert_eq(sums[0], 1000u * (0 + 1 + 2 + 3) * 32 + 4 * 496);
    cr_assert_eq(sums[1], 77);
    cr_assert_eq(sums[4], 89);

    words[1] = words[2] = 0;
  }
}

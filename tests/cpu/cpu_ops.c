/* The loops of host/ops for the cpu backend, on arrays. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "host/ops/cpu.h"
#include "host/ops/dropout/dropout.h"

enum { MOST = 600 * 40 };

static float in[MOST], factors[MOST], out[MOST];

static void fill(void) {
  for (size_t i = 0; i < MOST; i++) in[i] = (float)(i % 97) - 40.5f;
}

/* Every draw is that of dropout.h, whatever the number of rows; it depends on all words of the counter and the key. */
Test(cpu_ops, dropout_keeps_what_the_oracle_keeps) {
  static const size_t sizes[] = {1, 2, 15, 16, 17, 40};
  static const vise_i_op_pass passes[] = {{.drops = true, .seed = 1},
                                          {.drops = true, .seed = UINT64_C(0xfedcba9876543210), .step = 7, .first = 3},
                                          {.drops = true, .step = UINT32_MAX, .first = UINT32_MAX - 5}};
  const size_t first_unit = 32, width = 19;
  fill();

  for (size_t p = 0; p < sizeof passes / sizeof *passes; p++) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      vise_i_op_pass pass = passes[p];
      pass.n = sizes[s];
      const vise_i_cpu_dropout drop = {&pass, 3, 0.3};
      const uint32_t threshold = vise_i_dropout_threshold(0.3);
      size_t n_off = 0, n_kept = 0;

      vise_i_cpu_dropout_forward(&drop, first_unit, width, in, factors, out);
      for (size_t k = 0; k < width; k++) {
        for (size_t i = 0; i < pass.n; i++) {
          const bool keeps = vise_i_dropout_keeps(&pass, i, 3, first_unit + k, threshold);
          const float factor = keeps ? vise_i_dropout_scale(0.3) : 0;
          n_off += factors[k * pass.n + i] != factor || out[k * pass.n + i] != in[k * pass.n + i] * factor;
          n_kept += keeps;
        }
      }
      cr_expect(n_off == 0, "pass %zu, %zu rows: %zu values", p, pass.n, n_off);
      cr_expect(n_kept > 0 && n_kept < width * pass.n);
    }
  }
}

Test(cpu_ops, dropout_of_inputs_is_that_of_the_oracle) {
  static const size_t widths[] = {1, 15, 16, 33, 512, 600};

  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
    const vise_i_op_pass pass = {.drops = true, .seed = 5, .step = 2, .first = 1000, .n = 40};
    const vise_i_cpu_dropout drop = {&pass, 0, 0.5};
    const uint32_t threshold = vise_i_dropout_threshold(0.5);
    const size_t width = widths[w], first = 3, end = 38;
    size_t n_off = 0;

    fill();
    memcpy(out, in, sizeof out);
    vise_i_cpu_dropout_inputs(&drop, out, width, first, end);

    for (size_t i = 0; i < pass.n; i++) {
      for (size_t k = 0; k < width; k++) {
        const float value = in[i * width + k];
        const bool keeps = vise_i_dropout_keeps(&pass, i, 0, k, threshold);
        n_off += out[i * width + k] != (i < first || i >= end ? value : keeps ? value * 2 : 0);
      }
    }
    cr_expect(n_off == 0, "width %zu: %zu values", width, n_off);
  }
}

/* A value that is dropped is 0 whatever it was, and so is its gradient. */
Test(cpu_ops, dropout_of_what_is_not_finite) {
  const vise_i_op_pass pass = {.drops = true, .n = 40};
  const vise_i_cpu_dropout drop = {&pass, 1, 0.5};
  const size_t n = 3 * pass.n;
  size_t n_dropped = 0;

  for (size_t i = 0; i < n; i++) in[i] = i % 2 ? NAN : INFINITY;
  vise_i_cpu_dropout_forward(&drop, 0, 3, in, factors, out);
  vise_i_cpu_dropout_backward(factors, in, n);

  for (size_t i = 0; i < n; i++) {
    n_dropped += factors[i] == 0;
    cr_expect(isfinite(out[i]) == (factors[i] == 0) && isfinite(in[i]) == (factors[i] == 0), "%zu", i);
    if (factors[i] == 0) cr_expect(out[i] == 0 && in[i] == 0, "%zu", i);
  }
  cr_expect(n_dropped > 0 && n_dropped < n);
}

/* A mean far from 0 costs no digits of the deviations, and a unit's bits do not depend on the units beside it. */
Test(cpu_ops, batch_norm_far_from_zero) {
  enum { WIDTH = 3, N = 37 };
  float z[WIDTH * N], x[WIDTH * N], alone[N];
  double mean[WIDTH], variance[WIDTH];
  const float gain[WIDTH] = {1, 2, -0.5f};
  const vise_i_cpu_batch_norm norm = {gain, mean, variance, x, WIDTH, N};

  for (size_t k = 0; k < WIDTH; k++) {
    for (size_t i = 0; i < N; i++) z[k * N + i] = 4096.0f + (float)((i * 7 + k) % N) * 0.5f;
  }
  memcpy(alone, z + N, sizeof alone);

  vise_i_cpu_batch_norm_measure(&norm, z);
  vise_i_cpu_batch_norm_forward(&norm, z);
  for (size_t k = 0; k < WIDTH; k++) {
    /* the numbers 0 .. N - 1, halved */
    const double expected = 0.25 * (N * N - 1) / 12.0;
    cr_expect(fabs(mean[k] - (4096 + 0.25 * (N - 1))) < 1e-10 && fabs(variance[k] - expected) < 1e-10);
    for (size_t i = 0; i < N; i++) {
      const double exact = (0.5 * (double)((i * 7 + k) % N) - 0.25 * (N - 1)) / sqrt(expected + 1e-5);
      cr_expect(fabs((double)x[k * N + i] - exact) < 2e-7 && z[k * N + i] == gain[k] * x[k * N + i]);
    }
  }

  double m, v;
  float x_alone[N];
  const vise_i_cpu_batch_norm unit = {gain + 1, &m, &v, x_alone, 1, N};
  vise_i_cpu_batch_norm_measure(&unit, alone);
  vise_i_cpu_batch_norm_forward(&unit, alone);
  cr_expect(m == mean[1] && v == variance[1] && memcmp(alone, z + N, sizeof alone) == 0);
}

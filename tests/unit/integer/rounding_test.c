/* The projection of a row: the smallest threshold, found here by trying every one at which a sum can change. */
#include "host/ops/rounding.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/random.h"

enum { N = 24 };

/* fraction: so many bits of v are beyond the integer. */
static int64_t left_of(int32_t v, int64_t t, int fraction) {
  const int64_t q = ((int64_t)v - t + (1 << (fraction - 1))) >> fraction;
  return q > 0 ? q : 0;
}

static int64_t sum_of(const int32_t *v, int sign, int64_t t, int fraction) {
  int64_t sum = 0;
  for (size_t i = 0; i < N; i++) sum += left_of(sign * v[i], t, fraction);
  return sum;
}

static int64_t least_threshold(const int32_t *v, int sign, int64_t most, int fraction) {
  int64_t best = INT64_MAX;
  if (sum_of(v, sign, 0, fraction) <= most) return 0;
  for (size_t i = 0; i < N; i++) {
    for (int64_t k = 1; k <= 127 << (16 - fraction); k++) {
      /* the first at which entry i is below k */
      const int64_t t = sign * v[i] + (1 << (fraction - 1)) - (k << fraction) + 1;
      if (t > 0 && t < best && sum_of(v, sign, t, fraction) <= most) best = t;
    }
  }
  return best;
}

static void check_projection(const int32_t *v, const vise_i_radii *radii) {
  int32_t q[N];
  for (size_t i = 0; i < N; i++) q[i] = v[i];
  vise_i_project_row(q, N, radii);

  const int fraction = 16 - radii->more_bits;
  const int64_t plus = least_threshold(v, 1, radii->plus, fraction);
  const int64_t minus = least_threshold(v, -1, radii->minus, fraction);
  int64_t sums[2] = {0, 0};
  for (size_t i = 0; i < N; i++) {
    cr_assert_eq(q[i], left_of(v[i], plus, fraction) - left_of(-v[i], minus, fraction), "entry %zu", i);
    sums[q[i] < 0] += q[i];
  }
  cr_assert(sums[0] <= radii->plus && -sums[1] <= radii->minus);
}

Test(rounding, finds_the_smallest_threshold) {
  uint64_t state = 1;
  for (int round = 0; round < 300; round++) {
    float w[N];
    int32_t v[N];
    const vise_i_radii radii = {.plus = rig_draw(&state) % 300, .minus = rig_draw(&state) % 300};
    for (size_t i = 0; i < N; i++) {
      w[i] = ((float)rig_draw(&state) * 0x1p-32f - 0.5f) * (round % 3 == 0 ? 0.1f : 3.0f);
    }
    vise_i_fixed_f32(w, N, 1.0f / 64, v);
    check_projection(v, &radii);
  }

  /* Where the sum changes with every threshold. */
  for (int64_t most = 0; most <= 3 * N; most++) {
    int32_t v[N];
    const vise_i_radii radii = {.plus = most, .minus = most / 2};
    for (int32_t i = 0; i < N; i++) v[i] = i < N / 2 ? 100000 + i : -100000 - i;
    check_projection(v, &radii);
  }
}

/* With 8 bits of fraction. */
Test(rounding, finds_the_smallest_threshold_of_16_bits) {
  uint64_t state = 2;
  for (int round = 0; round < 10; round++) {
    int32_t v[N];
    const vise_i_radii radii = {.plus = rig_draw(&state) % 80000, .minus = rig_draw(&state) % 80000, .more_bits = 8};
    for (size_t i = 0; i < N; i++) v[i] = (int32_t)(rig_draw(&state) % (2 * 8323072 + 1)) - 8323072;
    check_projection(v, &radii);
  }
}

/* The search that kernels make, a pass at a time: the threshold, within few passes. */
static int32_t search(const int32_t *v, int sign, int64_t most, int *n) {
  vise_i_search s = vise_i_search_open(most);
  while (!s.is_found) {
    vise_i_side_found found = vise_i_side_nothing();
    for (size_t i = 0; i < N; i++) {
      if (sign * v[i] > 0) vise_i_side_add(&found, sign * v[i], s.at);
    }
    vise_i_search_take(&s, &found);
  }
  *n += s.n;
  return s.at;
}

Test(rounding, another_search_finds_the_same_threshold) {
  uint64_t state = 9;
  int n = 0, n_searches = 0;
  for (int round = 0; round < 2000; round++) {
    int32_t v[N];
    const uint32_t spread = 1u << (8 + round % 16);
    const int64_t most = (int64_t)(rig_draw(&state) % (round % 4 == 0 ? 4 : 400));
    for (size_t i = 0; i < N; i++) {
      const uint32_t from = round % 5 == 0 ? 3u << 16 : 0, magnitude = from + rig_draw(&state) % spread;
      v[i] = (int32_t)(magnitude < VISE_I_MOST_V ? magnitude : VISE_I_MOST_V) * (rig_draw(&state) % 3 ? 1 : -1);
      if (round % 7 == 0) v[i] = v[i] / 65536 * 65536; /* many change at once */
    }
    for (int sign = -1; sign <= 1; sign += 2) {
      const int32_t found = search(v, sign, most, &n);
      cr_assert_eq(found, least_threshold(v, sign, most, VISE_I_FRACTION_BITS), "round %d: %d", round, found);
      n_searches++;
    }
  }
  cr_assert(n < 3 * n_searches, "%d passes of %d searches", n, n_searches);
}

Test(rounding, fixed_point_is_nearest_and_bounded) {
  const float w[] = {0, 1, -1, 1e30f, -1e30f, 0x1p-17f, 3 * 0x1p-17f, (float)NAN};
  const double d[] = {0, 1, -1, 1e30, -1e30, 0x1p-17, 3 * 0x1p-17, (double)NAN};
  const int32_t expected[] = {0, 65536, -65536, 8323072, -8323072, 0, 2, 8323072};
  int32_t v[8];

  vise_i_fixed_f32(w, 8, 1, v);
  for (size_t i = 0; i < 8; i++) cr_assert_eq(v[i], expected[i], "entry %zu is %d", i, v[i]);
  vise_i_fixed_f64(d, 7, 1, v);
  for (size_t i = 0; i < 7; i++) cr_assert_eq(v[i], expected[i], "entry %zu is %d", i, v[i]);
}

Test(rounding, values_become_levels) {
  const vise_i_levels levels = {0.5, 15, 4};
  const float in[] = {0, 0.2f, 0.3f, -1.9f, -2.6f, 5.5f, 5.8f, 100, -100};
  const float expected[] = {0, 0, 0.5f, -2, -2, 5.5f, 5.5f, 5.5f, -2};
  float out[9];
  vise_i_round_values_f32(&levels, in, out, 9);
  for (size_t i = 0; i < 9; i++) {
    double wide;
    const double x = (double)in[i];
    cr_assert_eq(out[i], expected[i], "%g is %g", (double)in[i], (double)out[i]);
    vise_i_round_values_f64(&levels, &x, &wide, 1);
    cr_assert_eq(wide, (double)expected[i]);
  }

  const float nan = (float)NAN;
  vise_i_round_values_f32(&levels, &nan, out, 1);
  cr_assert(isnan(out[0]));
}

/* One row of 3 inputs in [0, 255], s = 0.5, t = 1/256. */
Test(rounding, latent_weights_are_cut_to_what_can_be_reached) {
  vise_net_config config;
  vise_i_net net;
  vise_i_quantization *q = NULL;
  const vise_i_integer_format format = {.acc_bits = 20, .act_bits = 8, .in_bits = 8};
  vise_net_config_init(&config);
  config.n_layers = 1;
  config.widths[0] = 3;
  config.widths[1] = 1;
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_OK);
  cr_assert_eq(vise_i_quantization_make(&net, &format, &q, NULL), VISE_OK);
  q->scales[0] = 0.5f;
  q->scales[1] = 1.0f / 256;

  float w[3] = {100, -64, 0.8f}, b = 1e6f, out[3], out_bias;
  int32_t v[3];
  const vise_i_rounded_rows_f32 rows = {.end = 1, .latent = w, .latent_bias = &b, .out = out, .out_bias = &out_bias};
  vise_i_rounding rounding = {.quantization = q, .net = &net, .scales = q->scales, .v = v};
  cr_assert(!vise_i_round_rows_f32(&rounding, &rows));
  cr_assert(w[0] == 100 && w[1] == -64 && b == 1e6f);
  cr_assert(out[0] == 63.5f && out[1] == -63.5f && out[2] == 1.0f);
  cr_assert_eq(out_bias, (1 << 18) * 0.5f / 256);

  rounding.bounds = true;
  cr_assert(vise_i_round_rows_f32(&rounding, &rows));
  cr_assert(w[0] == 63.5f && w[1] == -63.5f && w[2] == 0.8f && b == out_bias);
  vise_i_quantization_free(q);
}

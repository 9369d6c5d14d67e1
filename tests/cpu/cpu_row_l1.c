/* The projection of rows onto L1 balls: float64 against a sort, float32 against its definition, bit for bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/projection.h"
#include "tests/support/backend_rig.h"
#include "tests/support/cpu_case.h"
#include "tests/support/random.h"

#define N_OF(a) (sizeof(a) / sizeof *(a))

static const vise_i_backend_ops *const OPS = &vise_i_backend_cpu;

/* Entries of either sign with ties and zeros in them. */
static void fill_row(uint64_t *state, double scale, double *w, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t kind = rig_draw(state) % 8;
    w[i] = scale * rig_random(state);
    if (kind == 0) w[i] = 0;
    if (kind == 1 && i > 0) w[i] = -w[i - 1];
    if (kind == 2 && i > 2) w[i] = w[i / 2];
  }
}

static double side_of(double w, vise_i_side side) {
  if (side == VISE_I_BOTH_SIDES) return fabs(w);
  return side == VISE_I_POSITIVE ? (w > 0 ? w : 0) : (w < 0 ? -w : 0);
}

/* ---- float64 ---- */

static int descending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? 1 : -(x > y);
}

/* The threshold by sorting: the largest k with a_k > (a_1 + ... + a_k - R) / k. In long double, so that it is the judge. */
static long double sorted_threshold(const double *w, size_t n, vise_i_side side, double radius) {
  double *a = malloc(n * sizeof *a);
  long double sum = 0, t = 0;
  for (size_t i = 0; i < n; i++) a[i] = side_of(w[i], side);
  qsort(a, n, sizeof *a, descending);
  for (size_t k = 0; k < n; k++) {
    sum += a[k];
    const long double here = (sum - radius) / (long double)(k + 1);
    if (a[k] > here) t = here;
  }
  free(a);
  return sum <= radius ? 0 : t;
}

Test(row_l1, float64_is_the_projection_by_sorting) {
  uint64_t state = 7;
  double w[300], got[300];

  for (size_t row = 0; row < 100000; row++) {
    const size_t n = 1 + rig_draw(&state) % N_OF(w);
    const vise_i_side side = (vise_i_side)(rig_draw(&state) % 3);
    fill_row(&state, 1, w, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += side_of(w[i], side);
    const double radius = 1.25 * sum * (double)rig_draw(&state) / 0x1p32;

    memcpy(got, w, sizeof got);
    vise_i_bound_row(got, n, side, radius);
    const long double t = sorted_threshold(w, n, side, radius);
    for (size_t i = 0; i < n; i++) {
      const double a = side_of(w[i], side);
      const double expected = a > 0 ? (a > (double)t ? copysign((double)(a - t), w[i]) : 0) : w[i];
      cr_assert(fabs(got[i] - expected) <= 1e-15, "row %zu, entry %zu of %zu: %.17g, expected %.17g", row, i, n, got[i],
                expected);
    }
  }
}

Test(row_l1, float64_leaves_rows_that_are_not_finite) {
  const double rows[][3] = {{NAN, 1, 2}, {1, INFINITY, 2}, {-INFINITY, 1, -3}};
  for (size_t r = 0; r < N_OF(rows); r++) {
    double w[3];
    memcpy(w, rows[r], sizeof w);
    vise_i_bound_row(w, 3, VISE_I_BOTH_SIDES, 0.5);
    cr_expect(memcmp(w, rows[r], sizeof w) == 0, "row %zu", r);
  }
}

/* ---- float32: the definition, by bisection and in the order of the entries ---- */

static int64_t in_fixed_point(float magnitude, int scale) {
  return 1 + (int64_t)floor(ldexp((double)magnitude, scale));
}

static float defined_threshold(const float *w, size_t n, vise_i_side side, double radius) {
  float largest = 0;
  int exponent;
  for (size_t i = 0; i < n; i++) largest = fmaxf(largest, (float)side_of((double)w[i], side));
  (void)frexpf(largest, &exponent);
  int scale = 27 - exponent;
  if (largest < 0x1p-126f || scale > 127) scale = 127;

  const double room = ldexp(radius, scale);
  int64_t low = 0, high = INT32_MAX;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    double sum = 0; /* of integers below 2^31: exact for so few */
    for (size_t i = 0; i < n; i++) {
      const int64_t v = in_fixed_point((float)side_of((double)w[i], side), scale);
      if (v > middle) sum += (double)(v - middle);
    }
    if (sum <= floor(room)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }

  const double t = ldexp((double)low, -scale);
  const float near = (float)t;
  return (double)near < t ? nextafterf(near, INFINITY) : near;
}

static bool is_finite_row(const float *w, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(w[i])) return false;
  }
  return true;
}

static void defined_projection(float *w, size_t n, const vise_i_row_ball *ball, double factor) {
  const double radius = vise_i_row_radius(ball, factor);
  if (!is_finite_row(w, n)) return;
  const float up = defined_threshold(w, n, ball->sided ? VISE_I_POSITIVE : VISE_I_BOTH_SIDES, radius);
  const float down = ball->sided ? defined_threshold(w, n, VISE_I_NEGATIVE, radius) : up;
  if (up == 0 && down == 0) return;
  for (size_t i = 0; i < n; i++) w[i] = w[i] > 0 ? fmaxf(w[i] - up, 0) : (w[i] + down < 0 ? w[i] + down : 0);
}

/* A net of one layer has its weights in panels; of two layers, the second's are in rows. */
typedef struct layout {
  size_t n_layers, widths[3], layer;
} layout;

static void expect_defined(const layout *l, bool sided, double scale, double factor, uint64_t *state) {
  const vise_i_net net = rig_net(l->n_layers, l->widths, VISE_RELU, true);
  const vise_i_tensor *tensor = &net.tensors[net.blocks[l->layer].weight];
  vise_i_step_spec spec = rig_spec(&net);
  vise_i_hyper hyper = rig_hyper(0.1);
  double *params = calloc(net.n_params, sizeof *params), *got = calloc(net.n_params, sizeof *got);
  float *expected = calloc(net.n_params, sizeof *expected);
  spec.row_balls[l->layer] = (vise_i_row_ball){scale * 0.3 * sqrt((double)tensor->n_cols), sided};
  hyper.row_l1_factor = factor;

  vise_i_backend *b = rig_create(OPS, &spec, params);
  for (int round = 0; round < 4; round++) { /* the second and later ones begin where the one before ended */
    fill_row(state, scale * (round == 2 ? 0.01 : 1), params, net.n_params);
    if (round == 3) params[tensor->offset + tensor->n_rows * tensor->n_cols / 2] = NAN;
    if (round == 3) params[tensor->offset] = -INFINITY;
    for (size_t i = 0; i < net.n_params; i++) expected[i] = (float)params[i];
    for (size_t r = 0; r < tensor->n_rows; r++) {
      defined_projection(expected + tensor->offset + r * tensor->n_cols, tensor->n_cols, &spec.row_balls[l->layer],
                         factor);
    }

    rig_set_params(OPS, b, net.n_params, params);
    cr_assert(OPS->project(b, &hyper, NULL) == VISE_OK);
    rig_get_state(OPS, b, VISE_I_PARAMS, net.n_params, got);
    for (size_t i = 0; i < net.n_params; i++) {
      const bool same = isnan(expected[i]) ? isnan(got[i]) : got[i] == (double)expected[i];
      cr_assert(same, "%zu x %zu%s, scale %g, round %d, parameter %zu: %.9g, expected %.9g", tensor->n_rows,
                tensor->n_cols, sided ? " sided" : "", scale, round, i, got[i], (double)expected[i]);
    }
  }

  OPS->destroy(b);
  free(params);
  free(got);
  free(expected);
}

/* Of quotients of every size, with the least rest, the largest, and any. */
Test(row_l1, quotients_are_those_of_integers) {
  uint64_t state = 11;
  for (size_t i = 0; i < 3000000; i++) {
    const int32_t n = 1 + (int32_t)(rig_draw(&state) % (i % 2 ? 8192 : 16777216));
    const int64_t quotient = (int64_t)(rig_draw(&state) >> (1 + rig_draw(&state) % 31));
    const int64_t rests[] = {0, n - 1, (int64_t)rig_draw(&state) % n}, a = quotient * n + rests[i % 3];
    cr_assert(vise_i_fixed_quotient(a, n) == quotient, "%lld / %d", (long long)a, n);
  }
}

Test(row_l1, float32_is_its_definition) {
  static const layout layouts[] = {{1, {1, 1}, 0},     {1, {15, 3}, 0},      {1, {40, 16}, 0},    {1, {33, 17}, 0},
                                   {1, {50, 65}, 0},   {1, {7, 100}, 0},     {1, {301, 64}, 0},   {2, {5, 9, 4}, 1},
                                   {2, {3, 16, 7}, 1}, {2, {4, 131, 12}, 1}, {2, {6, 70, 67}, 1}, {2, {5, 9, 4}, 0}};
  static const double scales[] = {1, 1e-6, 1e-38, 1e30};
  uint64_t state = 3;

  for (size_t i = 0; i < N_OF(layouts); i++) {
    for (int sided = 0; sided < 2; sided++) {
      for (size_t s = 0; s < N_OF(scales); s++) {
        expect_defined(&layouts[i], sided, scales[s], 1, &state);
        expect_defined(&layouts[i], sided, scales[s], s == 0 ? 0 : 0.4, &state);
      }
    }
  }
}

/* ---- steps ---- */

static cpu_case step_case(bool sided) {
  static const size_t widths[] = {97, 65, 31, 10};
  cpu_case c = cpu_case_make();
  cpu_case_shape(&c, 3, widths);
  c.n_rows = 60;
  c.batch = 33;
  c.row_l1_factor = 0.9;
  c.spec.assert_projection = true;
  for (size_t l = 0; l < 3; l++) c.spec.row_balls[l] = (vise_i_row_ball){l == 1 ? 0.6 : 1.1, sided != (l == 2)};
  return c;
}

Test(row_l1, steps_agree_with_float64) {
  for (int sided = 0; sided < 2; sided++) {
    for (int more = 0; more < 4; more++) {
      cpu_case c = step_case(sided);
      char text[256];
      if (more == 1) c.spec.rule.max_norm = 0.2;
      for (size_t l = 0; more == 2 && l < 3; l++) c.spec.boxes[l] = (vise_i_box){-0.05, 0.04};
      c.mask = more == 3;
      cr_expect(cpu_case_agrees(&c, OPS, 1, text, sizeof text), "sided %d, %d: %s", sided, more, text);
    }
  }
}

static bool keeps_all(size_t parameter) {
  (void)parameter;
  return true;
}

/* Signs by weight, and with 96 inputs by input: the weights of all units to it then have one sign, a panel's together. */
Test(row_l1, signs_agree_with_float64) {
  for (int kind = 0; kind < 4; kind++) { /* by input, without a box, in one, in one that ends at 0; by weight */
    const size_t widths[] = {kind == 3 ? 97 : 96, 140, 31, 10};
    cpu_case c = step_case(false);
    char text[256];
    cpu_case_shape(&c, 3, widths);
    c.mask = c.signs = true;
    c.keeps = keeps_all;
    for (size_t l = 0; l < 3; l++) {
      c.spec.row_balls[l].radius = 0;
      if (kind > 0) c.spec.boxes[l] = (vise_i_box){kind == 2 ? 0 : -0.05, 0.04};
    }
    cr_expect(cpu_case_agrees(&c, OPS, 1, text, sizeof text), "kind %d: %s", kind, text);
  }
}

/* Weights at their bounds after the last step, as it counted them. */
static void expect_counted(const cpu_case *c, const cpu_result *r) {
  const vise_step_stats *last = &r->stats[c->n_steps - 1];
  uint64_t n_lo = 0, n_hi = 0;
  for (size_t l = 0; l < c->n_layers; l++) {
    const vise_i_tensor *weight = &r->net.tensors[r->net.blocks[l].weight];
    const double lo = (double)(float)c->spec.boxes[l].lo, hi = (double)(float)c->spec.boxes[l].hi;
    for (size_t i = 0; i < weight->n_rows * weight->n_cols; i++) {
      n_lo += isfinite(lo) && r->params[weight->offset + i] == lo;
      n_hi += isfinite(hi) && r->params[weight->offset + i] == hi;
    }
  }
  cr_expect(last->n_at_lo == n_lo && last->n_at_hi == n_hi, "%lu and %lu counted, %lu and %lu there",
            (unsigned long)last->n_at_lo, (unsigned long)last->n_at_hi, (unsigned long)n_lo, (unsigned long)n_hi);
}

/* Three threads have panels of the first layer of their own, five share them. */
Test(row_l1, threads_keep_the_bits_and_count_alike) {
  static const size_t widths[] = {151, 139, 131, 10};
  static const int n_threads[] = {1, 3, 5};
  for (int kind = 0; kind < 4; kind++) { /* balls; balls, boxes and norms; boxes and norms; the same with 0 at an end */
    cpu_result results[N_OF(n_threads)];
    for (size_t i = 0; i < N_OF(n_threads); i++) {
      cpu_case c = step_case(true);
      cpu_case_shape(&c, 3, widths);
      c.spec.n_threads = n_threads[i];
      c.spec.hooks.shares_always = i > 0;
      for (size_t l = 0; l < 3; l++) {
        if (kind >= 2) c.spec.row_balls[l].radius = 0;
        if (kind >= 1) c.spec.boxes[l] = (vise_i_box){kind == 3 ? 0 : -0.06, 0.05};
      }
      if (kind >= 1) c.spec.rule.max_norm = 0.5;

      results[i] = cpu_case_run(&c, OPS);
      expect_counted(&c, &results[i]);
      const size_t n_bytes = results[0].net.n_params * sizeof(double);
      cr_expect(memcmp(results[0].params, results[i].params, n_bytes) == 0, "kind %d, %d threads", kind, n_threads[i]);
    }
    for (size_t i = 0; i < N_OF(n_threads); i++) cpu_result_free(&results[i]);
  }
}

static size_t kept_row; /* of the second layer, [30, 600] */

static bool keeps_row(size_t parameter) {
  const size_t begin = 20 * 600 + 600, n = 30 * 600;
  return parameter < begin || parameter >= begin + n || (parameter - begin) / 600 == kept_row;
}

/* Where threads share rows, one bounds what another one updated, and takes from the counts what that one counted: also
   where its own part has nothing at a bound. */
Test(row_l1, threads_correct_the_counts_of_others) {
  static const size_t widths[] = {20, 600, 30, 10}, rows[] = {0, 7, 14, 15, 16, 29};
  for (size_t i = 0; i < N_OF(rows); i++) {
    cpu_case c = step_case(true);
    cpu_case_shape(&c, 3, widths);
    c.spec.n_threads = 3;
    c.spec.hooks.shares_always = true;
    c.spec.rule.max_norm = 0.05;

    c.activation = VISE_IDENTITY; /* so that every row has a gradient */
    c.lr = 1e4;                   /* and the step ends at the box */
    c.n_steps = 1;
    c.mask = true;
    c.keeps = keeps_row;
    kept_row = rows[i];

    for (size_t l = 0; l < 3; l++) {
      c.spec.row_balls[l].radius = 0;
      c.spec.boxes[l] = (vise_i_box){-0.004, 0.004};
    }

    cpu_result result = cpu_case_run(&c, OPS);
    expect_counted(&c, &result);
    cpu_result_free(&result);
  }
}

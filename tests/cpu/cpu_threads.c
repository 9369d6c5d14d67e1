/* The bits of everything that cpu computes are the same for any number of threads, and for inputs that are mostly zero
   the same with and without lists of the others. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"
#include "tests/support/cpu_options.h"

static const int MORE_THREADS[] = {2, 3, 7};

static bool same(const double *a, const double *b, size_t n) {
  return (a == NULL) == (b == NULL) && (a == NULL || memcmp(a, b, n * sizeof *a) == 0);
}

static void expect_same(const cpu_result *got, const cpu_result *expected, const char *what, const char *how) {
  const size_t n = expected->net.n_params;
  cr_expect(same(got->params, expected->params, expected->net.n_values), "%s, %s: weights", what, how);
  cr_expect(same(got->moment1, expected->moment1, n) && same(got->moment2, expected->moment2, n), "%s, %s: moments",
            what, how);
  cr_expect(same(got->gradient, expected->gradient, n), "%s, %s: gradient", what, how);
  cr_expect(same(got->outputs, expected->outputs, expected->n_outputs), "%s, %s: outputs", what, how);
  cr_expect(same(&got->loss, &expected->loss, 1) && same(&got->penalty, &expected->penalty, 1), "%s, %s: loss", what,
            how);
  cr_expect(memcmp(got->stats, expected->stats, sizeof got->stats) == 0, "%s, %s: statistics", what, how);
  cr_expect(memcmp(got->tensor_sum, expected->tensor_sum, sizeof got->tensor_sum) == 0, "%s, %s: counts", what, how);
}

/* Runs the case with one thread and with more. */
static void expect_same_bits(const cpu_case *given, const char *what) {
  cpu_case c = *given;
  c.spec.n_threads = 1;
  cpu_result alone = cpu_case_run(&c, &vise_i_backend_cpu);

  for (size_t i = 0; i < N_OF(MORE_THREADS); i++) {
    char how[32];
    c.spec.n_threads = MORE_THREADS[i];
    cpu_result got = cpu_case_run(&c, &vise_i_backend_cpu);
    (void)snprintf(how, sizeof how, "%d threads", c.spec.n_threads);
    expect_same(&got, &alone, what, how);
    cpu_result_free(&got);
  }

  cpu_result_free(&alone);
}

/* Every layer is worth sharing, and no width is a multiple of what threads are given. */
Test(cpu_threads, every_option) {
  static const size_t widths[] = {151, 139, 131, 10};

  for (size_t i = 0; i < cpu_n_options; i++) {
    cpu_case c = cpu_case_make();
    cpu_case_shape(&c, 3, widths);
    c.n_rows = 50;
    c.batch = 33;
    c.n_steps = 3;
    cpu_options[i].apply(&c);
    if (!cpu_option_allowed(&c)) continue;
    expect_same_bits(&c, cpu_options[i].name);
  }
}

Test(cpu_threads, batches_of_one_to_five_thousand) {
  static const size_t nets[][4] = {{150, 140, 130, 10}, {13, 17, 9, 5}}, batches[] = {1, 2, 31, 64, 257, 1025, 5000};

  for (size_t net = 0; net < N_OF(nets); net++) {
    for (size_t i = 0; i < N_OF(batches); i++) {
      cpu_case c = cpu_case_make();
      char what[64];
      cpu_case_shape(&c, 3, nets[net]);
      c.n_rows = batches[i] + batches[i] / 3;
      c.batch = batches[i];
      c.n_steps = 2;
      c.spec.rule.clip_norm = 0.1;
      (void)snprintf(what, sizeof what, "net %zu, batches of %zu", net, batches[i]);
      expect_same_bits(&c, what);
    }
  }
}

Test(cpu_threads, inputs_that_are_mostly_zero) {
  static const size_t widths[] = {151, 139, 31, 10}, narrow[] = {151, 10, 9, 3};
  static const double zeros[] = {0.65, 0.99, 1};

  for (size_t i = 0; i < cpu_n_options * N_OF(zeros); i++) {
    const cpu_option *option = &cpu_options[i % cpu_n_options];
    cpu_case c = cpu_case_make();
    char text[256];
    cpu_case_shape(&c, 3, i % 2 ? widths : narrow);
    c.n_rows = 50;
    c.batch = 33;
    c.n_steps = 3;
    option->apply(&c);
    c.zeros = zeros[i / cpu_n_options];
    if (!cpu_option_allowed(&c)) continue;

    cpu_result sparse = cpu_case_run(&c, &vise_i_backend_cpu);
    cr_expect(cpu_result_agrees(&c, &sparse, 1, text, sizeof text), "%s: %s", option->name, text);
    c.spec.hooks.keeps_dense = 1;
    cpu_result dense = cpu_case_run(&c, &vise_i_backend_cpu);
    expect_same(&sparse, &dense, option->name, "dense");
    if (i % 4 == 0) {
      c.spec.hooks.keeps_dense = 0;
      expect_same_bits(&c, option->name);
    }

    cpu_result_free(&sparse);
    cpu_result_free(&dense);
  }
}

/* Weights and outputs after a step on bytes of which most are 0. */
static void train_on_bytes(const vise_i_net *net, const double *params, const uint8_t *x, size_t n, bool dense,
                           double *weights, double *outputs) {
  static const double shift = 0, scale = 255;
  const vise_i_data data = {.x = vise_array_of(x, VISE_U8, n, net->widths[0]),
                            .y = vise_array_of(x, VISE_U8, n, 1),
                            .y_is_class = true,
                            .x_scaling = {&shift, &scale, true}};
  vise_error err = VISE_ERROR_INIT;
  vise_step_stats stats = {0};

  vise_i_step_spec spec = rig_spec(net);
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.max_batch = n;
  spec.hooks.keeps_dense = dense;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
  const vise_i_hyper hyper = rig_hyper(0.1);

  const vise_i_batch batch = {.data = &data, .n = n};
  cr_assert(vise_i_backend_cpu.step(b, &batch, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
  cr_expect_eq(((vise_i_cpu *)b)->is_sparse[VISE_I_CPU_SINGLE], !dense);
  cr_assert(vise_i_backend_cpu.forward(b, &batch, outputs, &err) == VISE_OK, "%s", err.text);
  rig_get_state(&vise_i_backend_cpu, b, VISE_I_PARAMS, net->n_params, weights);
  vise_i_backend_cpu.destroy(b);
}

Test(cpu_threads, bytes_that_are_mostly_zero) {
  enum { ROWS = 23, IN = 61, HIDDEN = 70, OUT = 10, PARAMS = (IN + 1) * HIDDEN + (HIDDEN + 1) * OUT };
  static const size_t widths[] = {IN, HIDDEN, OUT};
  static double params[PARAMS], weights[2][PARAMS], outputs[2][ROWS * OUT];
  uint8_t x[ROWS * IN];
  uint64_t state = 4;

  const vise_i_net net = rig_net(2, widths, VISE_RELU, true);
  rig_fill(&state, 0.2, params, PARAMS);
  for (size_t i = 0; i < sizeof x; i++) x[i] = i % 5 == 0 || i % 7 == 0 ? (uint8_t)(i % 251) : 0;
  for (size_t r = 0; r < ROWS; r++) x[r] = (uint8_t)(r % OUT); /* the labels are the first bytes */

  for (int dense = 0; dense < 2; dense++) {
    train_on_bytes(&net, params, x, ROWS, dense, weights[dense], outputs[dense]);
  }
  cr_expect(same(weights[0], weights[1], PARAMS));
  cr_expect(same(outputs[0], outputs[1], ROWS * OUT));
}

/* Zero times infinity is not a number: deltas that are not finite reach the weights of inputs that are zero. */
Test(cpu_threads, deltas_that_are_not_finite_spoil_lists_as_they_do_dense_inputs) {
  enum { ROWS = 2, IN = 40, OUT = 3, PARAMS = (IN + 1) * OUT };
  static const size_t widths[] = {IN, OUT};
  static const double bad[] = {INFINITY, -INFINITY, NAN};
  const vise_i_net net = rig_net(1, widths, VISE_IDENTITY, true);
  const vise_i_hyper hyper = rig_hyper(0.1);
  double params[PARAMS] = {0}, x[ROWS * IN] = {0};
  x[3] = 1;
  x[IN + 7] = -2;
  const vise_i_data data = rig_data(x, ROWS, IN, NULL, 0, false, NULL);

  for (size_t i = 0; i < N_OF(bad); i++) {
    const double delta[ROWS * OUT] = {0.5, bad[i], 0.25, 1, 2, 3};
    const vise_array given = {delta, VISE_F64, ROWS, OUT, OUT, 1};
    double weights[2][PARAMS];

    for (int dense = 0; dense < 2; dense++) {
      vise_error err = VISE_ERROR_INIT;
      vise_step_stats stats = {0};
      vise_i_step_spec spec = rig_spec(&net);
      spec.rule.loss = VISE_LOSS_EXTERNAL;
      spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
      spec.max_batch = ROWS;
      spec.hooks.keeps_dense = dense;

      vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
      const vise_i_batch batch = {.data = &data, .n = ROWS, .delta = &given, .external_loss = 1};
      cr_assert(vise_i_backend_cpu.step(b, &batch, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
      cr_expect_eq(((vise_i_cpu *)b)->is_sparse[VISE_I_CPU_SINGLE], !dense);
      rig_get_state(&vise_i_backend_cpu, b, VISE_I_PARAMS, PARAMS, weights[dense]);
      vise_i_backend_cpu.destroy(b);
    }

    for (size_t k = 0; k < PARAMS; k++) {
      const double got = weights[0][k], expected = weights[1][k];
      cr_expect(isnan(expected) ? isnan(got) : got == expected, "%g, weight %zu: %g in place of %g", bad[i], k, got,
                expected);
    }
    cr_expect(isnan(weights[0][IN]) && isfinite(weights[0][0]) && isfinite(weights[0][2 * IN]));
  }
}

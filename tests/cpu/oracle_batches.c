/* What cpu64 does with data: gathering, labels, order, partial batches, chunks, counts, and wrong calls. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/support/backend_rig.h"

#define OPS (&vise_i_backend_cpu64)
#define N 11
#define N_IN 3
#define N_OUT 4
#define N_PARAMS (5 * N_IN + 5 + N_OUT * 5 + N_OUT)

typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_hyper hyper;
  vise_step_stats stats;
  vise_i_backend *b;
  double x[N * N_IN], labels[N], one_hot[N * N_OUT], params[N_PARAMS];
  vise_i_data data; /* class labels */
} rig;

static void rig_make(rig *r, vise_loss loss) {
  const size_t widths[] = {N_IN, 5, N_OUT};
  uint64_t seed = 23;
  memset(r, 0, sizeof *r);

  r->net = rig_net(2, widths, VISE_TANH, true);
  r->spec = rig_spec(&r->net);
  r->spec.rule.loss = loss;
  r->hyper = rig_hyper(0.1);

  rig_fill(&seed, 1, r->x, N * N_IN);
  rig_fill(&seed, 0.7, r->params, N_PARAMS);
  for (size_t i = 0; i < N; i++) {
    r->labels[i] = (double)(i * i % N_OUT);
    r->one_hot[i * N_OUT + i * i % N_OUT] = 1;
  }

  r->data = rig_data(r->x, N, N_IN, r->labels, 1, true, NULL);
}

static void rig_start(rig *r) {
  r->b = rig_create(OPS, &r->spec, r->params);
}

/* Gradient and loss over all rows of data at the weights of a fresh backend. */
static double gradient(rig *r, const vise_i_data *data, double *grad) {
  double loss;
  vise_error err = VISE_ERROR_INIT;
  rig_start(r);
  cr_assert(
      OPS->full_gradient(r->b, &(vise_i_batch){.data = data, .n = data->x.n_rows}, grad, &loss, NULL, &err) == VISE_OK,
      "%s", err.text);
  OPS->destroy(r->b);
  return loss;
}

/* ---- labels ---- */

Test(oracle_batches, class_labels_are_one_hot_targets_for_other_losses) {
  static const vise_loss losses[] = {VISE_LOSS_MSE, VISE_LOSS_HUBER, VISE_LOSS_BCE, VISE_LOSS_HINGE};
  for (size_t l = 0; l < 4; l++) {
    double by_label[N_PARAMS], by_value[N_PARAMS];
    rig r;
    rig_make(&r, losses[l]);
    vise_i_data dense = rig_data(r.x, N, N_IN, r.one_hot, N_OUT, false, NULL);

    double loss = gradient(&r, &r.data, by_label);
    cr_expect(gradient(&r, &dense, by_value) == loss && memcmp(by_label, by_value, sizeof by_label) == 0);

    for (size_t i = 0; losses[l] == VISE_LOSS_HINGE && i < N * N_OUT; i++) r.one_hot[i] = 2 * r.one_hot[i] - 1;
    cr_expect(gradient(&r, &dense, by_value) == loss || losses[l] != VISE_LOSS_HINGE, "-1/+1 is 0/1 to hinge");
  }
}

Test(oracle_batches, labels_and_features_may_be_of_any_type_and_stride) {
  uint8_t bytes[N * N_IN * 2], narrow[N];
  int64_t wide[N];
  float floats[N_IN * N];
  double ref[N_PARAMS], got[N_PARAMS], loss;
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  for (size_t i = 0; i < N; i++) {
    narrow[i] = (uint8_t)r.labels[i];
    wide[i] = (int64_t)r.labels[i];
    for (size_t c = 0; c < N_IN; c++) {
      uint8_t v = (uint8_t)(i * 7 + c * 31);
      bytes[(i * N_IN + c) * 2] = v; /* every other byte */
      floats[c * N + i] = v;         /* Fortran order */
      r.x[i * N_IN + c] = v / 255.0 - 0.25;
    }
  }

  loss = gradient(&r, &r.data, ref);
  const double shift = 63.75, scale = 255, shifts[] = {63.75, 63.75, 63.75}, scales[] = {255, 255, 255};
  vise_i_data data = r.data;
  size_t worst;

  data.x = (vise_array){bytes, VISE_U8, N, N_IN, N_IN * 2, 2};
  data.y = (vise_array){narrow, VISE_U8, N, 1, 1, 1};
  data.x_scaling = (vise_i_scaling){&shift, &scale, true};
  cr_expect(rig_near(gradient(&r, &data, got), loss, 0, 1e-14));
  cr_expect(rig_compare(got, ref, N_PARAMS, 1e-15, 1e-13, &worst) == 0);

  data.x = (vise_array){floats, VISE_F32, N, N_IN, 1, N};
  data.y = (vise_array){wide, VISE_I64, N, 1, 1, 1};
  data.x_scaling = (vise_i_scaling){shifts, scales, false};
  cr_expect(rig_near(gradient(&r, &data, got), loss, 0, 1e-14));
  cr_expect(rig_compare(got, ref, N_PARAMS, 1e-15, 1e-13, &worst) == 0);
}

Test(oracle_batches, targets_are_scaled_by_column) {
  const double shift[] = {1, 2, 3, 4}, scale[] = {2, 4, 0.5, 1};
  double ref[N_PARAMS], got[N_PARAMS], raw[N * N_OUT];
  size_t worst;
  rig r;

  rig_make(&r, VISE_LOSS_MSE);
  vise_i_data scaled = rig_data(r.x, N, N_IN, raw, N_OUT, false, NULL);
  vise_i_data plain = rig_data(r.x, N, N_IN, r.one_hot, N_OUT, false, NULL);
  for (size_t i = 0; i < N * N_OUT; i++) raw[i] = r.one_hot[i] * scale[i % N_OUT] + shift[i % N_OUT];
  scaled.y_scaling = (vise_i_scaling){shift, scale, false};

  cr_expect(rig_near(gradient(&r, &scaled, got), gradient(&r, &plain, ref), 0, 1e-14));
  cr_expect(rig_compare(got, ref, N_PARAMS, 1e-15, 1e-13, &worst) == 0);
}

/* ---- rows counted right ---- */

static uint64_t correct(rig *r, const vise_i_data *data) {
  rig_start(r);
  cr_assert(OPS->step(r->b, &(vise_i_batch){.data = data, .n = data->x.n_rows}, &r->hyper, &r->stats, NULL) == VISE_OK);
  OPS->destroy(r->b);
  return r->stats.n_correct;
}

Test(oracle_batches, ties_go_to_the_lowest_index_and_zero_is_negative) {
  const double zero_or_one[] = {0, 1, 1, 0, 0}, signs[] = {-1, 1, 1, -1, -1};
  const size_t widths[] = {N_IN, 1};
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  memset(r.params, 0, sizeof r.params); /* all outputs are 0 */
  uint64_t n_zero = 0;
  for (size_t i = 0; i < N; i++) n_zero += r.labels[i] == 0;
  cr_expect(correct(&r, &r.data) == n_zero && n_zero > 0 && n_zero < N);

  r.spec.rule.loss = VISE_LOSS_BCE;
  cr_expect(correct(&r, &r.data) == n_zero);
  r.spec.rule.loss = VISE_LOSS_MSE; /* no classification */
  cr_expect(correct(&r, &r.data) == 0);

  r.net = rig_net(1, widths, VISE_RELU, true);
  r.spec.rule.loss = VISE_LOSS_BCE;
  vise_i_data binary = rig_data(r.x, 5, N_IN, zero_or_one, 1, true, NULL);
  cr_expect(correct(&r, &binary) == 3);
  binary.y_is_class = false;
  r.spec.rule.loss = VISE_LOSS_HINGE;
  cr_expect(correct(&r, &binary) == 3);
  binary.y.data = signs;
  cr_expect(correct(&r, &binary) == 3);
}

Test(oracle_batches, several_bits_are_right_when_all_are) {
  /* Two outputs, z = x: signs (+, -), (+, +), (0, -). */
  const size_t widths[] = {2, 2};
  const double x[] = {1, -1, 2, 3, 0, -4}, bits[] = {1, 0, 1, 0, 0, 0}, params[] = {1, 0, 0, 1};
  rig r;
  rig_make(&r, VISE_LOSS_BCE);
  r.net = rig_net(1, widths, VISE_RELU, false);
  memcpy(r.params, params, sizeof params);
  vise_i_data data = rig_data(x, 3, 2, bits, 2, false, NULL);
  cr_expect(correct(&r, &data) == 2);
}

/* ---- kinks ---- */

Test(oracle_batches, derivatives_at_kinks) {
  /* One hidden unit at exactly 0, then weight 1: its gradient is act'(0). */
  static const struct {
    vise_activation activation;
    double slope;
  } cases[] = {{VISE_RELU, 0},   {VISE_LEAKY_RELU, 0.01}, {VISE_IDENTITY, 1},
               {VISE_GELU, 0.5}, {VISE_SILU, 0.5},        {VISE_ELU, 1}};
  const size_t widths[] = {1, 1, 1};
  const double x = 1, y = -1, params[] = {0, 1}; /* mse half_sum: delta = 0 + 1 */

  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double grad[2];
    rig r;

    rig_make(&r, VISE_LOSS_MSE);
    r.net = rig_net(2, widths, cases[c].activation, false);
    memcpy(r.params, params, sizeof params);
    vise_i_data data = rig_data(&x, 1, 1, &y, 1, false, NULL);

    gradient(&r, &data, grad);
    cr_expect(grad[0] == cases[c].slope, "%s: %g", vise_activation_name(cases[c].activation), grad[0]);
  }
}

/* Hinge: no gradient at y z = 1; huber: the same slope from both sides of |e| = 1. */
Test(oracle_batches, losses_at_their_kinks) {
  const size_t widths[] = {1, 1};
  const double x = 1, one = 1;
  double grad[1];
  rig r;

  rig_make(&r, VISE_LOSS_HINGE);
  r.net = rig_net(1, widths, VISE_RELU, false);
  vise_i_data data = rig_data(&x, 1, 1, &one, 1, false, NULL);

  r.params[0] = 1;
  cr_expect(gradient(&r, &data, grad) == 0 && grad[0] == 0);
  r.params[0] = 0.75;
  cr_expect(gradient(&r, &data, grad) == 0.25 && grad[0] == -1);

  r.spec.rule.loss = VISE_LOSS_HUBER;
  r.params[0] = 2;
  cr_expect(gradient(&r, &data, grad) == 0.5 && grad[0] == 1);
  r.params[0] = 4;
  cr_expect(gradient(&r, &data, grad) == 2.5 && grad[0] == 1);
  r.params[0] = 0.5;
  cr_expect(gradient(&r, &data, grad) == 0.125 && grad[0] == -0.5);
}

/* Outputs in the thousands neither overflow nor lose the small side. */
Test(oracle_batches, large_outputs_are_exact) {
  const size_t widths[] = {1, 2};
  const double x = 1, params[] = {1000, -1000}, label = 1, bits[] = {1, 0};
  double grad[2];
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  r.net = rig_net(1, widths, VISE_RELU, false);
  memcpy(r.params, params, sizeof params);
  vise_i_data data = rig_data(&x, 1, 1, &label, 1, true, NULL);
  cr_expect(gradient(&r, &data, grad) == 2000 && grad[0] == 1 && grad[1] == -1);

  r.spec.rule.loss = VISE_LOSS_BCE;
  data = rig_data(&x, 1, 1, bits, 2, false, NULL);
  cr_expect(gradient(&r, &data, grad) == 0 && grad[0] == 0 && grad[1] == 0);
}

/* ---- order, partial batches, run and step, forward ---- */

Test(oracle_batches, run_takes_the_order_and_the_last_batch_its_own_size) {
  static const size_t order[N] = {10, 3, 7, 0, 1, 9, 2, 8, 4, 6, 5};
  double by_run[N_PARAMS], x[4 * N_IN], labels[4];
  vise_i_hyper hyper[3];
  vise_step_stats stats[3];
  size_t n_done;
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  r.spec.rule.momentum = 0.9;
  r.spec.max_batch = 4;
  rig_start(&r);

  for (size_t s = 0; s < 3; s++) hyper[s] = rig_hyper(0.1 / (double)(s + 1));
  cr_assert(OPS->bind(r.b, &r.data, NULL) == VISE_OK && OPS->set_order(r.b, order, N, NULL) == VISE_OK);
  cr_assert(OPS->run(r.b, &(vise_i_steps){0, 4, 3, hyper, stats}, &n_done, NULL) == VISE_OK && n_done == 3);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, by_run);
  OPS->destroy(r.b);

  rig_start(&r);
  for (size_t s = 0; s < 3; s++) {
    size_t n = s == 2 ? 3 : 4;

    for (size_t i = 0; i < n; i++) {
      memcpy(x + i * N_IN, r.x + order[4 * s + i] * N_IN, N_IN * sizeof *x);
      labels[i] = r.labels[order[4 * s + i]];
    }

    vise_i_data data = rig_data(x, n, N_IN, labels, 1, true, NULL);
    cr_assert(OPS->step(r.b, &(vise_i_batch){.data = &data, .n = data.x.n_rows}, &hyper[s], &r.stats, NULL) == VISE_OK);
    cr_expect(stats[s].n_rows == n && stats[s].loss == r.stats.loss && stats[s].lr == hyper[s].lr);
    cr_expect(stats[s].grad_norm == r.stats.grad_norm && stats[s].n_correct == r.stats.n_correct);
  }

  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, r.params);
  cr_expect(memcmp(by_run, r.params, sizeof by_run) == 0);
  OPS->destroy(r.b);
}

/* More rows than fit at a time, by index and without; the weights do not change. */
Test(oracle_batches, forward_takes_any_number_of_rows) {
  static double x[2500], out[2500], chosen[2500], params[2] = {2, -1};
  static size_t rows[2500];
  const size_t widths[] = {1, 1};
  uint64_t seed = 9;
  rig r;

  rig_make(&r, VISE_LOSS_MSE);
  r.net = rig_net(1, widths, VISE_RELU, true);
  r.spec.max_batch = 1;
  memcpy(r.params, params, sizeof params);
  rig_fill(&seed, 1, x, 2500);
  for (size_t i = 0; i < 2500; i++) rows[i] = i * 7 % 2500;

  rig_start(&r);
  vise_i_data data = rig_data(x, 2500, 1, NULL, 0, false, NULL);
  cr_assert(OPS->forward(r.b, &(vise_i_batch){.data = &data, .n = 2500}, out, NULL) == VISE_OK);
  cr_assert(OPS->forward(r.b, &(vise_i_batch){.data = &data, .rows = rows, .n = 2500}, chosen, NULL) == VISE_OK);
  for (size_t i = 0; i < 2500; i++) cr_assert(out[i] == 2 * x[i] - 1 && chosen[i] == out[rows[i]], "row %zu", i);

  rig_get_state(OPS, r.b, VISE_I_PARAMS, 2, r.params);
  cr_expect(memcmp(r.params, params, sizeof params) == 0);
  OPS->destroy(r.b);
}

/* An output gradient given in float32 or float64 makes the step that the loss itself would make. */
Test(oracle_batches, external_delta_is_the_step_of_the_loss) {
  double out[N * N_OUT], delta[N * N_OUT], by_loss[N_PARAMS], by_delta[N_PARAMS];
  float narrow[N * N_OUT];
  size_t worst;
  rig r;

  rig_make(&r, VISE_LOSS_MSE);
  vise_i_data dense = rig_data(r.x, N, N_IN, r.one_hot, N_OUT, false, NULL);

  rig_start(&r);
  cr_assert(OPS->forward(r.b, &(vise_i_batch){.data = &dense, .n = N}, out, NULL) == VISE_OK);
  cr_assert(OPS->step(r.b, &(vise_i_batch){.data = &dense, .n = dense.x.n_rows}, &r.hyper, &r.stats, NULL) == VISE_OK);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, by_loss);
  OPS->destroy(r.b);

  for (size_t i = 0; i < N * N_OUT; i++) {
    delta[i] = (out[i] - r.one_hot[i]) / N;
    narrow[i] = (float)delta[i];
  }

  r.spec.rule.loss = VISE_LOSS_EXTERNAL;
  for (int is_f32 = 0; is_f32 < 2; is_f32++) {
    const void *values = is_f32 ? (const void *)narrow : delta;
    vise_array array = {values, is_f32 ? VISE_F32 : VISE_F64, N, N_OUT, N_OUT, 1};
    vise_i_data data = rig_data(r.x, N, N_IN, NULL, 0, false, NULL);

    rig_start(&r);
    cr_assert(OPS->step(r.b, &(vise_i_batch){.data = &data, .n = data.x.n_rows, .delta = &array, .external_loss = 1.5},
                        &r.hyper, &r.stats, NULL) == VISE_OK &&
              r.stats.loss == 1.5);
    rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, by_delta);
    cr_expect(rig_compare(by_delta, by_loss, N_PARAMS, is_f32 ? 1e-7 : 1e-15, 0, &worst) == 0);
    OPS->destroy(r.b);
  }
}

/* There is one thread, whatever number is asked for. */
Test(oracle_batches, threads_agree) {
  static double x[700 * 61], y[700 * 40], params[61 * 40 + 40], grads[2][61 * 40 + 40];
  const size_t widths[] = {61, 40};
  uint64_t seed = 2;
  vise_i_net net = rig_net(1, widths, VISE_RELU, true);
  vise_i_step_spec spec = rig_spec(&net);
  vise_i_data data = rig_data(x, 700, 61, y, 40, false, NULL);

  rig_fill(&seed, 1, x, 700 * 61);
  rig_fill(&seed, 1, y, 700 * 40);
  rig_fill(&seed, 0.1, params, net.n_params);

  for (size_t k = 0; k < 2; k++) {
    spec.n_threads = (int)k + 1;
    vise_i_backend *b = rig_create(OPS, &spec, params);
    cr_assert(OPS->full_gradient(b, &(vise_i_batch){.data = &data, .n = 700}, grads[k], NULL, NULL, NULL) == VISE_OK);
    OPS->destroy(b);
  }

  cr_expect(memcmp(grads[0], grads[1], sizeof grads[0]) == 0);
}

Test(oracle_batches, full_gradient_changes_nothing) {
  double before[N_PARAMS], after[N_PARAMS], grad[N_PARAMS];
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -1e-3;
  r.spec.rule.clip_hi = 1e-3;

  rig_start(&r);
  cr_assert(OPS->step(r.b, &(vise_i_batch){.data = &r.data, .n = r.data.x.n_rows}, &r.hyper, &r.stats, NULL) ==
            VISE_OK);
  vise_tensor_stats stats = r.b->tensor_stats[0];
  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, before);
  cr_assert(OPS->full_gradient(r.b, &(vise_i_batch){.data = &r.data, .n = N}, grad, NULL, NULL, NULL) == VISE_OK);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, after);

  cr_expect(memcmp(before, after, sizeof before) == 0 && OPS->get_counters(r.b).applied_steps == 1);
  cr_expect(r.b->tensor_stats[0].n_clipped_values == stats.n_clipped_values && stats.n_clipped_values > 0);
  cr_expect(OPS->n_launches(r.b) == 0);
  OPS->destroy(r.b);
}

/* ---- wrong calls ---- */

Test(oracle_batches, wrong_calls_fail_and_change_nothing) {
  double before[N_PARAMS], after[N_PARAMS], grad[N_PARAMS] = {0};
  const size_t beyond[] = {0, N}, two[] = {0, 1};
  size_t n_done = 9;
  vise_error err = VISE_ERROR_INIT;
  rig r;

  rig_make(&r, VISE_LOSS_CROSS_ENTROPY);
  r.spec.max_batch = N - 1;
  rig_start(&r);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, before);

  cr_expect(OPS->set_order(r.b, two, 2, NULL) == VISE_ERR_INTERNAL); /* nothing bound */
  cr_expect(OPS->step(r.b, &(vise_i_batch){.data = &r.data, .n = r.data.x.n_rows}, &r.hyper, &r.stats, NULL) ==
            VISE_ERR_INTERNAL); /* max_batch */
  cr_assert(OPS->bind(r.b, &r.data, NULL) == VISE_OK);
  cr_expect(OPS->set_order(r.b, beyond, 2, NULL) == VISE_ERR_INTERNAL);
  cr_expect(OPS->run(r.b, &(vise_i_steps){0, 1, 1, &r.hyper, &r.stats}, &n_done, NULL) == VISE_ERR_INTERNAL &&
            n_done == 0);
  cr_assert(OPS->set_order(r.b, two, 2, NULL) == VISE_OK);
  cr_expect(OPS->run(r.b, &(vise_i_steps){2, 1, 1, &r.hyper, &r.stats}, &n_done, NULL) == VISE_ERR_INTERNAL &&
            n_done == 0);

  static const double bad_labels[] = {-1, N_OUT, 0.5, NAN};
  for (size_t k = 0; k < 4; k++) {
    r.labels[1] = bad_labels[k];
    vise_error_clear(&err);
    cr_expect(OPS->run(r.b, &(vise_i_steps){0, 2, 1, &r.hyper, &r.stats}, &n_done, &err) == VISE_ERR_VALUE &&
              n_done == 0);
    cr_expect(strstr(err.text, "row 1") && strstr(err.text, "0 to 3"), "%s", err.text);
    cr_expect(OPS->full_gradient(r.b, &(vise_i_batch){.data = &r.data, .n = N}, grad, NULL, NULL, NULL) ==
                  VISE_ERR_VALUE &&
              grad[0] == 0);
  }

  vise_i_data wrong = rig_data(r.x, N, N_IN - 1, r.labels, 1, true, NULL);
  cr_expect(OPS->bind(r.b, &wrong, NULL) == VISE_ERR_SHAPE);
  wrong = rig_data(r.x, N, N_IN, r.one_hot, N_OUT, false, NULL);
  cr_expect(OPS->bind(r.b, &wrong, NULL) == VISE_ERR_SHAPE); /* cross-entropy needs labels */

  rig_get_state(OPS, r.b, VISE_I_PARAMS, N_PARAMS, after);
  cr_expect(memcmp(before, after, sizeof before) == 0 && OPS->get_counters(r.b).applied_steps == 0);
  OPS->destroy(r.b);
}

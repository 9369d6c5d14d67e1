/* How data comes in, and what is computed on any number of rows: every type, both orders, every scaling; predictions,
   full gradients, the caller's own delta; state sent to the device and back. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/support/data_rig.h"

enum { N = DATA_ROWS, N_IN = DATA_IN, N_OUT = DATA_OUT };

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

Test(data, every_type_order_and_scaling) {
  check_inputs_of_every_type(OPS);
}

/* Outputs of all rows of data with this id, in order or mixed. */
static void forward_with_id(vise_i_backend *b, const vise_array *x, uint64_t id, bool mixed, double *out) {
  enum { MANY = 9000 };
  static size_t rows[MANY];
  vise_error err = VISE_ERROR_INIT;
  const vise_i_data data = {.x = *x, .id = id};
  cr_assert_leq(x->n_rows, MANY);
  for (size_t i = 0; i < x->n_rows; i++) rows[i] = mixed ? (x->n_rows - 1 + 7 * i) % x->n_rows : i;
  cr_assert(OPS->forward(b, &(vise_i_batch){.data = &data, .rows = mixed ? rows : NULL, .n = x->n_rows}, out, &err) ==
                VISE_OK,
            "%s", err.text);
}

static void expect_same(const double *a, const double *b, size_t n, bool same, const char *what) {
  cr_expect_eq(memcmp(a, b, n * sizeof *a) == 0, same, "%s", what);
}

Test(data, rows_with_an_id_are_sent_once) {
  enum { MANY = 9000, BATCH = 10 };
  double params[DATA_PARAMS];
  const vise_i_net net = data_linear_net(params);
  const size_t n = MANY * N_OUT;
  double *once = malloc(n * sizeof *once), *again = malloc(n * sizeof *again);

  for (int limited = 0; limited < 2; limited++) {
    vise_i_step_spec spec = rig_spec(&net);
    spec.max_batch = BATCH;
    vise_i_backend *b = rig_create(OPS, &spec, params);
    vise_array x = data_array(VISE_U8, 0, MANY, N_IN, false);

    if (limited) { /* room for less than twice the rows */
      vise_i_cuda_of(b)->cx->memory_limit = vise_i_cuda_of(b)->arena_bytes + (size_t)MANY * 32 + 65536;
    }

    for (int mixed = 0; mixed < 2; mixed++) {
      forward_with_id(b, &x, 0, mixed, once);
      forward_with_id(b, &x, 7, mixed, again);
      expect_same(once, again, n, true, "an id changes no bit");
    }
    cr_expect_eq(vise_i_cuda_of(b)->kept[0].rows.memory != NULL, !limited);

    /* Breaking the promise of the id shows whether the rows were sent again. */
    memset((void *)(uintptr_t)x.data, 1, (size_t)MANY * N_IN);
    forward_with_id(b, &x, 7, true, again);
    expect_same(once, again, n, !limited, "rows stay on the device where there is room");
    forward_with_id(b, &x, 0, true, once);
    forward_with_id(b, &x, 8, true, again);
    expect_same(once, again, n, true, "another id, other rows");

    vise_i_cuda_forget(vise_i_cuda_of(b));
    cr_expect_null(vise_i_cuda_of(b)->kept[0].rows.memory);
    forward_with_id(b, &x, 7, true, again);
    expect_same(once, again, n, true, "what was forgotten is sent again");

    OPS->destroy(b);
    data_array_free(&x);
  }

  free(once);
  free(again);
}

Test(data, bound_rows_serve_outputs_too) {
  double params[DATA_PARAMS], once[N * N_OUT], again[N * N_OUT];
  const vise_i_net net = data_linear_net(params);
  vise_i_step_spec spec = rig_spec(&net);
  vise_error err = VISE_ERROR_INIT;

  spec.max_batch = 10;
  vise_i_backend *b = rig_create(OPS, &spec, params);

  vise_array x = data_array(VISE_F32, 2, N, N_IN, false), y = data_array(VISE_I32, 0, N, 1, true);
  const vise_i_data data = {.x = x, .y = y, .y_is_class = true, .id = 3};
  cr_assert(OPS->bind(b, &data, &err) == VISE_OK, "%s", err.text);

  forward_with_id(b, &x, 0, true, once);
  forward_with_id(b, &x, 3, true, again);
  expect_same(once, again, N * N_OUT, true, "the bound rows are the same");
  cr_expect_null(vise_i_cuda_of(b)->kept[0].rows.memory);

  OPS->destroy(b);
  data_array_free(&x);
  data_array_free(&y);
}

Test(data, buffers_are_no_larger_than_what_they_carry) {
  enum { FEW = 100, MANY = 40000, LEAST = 1 << 16 };
  static const size_t n_rows[] = {FEW, MANY, FEW},
                      n_bytes[] = {LEAST, VISE_I_CUDA_PINNED_BYTES, VISE_I_CUDA_PINNED_BYTES};
  double params[DATA_PARAMS];
  const vise_i_net net = data_linear_net(params);
  vise_i_step_spec spec = rig_spec(&net);

  spec.max_batch = 10;
  double *x = calloc((size_t)MANY * (N_IN + N_OUT), sizeof *x);
  cr_assert(x != NULL);
  vise_i_backend *b = rig_create(OPS, &spec, params);
  cr_expect_eq(vise_i_cuda_of(b)->cx->buffer_bytes, LEAST);

  for (size_t i = 0; i < sizeof n_rows / sizeof *n_rows; i++) {
    vise_error err = VISE_ERROR_INIT;
    const vise_i_data data = rig_data(x, n_rows[i], N_IN, x + (size_t)MANY * N_IN, N_OUT, false, NULL);
    cr_assert(OPS->bind(b, &data, &err) == VISE_OK, "%s", err.text);
    cr_expect_eq(vise_i_cuda_of(b)->cx->buffer_bytes, n_bytes[i], "%zu rows: %zu bytes", n_rows[i],
                 vise_i_cuda_of(b)->cx->buffer_bytes);
  }

  OPS->destroy(b);
  free(x);
}

/* Bound data with labels and values of every type; type and layout leave no trace. */
Test(data, targets_of_every_type) {
  for (int values = 0; values < 2; values++) {
    double params[DATA_PARAMS], first[DATA_PARAMS], end[DATA_PARAMS];
    const double shift = 0, scale = 255;
    const vise_i_net net = data_linear_net(params);
    size_t order[N];

    for (size_t i = 0; i < N; i++) order[i] = (i * 7) % N;
    vise_i_step_spec spec = rig_spec(&net);
    spec.rule.loss = values ? VISE_LOSS_MSE : VISE_LOSS_CROSS_ENTROPY;
    spec.max_batch = 10;

    for (int dtype = VISE_U8; dtype <= VISE_F64; dtype++) {
      for (int layout = 0; layout < 3; layout++) {
        vise_error err = VISE_ERROR_INIT;
        const vise_i_hyper hyper[4] = {rig_hyper(0.01), rig_hyper(0.01), rig_hyper(0.01), rig_hyper(0.01)};
        vise_step_stats stats[4] = {{0}};
        size_t n_done;
        vise_array x = data_array(VISE_U8, layout, N, N_IN, false);
        vise_array y = data_array((vise_dtype)dtype, layout, N, values ? N_OUT : 1, !values);
        const vise_i_data data = {.x = x,
                                  .y = y,
                                  .y_is_class = !values,
                                  .x_scaling = {&shift, &scale, true},
                                  .y_scaling = {&shift, &scale, true}};

        vise_i_backend *b = rig_create(OPS, &spec, params);
        cr_assert(OPS->bind(b, &data, &err) == VISE_OK && OPS->set_order(b, order, N, &err) == VISE_OK, "%s", err.text);
        cr_assert(OPS->run(b, &(vise_i_steps){0, 10, 4, hyper, stats}, &n_done, &err) == VISE_OK, "%s", err.text);

        cr_expect(stats[3].n_rows == 7 && !stats[3].skipped && stats[3].loss > 0);
        rig_get_state(OPS, b, VISE_I_PARAMS, net.n_params, end);
        if (dtype == VISE_I32 && layout == 0) memcpy(first, end, sizeof end);
        if (dtype >= VISE_I32) {
          cr_expect(memcmp(first, end, sizeof end) == 0, "%s, layout %d", vise_dtype_name((vise_dtype)dtype), layout);
        }

        OPS->destroy(b);
        data_array_free(&x);
        data_array_free(&y);
      }
    }

    cr_expect(memcmp(first, params, sizeof first) != 0);
  }
}

Test(data, refuses_what_does_not_fit) {
  double params[DATA_PARAMS], x[4 * N_IN] = {0}, y[4] = {0, 1, 3, 2};
  const size_t order[] = {0, 4};
  const vise_i_net net = data_linear_net(params);
  const vise_i_data data = rig_data(x, 4, N_IN, y, 1, true, NULL);
  vise_i_step_spec spec = rig_spec(&net);

  check_refusal_of_data(OPS);

  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.max_batch = 4;
  vise_i_backend *b = rig_create(OPS, &spec, params);
  cr_expect(OPS->bind(b, &data, NULL) == VISE_ERR_VALUE);
  cr_expect(OPS->set_order(b, order, 1, NULL) == VISE_ERR_INTERNAL, "an order without data");

  y[2] = 1;
  cr_assert(OPS->bind(b, &data, NULL) == VISE_OK);
  cr_expect(OPS->set_order(b, order, 2, NULL) == VISE_ERR_INTERNAL, "row 4 of 4");

  OPS->destroy(b);
}

Test(data, external_delta_is_the_gradient_of_the_outputs) {
  check_external_delta(OPS, 0);
}

/* Many rows come in parts when memory is short: outputs keep their bits, gradients their value. */
Test(data, parts_of_many_rows) {
  enum { ROWS = 700 };
  static const size_t widths[] = {N_IN, 11, N_OUT};
  const vise_i_net net = rig_net(2, widths, VISE_GELU, true);
  double *params = calloc(net.n_params, sizeof *params), *x = calloc(ROWS * N_IN, sizeof *x),
         *y = calloc(ROWS, sizeof *y);
  double *whole = calloc(ROWS * N_OUT, sizeof *whole), *parts = calloc(ROWS * N_OUT, sizeof *parts);
  double *g[2] = {calloc(net.n_params, sizeof *g[0]), calloc(net.n_params, sizeof *g[1])}, loss[2], penalty[2];
  uint64_t state = 10;

  rig_fill(&state, 0.3, params, net.n_params);
  rig_fill(&state, 1, x, ROWS * N_IN);
  for (size_t i = 0; i < ROWS; i++) y[i] = (double)(i % N_OUT);
  const vise_i_data data = rig_data(x, ROWS, N_IN, y, 1, true, NULL);

  vise_i_step_spec spec = rig_spec(&net);
  spec.max_batch = 1;
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.rule.k2 = 0.1;
  spec.rule.k1 = 0.01;
  spec.rule.kF = 0.02;
  spec.rule.prox_l1 = true;

  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = rig_create(OPS, &spec, params);
  cr_assert(OPS->forward(b, &(vise_i_batch){.data = &data, .n = ROWS}, whole, &err) == VISE_OK, "%s", err.text);
  cr_assert(
      OPS->full_gradient(b, &(vise_i_batch){.data = &data, .n = ROWS}, g[0], &loss[0], &penalty[0], &err) == VISE_OK,
      "%s", err.text);

  vise_i_cuda_of(b)->cx->single_bytes = 20000; /* as if that were all */
  cr_assert(OPS->forward(b, &(vise_i_batch){.data = &data, .n = ROWS}, parts, &err) == VISE_OK, "%s", err.text);
  cr_expect(memcmp(whole, parts, ROWS * N_OUT * sizeof *whole) == 0);
  cr_assert(
      OPS->full_gradient(b, &(vise_i_batch){.data = &data, .n = ROWS}, g[1], &loss[1], &penalty[1], &err) == VISE_OK,
      "%s", err.text);

  size_t worst;
  cr_expect(rig_compare(g[1], g[0], net.n_params, 1e-6, 1e-5, &worst) == 0, "[%zu]: %g and %g", worst, g[1][worst],
            g[0][worst]);
  cr_expect(rig_near(loss[1], loss[0], 0, 1e-6) && penalty[0] == penalty[1] && penalty[0] > 0);

  OPS->destroy(b);
  free(params);
  free(x);
  free(y);
  free(whole);
  free(parts);
  free(g[0]);
  free(g[1]);
}

/* Ragged tensors come back as they were sent. */
Test(data, state_there_and_back) {
  static const size_t widths[] = {13, 31, 7, 1};
  for (int bias = 0; bias < 2; bias++) {
    const vise_i_net net = rig_net(3, widths, VISE_TANH, bias);
    vise_i_step_spec spec = rig_spec(&net);
    vise_error err = VISE_ERROR_INIT;
    float *in = calloc(net.n_params, sizeof *in), *out = calloc(net.n_params, sizeof *out);
    uint8_t *mask = calloc(net.n_params, 1), *mask_out = calloc(net.n_params, 1);
    double *params = calloc(net.n_params, sizeof *params);

    spec.rule.optimizer = VISE_ADAM;
    spec.use_mask = true;
    spec.max_batch = 3;
    vise_i_backend *b = rig_create(OPS, &spec, params);

    cr_assert(OPS->get_state(b, VISE_I_MASK, mask_out, &err) == VISE_OK);
    for (size_t i = 0; i < net.n_params; i++) cr_assert(mask_out[i] == 1, "a new mask keeps all");

    for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
      for (size_t i = 0; i < net.n_params; i++) in[i] = (float)i + 0.25f * (float)which;
      cr_assert(OPS->set_state(b, (vise_i_state)which, in, &err) == VISE_OK);
      cr_assert(OPS->get_state(b, (vise_i_state)which, out, &err) == VISE_OK);
      cr_expect(memcmp(in, out, net.n_params * sizeof *in) == 0);
    }

    for (size_t i = 0; i < net.n_params; i++) mask[i] = i % 3 == 0;
    cr_assert(OPS->set_state(b, VISE_I_MASK, mask, &err) == VISE_OK);
    cr_assert(OPS->get_state(b, VISE_I_MASK, mask_out, &err) == VISE_OK);
    cr_expect(memcmp(mask, mask_out, net.n_params) == 0);
    OPS->destroy(b);

    spec.rule.optimizer = VISE_SGD;
    spec.use_mask = false;
    b = rig_create(OPS, &spec, params);
    cr_expect(!OPS->has_state(b, VISE_I_MOMENT1) && !OPS->has_state(b, VISE_I_MASK));
    cr_expect(OPS->set_state(b, VISE_I_MOMENT1, in, &err) == VISE_ERR_INTERNAL);
    OPS->destroy(b);

    free(in);
    free(out);
    free(mask);
    free(mask_out);
    free(params);
  }
}

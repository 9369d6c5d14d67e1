#include "tests/support/data_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

double data_value(size_t r, size_t c) {
  return (double)((r * 31 + c * 17) % 251);
}

static void put(void *data, vise_dtype dtype, size_t i, double v) {
  switch (dtype) {
    case VISE_U8:
      ((uint8_t *)data)[i] = (uint8_t)v;
      return;
    case VISE_I32:
      ((int32_t *)data)[i] = (int32_t)v;
      return;
    case VISE_I64:
      ((int64_t *)data)[i] = (int64_t)v;
      return;
    case VISE_F32:
      ((float *)data)[i] = (float)v;
      return;
    default:
      ((double *)data)[i] = v;
  }
}

vise_array data_array(vise_dtype dtype, int layout, size_t n_rows, size_t n_cols, bool as_label) {
  const size_t gap = layout == 2 ? 3 : 0;
  const size_t row_stride = layout == 1 ? 1 : n_cols + gap, col_stride = layout == 1 ? n_rows : 1;
  void *data = calloc(n_rows * (n_cols + gap), vise_dtype_size(dtype));
  cr_assert(data != NULL);
  for (size_t r = 0; r < n_rows; r++) {
    for (size_t c = 0; c < n_cols; c++) {
      put(data, dtype, r * row_stride + c * col_stride, as_label ? (double)(r % DATA_OUT) : data_value(r, c));
    }
  }
  return (vise_array){data, dtype, n_rows, n_cols, row_stride, col_stride};
}

void data_array_free(const vise_array *a) {
  free((void *)(uintptr_t)a->data);
}

vise_i_net data_linear_net(double *params) {
  static const size_t widths[] = {DATA_IN, DATA_OUT};
  const vise_i_net net = rig_net(1, widths, VISE_IDENTITY, true);
  uint64_t state = 5;
  rig_fill(&state, 0.25, params, net.n_params);
  return net;
}

/* Output k of the linear net on the value row `row` of a data_array. */
static double expected_output(const double *params, const vise_i_scaling *scaling, size_t row, size_t k) {
  double sum = params[DATA_IN * DATA_OUT + k];

  for (size_t c = 0; c < DATA_IN; c++) {
    const size_t at = scaling->uniform ? 0 : c;
    const double value = data_value(row, c);
    sum += params[k * DATA_IN + c] * (scaling->shift ? (value - scaling->shift[at]) / scaling->scale[at] : value);
  }

  return sum;
}

void check_inputs_of_every_type(const vise_i_backend_ops *ops) {
  enum { N = DATA_ROWS, N_OUT = DATA_ROWS * DATA_OUT, N_LAYOUTS = 3, N_TYPES = VISE_F64 + 1 };
  double params[DATA_PARAMS], shift[DATA_IN], scale[DATA_IN], out[N_OUT + 2], bits[N_OUT];
  const double unit_shift = 0, unit_scale = 255, odd_shift = 3, odd_scale = 0.7;
  const vise_i_scaling scalings[] = {
      {NULL, NULL, false}, {&unit_shift, &unit_scale, true}, {&odd_shift, &odd_scale, true}, {shift, scale, false}};
  const vise_i_net net = data_linear_net(params);
  size_t rows[N];

  for (size_t c = 0; c < DATA_IN; c++) {
    shift[c] = 100 + (double)c;
    scale[c] = 40 + 3 * (double)c;
  }
  for (size_t i = 0; i < N; i++) rows[i] = (i * 5) % N;

  vise_i_step_spec spec = rig_spec(&net);
  spec.max_batch = 10;
  vise_i_backend *b = rig_create(ops, &spec, params);

  for (size_t i = 0; i < sizeof scalings / sizeof *scalings * N_TYPES * N_LAYOUTS; i++) {
    const int layout = (int)(i % N_LAYOUTS);
    const vise_dtype dtype = (vise_dtype)(i / N_LAYOUTS % N_TYPES);
    const vise_i_scaling *scaling = &scalings[i / N_LAYOUTS / N_TYPES];
    const vise_array x = data_array(dtype, layout, N, DATA_IN, false);
    const vise_i_data data = {.x = x, .x_scaling = *scaling};
    vise_error err = VISE_ERROR_INIT;

    out[0] = out[N_OUT + 1] = 12345;
    cr_assert(ops->forward(b, &(vise_i_batch){.data = &data, .rows = rows, .n = N}, out + 1, &err) == VISE_OK, "%s",
              err.text);
    cr_expect(out[0] == 12345 && out[N_OUT + 1] == 12345, "wrote outside the outputs");

    for (size_t o = 0; o < N_OUT; o++) {
      const double expected = expected_output(params, scaling, rows[o / DATA_OUT], o % DATA_OUT);
      cr_expect(rig_near(out[1 + o], expected, 2e-4, 1e-5), "scaling %zu, %s, layout %d, row %zu: %.9g, expected %.9g",
                i / N_LAYOUTS / N_TYPES, vise_dtype_name(dtype), layout, o / DATA_OUT, out[1 + o], expected);
    }

    /* The type and order of the source leave no trace (bytes may be looked up, the others are computed). */
    if (dtype == VISE_I32 && layout == 0) memcpy(bits, out + 1, sizeof bits);
    if (dtype >= VISE_I32) cr_expect(memcmp(bits, out + 1, sizeof bits) == 0, "%s", vise_dtype_name(dtype));

    data_array_free(&x);
  }

  ops->destroy(b);
}

void check_refusal_of_data(const vise_i_backend_ops *ops) {
  double params[DATA_PARAMS], x[4 * DATA_IN] = {0}, y[4] = {0, 1, 3, 2};
  const vise_i_net net = data_linear_net(params);
  const vise_i_hyper hyper = rig_hyper(0.1);
  vise_i_step_spec spec = rig_spec(&net);
  vise_step_stats stats = {0};
  vise_error err = VISE_ERROR_INIT;

  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.max_batch = 4;
  vise_i_backend *b = rig_create(ops, &spec, params);

  vise_i_data data = rig_data(x, 4, DATA_IN, y, 1, true, NULL);
  cr_expect(ops->step(b, &(vise_i_batch){.data = &data, .n = 4}, &hyper, &stats, &err) == VISE_ERR_VALUE);
  cr_expect(strstr(err.text, "row 2") && strstr(err.text, "label 3"), "%s", err.text);

  data = rig_data(x, 4, DATA_IN - 1, y, 1, true, NULL);
  cr_expect(ops->bind(b, &data, NULL) == VISE_ERR_SHAPE);
  data = rig_data(x, 4, DATA_IN, NULL, 0, true, NULL);
  cr_expect(ops->bind(b, &data, NULL) == VISE_ERR_SHAPE);

  ops->destroy(b);
}

void check_external_delta(const vise_i_backend_ops *ops, size_t parts) {
  enum { N = DATA_ROWS, K = DATA_OUT };
  static const size_t widths[] = {DATA_IN, 8, K};
  const vise_i_net net = rig_net(2, widths, VISE_RELU, true);
  double *params = calloc(net.n_params, sizeof *params), *a = calloc(net.n_params, sizeof *a);
  double *c = calloc(net.n_params, sizeof *c), x[N * DATA_IN], y[N * K], out[N * K];
  uint64_t state = 9;

  rig_fill(&state, 0.3, params, net.n_params);
  rig_fill(&state, 1, x, N * DATA_IN);
  rig_fill(&state, 1, y, N * K);
  const vise_i_data data = rig_data(x, N, DATA_IN, y, K, false, NULL);
  const vise_i_data inputs = rig_data(x, N, DATA_IN, NULL, 0, false, NULL);

  vise_i_step_spec mse = rig_spec(&net), external = rig_spec(&net);
  mse.max_batch = external.max_batch = N;
  external.rule.loss = VISE_LOSS_EXTERNAL;
  mse.parts = external.parts = parts;
  vise_i_backend *m = rig_create(ops, &mse, params), *e = rig_create(ops, &external, params);
  const vise_i_hyper hyper = rig_hyper(0.1);

  for (int step = 0; step < 5; step++) {
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats sm = {0}, se = {0};
    float delta[K * N]; /* in Fortran order */

    cr_assert(ops->forward(e, &(vise_i_batch){.data = &data, .n = N}, out, &err) == VISE_OK, "%s", err.text);
    for (size_t r = 0; r < N; r++) {
      for (size_t k = 0; k < K; k++) delta[k * N + r] = (float)((out[r * K + k] - y[r * K + k]) / N);
    }
    const vise_array given = {delta, VISE_F32, N, K, 1, N};

    cr_assert(ops->step(m, &(vise_i_batch){.data = &data, .n = data.x.n_rows}, &hyper, &sm, &err) == VISE_OK, "%s",
              err.text);
    cr_assert(
        ops->step(e, &(vise_i_batch){.data = &inputs, .n = inputs.x.n_rows, .delta = &given, .external_loss = 0.25},
                  &hyper, &se, &err) == VISE_OK,
        "%s", err.text);
    cr_expect(se.loss == 0.25 && se.n_rows == N && rig_near(se.grad_norm, sm.grad_norm, 0, 1e-5));
  }

  size_t worst;
  rig_get_state(ops, m, VISE_I_PARAMS, net.n_params, a);
  rig_get_state(ops, e, VISE_I_PARAMS, net.n_params, c);
  cr_expect(rig_compare(c, a, net.n_params, 1e-6, 0, &worst) == 0, "[%zu]: %g and %g", worst, c[worst], a[worst]);

  ops->destroy(m);
  ops->destroy(e);
  free(params);
  free(a);
  free(c);
}

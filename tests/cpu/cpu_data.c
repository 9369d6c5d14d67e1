/* How data come in: every type, both orders, every scaling; single steps, the caller's own delta, predictions. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/backend_rig.h"

enum { N = 37, N_IN = 19, N_OUT = 3, CHUNKED = 150 };

static double value_at(size_t r, size_t c) {
  return (double)((r * 31 + c * 17) % 251);
}

static const size_t SIZES[] = {1, 4, 8, 4, 8};

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

/* An array of the values above in either order; row_gap: elements between rows beyond their own (C order). */
static vise_array make_array(vise_dtype dtype, bool fortran, size_t row_gap, size_t n_rows, size_t n_cols,
                             bool as_label) {
  const size_t row_stride = fortran ? 1 : n_cols + row_gap, col_stride = fortran ? n_rows : 1;
  void *data = calloc(n_rows * (n_cols + row_gap), SIZES[dtype]);
  cr_assert(data != NULL);
  for (size_t r = 0; r < n_rows; r++) {
    for (size_t c = 0; c < n_cols; c++) {
      put(data, dtype, r * row_stride + c * col_stride, as_label ? (double)(r % N_OUT) : value_at(r, c));
    }
  }
  return (vise_array){data, dtype, n_rows, n_cols, row_stride, col_stride};
}

/* A net whose outputs are a linear map of the inputs: what is gathered is seen at once. */
static vise_i_net make_net(void) {
  static const size_t widths[] = {N_IN, N_OUT};
  return rig_net(1, widths, VISE_IDENTITY, true);
}

static void make_params(const vise_i_net *net, double *params) {
  uint64_t state = 5;
  rig_fill(&state, 0.25, params, net->n_params);
}

Test(cpu_data, every_type_order_and_scaling_gives_the_same_outputs) {
  const vise_i_net net = make_net();
  double params[(N_IN + 1) * N_OUT], shift[N_IN], scale[N_IN], out[N * N_OUT + 2], bits[N * N_OUT];
  const double unit_shift = 0, unit_scale = 255, odd_shift = 3, odd_scale = 0.7;
  make_params(&net, params);
  for (size_t c = 0; c < N_IN; c++) {
    shift[c] = 100 + (double)c;
    scale[c] = 40 + 3 * (double)c;
  }
  const vise_i_scaling scalings[] = {
      {NULL, NULL, false}, {&unit_shift, &unit_scale, true}, {&odd_shift, &odd_scale, true}, {shift, scale, false}};
  size_t rows[N];
  for (size_t i = 0; i < N; i++) rows[i] = (i * 5) % N;
  vise_i_step_spec spec = rig_spec(&net);
  spec.max_batch = 10;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
  for (size_t s = 0; s < 4; s++) {
    for (int dtype = VISE_U8; dtype <= VISE_F64; dtype++) {
      for (int layout = 0; layout < 3; layout++) {
        vise_error err = VISE_ERROR_INIT;
        const vise_array x = make_array((vise_dtype)dtype, layout == 1, layout == 2 ? 3 : 0, N, N_IN, false);
        const vise_i_data data = {.x = x, .x_scaling = scalings[s]};
        out[0] = out[N * N_OUT + 1] = 12345;
        cr_assert(vise_i_backend_cpu.forward(b, &data, rows, N, out + 1, &err) == VISE_OK, "%s", err.text);
        cr_expect(out[0] == 12345 && out[N * N_OUT + 1] == 12345, "wrote outside the outputs");
        for (size_t r = 0; r < N; r++) {
          for (size_t k = 0; k < N_OUT; k++) {
            double ref = params[N_IN * N_OUT + k];
            for (size_t c = 0; c < N_IN; c++) {
              const double v = value_at(rows[r], c);
              const double scaled = !scalings[s].shift    ? v
                                    : scalings[s].uniform ? (v - *scalings[s].shift) / *scalings[s].scale
                                                          : (v - shift[c]) / scale[c];
              ref += params[k * N_IN + c] * scaled;
            }
            const double got = out[1 + r * N_OUT + k];
            cr_expect(rig_near(got, ref, 2e-4, 1e-5), "scaling %zu, %s, layout %d, row %zu: %.9g, expected %.9g", s,
                      vise_dtype_name((vise_dtype)dtype), layout, r, got, ref);
          }
        }
        /* the type and order of the source leave no trace (bytes divide, the others multiply by the inverse) */
        if (dtype == VISE_I32 && layout == 0) memcpy(bits, out + 1, sizeof bits);
        if (dtype >= VISE_I32) cr_expect(memcmp(bits, out + 1, sizeof bits) == 0);
        free((void *)(uintptr_t)x.data);
      }
    }
  }
  vise_i_backend_cpu.destroy(b);
}

Test(cpu_data, labels_of_every_type) {
  const vise_i_net net = make_net();
  double params[(N_IN + 1) * N_OUT], gradient[(N_IN + 1) * N_OUT], first[(N_IN + 1) * N_OUT];
  const double shift = 0, scale = 255;
  make_params(&net, params);
  vise_i_step_spec spec = rig_spec(&net);
  spec.loss = VISE_LOSS_CROSS_ENTROPY;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
  for (int dtype = VISE_U8; dtype <= VISE_F64; dtype++) {
    vise_error err = VISE_ERROR_INIT;
    const vise_i_data data = {.x = make_array(VISE_U8, false, 0, N, N_IN, false),
                              .y = make_array((vise_dtype)dtype, false, 0, N, 1, true),
                              .y_is_class = true,
                              .x_scaling = {&shift, &scale, true}};
    double loss, penalty;
    cr_assert(vise_i_backend_cpu.full_gradient(b, &data, NULL, N, gradient, &loss, &penalty, &err) == VISE_OK, "%s",
              err.text);
    cr_expect(isfinite(loss) && loss > 0 && penalty == 0);
    if (dtype == VISE_U8) memcpy(first, gradient, sizeof first);
    cr_expect(memcmp(first, gradient, sizeof first) == 0, "%s", vise_dtype_name((vise_dtype)dtype));
    free((void *)(uintptr_t)data.x.data);
    free((void *)(uintptr_t)data.y.data);
  }
  vise_i_backend_cpu.destroy(b);
}

Test(cpu_data, refuses_what_does_not_fit) {
  const vise_i_net net = make_net();
  double params[(N_IN + 1) * N_OUT], x[4 * N_IN] = {0}, y[4] = {0, 1, 3, 2};
  make_params(&net, params);
  vise_i_step_spec spec = rig_spec(&net);
  spec.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.max_batch = 4;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
  const vise_i_hyper hyper = rig_hyper(0.1);
  vise_step_stats stats = {0};
  vise_error err = VISE_ERROR_INIT;
  vise_i_data data = rig_data(x, 4, N_IN, y, 1, true, NULL);
  cr_expect(vise_i_backend_cpu.step(b, &data, NULL, 0, &hyper, &stats, &err) == VISE_ERR_VALUE);
  cr_expect(strstr(err.text, "row 2") && strstr(err.text, "label 3"), "%s", err.text);
  vise_error_clear(&err);
  data = rig_data(x, 4, N_IN - 1, y, 1, true, NULL);
  cr_expect(vise_i_backend_cpu.bind(b, &data, &err) == VISE_ERR_SHAPE);
  vise_error_clear(&err);
  data = rig_data(x, 4, N_IN, NULL, 0, true, NULL);
  cr_expect(vise_i_backend_cpu.bind(b, &data, &err) == VISE_ERR_SHAPE);
  vise_i_backend_cpu.destroy(b);
}

/* The external loss with delta = (yhat - y)/N must train as mse does. */
Test(cpu_data, external_delta_is_the_gradient_of_the_outputs) {
  static const size_t widths[] = {N_IN, 8, N_OUT};
  const vise_i_net net = rig_net(2, widths, VISE_RELU, true);
  double *params = calloc(net.n_params, sizeof *params), *a = calloc(net.n_params, sizeof *a);
  double *c = calloc(net.n_params, sizeof *c), x[N * N_IN], y[N * N_OUT], out[N * N_OUT];
  uint64_t state = 9;
  rig_fill(&state, 0.3, params, net.n_params);
  rig_fill(&state, 1, x, N * N_IN);
  rig_fill(&state, 1, y, N * N_OUT);
  const vise_i_data data = rig_data(x, N, N_IN, y, N_OUT, false, NULL);
  vise_i_step_spec mse = rig_spec(&net), external = rig_spec(&net);
  external.loss = VISE_LOSS_EXTERNAL;
  vise_i_backend *m = rig_create(&vise_i_backend_cpu, &mse, params);
  vise_i_backend *e = rig_create(&vise_i_backend_cpu, &external, params);
  const vise_i_hyper hyper = rig_hyper(0.1);
  for (int step = 0; step < 5; step++) {
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats sm = {0}, se = {0};
    float delta[N_OUT * N]; /* in Fortran order */
    cr_assert(vise_i_backend_cpu.forward(e, &data, NULL, N, out, &err) == VISE_OK);
    for (size_t r = 0; r < N; r++) {
      for (size_t k = 0; k < N_OUT; k++) delta[k * N + r] = (float)((out[r * N_OUT + k] - y[r * N_OUT + k]) / N);
    }
    const vise_array given = {delta, VISE_F32, N, N_OUT, 1, N};
    const vise_i_data inputs = rig_data(x, N, N_IN, NULL, 0, false, NULL);
    cr_assert(vise_i_backend_cpu.step(m, &data, NULL, 0, &hyper, &sm, &err) == VISE_OK, "%s", err.text);
    cr_assert(vise_i_backend_cpu.step(e, &inputs, &given, 0.25, &hyper, &se, &err) == VISE_OK, "%s", err.text);
    cr_expect(se.loss == 0.25 && se.n_rows == N && rig_near(se.grad_norm, sm.grad_norm, 0, 1e-5));
  }
  size_t worst;
  rig_get_state(&vise_i_backend_cpu, m, VISE_I_PARAMS, net.n_params, a);
  rig_get_state(&vise_i_backend_cpu, e, VISE_I_PARAMS, net.n_params, c);
  cr_expect(rig_compare(c, a, net.n_params, 1e-6, 0, &worst) == 0, "[%zu]: %g and %g", worst, c[worst], a[worst]);
  vise_i_backend_cpu.destroy(m);
  vise_i_backend_cpu.destroy(e);
  free(params);
  free(a);
  free(c);
}

Test(cpu_data, forward_of_many_rows_is_forward_of_each) {
  static const size_t widths[] = {N_IN, 11, N_OUT};
  const vise_i_net net = rig_net(2, widths, VISE_GELU, true);
  double *params = calloc(net.n_params, sizeof *params), x[CHUNKED * N_IN], all[CHUNKED * N_OUT], one[N_OUT];
  uint64_t state = 10;
  rig_fill(&state, 0.3, params, net.n_params);
  rig_fill(&state, 1, x, CHUNKED * N_IN);
  const vise_i_data data = rig_data(x, CHUNKED, N_IN, NULL, 0, false, NULL);
  vise_i_step_spec spec = rig_spec(&net);
  spec.max_batch = 1;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);
  vise_error err = VISE_ERROR_INIT;
  cr_assert(vise_i_backend_cpu.forward(b, &data, NULL, CHUNKED, all, &err) == VISE_OK);
  for (size_t r = 0; r < CHUNKED; r++) {
    cr_assert(vise_i_backend_cpu.forward(b, &data, &r, 1, one, &err) == VISE_OK);
    for (size_t k = 0; k < N_OUT; k++) cr_expect(rig_near(all[r * N_OUT + k], one[k], 1e-6, 1e-6), "row %zu", r);
  }
  vise_i_backend_cpu.destroy(b);
  free(params);
}

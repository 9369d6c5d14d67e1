/* How data comes in: every type, both orders, every scaling; single steps, the caller's own delta, predictions. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/data_rig.h"

enum { N = DATA_ROWS, N_IN = DATA_IN, N_OUT = DATA_OUT, CHUNKED = 150 };

Test(cpu_data, every_type_order_and_scaling_gives_the_same_outputs) {
  double params[DATA_PARAMS], shift[N_IN], scale[N_IN], out[N * N_OUT + 2], bits[N * N_OUT];
  const double unit_shift = 0, unit_scale = 255, odd_shift = 3, odd_scale = 0.7;
  const vise_i_net net = data_linear_net(params);

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
        const vise_array x = data_array((vise_dtype)dtype, layout, N, N_IN, false);
        const vise_i_data data = {.x = x, .x_scaling = scalings[s]};

        out[0] = out[N * N_OUT + 1] = 12345;
        cr_assert(vise_i_backend_cpu.forward(b, &data, rows, N, out + 1, &err) == VISE_OK, "%s", err.text);
        cr_expect(out[0] == 12345 && out[N * N_OUT + 1] == 12345, "wrote outside the outputs");

        for (size_t r = 0; r < N; r++) {
          for (size_t k = 0; k < N_OUT; k++) {
            double ref = params[N_IN * N_OUT + k];
            for (size_t c = 0; c < N_IN; c++) {
              const double v = data_value(rows[r], c);
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

        data_array_free(&x);
      }
    }
  }

  vise_i_backend_cpu.destroy(b);
}

Test(cpu_data, labels_of_every_type) {
  double params[DATA_PARAMS], gradient[DATA_PARAMS], first[DATA_PARAMS];
  const double shift = 0, scale = 255;
  const vise_i_net net = data_linear_net(params);

  vise_i_step_spec spec = rig_spec(&net);
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  vise_i_backend *b = rig_create(&vise_i_backend_cpu, &spec, params);

  for (int dtype = VISE_U8; dtype <= VISE_F64; dtype++) {
    vise_error err = VISE_ERROR_INIT;
    const vise_i_data data = {.x = data_array(VISE_U8, 0, N, N_IN, false),
                              .y = data_array((vise_dtype)dtype, 0, N, 1, true),
                              .y_is_class = true,
                              .x_scaling = {&shift, &scale, true}};
    double loss, penalty;

    cr_assert(vise_i_backend_cpu.full_gradient(b, &data, NULL, N, gradient, &loss, &penalty, &err) == VISE_OK, "%s",
              err.text);
    cr_expect(isfinite(loss) && loss > 0 && penalty == 0);

    if (dtype == VISE_U8) memcpy(first, gradient, sizeof first);
    cr_expect(memcmp(first, gradient, sizeof first) == 0, "%s", vise_dtype_name((vise_dtype)dtype));

    data_array_free(&data.x);
    data_array_free(&data.y);
  }

  vise_i_backend_cpu.destroy(b);
}

Test(cpu_data, refuses_what_does_not_fit) {
  double params[DATA_PARAMS], x[4 * N_IN] = {0}, y[4] = {0, 1, 3, 2};
  const vise_i_net net = data_linear_net(params);

  vise_i_step_spec spec = rig_spec(&net);
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
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

Test(cpu_data, external_delta_is_the_gradient_of_the_outputs) {
  check_external_delta(&vise_i_backend_cpu);
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

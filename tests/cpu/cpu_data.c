/* How data comes in: every type, both orders, every scaling; single steps, the caller's own delta, predictions. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/data_rig.h"

enum { N = DATA_ROWS, N_IN = DATA_IN, N_OUT = DATA_OUT, CHUNKED = 150 };

Test(cpu_data, every_type_order_and_scaling_gives_the_same_outputs) {
  check_inputs_of_every_type(&vise_i_backend_cpu);
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

    cr_assert(vise_i_backend_cpu.full_gradient(b, &(vise_i_batch){.data = &data, .n = N}, gradient, &loss, &penalty,
                                               &err) == VISE_OK,
              "%s", err.text);
    cr_expect(isfinite(loss) && loss > 0 && penalty == 0);

    if (dtype == VISE_U8) memcpy(first, gradient, sizeof first);
    cr_expect(memcmp(first, gradient, sizeof first) == 0, "%s", vise_dtype_name((vise_dtype)dtype));

    data_array_free(&data.x);
    data_array_free(&data.y);
  }

  vise_i_backend_cpu.destroy(b);
}

Test(cpu_data, refuses_what_does_not_fit) {
  check_refusal_of_data(&vise_i_backend_cpu);
}

Test(cpu_data, external_delta_is_the_gradient_of_the_outputs) {
  check_external_delta(&vise_i_backend_cpu, 0);
  check_external_delta(&vise_i_backend_cpu, 8);
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

  cr_assert(vise_i_backend_cpu.forward(b, &(vise_i_batch){.data = &data, .n = CHUNKED}, all, &err) == VISE_OK);
  for (size_t r = 0; r < CHUNKED; r++) {
    cr_assert(vise_i_backend_cpu.forward(b, &(vise_i_batch){.data = &data, .rows = &r, .n = 1}, one, &err) == VISE_OK);
    for (size_t k = 0; k < N_OUT; k++) cr_expect(rig_near(all[r * N_OUT + k], one[k], 1e-6, 1e-6), "row %zu", r);
  }

  vise_i_backend_cpu.destroy(b);
  free(params);
}

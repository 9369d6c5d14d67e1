#include "tests/support/given_gradient.h"

#include <criterion/criterion.h>
#include <string.h>

#define OPS (&vise_i_backend_cpu64)

void given_make(given *g, double lr) {
  static const size_t widths[] = {GIVEN_IN, GIVEN_OUT};
  memset(g, 0, sizeof *g);
  g->net = rig_net(1, widths, VISE_RELU, true);
  g->spec = rig_spec(&g->net);
  g->spec.rule.loss = VISE_LOSS_EXTERNAL;
  g->hyper = rig_hyper(lr);
}

void given_start(given *g, const double *params) {
  g->b = rig_create(OPS, &g->spec, params);
}

void given_step(given *g, const double *w_grad) {
  static const double identity[GIVEN_IN * GIVEN_IN] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  double delta[GIVEN_IN * GIVEN_OUT];
  const vise_array array = {delta, VISE_F64, GIVEN_IN, GIVEN_OUT, GIVEN_OUT, 1};
  const vise_i_data data = rig_data(identity, GIVEN_IN, GIVEN_IN, NULL, 0, false, NULL);
  const vise_i_batch batch = {.data = &data, .n = GIVEN_IN, .delta = &array};
  vise_error err = VISE_ERROR_INIT;

  for (size_t k = 0; k < GIVEN_OUT; k++) {
    for (size_t i = 0; i < GIVEN_IN; i++) delta[i * GIVEN_OUT + k] = w_grad[k * GIVEN_IN + i];
  }

  cr_assert(OPS->step(g->b, &batch, &g->hyper, &g->stats, &err) == VISE_OK, "%s", err.text);
  rig_get_state(OPS, g->b, VISE_I_PARAMS, GIVEN_PARAMS, g->params);
}

void given_expect(const double *got, const double *expected, const char *what) {
  size_t worst;
  cr_expect(rig_compare(got, expected, GIVEN_PARAMS, 1e-15, 1e-14, &worst) == 0, "%s: [%zu] = %.17g, expected %.17g",
            what, worst, got[worst], expected[worst]);
}

/* The numbers that any implementation must reproduce: small problems whose answers docs/step.md lists. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "tests/support/backend_rig.h"

#define OPS (&vise_i_backend_cpu64)
#define N_A 100
#define DIGITS 6e-7 /* six digits after the point, as listed */

/* One weight and one bias on data A, trained on all rows at once. */
typedef struct problem {
  vise_i_net net;
  vise_i_step_spec spec;
  double x[N_A], y[N_A];
  double params[2];
  uint64_t clipped_values;
  vise_step_stats last;
} problem;

static void problem_make(problem *p, vise_mse_reduction reduction) {
  const size_t widths[] = {1, 1};
  json_t *root = json_load_file(VISE_SOURCE_DIR "/tests/golden/data_a.json", 0, NULL);
  cr_assert(root && json_array_size(json_object_get(root, "x")) == N_A);

  for (size_t i = 0; i < N_A; i++) {
    p->x[i] = json_number_value(json_array_get(json_object_get(root, "x"), i));
    p->y[i] = json_number_value(json_array_get(json_object_get(root, "y"), i));
  }
  json_decref(root);

  p->net = rig_net(1, widths, VISE_RELU, true);
  p->spec = rig_spec(&p->net);
  p->spec.rule.mse_reduction = reduction;
  p->spec.assert_projection = true;
  p->params[0] = 0.05;
  p->params[1] = 0;
  p->clipped_values = 0;
}

/* mean, L2 and values clipped at 0.5 */
static void problem_make_clipped(problem *p) {
  problem_make(p, VISE_MSE_MEAN);
  p->spec.rule.k2 = 0.02;
  p->spec.rule.clip_value = true;
  p->spec.rule.clip_lo = -0.5;
  p->spec.rule.clip_hi = 0.5;
}

static void problem_run(problem *p, double lr, size_t n_steps) {
  vise_i_data data = rig_data(p->x, N_A, 1, p->y, 1, false, NULL);
  vise_i_hyper hyper = rig_hyper(lr);
  vise_i_backend *b = rig_create(OPS, &p->spec, p->params);
  vise_error err = VISE_ERROR_INIT;
  for (size_t s = 0; s < n_steps; s++) {
    cr_assert(OPS->step(b, &(vise_i_batch){.data = &data, .n = data.x.n_rows}, &hyper, &p->last, &err) == VISE_OK, "%s",
              err.text);
    p->clipped_values += p->last.n_clipped_values;
  }
  rig_get_state(OPS, b, VISE_I_PARAMS, 2, p->params);
  OPS->destroy(b);
}

static void expect(const problem *p, double w, double bias) {
  cr_expect(rig_near(p->params[0], w, DIGITS, 0), "w = %.9f, expected %.6f", p->params[0], w);
  cr_expect(rig_near(p->params[1], bias, DIGITS, 0), "b = %.9f, expected %.6f", p->params[1], bias);
}

Test(oracle_numbers, data_a_least_squares_and_ridge) {
  problem p;
  problem_make(&p, VISE_MSE_HALF_MEAN);
  problem_run(&p, 0.5, 3000);
  expect(&p, 2.968468, 2.111076);

  problem_make(&p, VISE_MSE_HALF_MEAN);
  p.spec.rule.k2 = 0.02; /* lambda2 = 0.01, convention lambda_w2 */
  problem_run(&p, 0.5, 3000);
  expect(&p, 2.392725, 2.383283);

  problem_make(&p, VISE_MSE_MEAN);
  p.spec.rule.k2 = 0.02;
  problem_run(&p, 0.25, 3000);
  expect(&p, 2.649681, 2.261796);
}

Test(oracle_numbers, data_a_value_clip) {
  problem p;
  problem_make_clipped(&p);
  problem_run(&p, 0.01, 1000);
  expect(&p, 2.516765, 2.329732);
  cr_expect(p.clipped_values == 859, "%lu components clipped, expected 859", p.clipped_values);
  problem_run(&p, 0.01, 19000);
  expect(&p, 2.649681, 2.261796);
}

Test(oracle_numbers, data_a_box) {
  problem p;
  problem_make_clipped(&p);
  p.spec.boxes[0].lo = -2.5;
  p.spec.boxes[0].hi = 2.5;
  problem_run(&p, 0.01, 20000);
  expect(&p, 2.5, 2.332564);
  cr_expect(p.params[0] == 2.5 && p.last.n_at_hi == 1 && p.last.n_boxed == 1);

  p.spec.boxes[0].lo = -1;
  p.spec.boxes[0].hi = 1;
  problem_run(&p, 0.01, 20000);
  expect(&p, 1, 3.041755);
  cr_expect(rig_near(p.last.loss + p.last.penalty, 0.580, 5e-4, 0), "objective %g", p.last.loss + p.last.penalty);

  p.spec.rule.clamp_bias = true;
  problem_run(&p, 0.01, 2000);
  cr_expect(p.params[0] == 1 && p.params[1] == 1 && p.last.n_at_hi == 2 && p.last.n_boxed == 2);
  cr_expect(rig_near(p.last.loss + p.last.penalty, 4.749, 5e-4, 0), "objective %g", p.last.loss + p.last.penalty);
}

Test(oracle_numbers, data_b_penalty_over_m) {
  const size_t widths[] = {1, 1};
  const double x[] = {1, 2, 3, 4};
  vise_i_net net = rig_net(1, widths, VISE_RELU, false);
  vise_i_step_spec spec = rig_spec(&net);
  vise_i_data data = rig_data(x, 4, 1, x, 1, false, NULL);
  vise_i_hyper hyper = rig_hyper(0.1);
  vise_step_stats stats;
  double w = 0;
  vise_i_backend *b;

  spec.rule.k2 = 0.01 / 4; /* lambda2 / m */
  b = rig_create(OPS, &spec, &w);
  for (size_t s = 0; s < 500; s++)
    cr_assert(OPS->step(b, &(vise_i_batch){.data = &data, .n = data.x.n_rows}, &hyper, &stats, NULL) == VISE_OK);
  rig_get_state(OPS, b, VISE_I_PARAMS, 1, &w);

  cr_expect(rig_near(w, 30 / 30.01, 1e-14, 0), "w = %.17g", w);
  OPS->destroy(b);
}

/* What cpu64 does with a gradient: optimizers, cap, decay, proximal L1, mask, box, max-norm, counts. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/support/given_gradient.h"

#define OPS (&vise_i_backend_cpu64)

static const double no_gradient[6] = {0};

static void make(given *r) {
  given_make(r, 0.1);
  r->spec.assert_projection = true;
}

/* ---- optimizers: their formulas, written out for one weight over five steps ---- */

static const double gradients[5] = {0.5, -0.25, 2, 0, -1};

static void check_one_weight(given *r, const double *expected, const char *what) {
  double start[GIVEN_PARAMS] = {1}, w_grad[6] = {0};
  given_start(r, start);
  for (size_t s = 0; s < 5; s++) {
    w_grad[0] = gradients[s];
    given_step(r, w_grad);
    cr_expect(rig_near(r->params[0], expected[s], 1e-15, 1e-14), "%s, step %zu: %.17g, expected %.17g", what, s + 1,
              r->params[0], expected[s]);
  }
  OPS->destroy(r->b);
}

Test(oracle_update, sgd_momentum_and_nesterov) {
  for (int kind = 0; kind < 3; kind++) {
    double mu = kind ? 0.8 : 0, v = 0, w = 1, expected[5];
    given r;

    make(&r);
    r.spec.rule.momentum = mu;
    r.spec.rule.nesterov = kind == 2;

    for (size_t s = 0; s < 5; s++) {
      v = mu * v + gradients[s];
      w -= 0.1 * (kind == 2 ? gradients[s] + mu * v : v);
      expected[s] = w;
    }

    check_one_weight(&r, expected, "sgd");
  }
}

Test(oracle_update, rmsprop_and_adam) {
  for (int kind = 0; kind < 3; kind++) {
    double m = 0, s2 = 0, w = 1, expected[5];
    given r;

    make(&r);
    r.spec.rule.optimizer = kind == 2 ? VISE_ADAM : VISE_RMSPROP;
    r.spec.rule.momentum = kind == 1 ? 0.7 : 0;
    r.spec.rule.eps = 0.01;

    for (size_t s = 0; s < 5; s++) {
      double g = gradients[s], t = (double)s + 1;
      if (kind == 2) {
        m = 0.9 * m + 0.1 * g;
        s2 = 0.999 * s2 + 0.001 * g * g;
        w -= 0.1 * (m / (1 - pow(0.9, t))) / (sqrt(s2 / (1 - pow(0.999, t))) + 0.01);
      } else {
        s2 = 0.9 * s2 + 0.1 * g * g;
        m = (kind == 1 ? 0.7 : 0) * m + g / (sqrt(s2) + 0.01);
        w -= 0.1 * m;
      }
      expected[s] = w;
    }

    check_one_weight(&r, expected, kind == 2 ? "adam" : "rmsprop");
  }
}

Test(oracle_update, lion) {
  double m = 0, w = 1, expected[5];
  given r;

  make(&r);
  r.spec.rule.optimizer = VISE_LION;
  r.spec.rule.beta2 = 0.5;

  for (size_t s = 0; s < 5; s++) {
    const double v = 0.9 * m + 0.1 * gradients[s];
    w -= v > 0 ? 0.1 : v < 0 ? -0.1 : 0;
    m = 0.5 * m + 0.5 * gradients[s];
    expected[s] = w;
  }

  check_one_weight(&r, expected, "lion");
}

/* d = clamp(eta u, -U, U): the update is capped, the momentum is not. */
Test(oracle_update, cap_bounds_the_update_not_the_momentum) {
  double v = 0, w = 1, expected[5];
  given r;

  make(&r);
  r.spec.rule.momentum = 0.8;
  r.spec.rule.max_update = 0.06;

  for (size_t s = 0; s < 5; s++) {
    v = 0.8 * v + gradients[s];
    w -= fmin(fmax(0.1 * v, -0.06), 0.06);
    expected[s] = w;
  }

  check_one_weight(&r, expected, "cap");
}

/* ---- decay and proximal L1 ---- */

Test(oracle_update, decoupled_decay_spares_biases_and_never_changes_signs) {
  const double start[] = {1, -2, 3, -4, 5, -6, 7, -8};
  const double decayed[] = {0.8, -1.6, 2.4, -3.2, 4, -4.8, 7, -8}, none[] = {0, 0, 0, 0, 0, 0, 7, -8};
  const double all[GIVEN_PARAMS] = {0};
  given r;

  make(&r);
  r.spec.rule.k2d = 2;
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, decayed, "eta k2d = 0.2");
  cr_expect(r.stats.penalty == 0); /* it is not part of the objective */

  r.hyper.lr = 0.7;
  given_step(&r, no_gradient);
  given_expect(r.params, none, "eta k2d = 1.4");
  OPS->destroy(r.b);

  r.spec.rule.penalize_bias = true;
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, all, "biases too");
  OPS->destroy(r.b);
}

Test(oracle_update, proximal_l1_makes_true_zeros) {
  const double start[] = {1, -1, 0.05, -0.05, 0.1, -0.1, 0.05, -0.05};
  const double ref[] = {0.9, -0.9, 0, 0, 0, 0, 0.05, -0.05};
  given r;

  make(&r);
  r.spec.rule.k1 = 1;
  r.spec.rule.prox_l1 = true;
  given_start(&r, start);

  given_step(&r, no_gradient);
  given_expect(r.params, ref, "prox");
  for (size_t i = 2; i < 6; i++) cr_expect(r.params[i] == 0);
  cr_expect(rig_near(r.stats.penalty, 2.3, 0, 1e-15) && r.stats.grad_norm == 0); /* value yes, gradient no */
  OPS->destroy(r.b);
}

Test(oracle_update, l1_subgradient_is_zero_at_zero) {
  const double start[] = {1, -1, 0, -0.0, 2, -2, 1, -1}, ref[] = {0.9, -0.9, 0, 0, 1.9, -1.9, 1, -1};
  given r;
  make(&r);
  r.spec.rule.k1 = 1;
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, ref, "subgradient");
  OPS->destroy(r.b);
}

Test(oracle_update, norm_penalty_of_a_zero_tensor_is_no_nan) {
  const double start[GIVEN_PARAMS] = {0, 0, 0, 0, 0, 0, 3, 4};
  given r;

  make(&r);
  r.spec.rule.kF = 1;
  r.spec.rule.penalize_bias = true;
  given_start(&r, start);

  given_step(&r, no_gradient);
  const double ref[GIVEN_PARAMS] = {0, 0, 0, 0, 0, 0, 3 - 0.1 * 0.6, 4 - 0.1 * 0.8};
  given_expect(r.params, ref, "norm penalty");
  cr_expect(r.stats.penalty == 5 && rig_near(r.stats.grad_norm, 1, 0, 1e-15));
  OPS->destroy(r.b);
}

/* ---- mask, box, max-norm ---- */

Test(oracle_update, a_pruned_weight_never_comes_back_nor_its_moments) {
  const double start[] = {1, 2, 3, 4, 5, 6, 7, 8}, w_grad[] = {1, 1, 1, 1, 1, 1};
  const uint8_t mask[] = {0, 1, 1, 0, 1, 1, 1, 1};
  double m[GIVEN_PARAMS], s[GIVEN_PARAMS];
  given r;

  make(&r);
  r.spec.rule.optimizer = VISE_ADAM;
  r.spec.use_mask = true;
  given_start(&r, start);

  given_step(&r, w_grad); /* moments of the weights to come off are not 0 */
  cr_expect(r.params[0] != 0);

  cr_assert(OPS->set_state(r.b, VISE_I_MASK, mask, NULL) == VISE_OK);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, GIVEN_PARAMS, r.params);
  cr_expect(r.params[0] != 0); /* setting it changes nothing yet */
  cr_assert(OPS->project(r.b, &r.hyper, NULL) == VISE_OK);

  for (int k = 0; k < 3; k++) {
    rig_get_state(OPS, r.b, VISE_I_PARAMS, GIVEN_PARAMS, r.params);
    rig_get_state(OPS, r.b, VISE_I_MOMENT1, GIVEN_PARAMS, m);
    rig_get_state(OPS, r.b, VISE_I_MOMENT2, GIVEN_PARAMS, s);
    for (size_t i = 0; i < GIVEN_PARAMS; i++) {
      bool zero = r.params[i] == 0 && m[i] == 0 && s[i] == 0;
      cr_expect(zero == !mask[i], "[%zu] = %g, %g, %g", i, r.params[i], m[i], s[i]);
    }

    given_step(&r, w_grad);
  }
  OPS->destroy(r.b);
}

Test(oracle_update, box_is_counted_and_exempts_biases_unless_asked) {
  const double start[] = {-5, -1, 0.5, 2, 5, 1, -9, 9};
  const double ref[] = {-1, -1, 0.5, 2, 2, 1, -9, 9}, with_bias[] = {-1, -1, 0.5, 2, 2, 1, -1, 2};
  given r;

  make(&r);
  r.spec.boxes[0].lo = -1;
  r.spec.boxes[0].hi = 2;
  given_start(&r, start);

  given_step(&r, no_gradient);
  given_expect(r.params, ref, "box");
  cr_expect(r.stats.n_at_lo == 2 && r.stats.n_at_hi == 2 && r.stats.n_boxed == 6);
  OPS->destroy(r.b);

  r.spec.rule.clamp_bias = true;
  given_start(&r, start);
  cr_assert(OPS->project(r.b, &r.hyper, NULL) == VISE_OK);
  rig_get_state(OPS, r.b, VISE_I_PARAMS, GIVEN_PARAMS, r.params);
  given_expect(r.params, with_bias, "project");

  given_step(&r, no_gradient);
  given_expect(r.params, with_bias, "box with biases");
  cr_expect(r.stats.n_at_lo == 3 && r.stats.n_at_hi == 3 && r.stats.n_boxed == 8);
  cr_expect(r.b->tensor_stats[1].n_at_lo == 1 && r.b->tensor_stats[0].n_at_hi == 2);
  OPS->destroy(r.b);
}

Test(oracle_update, clamp_factor_scales_finite_bounds_only) {
  const double start[] = {-5, -1, 0.5, 2, 5, 1, -9, 9};
  const double half[] = {-5, -1, 0.5, 1, 1, 1, -9, 9}, zero[] = {-5, -1, 0, 0, 0, 0, -9, 9};
  given r;

  make(&r);
  r.spec.boxes[0].hi = 2; /* lo stays open */
  r.hyper.clamp_factor = 0.5;
  given_start(&r, start);

  given_step(&r, no_gradient);
  given_expect(r.params, half, "factor 0.5");
  cr_expect(r.stats.n_at_lo == 0 && r.stats.n_at_hi == 3 && r.stats.n_boxed == 6);

  r.hyper.clamp_factor = 0;
  given_step(&r, no_gradient);
  given_expect(r.params, zero, "factor 0");
  cr_expect(r.stats.n_at_lo == 0 && r.stats.n_at_hi == 4);
  OPS->destroy(r.b);
}

/* The box, then the norm: rows (3, 4, 0) after the box and 0. */
Test(oracle_update, max_norm_comes_after_the_box_and_leaves_zero_rows) {
  const double start[] = {3, 40, 0, 0, 0, 0, 30, 40};
  const double unit[] = {1.5, 2, 0, 0, 0, 0, 30, 40}, row2[] = {3, 4, 0, 0, 0, 12, 30, 40};
  const double tensor[] = {1.5, 2, 0, 0, 0, 6, 30, 40};
  given r;

  make(&r);
  r.spec.boxes[0].lo = -4;
  r.spec.boxes[0].hi = 4;
  r.spec.rule.max_norm = 2.5;
  given_start(&r, start);

  given_step(&r, no_gradient);
  given_expect(r.params, unit, "unit");
  cr_expect(r.stats.n_at_hi == 0 && r.stats.n_boxed == 6);
  OPS->destroy(r.b);

  r.spec.boxes[0].lo = -INFINITY;
  r.spec.boxes[0].hi = INFINITY;
  r.spec.rule.max_norm = 6.5;
  r.spec.rule.max_norm_scope = VISE_MAX_NORM_TENSOR;
  given_start(&r, row2);
  given_step(&r, no_gradient);
  given_expect(r.params, tensor, "tensor");
  OPS->destroy(r.b);
}

/* The sum 3 + 1 + 1 becomes 2 by taking 1 from each entry. By sides, 1.5 + 1 gives 0.5, shared by two; 4 gives 2. */
Test(oracle_update, rows_come_between_box_and_max_norm) {
  const double start[] = {30, -1, 1, 2, -5, 2, 30, 40};
  const double ball[] = {2, 0, 0, 0, -2, 0, 30, 40}, sided[] = {1.25, -1, 0.75, 1, -2, 1, 30, 40};
  const double normed[] = {1, 0, 0, 0, -1, 0, 30, 40};
  given r;

  make(&r);
  r.spec.boxes[0] = (vise_i_box){-4, 3};
  r.spec.row_balls[0] = (vise_i_row_ball){2 / (1 - 0x1p-20), false};
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, ball, "ball");
  cr_expect(r.stats.n_at_hi == 0 && r.stats.n_boxed == 6);
  OPS->destroy(r.b);

  r.spec.rule.max_norm = 1;
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, normed, "ball and norm");
  OPS->destroy(r.b);

  r.spec.rule.max_norm = 0;
  r.spec.row_balls[0].sided = true;
  r.spec.boxes[0].hi = 1.5;
  given_start(&r, start);
  given_step(&r, no_gradient);
  given_expect(r.params, sided, "sided");
  OPS->destroy(r.b);
}

/* After the box, before the sums of rows: -3 and 2 are on their wrong sides, and 1.5 + 0.5 is no more than 2. */
Test(oracle_update, signs_hold_before_sums_of_rows) {
  const double start[] = {-3, 1.5, 0.5, 2, -1, -0.0, -30, 40}, held[] = {0, 1.5, 0.5, 0, -1, 0, 0, 40};
  const uint8_t mask[] = {3, 3, 1, 5, 5, 3, 3, 1};
  given r;

  make(&r);
  r.spec.use_mask = true;
  r.spec.row_balls[0].radius = 2 / (1 - 0x1p-20);
  given_start(&r, start);
  cr_assert(OPS->set_state(r.b, VISE_I_MASK, mask, NULL) == VISE_OK);
  given_step(&r, no_gradient);
  given_expect(r.params, held, "signs");
  OPS->destroy(r.b);
}

/* ---- state ---- */

Test(oracle_update, keeps_the_state_that_the_optimizer_needs) {
  static const struct {
    vise_optimizer optimizer;
    double momentum;
    bool moment1, moment2;
  } cases[] = {{VISE_SGD, 0, false, false},     {VISE_SGD, 0.9, true, false}, {VISE_RMSPROP, 0, false, true},
               {VISE_RMSPROP, 0.9, true, true}, {VISE_ADAM, 0, true, true},   {VISE_LION, 0, true, false}};

  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double values[GIVEN_PARAMS] = {1, 2, 3, 4, 5, 6, 7, 8}, back[GIVEN_PARAMS] = {0};
    given r;

    make(&r);
    r.spec.rule.optimizer = cases[c].optimizer;
    r.spec.rule.momentum = cases[c].momentum;
    given_start(&r, values);

    cr_expect(OPS->has_state(r.b, VISE_I_PARAMS) && !OPS->has_state(r.b, VISE_I_MASK));
    cr_expect(OPS->has_state(r.b, VISE_I_MOMENT1) == cases[c].moment1 &&
              OPS->has_state(r.b, VISE_I_MOMENT2) == cases[c].moment2);

    for (int which = VISE_I_MOMENT1; which <= VISE_I_MASK; which++) {
      bool kept = OPS->has_state(r.b, (vise_i_state)which);
      vise_status expected = kept ? VISE_OK : VISE_ERR_INTERNAL;

      cr_expect(OPS->set_state(r.b, (vise_i_state)which, values, NULL) == expected);
      cr_expect(OPS->get_state(r.b, (vise_i_state)which, back, NULL) == expected);
      if (kept) cr_expect(memcmp(values, back, sizeof back) == 0);
    }
    OPS->destroy(r.b);
  }
}

/* beta^t by repeated multiplication, as the state is saved and restored: not by pow, which rounds differently. */
Test(oracle_update, powers_of_beta_are_products) {
  const double start[GIVEN_PARAMS] = {0};
  double beta1_t = 1, beta2_t = 1;
  given r;

  make(&r);
  r.spec.rule.optimizer = VISE_ADAM;
  given_start(&r, start);
  cr_expect(OPS->get_counters(r.b).applied_steps == 0 && OPS->get_counters(r.b).beta1_t == 1);

  for (uint64_t t = 1; t <= 1000; t++) {
    vise_i_counters c;

    given_step(&r, no_gradient);
    beta1_t *= 0.9;
    beta2_t *= 0.999;
    c = OPS->get_counters(r.b);
    cr_assert(c.applied_steps == t && c.beta1_t == beta1_t && c.beta2_t == beta2_t, "t = %lu", t);
  }
  OPS->destroy(r.b);
}

/* Steps first..last of a fixed sequence of gradients. */
static void apply_sequence(given *r, uint64_t first, uint64_t last) {
  for (uint64_t k = first; k <= last; k++) {
    uint64_t seed = 100 + k;
    double w_grad[6];
    rig_fill(&seed, 1, w_grad, 6);
    given_step(r, w_grad);
  }
}

/* Weights, moments and counters are the whole state: a second backend given them continues with the same bits. */
Test(oracle_update, a_restored_backend_continues_with_the_same_bits) {
  uint64_t seed = 1;
  double params[GIVEN_PARAMS], moment1[GIVEN_PARAMS], moment2[GIVEN_PARAMS], uninterrupted[GIVEN_PARAMS];
  vise_i_counters counters;
  given r;

  make(&r);
  r.spec.rule.optimizer = VISE_ADAM;
  r.spec.rule.k2 = 0.1;
  rig_fill(&seed, 1, params, GIVEN_PARAMS);
  given_start(&r, params);

  apply_sequence(&r, 1, 10);
  memcpy(params, r.params, sizeof params);
  rig_get_state(OPS, r.b, VISE_I_MOMENT1, GIVEN_PARAMS, moment1);
  rig_get_state(OPS, r.b, VISE_I_MOMENT2, GIVEN_PARAMS, moment2);
  counters = OPS->get_counters(r.b);

  apply_sequence(&r, 11, 20);
  memcpy(uninterrupted, r.params, sizeof uninterrupted);
  OPS->destroy(r.b);

  given_start(&r, params);
  cr_assert(OPS->set_state(r.b, VISE_I_MOMENT1, moment1, NULL) == VISE_OK);
  cr_assert(OPS->set_state(r.b, VISE_I_MOMENT2, moment2, NULL) == VISE_OK);
  OPS->set_counters(r.b, &counters);
  apply_sequence(&r, 11, 20);
  cr_expect(memcmp(uninterrupted, r.params, sizeof uninterrupted) == 0);
  OPS->destroy(r.b);
}

/* The gradient of cpu64 against central differences of its own loss and penalty: every loss, activation and shape. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/backend_rig.h"

#define OPS (&vise_i_backend_cpu64)
#define MAX_PARAMS 4096
#define MAX_ROWS 2600
#define MAX_ENTRIES 24

/* A loss with the targets it takes. */
typedef struct loss_case {
  const char *name;
  vise_loss loss;
  vise_mse_reduction reduction;
  double smoothing;
  bool labels, binary, one_output;
} loss_case;

static const loss_case losses[] = {
    {.name = "mse half_mean", .loss = VISE_LOSS_MSE},
    {.name = "mse mean", .loss = VISE_LOSS_MSE, .reduction = VISE_MSE_MEAN},
    {.name = "mse half_sum", .loss = VISE_LOSS_MSE, .reduction = VISE_MSE_HALF_SUM},
    {.name = "mse of labels", .loss = VISE_LOSS_MSE, .labels = true},
    {.name = "huber", .loss = VISE_LOSS_HUBER},
    {.name = "poisson", .loss = VISE_LOSS_POISSON},
    {.name = "cross-entropy", .loss = VISE_LOSS_CROSS_ENTROPY, .labels = true},
    {.name = "cross-entropy, smoothed", .loss = VISE_LOSS_CROSS_ENTROPY, .smoothing = 0.3, .labels = true},
    {.name = "bce of bits", .loss = VISE_LOSS_BCE, .binary = true},
    {.name = "bce of labels", .loss = VISE_LOSS_BCE, .labels = true},
    {.name = "bce, one output", .loss = VISE_LOSS_BCE, .binary = true, .one_output = true},
    {.name = "hinge of bits", .loss = VISE_LOSS_HINGE, .binary = true},
    {.name = "hinge of labels", .loss = VISE_LOSS_HINGE, .labels = true},
    {.name = "hinge, one output", .loss = VISE_LOSS_HINGE, .binary = true, .one_output = true},
};
#define N_LOSSES (sizeof losses / sizeof *losses)

/* A net with data, weights and a backend over them. */
typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  vise_i_backend *b;
  size_t n;
  double params[MAX_PARAMS], grad[MAX_PARAMS];
  double x[MAX_ROWS * 33], y[MAX_ROWS * 33], row_weights[MAX_ROWS], class_weights[33];
} rig;

static void fill_targets(rig *r, const loss_case *loss, uint64_t *seed) {
  size_t n_out = r->net.widths[r->net.n_layers];
  bool is_class = loss->labels && n_out > 1;
  size_t n_y = is_class ? 1 : n_out;
  for (size_t i = 0; i < r->n * n_y; i++) {
    double v = rig_random(seed);
    r->y[i] = is_class ? floor((v + 1) / 2 * (double)n_out) : (loss->binary ? v > 0 : 2 * v);
  }
  r->data = rig_data(r->x, r->n, r->net.widths[0], r->y, n_y, is_class, NULL);
}

/* widths[n_layers] is replaced by 1 for losses of one output, by at least 2 for losses of class labels. */
static void rig_make(rig *r, const loss_case *loss, vise_activation activation, size_t n_layers, const size_t *widths,
                     bool bias, size_t n) {
  uint64_t seed = 17 + n + n_layers;
  size_t own[VISE_MAX_LAYERS + 1];

  memcpy(own, widths, (n_layers + 1) * sizeof *own);
  if (loss->one_output) own[n_layers] = 1;
  if (loss->labels && own[n_layers] < 2) own[n_layers] = 2;

  r->net = rig_net(n_layers, own, activation, bias);
  cr_assert(r->net.n_params <= MAX_PARAMS && n <= MAX_ROWS);

  r->spec = rig_spec(&r->net);
  r->spec.rule.loss = loss->loss;
  r->spec.rule.mse_reduction = loss->reduction;
  r->spec.rule.label_smoothing = loss->smoothing;
  r->n = n;

  for (size_t t = 0; t < r->net.n_tensors; t++) {
    const vise_i_tensor *tensor = &r->net.tensors[t];
    double scale = tensor->is_bias ? 0.5 : 1.7 / sqrt((double)tensor->n_cols);
    rig_fill(&seed, scale, r->params + tensor->offset, tensor->n_rows * tensor->n_cols);
  }

  rig_fill(&seed, 1.5, r->x, n * own[0]);
  fill_targets(r, loss, &seed);
}

static void rig_start(rig *r) {
  r->b = rig_create(OPS, &r->spec, r->params);
}

static double objective(rig *r) {
  double loss, penalty;
  vise_error err = VISE_ERROR_INIT;
  rig_set_params(OPS, r->b, r->net.n_params, r->params);
  cr_assert(OPS->full_gradient(r->b, &r->data, NULL, r->n, r->grad, &loss, &penalty, &err) == VISE_OK, "%s", err.text);
  return loss + penalty;
}

/* Central difference in parameter i with step h. */
static double difference(rig *r, size_t i, double h) {
  double w = r->params[i], up, down, width;
  r->params[i] = w + h;
  width = r->params[i];
  up = objective(r);
  r->params[i] = w - h;
  width -= r->params[i];
  down = objective(r);
  r->params[i] = w;
  return (up - down) / width;
}

/* Compares some entries (all in a small net, and the last of every tensor). Where a step straddles a kink of relu,
   huber or hinge, smaller ones are tried. */
static void check_gradient(rig *r, const char *what) {
  static const double steps[] = {1e-5, 1e-6, 1e-7};
  double analytic[MAX_PARAMS];
  uint64_t seed = 3;
  size_t n = r->net.n_params, n_checks = n < MAX_ENTRIES ? n : MAX_ENTRIES;

  objective(r);
  memcpy(analytic, r->grad, n * sizeof *analytic);

  for (size_t k = 0; k < n_checks + r->net.n_tensors; k++) {
    size_t i = n <= MAX_ENTRIES ? k : (size_t)((rig_random(&seed) + 1) / 2 * (double)n);
    double numeric = 0;
    bool near = false;

    if (k >= n_checks) {
      const vise_i_tensor *tensor = &r->net.tensors[k - n_checks];
      i = tensor->offset + tensor->n_rows * tensor->n_cols - 1;
    }

    for (size_t s = 0; s < 3 && !near; s++) {
      numeric = difference(r, i, steps[s]);
      near = rig_near(numeric, analytic[i], 1e-7, 1e-6);
    }

    cr_expect(near, "%s: parameter %zu: gradient %.12g, difference %.12g", what, i, analytic[i], numeric);
  }
}

/* ---- tests ---- */

typedef struct shape {
  size_t n_layers, widths[6], n;
  bool bias;
} shape;

static const shape shapes[] = {
    {1, {1, 1}, 1, true},
    {1, {31, 33}, 5, false},
    {2, {1, 33, 1}, 31, true},
    {2, {7, 13, 5}, 33, true},
    {3, {31, 33, 1, 13}, 1, true},
    {2, {13, 31, 33}, 7, false},
    {5, {5, 7, 3, 4, 6, 3}, 13, true},
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

Test(oracle_gradient, matches_differences_for_every_loss_activation_and_shape) {
  static rig r;
  char what[160];

  for (size_t l = 0; l < N_LOSSES; l++) {
    for (int a = 0; a < (int)vise_activation_count_; a++) {
      for (size_t s = 0; s < N_SHAPES; s++) {
        rig_make(&r, &losses[l], (vise_activation)a, shapes[s].n_layers, shapes[s].widths, shapes[s].bias, shapes[s].n);
        rig_start(&r);
        snprintf(what, sizeof what, "%s, %s, shape %zu", losses[l].name, vise_activation_name((vise_activation)a), s);
        check_gradient(&r, what);
        OPS->destroy(r.b);
      }
    }
  }
}

Test(oracle_gradient, matches_differences_with_row_and_class_weights) {
  static rig r;
  const size_t widths[] = {7, 13, 5};
  uint64_t seed = 5;

  for (size_t l = 0; l < N_LOSSES; l++) {
    rig_make(&r, &losses[l], VISE_TANH, 2, widths, true, 11);
    for (size_t i = 0; i < r.n; i++) r.row_weights[i] = 1 + rig_random(&seed);
    for (size_t k = 0; k < 33; k++) r.class_weights[k] = 1.5 + rig_random(&seed);
    r.row_weights[3] = 0;
    r.data.row_weights = r.row_weights;
    if (losses[l].labels || losses[l].one_output) r.spec.class_weights = r.class_weights;

    rig_start(&r);
    check_gradient(&r, losses[l].name);
    OPS->destroy(r.b);
  }
}

Test(oracle_gradient, matches_differences_with_penalties) {
  static rig r;
  const size_t widths[] = {7, 13, 5};

  for (int mask = 1; mask < 16; mask++) {
    char what[64];

    rig_make(&r, &losses[0], VISE_SILU, 2, widths, true, 11);
    if (mask & 1) r.spec.rule.k2 = 0.7;
    if (mask & 2) r.spec.rule.k1 = 0.3;
    if (mask & 4) r.spec.rule.kF = 0.9;
    r.spec.rule.penalize_bias = (mask & 8) != 0;
    r.spec.rule.prox_l1 = mask == 15; /* L1 stays in the objective */

    rig_start(&r);
    snprintf(what, sizeof what, "penalties %d", mask);
    check_gradient(&r, what);
    OPS->destroy(r.b);
  }
}

/* Penalties have their documented values, and biases are exempt unless asked for. */
Test(oracle_gradient, penalty_has_the_stated_value) {
  static rig r;
  const size_t widths[] = {2, 1};
  const double params[] = {3, -4, 12};

  for (int with_bias = 0; with_bias < 2; with_bias++) {
    double loss, penalty, expected = 0.5 * 0.1 * 25 + 0.01 * 7 + 2 * 5;
    if (with_bias) expected += 0.5 * 0.1 * 144 + 0.01 * 12 + 2 * 12;

    rig_make(&r, &losses[0], VISE_RELU, 1, widths, true, 4);
    memcpy(r.params, params, sizeof params);
    r.spec.rule.k2 = 0.1;
    r.spec.rule.k1 = 0.01;
    r.spec.rule.kF = 2;
    r.spec.rule.penalize_bias = with_bias;

    rig_start(&r);
    cr_assert(OPS->full_gradient(r.b, &r.data, NULL, r.n, r.grad, &loss, &penalty, NULL) == VISE_OK);
    cr_expect(rig_near(penalty, expected, 1e-14, 1e-14), "penalty %.17g, expected %.17g", penalty, expected);
    OPS->destroy(r.b);
  }
}

/* More rows than fit at a time: loss and gradient of the whole are the weighted means over its parts. */
Test(oracle_gradient, many_rows_are_the_weighted_mean_of_parts) {
  static rig r;
  static double whole[MAX_PARAMS], sum[MAX_PARAMS];
  const size_t widths[] = {7, 13, 5}, starts[] = {0, 700, 1024, 1025, 2100, 2600};
  static size_t rows[MAX_ROWS];
  uint64_t seed = 5;
  double loss, part_loss, sum_loss = 0, total = 0;
  size_t worst;

  rig_make(&r, &losses[6], VISE_TANH, 2, widths, true, 2600);
  for (size_t i = 0; i < r.n; i++) {
    r.row_weights[i] = 1 + rig_random(&seed);
    total += r.row_weights[i];
    rows[i] = r.n - 1 - i; /* backwards */
  }
  r.data.row_weights = r.row_weights;

  rig_start(&r);
  cr_assert(OPS->full_gradient(r.b, &r.data, NULL, r.n, whole, &loss, NULL, NULL) == VISE_OK);

  for (size_t p = 0; p < 5; p++) {
    double weight = 0;

    cr_assert(OPS->full_gradient(r.b, &r.data, rows + starts[p], starts[p + 1] - starts[p], r.grad, &part_loss, NULL,
                                 NULL) == VISE_OK);
    for (size_t i = starts[p]; i < starts[p + 1]; i++) weight += r.row_weights[rows[i]];
    sum_loss += weight / total * part_loss;
    for (size_t i = 0; i < r.net.n_params; i++) sum[i] += weight / total * r.grad[i];
  }

  cr_expect(rig_near(sum_loss, loss, 1e-13, 1e-13), "loss %.17g of the parts, %.17g of the whole", sum_loss, loss);
  cr_expect(rig_compare(sum, whole, r.net.n_params, 1e-13, 1e-13, &worst) == 0, "entry %zu: %.17g, %.17g", worst,
            sum[worst], whole[worst]);
  OPS->destroy(r.b);
}

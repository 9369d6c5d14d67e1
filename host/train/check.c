/* The self-check: gradients of the oracle against finite differences, backends against the oracle. */
#include "host/train/check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/public_plan.h"
#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/model/model.h"
#include "host/train/config.h"
#include "host/train/data_view.h"
#include "host/train/resolve.h"

#define MAX_ROWS 64
#define MAX_ENTRIES 200
#define MIN_ENTRIES 4
/* About how many floating-point operations the differences may take: ten seconds of one core. */
#define BUDGET 1e11

/*
 * How far a float32 training of 20 steps may be from float64, as a share of the distance moved (check.h). rmsprop and
 * adam divide by the size of the gradient, so that entries whose gradient is mere rounding still move by a whole step.
 */
#define WEIGHTS_TOLERANCE_SGD 1e-3
#define WEIGHTS_TOLERANCE_ADAPTIVE 5e-2
#define LOSS_TOLERANCE_SGD 1e-4
#define LOSS_TOLERANCE_ADAPTIVE 1e-2
/* Products have 11 bits in tf32 and 8 in bf16: factors on the above. */
#define TF32_TIMES 30
#define BF16_TIMES 200

typedef struct reporter {
  void (*report)(void *user, const vise_check_item *item);
  void *user;
  bool all_passed;
} reporter;

__attribute__((format(printf, 5, 6))) static void report_item(reporter *r, double worst, double tolerance, bool passed,
                                                              const char *format, ...) {
  char name[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  vise_check_item item = {.name = name, .worst = worst, .tolerance = tolerance, .passed = passed};
  if (!passed) r->all_passed = false;
  if (r->report != NULL) r->report(r->user, &item);
}

/* ---- gradients ---- */

/* What the gradient part owns. */
typedef struct gradient_parts {
  vise_i_scales scales;
  vise_i_view view;
  size_t *rows, n_rows;
  double *params, *scratch, *data_gradient, *penalty_gradient;
  vise_i_backend *backend;
} gradient_parts;

/* Rows spread evenly over the data set, which may be sorted; those that weigh nothing are passed over. */
static vise_status choose_rows(gradient_parts *parts, vise_error *err) {
  size_t n = parts->view.n_rows, n_chosen = n < MAX_ROWS ? n : MAX_ROWS;
  const double *weights = parts->view.data.row_weights;
  vise_status status = vise_i_alloc(&parts->rows, n_chosen, sizeof *parts->rows, "rows of the check", err);
  if (status != VISE_OK) return status;

  for (size_t k = 0; k < n_chosen; k++) {
    size_t row = vise_i_view_row(&parts->view, (size_t)((double)k / (double)n_chosen * (double)n));
    if (weights == NULL || weights[row] > 0.0) parts->rows[parts->n_rows++] = row;
  }

  if (parts->n_rows == 0) {
    return vise_i_fail(err, VISE_ERR_VALUE, "%s: the rows of the check all have the weight 0",
                       vise_dataset_name(parts->view.dataset));
  }
  return VISE_OK;
}

/* Moves weights off places where many kinks meet, such as 0, where --init-scheme zeros and masks leave them. */
static void move_off_kinks(const vise_i_net *net, uint64_t seed, double *params) {
  for (size_t k = 0; k < net->n_tensors; k++) {
    const vise_i_tensor *t = &net->tensors[k];
    double size = 0.1 / sqrt((double)net->widths[t->layer]);
    for (size_t i = 0; i < vise_i_tensor_n(t); i++) {
      uint32_t counter[4] = {(uint32_t)i, (uint32_t)k, 1u + ((uint32_t)((uint64_t)i >> 32) << 1), VISE_I_STREAM_CHECK};
      uint32_t draw[4];
      vise_i_philox(seed, counter, draw);
      params[t->offset + i] += size * (2.0 * (double)vise_i_uniform_f32(draw[0]) - 1.0);
    }
  }
}

static vise_status gradient_at(const vise_i_backend_ops *ops, const vise_i_step_spec *spec, gradient_parts *parts,
                               double *out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_backend *backend = NULL;
  VISE_TRY(ops->create(spec, &backend, err));
  VISE_TRY(ops->set_state(backend, VISE_I_PARAMS, parts->params, err));
  const vise_i_batch batch = {.data = &parts->view.data, .rows = parts->rows, .n = parts->n_rows};
  VISE_TRY(ops->full_gradient(backend, &batch, out, NULL, NULL, err));
done:
  if (backend != NULL) ops->destroy(backend);
  return status;
}

/* The data gradient comes from a step without penalties, the penalties' from the difference to the total. */
static vise_status analytic_gradients(const vise_i_backend_ops *ops, const vise_i_step_spec *spec,
                                      gradient_parts *parts, vise_error *err) {
  vise_i_step_spec plain = *spec;
  plain.rule.k2 = plain.rule.k1 = plain.rule.kF = 0.0;
  vise_status status = gradient_at(ops, &plain, parts, parts->data_gradient, err);
  if (status != VISE_OK || parts->penalty_gradient == NULL) return status;
  status = gradient_at(ops, spec, parts, parts->penalty_gradient, err);
  for (size_t i = 0; status == VISE_OK && i < spec->net->n_params; i++) {
    parts->penalty_gradient[i] -= parts->data_gradient[i];
  }
  return status;
}

static vise_status compare_part(const vise_i_check_point *point, vise_i_check_part part, const double *analytic,
                                reporter *r, vise_error *err) {
  for (size_t k = 0; k < point->net->n_tensors; k++) {
    vise_i_gradient_verdict verdict;
    char note[64] = "";
    vise_status status = vise_i_check_tensor(point, part, k, analytic, &verdict, err);
    if (status != VISE_OK) return status;

    if (verdict.n_kinks > 0) {
      snprintf(note, sizeof note, " (%zu of %zu entries left out at kinks)", verdict.n_kinks, verdict.n_entries);
    }

    report_item(r, verdict.worst, verdict.tolerance, verdict.passed, "%s of %s%s",
                part == VISE_I_CHECK_PENALTY ? "penalty gradient" : "gradient", point->net->tensors[k].name, note);
  }
  return VISE_OK;
}

static size_t entries_within_budget(const vise_i_net *net, size_t n_rows) {
  double one = (double)net->n_params * (6.0 * (double)n_rows + 16.0);
  double n = BUDGET / (2.0 * one * (double)net->n_tensors);
  return n < MIN_ENTRIES ? MIN_ENTRIES : n > MAX_ENTRIES ? MAX_ENTRIES : (size_t)n;
}

static vise_status allocate_parts(const vise_model *model64, bool penalties, gradient_parts *parts, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n = vise_model_n_parameters(model64), n_values = vise_i_model_net(model64)->n_values;
  VISE_TRY(vise_i_alloc(&parts->params, n_values, sizeof(double), "weights of the check", err));
  VISE_TRY(vise_i_alloc(&parts->scratch, n, sizeof(double), "gradients of the check", err));
  VISE_TRY(vise_i_alloc(&parts->data_gradient, n, sizeof(double), "gradients of the check", err));
  if (penalties) VISE_TRY(vise_i_alloc(&parts->penalty_gradient, n, sizeof(double), "gradients of the check", err));
  memcpy(parts->params, vise_i_model_const_params(model64), n_values * sizeof(double));
done:
  return status;
}

static vise_status check_gradients(const vise_train_config *config, const vise_model *model64,
                                   const vise_dataset *dataset, reporter *r, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_backend_ops *ops = NULL;
  const vise_i_net *net = vise_i_model_net(model64);
  gradient_parts parts = {0};
  vise_i_step_spec spec;

  VISE_TRY(vise_i_resolve_backend(VISE_BACKEND_CPU64, VISE_STEP_AUTO, VISE_PRECISION_AUTO, NULL, &ops, NULL, err));
  VISE_TRY(vise_i_scales_fit(config, model64, dataset, &parts.scales, err));
  VISE_TRY(vise_i_view_make(dataset, net, config->loss, true, &parts.scales, &parts.view, err));
  VISE_TRY(vise_i_resolve_spec(config, net, parts.view.n_rows, false, &spec, err));

  spec.rule.prox_l1 = false; /* for the gradient its penalty is the plain L1 */
  spec.max_batch = MAX_ROWS;

  VISE_TRY(choose_rows(&parts, err));
  VISE_TRY(allocate_parts(model64, spec.rule.k2 != 0.0 || spec.rule.k1 != 0.0 || spec.rule.kF != 0.0, &parts, err));
  move_off_kinks(net, config->seed, parts.params);
  VISE_TRY(analytic_gradients(ops, &spec, &parts, err));

  VISE_TRY(ops->create(&spec, &parts.backend, err));
  vise_i_check_point point = {.ops = ops,
                              .backend = parts.backend,
                              .data = &parts.view.data,
                              .rows = parts.rows,
                              .n_rows = parts.n_rows,
                              .net = net,
                              .params = parts.params,
                              .scratch = parts.scratch,
                              .seed = config->seed,
                              .max_entries = entries_within_budget(net, parts.n_rows)};

  VISE_TRY(compare_part(&point, VISE_I_CHECK_DATA_LOSS, parts.data_gradient, r, err));
  point.n_rows = 1; /* penalties do not look at the data */
  if (parts.penalty_gradient != NULL) {
    VISE_TRY(compare_part(&point, VISE_I_CHECK_PENALTY, parts.penalty_gradient, r, err));
  }

done:
  if (parts.backend != NULL) ops->destroy(parts.backend);
  vise_i_scales_free(&parts.scales);
  free(parts.rows);
  free(parts.params);
  free(parts.scratch);
  free(parts.data_gradient);
  free(parts.penalty_gradient);
  return status;
}

/* ---- backends ---- */

static void report_constraints(reporter *r, const char *name, vise_dtype dtype, const vise_i_check_run *run) {
  /* A bound is rounded in float32; a norm that was just set to R is R up to rounding. */
  double box_tolerance = dtype == VISE_F64 ? 0.0 : (double)FLT_EPSILON;
  double norm_tolerance = dtype == VISE_F64 ? 1e-12 : 1e-5;

  if (run->has_box) {
    report_item(r, run->box, box_tolerance, run->box <= box_tolerance, "%s: box after every step", name);
  }
  if (run->has_mask) {
    report_item(r, (double)run->n_unmasked, 0.0, run->n_unmasked == 0, "%s: mask after every step", name);
  }
  if (run->has_signs) {
    report_item(r, (double)run->n_wrong, 0.0, run->n_wrong == 0, "%s: signs after every step", name);
  }
  if (run->has_row_l1) {
    report_item(r, run->row_l1, 0.0, run->row_l1 <= 0.0, "%s: sums of rows after every step", name);
  }
  if (run->has_max_norm) {
    report_item(r, run->max_norm, norm_tolerance, run->max_norm <= norm_tolerance, "%s: max-norm after every step",
                name);
  }
}

static void report_agreement(reporter *r, const char *name, const vise_train_config *config, const vise_i_net *net,
                             const vise_i_check_run *reference, const vise_i_check_run *run) {
  bool sgd = config->optimizer == VISE_SGD;
  double weights_tolerance = sgd ? WEIGHTS_TOLERANCE_SGD : WEIGHTS_TOLERANCE_ADAPTIVE;
  double loss_tolerance = sgd ? LOSS_TOLERANCE_SGD : LOSS_TOLERANCE_ADAPTIVE, weights = NAN, loss = NAN;

  if (config->backend == VISE_BACKEND_CUDA && config->precision > VISE_FP32) {
    const double times = config->precision == VISE_TF32 ? TF32_TIMES : BF16_TIMES;
    weights_tolerance = fmin(times * weights_tolerance, 0.5);
    loss_tolerance = fmin(times * loss_tolerance, 0.2);
  }

  if (run->n_steps == reference->n_steps) {
    weights = vise_i_check_weight_difference(net, reference->start, reference->params, run->params, weights_tolerance);
    loss = vise_i_check_loss_difference(reference->loss, run->loss, run->n_steps);
  }

  report_item(r, loss, loss_tolerance, loss <= loss_tolerance, "%s: loss of %zu steps", name, reference->n_steps);
  report_item(r, weights, weights_tolerance, weights <= weights_tolerance, "%s: weights after %zu steps", name,
              reference->n_steps);
}

static vise_status check_backends(const vise_train_config *config, const vise_model *model64,
                                  const vise_dataset *dataset, reporter *r, vise_error *err) {
  static const vise_backend others[] = {VISE_BACKEND_CUDA, VISE_BACKEND_CPU};
  vise_status status = VISE_OK;
  vise_train_config c = *config;
  vise_i_check_run reference = {0}, run = {0};

  c.backend = VISE_BACKEND_CPU64;
  VISE_TRY(vise_i_check_train(&c, model64, dataset, VISE_I_CHECK_STEPS, &reference, err));
  if (reference.n_steps == 0) {
    status = vise_i_fail(err, VISE_ERR_NONFINITE,
                         "cpu64: the first step is already non-finite, so there is nothing to compare; look at the "
                         "scale of the data (`scale` standard) and at the initial weights");
    goto done;
  }

  report_constraints(r, "cpu64", VISE_F64, &reference);
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    const char *why_not = NULL, *name = vise_backend_name(others[i]);
    const vise_i_backend_ops *ops = vise_i_backend_find(others[i], &why_not);
    if (ops == NULL || (config->backend != VISE_BACKEND_AUTO && config->backend != others[i])) continue;
    if (others[i] == VISE_BACKEND_CUDA && config->backend == VISE_BACKEND_AUTO &&
        (vise_i_resolve_is_in_parts(config) || !vise_i_plan_takes(vise_i_model_net(model64)))) {
      continue;
    }

    c.backend = others[i];
    VISE_TRY(vise_i_check_train(&c, model64, dataset, reference.n_steps, &run, err));
    report_agreement(r, name, &c, vise_i_model_net(model64), &reference, &run);
    report_constraints(r, name, ops->dtype, &run);
    vise_i_check_run_free(&run);
  }

done:
  vise_i_check_run_free(&reference);
  vise_i_check_run_free(&run);
  return status;
}

vise_status vise_check(const vise_train_config *config, const vise_model *model, const vise_dataset *dataset,
                       void (*report)(void *user, const vise_check_item *item), void *user, bool *all_passed,
                       vise_error *err) {
  vise_status status = VISE_OK;
  vise_model *model64 = NULL;
  const vise_i_backend_ops *ops = NULL;
  reporter r = {.report = report, .user = user, .all_passed = true};
  vise_train_config own;

  VISE_ENTER(err, config, model, dataset, all_passed);

  VISE_TRY(vise_i_train_config_take(config, &own, err));
  config = &own;
  if (config->loss == VISE_LOSS_EXTERNAL) {
    status = vise_i_fail(err, VISE_ERR_USAGE,
                         "the external loss has no value that could be differentiated; choose another `loss`");
    goto done;
  }

  if (config->quantize != NULL) {
    status = vise_i_fail(err, VISE_ERR_USAGE,
                         "`quantize`: rounded weights have no gradient that could be checked; leave it out");
    goto done;
  }

  /* What is asked for by name must exist here, though every backend is checked separately. */
  VISE_TRY(vise_i_resolve_backend(config->backend, config->step_mode, config->precision, NULL, &ops, NULL, err));
  VISE_TRY(vise_model_clone(model, VISE_F64, &model64, err));
  VISE_TRY(vise_i_config_validate_net(config, vise_i_model_net(model64), err));

  VISE_TRY(check_gradients(config, model64, dataset, &r, err));
  VISE_TRY(check_backends(config, model64, dataset, &r, err));
  *all_passed = r.all_passed;

done:
  vise_model_free(model64);
  return status;
}

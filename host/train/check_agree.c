/* Short trainings of the backends: what they are compared by, and the constraints that must hold after every step. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "host/backend/projection.h"
#include "host/base/memory.h"
#include "host/model/model.h"
#include "host/train/check.h"
#include "host/train/resolve.h"
#include "host/train/trainer.h"

/* A full batch of a large data set would take minutes here and show nothing more. */
#define MAX_BATCH 1024

static double weight(const vise_model *model, size_t i) {
  return vise_i_param_get(vise_model_dtype(model), vise_i_model_const_params(model), i);
}

/* A NaN stays. */
static void raise_to(double *worst, double value) {
  if (!isnan(*worst) && !(value <= *worst)) *worst = value;
}

/* How far w lies beyond the bound in direction `sign`, relative to the bound. */
static double beyond(double w, double bound, double sign) {
  double excess = sign * (w - bound);
  if (isinf(bound)) return 0.0;
  return bound == 0.0 ? excess : excess / fabs(bound);
}

static void verify_box(const vise_i_step_spec *spec, double factor, const vise_model *model, vise_i_check_run *run) {
  for (size_t k = 0; k < spec->net->n_tensors; k++) {
    const vise_i_tensor *t = &spec->net->tensors[k];
    double lo = spec->boxes[t->layer].lo, hi = spec->boxes[t->layer].hi;
    if (isfinite(lo)) lo *= factor;
    if (isfinite(hi)) hi *= factor;
    if ((t->is_bias && !spec->rule.clamp_bias) || (isinf(lo) && isinf(hi))) continue;

    run->has_box = true;
    for (size_t i = t->offset; i < t->offset + vise_i_tensor_n(t); i++) {
      raise_to(&run->box, beyond(weight(model, i), hi, 1.0));
      raise_to(&run->box, beyond(weight(model, i), lo, -1.0));
    }
  }
}

/* The bound holds for the sum itself: projecting leaves room for its rounding. */
static void verify_rows(const vise_i_step_spec *spec, double factor, const vise_model *model, vise_i_check_run *run) {
  for (size_t k = 0; k < spec->net->n_tensors; k++) {
    const vise_i_tensor *t = &spec->net->tensors[k];
    const vise_i_row_ball ball = vise_i_tensor_ball(spec, t);
    if (ball.radius == 0.0) continue;
    run->has_row_l1 = true;

    for (size_t r = 0; r < t->n_rows; r++) {
      double sums[2] = {0.0, 0.0};
      for (size_t i = 0; i < t->n_cols; i++) {
        double w = weight(model, t->offset + r * t->n_cols + i);
        sums[ball.sided && w < 0.0] += fabs(w);
      }
      raise_to(&run->row_l1, beyond(fmax(sums[0], sums[1]), ball.radius * factor, 1.0));
    }
  }
}

static void verify_max_norm(const vise_i_step_spec *spec, const vise_model *model, vise_i_check_run *run) {
  if (spec->rule.max_norm == 0.0) return;
  run->has_max_norm = true;

  for (size_t k = 0; k < spec->net->n_tensors; k++) {
    const vise_i_tensor *t = &spec->net->tensors[k];
    bool by_row = spec->rule.max_norm_scope == VISE_MAX_NORM_UNIT;
    size_t n_units = by_row ? t->n_rows : 1, n = vise_i_tensor_n(t) / n_units;
    if (t->is_bias) continue;

    for (size_t u = 0; u < n_units; u++) {
      double sum = 0.0;
      for (size_t i = 0; i < n; i++) {
        double w = weight(model, t->offset + u * n + i);
        sum += w * w;
      }
      raise_to(&run->max_norm, sqrt(sum) / spec->rule.max_norm - 1.0);
    }
  }
}

static void verify_mask(const vise_model *model, vise_i_check_run *run) {
  const uint8_t *mask = vise_model_mask(model);
  if (mask == NULL) return;
  run->has_mask = true;
  for (size_t i = 0; i < vise_model_n_parameters(model); i++) {
    if (mask[i] == 0 && weight(model, i) != 0.0) run->n_unmasked++;
  }
}

static void verify_signs(const vise_model *model, vise_i_check_run *run) {
  const int8_t *signs = vise_model_signs(model);
  if (signs == NULL) return;
  run->has_signs = true;
  for (size_t i = 0; i < vise_model_n_parameters(model); i++) run->n_wrong += weight(model, i) * signs[i] < 0.0;
}

vise_status vise_i_check_copy_params(const vise_model *model, double **out, vise_error *err) {
  size_t n = vise_model_n_parameters(model);
  vise_status status = vise_i_alloc(out, n, sizeof **out, "weights to compare", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < n; i++) (*out)[i] = weight(model, i);
  return VISE_OK;
}

/* Steps one at a time, verifying after each. Returns VISE_OK when it ended before a skipped step. */
static vise_status run_steps(vise_trainer *trainer, const vise_model *model, const vise_i_step_spec *spec,
                             size_t max_steps, vise_i_check_run *run, vise_error *err) {
  while (run->n_steps < max_steps) {
    vise_error step_error = VISE_ERROR_INIT;
    vise_step_stats stats = {0};
    vise_status status = vise_trainer_step(trainer, 1, &stats, NULL, &step_error);
    if (status == VISE_ERR_NONFINITE || (status == VISE_OK && stats.skipped)) return VISE_OK;
    if (status != VISE_OK) return vise_i_fail(err, status, "%s", step_error.text);

    status = vise_trainer_sync(trainer, err);
    if (status != VISE_OK) return status;

    verify_box(spec, vise_i_trainer_last_hyper(trainer).clamp_factor, model, run);
    verify_mask(model, run);
    verify_signs(model, run);
    verify_rows(spec, vise_i_trainer_last_hyper(trainer).row_l1_factor, model, run);
    verify_max_norm(spec, model, run);
    run->loss[run->n_steps++] = stats.loss;
  }

  return VISE_OK;
}

vise_status vise_i_check_train(const vise_train_config *config, const vise_model *model, const vise_dataset *dataset,
                               size_t max_steps, vise_i_check_run *run, vise_error *err) {
  vise_status status = VISE_OK;
  vise_train_config c = *config;
  vise_model *copy = NULL;
  vise_trainer *trainer = NULL;
  vise_i_step_spec spec;
  vise_i_check_run result = {0};
  size_t n_rows = vise_dataset_n_rows(dataset);

  if (c.backend == VISE_BACKEND_CPU || c.backend == VISE_BACKEND_CPU64) {
    c.step_mode = VISE_STEP_AUTO;
    c.precision = VISE_PRECISION_AUTO;
  }
  c.nonfinite = VISE_NONFINITE_SKIP;
  c.max_skips = 1;
  c.patience = 0; /* there is no validation data here */
  c.min_delta = 0;
  c.patience_by = VISE_PATIENCE_BY_LOSS;
  c.keep_best = false;
  c.assert_projection = true;
  if ((c.batch == 0 || c.batch > MAX_BATCH) && n_rows > MAX_BATCH) c.batch = MAX_BATCH;

  VISE_TRY(vise_model_clone(model, c.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32, &copy, err));
  VISE_TRY(vise_trainer_create(&c, copy, dataset, NULL, NULL, &trainer, err));
  VISE_TRY(vise_trainer_sync(trainer, err)); /* for the weights as projected at the start */
  spec = trainer->spec;

  VISE_TRY(vise_i_check_copy_params(copy, &result.start, err));
  VISE_TRY(run_steps(trainer, copy, &spec, max_steps, &result, err));
  VISE_TRY(vise_i_check_copy_params(copy, &result.params, err));
  *run = result;
  result = (vise_i_check_run){0};

done:
  vise_i_check_run_free(&result);
  vise_trainer_free(trainer);
  vise_model_free(copy);
  return status;
}

void vise_i_check_run_free(vise_i_check_run *run) {
  free(run->start);
  free(run->params);
  *run = (vise_i_check_run){0};
}

double vise_i_check_weight_difference(const vise_i_net *net, const double *start, const double *reference,
                                      const double *params, double tolerance) {
  double worst = 0.0;
  for (size_t k = 0; k < net->n_tensors; k++) {
    const vise_i_tensor *t = &net->tensors[k];
    double difference = 0.0, way = 0.0, size = 0.0;

    for (size_t i = t->offset; i < t->offset + vise_i_tensor_n(t); i++) {
      double d = params[i] - reference[i], moved = reference[i] - start[i];
      difference += d * d;
      way += moved * moved;
      size += reference[i] * reference[i];
    }

    if (difference == 0.0) continue;
    double allowed = sqrt(way) + VISE_I_CHECK_STEPS * (double)FLT_EPSILON / tolerance * sqrt(size);
    raise_to(&worst, sqrt(difference) / allowed);
  }

  return worst;
}

double vise_i_check_loss_difference(const double *reference, const double *loss, size_t n) {
  double worst = 0.0, largest = 0.0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(reference[i]));
  for (size_t i = 0; i < n; i++) {
    double difference = fabs(loss[i] - reference[i]);
    if (difference == 0.0) continue;
    raise_to(&worst, difference / (fabs(reference[i]) + 1e-3 * largest));
  }
  return worst;
}

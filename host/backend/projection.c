#include "host/backend/projection.h"

#include <math.h>

#include "host/base/array.h"

/* A bounded norm may exceed R by the rounding of its elements. */
#define SLACK_F32 1e-6
#define SLACK_F64 1e-12

/* A sum or norm is at its bound where it is so close to it: projecting ends a little below. */
#define AT_BOUND 1e-4

vise_i_box vise_i_tensor_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double clamp_factor) {
  return vise_i_bounds_of(&spec->rule, spec->boxes[tensor->layer], tensor->is_bias, clamp_factor);
}

vise_i_row_ball vise_i_tensor_ball(const vise_i_step_spec *spec, const vise_i_tensor *tensor) {
  return tensor->is_bias ? (vise_i_row_ball){0, false} : spec->row_balls[tensor->layer];
}

bool vise_i_bounds_rows(const vise_i_step_spec *spec) {
  for (size_t l = 0; l < spec->net->n_layers; l++) {
    if (spec->row_balls[l].radius > 0) return true;
  }
  return false;
}

size_t vise_i_norm_groups(const vise_i_rule *rule, const vise_i_tensor *tensor, size_t *n_each) {
  const bool by_row = vise_i_bounds_unit_norms(rule);
  *n_each = by_row ? tensor->n_cols : tensor->n_rows * tensor->n_cols;
  if (rule->max_norm == 0 || tensor->is_bias) return 0;
  return by_row ? tensor->n_rows : 1;
}

static vise_status verify_entries(const vise_i_tensor *t, const vise_array *weights, const uint8_t *mask,
                                  vise_i_box box, vise_error *err) {
  const bool narrow = weights->dtype == VISE_F32;
  const int digits = narrow ? 9 : 17;
  if (narrow) box = (vise_i_box){(double)(float)box.lo, (double)(float)box.hi};

  for (size_t i = 0; i < t->n_rows * t->n_cols; i++) {
    const double w = vise_i_array_get(weights, 0, t->offset + i);
    if (w < box.lo || w > box.hi) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.*g is outside its box [%.*g, %.*g] after a step", t->name,
                         i, digits, w, digits, box.lo, digits, box.hi);
    }
    if (mask && !mask[t->offset + i] && w != 0) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.*g is masked but not 0 after a step", t->name, i, digits,
                         w);
    }
    const int sign = mask ? vise_i_mask_sign(mask[t->offset + i]) : 0;
    if (w * sign < 0) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.*g is not to be %s after a step", t->name, i, digits, w,
                         sign > 0 ? "negative" : "positive");
    }
  }

  return VISE_OK;
}

static double group_norm(const vise_i_tensor *t, const vise_array *weights, size_t group, size_t n_each) {
  double sum = 0;
  for (size_t i = 0; i < n_each; i++) {
    const double w = vise_i_array_get(weights, 0, t->offset + group * n_each + i);
    sum += w * w;
  }
  return sqrt(sum);
}

uint64_t vise_i_norms_at_bound(const vise_i_rule *rule, const vise_i_tensor *tensor, const vise_array *weights,
                               uint64_t *n_bounded) {
  size_t n_each;
  uint64_t n = 0;
  *n_bounded = vise_i_norm_groups(rule, tensor, &n_each);
  for (size_t u = 0; u < *n_bounded; u++) {
    n += group_norm(tensor, weights, u, n_each) >= rule->max_norm * (1 - AT_BOUND);
  }
  return n;
}

static vise_status verify_norms(const vise_i_rule *rule, const vise_i_tensor *t, const vise_array *weights,
                                vise_error *err) {
  const bool narrow = weights->dtype == VISE_F32;
  size_t n_each;
  const size_t n_groups = vise_i_norm_groups(rule, t, &n_each);

  for (size_t u = 0; u < n_groups; u++) {
    const double norm = group_norm(t, weights, u, n_each);
    if (norm > rule->max_norm * (1 + (narrow ? SLACK_F32 : SLACK_F64))) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, unit %zu: norm %.*g is above the bound %.*g after a step",
                         t->name, u, narrow ? 9 : 17, norm, narrow ? 9 : 17, rule->max_norm);
    }
  }

  return VISE_OK;
}

/* The sums of a row's magnitudes: of its positive entries, and of its negative ones. */
typedef struct row_sums {
  double positive, negative;
} row_sums;

static row_sums sum_row(const vise_i_tensor *t, const vise_array *weights, size_t row) {
  row_sums sums = {0, 0};
  for (size_t i = 0; i < t->n_cols; i++) {
    const double w = vise_i_array_get(weights, 0, t->offset + row * t->n_cols + i);
    if (w < 0) {
      sums.negative -= w;
    } else {
      sums.positive += w;
    }
  }
  return sums;
}

/* What the ball bounds. */
static double bounded_sum(const vise_i_row_ball *ball, row_sums sums) {
  return ball->sided ? fmax(sums.positive, sums.negative) : sums.positive + sums.negative;
}

uint64_t vise_i_rows_at_bound(const vise_i_step_spec *spec, const vise_i_tensor *tensor, const vise_array *weights,
                              double factor, uint64_t *n_bounded) {
  const vise_i_row_ball ball = vise_i_tensor_ball(spec, tensor);
  uint64_t n = 0;
  *n_bounded = ball.radius > 0 ? tensor->n_rows : 0;
  for (size_t r = 0; r < *n_bounded; r++) {
    n += bounded_sum(&ball, sum_row(tensor, weights, r)) >= ball.radius * factor * (1 - AT_BOUND);
  }
  return n;
}

static vise_status verify_rows(const vise_i_row_ball *ball, double factor, const vise_i_tensor *t,
                               const vise_array *weights, vise_error *err) {
  const int digits = weights->dtype == VISE_F32 ? 9 : 17;
  const double radius = ball->radius * factor;

  for (size_t r = 0; ball->radius > 0 && r < t->n_rows; r++) {
    const row_sums sums = sum_row(t, weights, r);
    const double most = bounded_sum(ball, sums);
    const char *what = !ball->sided                     ? "magnitudes"
                       : sums.positive >= sums.negative ? "positive entries"
                                                        : "magnitudes of negative entries";
    if (most > radius) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, row %zu: %s sum to %.*g, above the bound %.*g, after a step",
                         t->name, r, what, digits, most, digits, radius);
    }
  }

  return VISE_OK;
}

vise_status vise_i_verify_projection(const vise_i_step_spec *spec, const vise_array *weights, const uint8_t *mask,
                                     const vise_i_hyper *hyper, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < spec->net->n_tensors; i++) {
    const vise_i_tensor *t = &spec->net->tensors[i];
    const vise_i_row_ball ball = vise_i_tensor_ball(spec, t);
    VISE_TRY(verify_entries(t, weights, mask, vise_i_tensor_box(spec, t, hyper->clamp_factor), err));
    VISE_TRY(verify_rows(&ball, hyper->row_l1_factor, t, weights, err));
    VISE_TRY(verify_norms(&spec->rule, t, weights, err));
  }
done:
  return status;
}

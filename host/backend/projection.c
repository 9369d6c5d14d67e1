#include "host/backend/projection.h"

#include <math.h>

#include "host/base/array.h"

/* A bounded norm may exceed R by the rounding of its elements. */
#define SLACK_F32 1e-6
#define SLACK_F64 1e-12

vise_i_box vise_i_tensor_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double clamp_factor) {
  return vise_i_bounds_of(&spec->rule, spec->boxes[tensor->layer], tensor->is_bias, clamp_factor);
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
  }

  return VISE_OK;
}

static vise_status verify_norms(const vise_i_rule *rule, const vise_i_tensor *t, const vise_array *weights,
                                vise_error *err) {
  const bool narrow = weights->dtype == VISE_F32;
  size_t n_each;
  const size_t n_groups = vise_i_norm_groups(rule, t, &n_each);

  for (size_t u = 0; u < n_groups; u++) {
    double sum = 0;
    for (size_t i = 0; i < n_each; i++) {
      const double w = vise_i_array_get(weights, 0, t->offset + u * n_each + i);
      sum += w * w;
    }
    if (sqrt(sum) > rule->max_norm * (1 + (narrow ? SLACK_F32 : SLACK_F64))) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, unit %zu: norm %.*g is above the bound %.*g after a step",
                         t->name, u, narrow ? 9 : 17, sqrt(sum), narrow ? 9 : 17, rule->max_norm);
    }
  }

  return VISE_OK;
}

vise_status vise_i_verify_projection(const vise_i_step_spec *spec, const vise_array *weights, const uint8_t *mask,
                                     double clamp_factor, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < spec->net->n_tensors; i++) {
    const vise_i_tensor *t = &spec->net->tensors[i];
    VISE_TRY(verify_entries(t, weights, mask, vise_i_tensor_box(spec, t, clamp_factor), err));
    VISE_TRY(verify_norms(&spec->rule, t, weights, err));
  }
done:
  return status;
}

/* The debug mode: after a step, what mask, box and max-norm promise holds for every weight. */
#include <math.h>
#include <stdlib.h>

#include "host/backend/cuda/cuda.h"
#include "host/base/memory.h"

/* A bounded norm may exceed R by the rounding of its elements. */
#define MAX_NORM_SLACK 1e-6

static vise_status verify_entries(const vise_i_backend *b, const vise_i_tensor *t, const float *w, const uint8_t *mask,
                                  double clamp_factor, vise_error *err) {
  float lo, hi;
  vise_i_step_box(&b->spec, t, clamp_factor, &lo, &hi);

  for (size_t i = 0; i < t->n_rows * t->n_cols; i++) {
    if (w[i] < lo || w[i] > hi) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.9g is outside its box [%.9g, %.9g] after a step", t->name,
                         i, (double)w[i], (double)lo, (double)hi);
    }
    if (mask && !mask[i] && w[i] != 0) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s[%zu] = %.9g is masked but not 0 after a step", t->name, i,
                         (double)w[i]);
    }
  }

  return VISE_OK;
}

static vise_status verify_norms(const vise_i_backend *b, const vise_i_tensor *t, const float *w, vise_error *err) {
  const bool by_row = b->spec.max_norm_scope == VISE_MAX_NORM_UNIT;
  const size_t n_units = by_row ? t->n_rows : 1, n_each = t->n_rows * t->n_cols / n_units;
  if (b->spec.max_norm == 0 || t->is_bias) return VISE_OK;

  for (size_t u = 0; u < n_units; u++) {
    double sum = 0;
    for (size_t i = u * n_each; i < (u + 1) * n_each; i++) sum += (double)w[i] * (double)w[i];
    if (sqrt(sum) > b->spec.max_norm * (1 + MAX_NORM_SLACK)) {
      return vise_i_fail(err, VISE_ERR_INTERNAL, "%s, unit %zu: norm %.9g is above the bound %.9g after a step",
                         t->name, u, sqrt(sum), b->spec.max_norm);
    }
  }

  return VISE_OK;
}

vise_status vise_i_cuda_verify(vise_i_backend *b, const vise_i_hyper *hyper, vise_error *err) {
  vise_status status;
  float *weights = NULL;
  uint8_t *mask = NULL;
  const size_t n = b->net->n_params;

  VISE_TRY(vise_i_alloc(&weights, n, sizeof *weights, "weights", err));
  VISE_TRY(vise_i_cuda_get_state(b, VISE_I_PARAMS, weights, err));
  if (b->train.step.has_mask) {
    VISE_TRY(vise_i_alloc(&mask, n, 1, "mask", err));
    VISE_TRY(vise_i_cuda_get_state(b, VISE_I_MASK, mask, err));
  }

  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_tensor *t = &b->net->tensors[i];
    VISE_TRY(verify_entries(b, t, weights + t->offset, mask ? mask + t->offset : NULL, hyper->clamp_factor, err));
    VISE_TRY(verify_norms(b, t, weights + t->offset, err));
  }

done:
  free(weights);
  free(mask);
  return status;
}

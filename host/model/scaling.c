/* Scaling of features and targets, as kept in a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/model/model_struct.h"

/* What unit scaling divides by: the largest byte. */
#define UNIT_SCALE 255.0

void vise_i_scaler_free(vise_i_scaler *scaler) {
  free(scaler->shift);
  free(scaler->scale);
  scaler->shift = scaler->scale = NULL;
  scaler->kind = VISE_SCALE_NONE;
}

static vise_status check_arrays(const char *side, size_t n, const double *shift, const double *scale, vise_error *err) {
  if (!shift || !scale) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s scaling: standard needs shift and scale, %zu numbers each", side, n);
  }

  for (size_t i = 0; i < n; ++i) {
    if (!isfinite(shift[i])) {
      return vise_i_fail(err, VISE_ERR_VALUE, "%s scaling, column %zu: shift is %g, expected a finite number", side, i,
                         shift[i]);
    }
    if (!(scale[i] > 0) || !isfinite(scale[i])) {
      return vise_i_fail(err, VISE_ERR_VALUE, "%s scaling, column %zu: scale is %g, expected a finite number > 0", side,
                         i, scale[i]);
    }
  }
  return VISE_OK;
}

vise_status vise_i_scaler_set(vise_i_scaler *scaler, const char *side, vise_scale kind, const double *shift,
                              const double *scale, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_scaler made = {.kind = kind, .n = scaler->n, .shift = NULL, .scale = NULL};

  if (kind != VISE_SCALE_NONE && kind != VISE_SCALE_UNIT && kind != VISE_SCALE_STANDARD) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s scaling: kind '%s', expected none, unit or standard", side,
                       vise_scale_name(kind));
  }

  if (kind == VISE_SCALE_STANDARD) {
    VISE_TRY(check_arrays(side, made.n, shift, scale, err));
    VISE_TRY(vise_i_alloc(&made.shift, made.n, sizeof *made.shift, "scaling", err));
    VISE_TRY(vise_i_alloc(&made.scale, made.n, sizeof *made.scale, "scaling", err));
    memcpy(made.shift, shift, made.n * sizeof *shift);
    memcpy(made.scale, scale, made.n * sizeof *scale);
  }

  vise_i_scaler_free(scaler);
  *scaler = made;
  return VISE_OK;

done:
  vise_i_scaler_free(&made);
  return status;
}

static vise_scale scaler_get(const vise_i_scaler *scaler, double *shift, double *scale) {
  for (size_t i = 0; i < scaler->n; ++i) {
    bool own = scaler->kind == VISE_SCALE_STANDARD;
    if (shift) shift[i] = own ? scaler->shift[i] : 0;
    if (scale) scale[i] = own ? scaler->scale[i] : scaler->kind == VISE_SCALE_UNIT ? UNIT_SCALE : 1;
  }
  return scaler->kind;
}

vise_status vise_model_set_feature_scaling(vise_model *model, vise_scale kind, const double *shift, const double *scale,
                                           vise_error *err) {
  VISE_ENTER(err, model);
  return vise_i_scaler_set(&model->features, "feature", kind, shift, scale, err);
}

vise_status vise_model_set_target_scaling(vise_model *model, vise_scale kind, const double *shift, const double *scale,
                                          vise_error *err) {
  VISE_ENTER(err, model);
  return vise_i_scaler_set(&model->targets, "target", kind, shift, scale, err);
}

vise_scale vise_model_feature_scaling(const vise_model *model, double *shift, double *scale) {
  return model ? scaler_get(&model->features, shift, scale) : VISE_SCALE_NONE;
}

vise_scale vise_model_target_scaling(const vise_model *model, double *shift, double *scale) {
  return model ? scaler_get(&model->targets, shift, scale) : VISE_SCALE_NONE;
}

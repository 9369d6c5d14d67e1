#include "host/train/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/train/schedule.h"

/* The scales of hidden values are chosen anew after so many steps, then after twice as many, and so on; from REFIT_EVERY
   on after each so many. */
enum { FIRST_REFIT = 16, REFIT_EVERY = 1024 };

vise_status vise_i_quantize_format(const vise_train_config *config, vise_i_integer_format *out, vise_error *err) {
  *out = (vise_i_integer_format){0};
  if (config->quantize == NULL) return VISE_OK;
  const vise_status status = vise_i_integer_format_parse("quantize", config->quantize, out, err);
  if (status == VISE_OK && out->int16) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`quantize` %s: training is for weights of 8 bits; train without it, since rounding to 16 bits "
                       "loses little: `as` int16,accP then scores and exports the net",
                       config->quantize);
  }
  if (status != VISE_OK || !out->unconstrained) return status;
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "`quantize` %s: a training keeps the sums within the accumulator; unconstrained is for `as` alone",
                     config->quantize);
}

/* ---- rules ---- */

static vise_status refuse(const char *option, const char *why, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: not with `quantize`, %s", option, why);
}

vise_status vise_i_trainer_quantize_check(const vise_trainer *t, vise_error *err) {
  const vise_train_config *c = &t->config;
  vise_status status;
  vise_i_integer_format format;
  VISE_TRY(vise_i_quantize_format(c, &format, err));
  if (format.acc_bits == 0) goto done;
  VISE_TRY(vise_i_integer_check_net(t->net, true, err));

  if (t->datasets[0] == NULL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`quantize` needs training data, to know the ranges of values"));
  }
  if (c->epochs == 0 && c->steps == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE,
                         "`quantize` needs `epochs` or `steps`, for ranges stay as they are from half of them on"));
  }
  if (c->clamp || c->clamp_init > 0 || c->n_layer_clamps > 0) {
    VISE_TRY(refuse("clamp", "which has a box of its own: 127 steps of each row's scale", err));
  }
  if (c->max_norm > 0) VISE_TRY(refuse("max_norm", "which bounds each row by the accumulator", err));
  if (c->row_l1 > 0 || c->n_row_l1_layers > 0) {
    VISE_TRY(refuse("row_l1", "which bounds each row by the accumulator", err));
  }
  if (c->row_l1_sided > 0 || c->n_row_l1_sided_layers > 0) {
    VISE_TRY(refuse("row_l1_sided", "which bounds each row by the accumulator", err));
  }
  if (c->stop_projected_gradient > 0) {
    VISE_TRY(refuse("stop_projected_gradient", "since rounded weights have no gradient that vanishes", err));
  }

done:
  return status;
}

/* ---- rows ---- */

/* The feature c of a stored row, scaled as a backend does it. */
static double scaled_feature(const vise_i_data *data, size_t row, size_t c) {
  const vise_i_scaling *s = &data->x_scaling;
  const size_t i = s->uniform ? 0 : c;
  const double x = vise_i_array_get(&data->x, row, c);
  return s->scale != NULL ? (x - s->shift[i]) / s->scale[i] : x;
}

vise_status vise_i_calibration_make(const vise_i_net *net, const vise_i_view *view, float **x, vise_i_calibration *out,
                                    vise_error *err) {
  const size_t n_in = net->widths[0], most = vise_i_calibration_rows(net);
  const size_t n = view->n_rows < most ? view->n_rows : most;
  float *made = NULL;
  if (n == 0) return vise_i_fail(err, VISE_ERR_USAGE, "there are no rows to take the ranges of values from");
  const vise_status status = vise_i_alloc_aligned(&made, n * n_in, sizeof *made, "calibration", err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < n; i++) {
    const size_t row = vise_i_view_row(view, (size_t)((double)i * (double)view->n_rows / (double)n));
    for (size_t c = 0; c < n_in; c++) made[i * n_in + c] = (float)scaled_feature(&view->data, row, c);
  }
  *x = made;
  *out = (vise_i_calibration){made, n, view->data.x_scaling.uniform && view->data.x.dtype == VISE_U8};
  return VISE_OK;
}

/* All stored rows, since those of a view are indices into them. */
static vise_status make_integers(const vise_i_quantization *q, const vise_i_data *data, uint8_t **out,
                                 vise_error *err) {
  const size_t n_rows = data->x.n_rows, n_cols = data->x.n_cols;
  uint8_t *made = NULL;
  size_t n;
  if (!vise_i_size_mul(n_rows, n_cols, &n)) return vise_i_fail_memory(err, 0, "rows as integers");
  const vise_status status = vise_i_alloc_aligned(&made, n, 1, "rows as integers", err);
  if (status != VISE_OK) return status;

  for (size_t r = 0; r < n_rows; r++) {
    for (size_t c = 0; c < n_cols; c++) made[r * n_cols + c] = vise_i_quantize_input(q, scaled_feature(data, r, c));
  }
  *out = made;
  return VISE_OK;
}

/* t (x - z) is what the scaling of bytes makes of x. */
static void use_integers(const vise_i_quantization *q, const uint8_t *rows, vise_i_data *data) {
  data->x = vise_array_of(rows, VISE_U8, data->x.n_rows, data->x.n_cols);
  data->x_scaling = (vise_i_scaling){.shift = &q->in_shift, .scale = &q->in_divisor, .uniform = true};
}

vise_status vise_i_quantize_view(const vise_i_quantization *quantization, vise_i_view *view, uint8_t **rows,
                                 vise_error *err) {
  *rows = NULL;
  if (quantization == NULL) return VISE_OK;
  const vise_status status = make_integers(quantization, &view->data, rows, err);
  if (status == VISE_OK) use_integers(quantization, *rows, &view->data);
  return status;
}

/* Views of the same stored rows (those with one id) share their integers. */
static vise_status quantize_views(vise_trainer *t, vise_error *err) {
  vise_i_view *const views[] = {&t->train, &t->validation, &t->test};
  const bool has[] = {t->has_train, t->has_validation, t->has_test};

  for (size_t i = 0; i < 3; i++) {
    const uint8_t *rows = NULL;
    for (size_t k = 0; k < i && has[i]; k++) {
      if (has[k] && views[k]->data.id == views[i]->data.id) rows = views[k]->data.x.data;
    }
    if (!has[i]) continue;
    if (rows == NULL) {
      const vise_status status = make_integers(t->quantization, &views[i]->data, &t->integer_rows[i], err);
      if (status != VISE_OK) return status;
      rows = t->integer_rows[i];
    }
    use_integers(t->quantization, rows, &views[i]->data);
  }
  return VISE_OK;
}

/* ---- scales ---- */

vise_status vise_i_trainer_quantize(vise_trainer *t, vise_error *err) {
  vise_status status;
  vise_i_integer_format format;

  VISE_TRY(vise_i_quantize_format(&t->config, &format, err));
  if (format.acc_bits == 0) goto done;
  VISE_TRY(vise_i_calibration_make(t->net, &t->train, &t->calibration_rows, &t->calibration, err));
  VISE_TRY(
      vise_i_folded_make(t->net, vise_model_dtype(t->model), vise_i_model_const_params(t->model), &t->starting, err));
  VISE_TRY(vise_i_quantization_start(&t->starting, &format, &t->calibration, &t->quantization, err));
  VISE_TRY(quantize_views(t, err));

done:
  return status;
}

vise_status vise_i_trainer_start_weights(vise_trainer *t, vise_error *err) {
  vise_status status;
  void *params = NULL;
  if (t->quantization == NULL) return VISE_OK;

  VISE_TRY(vise_i_alloc(&params, t->net->n_values, vise_dtype_size(t->ops->dtype), "weights", err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, params, err));
  for (size_t l = 0; l < t->net->n_layers; l++) {
    const vise_i_tensor *w = &t->net->tensors[t->net->blocks[l].weight];
    for (size_t i = 0; i < vise_i_tensor_n(w); i++) {
      vise_i_param_set(t->ops->dtype, params, w->offset + i, t->starting.weights[l][i]);
    }
  }
  VISE_TRY(t->ops->set_state(t->backend, VISE_I_PARAMS, params, err));

done:
  vise_i_folded_free(&t->starting);
  free(params);
  return status;
}

void vise_i_trainer_quantize_free(vise_trainer *trainer) {
  for (size_t i = 0; i < 3; i++) free(trainer->integer_rows[i]);
  free(trainer->calibration_rows);
  free(trainer->best_scales);
  vise_i_folded_free(&trainer->starting);
  vise_i_quantization_free(trainer->quantization);
}

static uint64_t frozen_from(const vise_trainer *t) {
  return vise_i_planned_steps(&t->config, t->steps_per_epoch) / 2;
}

uint64_t vise_i_trainer_steps_to_refit(const vise_trainer *t) {
  const uint64_t step = t->state.step;
  uint64_t next = FIRST_REFIT;
  if (t->quantization == NULL) return UINT64_MAX;
  while (next <= step && next < REFIT_EVERY) next *= 2;
  if (next <= step) next = (step / REFIT_EVERY + 1) * REFIT_EVERY;

  const uint64_t end = frozen_from(t);
  if (step < end && end < next) next = end;
  return next - step;
}

static bool refit_is_due(const vise_trainer *t) {
  const uint64_t step = t->state.step, end = frozen_from(t);
  if (t->quantization == NULL || step > end) return false;
  if (step == end || step % REFIT_EVERY == 0) return true;
  return step >= FIRST_REFIT && step < REFIT_EVERY && (step & (step - 1)) == 0;
}

vise_status vise_i_trainer_refit(vise_trainer *t, vise_error *err) {
  vise_status status;
  void *params = NULL;
  vise_i_folded folded = {0};
  if (!refit_is_due(t)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&params, t->net->n_values, vise_dtype_size(t->ops->dtype), "weights", err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, params, err));
  VISE_TRY(vise_i_folded_make(t->net, t->ops->dtype, params, &folded, err));
  VISE_TRY(vise_i_quantization_fit_values(&folded, &t->calibration, t->quantization, err));
  VISE_TRY(vise_i_trainer_set_scales(t, t->quantization->scales, err));

done:
  vise_i_folded_free(&folded);
  free(params);
  return status;
}

vise_status vise_i_trainer_copy_scales(const vise_trainer *trainer, float **out, vise_error *err) {
  const vise_i_quantization *q = trainer->quantization;
  float *copy = NULL;
  if (q == NULL) return VISE_OK;
  const vise_status status = vise_i_alloc(&copy, q->n_scales, sizeof *copy, "scales", err);
  if (status != VISE_OK) return status;
  memcpy(copy, q->scales, q->n_scales * sizeof *copy);
  *out = copy;
  return VISE_OK;
}

vise_status vise_i_trainer_set_scales(vise_trainer *trainer, const float *scales, vise_error *err) {
  vise_i_quantization *q = trainer->quantization;
  if (q == NULL) return VISE_OK;
  if (scales != q->scales) memcpy(q->scales, scales, q->n_scales * sizeof *scales);
  return trainer->ops->set_state(trainer->backend, VISE_I_SCALES, scales, err);
}

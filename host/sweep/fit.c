#include "host/sweep/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/backend.h"
#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/train/resolve.h"
#include "host/train/trainer.h"

static vise_sweep_fit fit_defaults(void) {
  return (vise_sweep_fit){.struct_size = sizeof(vise_sweep_fit), .init_scheme = VISE_INIT_LINEAR};
}

VISE_I_DEFINE_INIT(vise_sweep_fit, keep_state, fit_defaults)

/* ---- what is submitted -------------------------------------------------------------------------------------------- */

static vise_status check(const vise_sweep_fit *given, vise_error *err) {
  if (given->training == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "vise_sweep_fit: `training` is NULL");
  if (given->train == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "vise_sweep_fit: `train` is NULL");
  if ((given->net == NULL) == (given->initial == NULL)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_sweep_fit: give either `net` or `initial`");
  }
  if (given->n_state_bytes > 0 && given->state == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_sweep_fit: `state` is NULL, and `n_state_bytes` is %zu",
                       given->n_state_bytes);
  }
  return VISE_OK;
}

/* A fit has one thread, which changes no bits. */
static vise_status copy_training(vise_i_sweep_fit *fit, const vise_sweep_fit *given, vise_error *err) {
  vise_status status;
  vise_train_config whole;
  vise_train_config_init(&whole);
  VISE_TRY(vise_i_config_take(&whole, sizeof whole, given->training, "vise_train_config", err));

  const char *why_not = NULL;
  if (whole.quantize != NULL && whole.backend == VISE_BACKEND_CUDA) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "`quantize`: a sweep trains integer nets on the CPU, not on `backend` cuda; leave that auto"));
  }
  if (whole.ranks != NULL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`ranks`: the fits of a sweep run side by side, each by itself"));
  }
  if (whole.backend == VISE_BACKEND_AUTO) {
    const bool on_cpu = whole.quantize != NULL || vise_i_resolve_is_in_parts(&whole);
    const bool has_device = !on_cpu && vise_i_backend_find(VISE_BACKEND_CUDA, &why_not) != NULL;
    whole.backend = has_device ? VISE_BACKEND_CUDA : VISE_BACKEND_CPU;
  }
  fit->on_device = whole.backend == VISE_BACKEND_CUDA;
  whole.n_threads = whole.backend == VISE_BACKEND_CPU ? 1 : 0;

  const size_t n_layers = given->net != NULL ? given->net->n_layers : vise_model_n_layers(given->initial);
  VISE_TRY(vise_i_config_copy(&whole, n_layers, &fit->training, &fit->lists, err));

done:
  return status;
}

vise_status vise_i_sweep_fit_create(const vise_sweep_fit *taken, vise_i_sweep_fit **out, vise_error *err) {
  vise_status status;
  vise_i_sweep_fit *fit = NULL;
  vise_sweep_fit given = fit_defaults();

  VISE_TRY(vise_i_config_take(&given, sizeof given, taken, "vise_sweep_fit", err));
  VISE_TRY(check(&given, err));
  VISE_TRY(vise_i_alloc_zero(&fit, 1, sizeof *fit, "a fit", err));
  VISE_TRY(copy_training(fit, &given, err));
  if (given.net != NULL) {
    vise_net_config_init(&fit->net);
    VISE_TRY(vise_i_config_take(&fit->net, sizeof fit->net, given.net, "vise_net_config", err));
  }
  if (given.n_state_bytes > 0) {
    VISE_TRY(vise_i_alloc(&fit->state, given.n_state_bytes, 1, "the state of a fit", err));
    memcpy(fit->state, given.state, given.n_state_bytes);
    fit->n_state_bytes = given.n_state_bytes;
  }

  fit->id = given.id;
  fit->init_scheme = given.init_scheme;
  fit->initial = vise_model_retain((vise_model *)(uintptr_t)given.initial);
  fit->train = vise_dataset_retain(given.train);
  fit->validation = vise_dataset_retain(given.validation);
  fit->keep_model = given.keep_model;
  fit->keep_state = given.keep_state;
  *out = fit;
  fit = NULL;

done:
  vise_i_sweep_fit_free(fit);
  return status;
}

void vise_i_sweep_fit_free(vise_i_sweep_fit *fit) {
  if (fit == NULL) return;
  vise_i_config_lists_free(&fit->lists);
  vise_model_free(fit->initial);
  vise_dataset_free(fit->train);
  vise_dataset_free(fit->validation);
  free(fit->state);
  vise_sweep_result_clear(&fit->result);
  free(fit);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

void vise_sweep_result_clear(vise_sweep_result *result) {
  if (result == NULL) return;
  vise_model_free(result->model);
  free(result->state);
  *result = (vise_sweep_result){0};
}

/* ---- the fit ------------------------------------------------------------------------------------------------------ */

static bool is_stopped(void *user) {
  return atomic_load_explicit((atomic_bool *)user, memory_order_relaxed);
}

vise_status vise_i_sweep_fit_model(const vise_i_sweep_fit *fit, vise_model **out, vise_error *err) {
  vise_status status;
  const vise_dtype dtype = fit->training.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  if (fit->initial != NULL) return vise_model_clone(fit->initial, dtype, out, err);
  VISE_TRY(vise_model_create(&fit->net, dtype, out, err));
  VISE_TRY(vise_model_initialize(*out, fit->init_scheme, fit->training.seed, err));
done:
  return status;
}

void vise_i_sweep_fit_report(const vise_run_result *run, vise_sweep_result *out) {
  out->reason = run->reason;
  out->train = run->train;
  out->validation = run->validation;
  out->steps = run->steps;
  out->epochs = run->epochs;
  out->best_epoch = run->best_epoch;
  out->n_skipped = run->n_skipped;
  out->n_norm_clipped = run->n_norm_clipped;
  out->n_at_lo = run->n_at_lo;
  out->n_at_hi = run->n_at_hi;
  out->n_boxed = run->n_boxed;
}

vise_status vise_i_sweep_fit_keep(vise_i_sweep_fit *fit, const vise_sweep_config *config, vise_model *model,
                                  vise_trainer *trainer, vise_error *err) {
  vise_status status = VISE_OK;
  vise_sweep_result *out = &fit->result;
  if (out->reason == VISE_STOP_INTERRUPTED) goto done;

  out->score = fit->validation != NULL ? out->validation.loss : NAN;
  if (config->score != NULL) {
    VISE_TRY(config->score(config->user, fit->id, model, fit->validation, &out->score, err));
  }
  if (fit->keep_state) VISE_TRY(vise_trainer_save_memory(trainer, &out->state, &out->n_state_bytes, err));
  if (fit->keep_model) out->model = vise_model_retain(model);

done:
  return status;
}

void vise_i_sweep_fit_run(vise_i_sweep_fit *fit, const vise_sweep_config *config, atomic_bool *stop) {
  vise_status status;
  vise_sweep_result *out = &fit->result;
  vise_error *err = &out->error;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_run_result result = {.reason = VISE_STOP_ERROR};
  const double start = vise_i_now();

  vise_run_config run;
  vise_run_config_init(&run);
  run.interrupted = is_stopped;
  run.user = stop;
  run.evaluate_at_end = true;

  *out = (vise_sweep_result){.id = fit->id, .reason = VISE_STOP_ERROR, .score = NAN};
  VISE_TRY(vise_i_sweep_fit_model(fit, &model, err));
  VISE_TRY(vise_trainer_create(&fit->training, model, fit->train, fit->validation, NULL, &trainer, err));
  if (fit->state != NULL) VISE_TRY(vise_trainer_restore_memory(trainer, fit->state, fit->n_state_bytes, err));

  status = vise_trainer_run(trainer, &run, &result, err);
  vise_i_sweep_fit_report(&result, out);
  if (status == VISE_OK) status = vise_i_sweep_fit_keep(fit, config, model, trainer, err);

done:
  if (status != VISE_OK && out->reason == VISE_STOP_NONE) out->reason = VISE_STOP_ERROR;
  out->status = status;
  out->seconds = vise_i_now() - start;
  vise_trainer_free(trainer);
  vise_model_free(model);
}

vise_status vise_sweep_check(const vise_sweep_fit *fit, bool rows, vise_error *err) {
  vise_status status;
  vise_i_sweep_fit *made = NULL;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  VISE_ENTER(err, fit);

  VISE_TRY(vise_i_sweep_fit_create(fit, &made, err));
  VISE_TRY(vise_i_sweep_fit_model(made, &model, err));
  const vise_dataset *const datasets[3] = {made->train, made->validation, NULL};
  VISE_TRY(vise_i_trainer_prepare(&made->training, model, datasets, rows, &trainer, err));

done:
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_i_sweep_fit_free(made);
  return status;
}

void vise_i_sweep_fit_drop(vise_i_sweep_fit *fit) {
  fit->result = (vise_sweep_result){.id = fit->id, .reason = VISE_STOP_INTERRUPTED, .score = NAN};
}

/* The end of a run: what is saved, restored, counted and told. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/projection.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/json/read.h"
#include "host/json/text.h"
#include "host/train/quantize.h"
#include "host/train/run.h"
#include "host/train/stopping.h"

/* Pruned weights are 0 for a reason of their own. */
static void count_signed(const vise_trainer *t, const void *params, vise_run_result *result) {
  const uint8_t *mask = vise_model_mask(t->model);
  const int8_t *signs = vise_model_signs(t->model);
  for (size_t i = 0; signs != NULL && i < t->net->n_params; i++) {
    if (signs[i] == 0 || (mask != NULL && mask[i] == 0)) continue;
    result->n_signed++;
    result->n_signed_at_zero += vise_i_param_get(t->ops->dtype, params, i) == 0;
  }
}

/* What the weights are like in the end. */
static void count_weights(const vise_trainer *t, const void *params, vise_run_result *result) {
  const vise_array weights = vise_array_of(params, t->ops->dtype, 1, t->net->n_params);
  const double factor = vise_i_trainer_last_hyper(t).row_l1_factor;
  for (size_t k = 0; k < t->net->n_tensors; k++) {
    const vise_layer_record seen = vise_i_record_tensor(t, params, k);
    result->n_boxed += seen.n_boxed;
    result->n_at_lo += seen.n_at_lo;
    result->n_at_hi += seen.n_at_hi;

    uint64_t n_bounded, n_norms;
    result->n_rows_at_bound += vise_i_rows_at_bound(&t->spec, &t->net->tensors[k], &weights, factor, &n_bounded);
    result->n_bounded_rows += n_bounded;
    result->n_norms_at_bound += vise_i_norms_at_bound(&t->spec.rule, &t->net->tensors[k], &weights, &n_norms);
    result->n_bounded_norms += n_norms;
    if (t->net->tensors[k].is_bias) continue;
    result->n_weights += seen.n_weights;
    result->n_zero_weights += seen.n_zero;
  }
  count_signed(t, params, result);
}

static void fill_result(const vise_i_run *run, vise_stop_reason reason, uint64_t best_epoch, vise_run_result *result) {
  const vise_trainer *t = run->trainer;
  const vise_i_train_state *s = &t->state;
  const double now = vise_i_now();

  memset(result, 0, sizeof(*result));
  result->reason = reason;
  result->best_epoch = best_epoch;
  result->steps = s->step;
  result->epochs = s->epoch;
  result->launches = t->ops->n_launches(t->backend);

  result->n_skipped = s->n_skipped;
  result->n_norm_clipped = s->n_norm_clipped;
  result->n_clipped_values = s->n_clipped_values;

  result->seconds = now - run->start;
  result->seconds_to_first_step = run->first_step > 0 ? run->first_step - run->start : 0;
  result->train = vise_i_epoch_metrics(t, s->steps_in_epoch > 0 ? &s->current : &s->last);
  result->validation = run->validation;
  result->test = run->test;
  result->resumed_from_step = run->resumed_from_step;
  result->lowest_epoch = isfinite(s->best_loss) ? s->best_epoch : 0;
  result->lowest_loss = result->lowest_epoch > 0 ? s->best_loss : NAN;
  if (t->config.patience_by == VISE_PATIENCE_BY_SCORE)
    result->lowest_loss = best_epoch > 0 ? run->validation.loss : NAN;
}

/* Evaluates the weights of the best epoch, projected on the final box, and stores them in the model; the backend keeps
   its own. */
static vise_status store_best(vise_i_run *run, vise_error *err) {
  vise_status status;
  vise_trainer *t = run->trainer;
  const size_t n_bytes = vise_i_trainer_n_bytes(t);
  const vise_i_hyper hyper = vise_i_trainer_last_hyper(t);
  void *current = NULL;
  float *current_scales = NULL;
  bool changed = false;

  VISE_TRY(vise_i_alloc(&current, n_bytes, 1, "weights", err));
  VISE_TRY(vise_i_trainer_copy_scales(t, &current_scales, err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, current, err));

  changed = true;
  VISE_TRY(vise_i_trainer_set_scales(t, t->best_scales, err));
  VISE_TRY(t->ops->set_state(t->backend, VISE_I_PARAMS, t->best_params, err));
  VISE_TRY(t->ops->project(t->backend, &hyper, err));

  run->evaluated = false; /* other weights */
  VISE_TRY(vise_i_run_evaluate(run, err));
  VISE_TRY(vise_i_trainer_store(t, err));

done:
  if (changed) {
    vise_error *first = status == VISE_OK ? err : NULL;
    vise_status back = vise_i_trainer_set_scales(t, current_scales, first);
    if (back == VISE_OK) back = t->ops->set_state(t->backend, VISE_I_PARAMS, current, first);
    if (status == VISE_OK) status = back;
  }
  free(current);
  free(current_scales);
  return status;
}

/* The model of a run that did not fail. */
static vise_status store_model(vise_i_run *run, vise_stop_reason reason, uint64_t *best_epoch, vise_error *err) {
  vise_status status;
  vise_trainer *t = run->trainer;
  const bool interrupted = reason == VISE_STOP_INTERRUPTED;

  if (!interrupted && t->config.patience > 0 && t->best_params != NULL) {
    *best_epoch = t->state.best_epoch;
    return store_best(run, err);
  }

  /* Whoever interrupts does not want to wait for an evaluation. */
  if (!interrupted) VISE_TRY(vise_i_run_evaluate(run, err));
  VISE_TRY(vise_i_trainer_store(t, err));

done:
  return status;
}

/* Nothing is saved with weights that are not finite, and no model after an epoch without a finite loss. */
static vise_status save(vise_i_run *run, vise_stop_reason reason, uint64_t *best_epoch, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_run_check_weights(run, err));
  if (run->saves) status = vise_i_out_dir_checkpoint(&run->out, run->trainer, &run->notes, err);
  VISE_TRY(vise_ranks_agree(run->trainer->config.ranks, status, err)); /* what follows needs all of them */
  if (reason != VISE_STOP_INTERRUPTED) VISE_TRY(vise_i_run_check_end(run, err));
  status = store_model(run, reason, best_epoch, err);
  if (status == VISE_OK && run->saves) status = vise_i_out_dir_save_model(&run->out, run->trainer->model, err);
  VISE_TRY(vise_ranks_agree(run->trainer->config.ranks, status, err)); /* none ends well without the model */
done:
  return status;
}

/* The model of a run that went wrong after its best epoch, where keep_best asks for it. There is no checkpoint: nothing can
   go on from here. */
static vise_status keep_best(vise_i_run *run, uint64_t *best_epoch, vise_error *err) {
  vise_status status;
  const uint64_t epoch = run->trainer->state.best_epoch;
  vise_i_note(&run->notes, VISE_LOG_WARNING, "%s; the weights of epoch %" PRIu64 ", the best before, are kept",
              err->text, epoch);
  vise_error_clear(err);

  VISE_TRY(store_best(run, err));
  if (run->saves) VISE_TRY(vise_i_out_dir_save_model(&run->out, run->trainer->model, err));
  *best_epoch = epoch;
done:
  return status;
}

static vise_status read_members(const char *text, json_t **out, vise_error *err) {
  vise_i_json_fault fault;
  const vise_status status = vise_i_json_parse(text, strlen(text), out, &fault);
  if (status == VISE_ERR_MEMORY) return vise_i_fail_memory(err, 0, "the end of a run");
  if (status == VISE_OK) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`describe`: byte %zu of its text: %s", fault.byte, fault.what);
}

/* The members that the caller adds to the "end" event; *out is NULL if there are none. */
static vise_status describe(const vise_i_run *run, const vise_run_result *result, json_t **out, vise_error *err) {
  static const char *const own[] = {"event", "reason", "steps", "launches", "seconds"};
  char *text = NULL;
  json_t *object = NULL;
  vise_status status = VISE_OK;
  if (run->config.describe == NULL) return VISE_OK;

  VISE_TRY(run->config.describe(run->config.user, result, &text, err));
  if (text == NULL) goto done;
  VISE_TRY(read_members(text, &object, err));
  if (!json_is_object(object)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`describe`: its text is not a JSON object"));
  }

  for (size_t i = 0; i < sizeof own / sizeof *own; i++) (void)json_object_del(object, own[i]);
  *out = object;
  object = NULL;

done:
  json_decref(object);
  free(text);
  return status;
}

static vise_status log_end(vise_i_run *run, const vise_run_result *result, const json_t *more, vise_error *err) {
  vise_i_jsonl *file = &run->out.metrics;
  char *text = NULL;

  vise_i_jsonl_begin(file, "end");
  vise_i_jsonl_text(file, "reason", vise_stop_reason_name(result->reason));
  vise_i_jsonl_count(file, "steps", result->steps);
  vise_i_jsonl_count(file, "launches", result->launches);
  vise_i_jsonl_number(file, "seconds", result->seconds);

  vise_status status;
  if (json_object_size(more) > 0) {
    VISE_TRY(vise_i_json_text(more, JSON_COMPACT | JSON_REAL_PRECISION(17), "the end of a run", &text, NULL, err));
    vise_i_jsonl_members(file, text);
  }
  VISE_TRY(vise_i_jsonl_end(file, err));
  VISE_TRY(vise_i_jsonl_sync(file, err));
done:
  free(text);
  return status;
}

vise_status vise_i_run_finish(vise_i_run *run, vise_status status, vise_stop_reason reason, vise_run_result *result,
                              vise_error *err) {
  vise_trainer *t = run->trainer;
  uint64_t best_epoch = 0;
  vise_error ignored = VISE_ERROR_INIT;

  if (status == VISE_OK) {
    status = vise_i_trainer_note(t, save(run, reason, &best_epoch, err), err);
    if (status != VISE_OK) reason = run->has_bad_numbers ? VISE_STOP_HALT : VISE_STOP_ERROR;
  }

  if (status == VISE_ERR_NONFINITE && t->config.keep_best && t->best_params != NULL) {
    status = vise_i_trainer_note(t, keep_best(run, &best_epoch, err), err);
  }
  if (status != VISE_OK && t->poison == VISE_OK) {
    /* The first error is what counts; the model still gets the current weights. */
    if (vise_i_trainer_store(t, &ignored) != VISE_OK) vise_error_clear(&ignored);
    best_epoch = 0;
  }

  vise_run_result made;
  fill_result(run, reason, best_epoch, &made);
  count_weights(t, vise_i_model_const_params(t->model), &made);

  json_t *more = NULL;
  if (status == VISE_OK) {
    status = describe(run, &made, &more, err);
    if (status != VISE_OK) made.reason = VISE_STOP_ERROR;
  }
  if (run->saves) {
    const vise_status logged = log_end(run, &made, more, status == VISE_OK ? err : &ignored);
    if (status == VISE_OK && logged != VISE_OK) {
      status = logged;
      made.reason = VISE_STOP_ERROR;
    }
  }

  json_decref(more);
  *result = made;
  return status;
}

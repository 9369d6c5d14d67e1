/* Weights and losses that are not finite: found at the ends of epochs, before anything is saved, and at the end. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/train/run.h"
#include "host/train/stopping.h"

/* Steps between two looks at the weights while nothing is suspicious: a look copies them all, from a device too. */
enum { STEPS_BETWEEN = 64, STEPS_BETWEEN_ON_DEVICE = VISE_I_MOST_STEPS };

static bool has_finite_loss(const vise_trainer *t, const vise_i_epoch_sums *sums) {
  return isfinite(vise_i_epoch_metrics(t, sums).loss);
}

/* In the midst of an epoch the one before counts too: the batches so far may be few. */
static bool ends_with_finite_loss(const vise_trainer *t) {
  const vise_i_train_state *s = &t->state;
  return (s->steps_in_epoch > 0 && has_finite_loss(t, &s->current)) || (s->epoch > 0 && has_finite_loss(t, &s->last));
}

/* The tensor that holds element i. */
static const vise_i_tensor *tensor_of(const vise_i_net *net, size_t i) {
  size_t k = 0;
  while (i >= net->tensors[k].offset + net->tensors[k].n_rows * net->tensors[k].n_cols) k++;
  return &net->tensors[k];
}

vise_status vise_i_run_check_weights(vise_i_run *run, vise_error *err) {
  vise_status status;
  vise_trainer *t = run->trainer;
  const vise_dtype dtype = t->ops->dtype;
  const size_t n = t->net->n_values;
  void *params = NULL;
  size_t i = 0;

  VISE_TRY(vise_i_alloc(&params, vise_i_trainer_n_bytes(t), 1, "weights", err));
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, params, err));
  run->checked_step = t->state.step;

  while (i < n && isfinite(vise_i_param_get(dtype, params, i))) i++;
  if (i == n) goto done;

  /* Skipped steps changed nothing: the last one that was not skipped did this, or one before it. */
  const vise_i_tensor *tensor = tensor_of(t->net, i);
  const uint64_t step = t->state.step - t->ops->get_counters(t->backend).consecutive_skips;
  run->has_bad_numbers = true;
  status = vise_i_fail(err, VISE_ERR_NONFINITE,
                       "after step %" PRIu64
                       " the weights are not finite: %s, element %zu is %g; a smaller learning "
                       "rate, clipping or a box for the weights may help",
                       step, tensor->name, i - tensor->offset, vise_i_param_get(dtype, params, i));

done:
  free(params);
  return vise_i_trainer_note(t, status, err);
}

/* Once each: further epochs of the kind are not named. */
static void warn(vise_i_run *run) {
  const vise_trainer *t = run->trainer;
  const unsigned long long epoch = t->state.epoch;

  if (!has_finite_loss(t, &t->state.last) && !run->warned_of_loss) {
    run->warned_of_loss = true;
    vise_i_note(&run->notes, VISE_LOG_WARNING, "epoch %llu has no finite loss%s (further ones are not named)", epoch,
                t->state.last.rows > 0 ? "" : ": every step of it was skipped");
  }
  const bool is_evaluated = t->has_validation && vise_i_run_evaluates_epochs(run);
  if (is_evaluated && !isfinite(run->validation.loss) && !run->warned_of_validation) {
    run->warned_of_validation = true;
    vise_i_note(&run->notes, VISE_LOG_WARNING,
                "the validation loss of epoch %llu is not finite (further ones are not "
                "named)",
                epoch);
  }
}

vise_status vise_i_run_check_epoch(vise_i_run *run, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_trainer *t = run->trainer;
  const bool suspicious = !has_finite_loss(t, &t->state.last) || t->state.n_skipped > run->skips_seen;
  const uint64_t between = t->which == VISE_BACKEND_CUDA ? STEPS_BETWEEN_ON_DEVICE : STEPS_BETWEEN;

  run->skips_seen = t->state.n_skipped;
  if (suspicious || t->state.step - run->checked_step >= between) VISE_TRY(vise_i_run_check_weights(run, err));

  if (t->config.patience > 0 && isnan(vise_i_patience_watched(t, &run->validation))) {
    const char *watched = t->config.patience_by == VISE_PATIENCE_BY_SCORE ? "score" : "loss";
    run->has_bad_numbers = true;
    VISE_TRY(vise_i_fail(err, VISE_ERR_NONFINITE,
                         "epoch %" PRIu64 ": the validation %s is not a number, so that no epoch can be called the "
                         "best; look at the validation data and their scale",
                         t->state.epoch, watched));
  }
  warn(run);

done:
  return status;
}

vise_status vise_i_run_check_end(vise_i_run *run, vise_error *err) {
  const vise_trainer *t = run->trainer;
  if (t->state.step == 0 || ends_with_finite_loss(t)) return VISE_OK;
  run->has_bad_numbers = true;
  return vise_i_fail(err, VISE_ERR_NONFINITE,
                     "the last epoch has no finite loss (skipped steps: %" PRIu64 " of %" PRIu64
                     "), so that no model "
                     "is saved; a smaller learning rate, clipping or scaled features may help",
                     t->state.n_skipped, t->state.step);
}

void vise_i_run_explain_skips(vise_i_run *run, vise_error *err) {
  vise_error why = VISE_ERROR_INIT;
  if (vise_i_run_check_weights(run, &why) != VISE_ERR_NONFINITE) return;
  const size_t used = strlen(err->text);
  snprintf(err->text + used, sizeof(err->text) - used, ". %s", why.text);
}

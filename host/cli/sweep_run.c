/* The fits of a sweep: which, up to which epoch, and what becomes of each. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/signals.h"
#include "host/cli/sweep_share.h"

/* How often signals are looked at while no fit ends; others' fits while there are own ones, and while it waits for them. */
#define POLL_SECONDS 0.1
#define LOOK_SECONDS 0.5
#define WAIT_SECONDS 0.25 /* at most */
/* A process that is not alone has so much work in its queue, by how long fits take. */
#define AHEAD_SECONDS 1.0
/* Between two claims, while it has something to do. */
#define CLAIM_SECONDS 0.02

/* One call of the queue. */
typedef struct running {
  vise_i_cli_sweeping *s;
  vise_sweep *queue;
  vise_i_cli_progress progress;
  vise_i_cli_round round; /* the configurations that take part in this one */
  size_t next;            /* place in it to be submitted, as long as the process is alone */
  size_t n_before;        /* fits that were done before this call */
  double wait;            /* how long it waits for fits of others, longer each time; 0: it has own ones */
  double claimed_at;      /* when it last tried to */
  double asked_at;        /* when it was asked whether others have joined */
  double start;
  double best;        /* mean of the configuration that is best so far */
  size_t best_config; /* SIZE_MAX: none yet */
} running;

/* ---- rungs ---------------------------------------------------------------------------------------------------------- */

/* Epochs that a configuration plans. */
static uint64_t planned_epochs(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  const vise_train_config *training = &options->training;
  const size_t n = vise_dataset_n_rows(setup->train), batch = training->batch;
  const size_t size = batch == 0 || batch > n ? n : batch;
  const uint64_t per_epoch = training->drop_last ? n / size : (n + size - 1) / size;
  const uint64_t by_steps = training->steps > 0 ? (training->steps + per_epoch - 1) / per_epoch : 0;
  if (training->epochs == 0) return by_steps;
  return by_steps > 0 && by_steps < training->epochs ? by_steps : training->epochs;
}

/* eta^n, or UINT64_MAX beyond it. */
static uint64_t power(uint64_t eta, size_t n) {
  uint64_t result = 1;
  for (size_t i = 0; i < n; i++) result = result > UINT64_MAX / eta ? UINT64_MAX : result * eta;
  return result;
}

/* The last epoch of a fit at a rung; 0: its own end. */
static uint64_t epochs_at(const vise_i_cli_sweeping *s, uint64_t planned, size_t rung) {
  if (rung == s->n_rungs) return 0;
  const uint64_t share = power(s->options->halving, s->n_rungs - rung), epochs = (planned + share - 1) / share;
  return epochs > 0 ? epochs : 1;
}

static vise_status plan(vise_i_cli_sweeping *s, vise_error *err) {
  const uint64_t eta = s->options->halving;
  s->n_rungs = 1;
  s->rungs[0] = 0;
  if (eta == 0) return VISE_OK;

  vise_i_cli_options options;
  vise_i_cli_setup setup;
  const vise_status status = vise_i_cli_sweep_resolve(s, 0, 0, &options, &setup, err);
  const uint64_t planned = status == VISE_OK ? planned_epochs(&options, &setup) : 0;
  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  if (status != VISE_OK) return status;

  while (s->n_rungs < VISE_I_CLI_MOST_RUNGS && power(eta, s->n_rungs) <= planned &&
         power(eta, s->n_rungs) <= s->n_configs) {
    s->n_rungs++;
  }
  if (s->n_rungs == 1) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--halving %llu: it takes at least as many configurations and epochs; there are %zu and %llu",
        (unsigned long long)eta, s->n_configs, (unsigned long long)planned);
  }
  for (size_t rung = 1; rung <= s->n_rungs; rung++) s->rungs[rung - 1] = epochs_at(s, planned, rung);
  return VISE_OK;
}

vise_status vise_i_cli_sweep_plan_rungs(vise_i_cli_sweeping *s, vise_error *err) {
  const vise_status status = plan(s, err);
  if (status != VISE_OK) return status;
  const size_t n = s->n_rungs * s->n_configs * s->n_splits;
  s->rung_scores = calloc(n, sizeof *s->rung_scores);
  if (s->rung_scores == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the scores of fits");
  for (size_t i = 0; i < n; i++) s->rung_scores[i] = NAN;
  return VISE_OK;
}

/* ---- a fit begins ----------------------------------------------------------------------------------------------------- */

/* Which fit, and where it begins and ends. */
typedef struct wanted_fit {
  size_t config, split, rung;
  const void *state; /* NULL: it begins anew */
  size_t n_state;
  bool looks_at_rows; /* where it is only checked */
} wanted_fit;

/* Why held-out rows have no score of that name. */
static vise_status fail_unscored(vise_i_cli_score score, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "its held-out rows have no %s: the targets, or the loss, are not of the kind for it",
                         vise_i_cli_score_name(score));
}

/* Hands the fit to the queue; without one it is only checked. */
static vise_status hand_over(const vise_i_cli_sweeping *s, vise_sweep *queue, const wanted_fit *w, vise_error *err) {
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_status status = vise_i_cli_sweep_resolve(s, w->config, w->split, &options, &setup, err);

  if (status == VISE_OK) {
    vise_train_config training = vise_i_cli_trainer_config(&options, &setup);
    vise_sweep_fit fit;
    if (w->rung < s->n_rungs) training.stop_after_epoch = epochs_at(s, planned_epochs(&options, &setup), w->rung);
    vise_sweep_fit_init(&fit);
    fit.id = w->config * s->n_splits + w->split;
    fit.training = &training;
    vise_i_cli_sweep_fill(&options, &setup, &fit);
    fit.state = w->state;
    fit.n_state_bytes = w->n_state;
    fit.keep_state = w->rung < s->n_rungs;
    status = queue != NULL ? vise_sweep_submit(queue, &fit, err) : vise_sweep_check(&fit, w->looks_at_rows, err);
    const size_t n_outputs = options.net.widths[options.net.n_layers];
    if (status == VISE_OK && queue == NULL && !vise_i_cli_score_fits(s->options->score, training.loss, n_outputs)) {
      status = fail_unscored(s->options->score, err);
    }
  }

  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  return status;
}

static vise_status submit(const running *r, size_t config, size_t split, bool anew, vise_error *err) {
  const vise_i_cli_fit *record = vise_i_cli_fit_at(r->s, config, split);
  wanted_fit w = {.config = config, .split = split, .rung = r->round.number};
  vise_error inner = VISE_ERROR_INIT;
  void *state = NULL;

  vise_status status = VISE_OK;
  if (!anew && r->round.number > 1) status = vise_i_cli_sweep_states_read(r->s, record, &state, &inner);
  w.state = state;
  w.n_state = state != NULL ? record->n_state : 0;
  if (status == VISE_OK) status = hand_over(r->s, r->queue, &w, &inner);
  free(state);
  return status == VISE_OK ? VISE_OK : vise_i_cli_sweep_fit_failed(r->s, config, split, status, inner.text, err);
}

/* What a trainer would refuse is refused before the first fit. */
vise_status vise_i_cli_sweep_check_fits(const vise_i_cli_sweeping *s, vise_error *err) {
  for (size_t config = 0; config < s->n_configs && vise_i_cli_signal_caught() == 0; config++) {
    const bool is_first = s->data[s->data_of[config]].first == config; /* with these rows */
    const wanted_fit w = {.config = config, .rung = s->n_rungs, .looks_at_rows = is_first};
    vise_error inner = VISE_ERROR_INIT;
    if (s->same_as[config] != config) continue;
    const vise_status status = hand_over(s, NULL, &w, &inner);
    if (status != VISE_OK) return vise_i_cli_sweep_fit_failed(s, config, 0, status, inner.text, err);
  }
  return VISE_OK;
}

/* ---- a fit ends -------------------------------------------------------------------------------------------------------- */

static double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? (double)part / (double)whole : (double)NAN;
}

/* Its score, of the metrics or of what was asked of the model: of a net in integers in any case. */
static double score_of(const vise_i_cli_sweeping *s, const vise_sweep_result *result) {
  char format[VISE_I_CLI_FORMAT_BYTES];
  double score = result->score;
  if (vise_i_cli_sweep_quantizes(s, result->id / s->n_splits, format, sizeof format)) return score;
  (void)vise_i_cli_score_of_metrics(s->options->score, &result->validation, &score);
  return score;
}

/* A score that the rows do not have; where the loss is not finite either it is the fit that is to blame. */
static vise_status check_score(const vise_i_cli_sweeping *s, const vise_sweep_result *result, double score,
                               vise_error *err) {
  const size_t config = result->id / s->n_splits, split = result->id % s->n_splits;
  if (!isnan(score) || !isfinite(result->validation.loss)) return VISE_OK;
  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = fail_unscored(s->options->score, &inner);
  return vise_i_cli_sweep_fit_failed(s, config, split, status, inner.text, err);
}

/* What a fit is after a round. */
static vise_i_cli_fit make_record(const running *r, const vise_sweep_result *result, double score) {
  const vise_i_cli_sweeping *s = r->s;
  vise_i_cli_fit fit = s->fits[result->id];
  const bool is_bad = result->status != VISE_OK || !isfinite(score);
  const bool goes_on = r->round.number < s->n_rungs && result->reason == VISE_STOP_AFTER_EPOCH;
  fit.status = is_bad ? VISE_I_CLI_FIT_NONFINITE : goes_on ? VISE_I_CLI_FIT_STOPPED : VISE_I_CLI_FIT_OK;
  fit.n_rungs = goes_on ? r->round.number : s->n_rungs;
  fit.ended_round = fit.status != VISE_I_CLI_FIT_STOPPED ? r->round.number : 0;
  fit.score = is_bad ? (double)INFINITY : score;
  fit.train_score = NAN;
  (void)vise_i_cli_score_of_metrics(s->options->score, &result->train, &fit.train_score);
  fit.seconds += result->seconds;
  fit.epochs = result->epochs;
  fit.best_epoch = result->best_epoch;
  fit.at_bound = share(result->n_at_lo + result->n_at_hi, result->n_boxed);
  fit.clipped = share(result->n_norm_clipped, result->steps);
  fit.n_state = 0;
  return fit;
}

/* Keeps it, with its state; others may have gone on with the fit already. */
static vise_status keep(running *r, const vise_sweep_result *result, const vise_i_cli_fit *fit, vise_error *err) {
  vise_i_cli_sweeping *s = r->s;
  const size_t config = result->id / s->n_splits, split = result->id % s->n_splits;
  const bool stopped = fit->status == VISE_I_CLI_FIT_STOPPED;
  if (stopped) *vise_i_cli_rung_score(s, config, split, r->round.number) = fit->score;
  if (fit->n_rungs <= s->fits[result->id].n_rungs) return VISE_OK;

  s->fits[result->id] = *fit;
  if (result->state == NULL || !stopped) return VISE_OK;
  return vise_i_cli_sweep_states_keep(s, config, split, result->state, result->n_state_bytes, err);
}

/* Keeps what a fit came to. */
static vise_status take(running *r, const vise_sweep_result *result, vise_error *err) {
  vise_i_cli_sweeping *s = r->s;
  const size_t config = result->id / s->n_splits, split = result->id % s->n_splits;

  if (result->reason == VISE_STOP_INTERRUPTED) return VISE_OK;
  if (vise_i_cli_fit_is_done(s, config, split, r->round.number)) return VISE_OK; /* another process has done it */
  if (result->status == VISE_ERR_FORMAT && r->round.number > 1 && s->fits[result->id].n_state > 0) {
    s->fits[result->id].n_state = 0; /* its state is damaged */
    s->fits[result->id].seconds = 0;
    return submit(r, config, split, true, err);
  }
  if (result->status != VISE_OK && result->status != VISE_ERR_NONFINITE) {
    return vise_i_cli_sweep_fit_failed(s, config, split, result->status, result->error.text, err);
  }

  const double score = result->status == VISE_OK ? score_of(s, result) : (double)INFINITY;
  vise_status status = check_score(s, result, score, err);
  if (status != VISE_OK) return status;
  const vise_i_cli_fit fit = make_record(r, result, score);
  status = keep(r, result, &fit, err);
  s->n_done++;
  s->n_fits_now++;
  if (status != VISE_OK) return status;
  const char *why = result->status != VISE_OK ? result->error.text
                    : isfinite(score)         ? NULL
                                              : "the outputs for the held-out rows are not finite";
  return vise_i_cli_sweep_folder_add(s, result->id, &fit, why, err);
}

/* ---- what is shown ----------------------------------------------------------------------------------------------------- */

/* The mean over all splits of a configuration's scores at a rung; the worst number where one is not finite. Fits that
   ended before it have the score of their end. */
static double mean_at(const vise_i_cli_sweeping *s, size_t config, size_t rung) {
  double sum = 0;
  for (size_t split = 0; split < s->n_splits; split++) {
    const vise_i_cli_fit *fit = vise_i_cli_fit_at(s, config, split);
    const double score = *vise_i_cli_rung_score(s, config, split, rung);
    if (isnan(score) && fit->status == VISE_I_CLI_FIT_NONFINITE) {
      return s->larger_is_better ? -(double)INFINITY : (double)INFINITY;
    }
    sum += isnan(score) ? fit->score : score;
  }
  return sum / (double)s->n_splits;
}

static bool is_better(const vise_i_cli_sweeping *s, double a, double b) {
  return s->larger_is_better ? a > b : a < b;
}

/* Whether all folds of a configuration have been scored at the rung. */
static bool is_complete(const vise_i_cli_sweeping *s, size_t config, size_t rung) {
  for (size_t split = 0; split < s->n_splits; split++) {
    if (vise_i_cli_fit_at(s, config, split)->n_rungs < rung) return false;
  }
  return true;
}

static void note_best(running *r, size_t config) {
  if (!is_complete(r->s, config, r->round.number)) return;
  const double mean = mean_at(r->s, config, r->round.number);
  if (r->best_config != SIZE_MAX && !is_better(r->s, mean, r->best)) return;
  r->best = mean;
  r->best_config = config;
}

/* At the end of a round in any case. */
static void show(running *r, bool in_any_case) {
  const vise_i_cli_sweeping *s = r->s;
  char text[256], left[32] = "-:--", best[96] = "", workers[48] = "";
  const double seconds = vise_i_cli_seconds() - r->start;
  const double rate = seconds > 0 && s->n_done > r->n_before ? (double)(s->n_done - r->n_before) / seconds : 0;
  const size_t n_left = s->n_done < s->n_planned ? s->n_planned - s->n_done : 0;
  if (!vise_i_cli_progress_is_due(&r->progress, in_any_case ? 0 : seconds)) return;

  if (vise_i_cli_tells_events()) {
    const double seconds_left = rate > 0 ? (double)n_left / rate : (double)NAN;
    const vise_i_cli_sweep_moment moment = {seconds, rate, seconds_left, r->best_config, r->best};
    vise_i_cli_sweep_tell_moment(s, &moment);
    return;
  }

  if (rate > 0) vise_i_cli_format_time((double)n_left / rate, left, sizeof left);
  if (r->best_config != SIZE_MAX) {
    (void)snprintf(best, sizeof best, ", best %s %.5g", vise_i_cli_score_name(s->options->score), r->best);
  }
  if (s->share != NULL) (void)snprintf(workers, sizeof workers, ", %zu workers", vise_i_cli_share_n_workers(s));
  (void)snprintf(text, sizeof text, "%zu of %zu fits, %.3g fits/s%s, %s left%s", s->n_done, s->n_planned, rate, workers,
                 left, best);
  vise_i_cli_progress_text(&r->progress, text);
}

/* ---- a rung ------------------------------------------------------------------------------------------------------------ */

static bool is_done(const running *r, size_t place) {
  const size_t n_splits = r->s->n_splits;
  return vise_i_cli_fit_is_done(r->s, r->round.configs[place / n_splits], place % n_splits, r->round.number);
}

static vise_status begin(running *r, size_t place, vise_error *err) {
  r->round.begun[place] = 1;
  return submit(r, r->round.configs[place / r->s->n_splits], place % r->s->n_splits, false, err);
}

/* Whether all fits of the round are done, by whomever. */
static bool round_is_done(running *r) {
  const size_t n = r->round.n * r->s->n_splits;
  while (r->round.first < n && is_done(r, r->round.first)) r->round.first++;
  return r->round.first == n;
}

/* Fills the queue with fits that are not done. */
static vise_status fill(running *r, vise_error *err) {
  size_t n_wanted = vise_sweep_n_wanted(r->queue);
  for (; n_wanted > 0 && r->next < r->round.n * r->s->n_splits; r->next++) {
    if (is_done(r, r->next)) continue;
    const vise_status status = begin(r, r->next, err);
    if (status != VISE_OK) return status;
    n_wanted--;
  }
  return VISE_OK;
}

/* How many fits to claim: none while there is enough in the queue. A GPU takes all that it is given at once. */
static size_t n_to_claim(const running *r, double now) {
  const size_t n_open = r->round.n_open, n_jobs = (size_t)r->s->n_jobs;
  if (strcmp(vise_i_cli_sweep_backend(r->s), "cuda") == 0) return n_open == 0 ? vise_sweep_n_wanted(r->queue) : 0;
  const double rate = (double)r->s->n_fits_now / (now - r->start + 0.01);
  const size_t ahead = n_jobs + (size_t)(rate * AHEAD_SECONDS);
  if (n_open >= n_jobs && (n_open >= ahead / 2 || now - r->claimed_at < CLAIM_SECONDS)) return 0;
  return ahead - n_open;
}

/* The same of a sweep that others share: only fits that are this process's. */
static vise_status fill_claimed(running *r, vise_error *err) {
  const double now = vise_i_cli_seconds();
  r->round.n_open = vise_sweep_n_open(r->queue);
  const size_t n_wanted = n_to_claim(r, now);
  size_t *places = n_wanted > 0 ? calloc(n_wanted, sizeof *places) : NULL, n = 0;
  if (n_wanted == 0) return VISE_OK;
  r->claimed_at = now;
  (void)round_is_done(r); /* which finds where those begin that are not */
  if (places == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu fits", n_wanted);
  vise_status status = vise_i_cli_share_claim(r->s, &r->round, n_wanted, places, &n, err);
  for (size_t i = 0; status == VISE_OK && i < n; i++) status = begin(r, places[i], err);
  free(places);
  return status;
}

/* From now on the sweep is shared. */
static vise_status notice_others(running *r, double every, vise_error *err) {
  const double now = vise_i_cli_seconds();
  if (r->s->share != NULL || now - r->asked_at < every) return VISE_OK;
  r->asked_at = now;
  if (!vise_i_cli_share_is_wanted(r->s)) return VISE_OK;

  vise_status status = vise_i_cli_share_open(r->s, err);
  if (status == VISE_OK) status = vise_i_cli_share_join(r->s, err);
  return status == VISE_OK ? vise_i_cli_share_claim_begun(r->s, &r->round, err) : status;
}

/* Takes what others have done meanwhile. */
static vise_status look(running *r, double every, vise_error *err) {
  size_t n_new = 0;
  if (r->s->share == NULL) return notice_others(r, LOOK_SECONDS, err);
  const vise_status status = vise_i_cli_share_look(r->s, every, &n_new, err);
  r->s->n_done += n_new;
  if (n_new > 0) r->wait = 0;
  for (size_t i = 0; n_new > 0 && i < r->round.n; i++) note_best(r, r->round.configs[i]);
  return status;
}

/* Nothing is left to begin here: what was done is shown to the others, and theirs is waited for. */
static vise_status wait_for_others(running *r, vise_error *err) {
  vise_i_cli_sweep_states_sync(r->s);
  const vise_status status = vise_i_cli_sweep_folder_sync(r->s, err);
  r->wait = vise_i_cli_share_pause(r->wait, WAIT_SECONDS);
  return status;
}

/* What fails because the others have done all fits meanwhile, and went away with their files, is no failure. */
static vise_status unless_over(running *r, vise_status status, vise_error *err) {
  if (status == VISE_OK || !vise_i_cli_share_is_over(r->s)) return status;
  vise_error_clear(err);
  return look(r, 0, err);
}

static vise_status step(running *r, vise_error *err) {
  vise_status status = look(r, r->wait > 0 ? 0 : LOOK_SECONDS, err);
  if (status == VISE_OK) status = r->s->share != NULL ? fill_claimed(r, err) : fill(r, err);
  return unless_over(r, status, err);
}

static vise_status run_rung(running *r, vise_error *err) {
  vise_status status = VISE_OK;
  for (;;) {
    vise_sweep_result result;
    bool found = false;
    if (status == VISE_OK && !r->s->interrupted) status = step(r, err);
    if (vise_i_cli_signal_caught() != 0) r->s->interrupted = true;
    if (status != VISE_OK || r->s->interrupted) vise_sweep_stop(r->queue);

    vise_error inner = VISE_ERROR_INIT; /* err may have what ends the sweep */
    const vise_status waited = vise_sweep_next(r->queue, POLL_SECONDS, &result, &found, &inner);
    if (waited != VISE_OK) return vise_i_cli_fail(err, waited, "%s", inner.text);
    if (found) {
      r->wait = 0;
      if (status == VISE_OK) status = take(r, &result, err);
      note_best(r, result.id / r->s->n_splits);
      vise_sweep_result_clear(&result);
    } else if (vise_sweep_n_open(r->queue) == 0) {
      if (status != VISE_OK || r->s->interrupted || round_is_done(r)) break;
      if (r->s->share != NULL) status = wait_for_others(r, err);
    }
    show(r, false);
  }
  show(r, true);
  return status;
}

/* A configuration and how bad it is. */
typedef struct placed {
  double badness;
  size_t config;
} placed;

static int by_badness(const void *a, const void *b) {
  const placed *x = a, *y = b;
  if (x->badness < y->badness) return -1;
  if (x->badness > y->badness) return 1;
  return x->config < y->config ? -1 : x->config > y->config;
}

/* Those that go on: the best ceil(n / eta), of equals the first, and none that is not finite. */
static vise_status promote(running *r, vise_error *err) {
  const vise_i_cli_sweeping *s = r->s;
  const size_t eta = s->options->halving, wanted = (r->round.n + eta - 1) / eta;
  placed *order = calloc(r->round.n + 1, sizeof *order);
  if (order == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu configurations", r->round.n);

  for (size_t i = 0; i < r->round.n; i++) {
    const double mean = mean_at(s, r->round.configs[i], r->round.number);
    order[i] = (placed){s->larger_is_better ? -mean : mean, r->round.configs[i]};
  }
  qsort(order, r->round.n, sizeof *order, by_badness);

  r->round.n = wanted;
  while (r->round.n > 0 && isinf(order[r->round.n - 1].badness)) r->round.n--;
  for (size_t i = 0; i < r->round.n; i++) r->round.configs[i] = order[i].config;
  free(order);
  return VISE_OK;
}

/* Counts the fits of all rungs, and those that were done before. */
static void count_fits(running *r) {
  vise_i_cli_sweeping *s = r->s;
  s->n_planned = vise_i_cli_sweep_n_planned(s);
  s->n_done = 0;
  for (size_t i = 0; i < s->n_configs * s->n_splits; i++) s->n_done += s->fits[i].n_rungs;
  if (s->n_done > s->n_planned) s->n_done = s->n_planned; /* fits that ended early count for all of their rungs */
  r->n_before = s->n_done;
}

static vise_status begin_round(running *r, vise_error *err) {
  const vise_i_cli_sweeping *s = r->s;
  r->next = r->round.first = 0;
  r->claimed_at = -1;
  r->best_config = SIZE_MAX;
  r->s->round = r->round.number;
  memset(r->round.begun, 0, s->n_configs * s->n_splits);
  vise_i_cli_sweep_tell_round(s, r->round.n);
  if (s->n_rungs == 1) return VISE_OK;
  return unless_over(r, vise_i_cli_sweep_states_begin(r->s, r->round.number, err), err);
}

static vise_status run_rungs(running *r, vise_error *err) {
  const vise_i_cli_sweeping *s = r->s;
  vise_status status = VISE_OK;
  for (r->round.number = 1; r->round.number <= s->n_rungs && status == VISE_OK && !s->interrupted; r->round.number++) {
    status = begin_round(r, err);
    if (status == VISE_OK) status = run_rung(r, err);
    if (status != VISE_OK || s->interrupted) break;
    if (s->n_rungs > 1) vise_i_cli_sweep_states_end(r->s, r->round.number);
    if (r->round.number < s->n_rungs) status = promote(r, err);
  }
  return status;
}

/* One that joins is at work from here on; one that goes on where others are at work joins them at once. */
static vise_status begin_sharing(running *r, vise_error *err) {
  size_t n_new = 0;
  vise_i_cli_sweeping *s = r->s;
  vise_status status = VISE_OK;
  if (s->share == NULL && vise_i_cli_share_is_wanted(s)) status = vise_i_cli_share_open(s, err);
  if (status != VISE_OK || s->share == NULL) return status;
  status = vise_i_cli_share_join(s, err);
  return status == VISE_OK ? vise_i_cli_share_look(s, 0, &n_new, err) : status;
}

/* Whoever joined after the last fit is here before the results are made. */
static vise_status end_sharing(running *r, vise_error *err) {
  const vise_i_cli_sweeping *s = r->s;
  return s->interrupted ? VISE_OK : notice_others(r, 0, err);
}

static vise_status make_round(running *r, vise_error *err) {
  const vise_i_cli_sweeping *s = r->s;
  r->round.configs = calloc(s->n_configs, sizeof *r->round.configs);
  r->round.begun = calloc(s->n_configs, s->n_splits);
  if (r->round.configs == NULL || r->round.begun == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  for (size_t i = 0; i < s->n_configs; i++) {
    if (s->same_as[i] == i) r->round.configs[r->round.n++] = i;
  }
  return VISE_OK;
}

vise_status vise_i_cli_sweep_run(vise_i_cli_sweeping *s, vise_error *err) {
  double none;
  const vise_metrics empty = {0};
  running r = {.s = s, .start = vise_i_cli_seconds(), .best_config = SIZE_MAX};
  vise_sweep_config config;
  vise_sweep_config_init(&config);
  config.n_jobs = s->options->jobs;
  if (vise_i_cli_sweep_quantizes_any(s) || !vise_i_cli_score_of_metrics(s->options->score, &empty, &none)) {
    config.score = vise_i_cli_score_fit;
    config.user = s;
  }

  vise_i_cli_progress_begin(&r.progress, s->options);
  vise_status status = make_round(&r, err);
  if (status == VISE_OK) status = vise_sweep_create(&config, &r.queue, err);
  s->n_jobs = vise_sweep_n_jobs(r.queue);
  if (status == VISE_OK) status = unless_over(&r, begin_sharing(&r, err), err);
  count_fits(&r);
  if (status == VISE_OK) status = run_rungs(&r, err);
  if (status == VISE_OK) status = unless_over(&r, end_sharing(&r, err), err);
  vise_sweep_free(r.queue);
  vise_i_cli_progress_end(&r.progress);
  s->seconds = vise_i_cli_seconds() - r.start;

  vise_i_cli_sweep_states_close(s);
  const vise_status synced = vise_i_cli_sweep_folder_sync(s, status == VISE_OK ? err : NULL);
  free(r.round.configs);
  free(r.round.begun);
  return status == VISE_OK ? synced : status;
}

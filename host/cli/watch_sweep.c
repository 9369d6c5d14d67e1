/* A sweep that is watched: what its files say, and whether somebody is at work. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/json_file.h"
#include "host/cli/terminal.h"
#include "host/cli/watch.h"
#include "host/json/read.h"

/* More fits than these are counted, but their scores are not looked at. */
enum { MOST_FITS = 1 << 26 };

vise_status vise_i_cli_watch_sweep_init(vise_i_cli_watched_sweep *sweep, const char *dir,
                                        const vise_i_cli_options *options, vise_error *err) {
  memset(sweep, 0, sizeof *sweep);
  sweep->dir = dir;
  sweep->options = options;
  sweep->first_at = sweep->unused_since = sweep->shown_at = -1;
  vise_i_cli_progress_begin_watch(&sweep->progress, options);

  vise_status status = vise_i_cli_tail_init(&sweep->fits_file, dir, "fits.jsonl", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&sweep->sheet_path, dir, "sweep.json", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&sweep->results_path, dir, "results.csv", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&sweep->report_path, dir, "report.html", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&sweep->best_dir, dir, "best", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&sweep->best_metrics_path, dir, "best/metrics.jsonl", err);
  return status;
}

void vise_i_cli_watch_sweep_free(vise_i_cli_watched_sweep *sweep) {
  vise_i_cli_progress_end(&sweep->progress);
  if (sweep->follows_best) vise_i_cli_watch_run_free(&sweep->best_run);
  vise_i_cli_tail_free(&sweep->fits_file);
  vise_i_cli_watch_workers_free(sweep);
  free(sweep->sheet_path);
  free(sweep->results_path);
  free(sweep->report_path);
  free(sweep->best_dir);
  free(sweep->best_metrics_path);
  json_decref(sweep->sheet);
  json_decref(sweep->best_params);
  free(sweep->fits);
}

/* ---- sweep.json ----------------------------------------------------------------------------------------------- */

static void forget_fits(vise_i_cli_watched_sweep *sweep) {
  const size_t n = sweep->n_configs * sweep->n_splits;
  for (size_t i = 0; sweep->fits != NULL && i < n; i++) sweep->fits[i] = (vise_i_cli_watched_fit){0};
  sweep->n_done = sweep->round = 0;
  sweep->has_best = false;
  sweep->first_at = -1;
  sweep->rate = 0;
}

/* Of a sweep.json that does not say how many. */
static size_t count_planned(const vise_i_cli_watched_sweep *sweep) {
  const json_t *options = json_object_get(sweep->sheet, "options"), *halving = json_object_get(options, "halving");
  const char *text = json_string_value(halving);
  const uint64_t eta = text != NULL ? strtoull(text, NULL, 10) : vise_i_cli_watch_count(options, "halving");
  size_t n = sweep->n_configs, n_planned = 0;
  for (size_t rung = 0; rung < sweep->n_rungs; rung++) {
    n_planned += n * sweep->n_splits;
    if (eta > 0) n = (n + eta - 1) / eta;
  }
  return n_planned;
}

static void take_sheet(vise_i_cli_watched_sweep *sweep, json_t *sheet) {
  const size_t n_configs = vise_i_cli_watch_count(sheet, "configs"), n_folds = vise_i_cli_watch_count(sheet, "folds");
  const size_t n_splits = n_folds * vise_i_cli_watch_count(sheet, "repeats");
  const bool same = n_configs == sweep->n_configs && n_splits == sweep->n_splits && n_folds == sweep->n_folds;
  json_decref(sweep->sheet);
  sweep->sheet = sheet;

  sweep->n_configs = n_configs;
  sweep->n_folds = n_folds;
  sweep->n_splits = n_splits;
  sweep->n_rungs = json_array_size(json_object_get(sheet, "rungs"));
  sweep->larger_is_better = json_is_true(json_object_get(sheet, "larger_is_better"));
  sweep->n_planned = vise_i_cli_watch_count(sheet, "fits");
  if (sweep->n_planned == 0) sweep->n_planned = count_planned(sweep);
  if (same) return;

  /* Another sweep, whose fits are not these. */
  const bool fits = n_configs > 0 && n_splits > 0 && n_configs < MOST_FITS / n_splits;
  free(sweep->fits);
  sweep->fits = fits ? calloc(n_configs * n_splits, sizeof *sweep->fits) : NULL;
  sweep->recounts = true;
}

/* It is replaced whole when a sweep begins, and once it has a winner. */
static vise_status read_sheet(vise_i_cli_watched_sweep *sweep, vise_error *err) {
  struct stat info;
  if (stat(sweep->sheet_path, &info) != 0) return VISE_OK;
  if (sweep->sheet != NULL && info.st_mtim.tv_sec == sweep->sheet_changed.tv_sec &&
      info.st_mtim.tv_nsec == sweep->sheet_changed.tv_nsec) {
    return VISE_OK;
  }

  json_t *sheet = NULL;
  const vise_status status = vise_i_cli_json_read(sweep->sheet_path, &sheet, err);
  if (status != VISE_OK) return status;
  sweep->sheet_changed = info.st_mtim;
  take_sheet(sweep, sheet);
  return VISE_OK;
}

/* ---- fits.jsonl ----------------------------------------------------------------------------------------------- */

/* The mean of a configuration's scores where all folds have been scored in this round; NaN: not yet. */
static double mean_of(const vise_i_cli_watched_sweep *sweep, size_t config) {
  const vise_i_cli_watched_fit *fits = &sweep->fits[config * sweep->n_splits];
  double sum = 0;
  for (size_t split = 0; split < sweep->n_splits; split++) {
    if (fits[split].rung < sweep->round) return (double)NAN;
    sum += fits[split].score;
  }
  return sum / (double)sweep->n_splits;
}

/* The fit that a line is of; NULL: of none. */
static vise_i_cli_watched_fit *fit_of(const vise_i_cli_watched_sweep *sweep, const json_t *fit) {
  const size_t config = vise_i_cli_watch_count(fit, "config"), fold = vise_i_cli_watch_count(fit, "fold");
  const size_t split = vise_i_cli_watch_count(fit, "repeat") * sweep->n_folds + fold - 1;
  if (sweep->fits == NULL || config >= sweep->n_configs || fold < 1 || split >= sweep->n_splits) return NULL;
  return &sweep->fits[config * sweep->n_splits + split];
}

static void take_score(vise_i_cli_watched_sweep *sweep, const json_t *fit) {
  const size_t config = vise_i_cli_watch_count(fit, "config"), rung = vise_i_cli_watch_count(fit, "rung");
  const double worst = sweep->larger_is_better ? -(double)INFINITY : (double)INFINITY;
  const double score = vise_i_cli_watch_real(fit, "score");
  vise_i_cli_watched_fit *at = fit_of(sweep, fit);
  if (at == NULL || rung < at->rung) return;
  at->rung = rung;
  at->score = isnan(score) ? worst : score;

  const double mean = mean_of(sweep, config);
  if (isnan(mean) || !isfinite(mean)) return;
  if (sweep->has_best && (sweep->larger_is_better ? mean <= sweep->best : mean >= sweep->best)) return;
  sweep->has_best = true;
  sweep->best = mean;
  sweep->best_config = config;
  json_decref(sweep->best_params);
  sweep->best_params = json_incref(json_object_get(fit, "params"));
}

/* Whether there was a line of this fit and round before: of several processes two may have trained it, and in the end all
   lines come into one file. */
static bool is_known(const vise_i_cli_watched_sweep *sweep, const json_t *fit, size_t round) {
  vise_i_cli_watched_fit *at = fit_of(sweep, fit);
  const uint64_t bit = round >= 1 && round <= 64 ? (uint64_t)1 << (round - 1) : 0;
  if (at == NULL) return false;
  const bool known = (at->rounds & bit) != 0;
  at->rounds |= bit;
  return known;
}

static void on_line(void *user, const char *line, size_t n) {
  vise_i_cli_watched_sweep *sweep = user;
  json_t *fit = NULL;
  if (vise_i_json_parse(line, n, &fit, NULL) == VISE_ERR_MEMORY) return; /* the next line may find some */
  if (!json_is_object(fit)) {
    vise_i_cli_watch_note(&sweep->progress, sweep->options, "damaged", "%s:%zu: this line is damaged",
                          sweep->fits_file.path, sweep->fits_file.n);
    json_decref(fit);
    return;
  }

  /* Without halving there is one round, and nothing says which. */
  size_t round = vise_i_cli_watch_count(fit, "round");
  if (round == 0) round = vise_i_cli_watch_count(fit, "rung");
  if (is_known(sweep, fit, round)) {
    json_decref(fit);
    return;
  }

  if (sweep->options->json && !sweep->options->once) {
    (void)printf("{\"event\":\"fit\",");
    vise_i_cli_put_json(stdout, line + 1);
  }
  if (round > sweep->round) {
    sweep->round = round;
    sweep->has_best = false;
  }
  sweep->n_done++;
  take_score(sweep, fit);
  json_decref(fit);
}

static void on_cut(void *user, size_t n_kept) {
  vise_i_cli_watched_sweep *sweep = user;
  if (vise_i_cli_watch_workers_merged(sweep)) return;
  forget_fits(sweep);
  sweep->recounts = n_kept > 0;
  vise_i_cli_watch_note(&sweep->progress, sweep->options, "replaced",
                        "the sweep began again, or another one took its place");
}

/* Lines that a worker's file has lost are counted by what they were. */
static void on_worker_cut(void *user, size_t n_kept) {
  (void)user;
  (void)n_kept;
}

static vise_status read_fits(vise_i_cli_watched_sweep *sweep, bool *news, vise_error *err) {
  const vise_i_cli_tail_events events = {on_line, on_cut, sweep};
  const vise_i_cli_tail_events of_workers = {on_line, on_worker_cut, sweep};
  vise_status status = sweep->recounts ? VISE_OK : vise_i_cli_tail_look(&sweep->fits_file, &events, news, err);
  if (status == VISE_OK && !sweep->recounts) {
    status = vise_i_cli_watch_workers_look(sweep, &of_workers, news, err);
  }
  if (status != VISE_OK || !sweep->recounts) return status;

  sweep->recounts = false;
  sweep->fits_file.n = 0;
  sweep->fits_file.exists = false;
  vise_i_cli_watch_workers_forget(sweep);
  forget_fits(sweep);
  status = vise_i_cli_tail_look(&sweep->fits_file, &events, news, err);
  return status == VISE_OK ? vise_i_cli_watch_workers_look(sweep, &of_workers, news, err) : status;
}

/* ---- how it stands -------------------------------------------------------------------------------------------- */

static vise_i_cli_outcome judge(vise_i_cli_watched_sweep *sweep, bool news) {
  const double now = vise_i_cli_seconds();
  const bool has_choice = json_object_get(sweep->sheet, "choice") != NULL;
  /* The report is the last that is written. */
  const bool ended = access(sweep->results_path, F_OK) == 0 && access(sweep->report_path, F_OK) == 0;
  if (sweep->use != VISE_I_CLI_UNUSED) sweep->unused_since = -1;

  if (sweep->use == VISE_I_CLI_USED) return VISE_I_CLI_AT_WORK;
  if (ended) return has_choice ? VISE_I_CLI_ENDED : VISE_I_CLI_ENDED_BADLY;
  if (sweep->use != VISE_I_CLI_UNUSED) return VISE_I_CLI_AT_WORK;
  if (news || sweep->unused_since < 0) sweep->unused_since = now;
  return now - sweep->unused_since >= VISE_I_CLI_UNUSED_SECONDS ? VISE_I_CLI_DIED : VISE_I_CLI_AT_WORK;
}

bool vise_i_cli_watch_sweep_is_certain(const vise_i_cli_watched_sweep *sweep) {
  return sweep->outcome != VISE_I_CLI_AT_WORK || sweep->unused_since < 0;
}

/* Fits since the first look. */
static void measure(vise_i_cli_watched_sweep *sweep) {
  const double now = vise_i_cli_seconds();
  if (sweep->first_at < 0) {
    sweep->first_at = now;
    sweep->n_first = sweep->n_done;
  }
  const double seconds = now - sweep->first_at;
  if (sweep->n_done > sweep->n_first && seconds > 0) {
    sweep->rate = (double)(sweep->n_done - sweep->n_first) / seconds;
  }
}

/* The winner's run, once it is one of this sweep: newer than its choice. */
static vise_status follow_best(vise_i_cli_watched_sweep *sweep, vise_error *err) {
  struct stat info;
  const bool chosen = json_object_get(sweep->sheet, "choice") != NULL && !sweep->options->once;
  if (!chosen || sweep->outcome != VISE_I_CLI_AT_WORK || stat(sweep->best_metrics_path, &info) != 0) return VISE_OK;
  const struct timespec run = info.st_mtim, choice = sweep->sheet_changed;
  if (run.tv_sec < choice.tv_sec || (run.tv_sec == choice.tv_sec && run.tv_nsec < choice.tv_nsec)) return VISE_OK;

  vise_i_cli_watch_sweep_show_refit(sweep);
  sweep->follows_best = true;
  return vise_i_cli_watch_run_init(&sweep->best_run, sweep->best_dir, sweep->options, err);
}

vise_status vise_i_cli_watch_sweep_look(vise_i_cli_watched_sweep *sweep, vise_error *err) {
  bool news = false;
  /* First of all: who is not at work now has written all that he will. */
  vise_i_cli_watch_workers_ask(sweep);
  vise_status status = read_sheet(sweep, err);
  if (status == VISE_OK) status = read_fits(sweep, &news, err);
  if (status != VISE_OK) return status;

  measure(sweep);
  sweep->outcome = judge(sweep, news);
  if (!sweep->follows_best) {
    vise_i_cli_watch_sweep_show(sweep, news);
    status = follow_best(sweep, err);
  }
  return status == VISE_OK && sweep->follows_best ? vise_i_cli_watch_run_look(&sweep->best_run, err) : status;
}

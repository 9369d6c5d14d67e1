/* A run of train that is watched: what its files say, and whether somebody is at work. */
#include <inttypes.h>
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

vise_status vise_i_cli_watch_run_init(vise_i_cli_watched_run *run, const char *dir, const vise_i_cli_options *options,
                                      vise_error *err) {
  static const vise_step_stats none;
  memset(run, 0, sizeof *run);
  run->dir = dir;
  run->options = options;
  run->last.state.last = &none;
  run->last.at_bound = (double)NAN;
  run->first_seconds = run->unused_since = -1;
  run->news_at = vise_i_cli_seconds();
  vise_i_cli_progress_begin_watch(&run->progress, options);

  vise_status status = vise_i_cli_tail_init(&run->metrics, dir, "metrics.jsonl", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&run->config_path, dir, "config.json", err);
  if (status == VISE_OK) status = vise_i_cli_watch_path(&run->lock_path, dir, VISE_RUN_LOCK_NAME, err);
  return status;
}

void vise_i_cli_watch_run_free(vise_i_cli_watched_run *run) {
  vise_i_cli_progress_end(&run->progress);
  vise_i_cli_tail_free(&run->metrics);
  free(run->config_path);
  free(run->lock_path);
  json_decref(run->epoch);
  json_decref(run->end);
  free(run->step);
}

/* ---- config.json ---------------------------------------------------------------------------------------------- */

static uint64_t smaller_limit(uint64_t a, uint64_t b) {
  return b > 0 && (a == 0 || b < a) ? b : a;
}

/* The file is there from the start or comes a moment later, and a new run brings its own. What is off is null there. */
static void read_config(vise_i_cli_watched_run *run) {
  struct stat info;
  const bool exists = stat(run->config_path, &info) == 0;
  if (exists && run->has_config && info.st_mtim.tv_sec == run->config_changed.tv_sec &&
      info.st_mtim.tv_nsec == run->config_changed.tv_nsec) {
    return;
  }

  json_t *config = NULL;
  if (exists && vise_i_cli_json_read(run->config_path, &config, NULL) != VISE_OK) config = NULL;
  run->has_config = config != NULL;
  run->epochs =
      smaller_limit(vise_i_cli_watch_count(config, "epochs"), vise_i_cli_watch_count(config, "stop-after-epoch"));
  run->steps = vise_i_cli_watch_count(config, "steps");
  run->progress.epochs = run->epochs;
  if (exists) run->config_changed = info.st_mtim;
  json_decref(config);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* n_rows only says that there are some. */
static vise_metrics metrics_of(const json_t *event, const char *loss, const char *accuracy) {
  return (vise_metrics){.n_rows = json_object_get(event, loss) != NULL,
                        .loss = vise_i_cli_watch_real(event, loss),
                        .accuracy = vise_i_cli_watch_real(event, accuracy),
                        .rmse = (double)NAN,
                        .r2 = (double)NAN};
}

/* Of the weights of all layers that have a box; NaN: the event does not say. */
static double share_at_bounds(const json_t *event) {
  const json_t *layers = json_object_get(event, "layers");
  uint64_t n_boxed = 0, n_at = 0;
  for (size_t l = 0; l < json_array_size(layers); l++) {
    const json_t *layer = json_array_get(layers, l);
    if (json_object_get(layer, "at_lower_bound") == NULL) continue;
    n_boxed += vise_i_cli_watch_count(layer, "weights");
    n_at += vise_i_cli_watch_count(layer, "at_lower_bound") + vise_i_cli_watch_count(layer, "at_upper_bound");
  }
  return n_boxed > 0 ? (double)n_at / (double)n_boxed : (double)NAN;
}

/* Steps that the epochs and the steps asked for allow. */
static uint64_t planned_steps(const vise_i_cli_watched_run *run, uint64_t per_epoch) {
  return smaller_limit(run->epochs * per_epoch, run->steps);
}

/* The rate is that since the run began, or went on: its seconds begin anew then. */
static void measure(vise_i_cli_watched_run *run, const vise_progress *state) {
  const bool is_first = !run->has_epoch && state->epoch == 1;
  if (is_first) {
    run->first_step = 0;
    run->first_seconds = 0;
  } else if (run->first_seconds < 0 || state->seconds < run->last.state.seconds) {
    run->first_step = state->step;
    run->first_seconds = state->seconds;
    run->progress.begun = false; /* what was shown is from another time */
  }

  const double seconds = state->seconds - run->first_seconds;
  if (state->step > run->first_step && seconds > 0) {
    run->progress.rate = (double)(state->step - run->first_step) / seconds;
  }
}

static void take_epoch(vise_i_cli_watched_run *run, json_t *event) {
  const uint64_t step = vise_i_cli_watch_count(event, "step"), epoch = vise_i_cli_watch_count(event, "epoch");
  const uint64_t per_epoch = epoch > 0 && step % epoch == 0 ? step / epoch : 0;
  const double seconds = vise_i_cli_watch_real(event, "seconds"), share = share_at_bounds(event);
  vise_i_cli_watched_epoch now = {.state = {.step = step,
                                            .epoch = epoch,
                                            .planned_steps = planned_steps(run, per_epoch),
                                            .steps_per_epoch = per_epoch,
                                            .epoch_ended = true,
                                            .train_loss = vise_i_cli_watch_real(event, "train_loss"),
                                            .train = metrics_of(event, "train_loss", "train_accuracy"),
                                            .validation = metrics_of(event, "val_loss", "val_accuracy"),
                                            .test = metrics_of(event, "test_loss", "test_accuracy"),
                                            .seconds = isfinite(seconds) ? seconds : run->last.state.seconds,
                                            .last = run->last.state.last},
                                  .at_bound = isnan(share) ? run->last.at_bound : share}; /* not every epoch says */

  measure(run, &now.state);
  run->last = now;
  run->has_epoch = true;
  json_decref(run->epoch);
  run->epoch = json_incref(event);
  run->progress.weighted = json_is_true(json_object_get(event, "class_weighted"));
  run->progress.at_bound = now.at_bound;
  run->progress.idle = 0;

  if (!run->looked) {
    run->earlier[run->n_earlier++ % VISE_I_CLI_EARLIER] = now;
  } else if (run->progress.show == VISE_I_CLI_SHOW_LINES) {
    vise_i_cli_progress_update(&run->progress, &run->last.state);
  }
  vise_i_cli_progress_note_epoch(&run->progress, &run->last.state);
}

/* What an event is not known for is of no interest. */
static void take_event(vise_i_cli_watched_run *run, const char *line, size_t n) {
  json_t *event = NULL;
  if (vise_i_json_parse(line, n, &event, NULL) == VISE_ERR_MEMORY) return; /* the next line may find some */
  const char *kind = json_string_value(json_object_get(event, "event"));
  if (kind == NULL) {
    vise_i_cli_watch_note(&run->progress, run->options, "damaged", "%s:%zu: this line is damaged", run->metrics.path,
                          run->metrics.n);
  } else if (strcmp(kind, "epoch") == 0) {
    take_epoch(run, event);
  } else if (strcmp(kind, "end") == 0) {
    run->end = json_incref(event);
  }
  json_decref(event);
}

static void drop_end(vise_i_cli_watched_run *run) {
  json_decref(run->end);
  run->end = NULL;
  free(run->step);
  run->step = NULL;
}

static void on_line(void *user, const char *line, size_t n) {
  static const char step[] = "{\"event\":\"step\"";
  vise_i_cli_watched_run *run = user;
  if (run->options->json && !run->options->once) vise_i_cli_put_json(stdout, line);
  drop_end(run);
  if (n > sizeof step && strncmp(line, step, sizeof step - 1) == 0) {
    run->step = strndup(line, n); /* there are many of them: only the last one is read */
  } else {
    take_event(run, line, n);
  }
}

static void on_cut(void *user, size_t n_kept) {
  vise_i_cli_watched_run *run = user;
  drop_end(run);
  run->progress.has_waiting = run->progress.begun = false;
  run->first_seconds = -1;
  run->told_of_silence = false;

  if (n_kept > 0) {
    vise_i_cli_watch_note(&run->progress, run->options, "resumed", "the run went back to a checkpoint, and goes on");
    return;
  }
  run->has_epoch = run->has_config = false;
  run->last.at_bound = run->progress.at_bound = (double)NAN;
  run->last.state.seconds = 0;
  run->progress.rate = 0;
  json_decref(run->epoch);
  run->epoch = NULL;
  read_config(run);
  vise_i_cli_watch_note(&run->progress, run->options, "replaced", "the run began again, or another one took its place");
}

/* Steps after the last epoch, where they are logged. */
static void take_step(vise_i_cli_watched_run *run) {
  json_t *event = NULL;
  if (run->step == NULL || vise_i_json_parse(run->step, strlen(run->step), &event, NULL) != VISE_OK) return;
  run->last.state.step = vise_i_cli_watch_count(event, "step");
  run->last.state.epoch = vise_i_cli_watch_count(event, "epoch");
  run->last.state.train_loss = vise_i_cli_watch_real(event, "loss");
  json_decref(event);
}

/* ---- how it stands -------------------------------------------------------------------------------------------- */

static bool ended_well(const json_t *end) {
  static const vise_stop_reason bad[] = {VISE_STOP_SKIPS, VISE_STOP_HALT, VISE_STOP_ERROR};
  const char *reason = json_string_value(json_object_get(end, "reason"));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (reason == NULL || strcmp(reason, vise_stop_reason_name(bad[i])) == 0) return false;
  }
  return true;
}

/* A file system without locks is known by any file on it: there is no file to be locked then. */
static vise_i_cli_use_state ask_use(const vise_i_cli_watched_run *run) {
  const vise_i_cli_use_state use = vise_i_cli_use_of(run->lock_path);
  if (use != VISE_I_CLI_UNUSED) return use;
  return vise_i_cli_use_of(run->metrics.path) == VISE_I_CLI_USE_UNKNOWN ? VISE_I_CLI_USE_UNKNOWN : VISE_I_CLI_UNUSED;
}

static vise_i_cli_outcome judge(vise_i_cli_watched_run *run, bool news) {
  const double now = vise_i_cli_seconds();
  if (run->use != VISE_I_CLI_UNUSED) run->unused_since = -1;

  /* With an end in the file somebody may be about to cut it back, and go on. */
  if (run->end != NULL && run->use == VISE_I_CLI_USED) return VISE_I_CLI_AT_WORK;
  if (run->end != NULL) return ended_well(run->end) ? VISE_I_CLI_ENDED : VISE_I_CLI_ENDED_BADLY;
  if (run->use != VISE_I_CLI_UNUSED) return VISE_I_CLI_AT_WORK;
  if (!run->metrics.exists && !run->has_config) return VISE_I_CLI_NOT_BEGUN;

  if (news || run->unused_since < 0) run->unused_since = now;
  return now - run->unused_since >= VISE_I_CLI_UNUSED_SECONDS ? VISE_I_CLI_DIED : VISE_I_CLI_AT_WORK;
}

bool vise_i_cli_watch_run_is_certain(const vise_i_cli_watched_run *run) {
  return run->outcome != VISE_I_CLI_AT_WORK || run->unused_since < 0;
}

vise_status vise_i_cli_watch_run_look(vise_i_cli_watched_run *run, vise_error *err) {
  const vise_i_cli_tail_events events = {on_line, on_cut, run};
  struct timespec now;
  bool news = false;

  /* First of all: who is not at work now has written all that he will. */
  run->use = ask_use(run);
  read_config(run);
  const vise_status status = vise_i_cli_tail_look(&run->metrics, &events, &news, err);
  if (status != VISE_OK) return status;
  take_step(run);

  if (news) {
    /* What is there at the first look may be old. */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const double age = (double)(now.tv_sec - run->metrics.changed.tv_sec);
    run->news_at = vise_i_cli_seconds() - (run->looked || !(age > 0) ? 0 : age);
    run->told_of_silence = false;
  }
  run->progress.idle = vise_i_cli_seconds() - run->news_at;
  run->outcome = judge(run, news);
  if (run->outcome != VISE_I_CLI_AT_WORK) run->progress.rate = 0; /* nothing is left */

  if (!run->looked) vise_i_cli_watch_run_show_earlier(run);
  run->looked = true;
  vise_i_cli_watch_run_show(run, news);
  return VISE_OK;
}

/* What is told of a run that is watched. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/report.h"
#include "host/cli/terminal.h"
#include "host/cli/text_json.h"
#include "host/cli/watch.h"
#include "host/json/build.h"
#include "host/json/text.h"

/* Without news for so long, and for so many epochs, it is said that the run is there still. */
enum { SILENT_SECONDS = 60, SILENT_EPOCHS = 3 };

const char *vise_i_cli_outcome_name(vise_i_cli_outcome outcome) {
  static const char *const names[] = {"not-begun", "at-work", "ended", "failed", "died"};
  return names[outcome];
}

void vise_i_cli_watch_note(vise_i_cli_progress *progress, const vise_i_cli_options *options, const char *what,
                           const char *format, ...) {
  char text[2 * VISE_ERROR_TEXT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);

  if (options->once) return; /* which tells the state alone */
  if (options->json) {
    json_t *event = json_pack("{s:s, s:s, s:o}", "event", "watch", "what", what, "text", vise_i_cli_name_json(text));
    char *line = NULL;
    const bool made = vise_i_json_text(event, JSON_COMPACT, "a note", &line, NULL, NULL) == VISE_OK;
    vise_i_cli_put_json(stdout, made ? line : "{\"event\":\"watch\",\"what\":\"note\",\"text\":\"out of memory\"}");
    (void)putchar('\n');
    free(line);
    json_decref(event);
    return;
  }
  vise_i_cli_progress_clear(progress);
  (void)fflush(stdout);
  vise_i_cli_tell(VISE_I_CLI_NOTE, "%s", text);
}

/* ---- on the way ----------------------------------------------------------------------------------------------- */

void vise_i_cli_watch_run_show_earlier(vise_i_cli_watched_run *run) {
  vise_i_cli_progress *progress = &run->progress;
  const size_t n = run->n_earlier, most = VISE_I_CLI_EARLIER;
  const double rate = progress->rate;
  if (progress->show != VISE_I_CLI_SHOW_LINES) return;

  for (size_t i = n > most ? n - most : 0; i < n; i++) {
    const vise_i_cli_watched_epoch *epoch = &run->earlier[i % most];
    progress->rate = i + 1 == n ? rate : 0; /* of the others nothing is left */
    progress->at_bound = epoch->at_bound;
    vise_i_cli_progress_show(progress, &epoch->state);
  }
  progress->rate = rate;
}

/* "process 1234 on host", as far as the lock says so. */
static void owner_text(const vise_i_cli_watched_run *run, char *buffer, size_t n_bytes) {
  char host[128];
  long process;
  FILE *file = fopen(run->lock_path, "re");
  *buffer = '\0';
  if (file == NULL) return;
  if (fscanf(file, "%ld %127s", &process, host) == 2) {
    (void)snprintf(buffer, n_bytes, "process %ld on %s", process, host);
  }
  (void)fclose(file);
}

/* Once, when a run says nothing for long: that it is there. */
static void tell_of_silence(vise_i_cli_watched_run *run) {
  const vise_progress *state = &run->last.state;
  const double rate = run->progress.rate, epoch = rate > 0 ? (double)state->steps_per_epoch / rate : 0;
  if (run->told_of_silence || run->use != VISE_I_CLI_USED) return;
  if (run->progress.idle < fmax(SILENT_SECONDS, SILENT_EPOCHS * epoch)) return;

  char owner[192], time[32];
  owner_text(run, owner, sizeof owner);
  vise_i_cli_format_time(run->progress.idle, time, sizeof time);
  run->told_of_silence = true;
  vise_i_cli_watch_note(&run->progress, run->options, "silent", "no news for %s, but the run is at work still%s%s",
                        time, *owner != '\0' ? ": " : "", owner);
}

static void tell_of_locks(vise_i_cli_watched_run *run) {
  if (run->told_of_locks || run->use != VISE_I_CLI_USE_UNKNOWN || run->end != NULL) return;
  run->told_of_locks = true;
  vise_i_cli_watch_note(&run->progress, run->options, "unknown",
                        "%s: it cannot be told whether a run is at work here: there are no locks, or they cannot be "
                        "read",
                        run->dir);
}

void vise_i_cli_watch_run_show(vise_i_cli_watched_run *run, bool news) {
  vise_i_cli_progress *progress = &run->progress;
  if (run->outcome == VISE_I_CLI_AT_WORK) {
    tell_of_locks(run);
    tell_of_silence(run);
  }

  if (progress->show == VISE_I_CLI_SHOW_BAR) {
    if (run->has_epoch) vise_i_cli_progress_show(progress, &run->last.state);
    if (!run->has_epoch) vise_i_cli_progress_text(progress, "no epoch has ended yet");
  }
  if (progress->show == VISE_I_CLI_SHOW_LINES && !news) vise_i_cli_progress_flush(progress);
  (void)fflush(stdout);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

static vise_stop_reason reason_of(const json_t *end) {
  const char *name = json_string_value(json_object_get(end, "reason"));
  for (unsigned i = 0; name != NULL && i < vise_stop_reason_count_; i++) {
    if (strcmp(vise_stop_reason_name((vise_stop_reason)i), name) == 0) return (vise_stop_reason)i;
  }
  return VISE_STOP_NONE;
}

static void print_kept(const json_t *metrics) {
  static const char *const names[] = {"train", "validation", "test"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const json_t *set = json_object_get(metrics, names[i]);
    if (!json_is_object(set)) continue;

    const vise_metrics kept = {.loss = vise_i_cli_watch_real(set, "loss"),
                               .accuracy = vise_i_cli_watch_real(set, "accuracy"),
                               .rmse = vise_i_cli_watch_real(set, "rmse"),
                               .r2 = vise_i_cli_watch_real(set, "r2")};
    (void)printf("%-15s ", names[i]);
    vise_i_cli_print_metrics(stdout, &kept);
    (void)printf("\n");
  }
}

static void print_end(const vise_i_cli_watched_run *run) {
  const json_t *end = run->end;
  const vise_stop_reason reason = reason_of(end);
  const char *name = json_string_value(json_object_get(end, "reason"));
  const uint64_t steps = vise_i_cli_watch_count(end, "steps"), epochs = vise_i_cli_watch_count(end, "epochs");
  char time[32];
  vise_i_cli_format_time(json_number_value(json_object_get(end, "seconds")), time, sizeof time);

  (void)printf("%-15s %s (%s)\n", "ended by", name != NULL ? name : "?", vise_i_cli_reason_text(reason));
  (void)printf("%-15s %" PRIu64 " step%s", "done", steps, vise_i_cli_plural(steps));
  if (epochs > 0) (void)printf(", %" PRIu64 " epoch%s", epochs, vise_i_cli_plural(epochs));
  (void)printf(", %s\n", time);

  if (reason == VISE_STOP_INTERRUPTED && run->has_config) {
    (void)printf("%-15s vise train --resume %s\n", "to go on", run->dir);
  }
  print_kept(json_object_get(end, "metrics"));
}

/* What can be done about a run that died. */
static vise_status fail_died(const vise_i_cli_watched_run *run, vise_error *err) {
  const vise_progress *state = &run->last.state;
  char where[96] = "before its first epoch ended";
  if (run->has_epoch) {
    (void)snprintf(where, sizeof where, "after step %" PRIu64 ", in epoch %" PRIu64, state->step,
                   state->epoch + (run->step == NULL));
  }
  if (!run->has_config) {
    return vise_i_cli_fail(err, VISE_ERR_STATE,
                           "%s: the run died %s: no process is at work there, and it has not ended; there is no "
                           "config.json to go on by",
                           run->dir, where);
  }
  return vise_i_cli_fail(err, VISE_ERR_STATE,
                         "%s: the run died %s: no process is at work there, and it has not ended; go on with: vise "
                         "train --resume %s",
                         run->dir, where, run->dir);
}

static vise_status status_of(const vise_i_cli_watched_run *run, vise_error *err) {
  const vise_stop_reason reason = reason_of(run->end);
  switch (run->outcome) {
    case VISE_I_CLI_ENDED_BADLY:
      return vise_i_cli_fail(err, VISE_ERR_STATE, "%s: the run failed after %" PRIu64 " steps: %s", run->dir,
                             vise_i_cli_watch_count(run->end, "steps"), vise_i_cli_reason_text(reason));
    case VISE_I_CLI_DIED:
      return fail_died(run, err);
    default:
      return VISE_OK;
  }
}

/* ---- --once --------------------------------------------------------------------------------------------------- */

static json_t *limit_json(uint64_t value) {
  return value > 0 ? json_integer((json_int_t)value) : json_null();
}

static json_t *event_json(json_t *event) {
  return event != NULL ? json_incref(event) : json_null();
}

static vise_status print_json(vise_i_cli_watched_run *run, vise_error *err) {
  const vise_progress *state = &run->last.state;
  const double rate = run->progress.rate;
  json_t *object = json_pack("{s:s, s:s}", "kind", "run", "state", vise_i_cli_outcome_name(run->outcome));
  vise_i_json_put(&object, "step", json_integer((json_int_t)state->step));
  vise_i_json_put(&object, "epoch", json_integer((json_int_t)state->epoch));
  vise_i_json_put(&object, "epochs", limit_json(run->epochs));
  vise_i_json_put(&object, "planned_steps", limit_json(state->planned_steps > 0 ? state->planned_steps : run->steps));

  vise_i_json_put(&object, "steps_per_second", vise_i_cli_json_real(rate > 0 ? rate : (double)NAN));
  vise_i_cli_event_real(&object, "seconds_left", vise_i_cli_progress_left(&run->progress, state, rate));
  vise_i_cli_event_real(&object, "at_bound", run->last.at_bound);
  vise_i_json_put(&object, "last_epoch", event_json(run->epoch));
  vise_i_json_put(&object, "end", event_json(run->end));
  return vise_i_cli_print_json(object, err);
}

static void print_state(vise_i_cli_watched_run *run) {
  char owner[192];
  owner_text(run, owner, sizeof owner);
  if (run->outcome == VISE_I_CLI_NOT_BEGUN) (void)printf("%-15s not begun\n", "run");
  if (run->outcome == VISE_I_CLI_AT_WORK) {
    (void)printf("%-15s %s%s%s\n", "run", run->use == VISE_I_CLI_USED ? "at work" : "not ended",
                 run->use == VISE_I_CLI_USED && *owner != '\0' ? ": " : "",
                 run->use == VISE_I_CLI_USED ? owner : ", and it cannot be told whether it is at work");
  }

  run->progress.show = VISE_I_CLI_SHOW_LINES;
  if (run->has_epoch) vise_i_cli_progress_show(&run->progress, &run->last.state);
}

vise_status vise_i_cli_watch_run_tell(vise_i_cli_watched_run *run, vise_error *err) {
  const vise_status status = status_of(run, err);
  vise_i_cli_progress_end(&run->progress);
  if (run->options->once) {
    const vise_status printed = run->options->json ? print_json(run, err) : VISE_OK;
    if (!run->options->json) print_state(run);
    if (status == VISE_OK && printed != VISE_OK) return printed;
  } else if (status != VISE_OK && run->options->json) {
    vise_i_cli_watch_note(&run->progress, run->options, vise_i_cli_outcome_name(run->outcome), "%s", err->text);
  }
  if (run->end != NULL && !run->options->json) print_end(run);
  return status;
}

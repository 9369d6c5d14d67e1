/* What is told of a sweep that is watched. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/text_json.h"
#include "host/cli/watch.h"
#include "host/json/build.h"

/* Least time between two lines. */
#define LINE_SECONDS 1.0

enum { NAME_BYTES = 256, LINE_BYTES = 512 };

/* "l2=1e-3 clamp=1", cut where it is too long. */
static void name_of(const json_t *params, char *buffer, size_t n_bytes) {
  const char *name;
  json_t *value;
  size_t used = 0;
  *buffer = '\0';
  json_object_foreach((json_t *)(uintptr_t)params, name, value) {
    char *text = NULL;
    const bool has_text = vise_i_cli_text_from_json(value, &text) == VISE_OK;
    const int n = snprintf(buffer + used, n_bytes - used, "%s%s=%s", used > 0 ? " " : "", name, has_text ? text : "?");
    free(text);
    if (n < 0 || (size_t)n >= n_bytes - used) return;
    used += (size_t)n;
  }
}

static const char *score_of(const vise_i_cli_watched_sweep *sweep) {
  const char *name = json_string_value(json_object_get(sweep->sheet, "score"));
  return name != NULL ? name : "score";
}

static double seconds_left(const vise_i_cli_watched_sweep *sweep) {
  const size_t n_left = sweep->n_done < sweep->n_planned ? sweep->n_planned - sweep->n_done : 0;
  return sweep->rate > 0 && sweep->outcome == VISE_I_CLI_AT_WORK ? (double)n_left / sweep->rate : (double)NAN;
}

/* Appends to a line, as far as it has room. */
static void add(char line[LINE_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char line[LINE_BYTES], const char *format, ...) {
  const size_t used = strlen(line);
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(line + used, LINE_BYTES - used, format, arguments);
  va_end(arguments);
}

static void make_line(const vise_i_cli_watched_sweep *sweep, char line[LINE_BYTES]) {
  const double left = seconds_left(sweep);
  char name[NAME_BYTES], time[32];
  *line = '\0';
  add(line, "%zu of %zu fits", sweep->n_done, sweep->n_planned);
  if (sweep->n_rungs > 1) add(line, ", round %zu of %zu", sweep->round, sweep->n_rungs);
  if (sweep->rate > 0) add(line, ", %.3g fits/s", sweep->rate);
  if (sweep->n_workers > 0 && sweep->n_at_work > 0) {
    add(line, ", %zu worker%s", sweep->n_at_work, vise_i_cli_plural(sweep->n_at_work));
  }
  if (!isnan(left)) {
    vise_i_cli_format_time(left, time, sizeof time);
    add(line, ", %s left", time);
  }

  if (!sweep->has_best) return;
  name_of(sweep->best_params, name, sizeof name);
  add(line, ", best %s %.5g (%s)", score_of(sweep), sweep->best, name);
}

void vise_i_cli_watch_sweep_show(vise_i_cli_watched_sweep *sweep, bool news) {
  char line[LINE_BYTES];
  const double now = vise_i_cli_seconds();
  const bool draws = sweep->progress.show == VISE_I_CLI_SHOW_BAR;
  sweep->has_waiting = sweep->has_waiting || news || sweep->shown_at < 0;
  if (sweep->progress.show == VISE_I_CLI_SHOW_NONE) {
    (void)fflush(stdout);
    return;
  }

  make_line(sweep, line);
  const bool ends = sweep->outcome != VISE_I_CLI_AT_WORK || json_object_get(sweep->sheet, "choice") != NULL;
  if (draws && !ends) {
    vise_i_cli_progress_text(&sweep->progress, line);
  } else if (sweep->has_waiting && (ends || now - sweep->shown_at >= LINE_SECONDS)) {
    vise_i_cli_progress_clear(&sweep->progress);
    (void)printf("%s\n", line);
    sweep->has_waiting = false;
    sweep->shown_at = now;
  }
  (void)fflush(stdout);
}

static void print_winner(const vise_i_cli_watched_sweep *sweep) {
  const json_t *winner = json_object_get(json_object_get(sweep->sheet, "choice"), "winner");
  char name[NAME_BYTES];
  name_of(json_object_get(winner, "params"), name, sizeof name);
  (void)printf("%-15s %s: %s %.5g\n", "winner", name, score_of(sweep), vise_i_cli_watch_real(winner, "score"));
}

void vise_i_cli_watch_sweep_show_refit(vise_i_cli_watched_sweep *sweep) {
  vise_i_cli_progress_clear(&sweep->progress);
  if (sweep->options->json) {
    vise_i_cli_watch_note(&sweep->progress, sweep->options, "refit", "the winner is trained on all rows");
    return;
  }
  print_winner(sweep);
  (void)printf("it is trained on all rows, in %s\n", sweep->best_dir);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

static vise_status status_of(const vise_i_cli_watched_sweep *sweep, vise_error *err) {
  switch (sweep->outcome) {
    case VISE_I_CLI_ENDED_BADLY:
      return vise_i_cli_fail(err, VISE_ERR_STATE,
                             "%s: the sweep ended without a winner: no configuration has finite scores on all folds",
                             sweep->dir);
    case VISE_I_CLI_DIED:
      return vise_i_cli_fail(err, VISE_ERR_STATE,
                             "%s: the sweep was stopped, or died, after %zu of %zu fits: no process is at work there; "
                             "go on with: vise sweep --resume %s",
                             sweep->dir, sweep->n_done, sweep->n_planned, sweep->dir);
    default:
      return VISE_OK;
  }
}

static vise_status print_json(const vise_i_cli_watched_sweep *sweep, vise_error *err) {
  json_t *object = json_pack("{s:s, s:s}", "kind", "sweep", "state", vise_i_cli_outcome_name(sweep->outcome));
  json_t *best = json_null(), *choice = json_object_get(sweep->sheet, "choice");
  if (sweep->has_best) {
    best = json_pack("{s:I, s:O, s:f}", "config", (json_int_t)sweep->best_config, "params", sweep->best_params, "score",
                     sweep->best);
  }

  vise_i_cli_event_count(&object, "fits_done", sweep->n_done);
  vise_i_cli_event_count(&object, "fits_total", sweep->n_planned);
  vise_i_cli_event_count(&object, "rung", sweep->round);
  vise_i_cli_event_count(&object, "rungs", sweep->n_rungs);
  vise_i_json_put(&object, "score", json_string(score_of(sweep)));
  vise_i_json_put(&object, "best", best);
  vise_i_json_put(&object, "choice", choice != NULL ? json_incref(choice) : json_null());
  return vise_i_cli_print_json(object, err);
}

static void print_state(const vise_i_cli_watched_sweep *sweep) {
  char line[LINE_BYTES];
  make_line(sweep, line);
  if (sweep->outcome == VISE_I_CLI_AT_WORK) {
    (void)printf("%-15s %s\n", "sweep",
                 sweep->use == VISE_I_CLI_USED ? "at work" : "not ended, and it cannot be told whether it is at work");
  }
  (void)printf("%s\n", line);
}

vise_status vise_i_cli_watch_sweep_tell(vise_i_cli_watched_sweep *sweep, vise_error *err) {
  const vise_i_cli_options *options = sweep->options;
  const vise_status status = status_of(sweep, err);
  vise_i_cli_progress_end(&sweep->progress);
  if (options->once) {
    if (options->json) {
      const vise_status printed = print_json(sweep, err);
      return status == VISE_OK ? printed : status;
    }
    print_state(sweep);
  } else if (options->json) {
    vise_i_cli_watch_note(&sweep->progress, options, vise_i_cli_outcome_name(sweep->outcome), "%s",
                          status == VISE_OK ? "the sweep has ended" : err->text);
    return status;
  }

  if (sweep->follows_best) {
    vise_error inner = VISE_ERROR_INIT; /* how the sweep ended is what counts */
    (void)!vise_i_cli_watch_run_tell(&sweep->best_run, &inner);
  } else if (sweep->outcome == VISE_I_CLI_ENDED) {
    print_winner(sweep);
  }
  return status;
}

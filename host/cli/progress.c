#include "host/cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/scores.h"
#include "host/cli/terminal.h"

/* Least time between two lines or events of epochs, two bars, and two other events. */
static const double line_seconds = 1, bar_seconds = 0.04, event_seconds = 0.1;

enum { MAX_COLUMNS = 512, MAX_FIELDS = 8, FIELD_BYTES = 64, LEAST_BAR = 5, WIDEST_BAR = 40 };

double vise_i_cli_seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void vise_i_cli_format_time(double seconds, char *buffer, size_t n_bytes) {
  if (!(seconds >= 0) || seconds > 3e6) {
    (void)snprintf(buffer, n_bytes, "-:--");
    return;
  }

  unsigned long total = (unsigned long)(seconds + 0.5);
  unsigned long hours = total / 3600, minutes = total / 60 % 60;
  if (hours > 0) {
    (void)snprintf(buffer, n_bytes, "%lu:%02lu:%02lu", hours, minutes, total % 60);
  } else {
    (void)snprintf(buffer, n_bytes, "%lu:%02lu", minutes, total % 60);
  }
}

/* What auto is on the file. */
static vise_i_cli_show automatic(int file) {
  const char *terminal = getenv("TERM");
  const bool draws = isatty(file) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
  return draws ? VISE_I_CLI_SHOW_BAR : VISE_I_CLI_SHOW_LINES;
}

static void begin(vise_i_cli_progress *progress, int file, vise_i_cli_show show) {
  memset(progress, 0, sizeof *progress);
  progress->file = file;
  progress->stream = file == STDOUT_FILENO ? stdout : stderr;
  progress->show = show != VISE_I_CLI_SHOW_AUTO ? show : automatic(file);
  progress->last_event = -1;
  progress->at_bound = (double)NAN;
}

void vise_i_cli_progress_begin(vise_i_cli_progress *progress, const vise_i_cli_options *options) {
  const vise_train_config *training = &options->training;
  const uint64_t epochs = training->epochs, last = training->stop_after_epoch;
  begin(progress, STDERR_FILENO, options->quiet ? VISE_I_CLI_SHOW_NONE : options->show);
  progress->quiet = options->quiet;
  progress->epochs = last > 0 && (epochs == 0 || last < epochs) ? last : epochs;
  progress->classifies = !vise_i_cli_is_regression(training->loss);
  progress->weighted = training->class_weights != NULL;
}

void vise_i_cli_progress_begin_watch(vise_i_cli_progress *progress, const vise_i_cli_options *options) {
  begin(progress, STDOUT_FILENO, options->json || options->once ? VISE_I_CLI_SHOW_NONE : options->show);
  progress->watches = true;
}

/* What moves on the screen; all else goes through a stream that would not let it through. */
static void put_control(const vise_i_cli_progress *progress, const char *sequence) {
  FILE *bar = vise_i_cli_bar_output(progress->file);
  (void)fflush(progress->stream);
  (void)fputs(sequence, bar);
  (void)fflush(bar);
}

static size_t terminal_columns(int file) {
  struct winsize size;
  size_t columns = 0;
  if (ioctl(file, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns == 0) columns = 80;
  return columns > MAX_COLUMNS ? MAX_COLUMNS : columns;
}

/* Since the first report, or what is known of a run that is watched; 0: not known. */
static double steps_per_second(vise_i_cli_progress *progress, const vise_progress *state) {
  if (progress->watches) return progress->rate;
  if (!progress->rate_known) {
    progress->rate_known = true;
    progress->first_step = state->step;
    progress->first_seconds = state->seconds;
    return 0;
  }
  double seconds = state->seconds - progress->first_seconds;
  return seconds > 0 && state->step > progress->first_step ? (double)(state->step - progress->first_step) / seconds : 0;
}

double vise_i_cli_progress_left(const vise_i_cli_progress *progress, const vise_progress *state, double rate) {
  if (!(rate > 0) || state->planned_steps == 0 || state->planned_steps < state->step) return (double)NAN;
  return fmax(0, (double)(state->planned_steps - state->step) / rate - progress->idle);
}

/* The fields beside the bar, the most important first: the epoch, the loss and the time left are to fit even on narrow
   terminals. Returns their number. */
static size_t write_fields(const vise_i_cli_progress *progress, const vise_progress *state, double rate,
                           char fields[MAX_FIELDS][FIELD_BYTES]) {
  size_t n = 0;
  if (progress->epochs > 0) {
    (void)snprintf(fields[n++], FIELD_BYTES, "epoch %" PRIu64 "/%" PRIu64, state->epoch, progress->epochs);
  } else {
    (void)snprintf(fields[n++], FIELD_BYTES, "epoch %" PRIu64, state->epoch);
  }
  (void)snprintf(fields[n++], FIELD_BYTES, "loss %.4g", state->train_loss);

  const double seconds_left = vise_i_cli_progress_left(progress, state, rate);
  if (!isnan(seconds_left)) {
    char left[32];
    vise_i_cli_format_time(seconds_left, left, sizeof left);
    (void)snprintf(fields[n++], FIELD_BYTES, "%s left", left);
  }

  const vise_metrics *shown = &progress->shown;
  if (shown->n_rows > 0 && !isnan(shown->accuracy)) {
    (void)snprintf(fields[n++], FIELD_BYTES, "%s accuracy %.2f %%", progress->shown_name, 100 * shown->accuracy);
  } else if (shown->n_rows > 0 && !isnan(shown->rmse)) {
    (void)snprintf(fields[n++], FIELD_BYTES, "%s RMSE %.4g", progress->shown_name, shown->rmse);
  }

  if (!isnan(progress->at_bound)) {
    (void)snprintf(fields[n++], FIELD_BYTES, "%.1f %% at bounds", 100 * progress->at_bound);
  }
  if (rate > 0) (void)snprintf(fields[n++], FIELD_BYTES, rate < 10 ? "%.2g steps/s" : "%.0f steps/s", rate);
  return n;
}

/* Columns of the first n fields. */
static size_t columns_of(char fields[MAX_FIELDS][FIELD_BYTES], size_t n) {
  size_t used = 0;
  for (size_t i = 0; i < n; i++) used += strlen(fields[i]) + (i > 0 ? 2 : 0);
  return used;
}

/* How many of the fields fit; without the last epoch's number where it is in the way of one of the first three. */
static size_t fit_fields(char fields[MAX_FIELDS][FIELD_BYTES], size_t n, size_t columns) {
  const size_t first = n < 3 ? n : 3;
  char *slash = strchr(fields[0], '/');
  if (slash != NULL && columns_of(fields, first) > columns) *slash = '\0';

  size_t kept = n;
  while (kept > 0 && columns_of(fields, kept) > columns) kept--;
  return kept;
}

static void draw_bar(vise_i_cli_progress *progress, const vise_progress *state) {
  char fields[MAX_FIELDS][FIELD_BYTES];
  size_t n = write_fields(progress, state, steps_per_second(progress, state), fields);
  size_t columns = terminal_columns(progress->file) - 1; /* the last column would wrap on some terminals */

  const size_t kept = fit_fields(fields, n, columns), used = columns_of(fields, kept);

  uint64_t in_epoch = state->steps_per_epoch == 0 ? 0 : state->step % state->steps_per_epoch;
  double share = state->planned_steps > 0     ? (double)state->step / (double)state->planned_steps
                 : state->steps_per_epoch > 0 ? (double)in_epoch / (double)state->steps_per_epoch
                                              : 0;
  if (share > 1) share = 1;

  char bar[WIDEST_BAR + 8] = "";
  if (used + LEAST_BAR + 9 <= columns) {
    size_t width = columns - used - 9; /* "[] 100 %  " with its separators */
    if (width > WIDEST_BAR) width = WIDEST_BAR;
    size_t full = (size_t)(share * (double)width);
    for (size_t i = 0; i < width; i++) bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[width] = '\0';
  }

  put_control(progress, "\r");
  for (size_t i = 0; i < kept; i++) {
    (void)fprintf(progress->stream, "%s%s", i > 0 ? "  " : "", fields[i]);
    if (i == 0 && bar[0] != '\0') (void)fprintf(progress->stream, " [%s] %3.0f %%", bar, floor(100 * share));
  }
  put_control(progress, "\x1b[K");
  progress->is_text = false;
  progress->drawn = true;
}

static void print_set(const vise_i_cli_progress *progress, const char *name, const vise_metrics *metrics) {
  if (metrics->n_rows == 0) return;
  (void)fprintf(progress->stream, "  %s %s", name, progress->weighted ? "weighted " : "");
  vise_i_cli_print_metrics(progress->stream, metrics);
}

static void print_epoch(const vise_i_cli_progress *progress, const vise_progress *state) {
  (void)fprintf(progress->stream, "epoch %" PRIu64, state->epoch);
  if (progress->epochs > 0) (void)fprintf(progress->stream, "/%" PRIu64, progress->epochs);
  (void)fprintf(progress->stream, "  step %" PRIu64, state->step);
  if (state->train.n_rows == 0) (void)fprintf(progress->stream, "  train loss %.6g", state->train_loss);
  print_set(progress, "train", &state->train);
  print_set(progress, "val", &state->validation);
  print_set(progress, "test", &state->test);
  (void)fprintf(progress->stream, "  %.1f s", state->seconds);

  const double left = vise_i_cli_progress_left(progress, state, progress->rate);
  if (!isnan(progress->at_bound)) (void)fprintf(progress->stream, "  %.1f %% at bounds", 100 * progress->at_bound);
  if (progress->watches && !isnan(left)) {
    char text[32];
    vise_i_cli_format_time(left, text, sizeof text);
    (void)fprintf(progress->stream, "  %s left", text);
  }
  (void)fputc('\n', progress->stream);
}

void vise_i_cli_progress_show(vise_i_cli_progress *progress, const vise_progress *state) {
  progress->has_waiting = false;
  progress->begun = true;
  progress->last_shown = state->seconds;
  if (progress->show == VISE_I_CLI_SHOW_JSON) {
    vise_i_cli_progress_tell_epoch(progress, state);
  } else if (progress->show == VISE_I_CLI_SHOW_BAR) {
    draw_bar(progress, state);
  } else {
    print_epoch(progress, state);
  }
}

void vise_i_cli_progress_flush(vise_i_cli_progress *progress) {
  if (progress->has_waiting) vise_i_cli_progress_show(progress, &progress->waiting);
}

/* Between epochs. */
static void tell_moment(vise_i_cli_progress *progress, const vise_progress *state) {
  if (progress->last_event >= 0 && state->seconds - progress->last_event < event_seconds) return;
  progress->last_event = state->seconds;
  const double rate = steps_per_second(progress, state);
  vise_i_cli_progress_tell_moment(progress, state, rate, vise_i_cli_progress_left(progress, state, rate));
}

void vise_i_cli_progress_note_epoch(vise_i_cli_progress *progress, const vise_progress *state) {
  bool validated = state->validation.n_rows > 0, tested = state->test.n_rows > 0;
  progress->shown = validated ? state->validation : tested ? state->test : state->train;
  progress->shown_name = validated ? "val" : tested ? "test" : "train";
}

/* Keeps a state to be shown later, with a copy of its record, which is there for the time of the call. */
static void keep(vise_i_cli_progress *progress, const vise_progress *state) {
  const vise_record *record = progress->show == VISE_I_CLI_SHOW_JSON ? state->record : NULL;
  progress->waiting = *state;
  progress->waiting.record = NULL;
  progress->has_waiting = true;
  if (record == NULL) return;

  vise_layer_record *layers = realloc(progress->layers, (record->n_layers + 1) * sizeof *layers);
  if (layers == NULL) return;
  memcpy(layers, record->layers, record->n_layers * sizeof *layers);
  progress->layers = layers;
  progress->record = *record;
  progress->record.layers = layers;
  progress->waiting.record = &progress->record;
}

void vise_i_cli_progress_update(vise_i_cli_progress *progress, const vise_progress *state) {
  const bool draws = progress->show == VISE_I_CLI_SHOW_BAR;
  if (progress->show == VISE_I_CLI_SHOW_NONE) return;
  if (progress->show == VISE_I_CLI_SHOW_JSON) tell_moment(progress, state);
  if (!draws && !state->epoch_ended) return;

  if (state->epoch_ended) vise_i_cli_progress_note_epoch(progress, state);
  if (!progress->begun || state->seconds - progress->last_shown >= (draws ? bar_seconds : line_seconds)) {
    vise_i_cli_progress_show(progress, state);
  } else {
    keep(progress, state);
  }
}

void vise_i_cli_progress_clear(vise_i_cli_progress *progress) {
  if (progress->drawn || progress->is_text) put_control(progress, "\r\x1b[K");
  progress->drawn = progress->is_text = false;
}

void vise_i_cli_progress_message(vise_i_cli_progress *progress, vise_log_level level, const char *message) {
  if (progress->quiet && level == VISE_LOG_INFO) return;
  if (progress->drawn) vise_i_cli_progress_clear(progress);
  vise_i_cli_tell(level == VISE_LOG_WARNING ? VISE_I_CLI_WARNING : VISE_I_CLI_WORDS, "%s", message);
}

bool vise_i_cli_progress_is_due(vise_i_cli_progress *progress, double seconds) {
  const bool tells = progress->show == VISE_I_CLI_SHOW_JSON;
  if (!tells && progress->show != VISE_I_CLI_SHOW_BAR) return false;

  double *last = tells ? &progress->last_event : &progress->last_shown;
  const bool goes_on = seconds > 0 && (tells ? *last >= 0 : progress->is_text);
  if (goes_on && seconds - *last < (tells ? event_seconds : bar_seconds)) return false;
  *last = seconds;
  return true;
}

void vise_i_cli_progress_text(vise_i_cli_progress *progress, const char *text) {
  if (progress->show != VISE_I_CLI_SHOW_BAR) return;
  put_control(progress, "\r");
  (void)fprintf(progress->stream, "%.*s", (int)terminal_columns(progress->file) - 1, text);
  put_control(progress, "\x1b[K");
  progress->is_text = true;
}

void vise_i_cli_progress_end(vise_i_cli_progress *progress) {
  vise_i_cli_progress_flush(progress);
  if (progress->drawn) (void)fputc('\n', progress->stream);
  progress->drawn = false;
  vise_i_cli_progress_clear(progress);
  free(progress->layers);
  progress->layers = NULL;
}

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
#include "host/cli/terminal.h"

/* Least time between two lines, and two bars. */
static const double line_seconds = 1, bar_seconds = 0.04;

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

void vise_i_cli_progress_begin(vise_i_cli_progress *progress, bool quiet, const vise_train_config *training) {
  const char *terminal = getenv("TERM");
  memset(progress, 0, sizeof *progress);
  progress->quiet = quiet;
  const uint64_t epochs = training->epochs, last = training->stop_after_epoch;
  progress->epochs = last > 0 && (epochs == 0 || last < epochs) ? last : epochs;
  progress->weighted = training->class_weights != NULL;
  progress->bar = !quiet && isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

/* What moves on the screen; all else goes through a stream that would not let it through. */
static void put_control(const char *sequence) {
  (void)fputs(sequence, vise_i_cli_bar_output());
}

static size_t terminal_columns(void) {
  struct winsize size;
  size_t columns = 0;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns == 0) columns = 80;
  return columns > MAX_COLUMNS ? MAX_COLUMNS : columns;
}

/* Steps per second since the first report; 0 while unknown. */
static double steps_per_second(vise_i_cli_progress *progress, const vise_progress *state) {
  if (!progress->rate_known) {
    progress->rate_known = true;
    progress->first_step = state->step;
    progress->first_seconds = state->seconds;
    return 0;
  }
  double seconds = state->seconds - progress->first_seconds;
  return seconds > 0 && state->step > progress->first_step ? (double)(state->step - progress->first_step) / seconds : 0;
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

  if (rate > 0 && state->planned_steps >= state->step && state->planned_steps > 0) {
    char left[32];
    vise_i_cli_format_time((double)(state->planned_steps - state->step) / rate, left, sizeof left);
    (void)snprintf(fields[n++], FIELD_BYTES, "%s left", left);
  }

  const vise_metrics *shown = &progress->shown;
  if (shown->n_rows > 0 && !isnan(shown->accuracy)) {
    (void)snprintf(fields[n++], FIELD_BYTES, "%s accuracy %.2f %%", progress->shown_name, 100 * shown->accuracy);
  } else if (shown->n_rows > 0 && !isnan(shown->rmse)) {
    (void)snprintf(fields[n++], FIELD_BYTES, "%s RMSE %.4g", progress->shown_name, shown->rmse);
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
  size_t columns = terminal_columns() - 1; /* the last column would wrap on some terminals */

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

  put_control("\r");
  for (size_t i = 0; i < kept; i++) {
    (void)fprintf(stderr, "%s%s", i > 0 ? "  " : "", fields[i]);
    if (i == 0 && bar[0] != '\0') (void)fprintf(stderr, " [%s] %3.0f %%", bar, floor(100 * share));
  }
  put_control("\x1b[K");
  progress->drawn = true;
}

static void print_set(const vise_i_cli_progress *progress, const char *name, const vise_metrics *metrics) {
  if (metrics->n_rows == 0) return;
  (void)fprintf(stderr, "  %s %s", name, progress->weighted ? "weighted " : "");
  vise_i_cli_print_metrics(stderr, metrics);
}

static void print_epoch(const vise_i_cli_progress *progress, const vise_progress *state) {
  (void)fprintf(stderr, "epoch %" PRIu64, state->epoch);
  if (progress->epochs > 0) (void)fprintf(stderr, "/%" PRIu64, progress->epochs);
  (void)fprintf(stderr, "  step %" PRIu64, state->step);
  if (state->train.n_rows == 0) (void)fprintf(stderr, "  train loss %.6g", state->train_loss);
  print_set(progress, "train", &state->train);
  print_set(progress, "val", &state->validation);
  print_set(progress, "test", &state->test);
  (void)fprintf(stderr, "  %.1f s\n", state->seconds);
}

static void show(vise_i_cli_progress *progress, const vise_progress *state) {
  progress->has_waiting = false;
  progress->begun = true;
  progress->last_shown = state->seconds;
  if (progress->bar) {
    draw_bar(progress, state);
  } else {
    print_epoch(progress, state);
  }
}

void vise_i_cli_progress_update(vise_i_cli_progress *progress, const vise_progress *state) {
  if (progress->quiet || (!progress->bar && !state->epoch_ended)) return;

  if (state->epoch_ended) {
    bool validated = state->validation.n_rows > 0, tested = state->test.n_rows > 0;
    progress->shown = validated ? state->validation : tested ? state->test : state->train;
    progress->shown_name = validated ? "val" : tested ? "test" : "train";
  }

  double pause = progress->bar ? bar_seconds : line_seconds;
  if (!progress->begun || state->seconds - progress->last_shown >= pause) {
    show(progress, state);
  } else {
    progress->waiting = *state;
    progress->has_waiting = true;
  }
}

void vise_i_cli_progress_message(vise_i_cli_progress *progress, vise_log_level level, const char *message) {
  if (progress->quiet && level == VISE_LOG_INFO) return;
  if (progress->drawn) put_control("\r\x1b[K");
  progress->drawn = false;
  (void)fprintf(stderr, "%s%s\n", level == VISE_LOG_WARNING ? "warning: " : "", message);
}

void vise_i_cli_progress_text(vise_i_cli_progress *progress, const char *text, double seconds) {
  if (!progress->bar || (progress->is_text && seconds > 0 && seconds - progress->last_shown < bar_seconds)) return;
  put_control("\r");
  (void)fprintf(stderr, "%.*s", (int)terminal_columns() - 1, text);
  put_control("\x1b[K");
  progress->last_shown = seconds;
  progress->is_text = true;
}

void vise_i_cli_progress_end(vise_i_cli_progress *progress) {
  if (progress->has_waiting) show(progress, &progress->waiting);
  if (progress->drawn) (void)fputc('\n', stderr);
  if (progress->is_text) put_control("\r\x1b[K");
  progress->drawn = progress->is_text = false;
}

/*
 * What TensorBoard shows of a sweep, in its hparams plugin: an experiment, and a session for each configuration, which
 * is a folder in SWEEP/tensorboard. TensorBoard reads each of them again and again, so that there are only so many.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/message.h"
#include "host/cli/sweep.h"
#include "host/cli/tensorboard_file.h"
#include "host/cli/tensorboard_summary.h"

enum { MOST_SESSIONS = 500, MOST_VALUES = 100, TEXT_BYTES = 1024 };

/* tensorboard.hparams: HParamsPluginData, Experiment, HParamInfo, Interval, MetricInfo, MetricName, SessionStartInfo and
   SessionEndInfo; google.protobuf: Value, ListValue and the entries of a map. */
enum { EXPERIMENT = 2, SESSION_START = 3, SESSION_END = 4 };
enum { ABOUT = 1, CREATED = 3, HPARAM_INFOS = 4, METRIC_INFOS = 5, NAME = 6 };
enum { HPARAM_NAME = 1, HPARAM_TYPE = 4, DISCRETE = 5, INTERVAL = 6, LEAST = 1, MOST = 2 };
enum { METRIC_NAME = 1, METRIC_TAG = 2, METRIC_SHOWN = 3, METRIC_ABOUT = 4 };
enum { HPARAMS = 1, STARTED = 5, STATUS = 1, ENDED = 2, SUCCESS = 1, FAILURE = 2 };
enum { NUMBER_VALUE = 2, STRING_VALUE = 3, BOOL_VALUE = 4, LIST_VALUES = 1, MAP_KEY = 1, MAP_VALUE = 2 };

typedef enum value_kind { IS_STRING = 1, IS_BOOL = 2, IS_NUMBER = 3 } value_kind; /* DataType */

/* What is varied: a range, or texts that were tried. */
typedef struct domain {
  value_kind kind;
  bool is_range;
  double lo, hi;
  size_t points[MOST_VALUES]; /* the first configuration of each text */
  size_t n;                   /* 0: a range, or too many */
} domain;

/* ---- domains -------------------------------------------------------------------------------------------------------- */

/* What --vary says of an axis, after its name; its place in all of them. */
static const char *varied_text(const vise_i_cli_sweeping *s, size_t axis) {
  const char *line = s->options->vary;
  for (; axis > 0 && line != NULL; axis--) {
    line = strchr(line, '\n');
    if (line != NULL) line++;
  }
  const char *equals = line != NULL ? strchr(line, '=') : NULL;
  return equals != NULL ? equals + 1 : "";
}

/* A range is no list, and no path; see vise_space_add_axis. */
static bool read_range(const char *text, double *lo, double *hi) {
  char range[TEXT_BYTES];
  (void)snprintf(range, sizeof range, "%.*s", (int)strcspn(text, "\n"), text);
  char *dots = strpbrk(range, ",;/") == NULL ? strstr(range, "..") : NULL;
  if (dots == NULL) return false;
  if (dots[2] == '.') dots++;
  *dots = '\0';
  *lo = strtod(range, NULL);
  *hi = strtod(dots + 2, NULL);
  return true;
}

static bool is_yes_or_no(const char *text) {
  return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static domain find_domain(const vise_i_cli_sweeping *s, size_t axis) {
  char text[TEXT_BYTES], other[TEXT_BYTES];
  domain d = {.kind = IS_NUMBER};
  d.is_range = read_range(varied_text(s, axis), &d.lo, &d.hi);
  if (d.is_range) return d;

  bool are_numbers = true, are_flags = true;
  size_t n = 0;
  for (size_t config = 0; config < s->n_configs; config++) {
    bool known = s->same_as[config] != config;
    if (!known) (void)vise_space_text(s->space, config, axis, text, sizeof text);
    for (size_t i = 0; i < n && i < MOST_VALUES && !known; i++) {
      (void)vise_space_text(s->space, d.points[i], axis, other, sizeof other);
      known = strcmp(text, other) == 0;
    }
    if (known) continue;

    are_numbers = are_numbers && isfinite(vise_space_number(s->space, config, axis));
    are_flags = are_flags && is_yes_or_no(text);
    if (n < MOST_VALUES) d.points[n] = config;
    if (++n > MOST_VALUES) n = MOST_VALUES + 1;
  }

  d.kind = are_flags ? IS_BOOL : are_numbers ? IS_NUMBER : IS_STRING;
  d.n = n <= MOST_VALUES ? n : 0;
  return d;
}

/* A google.protobuf.Value, in this field. */
static void put_value(vise_i_proto *to, unsigned field, const vise_i_cli_sweeping *s, size_t config, size_t axis,
                      value_kind kind) {
  char text[TEXT_BYTES];
  (void)vise_space_text(s->space, config, axis, text, sizeof text);
  const size_t value = vise_i_proto_begin(to, field);
  if (kind == IS_NUMBER) vise_i_proto_double(to, NUMBER_VALUE, vise_space_number(s->space, config, axis));
  if (kind == IS_BOOL) vise_i_proto_count(to, BOOL_VALUE, strcmp(text, "yes") == 0);
  if (kind == IS_STRING) vise_i_cli_proto_name(to, STRING_VALUE, text);
  vise_i_proto_end(to, value);
}

/* ---- metrics -------------------------------------------------------------------------------------------------------- */

typedef enum metric {
  SCORE,
  STANDARD_ERROR,
  RANK,
  TRAIN_SCORE,
  EPOCHS,
  AT_BOUND,
  STEPS_CLIPPED,
  SECONDS,
  N_METRICS
} metric;

static const struct {
  const char *tag, *shown, *about;
} metrics[N_METRICS] = {
    [SCORE] = {"sweep/score", NULL, "mean over the held-out folds"},
    [STANDARD_ERROR] = {"sweep/standard_error", "standard error", "of the score"},
    [RANK] = {"sweep/rank", "rank", "1 is the best"},
    [TRAIN_SCORE] = {"sweep/train_score", "score on training rows", "mean over the folds, in the last epoch"},
    [EPOCHS] = {"sweep/epochs", "epochs", "mean over the folds"},
    [AT_BOUND] = {"sweep/at_bound", "at bound", "share of the boxed weights at a bound"},
    [STEPS_CLIPPED] = {"sweep/steps_clipped", "steps clipped", "share of the steps whose norm was clipped"},
    [SECONDS] = {"sweep/seconds", "seconds", "of a fit, mean over the folds"}};

static double metric_of(const vise_i_cli_sweeping *s, size_t config, metric which) {
  switch (which) {
    case SCORE:
      return s->means[config];
    case STANDARD_ERROR:
      return s->errors[config];
    case RANK:
      return (double)s->ranks[config];
    case TRAIN_SCORE:
      return vise_i_cli_sweep_mean(s, config, VISE_I_CLI_FIT_TRAIN_SCORE);
    case EPOCHS:
      return vise_i_cli_sweep_mean(s, config, VISE_I_CLI_FIT_EPOCHS);
    case AT_BOUND:
      return vise_i_cli_sweep_mean(s, config, VISE_I_CLI_FIT_AT_BOUND);
    case STEPS_CLIPPED:
      return vise_i_cli_sweep_mean(s, config, VISE_I_CLI_FIT_CLIPPED);
    case SECONDS:
      return vise_i_cli_sweep_mean(s, config, VISE_I_CLI_FIT_SECONDS);
    default:
      return NAN;
  }
}

/* The mean score at a rung (from 1) of --halving; NaN: not all folds stopped there. */
static double rung_score(const vise_i_cli_sweeping *s, size_t config, size_t rung) {
  double sum = 0;
  for (size_t split = 0; split < s->n_splits; split++) sum += *vise_i_cli_rung_score(s, config, split, rung);
  return sum / (double)s->n_splits;
}

/* ---- the experiment --------------------------------------------------------------------------------------------------- */

/* An event with one value, for the plugin: content is its HParamsPluginData. Frees content. */
static void add_plugin(vise_i_cli_events *events, const char *tag, vise_i_proto *content) {
  vise_i_proto *event = vise_i_cli_event_begin(events, 0);
  const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
  vise_i_cli_put_plugin(event, tag, "hparams", content);
  vise_i_proto_end(event, summary);
  vise_i_cli_event_end(events);
  vise_i_proto_free(content);
}

static void put_hparam(vise_i_proto *to, const vise_i_cli_sweeping *s, size_t axis, const domain *d) {
  const size_t info = vise_i_proto_begin(to, HPARAM_INFOS);
  vise_i_proto_text(to, HPARAM_NAME, vise_space_axis_name(s->space, axis));
  vise_i_proto_count(to, HPARAM_TYPE, d->kind);

  if (d->is_range) {
    const size_t interval = vise_i_proto_begin(to, INTERVAL);
    vise_i_proto_double(to, LEAST, d->lo);
    vise_i_proto_double(to, MOST, d->hi);
    vise_i_proto_end(to, interval);
  } else if (d->n > 0) {
    const size_t list = vise_i_proto_begin(to, DISCRETE);
    for (size_t i = 0; i < d->n; i++) put_value(to, LIST_VALUES, s, d->points[i], axis, d->kind);
    vise_i_proto_end(to, list);
  }
  vise_i_proto_end(to, info);
}

static void put_metric(vise_i_proto *to, const vise_i_cli_sweeping *s, metric which) {
  const char *shown = which == SCORE ? vise_i_cli_score_name(s->options->score) : metrics[which].shown;
  const size_t info = vise_i_proto_begin(to, METRIC_INFOS);
  const size_t name = vise_i_proto_begin(to, METRIC_NAME);
  vise_i_proto_text(to, METRIC_TAG, metrics[which].tag);
  vise_i_proto_end(to, name);
  vise_i_proto_text(to, METRIC_SHOWN, shown);
  vise_i_proto_text(to, METRIC_ABOUT, metrics[which].about);
  vise_i_proto_end(to, info);
}

/* Whether the configurations have it at all. */
static bool is_known(const vise_i_cli_sweeping *s, const size_t *configs, metric which) {
  for (size_t i = 0; i < s->n_shown; i++) {
    if (isfinite(metric_of(s, configs[i], which))) return true;
  }
  return which == SCORE;
}

static void add_experiment(vise_i_cli_events *events, const vise_i_cli_sweeping *s, const size_t *configs,
                           const domain *domains) {
  vise_i_proto content = {.bytes = NULL};
  char about[TEXT_BYTES];
  (void)snprintf(about, sizeof about, "%s%zu of %zu configurations, scored by %s on the held-out folds.",
                 s->n_shown < s->n_distinct ? "The best " : "", s->n_shown, s->n_distinct,
                 vise_i_cli_score_name(s->options->score));

  const size_t experiment = vise_i_proto_begin(&content, EXPERIMENT);
  vise_i_proto_text(&content, ABOUT, about);
  vise_i_proto_double(&content, CREATED, (double)time(NULL));
  for (size_t axis = 0; axis < s->n_axes; axis++) put_hparam(&content, s, axis, &domains[axis]);
  for (metric which = 0; which < N_METRICS; which++) {
    if (is_known(s, configs, which)) put_metric(&content, s, which);
  }
  vise_i_cli_proto_name(&content, NAME, s->dir);
  vise_i_proto_end(&content, experiment);
  add_plugin(events, "_hparams_/experiment", &content);
}

/* ---- a session -------------------------------------------------------------------------------------------------------- */

static void add_start(vise_i_cli_events *events, const vise_i_cli_sweeping *s, size_t config, const domain *domains) {
  vise_i_proto content = {.bytes = NULL};
  const size_t start = vise_i_proto_begin(&content, SESSION_START);
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    const size_t entry = vise_i_proto_begin(&content, HPARAMS);
    vise_i_proto_text(&content, MAP_KEY, vise_space_axis_name(s->space, axis));
    put_value(&content, MAP_VALUE, s, config, axis, domains[axis].kind);
    vise_i_proto_end(&content, entry);
  }
  vise_i_proto_double(&content, STARTED, (double)time(NULL));
  vise_i_proto_end(&content, start);
  add_plugin(events, "_hparams_/session_start_info", &content);
}

static void add_end(vise_i_cli_events *events, const vise_i_cli_sweeping *s, size_t config) {
  vise_i_proto content = {.bytes = NULL};
  const size_t end = vise_i_proto_begin(&content, SESSION_END);
  vise_i_proto_count(&content, STATUS, isfinite(s->means[config]) ? SUCCESS : FAILURE);
  vise_i_proto_double(&content, ENDED, (double)time(NULL));
  vise_i_proto_end(&content, end);
  add_plugin(events, "_hparams_/session_end_info", &content);
}

/* The scores at the rungs on the way, then all numbers; steps are epochs. */
static void add_metrics(vise_i_cli_events *events, const vise_i_cli_sweeping *s, size_t config) {
  const uint64_t last = (uint64_t)llround(metric_of(s, config, EPOCHS));
  for (size_t rung = 1; rung < s->n_rungs && s->rungs[rung - 1] < last; rung++) {
    const double score = rung_score(s, config, rung);
    if (!isfinite(score)) continue;
    vise_i_proto *event = vise_i_cli_event_begin(events, s->rungs[rung - 1]);
    const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
    vise_i_cli_put_scalar(event, metrics[SCORE].tag, score, metrics[SCORE].about);
    vise_i_proto_end(event, summary);
    vise_i_cli_event_end(events);
  }

  vise_i_proto *event = vise_i_cli_event_begin(events, last);
  const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
  for (metric which = 0; which < N_METRICS; which++) {
    const double value = metric_of(s, config, which);
    if (isfinite(value)) vise_i_cli_put_scalar(event, metrics[which].tag, value, metrics[which].about);
  }
  vise_i_proto_end(event, summary);
  vise_i_cli_event_end(events);
}

static vise_status write_session(const vise_i_cli_sweeping *s, int folder, size_t config, const domain *domains,
                                 vise_error *err) {
  char name[64];
  vise_i_cli_events events;
  (void)snprintf(name, sizeof name, VISE_I_CLI_SESSION_PREFIX "%06zu", config);

  vise_status status = vise_i_cli_events_open(&events, s->dir, folder, name, err);
  if (status == VISE_OK) {
    add_start(&events, s, config, domains);
    add_metrics(&events, s, config);
    add_end(&events, s, config);
  }
  const vise_status closed = vise_i_cli_events_close(&events, status == VISE_OK ? err : NULL);
  return status == VISE_OK ? closed : status;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------- */

typedef struct place {
  size_t rank, config;
} place;

static int by_rank(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  return (x->config > y->config) - (x->config < y->config);
}

/* The best configurations, the best one first; counts them in s. */
static vise_status list_best(vise_i_cli_sweeping *s, size_t configs[MOST_SESSIONS], vise_error *err) {
  size_t n = 0;
  place *places = calloc(s->n_configs, sizeof *places);
  if (places == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for event files");

  for (size_t config = 0; config < s->n_configs; config++) {
    if (s->same_as[config] == config) places[n++] = (place){s->ranks[config], config};
  }
  qsort(places, n, sizeof *places, by_rank);
  s->n_distinct = n;
  s->n_shown = n < MOST_SESSIONS ? n : MOST_SESSIONS;
  for (size_t i = 0; i < s->n_shown; i++) configs[i] = places[i].config;
  free(places);
  return VISE_OK;
}

static vise_status write_all(vise_i_cli_sweeping *s, int folder, domain *domains, vise_error *err) {
  size_t configs[MOST_SESSIONS];
  vise_i_cli_events events;
  vise_status status = list_best(s, configs, err);
  if (status != VISE_OK) return status;
  for (size_t axis = 0; axis < s->n_axes; axis++) domains[axis] = find_domain(s, axis);

  status = vise_i_cli_events_open(&events, s->dir, folder, NULL, err);
  if (status == VISE_OK) add_experiment(&events, s, configs, domains);
  const vise_status closed = vise_i_cli_events_close(&events, status == VISE_OK ? err : NULL);
  if (status == VISE_OK) status = closed;
  for (size_t i = 0; i < s->n_shown && status == VISE_OK; i++) {
    status = write_session(s, folder, configs[i], domains, err);
  }
  return status;
}

void vise_i_cli_sweep_board(vise_i_cli_sweeping *s) {
  vise_error err = VISE_ERROR_INIT;
  int folder = -1;
  if (s->dir == NULL || !s->options->tensorboard) return;

  domain *domains = calloc(s->n_axes + 1, sizeof *domains);
  vise_status status = domains != NULL ? vise_i_cli_events_remove(s->dir, &err)
                                       : vise_i_cli_fail(&err, VISE_ERR_MEMORY, "out of memory for event files");
  if (status == VISE_OK) status = vise_i_cli_events_folder(s->dir, &folder, &err);
  if (status == VISE_OK) status = write_all(s, folder, domains, &err);
  if (folder >= 0) (void)close(folder);
  free(domains);

  if (status == VISE_OK) return;
  s->n_shown = 0;
  vise_i_cli_warn(&s->warnings, "%s; TensorBoard will not show all of this sweep", err.text);
}

/*
 * vise watch: what its files share.
 *   cmd_watch.c         the command: which folder, how often it is looked at
 *   watch_tail.c        a file of JSON lines that grows, and may be cut back or replaced
 *   watch_run.c         a run of train: its events, and how it stands
 *   watch_run_tell.c    what is told of it
 *   watch_sweep.c       a sweep, and watch_sweep_tell.c
 *   watch_workers.c     of a sweep, the processes that joined it
 */
#ifndef VISE_I_CLI_WATCH_H
#define VISE_I_CLI_WATCH_H

#include <jansson.h>
#include <math.h>
#include <sys/types.h>
#include <time.h>

#include "host/cli/folder_use.h"
#include "host/cli/progress.h"

/* What has come of it. */
typedef enum vise_i_cli_outcome {
  VISE_I_CLI_NOT_BEGUN,
  VISE_I_CLI_AT_WORK,
  VISE_I_CLI_ENDED,       /* as asked, or interrupted */
  VISE_I_CLI_ENDED_BADLY, /* it failed, and says so */
  VISE_I_CLI_DIED         /* nobody is at work there, and it has not ended */
} vise_i_cli_outcome;

/* A count in an object, 0 where there is none, and a number, NaN where there is none. */
static inline uint64_t vise_i_cli_watch_count(const json_t *object, const char *name) {
  const json_int_t value = json_integer_value(json_object_get(object, name));
  return value > 0 ? (uint64_t)value : 0;
}
static inline double vise_i_cli_watch_real(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* ---- watch_tail.c ---- */

/* A line that was handed out: where it ends, and what it said. */
typedef struct vise_i_cli_tail_mark {
  uint64_t end, hash;
} vise_i_cli_tail_mark;

typedef struct vise_i_cli_tail {
  char *path;
  vise_i_cli_tail_mark *marks; /* [n] */
  size_t n, room;
  bool exists;
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed;
} vise_i_cli_tail;

typedef struct vise_i_cli_tail_events {
  /* A whole line of n bytes, with its end. */
  void (*line)(void *user, const char *line, size_t n);
  /* All lines but the first n_kept are gone: the file was cut back, or is another one. */
  void (*cut)(void *user, size_t n_kept);
  void *user;
} vise_i_cli_tail_events;

/* "DIR/name", malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_path(char **out, const char *dir, const char *name, vise_error *err);

VISE_WARN_UNUSED vise_status vise_i_cli_tail_init(vise_i_cli_tail *tail, const char *dir, const char *name,
                                                  vise_error *err);
void vise_i_cli_tail_free(vise_i_cli_tail *tail);
/* Hands out what is new since the last look; a line that is half there waits. *news: there was something. A file that
   is missing has no news, and its lines are remembered. VISE_ERR_IO, VISE_ERR_MEMORY. */
VISE_WARN_UNUSED vise_status vise_i_cli_tail_look(vise_i_cli_tail *tail, const vise_i_cli_tail_events *events,
                                                  bool *news, vise_error *err);

/* ---- watch_run.c ---- */

/* The end of an epoch. */
typedef struct vise_i_cli_watched_epoch {
  vise_progress state;
  double at_bound; /* share of the boxed weights; NaN: not known */
} vise_i_cli_watched_epoch;

enum { VISE_I_CLI_EARLIER = 10 };

typedef struct vise_i_cli_watched_run {
  const char *dir;
  const vise_i_cli_options *options; /* of watch */
  vise_i_cli_tail metrics;
  char *config_path, *lock_path;
  bool has_config;
  struct timespec config_changed;
  uint64_t epochs, steps; /* limits; 0: none, or not known */

  vise_i_cli_progress progress;
  vise_i_cli_watched_epoch last; /* with the steps after it */
  bool has_epoch;
  uint64_t first_step;                                  /* where the rate is measured from */
  double first_seconds;                                 /* negative: nowhere yet */
  vise_i_cli_watched_epoch earlier[VISE_I_CLI_EARLIER]; /* before the first look; the i-th is at i % EARLIER */
  size_t n_earlier;
  bool looked; /* once, at least */

  json_t *epoch, *end; /* the last events of these kinds; NULL: none */
  char *step;          /* the line of the last step event, if no epoch ended after it; else NULL */
  double news_at;      /* when there were news, by vise_i_cli_seconds */
  double unused_since; /* since when nobody is at work there; negative: somebody is */
  vise_i_cli_use_state use;
  bool told_of_locks, told_of_silence;
  vise_i_cli_outcome outcome;
} vise_i_cli_watched_run;

/* dir and options stay the caller's. Free it on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_run_init(vise_i_cli_watched_run *run, const char *dir,
                                                       const vise_i_cli_options *options, vise_error *err);
void vise_i_cli_watch_run_free(vise_i_cli_watched_run *run);
/* Looks at the files and shows what is new; run->outcome says how it stands. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_run_look(vise_i_cli_watched_run *run, vise_error *err);
/* Whether an outcome is certain: that nobody is at work has to hold for a moment. */
bool vise_i_cli_watch_run_is_certain(const vise_i_cli_watched_run *run);

/* ---- watch_run_tell.c ---- */

/* After the first look, after each: lines or a bar. */
void vise_i_cli_watch_run_show_earlier(vise_i_cli_watched_run *run);
void vise_i_cli_watch_run_show(vise_i_cli_watched_run *run, bool news);
/* How it ended, and with --once how it stands. VISE_ERR_STATE: it failed or died. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_run_tell(vise_i_cli_watched_run *run, vise_error *err);

/* ---- watch_sweep.c ---- */

/* The newest score of a configuration on a fold. */
typedef struct vise_i_cli_watched_fit {
  size_t rung;     /* that it has been scored at, from 1; 0: none yet */
  uint64_t rounds; /* of which there is a line, as bits */
  double score;
} vise_i_cli_watched_fit;

typedef struct vise_i_cli_watched_sweep {
  const char *dir;
  const vise_i_cli_options *options; /* of watch */
  vise_i_cli_tail fits_file;
  vise_i_cli_tail *workers; /* [n_workers]: files of fits of those that joined */
  size_t n_workers, n_at_work;
  char *sheet_path, *results_path, *report_path, *best_dir, *best_metrics_path;

  /* sweep.json; NULL: it was not read yet. */
  json_t *sheet;
  struct timespec sheet_changed;
  size_t n_configs, n_splits, n_folds, n_rungs, n_planned;
  bool larger_is_better;
  vise_i_cli_watched_fit *fits; /* [n_configs][n_splits] */

  size_t n_done, round;
  bool has_best; /* of the configurations that all folds have scored in this round */
  size_t best_config;
  double best;
  json_t *best_params;
  bool recounts; /* lines that were handed out have to be read again */

  vise_i_cli_progress progress;
  double first_at; /* where the rate is measured from; negative: nowhere yet */
  size_t n_first;
  double rate; /* fits per second; 0: not known */
  double shown_at;
  bool has_waiting; /* there are news that were not shown */

  vise_i_cli_watched_run best_run; /* the refit */
  bool follows_best;
  vise_i_cli_use_state use;
  double unused_since; /* as of a run */
  vise_i_cli_outcome outcome;
} vise_i_cli_watched_sweep;

/* As of a run. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_sweep_init(vise_i_cli_watched_sweep *sweep, const char *dir,
                                                         const vise_i_cli_options *options, vise_error *err);
void vise_i_cli_watch_sweep_free(vise_i_cli_watched_sweep *sweep);
VISE_WARN_UNUSED vise_status vise_i_cli_watch_sweep_look(vise_i_cli_watched_sweep *sweep, vise_error *err);
bool vise_i_cli_watch_sweep_is_certain(const vise_i_cli_watched_sweep *sweep);

/* ---- watch_workers.c ---- */

/* Finds those that are new, and takes their lines; *news becomes true where there are some. */
VISE_WARN_UNUSED vise_status vise_i_cli_watch_workers_look(vise_i_cli_watched_sweep *sweep,
                                                           const vise_i_cli_tail_events *events, bool *news,
                                                           vise_error *err);
/* How the sweep's process and they are at work together, before anything of them is read. */
void vise_i_cli_watch_workers_ask(vise_i_cli_watched_sweep *sweep);
/* Whether the sweep's file has changed because all lines came into it, in another order. */
bool vise_i_cli_watch_workers_merged(const vise_i_cli_watched_sweep *sweep);
/* Their lines are to be read again. */
void vise_i_cli_watch_workers_forget(vise_i_cli_watched_sweep *sweep);
void vise_i_cli_watch_workers_free(vise_i_cli_watched_sweep *sweep);

/* ---- watch_sweep_tell.c ---- */

void vise_i_cli_watch_sweep_show(vise_i_cli_watched_sweep *sweep, bool news);
/* The winner is trained on all rows now. */
void vise_i_cli_watch_sweep_show_refit(vise_i_cli_watched_sweep *sweep);
VISE_WARN_UNUSED vise_status vise_i_cli_watch_sweep_tell(vise_i_cli_watched_sweep *sweep, vise_error *err);

/* ---- both ---- */

/* For so many seconds nobody has to be at work before a run is taken for dead. */
#define VISE_I_CLI_UNUSED_SECONDS 1.0

/* A line of its own above what is shown, "note: ..."; with --json on standard output an event "watch" with that text
   and a word for what it is about. */
void vise_i_cli_watch_note(vise_i_cli_progress *progress, const vise_i_cli_options *options, const char *what,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));
/* "not-begun", "at-work", ... */
const char *vise_i_cli_outcome_name(vise_i_cli_outcome outcome);

#endif

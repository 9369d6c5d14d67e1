/* What a run shows while it lasts: a bar redrawn in place on a terminal, else plain lines, one for an epoch but not
   more than one a second; or events (tell.h). The last state is always shown. */
#ifndef VISE_I_CLI_PROGRESS_H
#define VISE_I_CLI_PROGRESS_H

#include <stdio.h>

#include "host/cli/options.h"

typedef struct vise_i_cli_progress {
  int file;             /* that bars and lines go to: standard output or error */
  FILE *stream;         /* the same */
  vise_i_cli_show show; /* which of them; never auto */
  bool quiet;           /* notes are left out too */
  bool drawn;           /* a bar is on the screen's last line */
  bool is_text;         /* a text is there, which does not stay */
  bool classifies;      /* there is an accuracy, of events */
  bool weighted;        /* the losses, by class weights */
  uint64_t epochs;      /* limit, 0: none */
  bool rate_known;
  uint64_t first_step; /* where the rate is measured from (a resumed run starts late) */
  double first_seconds;
  bool begun;        /* something was shown */
  double last_shown; /* seconds of the run at that moment */
  double last_event; /* the same of an event within an epoch; negative: none */
  bool has_waiting;  /* a newer state than the one shown */
  vise_progress waiting;
  vise_record record; /* that of the waiting one, of events */
  vise_layer_record *layers;
  vise_metrics shown; /* metrics of the last epoch: validation, else test, else training */
  const char *shown_name;

  /* Of a run that is watched. */
  bool watches;
  double rate;     /* steps per second; 0: not known */
  double idle;     /* seconds since the state was news */
  double at_bound; /* share of the boxed weights; NaN: not known */
} vise_i_cli_progress;

/* By the options of train or sweep, on standard error. */
void vise_i_cli_progress_begin(vise_i_cli_progress *progress, const vise_i_cli_options *options);
/* By the options of watch, on standard output. */
void vise_i_cli_progress_begin_watch(vise_i_cli_progress *progress, const vise_i_cli_options *options);

void vise_i_cli_progress_update(vise_i_cli_progress *progress, const vise_progress *state);
/* Shows the state that waits, if one does. */
void vise_i_cli_progress_flush(vise_i_cli_progress *progress);
/* Keeps the metrics of an epoch, for bars. */
void vise_i_cli_progress_note_epoch(vise_i_cli_progress *progress, const vise_progress *state);
/* Shows this state at once. */
void vise_i_cli_progress_show(vise_i_cli_progress *progress, const vise_progress *state);
/* A line of text above the bar. */
void vise_i_cli_progress_message(vise_i_cli_progress *progress, vise_log_level level, const char *message);
/* Takes the bar, or a text in its place, off the screen. */
void vise_i_cli_progress_clear(vise_i_cli_progress *progress);

/* Whether something else than a state is to be shown now, in the place of the bar or as an event: not too often.
   seconds are those of whatever it tells of; with 0 something else begins, which is shown in any case. */
bool vise_i_cli_progress_is_due(vise_i_cli_progress *progress, double seconds);
/* That, in the place of the bar; nothing without one. */
void vise_i_cli_progress_text(vise_i_cli_progress *progress, const char *text);

/* Shows the last state; leaves the bar on the screen and goes to a new line. To be called at the end; more than once is
   no harm. */
void vise_i_cli_progress_end(vise_i_cli_progress *progress);

/* Seconds until the last planned step at that rate; NaN: not known. */
double vise_i_cli_progress_left(const vise_i_cli_progress *progress, const vise_progress *state, double rate);

/* The state as events (progress_events.c): an epoch that ended, or a moment. */
void vise_i_cli_progress_tell_epoch(const vise_i_cli_progress *progress, const vise_progress *state);
void vise_i_cli_progress_tell_moment(const vise_i_cli_progress *progress, const vise_progress *state, double rate,
                                     double seconds_left);

/* A clock that nobody sets. */
double vise_i_cli_seconds(void);

/* "0:07", "1:02:03"; buffer of at least 32 bytes. */
void vise_i_cli_format_time(double seconds, char *buffer, size_t n_bytes);

#endif

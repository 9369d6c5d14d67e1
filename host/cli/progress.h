/* What a run shows while it lasts: a bar redrawn in place on a terminal, else plain lines, one for an epoch but not
   more than one a second. The last state is always shown. */
#ifndef VISE_I_CLI_PROGRESS_H
#define VISE_I_CLI_PROGRESS_H

#include "vise/vise.h"

typedef struct vise_i_cli_progress {
  bool quiet, bar;
  bool drawn;      /* a bar is on the screen's last line */
  bool is_text;    /* a text is there, which does not stay */
  bool weighted;   /* the losses, by class weights */
  uint64_t epochs; /* limit, 0: none */
  bool rate_known;
  uint64_t first_step; /* where the rate is measured from (a resumed run starts late) */
  double first_seconds;
  bool begun;        /* something was shown */
  double last_shown; /* seconds of the run at that moment */
  bool has_waiting;  /* a newer state than the one shown */
  vise_progress waiting;
  vise_metrics shown; /* metrics of the last epoch: validation, else test, else training */
  const char *shown_name;
} vise_i_cli_progress;

/* All output goes to standard error; a bar is drawn when that is a terminal. */
void vise_i_cli_progress_begin(vise_i_cli_progress *progress, bool quiet, const vise_train_config *training);
void vise_i_cli_progress_update(vise_i_cli_progress *progress, const vise_progress *state);
/* A line of text above the bar. */
void vise_i_cli_progress_message(vise_i_cli_progress *progress, vise_log_level level, const char *message);
/* A text in the place of the bar, on a terminal alone, and not too often: seconds are those of whatever it tells of, and
   with 0 something else begins, which is shown in any case. */
void vise_i_cli_progress_text(vise_i_cli_progress *progress, const char *text, double seconds);
/* Shows the last state; leaves the bar on the screen and goes to a new line. */
void vise_i_cli_progress_end(vise_i_cli_progress *progress);

/* A clock that nobody sets. */
double vise_i_cli_seconds(void);

/* "0:07", "1:02:03"; buffer of at least 32 bytes. */
void vise_i_cli_format_time(double seconds, char *buffer, size_t n_bytes);

#endif

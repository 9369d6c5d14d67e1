/*
 * What TensorBoard shows: the curves of a run in RUN/tensorboard, the configurations of a sweep in SWEEP/tensorboard.
 * Training is worth more than its curves: an error here is for a warning, after which nothing more is written.
 */
#ifndef VISE_I_CLI_TENSORBOARD_H
#define VISE_I_CLI_TENSORBOARD_H

#include "host/cli/setup.h"
#include "host/cli/tensorboard_file.h"

/* ---- a run (tensorboard_run.c) ---- */

typedef struct vise_i_cli_board {
  const vise_i_cli_options *options; /* NULL: nothing is written */
  const vise_i_cli_setup *setup;
  const char *config; /* the text of config.json */
  int folder;
  vise_i_cli_events events;
  bool epochs_told, records_told, histograms_told; /* what their tags are, in this file */
  uint64_t next_histogram;                         /* epoch */
  bool has_waiting;                                /* an epoch that is shown only if it turns out to be the last one */
  vise_progress waiting;
} vise_i_cli_board;

/* Refuses --tensorboard without a folder, or with one that cannot take the event files. */
VISE_WARN_UNUSED vise_status vise_i_cli_board_check(const vise_i_cli_options *options, vise_error *err);
/* At the start of the run, when its folder is there: removes the event files of one that it overwrites; with
   --tensorboard also makes the place for its own. All that it is given is borrowed until the end. */
VISE_WARN_UNUSED vise_status vise_i_cli_board_begin(vise_i_cli_board *board, const vise_i_cli_options *options,
                                                    const vise_i_cli_setup *setup, const char *config, vise_error *err);
/* What vise_run_config.progress is told. */
VISE_WARN_UNUSED vise_status vise_i_cli_board_add(vise_i_cli_board *board, const vise_progress *state, vise_error *err);
/* At the end of a run that did not fail: the weights of its model. */
VISE_WARN_UNUSED vise_status vise_i_cli_board_keep(vise_i_cli_board *board, uint64_t step, vise_error *err);
/* Writes what is left and closes; may be called again, and after an error is to be. */
VISE_WARN_UNUSED vise_status vise_i_cli_board_end(vise_i_cli_board *board, vise_error *err);

#endif

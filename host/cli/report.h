/*
 * What a training ends with. It is made once; the text for people, the object of --json and the "end" event of
 * metrics.jsonl all come from it.
 */
#ifndef VISE_I_CLI_REPORT_H
#define VISE_I_CLI_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "host/cli/estimate.h"
#include "host/cli/scores.h"
#include "host/cli/setup.h"
#include "host/cli/warnings.h"

/* Metrics of the weights that were kept, on one set of rows; class weights are left out of them. */
typedef struct vise_i_cli_kept {
  bool exists;
  vise_metrics metrics;
  vise_i_cli_scores scores;
} vise_i_cli_kept;

enum { VISE_I_CLI_TRAIN_ROWS, VISE_I_CLI_VALIDATION_ROWS, VISE_I_CLI_TEST_ROWS, VISE_I_CLI_N_SETS };

typedef struct vise_i_cli_report {
  const vise_i_cli_options *options; /* with what was resolved */
  const vise_i_cli_setup *setup;
  bool is_made;
  vise_run_result result;
  double val_loss; /* of the validation rows, weighted by class as in training; NaN without such rows */
  vise_i_cli_kept kept[VISE_I_CLI_N_SETS];
  vise_i_cli_estimate estimate;
  vise_i_cli_warnings warnings;
} vise_i_cli_report;

/* Evaluates the model of setup and estimates its score on new rows, unless the run was interrupted. Free the report on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_report_make(vise_i_cli_report *report, const vise_run_result *result,
                                                    vise_i_cli_progress *progress, vise_error *err);
void vise_i_cli_report_free(vise_i_cli_report *report);

/* What the data were taken for: the first lines. */
void vise_i_cli_report_print_data(const vise_i_cli_report *report, FILE *stream);
/* The net, the backend and the regularization: to standard error. */
void vise_i_cli_report_print_start(const vise_i_cli_report *report);
/* The same, and the data, as events. */
void vise_i_cli_report_tell_start(const vise_i_cli_report *report);
void vise_i_cli_report_print_end(const vise_i_cli_report *report);

/* The columns of a table, and its target with the classes (report_json.c); new references. */
json_t *vise_i_cli_columns_json(const vise_preprocessor *preprocessor);
json_t *vise_i_cli_target_json(const vise_preprocessor *preprocessor);

/* Why a run ended, as a phrase. */
const char *vise_i_cli_reason_text(vise_stop_reason reason);

/* Adds what is known before the first step: "data", "net", "recipe", "options". */
void vise_i_cli_report_add_start(const vise_i_cli_report *report, json_t **object);
/* A new reference; NULL: out of memory. */
json_t *vise_i_cli_report_json(const vise_i_cli_report *report);
/* The same with what is there for charts alone. */
json_t *vise_i_cli_report_json_for_charts(const vise_i_cli_report *report);

#endif

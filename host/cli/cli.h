/* The commands, and how each ends. */
#ifndef VISE_I_CLI_CLI_H
#define VISE_I_CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "host/cli/message.h"
#include "host/cli/options.h"
#include "host/cli/tell.h"

/* Exit codes besides 0 and 128 + signal. */
enum { VISE_I_CLI_FAILED = 1, VISE_I_CLI_NOTHING_DONE = 2 };

/* Each gets argv from the word of its command on and returns the exit code. */
int vise_i_cli_train(int argc, char **argv);
int vise_i_cli_eval(int argc, char **argv);
int vise_i_cli_predict(int argc, char **argv);
int vise_i_cli_prune(int argc, char **argv);
int vise_i_cli_check(int argc, char **argv);
int vise_i_cli_info(int argc, char **argv);
/* Prints what the cuda backend would run for a training: vise info --plan. */
VISE_WARN_UNUSED vise_status vise_i_cli_info_plan(vise_i_cli_options *options, vise_error *err);
/* Prints what a model is and how it was trained: vise info MODEL. */
VISE_WARN_UNUSED vise_status vise_i_cli_info_model(const vise_i_cli_options *options, vise_error *err);
int vise_i_cli_bench(int argc, char **argv);
int vise_i_cli_sweep(int argc, char **argv);
int vise_i_cli_report_pages(int argc, char **argv);
int vise_i_cli_watch(int argc, char **argv);
int vise_i_cli_certify(int argc, char **argv);
int vise_i_cli_export(int argc, char **argv);
/* Trains by these options and reports, as train does; returns the exit code. */
int vise_i_cli_train_with(vise_i_cli_options *options);

/* Flushes standard output; returns exit_code, or 1 with a message instead of 0 when the output was not written. command: 0
   where there is none. */
int vise_i_cli_end_output(unsigned command, int exit_code);
/* The end of a command: reports the error of status and returns failed_code, or ends the output of a success. */
int vise_i_cli_end(unsigned command, vise_status status, const vise_error *err, int failed_code);

/* "" for one, else "s". */
const char *vise_i_cli_plural(uint64_t n);
/* "loss 0.0812  accuracy 97.61 %" or "loss 0.2  RMSE 0.6  R^2 0.9". */
void vise_i_cli_print_metrics(FILE *stream, const vise_metrics *metrics);
/* Adds "loss", "accuracy", "rmse", "r2" (those that exist; a non-finite loss as null) to *object (host/json/build.h). */
void vise_i_cli_metrics_json(json_t **object, const vise_metrics *metrics);
/* "784-128-10". */
void vise_i_cli_print_widths(FILE *stream, const vise_net_config *net);
/* A real, or null when not finite; a new reference. */
json_t *vise_i_cli_json_real(double value);
/* Writes JSON with 17 digits to standard output, whole or, without memory (NULL is such a value), not at all; frees it. */
VISE_WARN_UNUSED vise_status vise_i_cli_print_json(json_t *value, vise_error *err);
/* A field of a CSV, quoted where it has to be; line breaks in it become blanks. */
void vise_i_cli_print_field(FILE *stream, const char *text);
/* "  box lower bound        3.21 %   (1 of 2)". */
void vise_i_cli_print_share(const char *label, uint64_t part, uint64_t whole, const char *of_what);

/* Prints which regularization is on, in one line: the options that differ from their defaults. */
void vise_i_cli_print_regularization(FILE *stream, const vise_train_config *training);
/* Prints a table of what the regularization did. n_parameters: entries in one gradient. */
void vise_i_cli_print_effects(const vise_train_config *training, const vise_run_result *result, size_t n_parameters);

#endif

/* results.csv: a row for each configuration, under the names of scikit-learn's cv_results_, and further columns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/sweep.h"
#include "host/cli/text_stream.h"

/* Empty where there is none; worst scores are infinite. */
static void put_number(FILE *stream, double value) {
  if (isnan(value)) return;
  (void)(isinf(value) ? fprintf(stream, "%s", value < 0 ? "-inf" : "inf") : fprintf(stream, "%.17g", value));
}

/* A number of each fit. */
typedef double number_of(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit);

static double score(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  if (fit->status == VISE_I_CLI_FIT_OPEN) return NAN;
  if (fit->status != VISE_I_CLI_FIT_NONFINITE) return fit->score;
  return s->larger_is_better ? -(double)INFINITY : (double)INFINITY;
}

static double train_score(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  (void)s;
  return fit->train_score;
}

static double seconds(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  (void)s;
  return fit->seconds;
}

static double epochs(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  (void)s;
  return (double)fit->epochs;
}

static double at_bound(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  (void)s;
  return fit->at_bound;
}

static double clipped(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit) {
  (void)s;
  return fit->clipped;
}

static double mean(const vise_i_cli_sweeping *s, size_t config, number_of *number) {
  double sum = 0;
  for (size_t split = 0; split < s->n_splits; split++) sum += number(s, vise_i_cli_fit_at(s, config, split));
  return sum / (double)s->n_splits;
}

double vise_i_cli_sweep_mean(const vise_i_cli_sweeping *s, size_t config, vise_i_cli_fit_number which) {
  static number_of *const numbers[] = {seconds, epochs, train_score, at_bound, clipped};
  return mean(s, config, numbers[which]);
}

/* With ddof 0, as scikit-learn has it. */
static double deviation(const vise_i_cli_sweeping *s, size_t config, number_of *number) {
  const double middle = mean(s, config, number);
  double squares = 0;
  for (size_t split = 0; split < s->n_splits; split++) {
    const double distance = number(s, vise_i_cli_fit_at(s, config, split)) - middle;
    squares += distance * distance;
  }
  return sqrt(squares / (double)s->n_splits);
}

static void put_header(FILE *stream, const vise_i_cli_sweeping *s) {
  (void)fputs("mean_fit_time,std_fit_time", stream);
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    (void)fputs(",param_", stream);
    for (const char *c = vise_space_axis_name(s->space, axis); *c != '\0'; c++)
      (void)fputc(*c == '-' ? '_' : *c, stream);
  }
  for (size_t split = 0; split < s->n_splits; split++) (void)fprintf(stream, ",split%zu_test_score", split);
  (void)fputs(",mean_test_score,std_test_score,rank_test_score", stream);
  for (size_t split = 0; split < s->n_splits; split++) (void)fprintf(stream, ",split%zu_train_score", split);
  (void)fputs(
      ",mean_train_score,std_train_score,config,se_test_score,n_nonfinite,mean_epochs,mean_at_bound,"
      "mean_clipped_steps\n",
      stream);
}

static size_t n_nonfinite(const vise_i_cli_sweeping *s, size_t config) {
  size_t n = 0;
  for (size_t split = 0; split < s->n_splits; split++) {
    n += vise_i_cli_fit_at(s, config, split)->status == VISE_I_CLI_FIT_NONFINITE;
  }
  return n;
}

static void put_numbers(FILE *stream, const vise_i_cli_sweeping *s, size_t config, number_of *number) {
  for (size_t split = 0; split < s->n_splits; split++) {
    (void)fputc(',', stream);
    put_number(stream, number(s, vise_i_cli_fit_at(s, config, split)));
  }
}

static void put_field(FILE *stream, double value) {
  (void)fputc(',', stream);
  put_number(stream, value);
}

static void put_row(FILE *stream, const vise_i_cli_sweeping *s, size_t config) {
  put_number(stream, mean(s, config, seconds));
  put_field(stream, deviation(s, config, seconds));
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    char text[1024];
    (void)vise_space_text(s->space, config, axis, text, sizeof text);
    (void)fputc(',', stream);
    vise_i_cli_print_field(stream, text);
  }

  put_numbers(stream, s, config, score);
  put_field(stream, s->means[config]);
  put_field(stream, deviation(s, config, score));
  (void)fprintf(stream, ",%zu", s->ranks[config]);
  put_numbers(stream, s, config, train_score);
  put_field(stream, mean(s, config, train_score));
  put_field(stream, deviation(s, config, train_score));

  (void)fprintf(stream, ",%zu", config);
  put_field(stream, s->errors[config]);
  (void)fprintf(stream, ",%zu", n_nonfinite(s, config));
  put_field(stream, mean(s, config, epochs));
  put_field(stream, mean(s, config, at_bound));
  put_field(stream, mean(s, config, clipped));
  (void)fputc('\n', stream);
}

vise_status vise_i_cli_sweep_results_write(const vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_text_stream text;
  char *made = NULL;
  size_t n = 0;
  if (s->dir == NULL) return VISE_OK;
  vise_status status = vise_i_cli_text_begin(&text, "results.csv", err);
  if (status != VISE_OK) return status;

  put_header(text.stream, s);
  for (size_t config = 0; config < s->n_configs; config++) put_row(text.stream, s, config);
  status = vise_i_cli_text_end(&text, "results.csv", &made, &n, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_file_write(s, "results.csv", made, n, err);
  free(made);
  return status;
}

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/terminal.h"
#include "host/json/build.h"
#include "host/json/text.h"

int vise_i_cli_end_output(unsigned command, int exit_code) {
  errno = 0;
  if (vise_i_cli_output_is_written() || exit_code != 0) return exit_code;
  const int number = errno; /* 0: it was met on the way, and is not known any more */
  const char *separator = number != 0 ? ": " : "", *why = number != 0 ? strerror(number) : "";
  if (command == 0) {
    (void)fprintf(stderr, "vise: the results could not be written to standard output%s%s\n", separator, why);
    return VISE_I_CLI_FAILED;
  }

  vise_error err = VISE_ERROR_INIT;
  const vise_status status =
      vise_i_cli_fail(&err, VISE_ERR_IO, "the results could not be written to standard output%s%s", separator, why);
  return vise_i_cli_report_error(command, &err, status, VISE_I_CLI_FAILED);
}

int vise_i_cli_end(unsigned command, vise_status status, const vise_error *err, int failed_code) {
  if (status != VISE_OK) return vise_i_cli_report_error(command, err, status, failed_code);
  return vise_i_cli_end_output(command, 0);
}

const char *vise_i_cli_plural(uint64_t n) {
  return n == 1 ? "" : "s";
}

void vise_i_cli_print_metrics(FILE *stream, const vise_metrics *metrics) {
  (void)fprintf(stream, "loss %.6g", isnan(metrics->loss) ? (double)NAN : metrics->loss); /* no -nan */
  if (!isnan(metrics->accuracy)) (void)fprintf(stream, "  accuracy %.2f %%", 100 * metrics->accuracy);
  if (!isnan(metrics->rmse)) (void)fprintf(stream, "  RMSE %.6g", metrics->rmse);
  if (!isnan(metrics->r2)) (void)fprintf(stream, "  R^2 %.6g", metrics->r2);
}

void vise_i_cli_print_widths(FILE *stream, const vise_net_config *net) {
  for (size_t i = 0; i <= net->n_layers; i++) (void)fprintf(stream, "%s%zu", i == 0 ? "" : "-", net->widths[i]);
}

json_t *vise_i_cli_json_real(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

void vise_i_cli_metrics_json(json_t **object, const vise_metrics *metrics) {
  vise_i_json_put(object, "rows", json_integer((json_int_t)metrics->n_rows));
  vise_i_json_put(object, "loss", vise_i_cli_json_real(metrics->loss));
  if (!isnan(metrics->accuracy)) {
    vise_i_json_put(object, "accuracy", vise_i_cli_json_real(metrics->accuracy));
  }
  if (!isnan(metrics->rmse)) vise_i_json_put(object, "rmse", vise_i_cli_json_real(metrics->rmse));
  if (!isnan(metrics->r2)) vise_i_json_put(object, "r2", vise_i_cli_json_real(metrics->r2));
}

vise_status vise_i_cli_print_json(json_t *value, vise_error *err) {
  char *text = NULL;
  const vise_status status =
      vise_i_json_text(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17), "the results as JSON", &text, NULL, err);
  json_decref(value);
  if (status == VISE_OK) {
    vise_i_cli_put_json(stdout, text);
    (void)putchar('\n');
  }
  free(text);
  return status;
}

void vise_i_cli_print_share(const char *label, uint64_t part, uint64_t whole, const char *of_what) {
  double share = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
  (void)printf("  %-34s %8.3f %%  (%" PRIu64 " of %" PRIu64 "%s%s)\n", label, share, part, whole,
               *of_what == '\0' ? "" : " ", of_what);
}

/* ---- regularization ------------------------------------------------------------------------------------------- */

/* Whether an option of these topics is at work: it differs from its default. */
static bool is_at_work(const vise_option *row, const char *text) {
  const bool topical = row->topic >= VISE_TOPIC_PENALTIES && row->topic <= VISE_TOPIC_OPERATIONS;
  const bool idle = (row->flags & (VISE_OPTION_CHECKS | VISE_OPTION_EXPLICIT)) != 0 &&
                    strcmp(text, row->word ? row->word : "no") == 0;
  return topical && row->of == VISE_OPTION_OF_TRAIN_CONFIG && row->default_value != NULL && !idle &&
         strcmp(text, row->default_value) != 0;
}

void vise_i_cli_print_regularization(FILE *stream, const vise_train_config *training) {
  const vise_option *row;
  const char *separator = "";
  (void)fprintf(stream, "%-15s ", "regularization");

  for (size_t i = 0; (row = vise_option_at(i)) != NULL; i++) {
    char text[256];
    if (row->of != VISE_OPTION_OF_TRAIN_CONFIG) continue;
    (void)vise_option_text(row, training, text, sizeof text);
    if (!is_at_work(row, text)) continue;
    (void)fprintf(stream, "%s%s%s%s", separator, row->name, row->type == VISE_OPTION_FLAG ? "" : " ",
                  row->type == VISE_OPTION_FLAG ? "" : text);
    separator = ", ";
  }
  (void)fprintf(stream, "%s\n", *separator == '\0' ? "none" : "");
}

void vise_i_cli_print_effects(const vise_train_config *training, const vise_run_result *result, size_t n_parameters) {
  (void)printf("what the regularization did\n");

  if (training->quantize != NULL) { /* the rows of a net that breaks this are no model */
    (void)printf("  %-34s %10s  (%s)\n", "sums that can overflow", "none", training->quantize);
  } else if (result->n_boxed > 0) {
    vise_i_cli_print_share("weights at the lower bound", result->n_at_lo, result->n_boxed, "boxed");
    vise_i_cli_print_share("weights at the upper bound", result->n_at_hi, result->n_boxed, "boxed");
  } else {
    (void)printf("  %-34s %10s\n", "weights at a bound", "no box");
  }

  if (result->n_bounded_rows > 0) {
    vise_i_cli_print_share("rows at the bound of their sum", result->n_rows_at_bound, result->n_bounded_rows, "");
  }
  if (result->n_bounded_norms > 0) {
    const char *of = training->max_norm_scope == VISE_MAX_NORM_UNIT ? "rows" : "layers";
    vise_i_cli_print_share("norms at their bound", result->n_norms_at_bound, result->n_bounded_norms, of);
  }
  if (result->n_signed > 0) {
    vise_i_cli_print_share("weights with a sign that are 0", result->n_signed_at_zero, result->n_signed, "");
  }

  if (training->clip_norm > 0 || training->clip_agc > 0) {
    vise_i_cli_print_share("steps whose norm was clipped", result->n_norm_clipped, result->steps, "");
  } else {
    (void)printf("  %-34s %10s\n", "steps whose norm was clipped", "off");
  }

  if (training->clip_value) {
    uint64_t n_entries = (result->steps - result->n_skipped) * (uint64_t)n_parameters;
    vise_i_cli_print_share("gradient entries value-clipped", result->n_clipped_values, n_entries, "");
  } else {
    (void)printf("  %-34s %10s\n", "gradient entries value-clipped", "off");
  }

  vise_i_cli_print_share("zero weights", result->n_zero_weights, result->n_weights, "");
  vise_i_cli_print_share("skipped steps", result->n_skipped, result->steps, "");
}

void vise_i_cli_print_field(FILE *stream, const char *text) {
  if (strpbrk(text, ",\"\r\n") == NULL) {
    (void)fputs(text, stream);
    return;
  }
  (void)fputc('"', stream);
  for (; *text != '\0'; text++) {
    if (*text == '"') (void)fputc('"', stream);
    (void)fputc(*text == '\n' || *text == '\r' ? ' ' : *text, stream);
  }
  (void)fputc('"', stream);
}

/* vise bench: times the step on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/bench_cli.h"
#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/ranks.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

/* --quick: seconds for a row, and the total beyond which cases are left out, to end within a minute. */
#define QUICK_SECONDS 0.2
#define QUICK_TOTAL_SECONDS 50

static void on_row(void *user, const vise_bench_row *row) {
  vise_i_cli_bench_row(user, row);
}

static void on_phase(void *user, const vise_bench_phase *phase) {
  vise_i_cli_bench_phase(user, phase);
}

static void on_note(void *user, const char *text) {
  vise_i_cli_bench_output *output = user;
  (void)fprintf(stderr, "note: %s\n", text);
  if (output->csv == NULL) return;
  (void)fprintf(output->csv, "# note: %s\n", text);
  (void)fflush(output->csv);
}

static vise_status make_config(const vise_i_cli_options *options, vise_bench_config *config, vise_error *err) {
  vise_bench_config_init(config);

  config->seconds = options->quick && !vise_i_cli_given(options, "seconds") ? QUICK_SECONDS : options->seconds;
  config->total_seconds =
      options->quick && !vise_i_cli_given(options, "total-seconds") ? QUICK_TOTAL_SECONDS : options->total_seconds;
  config->tolerance_factor = options->tolerance;
  config->n_threads = options->training.n_threads;
  config->device = options->training.device;
  config->batch_norm = options->net.batch_norm;
  config->dropout = options->net.dropout;
  config->input_dropout = options->net.input_dropout;
  config->residual = options->net.residual;
  if (options->training.steps_per_launch > 0) config->steps_per_launch = options->training.steps_per_launch;

  config->report = on_row;
  config->note = on_note;
  if (options->phases) config->phase = on_phase;

  const vise_status status = vise_i_cli_bench_modes(options->modes, &config->modes, err);
  return status == VISE_OK ? vise_i_cli_bench_precisions(options->precisions, &config->precisions, err) : status;
}

/* What the nets of all cases have besides. */
static void print_layers(const vise_bench_config *config) {
  if (!config->batch_norm && !config->residual && !(config->dropout > 0) && !(config->input_dropout > 0)) return;
  (void)printf("nets     %s%s", config->batch_norm ? " batch norm" : "", config->residual ? " residuals" : "");
  if (config->dropout > 0) (void)printf(" dropout %g", config->dropout);
  if (config->input_dropout > 0) (void)printf(" input dropout %g", config->input_dropout);
  (void)printf("\n");
}

static vise_status open_csv(const char *path, int argc, char **argv, const vise_i_cli_bench_heading *heading,
                            FILE **out, vise_error *err) {
  if (path == NULL) return VISE_OK;
  /* As a shell writes to it: a link is followed, a pipe that is read is written to; one that is not is no reason to wait. */
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
  FILE *stream = file >= 0 && fcntl(file, F_SETFL, 0) == 0 ? fdopen(file, "w") : NULL;
  if (stream == NULL && file >= 0) (void)close(file);
  if (stream == NULL) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: %s", path, strerror(errno));

  (void)fputs("# command: vise", stream);
  for (int i = 0; i < argc; i++) (void)fprintf(stream, " %s", argv[i]);
  (void)fputs("\n", stream);
  vise_i_cli_bench_print_heading(stream, "# ", heading);
  vise_i_cli_bench_csv_heading(stream);
  (void)fflush(stream); /* what is written so far stays, however the run ends */

  *out = stream;
  return VISE_OK;
}

static vise_status close_csv(const char *path, FILE *stream, vise_error *err) {
  if (stream == NULL) return VISE_OK;
  const bool failed = ferror(stream) != 0;
  if (fclose(stream) == 0 && !failed) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: could not be written whole", path);
}

static json_t *layers_json(const vise_bench_config *config) {
  return json_pack("{s:b, s:f, s:f, s:b}", "batch_norm", (int)config->batch_norm, "dropout", config->dropout,
                   "input_dropout", config->input_dropout, "residual", (int)config->residual);
}

static vise_status print_json(const vise_i_cli_bench_heading *heading, const vise_bench_config *config,
                              const vise_i_cli_bench_output *output, bool verified, vise_error *err) {
  json_t *object = json_object();
  vise_i_json_put(&object, "version", json_string(vise_version()));
  vise_i_json_put(&object, "build", json_string(vise_build_options()));
  vise_i_json_put(&object, "machine", vise_i_cli_bench_machine_json(heading));
  vise_i_json_put(&object, "data",
                  heading->data == NULL ? json_null() : vise_i_cli_name_json(vise_dataset_name(heading->data)));
  vise_i_json_put(&object, "nets", layers_json(config));
  vise_i_json_put(&object, "rows", json_incref(output->rows));
  vise_i_json_put(&object, "phases", json_incref(output->phases));
  vise_i_json_put(&object, "verified", json_boolean(verified));
  return vise_i_cli_print_json(object, err);
}

static void print_failures(const vise_bench_result *result) {
  const size_t n_wrong = result->n_failed - result->n_errors;
  if (n_wrong > 0) {
    (void)fprintf(stderr, "vise bench: the verification of %zu of %zu rows failed\n", n_wrong, result->n_rows);
  }
  if (result->n_errors > 0) {
    (void)fprintf(stderr, "vise bench: %zu measurements ended in an error; the notes say why\n", result->n_errors);
  }
}

/* Everything after the options are read; *code receives the exit code. */
static vise_status bench(const vise_i_cli_options *options, int argc, char **argv, vise_bench_config *config, int *code,
                         vise_error *err) {
  vise_i_cli_bench_heading heading;
  vise_bench_result result = {0, 0, 0};
  vise_i_cli_bench_output output = {.as_json = options->json, .rows = json_array(), .phases = json_array()};

  vise_status status = vise_i_cli_bench_measure(config, &heading, err);
  if (status == VISE_OK) status = open_csv(options->csv, argc, argv, &heading, &output.csv, err);

  if (status == VISE_OK) {
    config->machine = &heading.machine;
    config->user = &output;
    if (!options->json) vise_i_cli_bench_print_heading(stdout, "", &heading);
    if (!options->json) print_layers(config);
    (void)fflush(stdout);

    *code = VISE_I_CLI_FAILED; /* from here on work has begun */
    status = vise_bench_run(config, &result, err);
    if (status == VISE_OK && result.n_rows == 0 && result.n_errors == 0) {
      *code = VISE_I_CLI_NOTHING_DONE;
      status = vise_i_cli_fail(err, VISE_ERR_UNSUPPORTED, "nothing was timed: all that was asked for was left out");
    }

    if (status == VISE_OK && options->json) {
      status = print_json(&heading, config, &output, result.n_failed == 0, err);
    }
    const vise_status closed = close_csv(options->csv, output.csv, err);
    if (status == VISE_OK) status = closed;
  }

  if (status == VISE_OK) *code = result.n_failed == 0 ? 0 : VISE_I_CLI_FAILED;
  if (status == VISE_OK) print_failures(&result);

  json_decref(output.rows);
  json_decref(output.phases);
  return status;
}

/* What is not about single steps. */
static int bench_ranks(int argc, char **argv, const vise_i_cli_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_ranks *ranks = NULL;
  vise_status status = vise_i_cli_ranks_open(argc, argv, &ranks, &err);
  if (status == VISE_OK) status = vise_i_cli_bench_ranks(options, ranks, &err);

  const int code =
      vise_ranks_rank(ranks) > 0 ? 0 : vise_i_cli_end(VISE_COMMAND_BENCH, status, &err, VISE_I_CLI_NOTHING_DONE);
  return vise_i_cli_ranks_close(ranks, code);
}

int vise_i_cli_bench(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_bench_config config;
  vise_bench_case *cases = NULL;
  vise_dataset *data = NULL;
  size_t n_cases = 0;
  int code = VISE_I_CLI_NOTHING_DONE;

  vise_i_cli_options_init(&options, VISE_COMMAND_BENCH);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  const bool of_ranks = status == VISE_OK && vise_i_cli_bench_is_of_ranks(&options);
  if (of_ranks) code = bench_ranks(argc, argv, &options);
  if (of_ranks || (status == VISE_OK && vise_i_cli_ranks_refuse(VISE_COMMAND_BENCH))) {
    vise_i_cli_options_free(&options);
    return code;
  }
  if (status == VISE_OK) status = make_config(&options, &config, &err);
  if (status == VISE_OK) status = vise_i_cli_bench_cases(&options, &cases, &n_cases, &err);
  if (status == VISE_OK) status = vise_i_cli_bench_data(&options, cases, n_cases, &data, &err);

  if (status == VISE_OK && options.list) {
    if (options.json) {
      status = vise_i_cli_print_json(vise_i_cli_bench_cases_json(cases, n_cases), &err);
    } else {
      vise_i_cli_bench_print_cases(cases, n_cases);
    }
    if (status == VISE_OK) code = 0;
  } else if (status == VISE_OK) {
    config.cases = cases;
    config.n_cases = n_cases;
    config.data = data;
    status = bench(&options, argc, argv, &config, &code, &err);
  }

  code = status != VISE_OK ? vise_i_cli_report_error(VISE_COMMAND_BENCH, &err, status, code)
                           : vise_i_cli_end_output(VISE_COMMAND_BENCH, code);

  free(cases);
  vise_dataset_free(data);
  vise_i_cli_options_free(&options);
  return code;
}

/* vise predict: outputs of a saved model for every row of a file. */
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/model_data.h"
#include "host/cli/text_json.h"

static bool ends_in(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n > m && strcmp(text + n - m, end) == 0;
}

static vise_status check_out(const vise_i_cli_options *options, vise_error *err) {
  const char *out = options->out;
  if (!ends_in(out, ".npy") && !ends_in(out, ".csv")) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out: '%s' must end in .npy or .csv", out);
  }
  if (vise_i_cli_same_file(out, options->data)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out %s would replace the rows of --data: choose another file", out);
  }
  return vise_i_cli_check_folder(out, err);
}

/* "class", "mean", "output" or "output_0,output_1,..."; malloc'ed. */
static vise_status make_header(vise_output output, size_t n_columns, char **out, vise_error *err) {
  const char *name = output == VISE_OUTPUT_CLASS         ? "class"
                     : output == VISE_OUTPUT_PROBABILITY ? "probability"
                     : output == VISE_OUTPUT_MEAN        ? "mean"
                                                         : "output";

  char *text = NULL;
  size_t n_bytes = 0;
  FILE *stream = open_memstream(&text, &n_bytes);
  if (stream == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  if (n_columns == 1) (void)fputs(name, stream);
  for (size_t i = 0; n_columns > 1 && i < n_columns; i++) (void)fprintf(stream, "%s%s_%zu", i == 0 ? "" : ",", name, i);
  if (fclose(stream) != 0) {
    free(text);
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  }

  *out = text;
  return VISE_OK;
}

/* Classes are written as integers, all else as float64. */
static vise_status save(const vise_i_cli_options *options, const double *values, size_t n_rows, size_t n_columns,
                        vise_error *err) {
  char *header = NULL;
  int64_t *classes = NULL;
  vise_array array = vise_array_of(values, VISE_F64, n_rows, n_columns);

  vise_status status = make_header(options->output, n_columns, &header, err);
  if (status != VISE_OK) return status;

  if (options->output == VISE_OUTPUT_CLASS) {
    classes = calloc(n_rows * n_columns, sizeof *classes);
    if (classes == NULL) {
      status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the classes of %zu rows", n_rows);
    } else {
      for (size_t i = 0; i < n_rows * n_columns; i++) classes[i] = (int64_t)values[i];
      array = vise_array_of(classes, VISE_I64, n_rows, n_columns);
    }
  }

  if (status == VISE_OK) status = vise_array_save(options->out, &array, header, err);
  free(classes);
  free(header);
  return status;
}

static void print_done(const vise_i_cli_options *options, size_t n_rows, size_t n_columns) {
  if (!options->json) {
    (void)fprintf(stderr, "%s: %zu rows, %zu column%s (%s)\n", options->out, n_rows, n_columns,
                  n_columns == 1 ? "" : "s", vise_output_name(options->output));
    return;
  }

  json_t *object = json_object();
  (void)json_object_set_new(object, "model", vise_i_cli_text_to_json(options->model));
  (void)json_object_set_new(object, "data", vise_i_cli_text_to_json(options->data));
  (void)json_object_set_new(object, "out", vise_i_cli_text_to_json(options->out));
  (void)json_object_set_new(object, "output", json_string(vise_output_name(options->output)));
  (void)json_object_set_new(object, "rows", json_integer((json_int_t)n_rows));
  (void)json_object_set_new(object, "columns", json_integer((json_int_t)n_columns));
  vise_i_cli_print_json(object);
}

/* Returns the exit code. */
static int predict_and_save(const vise_i_cli_options *options, const vise_model *model, const vise_dataset *dataset) {
  vise_error err = VISE_ERROR_INIT;
  vise_eval_config config;
  vise_i_cli_eval_config(options, &config);

  size_t n_rows = vise_dataset_n_rows(dataset), n_columns = vise_predict_width(model, options->output);
  double *values = calloc(n_rows, n_columns * sizeof *values);
  vise_status status = values != NULL ? vise_predict(model, dataset, &config, options->output, values, &err)
                                      : vise_i_cli_fail(&err, VISE_ERR_MEMORY, "out of memory for %zu outputs", n_rows);

  int code = VISE_I_CLI_NOTHING_DONE;
  if (status == VISE_OK) {
    status = save(options, values, n_rows, n_columns, &err);
    code = VISE_I_CLI_FAILED;
  }

  free(values);
  if (status != VISE_OK) return vise_i_cli_report_error(VISE_COMMAND_PREDICT, &err, status, code);
  print_done(options, n_rows, n_columns);
  return vise_i_cli_end_output(VISE_COMMAND_PREDICT, 0);
}

int vise_i_cli_predict(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_model *model = NULL;
  vise_dataset *dataset = NULL;

  vise_i_cli_options_init(&options, VISE_COMMAND_PREDICT);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = check_out(&options, &err);
  if (status == VISE_OK) status = vise_model_load(options.model, &model, &err);
  if (status == VISE_OK) options.output = vise_predict_output(model, options.output);
  if (status == VISE_OK) status = vise_i_cli_load_features(&options, vise_model_width(model, 0), &dataset, &err);

  int code = status == VISE_OK ? predict_and_save(&options, model, dataset)
                               : vise_i_cli_report_error(VISE_COMMAND_PREDICT, &err, status, VISE_I_CLI_NOTHING_DONE);

  vise_dataset_free(dataset);
  vise_model_free(model);
  vise_i_cli_options_free(&options);
  return code;
}

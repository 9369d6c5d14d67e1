/* vise predict: outputs of a saved model for every row of a file. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/model_data.h"
#include "host/cli/scores.h"
#include "host/cli/tell.h"
#include "host/cli/terminal.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/build.h"

static bool ends_in(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n > m && strcmp(text + n - m, end) == 0;
}

/* To standard output, as CSV. */
static bool is_standard(const vise_i_cli_options *options) {
  return strcmp(options->out, "-") == 0;
}

static vise_status check_out(const vise_i_cli_options *options, vise_error *err) {
  const char *out = options->out;
  if (is_standard(options) && options->json) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--out - and --json contradict each other: both write to standard output");
  }
  if (is_standard(options)) return VISE_OK;
  if (!ends_in(out, ".npy") && !ends_in(out, ".csv")) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out: '%s' must end in .npy or .csv, or be - for standard output",
                           out);
  }
  if (vise_i_cli_same_file(out, options->data)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out %s would replace the rows of --data: choose another file", out);
  }
  return vise_i_cli_check_output(out, err);
}

/* The outputs of a prediction, a row for each row of the data. */
typedef struct prediction {
  vise_i_cli_model model;
  double *values;
  size_t n_rows, n_columns;
  vise_integer_report integer; /* with --as */
} prediction;

/* Whether the columns are the classes of a table, by name. */
static bool is_by_class(const vise_i_cli_options *options, const prediction *p) {
  return options->output == VISE_OUTPUT_PROBABILITY && p->model.preprocessor != NULL &&
         vise_preprocessor_n_classes(p->model.preprocessor) > 0;
}

/* "class", "mean", "output" or "output_0,output_1,...", or the names of classes; malloc'ed. */
static vise_status make_header(const vise_i_cli_options *options, const prediction *p, char **out, vise_error *err) {
  const vise_output output = options->output;
  const size_t n_columns = p->n_columns;
  const bool by_class = is_by_class(options, p);
  const char *name = output == VISE_OUTPUT_CLASS         ? "class"
                     : output == VISE_OUTPUT_PROBABILITY ? "probability"
                     : output == VISE_OUTPUT_MEAN        ? "mean"
                                                         : "output";

  vise_i_cli_text_stream text;
  const vise_status status = vise_i_cli_text_begin(&text, "the names of the columns", err);
  FILE *stream = text.stream;
  if (status != VISE_OK) return status;

  if (n_columns == 1) (void)fputs(name, stream);
  for (size_t i = 0; n_columns > 1 && i < n_columns; i++) {
    char number[VISE_I_CLI_CLASS_BYTES];
    if (i > 0) (void)fputc(',', stream);
    if (by_class) {
      vise_i_cli_print_field(stream, vise_i_cli_class_name(&p->model, i, number));
    } else {
      (void)fprintf(stream, "%s_%zu", name, i);
    }
  }
  return vise_i_cli_text_end(&text, "the names of the columns", out, NULL, err);
}

/* What status says became of the bytes, to standard output, all of them; frees them. */
static vise_status print_bytes(vise_status status, void *bytes, size_t n_bytes, vise_error *err) {
  FILE *stream = vise_i_cli_data_output();
  if (status == VISE_OK && (fwrite(bytes, 1, n_bytes, stream) != n_bytes || fflush(stream) != 0)) {
    status =
        vise_i_cli_fail(err, VISE_ERR_IO, "the results could not be written to standard output: %s", strerror(errno));
  }
  vise_buffer_free(bytes);
  return status;
}

static vise_status put_array(const vise_i_cli_options *options, const vise_array *array, const char *header,
                             vise_error *err) {
  void *bytes = NULL;
  size_t n_bytes = 0;
  if (!is_standard(options)) return vise_array_save(options->out, array, header, err);
  const vise_status status = vise_array_save_memory(array, header, &bytes, &n_bytes, err);
  return print_bytes(status, bytes, n_bytes, err);
}

static vise_status put_texts(const vise_i_cli_options *options, const char *const *texts, size_t n_rows,
                             vise_error *err) {
  void *bytes = NULL;
  size_t n_bytes = 0;
  if (!is_standard(options)) return vise_texts_save(options->out, texts, n_rows, "class", err);
  const vise_status status = vise_texts_save_memory(texts, n_rows, "class", &bytes, &n_bytes, err);
  return print_bytes(status, bytes, n_bytes, err);
}

/* The names of classes, where the model has them; a row without a class is empty. */
static vise_status save_names(const vise_i_cli_options *options, const prediction *p, vise_error *err) {
  const char **names = calloc(p->n_rows, sizeof *names);
  if (names == NULL)
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the classes of %zu rows", p->n_rows);
  for (size_t i = 0; i < p->n_rows; i++) {
    const double k = p->values[i];
    names[i] = isnan(k) ? "" : vise_preprocessor_class_name(p->model.preprocessor, (size_t)k);
  }
  const vise_status status = put_texts(options, names, p->n_rows, err);
  free(names);
  return status;
}

/* Classes as integers; -1 for a row without one. */
static vise_status save_codes(const vise_i_cli_options *options, const prediction *p, vise_error *err) {
  int64_t *codes = calloc(p->n_rows, sizeof *codes);
  if (codes == NULL)
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the classes of %zu rows", p->n_rows);
  for (size_t i = 0; i < p->n_rows; i++) codes[i] = isnan(p->values[i]) ? -1 : (int64_t)p->values[i];

  const vise_array array = vise_array_of(codes, VISE_I64, p->n_rows, 1);
  const vise_status status = put_array(options, &array, "class", err);
  free(codes);
  return status;
}

static vise_status save_numbers(const vise_i_cli_options *options, const prediction *p, vise_error *err) {
  char *header = NULL;
  const vise_array array = vise_array_of(p->values, VISE_F64, p->n_rows, p->n_columns);
  vise_status status = make_header(options, p, &header, err);
  if (status == VISE_OK) status = put_array(options, &array, header, err);
  free(header);
  return status;
}

static vise_status save(const vise_i_cli_options *options, const prediction *p, vise_error *err) {
  if (options->output != VISE_OUTPUT_CLASS) return save_numbers(options, p, err);
  const bool named = p->model.preprocessor != NULL && vise_preprocessor_n_classes(p->model.preprocessor) > 0;
  return named && !ends_in(options->out, ".npy") ? save_names(options, p, err) : save_codes(options, p, err);
}

static vise_status print_done(const vise_i_cli_options *options, const prediction *p, vise_error *err) {
  if (!options->json) {
    (void)fprintf(stderr, "%s: %zu row%s, %zu column%s (%s)\n", is_standard(options) ? "standard output" : options->out,
                  p->n_rows, vise_i_cli_plural(p->n_rows), p->n_columns, vise_i_cli_plural(p->n_columns),
                  vise_output_name(options->output));
    if (options->as != NULL) vise_i_cli_print_integer(stderr, options, &p->integer);
    return VISE_OK;
  }

  json_t *object = json_object();
  vise_i_json_put(&object, "model", vise_i_cli_text_to_json(options->model));
  vise_i_json_put(&object, "data", vise_i_cli_text_to_json(options->data));
  vise_i_json_put(&object, "out", vise_i_cli_text_to_json(options->out));
  vise_i_json_put(&object, "output", json_string(vise_output_name(options->output)));
  vise_i_json_put(&object, "rows", json_integer((json_int_t)p->n_rows));
  vise_i_json_put(&object, "columns", json_integer((json_int_t)p->n_columns));
  if (options->as != NULL) vise_i_json_put(&object, "integer", vise_i_cli_integer_json(options, &p->integer));
  return vise_i_cli_print_json(object, err);
}

/* One output for two classes is the probability of the second. */
static void split_probability(prediction *p) {
  for (size_t i = p->n_rows; i-- > 0;) {
    const double second = p->values[i];
    p->values[2 * i] = 1 - second;
    p->values[2 * i + 1] = second;
  }
  p->n_columns = 2;
}

/* Outputs that are no numbers: inputs beyond what the net can hold. */
static void warn_of_nonfinite(const vise_i_cli_options *options, const prediction *p) {
  size_t n_bad = 0, first = 0;
  for (size_t r = 0; r < p->n_rows; r++) {
    bool is_bad = false;
    for (size_t k = 0; k < p->n_columns; k++) is_bad = is_bad || !isfinite(p->values[r * p->n_columns + k]);
    if (is_bad && n_bad++ == 0) first = r;
  }
  if (n_bad == 0) return;
  vise_i_cli_tell(VISE_I_CLI_WARNING,
                  "%s: %zu row%s with outputs that are not finite, the first of them row %zu (from 0)", options->data,
                  n_bad, vise_i_cli_plural(n_bad), first);
}

static vise_status predict(const vise_i_cli_options *options, prediction *p, vise_error *err) {
  vise_dataset *dataset = NULL, *ranges = NULL;
  vise_eval_config config;
  vise_status status = vise_i_cli_eval_config(options, &p->model, &config, &ranges, err);
  config.integer = &p->integer;
  if (status == VISE_OK) status = vise_i_cli_load_features(options, &p->model, &dataset, err);
  if (status != VISE_OK) {
    vise_dataset_free(ranges);
    return status;
  }

  p->n_rows = vise_dataset_n_rows(dataset);
  p->n_columns = vise_predict_width(p->model.model, options->output);
  const bool splits = is_by_class(options, p) && p->n_columns == 1;
  p->values = calloc(p->n_rows, (splits ? 2 : p->n_columns) * sizeof *p->values);
  status = p->values != NULL ? vise_predict(p->model.model, dataset, &config, options->output, p->values, err)
                             : vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu outputs", p->n_rows);
  if (status == VISE_OK && splits) split_probability(p);
  if (status == VISE_OK) warn_of_nonfinite(options, p);
  vise_dataset_free(dataset);
  vise_dataset_free(ranges);
  return status;
}

int vise_i_cli_predict(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  prediction p = {0};
  int code = VISE_I_CLI_NOTHING_DONE;

  vise_i_cli_options_init(&options, VISE_COMMAND_PREDICT);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = check_out(&options, &err);
  if (status == VISE_OK) status = vise_i_cli_model_open(&options, &p.model, &err);
  if (status == VISE_OK) options.output = vise_predict_output(p.model.model, options.output);
  if (status == VISE_OK) status = predict(&options, &p, &err);
  if (status == VISE_OK) {
    code = VISE_I_CLI_FAILED;
    status = save(&options, &p, &err);
  }

  if (status == VISE_OK) status = print_done(&options, &p, &err);
  code = vise_i_cli_end(VISE_COMMAND_PREDICT, status, &err, code);
  free(p.values);
  vise_i_cli_model_close(&p.model);
  vise_i_cli_options_free(&options);
  return code;
}

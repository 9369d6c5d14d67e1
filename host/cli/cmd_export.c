/* vise export: a saved model as files for other places. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/input_ranges.h"
#include "host/cli/model_data.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

/* c in floats is h. */
static vise_export_format format_of(const vise_i_cli_options *options) {
  return options->weights == VISE_I_CLI_WEIGHTS_FLOAT32 && options->format == VISE_EXPORT_INTEGER_C
             ? VISE_EXPORT_FLOAT_C
             : options->format;
}

static vise_status export_model(const vise_i_cli_options *options, const vise_i_cli_model *model, vise_error *err) {
  vise_i_cli_ranges ranges;
  vise_export_config config;
  char integers[32];
  const bool is_wide = options->weights == VISE_I_CLI_WEIGHTS_INT16;
  (void)snprintf(integers, sizeof integers, "%s,acc%" PRIu64, is_wide ? "int16" : "int8", options->acc_bits);

  vise_status status = vise_i_cli_ranges_read(options, model, &ranges, err);
  vise_export_config_init(&config);
  config.format = format_of(options);
  config.name = options->name;
  config.low = ranges.low;
  config.high = ranges.high;
  config.n_vectors = options->n_vectors;
  config.integers = options->integers;
  if (options->acc_bits > 0) config.integers = integers;
  config.data = ranges.rows;
  if (status == VISE_OK) status = vise_export(model->model, &config, options->out, err);
  vise_i_cli_ranges_clear(&ranges);
  return status;
}

static vise_status print_json(const vise_i_cli_options *options, vise_error *err) {
  json_t *object = json_object();
  vise_i_json_put(&object, "model", vise_i_cli_text_to_json(options->model));
  vise_i_json_put(&object, "format", json_string(vise_export_format_name(format_of(options))));
  vise_i_json_put(&object, "name", json_string(options->name));
  vise_i_json_put(&object, "out", vise_i_cli_text_to_json(options->out));
  return vise_i_cli_print_json(object, err);
}

static void print_text(const vise_i_cli_options *options) {
  const char *dir = options->out, *name = options->name;
  switch (format_of(options)) {
    case VISE_EXPORT_ONNX:
      (void)printf("%s/%s.onnx\n", dir, name);
      break;
    case VISE_EXPORT_INTEGER_C:
      (void)printf("%s/%s.h and %s.c, with the net\n%s/%s_test.c, which checks it: cc -std=c99 %s.c %s_test.c\n", dir,
                   name, name, dir, name, name, name);
      break;
    default:
      (void)printf("%s/%s.h, with the net\n%s/%s_test.c, which checks it: cc -std=c99 %s_test.c -lm\n", dir, name, dir,
                   name, name);
      break;
  }
}

int vise_i_cli_export(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_i_cli_model model = {0};

  vise_i_cli_options_init(&options, VISE_COMMAND_EXPORT);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = vise_i_cli_model_open(&options, &model, &err);
  if (status == VISE_OK) status = export_model(&options, &model, &err);
  if (status == VISE_OK && options.json) {
    status = print_json(&options, &err);
  } else if (status == VISE_OK) {
    print_text(&options);
  }

  const int code = vise_i_cli_end(VISE_COMMAND_EXPORT, status, &err, VISE_I_CLI_NOTHING_DONE);
  vise_i_cli_model_close(&model);
  vise_i_cli_options_free(&options);
  return code;
}

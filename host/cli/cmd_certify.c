/* vise certify: proven bounds of a saved model. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/input_ranges.h"
#include "host/cli/message.h"
#include "host/cli/model_data.h"

/* Most outputs, and monotone inputs of one, that are printed; the JSON has all. */
enum { MOST_SHOWN = 12 };

static void name_output(const vise_i_cli_model *model, size_t i, char *out, size_t n_bytes) {
  const vise_preprocessor *p = model->preprocessor;
  const char *name = NULL;
  if (p != NULL &&
      vise_preprocessor_n_classes(p) == vise_model_width(model->model, vise_model_n_layers(model->model))) {
    name = vise_preprocessor_class_name(p, i);
  } else if (p != NULL && vise_preprocessor_n_classes(p) == 0) {
    name = vise_preprocessor_target_name(p, i);
  }
  if (name != NULL) {
    (void)snprintf(out, n_bytes, "%s", name);
  } else {
    (void)snprintf(out, n_bytes, "output %zu", i);
  }
}

static void print_inputs_of(const vise_certificate *c, size_t output, const char *what,
                            bool (*is)(const vise_certificate *, size_t, size_t)) {
  size_t n = 0;
  for (size_t i = 0; i < vise_certificate_n_inputs(c); i++) {
    if (!is(c, output, i)) continue;
    if (n++ >= MOST_SHOWN) continue;
    (void)printf("%s%s", n == 1 ? what : "", n == 1 ? " " : ", ");
    const char *name = vise_certificate_input_name(c, i);
    if (name != NULL) {
      (void)printf("%s", name);
    } else {
      (void)printf("input %zu", i);
    }
  }
  if (n > MOST_SHOWN) (void)printf(" and %zu more", n - MOST_SHOWN);
}

static vise_status print_outputs(const vise_i_cli_model *model, const vise_certificate *c, vise_error *err) {
  const size_t n = vise_certificate_n_outputs(c);
  for (size_t i = 0; i < n && i < MOST_SHOWN; i++) {
    char name[80];
    double low = 0, high = 0, error = 0;
    const vise_status status = vise_certificate_output(c, i, &low, &high, &error, err);
    if (status != VISE_OK) return status;

    name_output(model, i, name, sizeof name);
    (void)printf("  %-24.24s %.7g to %.7g  (float32 within %.3g)", name, low, high, error);
    print_inputs_of(c, i, "; never falls with", vise_certificate_increases);
    print_inputs_of(c, i, "; never rises with", vise_certificate_decreases);
    (void)printf("\n");
  }
  if (n > MOST_SHOWN) (void)printf("  and %zu more: --json has them all\n", n - MOST_SHOWN);
  return VISE_OK;
}

static vise_status print_sums(const vise_i_cli_model *model, const vise_certificate *c, vise_error *err) {
  bool is_trained = false;
  const char *format = vise_certificate_integers(c, &is_trained), *fault = vise_certificate_integers_fault(c);
  if (format == NULL) return VISE_OK;
  if (fault != NULL) {
    char text[1024];
    vise_i_cli_translate(fault, VISE_I_CLI_AS_OPTION, text, sizeof text);
    (void)printf("integers        %s no more, so that nothing is proven of its sums: %s\n", format, text);
    return VISE_OK;
  }
  (void)printf("integers        %s, %s\n", format, is_trained ? "as it was trained" : "rounded after training");

  for (size_t l = 0; l < vise_model_n_layers(model->model); l++) {
    int64_t low = 0, high = 0;
    double fullest = 0;
    const vise_status status = vise_certificate_sums(c, l, &low, &high, &fullest, err);
    if (status != VISE_OK) return status;
    (void)printf("  layer %-9zu every part of every sum in %" PRId64 " to %" PRId64 ", %.1f %% of what fits\n", l, low,
                 high, 100 * fullest);
  }
  return VISE_OK;
}

static vise_status print_text(const vise_i_cli_options *options, const vise_i_cli_model *model,
                              const vise_certificate *c, vise_error *err) {
  (void)printf("inputs          %zu, ranges %s%s\n", vise_certificate_n_inputs(c), options->data != NULL ? "of " : "",
               options->data != NULL     ? options->data
               : options->inputs != NULL ? "as given"
                                         : "of the model's scaling");

  for (size_t l = 0; l < vise_model_n_layers(model->model); l++) {
    double low = 0, high = 0;
    const vise_status status = vise_certificate_layer(c, l, &low, &high, err);
    if (status != VISE_OK) return status;
    (void)printf("layer %-9zu pre-activations %.7g to %.7g\n", l, low, high);
  }

  (void)printf("outputs\n");
  vise_status status = print_outputs(model, c, err);
  if (status == VISE_OK) status = print_sums(model, c, err);
  if (status != VISE_OK) return status;
  (void)printf("Lipschitz       %.7g for the largest change of an input, %.7g in the Euclidean norm\n",
               vise_certificate_lipschitz_inf(c), vise_certificate_lipschitz_2(c));
  if (!options->keep_model) (void)printf("certificate     in the metadata of %s\n", options->model);
  if (options->out != NULL) (void)printf("certificate     %s\n", options->out);
  return VISE_OK;
}

static vise_status check_out(const vise_i_cli_options *options, vise_error *err) {
  const vise_status status = vise_i_cli_check_spares_model(options->out, options->model, err);
  return status == VISE_OK && options->out != NULL ? vise_i_cli_check_output(options->out, err) : status;
}

static vise_status certify(const vise_i_cli_options *options, const vise_i_cli_model *model, vise_certificate **out,
                           vise_error *err) {
  vise_i_cli_ranges ranges;
  vise_certify_config config;
  vise_status status = vise_i_cli_ranges_read(options, model, &ranges, err);
  vise_certify_config_init(&config);
  config.low = ranges.low;
  config.high = ranges.high;
  config.origin = ranges.origin;
  config.integers = options->integers;
  config.data = ranges.rows;
  if (status == VISE_OK) status = vise_certify(model->model, &config, out, err);
  vise_i_cli_ranges_clear(&ranges);
  return status;
}

/* To the file of --out, and into the model's. */
static vise_status save(const vise_i_cli_options *options, const vise_certificate *c, const char *json,
                        vise_error *err) {
  vise_status status = VISE_OK;
  if (options->out != NULL) status = vise_file_save(options->out, json, strlen(json), err);
  return status == VISE_OK && !options->keep_model ? vise_certificate_attach(c, options->model, err) : status;
}

int vise_i_cli_certify(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_i_cli_model model = {0};
  vise_certificate *certificate = NULL;
  char *json = NULL;
  int code = VISE_I_CLI_NOTHING_DONE;

  vise_i_cli_options_init(&options, VISE_COMMAND_CERTIFY);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = check_out(&options, &err);
  if (status == VISE_OK) status = vise_i_cli_model_open(&options, &model, &err);
  if (status == VISE_OK) status = certify(&options, &model, &certificate, &err);
  if (status == VISE_OK) status = vise_certificate_to_json(certificate, &json, &err);
  if (status == VISE_OK) {
    code = VISE_I_CLI_FAILED;
    status = save(&options, certificate, json, &err);
  }

  if (status == VISE_OK && options.json) {
    (void)printf("%s\n", json);
  } else if (status == VISE_OK) {
    status = print_text(&options, &model, certificate, &err);
  }

  code = vise_i_cli_end(VISE_COMMAND_CERTIFY, status, &err, code);
  free(json);
  vise_certificate_free(certificate);
  vise_i_cli_model_close(&model);
  vise_i_cli_options_free(&options);
  return code;
}

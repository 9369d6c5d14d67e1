/* vise eval: loss and accuracy of a saved model. */
#include "host/cli/cli.h"
#include "host/cli/model_data.h"
#include "host/cli/text_json.h"

static void print_text(const vise_model *model, const vise_metrics *metrics) {
  (void)printf("rows %zu  ", metrics->n_rows);
  vise_i_cli_print_metrics(stdout, metrics);
  (void)printf("  (%s)\n", vise_loss_name(vise_model_loss(model)));
}

static void print_json(const vise_i_cli_options *options, const vise_model *model, const vise_metrics *metrics) {
  json_t *object = json_object();
  (void)json_object_set_new(object, "model", vise_i_cli_text_to_json(options->model));
  (void)json_object_set_new(object, "data", vise_i_cli_text_to_json(options->data));
  (void)json_object_set_new(object, "loss_name", json_string(vise_loss_name(vise_model_loss(model))));
  vise_i_cli_metrics_json(object, metrics);
  vise_i_cli_print_json(object);
}

int vise_i_cli_eval(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_model *model = NULL;
  vise_dataset *dataset = NULL;
  vise_metrics metrics;
  vise_eval_config config;

  vise_i_cli_options_init(&options, VISE_COMMAND_EVAL);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = vise_model_load(options.model, &model, &err);
  if (status == VISE_OK) status = vise_i_cli_load_labelled(&options, &dataset, &err);

  if (status == VISE_OK) {
    vise_i_cli_eval_config(&options, &config);
    status = vise_evaluate(model, dataset, &config, &metrics, &err);
  }

  if (status == VISE_OK && options.json) {
    print_json(&options, model, &metrics);
  } else if (status == VISE_OK) {
    print_text(model, &metrics);
  }

  const int code = vise_i_cli_end(VISE_COMMAND_EVAL, status, &err, VISE_I_CLI_NOTHING_DONE);
  vise_dataset_free(dataset);
  vise_model_free(model);
  vise_i_cli_options_free(&options);
  return code;
}

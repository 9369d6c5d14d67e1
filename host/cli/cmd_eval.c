/* vise eval: loss, accuracy and what else can be said of a saved model. */
#include <math.h>

#include "host/cli/cli.h"
#include "host/cli/model_data.h"
#include "host/cli/scores.h"
#include "host/cli/tell.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

/* What is told. */
typedef struct report {
  vise_i_cli_model model;
  vise_metrics metrics;
  vise_i_cli_scores scores;
  vise_integer_report integer; /* with --as */
} report;

static void print_text(const vise_i_cli_options *options, const report *r) {
  if (options->as != NULL) vise_i_cli_print_integer(stdout, options, &r->integer);
  (void)printf("rows %zu  ", r->metrics.n_rows);
  vise_i_cli_print_metrics(stdout, &r->metrics);
  (void)printf("  (%s)\n", vise_loss_name(vise_model_loss(r->model.model)));
  vise_i_cli_scores_print(&r->scores, &r->model);
}

static vise_status print_json(const vise_i_cli_options *options, const report *r, vise_error *err) {
  json_t *object = json_object();
  vise_i_json_put(&object, "model", vise_i_cli_text_to_json(options->model));
  vise_i_json_put(&object, "data", vise_i_cli_text_to_json(options->data));
  vise_i_json_put(&object, "loss_name", json_string(vise_loss_name(vise_model_loss(r->model.model))));
  if (options->as != NULL) vise_i_json_put(&object, "integer", vise_i_cli_integer_json(options, &r->integer));
  vise_i_cli_metrics_json(&object, &r->metrics);
  vise_i_cli_scores_json(&r->scores, &r->model, &object);
  return vise_i_cli_print_json(object, err);
}

static vise_status evaluate(const vise_i_cli_options *options, report *r, vise_error *err) {
  vise_dataset *dataset = NULL, *ranges = NULL;
  vise_eval_config config;

  vise_status status = vise_i_cli_model_open(options, &r->model, err);
  if (status == VISE_OK) status = vise_i_cli_eval_config(options, &r->model, &config, &ranges, err);
  config.integer = &r->integer;
  if (status == VISE_OK) status = vise_i_cli_load_labelled(options, &r->model, &dataset, err);
  if (status == VISE_OK) status = vise_evaluate(r->model.model, dataset, &config, &r->metrics, err);
  config.integer = NULL;
  if (status == VISE_OK && !isfinite(r->metrics.loss)) {
    vise_i_cli_tell(VISE_I_CLI_WARNING, "%s: the loss is not finite: rows have outputs beyond what the net can hold",
                    options->data);
  }
  if (status == VISE_OK) status = vise_i_cli_scores_make(&r->model, dataset, &config, &r->scores, err);
  vise_dataset_free(dataset);
  vise_dataset_free(ranges);
  return status;
}

int vise_i_cli_eval(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  report r = {0};

  vise_i_cli_options_init(&options, VISE_COMMAND_EVAL);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = evaluate(&options, &r, &err);

  if (status == VISE_OK && options.json) {
    status = print_json(&options, &r, &err);
  } else if (status == VISE_OK) {
    print_text(&options, &r);
  }

  const int code = vise_i_cli_end(VISE_COMMAND_EVAL, status, &err, VISE_I_CLI_NOTHING_DONE);
  vise_i_cli_scores_free(&r.scores);
  vise_i_cli_model_close(&r.model);
  vise_i_cli_options_free(&options);
  return code;
}

#include "host/cli/model_data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/missing.h"
#include "host/cli/setup.h"
#include "host/cli/table_data.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

static vise_status make_source(const vise_i_cli_options *options, vise_table_options *reading,
                               vise_dataset_source *source, vise_error *err) {
  vise_dataset_source_init(source);
  source->table = reading;
  source->features_path = options->data;
  source->labels_path = options->labels;
  source->target = options->target;
  return vise_i_cli_table_options(options, reading, err);
}

/* ---- models of tables ----------------------------------------------------------------------------------------- */

/* Whether item, of a --target, is target i of the model. */
static bool is_target(const vise_preprocessor *p, size_t i, const char *item, size_t n) {
  char *end = NULL;
  const char *name = vise_preprocessor_target_name(p, i);
  if (name == NULL || (strlen(name) == n && strncmp(name, item, n) == 0)) return true;
  (void)strtol(item, &end, 10);
  return end == item + n; /* a place may be another one in this file */
}

/* The target is the model's; another one is a mistake. */
static vise_status check_target(const vise_i_cli_options *options, const vise_preprocessor *p, vise_error *err) {
  const char *rest = options->target, *name = vise_preprocessor_target_name(p, 0);
  if (rest == NULL || (name != NULL && strcmp(rest, name) == 0)) return VISE_OK; /* a name may hold a comma */

  for (size_t i = 0; *rest != '\0'; i++) {
    const size_t n = strcspn(rest, ",");
    if (i >= vise_preprocessor_n_targets(p) || !is_target(p, i, rest, n)) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--target %s: the target of %s is \"%s\"; leave --target away",
                             options->target, options->model, name != NULL ? name : "the last column");
    }
    rest += n + (rest[n] == ',');
  }
  return VISE_OK;
}

static vise_status load_columns(const vise_i_cli_options *options, const vise_preprocessor *p,
                                const vise_i_cli_use *use, vise_dataset **out, vise_error *err) {
  const vise_status status = check_target(options, p, err);
  return status == VISE_OK ? vise_i_cli_load_through(options, p, options->data, use, out, err) : status;
}

/* ---- models of arrays ----------------------------------------------------------------------------------------- */

static vise_status load_array_features(const vise_i_cli_options *options, size_t n_features, vise_dataset **out,
                                       vise_error *err) {
  vise_dataset_source source;
  vise_dataset *dataset = NULL;
  vise_table_options reading;

  vise_status status = make_source(options, &reading, &source, err);
  source.target_optional = true;
  bool guess = options->labels == NULL && options->target == NULL;
  if (guess) source.target = "";
  if (status == VISE_OK) status = vise_dataset_load(&source, &dataset, err);
  if (status != VISE_OK) return status;

  size_t n_columns = vise_dataset_n_features(dataset);
  if (guess && n_columns == n_features + 1) {
    vise_error ignored = VISE_ERROR_INIT;
    vise_dataset *without_target = NULL;
    source.target = NULL;
    /* Only a CSV can be read this way; for other kinds the message below is the right one. */
    if (vise_dataset_load(&source, &without_target, &ignored) == VISE_OK) {
      vise_dataset_free(dataset);
      dataset = without_target;
      n_columns = vise_dataset_n_features(dataset);
    }
  }

  if (n_columns != n_features) {
    status = vise_i_cli_fail(err, VISE_ERR_SHAPE,
                             "%s: %zu feature columns, but %s expects %zu (one target column more is "
                             "left out of a CSV; name others by --target)",
                             options->data, n_columns, options->model, n_features);
    vise_dataset_free(dataset);
    return status;
  }

  *out = dataset;
  return VISE_OK;
}

/* ---- either --------------------------------------------------------------------------------------------------- */

/* The activation and the loss of another program's model, which its file does not say, are asked for where they matter;
   those of Vise's own may not be contradicted. */
static vise_status complete_model(const vise_i_cli_options *options, vise_model *model, vise_error *err) {
  const vise_activation activation = options->net.activation;
  const vise_loss loss = options->training.loss;
  const bool is_raw = options->command == VISE_COMMAND_CERTIFY || options->command == VISE_COMMAND_EXPORT ||
                      (options->command == VISE_COMMAND_PREDICT &&
                       (options->output == VISE_OUTPUT_RAW || options->output == VISE_OUTPUT_AUTO));

  if (!vise_model_knows_activation(model)) {
    if (!vise_i_cli_given(options, "activation")) return vise_i_cli_fail_activation(options->model, err);
    const vise_status status = vise_model_set_activation(model, activation, err);
    if (status != VISE_OK) return status;
  } else if (vise_i_cli_given(options, "activation") && vise_model_activation(model) != activation &&
             vise_model_n_layers(model) > 1) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--activation %s: the hidden layers of %s have %s; leave it away",
                           vise_activation_name(activation), options->model,
                           vise_activation_name(vise_model_activation(model)));
  }

  if (vise_model_knows_loss(model)) {
    if (!vise_i_cli_given(options, "loss") || vise_model_loss(model) == loss) return VISE_OK;
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--loss %s: %s was trained with %s; leave it away",
                           vise_loss_name(loss), options->model, vise_loss_name(vise_model_loss(model)));
  }
  if (vise_i_cli_given(options, "loss")) {
    vise_model_set_loss(model, loss, options->training.mse_reduction, 0);
  } else if (!is_raw) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "%s: the file does not say for which loss the model was trained; give --loss (cross-entropy "
                           "for classes, bce for yes or no, mse for numbers, ...)",
                           options->model);
  }
  return VISE_OK;
}

vise_status vise_i_cli_model_open(const vise_i_cli_options *options, vise_i_cli_model *out, vise_error *err) {
  *out = (vise_i_cli_model){0};
  vise_status status = vise_model_load(options->model, &out->model, err);
  if (status == VISE_OK) status = complete_model(options, out->model, err);
  return status == VISE_OK ? vise_i_cli_preprocessor_of(out->model, options->model, &out->preprocessor, err) : status;
}

void vise_i_cli_model_close(vise_i_cli_model *model) {
  vise_model_free(model->model);
  vise_preprocessor_free(model->preprocessor);
  *model = (vise_i_cli_model){0};
}

vise_status vise_i_cli_load_labelled(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                     vise_dataset **out, vise_error *err) {
  vise_dataset_source source;
  vise_table_options reading;
  const vise_i_cli_use use = {.targets = true, .labels = options->labels};
  if (model->preprocessor != NULL) return load_columns(options, model->preprocessor, &use, out, err);
  vise_status status = make_source(options, &reading, &source, err);
  if (status == VISE_OK) status = vise_dataset_load(&source, out, err);
  return status == VISE_OK ? vise_i_cli_check_targets(*out, "labels", err) : status;
}

vise_status vise_i_cli_load_features(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                     vise_dataset **out, vise_error *err) {
  const vise_i_cli_use use = {.every_row = true};
  if (model->preprocessor != NULL) return load_columns(options, model->preprocessor, &use, out, err);
  return load_array_features(options, vise_model_width(model->model, 0), out, err);
}

vise_status vise_i_cli_eval_config(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                   vise_eval_config *out, vise_dataset **ranges, vise_error *err) {
  vise_i_cli_options of_ranges = *options;
  of_ranges.data = options->ranges;
  of_ranges.labels = NULL;

  vise_eval_config_init(out);
  out->backend = options->training.backend;
  out->precision = options->training.precision;
  out->batch = options->training.batch;
  out->n_threads = options->training.n_threads;
  out->as = options->as;
  *ranges = NULL;
  if (options->ranges == NULL) return VISE_OK;
  if (options->as == NULL) return vise_i_cli_fail_needs("ranges", "as", err);

  const vise_status status = vise_i_cli_load_features(&of_ranges, model, ranges, err);
  out->ranges = *ranges;
  return status;
}

vise_eval_config vise_i_cli_eval_of_training(const vise_train_config *training) {
  vise_eval_config config;
  vise_eval_config_init(&config);
  config.backend = training->backend;
  config.precision = training->precision;
  config.n_threads = training->n_threads;
  config.device = training->device;
  config.as = training->quantize;

  if (training->quantize != NULL && training->backend == VISE_BACKEND_CUDA) {
    config.backend = VISE_BACKEND_CPU;
    config.device = 0;
  }
  return config;
}

void vise_i_cli_print_integer(FILE *stream, const vise_i_cli_options *options, const vise_integer_report *net) {
  (void)fprintf(stream, "as %s  ", options->as);
  if (net->is_trained) {
    (void)fprintf(stream, "as it was trained  ");
  } else {
    (void)fprintf(stream, "rounded after training, ranges of %s  ",
                  options->ranges != NULL ? options->ranges : "these rows");
  }

  if (net->is_proven) {
    (void)fprintf(stream, "no sum can overflow\n");
  } else {
    (void)fprintf(stream, "%" PRIu64 " of %" PRIu64 " sums overflowed\n", net->n_overflows, net->n_sums);
  }
}

json_t *vise_i_cli_integer_json(const vise_i_cli_options *options, const vise_integer_report *net) {
  json_t *object = json_object();
  vise_i_json_put(&object, "format", json_string(options->as));
  vise_i_json_put(&object, "trained", json_boolean(net->is_trained));
  if (!net->is_trained) {
    const char *ranges = options->ranges != NULL ? options->ranges : options->data;
    vise_i_json_put(&object, "ranges_of", vise_i_cli_text_to_json(ranges));
  }

  vise_i_json_put(&object, "proven", json_boolean(net->is_proven));
  if (!net->is_proven) {
    vise_i_json_put(&object, "sums", json_integer((json_int_t)net->n_sums));
    vise_i_json_put(&object, "overflows", json_integer((json_int_t)net->n_overflows));
  }
  return object;
}

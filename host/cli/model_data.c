#include "host/cli/model_data.h"

#include "host/cli/message.h"

static void make_source(const vise_i_cli_options *options, vise_dataset_source *source) {
  vise_dataset_source_init(source);
  source->features_path = options->data;
  source->labels_path = options->labels;
  source->target = options->target;
}

vise_status vise_i_cli_load_labelled(const vise_i_cli_options *options, vise_dataset **out, vise_error *err) {
  vise_dataset_source source;
  make_source(options, &source);
  return vise_dataset_load(&source, out, err);
}

vise_status vise_i_cli_load_features(const vise_i_cli_options *options, size_t n_features, vise_dataset **out,
                                     vise_error *err) {
  vise_dataset_source source;
  vise_dataset *dataset = NULL;

  make_source(options, &source);
  source.target_optional = true;
  bool guess = options->labels == NULL && options->target == NULL;
  if (guess) source.target = "";
  vise_status status = vise_dataset_load(&source, &dataset, err);
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

void vise_i_cli_eval_config(const vise_i_cli_options *options, vise_eval_config *out) {
  vise_eval_config_init(out);
  out->backend = options->training.backend;
  out->precision = options->training.precision;
  out->batch = options->training.batch;
  out->n_threads = options->training.n_threads;
}

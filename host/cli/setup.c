#include "host/cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"

/* ---- data ----------------------------------------------------------------------------------------------------- */

static vise_status load(const char *path, const char *labels, const vise_i_cli_options *options, bool row_weights,
                        vise_dataset **out, vise_error *err) {
  vise_dataset_source source;
  vise_dataset_source_init(&source);
  source.features_path = path;
  source.labels_path = labels;
  source.target = labels == NULL ? options->target : NULL;
  source.row_weights_path = row_weights ? options->row_weights : NULL;
  return vise_dataset_load(&source, out, err);
}

/* Loads all data; the sizes of the net are those of the rows before any are held out. */
static vise_status load_all(vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  vise_dataset *loaded = NULL;
  vise_status status = load(options->train, options->train_labels, options, true, &loaded, err);
  if (status != VISE_OK) return status;

  setup->n_classes = vise_dataset_n_classes(loaded);
  status = vise_net_config_fill(&options->net, loaded, options->training.loss, err);
  if (status == VISE_OK && options->val_fraction > 0) {
    status = vise_dataset_split(loaded, options->val_fraction, options->training.shuffle, options->training.seed,
                                &setup->train, &setup->validation, err);
  } else if (status == VISE_OK) {
    setup->train = vise_dataset_retain(loaded);
  }
  vise_dataset_free(loaded);

  if (status == VISE_OK && options->val != NULL) {
    status = load(options->val, options->val_labels, options, false, &setup->validation, err);
  }
  if (status == VISE_OK && options->test != NULL) {
    status = load(options->test, options->test_labels, options, false, &setup->test, err);
  }
  return status;
}

/* Vigna's splitmix64, as a number in [-1, 1): check's made-up rows need only variety. */
static double next_number(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-52 - 1.0;
}

/* Makes random rows for the sizes in options->widths. */
static vise_status make_up(const vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  enum { N_ROWS = 96 };
  size_t n_features = options->net.widths[0], n_outputs = options->net.widths[options->net.n_layers];
  vise_targets kind = vise_loss_targets(options->training.loss);
  bool labels = kind == VISE_TARGETS_LABELS || (kind == VISE_TARGETS_SIGNS && n_outputs > 1);
  size_t n_targets = labels ? 1 : n_outputs;

  double *features = calloc(n_features, N_ROWS * sizeof *features);
  double *targets = calloc(n_targets, N_ROWS * sizeof *targets);
  vise_status status = VISE_OK;

  if (features == NULL || targets == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %d made-up rows", (int)N_ROWS);
  } else {
    uint64_t state = options->training.seed;
    for (size_t i = 0; i < N_ROWS * n_features; i++) features[i] = next_number(&state);
    for (size_t i = 0; i < N_ROWS * n_targets; i++) {
      double number = next_number(&state);
      bool binary = kind == VISE_TARGETS_BITS || kind == VISE_TARGETS_SIGNS;
      if (kind == VISE_TARGETS_COUNTS && number < 0) number = -number;
      targets[i] = labels ? (double)(i % n_outputs) : binary ? (double)(number > 0) : number;
    }

    vise_array x = vise_array_of(features, VISE_F64, N_ROWS, n_features);
    vise_array y = vise_array_of(targets, VISE_F64, N_ROWS, n_targets);
    status = vise_dataset_from_arrays(&x, &y, NULL, true, &setup->train, err);
    setup->n_classes = labels ? n_outputs : 0;
    setup->made_up = true;
  }

  free(features);
  free(targets);
  return status;
}

/* ---- model ---------------------------------------------------------------------------------------------------- */

static vise_status copy_tensors(const vise_model *from, vise_model *to, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < vise_model_n_tensors(from) && status == VISE_OK; i++) {
    size_t n_rows = 0, n_cols = 0;
    status = vise_model_tensor_shape(from, i, &n_rows, &n_cols, err);
    if (status != VISE_OK) break;

    double *values = calloc(n_rows * n_cols, sizeof *values);
    if (values == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the initial weights");
    status = vise_model_get_tensor(from, i, values, n_rows * n_cols, err);
    if (status == VISE_OK) status = vise_model_set_tensor(to, i, values, n_rows * n_cols, err);
    free(values);
  }

  return status;
}

/* Takes sizes, biases and activation from the file where they were not typed; other typed sizes or biases fail. */
static vise_status adopt_net(vise_i_cli_options *options, const vise_model *initial, vise_error *err) {
  vise_net_config *net = &options->net;
  const size_t n_layers = vise_model_n_layers(initial);
  if (net->n_layers != 0 && net->n_layers != n_layers) {
    return vise_i_cli_fail(err, VISE_ERR_SHAPE, "--layers has %zu layers but %s has %zu", net->n_layers, options->init,
                           n_layers);
  }

  for (size_t i = 0; i <= n_layers; i++) {
    size_t width = vise_model_width(initial, i);
    if (net->n_layers != 0 && net->widths[i] != 0 && net->widths[i] != width) {
      return vise_i_cli_fail(err, VISE_ERR_SHAPE, "--layers: size %zu is %zu but %s has %zu there", i, net->widths[i],
                             options->init, width);
    }
  }

  for (size_t i = 0; i <= n_layers; i++) net->widths[i] = vise_model_width(initial, i);
  net->n_layers = n_layers;

  bool has_bias = vise_model_has_bias(initial);
  if (vise_i_cli_given(options, "no-bias") && net->bias != has_bias) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --init contradict each other: %s has %s biases",
                           net->bias ? "bias" : "no-bias", options->init, has_bias ? "" : "no");
  }

  net->bias = has_bias;
  if (!vise_i_cli_given(options, "activation")) net->activation = vise_model_activation(initial);
  return VISE_OK;
}

static vise_status make_model(const vise_i_cli_options *options, const vise_model *initial, vise_i_cli_setup *setup,
                              vise_error *err) {
  vise_dtype dtype = options->training.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  vise_status status = vise_model_create(&options->net, dtype, &setup->model, err);
  if (status != VISE_OK) return status;

  status = initial != NULL ? copy_tensors(initial, setup->model, err)
                           : vise_model_initialize(setup->model, options->init_scheme, options->training.seed, err);

  /* A checkpoint has its own mask, which pruning may have changed since. */
  if (status == VISE_OK && options->mask != NULL && options->resume == NULL) {
    status = vise_model_load_mask(setup->model, options->mask, err);
  }
  return status;
}

static vise_status make(vise_i_cli_options *options, vise_i_cli_setup *setup, const vise_model *initial,
                        vise_error *err) {
  vise_status status = VISE_OK;
  if (initial != NULL) {
    status = adopt_net(options, initial, err);
  } else if (options->net.n_layers == 0) {
    status = vise_net_config_set(&options->net, "layers", options->train == NULL ? "13-17-5" : "auto-auto", err);
  }
  if (status != VISE_OK) return status;

  if (options->train != NULL) {
    status = load_all(options, setup, err);
  } else if (options->net.widths[0] == 0 || options->net.widths[options->net.n_layers] == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--layers has auto sizes, which need --train");
  } else {
    status = make_up(options, setup, err);
  }

  return status == VISE_OK ? make_model(options, initial, setup, err) : status;
}

vise_status vise_i_cli_setup_make(vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  vise_model *initial = NULL;
  memset(setup, 0, sizeof *setup);
  /* --resume restores all weights, so it needs no initial ones; their file may be gone. */
  if (options->init != NULL && options->resume == NULL) {
    vise_status status = vise_model_load(options->init, &initial, err);
    if (status != VISE_OK) return status;
  }
  vise_status status = make(options, setup, initial, err);
  vise_model_free(initial);
  return status;
}

void vise_i_cli_setup_free(vise_i_cli_setup *setup) {
  vise_model_free(setup->model);
  vise_dataset_free(setup->test);
  vise_dataset_free(setup->validation);
  vise_dataset_free(setup->train);
  memset(setup, 0, sizeof *setup);
}

#include "host/cli/setup.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/adopt.h"
#include "host/cli/cli.h"
#include "host/cli/fold.h"
#include "host/cli/message.h"
#include "host/cli/missing.h"
#include "host/cli/monotone.h"
#include "host/cli/scores.h"
#include "host/cli/shard.h"
#include "host/cli/table_data.h"

/* ---- data ----------------------------------------------------------------------------------------------------- */

static vise_status load(const char *path, const char *labels, const vise_i_cli_options *options,
                        const char *labels_option, vise_dataset **out, vise_error *err) {
  const bool row_weights = strcmp(labels_option, "train-labels") == 0;
  vise_dataset_source source;
  vise_table_options reading;
  vise_dataset_source_init(&source);
  source.features_path = path;
  source.labels_path = labels;
  source.target = labels == NULL ? options->target : NULL;
  source.row_weights_path = row_weights ? options->row_weights : NULL;
  source.table = &reading;

  vise_status status = vise_i_cli_table_options(options, &reading, err);
  if (status == VISE_OK) status = vise_dataset_load(&source, out, err);
  return status == VISE_OK ? vise_i_cli_check_targets(*out, labels_option, err) : status;
}

/* Moves floor(fraction * n_all) of the training rows to *out. */
static vise_status hold_out(const vise_i_cli_options *options, double fraction, size_t n_all, vise_i_cli_setup *setup,
                            vise_dataset **out, vise_error *err) {
  vise_dataset *all = setup->train;
  const size_t n_rows = vise_dataset_n_rows(all);
  const double share = n_rows == n_all ? fraction : (floor(fraction * (double)n_all) + 0.5) / (double)n_rows;
  if (!(share < 1)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--val-fraction and --test-fraction leave no rows to train on");
  }

  setup->train = NULL;
  const vise_status status =
      vise_dataset_split(all, share, options->training.shuffle, options->training.seed, &setup->train, out, err);
  vise_dataset_free(all);
  return status;
}

/* Moves the rows of one fold to the validation data. */
static vise_status hold_out_fold(const vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  vise_dataset *all = setup->train;
  const size_t n_rows = vise_dataset_n_rows(all);
  const vise_fold_options dealing = vise_i_cli_fold_options_of_labels(options, NULL, 0);
  vise_split split = {0};
  size_t *folds = calloc(n_rows, sizeof *folds);
  if (folds == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the folds of %zu rows", n_rows);

  vise_status status = vise_dataset_folds(all, &dealing, folds, n_rows, err);
  if (status == VISE_OK) status = vise_i_cli_fold_split(options, folds, NULL, n_rows, &split, err);
  setup->n_later = n_rows - split.n_kept - split.n_held_out;
  setup->train = NULL;
  if (status == VISE_OK) status = vise_dataset_select(all, split.kept, split.n_kept, &setup->train, err);
  if (status == VISE_OK) {
    status = vise_dataset_select(all, split.held_out, split.n_held_out, &setup->validation, err);
  }

  vise_dataset_free(all);
  vise_split_clear(&split);
  free(folds);
  return status;
}

static vise_status load_arrays(vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  vise_status status = VISE_OK;
  if (setup->input != NULL) {
    setup->train = vise_dataset_retain(setup->input->array);
  } else {
    status = load(options->train, options->train_labels, options, "train-labels", &setup->train, err);
  }
  if (status != VISE_OK) return status;

  const size_t n_all = vise_dataset_n_rows(setup->train);
  setup->n_classes = vise_dataset_n_classes(setup->train);
  /* The sizes are those of the rows before any are held out. */
  status = vise_net_config_fill(&options->net, setup->train, options->training.loss, err);
  if (status == VISE_OK && options->val_fraction > 0)
    status = hold_out(options, options->val_fraction, n_all, setup, &setup->validation, err);
  if (status == VISE_OK && options->test_fraction > 0) {
    status = hold_out(options, options->test_fraction, n_all, setup, &setup->test, err);
  }
  if (status == VISE_OK && options->fold != NULL) status = hold_out_fold(options, setup, err);
  if (status == VISE_OK && options->val != NULL) {
    status = load(options->val, options->val_labels, options, "val-labels", &setup->validation, err);
  }
  if (status == VISE_OK && options->test != NULL) {
    status = load(options->test, options->test_labels, options, "test-labels", &setup->test, err);
  }
  if (status == VISE_OK && vise_i_cli_shares_rows(options))
    status = vise_i_cli_shard_array(options, &setup->train, err);
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

/* ---- sizes ---------------------------------------------------------------------------------------------------- */

/* What a table says of the net; the sizes are those of arrays by the time they are read. */
static vise_status settle_net(vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_error *err) {
  vise_net_config *net = &options->net;
  const vise_loss loss = options->training.loss;
  return setup->preprocessor != NULL ? vise_net_config_settle(net, setup->preprocessor, setup->train, loss, err)
                                     : vise_net_config_fill(net, setup->train, loss, err);
}

/* Classes of the model of --init stay classes. */
static vise_status check_classes(const vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_error *err) {
  if (setup->preprocessor == NULL || vise_preprocessor_n_classes(setup->preprocessor) == 0) return VISE_OK;
  if (!setup->keeps_scaling || !vise_i_cli_is_regression(options->training.loss)) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "--loss %s and --init contradict each other: the target of %s is %zu classes, not numbers",
                         vise_loss_name(options->training.loss), options->init, setup->n_classes);
}

static vise_status load_table(vise_i_cli_options *options, vise_i_cli_setup *setup, const vise_model *initial,
                              vise_error *err) {
  const vise_status status = vise_i_cli_training_table(options, setup, initial, err);
  if (status != VISE_OK) return status;
  return settle_net(options, setup, err);
}

static vise_status load_all(vise_i_cli_options *options, vise_i_cli_setup *setup, const vise_model *initial,
                            vise_error *err) {
  bool is_table = setup->input != NULL && setup->input->table != NULL;
  const vise_status status = setup->input == NULL ? vise_i_cli_is_table(options->train, &is_table, err) : VISE_OK;
  if (status != VISE_OK) return status;
  if (is_table) return load_table(options, setup, initial, err);
  options->recipe = VISE_I_CLI_RECIPE_NONE;
  if (options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_YES) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--cross-validate yes is for tables, and %s is an array",
                           options->train);
  }
  if (options->group != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--group is a column of a table, and %s is an array", options->train);
  }
  if (options->shard_by != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--shard-by is a column of a table, and %s is an array",
                           options->train);
  }
  options->cross_validate = VISE_I_CLI_CROSS_VALIDATE_NO;
  return load_arrays(options, setup, err);
}

/* ---- model ---------------------------------------------------------------------------------------------------- */

/* The scaling that the weights were trained with, where the data are arrays; --scale and --scale-target replace it. */
static vise_status copy_scaling(const vise_i_cli_options *options, const vise_model *from, vise_i_cli_setup *setup,
                                vise_error *err) {
  const size_t n_inputs = vise_model_width(from, 0), n_outputs = vise_model_width(from, vise_model_n_layers(from));
  double *numbers = calloc(n_inputs + n_outputs, 2 * sizeof *numbers);
  if (numbers == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the scaling");
  double *shift = numbers, *scale = numbers + n_inputs + n_outputs;
  vise_status status = VISE_OK;

  vise_scale kind = vise_model_feature_scaling(from, shift, scale);
  if (setup->preprocessor == NULL && !vise_i_cli_given(options, "scale")) {
    setup->keeps_scaling = kind != VISE_SCALE_NONE;
    status = vise_model_set_feature_scaling(setup->model, kind, shift, scale, err);
  }

  kind = vise_model_target_scaling(from, shift + n_inputs, scale + n_inputs);
  if (status == VISE_OK && kind != VISE_SCALE_NONE && !vise_i_cli_given(options, "scale-target")) {
    setup->keeps_target_scaling = true;
    status = vise_model_set_target_scaling(setup->model, kind, shift + n_inputs, scale + n_inputs, err);
  }
  free(numbers);
  return status;
}

static vise_status copy_initial(const vise_i_cli_options *options, const vise_model *initial, vise_dtype dtype,
                                vise_i_cli_setup *setup, vise_error *err) {
  const vise_status status = vise_i_cli_adopt_model(options, initial, dtype, &setup->model, err);
  return status == VISE_OK ? copy_scaling(options, initial, setup, err) : status;
}

static vise_status create_model(const vise_i_cli_options *options, vise_dtype dtype, vise_i_cli_setup *setup,
                                vise_error *err) {
  const vise_status status = vise_model_create(&options->net, dtype, &setup->model, err);
  if (status != VISE_OK) return status;
  return vise_model_initialize(setup->model, options->init_scheme, options->training.seed, err);
}

/* The model keeps how its inputs are made. */
static vise_status keep_preprocessor(const vise_i_cli_setup *setup, vise_error *err) {
  char *json = NULL;
  if (setup->preprocessor == NULL) return VISE_OK;
  vise_status status = vise_preprocessor_to_json(setup->preprocessor, &json, err);
  if (status == VISE_OK) status = vise_model_set_preprocessing(setup->model, json, err);
  free(json);
  return status;
}

static vise_status make_model(const vise_i_cli_options *options, const vise_model *initial, vise_i_cli_setup *setup,
                              vise_error *err) {
  vise_dtype dtype = options->training.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  vise_status status =
      initial != NULL ? copy_initial(options, initial, dtype, setup, err) : create_model(options, dtype, setup, err);
  if (status == VISE_OK) status = keep_preprocessor(setup, err);
  /* A checkpoint has its own mask and signs; pruning may have changed the mask since. */
  if (status == VISE_OK && options->mask != NULL && !setup->has_checkpoint) {
    status = vise_model_load_mask(setup->model, options->mask, err);
  }
  if (status == VISE_OK && options->sign != NULL && !setup->has_checkpoint) {
    status = vise_model_load_signs(setup->model, options->sign, err);
  }
  if (status == VISE_OK && options->monotone != NULL) {
    status = vise_i_cli_make_monotone(options, setup->preprocessor, setup->model, err);
  }
  return status;
}

static vise_status make(vise_i_cli_options *options, vise_i_cli_setup *setup, const vise_model *initial,
                        vise_error *err) {
  vise_status status = VISE_OK;
  if (initial != NULL) {
    status = vise_i_cli_adopt_net(options, initial, err);
  } else if (options->net.n_layers == 0 && options->train == NULL) {
    status = vise_net_config_set(&options->net, "layers", "13-17-5", err);
  }
  if (status != VISE_OK) return status;

  if (options->train != NULL) {
    status = load_all(options, setup, initial, err);
  } else if (options->net.widths[0] == 0 || options->net.widths[options->net.n_layers] == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--layers has auto sizes, which need --train");
  } else {
    status = make_up(options, setup, err);
  }

  if (status == VISE_OK) status = check_classes(options, setup, err);
  const bool is_data_alone = setup->input != NULL;
  return status == VISE_OK && !is_data_alone ? make_model(options, initial, setup, err) : status;
}

/* The model of --init, or NULL. A run that goes on restores all weights, so of this file it only wants how inputs are
   made; it may be gone where that needs no file. */
static vise_status load_initial(const vise_i_cli_options *options, bool has_checkpoint, vise_model **out,
                                vise_error *err) {
  if (options->init == NULL) return VISE_OK;
  if (has_checkpoint && access(options->init, F_OK) != 0 && errno == ENOENT) return VISE_OK;
  return vise_model_load(options->init, out, err);
}

/* Whether the run of --resume has a checkpoint; without one it starts again, and needs all that it began with. */
static vise_status find_checkpoint(const vise_i_cli_options *options, bool *out, vise_error *err) {
  char *path = NULL;
  *out = false;
  if (options->resume == NULL) return VISE_OK;
  if (asprintf(&path, "%s/checkpoints", options->resume) < 0) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for a path");
  }

  vise_status status = VISE_OK;
  DIR *dir = opendir(path);
  if (dir == NULL && errno != ENOENT && errno != ENOTDIR) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
  }
  errno = 0;
  for (const struct dirent *entry; dir != NULL && !*out && (entry = readdir(dir)) != NULL;) {
    *out = strncmp(entry->d_name, "step-", 5) == 0;
  }
  if (dir != NULL && !*out && errno != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
  }

  if (dir != NULL) (void)closedir(dir);
  free(path);
  return status;
}

static vise_status make_of(vise_i_cli_options *options, const vise_i_cli_input *input, vise_i_cli_setup *setup,
                           vise_error *err) {
  vise_model *initial = NULL;
  memset(setup, 0, sizeof *setup);
  setup->input = input;
  vise_status status = find_checkpoint(options, &setup->has_checkpoint, err);
  if (status == VISE_OK) status = load_initial(options, setup->has_checkpoint, &initial, err);
  if (status == VISE_OK) status = make(options, setup, initial, err);
  vise_model_free(initial);
  return status;
}

vise_status vise_i_cli_setup_make(vise_i_cli_options *options, vise_i_cli_setup *setup, vise_error *err) {
  return make_of(options, NULL, setup, err);
}

/* ---- several setups of the same rows --------------------------------------------------------------------------- */

static vise_status read_table(const vise_i_cli_options *options, vise_table **out, vise_error *err) {
  vise_model *initial = NULL;
  vise_preprocessor *like = NULL;
  vise_status status = load_initial(options, false, &initial, err);
  if (status == VISE_OK && initial != NULL && !vise_i_cli_given(options, "scale")) {
    status = vise_i_cli_preprocessor_of(initial, options->init, &like, err);
  }
  if (status == VISE_OK) status = vise_i_cli_table_read(options, options->train, like, true, out, err);
  vise_preprocessor_free(like);
  vise_model_free(initial);
  return status;
}

vise_status vise_i_cli_input_read(const vise_i_cli_options *options, vise_i_cli_input *out, vise_error *err) {
  bool is_table = false;
  *out = (vise_i_cli_input){NULL, NULL};
  const vise_status status = vise_i_cli_is_table(options->train, &is_table, err);
  if (status != VISE_OK) return status;
  return is_table ? read_table(options, &out->table, err)
                  : load(options->train, options->train_labels, options, "train-labels", &out->array, err);
}

void vise_i_cli_input_free(vise_i_cli_input *input) {
  vise_table_free(input->table);
  vise_dataset_free(input->array);
  *input = (vise_i_cli_input){NULL, NULL};
}

vise_status vise_i_cli_setup_make_data(vise_i_cli_options *options, const vise_i_cli_input *input,
                                       vise_i_cli_setup *setup, vise_error *err) {
  return make_of(options, input, setup, err);
}

/* Whether a model is more than what its scheme draws. */
static bool needs_model(const vise_i_cli_options *options, const vise_model *initial) {
  return initial != NULL || options->mask != NULL || options->sign != NULL || options->monotone != NULL;
}

vise_status vise_i_cli_setup_follow(vise_i_cli_options *options, const vise_i_cli_setup *data, vise_i_cli_setup *out,
                                    vise_error *err) {
  vise_model *initial = NULL;
  vise_status status = load_initial(options, false, &initial, err);
  *out = *data;
  out->model = NULL;

  if (status == VISE_OK && initial != NULL) status = vise_i_cli_adopt_net(options, initial, err);
  if (status == VISE_OK && data->preprocessor != NULL) status = vise_i_cli_training_table_follow(options, data, err);
  if (status == VISE_OK) status = settle_net(options, out, err);
  if (status == VISE_OK) status = check_classes(options, out, err);
  if (status == VISE_OK && needs_model(options, initial)) status = make_model(options, initial, out, err);
  if (status == VISE_OK || out->model == NULL) goto done;

  vise_model_free(out->model);
  out->model = NULL;
done:
  vise_model_free(initial);
  return status;
}

vise_train_config vise_i_cli_trainer_config(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  vise_train_config config = options->training;
  if (setup->preprocessor != NULL) config.scale = VISE_SCALE_NONE;
  if (setup->keeps_target_scaling) config.scale_target = false;
  return config;
}

void vise_i_cli_setup_free(vise_i_cli_setup *setup) {
  vise_model_free(setup->model);
  vise_dataset_free(setup->test);
  vise_dataset_free(setup->validation);
  vise_dataset_free(setup->train);
  vise_preprocessor_free(setup->preprocessor);
  vise_table_free(setup->table);
  free(setup->rows);
  for (size_t i = 0; i < setup->n_notes; i++) free(setup->notes[i]);
  free(setup->notes);
  memset(setup, 0, sizeof *setup);
}

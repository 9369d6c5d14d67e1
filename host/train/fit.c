/* A fit in one call: options as text, a net of the data's sizes, a run. */
#include "vise/fit.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/struct.h"
#include "host/train/metrics.h"
#include "vise/options.h"

#define BLANKS " \t\r\n"

/* What the options define. */
typedef struct fit {
  vise_net_config net;
  vise_train_config train;
  vise_run_config run;
  vise_init_scheme init_scheme;
} fit;

static void init(fit *f) {
  vise_net_config_init(&f->net);
  vise_train_config_init(&f->train);
  vise_run_config_init(&f->run);
  f->init_scheme = VISE_INIT_LINEAR;
}

static void clear(fit *f) {
  vise_train_config_clear(&f->train);
  vise_run_config_clear(&f->run);
}

static vise_status set(fit *f, const char *name, const char *value, vise_error *err) {
  if (strcmp(name, "init-scheme") == 0 || strcmp(name, "init_scheme") == 0) {
    return vise_init_scheme_parse(value, &f->init_scheme, err);
  }

  const vise_option *option = vise_option_find(name, NULL);
  if (option == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "there is no option '%s'", name);
  switch (option->of) {
    case VISE_OPTION_OF_TRAIN_CONFIG:
      return vise_train_config_set(&f->train, name, value, err);
    case VISE_OPTION_OF_NET_CONFIG:
      return vise_net_config_set(&f->net, name, value, err);
    case VISE_OPTION_OF_RUN_CONFIG:
      return vise_run_config_set(&f->run, name, value, err);
    default:
      return vise_i_fail(err, VISE_ERR_USAGE, "'%s' is an option of the command line alone", name);
  }
}

static vise_status set_all(fit *f, const char *options, vise_error *err) {
  vise_status status = VISE_OK;
  char *text = NULL, *rest = NULL;

  VISE_TRY(vise_i_copy_text(&text, options, err));
  for (char *word = strtok_r(text, BLANKS, &rest); word != NULL; word = strtok_r(NULL, BLANKS, &rest)) {
    char *value = strchr(word, '=');
    if (value != NULL) *value++ = '\0';
    VISE_TRY(set(f, word, value != NULL ? value : "yes", err));
  }

done:
  free(text);
  return status;
}

static vise_status output_width(const vise_dataset *dataset, vise_loss loss, size_t *out, vise_error *err) {
  if (vise_dataset_n_targets(dataset) == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: has features and no targets; give targets too (labels_path of vise_dataset_source, or "
                       "an array)",
                       vise_dataset_name(dataset));
  }
  if (vise_loss_targets(loss) != VISE_TARGETS_LABELS) {
    *out = vise_dataset_n_targets(dataset);
    return VISE_OK;
  }

  const size_t n_classes = vise_dataset_n_classes(dataset);
  if (n_classes == 0) {
    return vise_i_fail(
        err, VISE_ERR_VALUE,
        "%s: `loss` %s needs one target column of class labels 0, 1, 2, ..., or one-hot rows; for numbers choose mse, "
        "and see `target`",
        vise_dataset_name(dataset), vise_loss_name(loss));
  }
  if (n_classes > VISE_MAX_WIDTH) {
    return vise_i_fail(err, VISE_ERR_VALUE,
                       "%s: the largest class label is %zu, the largest possible %d; number the classes 0, 1, 2, ...",
                       vise_dataset_name(dataset), n_classes - 1, VISE_MAX_WIDTH - 1);
  }
  *out = n_classes;
  return VISE_OK;
}

vise_status vise_net_config_fill(vise_net_config *net, const vise_dataset *dataset, vise_loss loss, vise_error *err) {
  VISE_ENTER(err, net, dataset);
  const size_t n_features = vise_dataset_n_features(dataset), last = net->n_layers == 0 ? 1 : net->n_layers;
  size_t n_outputs = net->widths[last];

  if (last > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "`layers`: %zu, expected at most %d", last, VISE_MAX_LAYERS);
  }
  if (net->n_layers > 0 && net->widths[0] != 0 && net->widths[0] != n_features) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "`layers`: the net has %zu inputs but %s has %zu features; write %zu or auto first",
                       net->widths[0], vise_dataset_name(dataset), n_features, n_features);
  }
  if (net->n_layers == 0 || n_outputs == 0) {
    const vise_status status = output_width(dataset, loss, &n_outputs, err);
    if (status != VISE_OK) return status;
  }

  net->n_layers = last;
  net->widths[0] = n_features;
  net->widths[last] = n_outputs;
  return VISE_OK;
}

static vise_fit_config fit_defaults(void) {
  return (vise_fit_config){.struct_size = sizeof(vise_fit_config), .init_scheme = VISE_INIT_LINEAR};
}

VISE_I_DEFINE_INIT(vise_fit_config, validation, fit_defaults)

static vise_status make_model(const vise_fit_config *config, const vise_train_config *training, vise_model **out,
                              vise_error *err) {
  vise_status status;
  vise_net_config net;
  const vise_dtype dtype = training->backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  vise_net_config_init(&net);
  if (config->net != NULL) VISE_TRY(vise_i_config_take(&net, sizeof net, config->net, "vise_net_config", err));
  VISE_TRY(vise_net_config_fill(&net, config->train, training->loss, err));
  VISE_TRY(vise_model_create(&net, dtype, out, err));
  VISE_TRY(vise_model_initialize(*out, config->init_scheme, training->seed, err));
done:
  return status;
}

vise_status vise_fit_with_sized(size_t result_bytes, const vise_fit_config *config, vise_model **out,
                                vise_run_result *result, vise_error *err) {
  vise_status status;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_fit_config own = fit_defaults();
  vise_train_config training;
  VISE_ENTER(err, config, out);
  VISE_TRY(vise_i_config_take(&own, sizeof own, config, "vise_fit_config", err));
  if (own.train == NULL) VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "vise_fit_config: `train` is NULL"));

  vise_train_config_init(&training);
  if (own.training != NULL)
    VISE_TRY(vise_i_config_take(&training, sizeof training, own.training, "vise_train_config", err));
  VISE_TRY(make_model(&own, &training, &model, err));
  VISE_TRY(vise_trainer_create(&training, model, own.train, own.validation, NULL, &trainer, err));
  VISE_TRY(vise_trainer_run_sized(result_bytes, trainer, own.run, result, err));
  *out = model;
  model = NULL;

done:
  vise_trainer_free(trainer);
  vise_model_free(model);
  return status;
}

vise_status(vise_fit_with)(const vise_fit_config *config, vise_model **out, vise_run_result *result, vise_error *err) {
  return vise_fit_with_sized(sizeof(vise_run_result), config, out, result, err);
}

vise_status vise_fit(const vise_dataset *train, const vise_dataset *validation, const char *options, vise_model **out,
                     vise_error *err) {
  vise_status status = VISE_OK;
  fit f;

  VISE_ENTER(err, train, out);
  init(&f);
  if (options != NULL) VISE_TRY(set_all(&f, options, err));
  const vise_fit_config config = {sizeof config, &f.train, &f.net, f.init_scheme, &f.run, train, validation};
  VISE_TRY(vise_fit_with(&config, out, NULL, err));

done:
  clear(&f);
  return status;
}

vise_status vise_score(const vise_model *model, const vise_dataset *dataset, double *out, vise_error *err) {
  vise_metrics metrics;
  VISE_ENTER(err, model, dataset, out);
  const vise_status status = vise_evaluate(model, dataset, NULL, &metrics, err);
  if (status == VISE_OK) *out = vise_i_metrics_score(&metrics);
  return status;
}

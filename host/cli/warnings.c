#include "host/cli/warnings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/scores.h"
#include "host/cli/tell.h"

/* Rows below which a class is hard to learn. */
enum { FEW_ROWS = 5, NAMED_MAX = 8 };

/* Adam's steps are about as long as the rate: beyond this few nets learn. */
#define HIGH_LR 0.05

/* Ranges of two features that differ by more make one of them count for nothing at first. */
#define FAR_APART 100.0

/* Rows looked at for the ranges, and at most for counting. */
enum { LOOKED_AT = 10000, COUNTED = 1000000 };

void vise_i_cli_warnings_keep(vise_i_cli_warnings *list, const char *text) {
  char **texts = realloc(list->texts, (list->n + 1) * sizeof *texts);
  if (texts == NULL) return;
  list->texts = texts;
  texts[list->n] = strdup(text);
  if (texts[list->n] != NULL) list->n++;
}

void vise_i_cli_warn(vise_i_cli_warnings *list, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);

  vise_i_cli_tell(VISE_I_CLI_WARNING, "%s", text);
  vise_i_cli_warnings_keep(list, text);
}

void vise_i_cli_warnings_free(vise_i_cli_warnings *list) {
  for (size_t i = 0; i < list->n; i++) free(list->texts[i]);
  free(list->texts);
  *list = (vise_i_cli_warnings){0};
}

/* ---- classes -------------------------------------------------------------------------------------------------- */

/* Training rows of each class of arrays, [n_classes]; NULL: they cannot be counted. */
static size_t *count_labels(const vise_i_cli_setup *setup) {
  const size_t n_rows = vise_dataset_n_rows(setup->train);
  if (setup->n_classes == 0 || n_rows > COUNTED || vise_dataset_n_targets(setup->train) != 1) return NULL;

  size_t *counts = calloc(setup->n_classes, sizeof *counts);
  for (size_t i = 0; counts != NULL && i < n_rows; i++) {
    double label;
    if (vise_dataset_get_targets(setup->train, i, &label, NULL) != VISE_OK || label < 0) continue;
    if ((size_t)label < setup->n_classes) counts[(size_t)label]++;
  }
  return counts;
}

static void warn_of_classes(vise_i_cli_warnings *list, const vise_i_cli_options *options,
                            const vise_i_cli_setup *setup) {
  if (vise_i_cli_is_regression(options->training.loss)) return;

  const vise_preprocessor *p = setup->preprocessor;
  const bool of_table = p != NULL && vise_preprocessor_n_classes(p) > 0 && !setup->keeps_scaling;
  const size_t n = of_table ? vise_preprocessor_n_classes(p) : setup->n_classes;
  size_t *counts = of_table ? NULL : count_labels(setup), n_few = 0, used = 0;
  char names[512] = "";
  if (!of_table && counts == NULL) return;

  for (size_t k = 0; k < n; k++) {
    char number[VISE_I_CLI_CLASS_BYTES];
    const vise_i_cli_model model = {.preprocessor = setup->preprocessor};
    const size_t n_rows = of_table ? vise_preprocessor_class_count(p, k) : counts[k];
    if (n_rows >= FEW_ROWS || n_few++ >= NAMED_MAX) continue;
    used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%.40s\" (%zu)", used > 0 ? ", " : "",
                             vise_i_cli_class_name(&model, k, number), n_rows);
  }

  if (n_few > 0) {
    vise_i_cli_warn(list, "%zu class%s of fewer than %d training rows, hard to learn and to judge: %s%s", n_few,
                    n_few == 1 ? "" : "es", FEW_ROWS, names, n_few > NAMED_MAX ? ", ..." : "");
  }
  free(counts);
}

/* ---- scales --------------------------------------------------------------------------------------------------- */

/* Largest less smallest value of each feature, [n_features], of rows here and there; NULL: not to be had. */
static double *find_ranges(const vise_dataset *data) {
  const size_t n = vise_dataset_n_features(data), n_rows = vise_dataset_n_rows(data);
  const size_t stride = (n_rows + LOOKED_AT - 1) / LOOKED_AT;
  double *values = calloc(n, 3 * sizeof *values);
  if (values == NULL) return NULL;
  double *lo = values, *hi = values + n, *x = values + 2 * n;

  for (size_t i = 0; i < n_rows; i += stride) {
    if (vise_dataset_get_features(data, i, x, NULL) != VISE_OK) continue;
    for (size_t k = 0; k < n; k++) {
      lo[k] = i == 0 || x[k] < lo[k] ? x[k] : lo[k];
      hi[k] = i == 0 || x[k] > hi[k] ? x[k] : hi[k];
    }
  }

  for (size_t k = 0; k < n; k++) values[k] = hi[k] - lo[k];
  return values;
}

static const char *feature_name(const vise_i_cli_setup *setup, size_t k, char *buffer, size_t n_bytes) {
  if (setup->preprocessor != NULL) return vise_preprocessor_input_name(setup->preprocessor, k, buffer, n_bytes);
  (void)snprintf(buffer, n_bytes, "%zu", k);
  return buffer;
}

static void warn_of_scales(vise_i_cli_warnings *list, const vise_i_cli_setup *setup) {
  const size_t n = vise_dataset_n_features(setup->train);
  double *ranges = find_ranges(setup->train);
  size_t least = n, most = n;

  for (size_t k = 0; ranges != NULL && k < n; k++) {
    if (!(ranges[k] > 0) || isinf(ranges[k])) continue;
    if (least == n || ranges[k] < ranges[least]) least = k;
    if (most == n || ranges[k] > ranges[most]) most = k;
  }

  if (least < n && ranges[most] > FAR_APART * ranges[least]) {
    char small[96], large[96];
    vise_i_cli_warn(list,
                    "the features have very different scales: the values of \"%s\" span %.3g, those of \"%s\" %.3g; "
                    "--scale standard makes them comparable",
                    feature_name(setup, least, small, sizeof small), ranges[least],
                    feature_name(setup, most, large, sizeof large), ranges[most]);
  }
  free(ranges);
}

/* ---- layers --------------------------------------------------------------------------------------------------- */

/* What was asked of hidden layers and none of them can have. */
static void warn_of_layers(vise_i_cli_warnings *list, const vise_net_config *net) {
  const bool has_hidden = net->n_layers > 1;
  bool adds = false;
  for (size_t l = 0; l + 1 < net->n_layers; l++) adds = adds || net->widths[l] == net->widths[l + 1];

  const struct {
    const char *name;
    bool is_idle;
  } options[] = {{"batch-norm", net->batch_norm && !has_hidden},
                 {"dropout", net->dropout > 0 && !has_hidden},
                 {"residual", net->residual && !adds}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (!options[i].is_idle) continue;
    vise_i_cli_warn(list, "--%s does nothing: no hidden layer%s", options[i].name,
                    has_hidden ? " has as many outputs as inputs" : "");
  }
}

/* Outputs beyond the classes that the data have. */
static void warn_of_outputs(vise_i_cli_warnings *list, const vise_i_cli_options *options,
                            const vise_i_cli_setup *setup) {
  const size_t n_outputs = options->net.widths[options->net.n_layers], n = setup->n_classes;
  if (vise_loss_targets(options->training.loss) != VISE_TARGETS_LABELS || n < 2 || n_outputs <= n) return;
  vise_i_cli_warn(list, "the net has %zu outputs but %s has %zu classes: the others are never right", n_outputs,
                  vise_dataset_name(setup->train), n);
}

void vise_i_cli_warn_of_start(vise_i_cli_warnings *list, const vise_i_cli_options *options,
                              const vise_i_cli_setup *setup) {
  const vise_train_config *training = &options->training;
  if (training->optimizer == VISE_ADAM && training->lr > HIGH_LR) {
    vise_i_cli_warn(list, "--lr %g is high for adam; --optimizer sgd is what such rates are for", training->lr);
  }
  warn_of_layers(list, &options->net);
  warn_of_outputs(list, options, setup);
  warn_of_classes(list, options, setup);
  if (training->scale == VISE_SCALE_NONE && !setup->keeps_scaling) warn_of_scales(list, setup);
}

/* ---- after training ------------------------------------------------------------------------------------------- */

/* Whether tensor i, of a layer's weights, has none but 0. */
static bool is_all_zero(const vise_model *model, size_t i) {
  size_t n_rows, n_cols;
  if (vise_model_tensor_shape(model, i, &n_rows, &n_cols, NULL) != VISE_OK) return false;
  double *values = calloc(n_rows * n_cols, sizeof *values);
  if (values == NULL) return false;

  bool is_zero = vise_model_get_tensor(model, i, values, n_rows * n_cols, NULL) == VISE_OK;
  for (size_t j = 0; is_zero && j < n_rows * n_cols; j++) is_zero = values[j] == 0;
  free(values);
  return is_zero;
}

/* Whether tensor i has the weights of a layer, not what its batch norm multiplies by. */
static bool is_of_layer(const vise_model *model, size_t i, size_t layer) {
  const char *kind = strrchr(vise_model_tensor_name(model, i), '.');
  size_t n_rows = 0, n_cols = 0;
  if (layer == vise_model_n_layers(model) || kind == NULL || strcmp(kind, ".weight") != 0) return false;
  return vise_model_tensor_shape(model, i, &n_rows, &n_cols, NULL) == VISE_OK &&
         n_cols == vise_model_width(model, layer) && n_rows == vise_model_width(model, layer + 1);
}

void vise_i_cli_warn_of_zeros(vise_i_cli_warnings *list, const vise_train_config *training, const vise_model *model) {
  size_t layer = 0;
  for (size_t i = 0; i < vise_model_n_tensors(model); i++) {
    if (!is_of_layer(model, i, layer)) continue;
    if (is_all_zero(model, i)) { /* the others mostly are, too: no gradient passes */
      vise_i_cli_warn(
          list, "every weight of layer %zu is 0, so that nothing comes through it: %s", layer,
          training->quantize != NULL
              ? "accumulators of more bits, inputs and hidden values of fewer (act4, in4) or a weaker decay "
                "leave some"
              : "looser bounds or weaker penalties leave some");
      return;
    }
    layer++;
  }
}

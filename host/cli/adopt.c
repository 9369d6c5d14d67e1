#include "host/cli/adopt.h"

#include <stdlib.h>

#include "host/cli/message.h"
#include "host/cli/missing.h"
#include "host/cli/net_text.h"

/* ---- lists of layers ------------------------------------------------------------------------------------------ */

static bool same_layer(const vise_layer *a, const vise_layer *b) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
    case VISE_LAYER_LINEAR:
      return a->width == b->width && a->bias == b->bias;
    case VISE_LAYER_ACTIVATION:
      return a->activation == b->activation;
    case VISE_LAYER_DROPOUT:
      return !(a->dropout < b->dropout || a->dropout > b->dropout);
    default:
      return true; /* a residual's span follows from the others */
  }
}

/* The next layer of the list from *i on, past dropout that is off where `skips`; false at the end. */
static bool next_layer(const vise_model *model, size_t *i, bool skips, vise_layer *out) {
  while (*i < vise_model_n_listed(model)) {
    vise_model_layer(model, (*i)++, out);
    const bool is_off = out->kind == VISE_LAYER_DROPOUT && !(out->dropout > 0);
    if (!skips || !is_off) return true;
  }
  return false;
}

static bool same_net(const vise_model *a, const vise_model *b, bool skips) {
  size_t i = 0, k = 0;
  vise_layer x, y;
  for (;;) {
    const bool has_x = next_layer(a, &i, skips, &x), has_y = next_layer(b, &k, skips, &y);
    if (has_x != has_y) return false;
    if (!has_x) return true;
    if (!same_layer(&x, &y)) return false;
  }
}

/* ---- the options ---------------------------------------------------------------------------------------------- */

static vise_status check_sizes(const vise_i_cli_options *options, const vise_net_config *file, vise_error *err) {
  const vise_net_config *net = &options->net;
  if (net->n_layers != 0 && net->n_layers != file->n_layers) {
    return vise_i_cli_fail(err, VISE_ERR_SHAPE, "--layers has %zu layers but %s has %zu", net->n_layers, options->init,
                           file->n_layers);
  }

  for (size_t i = 0; i <= file->n_layers; i++) {
    if (net->n_layers != 0 && net->widths[i] != 0 && net->widths[i] != file->widths[i]) {
      return vise_i_cli_fail(err, VISE_ERR_SHAPE, "--layers: size %zu is %zu but %s has %zu there", i, net->widths[i],
                             options->init, file->widths[i]);
    }
  }
  return VISE_OK;
}

static vise_status check_tensors(const vise_i_cli_options *options, const vise_net_config *file, vise_error *err) {
  const vise_net_config *net = &options->net;
  if (vise_i_cli_given(options, "no-bias") && net->bias != file->bias) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --init contradict each other: %s has %sbiases",
                           net->bias ? "bias" : "no-bias", options->init, file->bias ? "" : "no ");
  }
  if (vise_i_cli_given(options, "batch-norm") && net->batch_norm != file->batch_norm) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s and --init contradict each other: %s has %sbatch norm",
                           net->batch_norm ? "batch-norm" : "no-batch-norm", options->init,
                           file->batch_norm ? "" : "no ");
  }
  return VISE_OK;
}

/* What replaces the file's in *net; returns the name of such an option, or NULL. */
static const char *replace(const vise_i_cli_options *options, vise_net_config *net) {
  const vise_net_config *typed = &options->net, file = *net;
  const char *replaced = NULL;

  if (vise_i_cli_given(options, "activation")) net->activation = typed->activation;
  if (vise_i_cli_given(options, "dropout")) net->dropout = typed->dropout;
  if (vise_i_cli_given(options, "input-dropout")) net->input_dropout = typed->input_dropout;
  if (vise_i_cli_given(options, "residual")) net->residual = typed->residual;

  if (net->activation != file.activation && file.n_layers > 1) replaced = "activation";
  if (net->dropout < file.dropout || net->dropout > file.dropout) replaced = "dropout";
  if (net->input_dropout < file.input_dropout || net->input_dropout > file.input_dropout) replaced = "input-dropout";
  if (net->residual != file.residual) replaced = "residual";
  return replaced;
}

/* One value of an option stands for all layers, so they must be alike. */
static vise_status check_alike(const vise_i_cli_options *options, const vise_model *initial,
                               const vise_net_config *file, const char *option, vise_error *err) {
  vise_model *made = NULL;
  vise_status status = vise_model_create(file, VISE_F32, &made, err);
  if (status == VISE_OK && !same_net(made, initial, true)) {
    status = vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--%s and --init: the hidden layers of %s are not alike, so that it cannot replace what "
                             "they have; leave it away",
                             option, options->init);
  }
  vise_model_free(made);
  return status;
}

vise_status vise_i_cli_adopt_net(vise_i_cli_options *options, const vise_model *initial, vise_error *err) {
  const vise_net_config file = vise_i_cli_describe_net(initial);
  vise_net_config net = file;
  vise_status status = check_sizes(options, &file, err);
  if (status == VISE_OK) status = check_tensors(options, &file, err);
  if (status != VISE_OK) return status;

  if (!vise_i_cli_given(options, "activation") && !vise_model_knows_activation(initial)) {
    return vise_i_cli_fail_activation(options->init, err);
  }
  const char *replaced = replace(options, &net);
  if (replaced != NULL) status = check_alike(options, initial, &file, replaced, err);
  if (status == VISE_OK) options->net = net;
  return status;
}

/* ---- the model ------------------------------------------------------------------------------------------------ */

/* Layer by layer as in the file. */
static vise_status copy_layers(const vise_model *initial, vise_dtype dtype, vise_model **out, vise_error *err) {
  const size_t n = vise_model_n_listed(initial);
  vise_layer *layers = calloc(n, sizeof *layers);
  if (layers == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the layers of the net");
  for (size_t i = 0; i < n; i++) {
    vise_layer_init(&layers[i]);
    vise_model_layer(initial, i, &layers[i]);
  }

  const vise_status status = vise_model_create_layers(vise_model_width(initial, 0), layers, n, dtype, out, err);
  free(layers);
  return status;
}

vise_status vise_i_cli_adopt_model(const vise_i_cli_options *options, const vise_model *initial, vise_dtype dtype,
                                   vise_model **out, vise_error *err) {
  vise_net_config net = vise_i_cli_describe_net(initial);
  vise_model *made = NULL;
  const bool replaced = replace(options, &net) != NULL;
  vise_status status = vise_model_create(&options->net, dtype, &made, err);

  /* The list says more than the options: of nets that a program built, and of modules that are off. */
  if (status == VISE_OK && !replaced && !same_net(made, initial, false)) {
    vise_model_free(made);
    made = NULL;
    status = copy_layers(initial, dtype, &made, err);
  }

  if (status == VISE_OK) status = vise_model_copy_weights(initial, made, err);
  if (status != VISE_OK) {
    vise_model_free(made);
    made = NULL;
  }
  *out = made;
  return status;
}

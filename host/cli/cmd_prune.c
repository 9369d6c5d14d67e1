/* vise prune: a one-shot weight operation on a saved model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

static void print_text(const vise_i_cli_options *options, const vise_weight_op_report *report, size_t n_zero) {
  (void)printf("%s\n", vise_weight_op_kind_name(options->training.weight_op.kind));
  vise_i_cli_print_share(options->training.weight_op.kind == VISE_PRUNE ? "set to zero" : "reached the threshold",
                         report->n_reached, report->n_considered, "weights worked on");
  vise_i_cli_print_share("zero now", n_zero, report->n_considered, "weights worked on");
  (void)printf("  %-34s %.17g -> %.17g\n", "Frobenius norm", report->norm_before, report->norm_after);
  if (options->out != NULL) (void)printf("  %-34s %s\n", "model", options->out);
  if (options->mask_out != NULL) (void)printf("  %-34s %s\n", "mask", options->mask_out);
}

static vise_status print_json(const vise_i_cli_options *options, const vise_weight_op_report *report, size_t n_zero,
                              vise_error *err) {
  json_t *object = json_object();
  vise_i_json_put(&object, "model", vise_i_cli_text_to_json(options->model));
  vise_i_json_put(&object, "op", json_string(vise_weight_op_kind_name(options->training.weight_op.kind)));

  vise_i_json_put(&object, "considered", json_integer((json_int_t)report->n_considered));
  vise_i_json_put(&object, "reached", json_integer((json_int_t)report->n_reached));
  vise_i_json_put(&object, "zero", json_integer((json_int_t)n_zero));
  vise_i_json_put(&object, "norm_before", vise_i_cli_json_real(report->norm_before));
  vise_i_json_put(&object, "norm_after", vise_i_cli_json_real(report->norm_after));

  vise_i_json_put(&object, "out", options->out == NULL ? json_null() : vise_i_cli_text_to_json(options->out));
  vise_i_json_put(&object, "mask_out",
                  options->mask_out == NULL ? json_null() : vise_i_cli_text_to_json(options->mask_out));
  return vise_i_cli_print_json(object, err);
}

static bool works_on(const vise_weight_op *op, size_t layer) {
  for (size_t i = 0; i < op->n_layers; i++) {
    if (op->layers[i] == layer) return true;
  }
  return op->n_layers == 0;
}

/* Counts the zeros in a tensor of n weights. */
static vise_status add_zeros(const vise_model *model, size_t tensor, size_t n, size_t *n_zero, vise_error *err) {
  double *weights = calloc(n, sizeof *weights);
  if (weights == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu weights", n);
  const vise_status status = vise_model_get_tensor(model, tensor, weights, n, err);
  for (size_t i = 0; status == VISE_OK && i < n; i++) *n_zero += !(weights[i] < 0) && !(weights[i] > 0);
  free(weights);
  return status;
}

/* Counts the zeros among the weights of the layers worked on. A linear layer has a weight and a bias, or none; a batch norm
   two tensors that are not weights. */
static vise_status count_zeros(const vise_i_cli_options *options, const vise_model *model, size_t *out,
                               vise_error *err) {
  size_t n_zero = 0, tensor = 0, layer = 0;
  for (size_t i = 0; i < vise_model_n_listed(model); i++) {
    vise_layer listed;
    vise_model_layer(model, i, &listed);
    if (listed.kind == VISE_LAYER_BATCH_NORM) tensor += 2;
    if (listed.kind != VISE_LAYER_LINEAR) continue;

    const size_t n = vise_model_width(model, layer) * vise_model_width(model, layer + 1);
    const vise_status status =
        works_on(&options->training.weight_op, layer) ? add_zeros(model, tensor, n, &n_zero, err) : VISE_OK;
    if (status != VISE_OK) return status;
    tensor += listed.bias ? 2 : 1;
    layer++;
  }

  *out = n_zero;
  return VISE_OK;
}

static vise_status change(const vise_i_cli_options *options, vise_model *model, vise_weight_op_report *report,
                          size_t *n_zero, vise_error *err) {
  /* What a run left would no longer be what its folder says. */
  vise_status status = vise_i_cli_check_spares_model(options->out, options->model, err);
  if (status == VISE_OK && options->out != NULL) status = vise_i_cli_check_output(options->out, err);
  if (status == VISE_OK && options->mask_out != NULL) status = vise_i_cli_check_output(options->mask_out, err);
  if (status == VISE_OK && options->mask != NULL) status = vise_model_load_mask(model, options->mask, err);
  if (status == VISE_OK) status = vise_model_apply_weight_op(model, &options->training.weight_op, report, err);
  return status == VISE_OK ? count_zeros(options, model, n_zero, err) : status;
}

int vise_i_cli_prune(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_model *model = NULL;
  vise_weight_op_report report;
  size_t n_zero = 0;
  int code = VISE_I_CLI_NOTHING_DONE;

  vise_i_cli_options_init(&options, VISE_COMMAND_PRUNE);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = vise_model_load(options.model, &model, &err);
  if (status == VISE_OK) status = change(&options, model, &report, &n_zero, &err);

  if (status == VISE_OK) {
    code = VISE_I_CLI_FAILED;
    if (options.out != NULL) status = vise_model_save(model, options.out, &err);
    if (status == VISE_OK && options.mask_out != NULL) status = vise_model_save_mask(model, options.mask_out, &err);
  }

  if (status == VISE_OK && options.json) {
    status = print_json(&options, &report, n_zero, &err);
  } else if (status == VISE_OK) {
    print_text(&options, &report, n_zero);
  }

  code = vise_i_cli_end(VISE_COMMAND_PRUNE, status, &err, code);
  vise_model_free(model);
  vise_i_cli_options_free(&options);
  return code;
}

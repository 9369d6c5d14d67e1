/* Nets with batch norm, dropout and residuals: what is printed, --init, --resume, prune. */
#include <stdint.h>
#include <stdlib.h>

#include "tool.h"
#include "vise/vise.h"

#define NET "--layers 3-8-8-3 --batch-norm --dropout 0.25 --input-dropout 0.05 --residual --backend cpu64 "
#define TRAIN "train --train iris.csv --recipe none --batch 20 --lr 0.1 --seed 3 "

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 121); /* the last row joins the batch before it: 6 steps an epoch */
}

TestSuite(cli_layers, .init = enter, .fini = tool_leave);

static vise_model *load(const char *path) {
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_model_load(path, &model, &err), VISE_OK, "%s", err.text);
  return model;
}

/* The first num_batches_tracked in a model's file. */
static long counted(const char *path) {
  size_t n = 0;
  char *bytes = tool_read(path, &n);
  uint64_t n_header;
  int64_t value = -1;
  memcpy(&n_header, bytes, sizeof n_header);

  json_t *header = json_loadb(bytes + 8, (size_t)n_header, 0, NULL);
  const char *name;
  json_t *tensor;
  json_object_foreach(header, name, tensor) {
    if (strstr(name, "num_batches_tracked") == NULL) continue;
    cr_assert_str_eq(json_string_value(json_object_get(tensor, "dtype")), "I64");
    const json_t *at = json_array_get(json_object_get(tensor, "data_offsets"), 0);
    memcpy(&value, bytes + 8 + n_header + json_integer_value(at), sizeof value);
    break;
  }
  json_decref(header);
  free(bytes);
  return (long)value;
}

Test(cli_layers, says_what_hidden_layers_have) {
  tool_result result = tool_run(TRAIN NET "--epochs 2 --out run");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err,
       "net             3-8-8-3, 147 parameters, relu, batch norm, input dropout 0.05, dropout 0.25, residual\n");
  SAYS(result.out, "zero weights                          0.000 %  (0 of 112)");
  tool_free(&result);

  json_t *config = tool_json("run/config.json");
  cr_expect(json_is_true(json_object_get(config, "batch-norm")) && json_is_true(json_object_get(config, "residual")));
  cr_expect(json_real_value(json_object_get(config, "dropout")) == 0.25);
  cr_expect(json_real_value(json_object_get(config, "input-dropout")) == 0.05);
  json_decref(config);
  cr_expect_eq(counted("run/model.safetensors"), 12);

  result = tool_run("info --plan --layers 3-8-8-3 --batch-norm --dropout 0.1 --residual");
  SAYS(result.out, "net       3-8-8-3, batch norm, dropout 0.1, residual, batches of 64 rows");
  tool_free(&result);

  result = tool_run(TRAIN "--layers 3-8-3 --residual --epochs 1 --backend cpu64");
  SAYS(result.err, "3-8-3, 59 parameters, relu\n");
  SAYS(result.err, "warning: --residual does nothing: no hidden layer has as many outputs as inputs");
  tool_free(&result);
  result = tool_run(TRAIN "--batch-norm --epochs 1 --backend cpu64");
  SAYS(result.err, "a linear model\n");
  SAYS(result.err, "warning: --batch-norm does nothing: no hidden layer\n");
  SAYS_NOT(result.err, "--residual does");
  tool_free(&result);
}

Test(cli_layers, refuses_what_cannot_be) {
  static const char *const cases[][2] = {
      {"--layers 3-8-3 --dropout 1", "--dropout 1: expected"},
      {"--layers 3-8-3 --input-dropout -0.1", "--input-dropout -0.1"},
      {"--layers 3-8-3 --batch-norm --batch 1", "--batch 1: batch norm needs at least 2 rows"},
      {"--layers 3-8-3 --batch-norm --stop-projected-gradient 0.1", "--stop-projected-gradient: not with batch norm"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char arguments[256];
    snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --backend cpu64 %s", cases[i][0]);
    tool_expect_refused(arguments, cases[i][1]);
  }
}

Test(cli_layers, resuming_in_an_epoch_equals_an_uninterrupted_run) {
  tool_expect_ok(TRAIN NET "--optimizer adam --steps 9 --quiet --out run");
  tool_expect_ok("train --resume run --steps 25 --quiet");
  tool_expect_ok(TRAIN NET "--optimizer adam --steps 25 --quiet --out whole");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
  cr_expect_eq(counted("run/model.safetensors"), 25);
  tool_expect_refused("train --resume run --steps 30 --dropout 0.5", "--dropout cannot be changed by --resume");
  tool_expect_refused("train --resume run --steps 30 --no-batch-norm", "--batch-norm cannot be changed by --resume");
}

/* ---- --init ---- */

#define INIT "train --train iris.csv --recipe none --backend cpu64 --batch 20 --init first/model.safetensors "

Test(cli_layers, init_goes_on_from_statistics_and_their_count) {
  tool_expect_ok(TRAIN NET "--epochs 2 --quiet --out first");
  tool_result result = tool_run(INIT "--epochs 1 --out second");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "3-8-8-3, 147 parameters, relu, batch norm, input dropout 0.05, dropout 0.25, residual\n");
  tool_free(&result);
  cr_expect_eq(counted("second/model.safetensors"), 18);

  /* No step moves the weights of rate 0, and eval sees the statistics that one step moved. */
  tool_expect_ok(INIT "--lr 0 --steps 1 --quiet --out same");
  vise_model *first = load("first/model.safetensors"), *same = load("same/model.safetensors");
  double a[8], b[8];
  const size_t mean = vise_model_n_tensors(first) - 4;
  cr_assert(strstr(vise_model_tensor_name(first, mean), "running_mean") != NULL);
  cr_assert_eq(vise_model_get_tensor(first, mean, a, 8, NULL), VISE_OK);
  cr_assert_eq(vise_model_get_tensor(same, mean, b, 8, NULL), VISE_OK);
  for (size_t i = 0; i < 8; i++) cr_expect(a[i] != 0 && a[i] != b[i]);
  cr_assert_eq(vise_model_get_tensor(first, 1, a, 8, NULL), VISE_OK);
  cr_assert_eq(vise_model_get_tensor(same, 1, b, 8, NULL), VISE_OK);
  cr_expect_eq(memcmp(a, b, sizeof a), 0);
  vise_model_free(first);
  vise_model_free(same);

  /* Resuming such a run reads the file again. */
  tool_expect_ok(INIT "--steps 8 --quiet --out part");
  tool_expect_ok("train --resume part --steps 15 --quiet");
  tool_expect_ok(INIT "--steps 15 --quiet --out whole");
  cr_expect(tool_same_bytes("part/model.safetensors", "whole/model.safetensors"));
}

Test(cli_layers, init_is_not_contradicted_but_what_has_no_tensors_is_replaced) {
  tool_expect_ok(TRAIN NET "--epochs 1 --quiet --out first");
  tool_expect_ok(TRAIN "--layers 3-4-3 --backend cpu64 --epochs 1 --quiet --out plain");
  tool_expect_refused(INIT "--no-batch-norm --epochs 1",
                      "--no-batch-norm and --init contradict each other: first/model");
  tool_expect_refused(INIT "--layers 3-8-3 --epochs 1", "--layers has 2 layers but first/model.safetensors has 3");
  tool_expect_refused("train --train iris.csv --recipe none --init plain --batch-norm --epochs 1",
                      "--batch-norm and --init contradict each other: plain has no batch norm");

  tool_result result =
      tool_run(INIT "--batch-norm --no-residual --dropout 0 --activation tanh --epochs 1 --out second");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "147 parameters, tanh, batch norm, input dropout 0.05\n");
  tool_free(&result);
  vise_model *model = load("second");
  cr_expect_eq(vise_model_n_listed(model), 8);
  vise_model_free(model);
}

/* A net that a program built layer by layer says more than the options. */
Test(cli_layers, init_takes_any_list_as_it_is) {
  vise_layer layers[6];
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  static const vise_layer_kind kinds[] = {VISE_LAYER_LINEAR,     VISE_LAYER_ACTIVATION, VISE_LAYER_LINEAR,
                                          VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT,    VISE_LAYER_LINEAR};
  for (size_t i = 0; i < 6; i++) {
    vise_layer_init(&layers[i]);
    layers[i].kind = kinds[i];
    layers[i].width = i == 5 ? 3 : 7;
  }
  layers[3].activation = VISE_TANH;
  layers[4].dropout = 0.5;
  cr_assert_eq(vise_model_create_layers(3, layers, 6, VISE_F64, &model, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_model_initialize(model, VISE_INIT_LINEAR, 1, &err), VISE_OK);
  cr_assert_eq(vise_model_save(model, "built.safetensors", &err), VISE_OK);
  vise_model_free(model);

  tool_expect_ok(
      "train --train iris.csv --recipe none --backend cpu64 --init built.safetensors --steps 3 --quiet --out a");
  model = load("a");
  cr_assert_eq(vise_model_n_listed(model), 6);
  vise_model_layer(model, 3, &layers[0]);
  cr_expect_eq(layers[0].activation, VISE_TANH);
  vise_model_free(model);

  tool_expect_ok("train --resume a --steps 5 --quiet");
  tool_expect_refused("train --train iris.csv --recipe none --backend cpu64 --init built.safetensors --dropout 0.1",
                      "--dropout and --init: the hidden layers of built.safetensors are not alike");
}

/* ---- prune ---- */

Test(cli_layers, prune_and_masks_are_of_weights) {
  tool_expect_ok(TRAIN NET "--epochs 1 --quiet --out first");
  tool_result result =
      tool_run("prune --model first --op prune --fraction 0.5 --out pruned.safetensors --mask-out mask.safetensors");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "50.000 %  (56 of 112 weights worked on)");
  tool_free(&result);

  result = tool_run(
      "train --train iris.csv --recipe none --backend cpu64 --init pruned.safetensors --mask "
      "mask.safetensors --epochs 1 --out again");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "zero weights                         50.000 %  (56 of 112)");
  tool_free(&result);
}

Test(cli_layers, a_mask_fits_the_same_net_with_and_without_dropout) {
  tool_expect_ok(TRAIN NET "--epochs 1 --out first --quiet");
  tool_expect_ok("prune --model first --op prune --fraction 0.5 --out pruned.safetensors --mask-out mask.safetensors");
  tool_expect_ok(TRAIN "--layers 3-8-8-3 --mask mask.safetensors --epochs 1 --out plain --quiet --backend cpu64");
  tool_expect_refused("prune --model first --op prune --fraction 0.5 --out first/model.safetensors",
                      "is the model that is read");
  tool_expect_refused(TRAIN "--init first --init-scheme he --backend cpu64", "--init and --init-scheme contradict");
}

/* Training for an integer net, and models that compute as one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 120);
}

TestSuite(cli_quantize, .init = enter, .fini = tool_leave);

#define TRAIN \
  "train --train iris.csv --recipe none --scale standard --layers 3-16-3 --lr 0.1 --momentum 0.9 --backend cpu "
#define EVAL "eval --data iris.csv --model "

static double accuracy_of(const char *arguments, json_t **net) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *found = tool_json_text(result.out);
  const double accuracy = json_number_value(json_object_get(found, "accuracy"));
  *net = json_incref(json_object_get(found, "integer"));
  json_decref(found);
  tool_free(&result);
  return accuracy;
}

Test(cli_quantize, trains_and_scores_the_same_net) {
  json_t *net = NULL, *none = NULL;
  tool_expect_ok(TRAIN "--epochs 20 --quantize int8,acc14,in6 --out run");
  const double exact = accuracy_of(EVAL "run --as int8,acc14,in6,act8 --json", &net);
  cr_assert(json_is_true(json_object_get(net, "trained")) && json_is_true(json_object_get(net, "proven")));
  cr_assert(exact > 0.9, "%g", exact);
  const double plain = accuracy_of(EVAL "run --json", &none);
  cr_assert_null(none);
  cr_assert(plain - exact < 0.05 && exact - plain < 0.05, "%g and %g", plain, exact);
  json_decref(net);

  tool_expect_ok("predict --model run --data iris.csv --as int8,acc14,in6 --output class --out classes.csv");
  tool_result result = tool_run(EVAL "run --as int8,acc12,unconstrained");
  SAYS(result.out, "as int8,acc12,unconstrained  rounded after training");
  SAYS(result.out, " sums overflowed");
  tool_free(&result);
}

/* What metrics.jsonl tells of the weights is that of the integers. */
Test(cli_quantize, records_are_of_the_integers) {
  tool_expect_ok(TRAIN "--epochs 5 --quantize int8,acc10,act2,in2 --assert-projection --out run");
  size_t n = 0;
  char *text = tool_read("run/metrics.jsonl", &n), *rest = text, *line;
  double in_record = -1, at_end = -2;
  while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
    json_t *event = tool_json_text(line), *layers = json_object_get(event, "layers"), *layer;
    size_t i;
    if (layers != NULL) in_record = 0;
    json_array_foreach(layers, i, layer) in_record += json_number_value(json_object_get(layer, "zero_weights"));
    const json_t *told = json_object_get(event, "regularization");
    if (told != NULL) at_end = json_number_value(json_object_get(told, "zero_weights"));
    json_decref(event);
  }
  cr_assert(in_record == at_end && in_record > 0, "%g and %g", in_record, at_end);
  free(text);
}

Test(cli_quantize, goes_on_with_the_same_bits) {
  tool_expect_ok(TRAIN "--epochs 8 --quantize int8,acc12,act4,in4 --val-fraction 0.2 --patience 20 --out whole");
  for (int stop = 2; stop <= 6; stop += 4) {
    char text[512];
    snprintf(text, sizeof text,
             TRAIN
             "--epochs 8 --quantize int8,acc12,act4,in4 --val-fraction 0.2 --patience 20 --stop-after-epoch %d "
             "--overwrite --out part",
             stop);
    tool_expect_ok(text);
    tool_expect_ok("train --resume part --stop-after-epoch off");
    cr_assert(tool_same_bytes("whole/model.safetensors", "part/model.safetensors"), "after epoch %d", stop);
  }
  tool_expect_ok(EVAL "whole --as int8,acc12,act4,in4");
  tool_expect_ok("train --config whole/config.json --out again");
  cr_assert(tool_same_bytes("whole/model.safetensors", "again/model.safetensors"));
}

/* What a training is told of layers that have no weight but 0. */
static void expect_zeros(const char *more, const char *says) {
  char text[512];
  (void)snprintf(text, sizeof text, TRAIN "--epochs 5 --overwrite --out run %s", more);
  tool_result result = tool_run(text);
  cr_assert_eq(result.code, 0, "%s", result.err);
  if (says != NULL) SAYS(result.err, says);
  cr_expect((strstr(result.err, "every weight of layer 0 is 0") != NULL) == (says != NULL), "%s", result.err);
  cr_expect((strstr(result.out, "  sums that can overflow") != NULL) == (strstr(more, "quantize") != NULL), "%s",
            result.out);
  tool_free(&result);
}

Test(cli_quantize, a_layer_without_weights_is_told) {
  expect_zeros("--quantize int8,acc10 --decoupled-decay 9", "or a weaker decay");
  expect_zeros("--prox-l1 --l1 9", "weaker penalties");
  expect_zeros("--quantize int8,acc16", NULL);
}

Test(cli_quantize, what_cannot_be_is_refused) {
  tool_expect_refused(TRAIN "--quantize int8 --out run", "--quantize: 'int8': expected int8,accP with P from 10 to 32");
  tool_expect_refused(TRAIN "--quantize int8,acc16 --batch-norm --out run", "batch norm");
  tool_expect_refused(TRAIN "--quantize int8,acc16 --clamp 1 --out run", "--clamp: not with --quantize");
  tool_expect_refused(TRAIN "--quantize int8,acc16 --activation gelu --out run", "layer 0 has the activation gelu");
  tool_expect_refused(TRAIN "--quantize int16,acc32 --out run", "training is for weights of 8 bits");
  tool_expect_ok(TRAIN "--epochs 1 --out run");
  tool_result result = tool_run(EVAL "run --as acc16");
  cr_assert_eq(result.code, 2);
  SAYS(result.err, "--as: 'acc16': expected int8,accP");
  tool_free(&result);
}

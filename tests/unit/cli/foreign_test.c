/* Models of other programs, whose files hold weights alone: what they do not say is asked for, never guessed. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static void write_tensors(const char *path, const char *header, const float *values, size_t n) {
  const uint64_t n_header = strlen(header);
  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL && fwrite(&n_header, sizeof n_header, 1, file) == 1);
  cr_assert(fwrite(header, 1, n_header, file) == n_header && fwrite(values, sizeof *values, n, file) == n);
  cr_assert_eq(fclose(file), 0);
}

/* "net": (x, -x) is f(x) and -f(x) times 2; "line": 3 x + 1. */
static void enter(void) {
  static const float net[] = {1, 0, 2, -2, 0, 0}, line[] = {3, 1};
  tool_enter();
  write_tensors("net.safetensors",
                "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                "\"2.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]},"
                "\"2.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}",
                net, 6);
  write_tensors("line.safetensors",
                "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                line, 2);
  tool_write_text("x.csv", "x\n-0.5\n1\n0.25\n");
  tool_write_text("xy.csv", "x,y\n-0.5,1\n1,0\n0.25,0\n");
}

TestSuite(cli_foreign, .init = enter, .fini = tool_leave);

#define PREDICT "predict --model net.safetensors --data x.csv --out p.csv "
#define EVAL "eval --model net.safetensors --data xy.csv "

/* The first number of the first row. */
static double first_prediction(const char *arguments) {
  tool_expect_ok(arguments);
  char *text = tool_read("p.csv", NULL);
  const char *line = strchr(text, '\n');
  cr_assert(line != NULL, "%s", text);
  const double value = strtod(line + 1, NULL);
  free(text);
  return value;
}

Test(cli_foreign, the_activation_of_hidden_layers_is_asked_for) {
  static const char says[] = "net.safetensors: the file does not say which activation its hidden layers have";
  tool_expect_refused(PREDICT, says);
  tool_expect_refused(PREDICT "--output class --loss cross-entropy", says);
  tool_expect_refused(EVAL "--loss cross-entropy", says);
  cr_assert_float_eq(first_prediction(PREDICT "--activation tanh"), 2 * tanh(-0.5), 1e-6);
  cr_assert_float_eq(first_prediction(PREDICT "--activation leaky-relu"), -0.01, 1e-6);
  cr_assert_float_eq(first_prediction("predict --model line.safetensors --data x.csv --out p.csv"), -0.5, 1e-6);
}

Test(cli_foreign, the_loss_is_asked_for_where_it_matters) {
  static const char says[] = "net.safetensors: the file does not say for which loss the model was trained; give --loss";
  tool_expect_refused(EVAL "--activation tanh", says);
  tool_expect_refused(PREDICT "--activation tanh --output class", says);
  tool_expect_refused(PREDICT "--activation tanh --output probability", says);
  tool_expect_refused("eval --model line.safetensors --data xy.csv",
                      "line.safetensors: the file does not say for which");

  const double z = 2 * tanh(-0.5);
  cr_assert_float_eq(first_prediction(PREDICT "--activation tanh --output probability --loss cross-entropy"),
                     1 / (1 + exp(-2 * z)), 1e-6);
  tool_result result = tool_run(EVAL "--activation tanh --loss cross-entropy");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "accuracy 100.00 %");
  tool_free(&result);

  result = tool_run("eval --model line.safetensors --data xy.csv --loss mse");
  SAYS(result.out, "RMSE");
  tool_free(&result);
}

Test(cli_foreign, a_model_of_vise_may_not_be_contradicted) {
  tool_expect_ok(
      "train --train xy.csv --recipe none --layers auto-3-auto --activation tanh --loss bce --steps 5 --out run");
  tool_expect_ok("predict --model run --data x.csv --out p.csv --activation tanh --loss bce");
  tool_expect_refused("predict --model run --data x.csv --out q.csv --activation relu",
                      "--activation relu: the hidden layers of run have tanh");
  tool_expect_refused("eval --model run --data xy.csv --loss mse", "--loss mse: run was trained with bce");
}

Test(cli_foreign, training_on_asks_too_and_keeps_the_answer) {
  static const char train[] =
      "train --train xy.csv --recipe none --loss cross-entropy --init net.safetensors --lr 0 "
      "--steps 1 --scale none --out run ";
  char with[256];
  tool_expect_refused(train, "net.safetensors: the file does not say which activation");
  snprintf(with, sizeof with, "%s--activation tanh", train);
  tool_expect_ok(with);
  cr_assert_float_eq(first_prediction("predict --model run --data x.csv --out p.csv"), 2 * tanh(-0.5), 1e-6);
}

Test(cli_foreign, pruning_does_not_make_up_an_answer) {
  tool_expect_ok("prune --model net.safetensors --weight-op rel-clip --weight-op-t 1 --out q.safetensors");
  tool_expect_refused("predict --model q.safetensors --data x.csv --out p.csv", "does not say which activation");
  cr_assert_float_eq(first_prediction("predict --model q.safetensors --data x.csv --out p.csv --activation tanh"),
                     2 * tanh(-0.5), 1e-6);
}

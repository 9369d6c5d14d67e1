/* vise check. */
#include <stdlib.h>

#include "tool.h"

TestSuite(cli_check, .init = tool_enter, .fini = tool_leave);

static void expect_passed(const char *arguments) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s: %d\n%s%s", arguments, result.code, result.out, result.err);
  SAYS(result.out, "PASS  gradient of 0.weight");
  SAYS(result.out, "PASS  cpu: ");
  SAYS(result.out, ", 0 failed");
  SAYS_NOT(result.out, "FAIL");
  tool_free(&result);
}

Test(cli_check, makes_rows_up_for_every_loss) {
  tool_result result = tool_run("check");
  cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
  SAYS(result.err, "made-up rows");
  tool_free(&result);

  expect_passed("check --layers 5-7-3");
  expect_passed("check --layers 5-7-3 --loss bce --activation gelu");
  expect_passed(
      "check --layers 5-7-3 --optimizer lion --lr 0.001 --decoupled-decay 0.1 --max-update 0.0009 --clip-norm 1");
  expect_passed("check --layers 5-7-3 --loss poisson --activation elu --lr 0.01");
  expect_passed("check --layers 5-7-3 --activation elu --momentum 0.9");
  expect_passed("check --layers 5-7-2 --loss mse --activation tanh --no-bias");
  expect_passed("check --layers 4-3-1 --loss huber --l2 0.1 --clamp 0.5");
  expect_passed("check --layers 4-6-1 --loss hinge --activation silu --quiet");
  expect_passed("check --layers 4-6-3 --loss hinge --optimizer adam");

  cr_assert_eq(tool_count_files(), 2);
}

Test(cli_check, takes_the_options_of_train) {
  tool_write_classes("iris.csv", 60);
  expect_passed(
      "check --train iris.csv --recipe none --layers auto-8-auto --lr 0.1 --l2 1e-3 --clip-norm 5 --clamp 0.5 --epochs "
      "3");
  size_t before = tool_count_files();
  tool_result result = tool_run("check --train iris.csv --recipe none --out run");
  cr_assert_eq(result.code, 0);
  SAYS(result.err, "--out has no effect");
  tool_free(&result);
  cr_assert_eq(tool_count_files(), before);
}

Test(cli_check, prints_json) {
  tool_result result = tool_run("check --layers 4-5-3 --json");
  cr_assert_eq(result.code, 0);
  json_t *json = tool_json_text(result.out);
  cr_assert(json_is_true(json_object_get(json, "passed")));

  json_t *items = json_object_get(json, "items");
  cr_assert(json_array_size(items) >= 5);
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    cr_assert(json_is_true(json_object_get(item, "passed")));
    double worst = json_number_value(json_object_get(item, "error"));
    cr_assert(worst <= json_number_value(json_object_get(item, "tolerance")));
  }

  json_decref(json);
  tool_free(&result);
}

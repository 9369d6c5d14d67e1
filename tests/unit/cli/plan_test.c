/* vise info --plan, which needs no GPU. */
#include <stdlib.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 90);
}

TestSuite(cli_plan, .init = enter, .fini = tool_leave);

Test(cli_plan, shows_the_worked_example) {
  tool_result result = tool_run("info --plan --plan-sms 132 --layers 784-128-10 --l2 1e-4 --clip-norm 5 --clamp 0.5");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "132 multiprocessors");
  SAYS(result.out, "assumed");
  SAYS(result.out, "784-128-10, batches of 64 rows");
  SAYS(result.out, "small fp32, 129 CTAs of 256 threads");
  SAYS(result.out, "128 tiles of 16 x 4");
  SAYS(result.out, "after an exchange");
  SAYS(result.out, "each CTA keeps 16 rows");
  SAYS(result.out, "floor");
  tool_free(&result);
}

Test(cli_plan, as_json) {
  tool_result result = tool_run("info --plan --json --plan-sms=132 --layers 784-128-10 --optimizer adam");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *plan = tool_json_text(result.out);

  const json_t *phases = json_object_get(plan, "phases");
  cr_assert_eq(json_array_size(phases), 5);
  cr_assert_str_eq(json_string_value(json_object_get(json_array_get(phases, 0), "name")), "gather");
  cr_assert_str_eq(json_string_value(json_object_get(json_array_get(phases, 1), "name")), "forward");
  cr_assert_eq(json_integer_value(json_object_get(json_array_get(phases, 1), "tiles")), 128);
  cr_assert_str_eq(json_string_value(json_object_get(json_array_get(phases, 4), "name")), "update");

  cr_assert_eq(json_integer_value(json_object_get(plan, "exchanges")), 3);
  cr_assert_eq(json_integer_value(json_object_get(plan, "near_rows")), 16);
  cr_assert_eq(json_integer_value(json_object_get(plan, "multiprocessors")), 132);

  const json_t *memory = json_object_get(plan, "memory");
  cr_assert_eq(json_integer_value(json_object_get(memory, "weights")),
               json_integer_value(json_object_get(memory, "second moments")));
  cr_assert(json_integer_value(json_object_get(memory, "weights")) >= 4 * (784 * 128 + 128 + 1280 + 10));

  cr_assert(json_real_value(json_object_get(plan, "floor_us")) > 1);
  json_decref(plan);
  tool_free(&result);
}

/* The plan is that of a part; launches and meetings of processes are those of the batch. */
Test(cli_plan, in_parts) {
  tool_result result = tool_run("info --plan --plan-sms=132 --layers 30-20-20-3 --batch-norm --batch 256 --parts 8");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "parts of 32 rows");
  SAYS(result.out, "a step on a batch is 6 launches");
  SAYS(result.out, "meet 5 times");
  tool_free(&result);

  static const char *const with[] = {"--parts 8", "--parts 8 --batch-norm", ""};
  static const json_int_t n_launches[] = {2, 6, 0}, n_collectives[] = {1, 5, 0};
  for (size_t i = 0; i < 3; i++) {
    char words[128];
    (void)snprintf(words, sizeof words, "info --plan --json --plan-sms=132 --layers 30-20-20-3 %s", with[i]);
    result = tool_run(words);
    json_t *plan = tool_json_text(result.out);
    cr_expect_eq(json_integer_value(json_object_get(plan, "launches")), n_launches[i], "%s", with[i]);
    cr_expect_eq(json_integer_value(json_object_get(plan, "collectives")), n_collectives[i], "%s", with[i]);
    json_decref(plan);
    tool_free(&result);
  }
  tool_expect_refused("info --plan --plan-sms 132 --layers 3-4 --parts 8 --precision tf32", "tf32 or bf16");
}

Test(cli_plan, takes_sizes_from_the_data) {
  tool_result result =
      tool_run("info --plan --plan-sms 4 --train iris.csv --recipe none --layers auto-70-auto --batch full");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "3-70-3, batches of 90 rows");
  SAYS(result.out, "4 CTAs");
  tool_free(&result);
}

Test(cli_plan, refuses_what_has_no_plan) {
  tool_expect_refused("info --plan", "--layers");
  tool_expect_refused("info --plan --layers auto-3", "--layers");
  tool_expect_refused("info --plan --layers 3-4-2 --batch full", "a full --batch needs training data");
  tool_expect_refused("info --plan --plan-sms 132 --layers 3-9000-2", "9000");

  tool_expect_refused("info --plan --plan-sms 0 --layers 3-4", "--plan-sms");
  tool_expect_refused("info --plan --plan-sms", "--plan-sms");
  tool_expect_refused("info --plan-sms 4", "--plan-sms needs --plan");

  tool_expect_refused("info --plan --plan-sms 132 --layers 3-4 --step unfused", "--step unfused");
  tool_expect_refused("info --plan --plan-sms 132 --layers 3-4-2 --momentum 2", "--momentum");
  tool_expect_refused("info --plan --plan-sms 132 --layers 784-128-10 --device-memory-limit 1000",
                      "more than the 1000 there are");
}

/* vise certify: what it prints and writes, and what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 60);
  tool_expect_ok("train --train iris.csv --steps 20 --quiet --out run");
}

TestSuite(cli_certify, .init = enter, .fini = tool_leave);

Test(cli_certify, prints_what_it_proved_and_puts_it_into_the_model) {
  tool_expect_ok("predict --model run --data iris.csv --output raw --out before.csv");
  tool_result result = tool_run("certify --model run --data iris.csv --out c.json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "inputs          3, ranges of iris.csv\n");
  SAYS(result.out, "layer 1         pre-activations -");
  SAYS(result.out, "Lipschitz       ");
  SAYS(result.out, "certificate     in the metadata of run\ncertificate     c.json\n");
  tool_free(&result);

  size_t n = 0;
  char *model = tool_read("run/model.safetensors", &n);
  cr_assert(memmem(model, n, "vise.certificate", 16) != NULL);
  free(model);
  tool_expect_ok("predict --model run --data iris.csv --output raw --out after.csv");
  cr_assert(tool_same_bytes("before.csv", "after.csv"));
  json_t *c = tool_json("c.json");
  cr_assert_eq(json_array_size(json_object_get(c, "outputs")), 3);
  cr_assert_str_eq(json_string_value(json_array_get(json_object_get(json_object_get(c, "inputs"), "names"), 1)), "b");
  json_decref(c);
}

Test(cli_certify, leaves_the_model_alone_when_asked) {
  tool_expect_ok("train --train iris.csv --steps 20 --quiet --out same");
  tool_result result = tool_run("certify --model run --inputs -1:1 --inputs b=0:2.5 --keep-model --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *c = tool_json_text(result.out), *ranges = json_object_get(json_object_get(c, "inputs"), "ranges");
  cr_assert(json_real_value(json_array_get(json_array_get(ranges, 1), 1)) >= 2.5);
  cr_assert(json_real_value(json_array_get(json_array_get(ranges, 2), 1)) <= 1);
  cr_assert(tool_same_bytes("run/model.safetensors", "same/model.safetensors"));
  json_decref(c);
  tool_free(&result);
}

Test(cli_certify, tells_of_the_sums_of_nets_in_integers) {
  tool_expect_ok("train --train iris.csv --steps 20 --quiet --quantize int8,acc14 --out whole");
  tool_result result = tool_run("certify --model whole --data iris.csv");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out,
       "integers        int8,acc14,act8,in8, as it was trained\n  layer 0         every part of every sum in -");
  tool_free(&result);
  result = tool_run("certify --model run --data iris.csv --as int16,acc24 --keep-model");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "integers        int16,acc24,act8,in8, rounded after training\n");
  tool_free(&result);
}

Test(cli_certify, refuses_and_writes_nothing) {
  tool_expect_refused("certify", "--model is missing");
  tool_expect_refused("certify --model run", "input 0 (a): its range is not known: give the ranges of the --inputs");
  tool_expect_refused("certify --model run --inputs 1", "--inputs '1': expected LO:HI, or NAME=LO:HI");
  tool_expect_refused("certify --model run --inputs 2:1", "the smaller one first");
  tool_expect_refused("certify --model run --inputs 0:nan", "expected LO:HI");
  tool_expect_refused("certify --model run --inputs x=0:1", "the model has no input of this name");
  tool_expect_refused("certify --model run --inputs 0:1 --as int8,acc16", "give --as, as in int8,acc16, and --data");
  tool_expect_refused("certify --model run --inputs 0:1 --out nowhere/c.json", "the folder nowhere does not exist");
  tool_expect_refused("certify --model run --inputs 0:1 --out run/model.safetensors --keep-model", "--out");
  tool_expect_refused("certify --model run --inputs -3e38:3e38", "beyond float32");
  tool_expect_refused("certify --model iris.csv --inputs 0:1", "iris.csv");
  tool_expect_refused("certify --model run --data missing.csv", "missing.csv");
  tool_expect_ok("certify --model run --inputs 0:1"); /* nothing of that was left */
}

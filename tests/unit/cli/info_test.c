/* vise info MODEL, predictions to standard output, and lines to a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 60);
}

TestSuite(cli_info, .init = enter, .fini = tool_leave);

static json_t *info_json(const char *model) {
  char arguments[256];
  snprintf(arguments, sizeof arguments, "info %s --json", model);
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *object = tool_json_text(result.out);
  tool_free(&result);
  return object;
}

Test(cli_info, says_what_a_model_of_a_table_is) {
  tool_write_text("mixed.csv",
                  "age,color,when,y\n1,red,2026-01-01,up\n2,blue,2026-01-05,down\n3,red,2026-01-03,up\n,red,2026-01-04,"
                  "down\n5,blue,2026-02-01,up\n6,blue,2026-02-03,down\n");
  tool_expect_ok("train --train mixed.csv --steps 20 --quiet --out run");
  tool_result result = tool_run("info run");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "net             4-64-2, 450 parameters, relu, f32");
  SAYS(result.out, "loss            cross-entropy");
  SAYS(result.out, "age                      number   (x - 3.4) / 1.85472; a gap becomes 3.4 and is marked");
  SAYS(result.out, "color                    text     1 input for 2 values");
  SAYS(result.out, "target          y: classes");
  SAYS(result.out, "down                     3 training rows");
  SAYS(result.out, "options         --optimizer adam --lr 0.002");
  SAYS(result.out, "recipe          table");
  SAYS(result.out, "training        20 steps, 20 epochs, ");
  SAYS(result.out, "ended by steps");

  tool_result same = tool_run("info run/model.safetensors");
  SAYS(same.out, strstr(result.out, "\nnet"));
  tool_free(&same);
  same = tool_run("info --model run");
  cr_assert_str_eq(same.out, result.out);
  tool_free(&same);
  tool_free(&result);
}

Test(cli_info, as_json_it_has_the_report_of_the_training) {
  tool_expect_ok("train --train iris.csv --steps 20 --quiet --out run");
  json_t *object = info_json("run");
  cr_assert_str_eq(json_string_value(json_object_get(json_object_get(object, "training"), "reason")), "steps");
  cr_assert(json_is_object(json_object_get(json_object_get(object, "training"), "metrics")));
  cr_assert_eq(json_array_size(json_object_get(object, "columns")), 4);
  cr_assert_eq(json_array_size(json_object_get(json_object_get(object, "target"), "classes")), 3);
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(object, "options"), "steps")), 20);
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(object, "net"), "parameters")), 451);
  json_decref(object);
}

Test(cli_info, a_model_alone_says_what_it_knows) {
  tool_write_npy("x.npy", "y.npy", 60);
  tool_expect_ok(
      "train --train x.npy --train-labels y.npy --scale standard --layers auto-5-auto --epochs 2 --quiet --out run");
  cr_assert_eq(rename("run/model.safetensors", "alone.safetensors"), 0);
  tool_result result = tool_run("info alone.safetensors");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "net             3-5-3, 38 parameters, relu, f32");
  SAYS(result.out, "features        standard: (x - ");
  SAYS(result.out, "not known: no metrics.jsonl beside it tells of the end of its run");
  tool_free(&result);
  json_t *object = info_json("alone.safetensors");
  cr_assert(json_is_null(json_object_get(object, "training")) && json_is_null(json_object_get(object, "columns")));
  cr_assert_eq(json_array_size(json_object_get(json_object_get(object, "feature_scaling"), "shift")), 3);
  json_decref(object);
}

Test(cli_info, refuses_what_is_no_model) {
  tool_expect_refused("info nothing", "nothing: cannot be opened");
  tool_expect_refused("info iris.csv", "iris.csv");
  tool_expect_refused("info --plan --layers 3-3 iris.csv", "--plan and --model contradict each other");
  tool_expect_refused("train --train iris.csv model", "unexpected argument 'model'");
}

/* ---- predict --out - ------------------------------------------------------------------------------------------ */

Test(cli_info, predictions_go_to_standard_output) {
  static const char *const outputs[] = {"class", "probability", "raw"};
  tool_expect_ok("train --train iris.csv --steps 20 --quiet --out run");
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
    char arguments[256];
    snprintf(arguments, sizeof arguments, "predict --model run --data iris.csv --output %s --out p.csv", outputs[i]);
    tool_expect_ok(arguments);
    snprintf(arguments, sizeof arguments, "predict --model run --data iris.csv --output %s --out -", outputs[i]);
    tool_result result = tool_run(arguments);
    cr_assert_eq(result.code, 0, "%s", result.err);
    char *file = tool_read("p.csv", NULL);
    cr_assert_str_eq(result.out, file);
    SAYS(result.err, "standard output: 60 rows");
    free(file);
    tool_free(&result);
  }
  cr_assert(!tool_exists("-"));

  tool_expect_refused("predict --model run --data iris.csv --out - --json", "--out - and --json contradict each other");
}

/* ---- lines ---------------------------------------------------------------------------------------------------- */

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at++) n++;
  return n;
}

Test(cli_info, lines_to_a_pipe_come_once_a_second_and_the_last_one_always) {
  tool_result result = tool_run("train --train iris.csv --recipe none --epochs 400");
  cr_assert_eq(result.code, 0, "%s", result.err);
  const size_t n_lines = count(result.err, "\nepoch ");
  cr_assert(n_lines >= 1 && n_lines <= 12, "%zu lines of 400 epochs", n_lines);
  SAYS(result.err, "\nepoch 400/400  step 400  ");
  tool_free(&result);
}

Test(cli_info, one_of_a_thing_is_not_many) {
  tool_result result = tool_run("train --train iris.csv --recipe none --steps 1 --batch full --threads 1");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "done            1 step, 1 epoch\n");
  SAYS(result.err, ", 1 thread\n");
  tool_free(&result);

  result = tool_run("train --train iris.csv --recipe none --steps 2 --batch full --threads 1");
  SAYS(result.out, "done            2 steps, 2 epochs\n");
  tool_free(&result);
}

/* Replaces `old` where the file has it first; the text is of the same length. */
static void replace_in(const char *path, const char *old, const char *new) {
  size_t n;
  char *text = tool_read(path, &n), *at = memmem(text, n, old, strlen(old));
  cr_assert(at != NULL && strlen(old) == strlen(new), "%s: no %s", path, old);
  memcpy(at, new, strlen(new));
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL && fwrite(text, 1, n, file) == n);
  fclose(file);
  free(text);
}

/* What info and report read besides the model is damaged: that is told, with the place, and not passed over. */
Test(cli_info, damaged_files_of_a_run_are_named) {
  static const char *const folders[] = {"run", "second", "third"};
  for (size_t i = 0; i < 3; i++) {
    char train[128];
    snprintf(train, sizeof train, "train --train iris.csv --recipe none --epochs 2 --quiet --out %s", folders[i]);
    tool_expect_ok(train);
  }

  replace_in("run/metrics.jsonl", "\"reason\":", "\"reason\"x");
  tool_expect_refused("info run", "run/metrics.jsonl:3: this line is damaged: byte 23: expected ':' after the key");
  tool_expect_refused("info run/model.safetensors", "run/metrics.jsonl:3: this line is damaged");
  tool_expect_refused("report run --out page.html", "run/metrics.jsonl:3: this line is damaged");

  replace_in("second/config.json", "\"seed\":", "\"lr\"  :");
  tool_expect_refused("info second --json", "second/config.json:");
  tool_expect_refused("info second", "the key \"lr\" comes twice");
  tool_expect_refused("report second --out page.html", "the key \"lr\" comes twice");
  tool_expect_refused("train --resume second", "the key \"lr\" comes twice");
  tool_expect_refused("train --config second/config.json", "the key \"lr\" comes twice");

  cr_assert_eq(truncate("third/metrics.jsonl", 0), 0);
  tool_expect_refused("report third --out page.html",
                      "third/metrics.jsonl: tells nothing of the run, which has a model");
  replace_in("third/model.safetensors", "\"format\":\"pt\"", "\"format\":\"tp\"");
  tool_expect_refused("info third", "third/model.safetensors: damaged: its hash is ");
  tool_expect_refused("eval --model third --data iris.csv", "third/model.safetensors: damaged: its hash is ");
}

/* --out, --overwrite and --resume: whose files are touched, who may run, and names in any encoding. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 120);
}

TestSuite(cli_folder, .init = enter, .fini = tool_leave);

static void expect_text(const char *path, const char *text) {
  char *now = tool_read(path, NULL);
  cr_assert_str_eq(now, text, "%s", path);
  free(now);
}

static void wait_for(const char *path) {
  for (int i = 0; i < 3000 && !tool_exists(path); i++) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  cr_assert(tool_exists(path), "%s did not appear", path);
}

/* ---- files of others -------------------------------------------------------------------------------------------- */

Test(cli_folder, a_project_with_files_of_the_same_names_is_not_overwritten) {
  cr_assert_eq(mkdir("project", 0700) + mkdir("project/checkpoints", 0700), 0);
  tool_write_text("project/config.json", "{\"mine\":1}");
  tool_write_text("project/checkpoints/epoch_10.pt", "torch");
  tool_write_text("project/train.py", "x");

  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out project --overwrite",
                      "project/config.json");
  cr_assert_eq(unlink("project/config.json"), 0);
  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out project --overwrite",
                      "holds no run of Vise");
  expect_text("project/checkpoints/epoch_10.pt", "torch");
  expect_text("project/train.py", "x");
  cr_assert_not(tool_exists("project/config.json") || tool_exists("project/metrics.jsonl"));
}

Test(cli_folder, overwriting_keeps_what_no_run_wrote) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --out run --quiet");
  tool_write_text("run/notes.txt", "mine");
  tool_write_text("run/checkpoints/best.pt", "torch");
  tool_expect_ok("train --train iris.csv --recipe none --epochs 1 --out run --quiet --overwrite");
  expect_text("run/notes.txt", "mine");
  expect_text("run/checkpoints/best.pt", "torch");

  tool_write_text("run/config.json", "{\"mine\":1}");
  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out run --overwrite",
                      "run/config.json: it was not written");
  expect_text("run/config.json", "{\"mine\":1}");
  cr_assert(tool_exists("run/model.safetensors"));
}

Test(cli_folder, parents_are_made_and_gone_again_when_nothing_begins) {
  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out a/b/c --layers 4-3", "3 features");
  tool_expect_ok("train --train iris.csv --recipe none --epochs 1 --out a/b/c --quiet");
  cr_assert(tool_exists("a/b/c/model.safetensors"));

  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out iris.csv/b", "iris.csv");
}

/* ---- one run at a time ------------------------------------------------------------------------------------------ */

Test(cli_folder, a_second_run_is_refused_and_told_by_whom) {
  pid_t pid = tool_start("train --train iris.csv --recipe none --epochs 100000000 --out run", "call");
  char says[64];
  wait_for("run/config.json"); /* the last of its first files */
  snprintf(says, sizeof says, "process %ld on ", (long)pid);

  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out run --overwrite", says);
  tool_expect_refused("train --resume run", says);
  cr_assert_eq(kill(pid, SIGKILL), 0);
  tool_result result = tool_wait(pid, "call");
  tool_free(&result);

  /* It had no checkpoint yet. */
  result = tool_run("train --resume run --epochs 4 --no-quiet");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "run has no checkpoint yet: the run starts again at step 0");
  tool_free(&result);
  tool_expect_ok("train --train iris.csv --recipe none --epochs 4 --out whole --quiet");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
}

/* ---- when checkpoints are written --------------------------------------------------------------------------------- */

static void expect_every(const char *typed, const char *stored) {
  char arguments[256];
  snprintf(arguments, sizeof arguments,
           "train --train iris.csv --recipe none --epochs 2 --checkpoint-every %s --out run --overwrite", typed);
  tool_expect_ok(arguments);
  char *config = tool_read("run/config.json", NULL), wanted[64];
  snprintf(wanted, sizeof wanted, "\"checkpoint-every\": %s,", stored);
  SAYS(config, wanted);
  free(config);
  tool_expect_ok("train --config run/config.json --out again --overwrite");
  cr_assert(tool_same_bytes("run/config.json", "again/config.json"), "%s", typed);
}

Test(cli_folder, checkpoints_by_steps_epochs_or_time) {
  expect_every("3", "3");
  cr_assert(tool_exists("run/checkpoints/step-000000003") && tool_exists("run/checkpoints/step-000000004"));
  expect_every("epoch", "\"epoch\"");
  cr_assert(tool_exists("run/checkpoints/step-000000002") && tool_exists("run/checkpoints/step-000000004"));
  expect_every("30s", "\"30s\"");
  cr_assert_not(tool_exists("run/checkpoints/step-000000002"));
  expect_every("10m", "\"10m\"");
  expect_every("7200s", "\"2h\"");
  expect_every("0.5m", "\"30s\"");
  expect_every("0.25s", "\"0.25s\"");
  expect_every("off", "\"off\"");

  static const char *const wrong[] = {"0", "-1", "1.5", "0s", "-3s", "s", "10d", "1e999h", "epochs", "nan"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char arguments[256], says[64];
    snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --checkpoint-every=%s", wrong[i]);
    snprintf(says, sizeof says, "--checkpoint-every: '%s' is not", wrong[i]);
    tool_expect_refused(arguments, says);
  }
}

/* config.json had null where checkpoints were written at each epoch. */
Test(cli_folder, the_default_is_half_a_minute) {
  tool_write_text("c.json", "{\"checkpoint-every\": null}");
  tool_expect_ok("train --train iris.csv --recipe none --epochs 1 --config c.json --out run");
  char *config = tool_read("run/config.json", NULL);
  SAYS(config, "\"checkpoint-every\": \"30s\",");
  free(config);
}

/* ---- the folder of a run as a model ------------------------------------------------------------------------------- */

Test(cli_folder, stands_for_its_model) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --out run --quiet");
  tool_result file = tool_run("eval --model run/model.safetensors --data iris.csv");
  tool_result dir = tool_run("eval --model run --data iris.csv");
  cr_assert_eq(dir.code, 0, "%s", dir.err);
  cr_assert_str_eq(dir.out, file.out);
  tool_free(&file);
  tool_free(&dir);

  tool_expect_ok("predict --model run/ --data iris.csv --out p.csv");
  cr_assert_eq(mkdir("empty", 0700), 0);
  tool_expect_refused("eval --model empty --data iris.csv", "which a run writes at its end");
}

/* ---- names that are not UTF-8 ------------------------------------------------------------------------------------- */

Test(cli_folder, paths_and_columns_in_latin_1_work) {
  cr_assert_eq(rename("iris.csv", "lat\xe9.csv"), 0);
  tool_expect_ok("train --train lat\xe9.csv --target kind --recipe none --epochs 3 --out lat\xe9-run --quiet");
  char *config = tool_read("lat\xe9-run/config.json", NULL);
  SAYS(config, "\"train\": {\"latin-1\": \"/");
  SAYS(config, "/lat\xc3\xa9.csv\"}");
  free(config);

  tool_expect_ok("train --config lat\xe9-run/config.json --out again");
  cr_assert(tool_same_bytes("lat\xe9-run/config.json", "again/config.json"));
  tool_expect_ok("train --resume lat\xe9-run --train lat\xe9.csv --epochs 5");

  tool_result result = tool_run("eval --model lat\xe9-run --data lat\xe9.csv --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *json = tool_json_text(result.out);
  cr_assert_str_eq(json_string_value(json_object_get(json_object_get(json, "data"), "latin-1")), "lat\xc3\xa9.csv");
  json_decref(json);
  tool_free(&result);

  tool_write_text("h.csv", "caf\xe9,b,y\n1,2,0\n3,4,1\n");
  tool_expect_ok("train --train h.csv --target caf\xe9 --loss mse --epochs 1 --out by-name --quiet");
  tool_expect_ok("train --config by-name/config.json --out by-name-2");

  tool_write_text("c.json", "{\"train\": {\"latin-1\": \"\\u0101\"}}");
  tool_expect_refused("train --config c.json", "\"train\" must be a text");
}

/* ---- plain lines -------------------------------------------------------------------------------------------------- */

Test(cli_folder, lines_of_epochs_are_few_and_the_last_is_there) {
  tool_result result = tool_run("train --train iris.csv --recipe none --epochs 400");
  cr_assert_eq(result.code, 0);
  size_t n_lines = 0;
  for (const char *at = result.err; (at = strstr(at, "\nepoch ")) != NULL; at++) n_lines++;
  cr_assert_lt(n_lines, 50, "%zu lines", n_lines);
  SAYS(result.err, "\nepoch 1/400 ");
  SAYS(result.err, "\nepoch 400/400 ");
  tool_free(&result);
}

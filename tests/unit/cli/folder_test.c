/* --out, --overwrite and --resume: whose files are touched, who may run, and names in any encoding. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
  tool_expect_refused("sweep --train iris.csv --recipe none --epochs 1 --vary lr=0.1,0.2 --out run", says);
  tool_expect_refused("sweep --train iris.csv --recipe none --epochs 1 --vary lr=0.1,0.2 --out run --overwrite", says);

  /* A run that is under way is not one to be replaced or gone on with. */
  tool_result told = tool_run("train --train iris.csv --recipe none --epochs 1 --out run");
  cr_assert_eq(told.code, 2, "%d: %s", told.code, told.err);
  SAYS(told.err, says);
  SAYS_NOT(told.err, "overwrite");
  tool_free(&told);

  /* Looking at it harms nothing. */
  tool_expect_ok("report run --out page.html");
  tool_expect_refused("info run", "a folder without model.safetensors");
  tool_expect_refused("eval --model run --data iris.csv", "a folder without model.safetensors");
  cr_assert_eq(kill(pid, 0), 0);
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

/* ---- one run in the place of another ------------------------------------------------------------------------------- */

/* Names, bytes and times of what is in the folder of a run. */
static char *state_of(const char *dir) {
  char *text = NULL;
  size_t n = 0;
  FILE *stream = open_memstream(&text, &n);
  static const char *const names[] = {"config.json", "metrics.jsonl", "model.safetensors",
                                      "checkpoints/step-000000004/state.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[256];
    struct stat info = {0};
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    const int missing = stat(path, &info);
    fprintf(stream, "%s %d %ld %ld.%ld\n", path, missing, (long)info.st_size, (long)info.st_mtim.tv_sec,
            info.st_mtim.tv_nsec);
  }
  fclose(stream);
  return text;
}

/* A new run that has no room even for its config.json has not begun. */
Test(cli_folder, the_earlier_run_is_whole_when_the_new_one_cannot_begin) {
  const struct rlimit before = {RLIM_INFINITY, RLIM_INFINITY}, low = {100, RLIM_INFINITY};
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  char *was = state_of("run");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
  tool_result result =
      tool_run("train --train iris.csv --recipe none --epochs 1 --lr 0.2 --quiet --out run --overwrite");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, "run/config.json: cannot be written: File too large");
  tool_free(&result);

  char *is = state_of("run");
  cr_assert_str_eq(is, was);
  free(is);
  free(was);
  tool_expect_ok("train --resume run --epochs 3");
}

/* Killed after a while, the new one is there to go on with, and nothing of the earlier one. */
Test(cli_folder, the_new_run_goes_on_when_it_is_killed) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --lr 0.2 --quiet --out run");
  for (int i = 0; i < 8; i++) {
    pid_t pid =
        tool_start("train --train iris.csv --recipe none --epochs 100000000 --quiet --out run --overwrite", "call");
    nanosleep(&(struct timespec){.tv_nsec = 4000000 * (i + 1)}, NULL);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    tool_result result = tool_wait(pid, "call");
    tool_free(&result);

    json_t *config = tool_json("run/config.json");
    const bool is_old = json_integer_value(json_object_get(config, "epochs")) == 2;
    json_decref(config);
    tool_expect_ok("train --resume run --epochs 4 --quiet");
    tool_result told = tool_run("info run --json");
    json_t *info = tool_json_text(told.out);
    SAYS(told.out, is_old ? "\"lr\": 0.2" : "\"lr\": 0.01");
    json_decref(info);
    tool_free(&told);
    tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --lr 0.2 --quiet --out run --overwrite");
  }
}

/* ---- pipes and links ----------------------------------------------------------------------------------------------- */

/* None of these may wait for somebody at the other end of a pipe. */
Test(cli_folder, pipes_in_the_place_of_files_are_refused_and_not_waited_for) {
  static const char *const names[] = {"run/metrics.jsonl", "run/config.json"};
  alarm(60);
  for (size_t i = 0; i < 2; i++) {
    tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
    cr_assert_eq(unlink(names[i]), 0);
    cr_assert_eq(mkfifo(names[i], 0600), 0);
    tool_expect_refused("report run --out page.html", names[i]);
    tool_expect_refused("info run", names[i]);
    tool_expect_refused("train --resume run", names[i]);
    tool_expect_refused("train --train iris.csv --recipe none --out run --overwrite", names[i]);
    tool_expect_ok("eval --model run --data iris.csv");
    cr_assert_eq(unlink(names[i]), 0);
    tool_write_text(names[i], "");
    tool_expect_ok("train --train iris.csv --recipe none --epochs 1 --quiet --out run --overwrite");
    cr_assert_eq(rename("run", i == 0 ? "run-0" : "run-1"), 0);
  }
}

Test(cli_folder, an_output_that_is_special_is_refused_and_a_link_is_replaced) {
  struct stat info;
  alarm(60);
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  cr_assert_eq(mkfifo("p.csv", 0600) + mkdir("d.csv", 0700) + symlink("/dev/null", "n.csv"), 0);
  tool_write_text("target.csv", "mine");
  cr_assert_eq(symlink("target.csv", "l.csv"), 0);

  tool_expect_refused("predict --model run --data iris.csv --out p.csv", "p.csv: is a special file");
  tool_expect_refused("predict --model run --data iris.csv --out n.csv", "n.csv: is a special file");
  tool_expect_refused("predict --model run --data iris.csv --out d.csv", "d.csv: is a folder");
  tool_expect_refused("prune --model run --weight-op prune --weight-op-fraction 0.5 --out n.csv",
                      "n.csv: is a special file");
  tool_expect_refused("report run --out p.csv", "p.csv: is a special file");
  cr_assert(lstat("n.csv", &info) == 0 && S_ISLNK(info.st_mode));

  tool_expect_ok("predict --model run --data iris.csv --out l.csv");
  cr_assert(lstat("l.csv", &info) == 0 && S_ISREG(info.st_mode));
  expect_text("target.csv", "mine");
}

/* What a killed call left beside its target goes with the next one; those of others stay. */
Test(cli_folder, abandoned_temporary_files_go) {
  char mine[64], other[64];
  const pid_t child = fork();
  if (child == 0) _exit(0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  snprintf(mine, sizeof mine, "p.csv.tmp-%ld-0", (long)child);
  snprintf(other, sizeof other, "q.csv.tmp-%ld-0", (long)child);
  tool_write_text(mine, "half");
  tool_write_text(other, "half");

  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  tool_expect_ok("predict --model run --data iris.csv --out p.csv");
  cr_assert_not(tool_exists(mine));
  cr_assert(tool_exists(other));
}

/* ---- standard output ----------------------------------------------------------------------------------------------- */

/* Of every command, what it prints. */
static const char *const calls[] = {
    "--help",
    "--version",
    "help",
    "help train",
    "help lr",
    "train --help",
    "sweep --help-all",
    "eval --version",
    "info",
    "info --json",
    "info run",
    "info run --json",
    "info --recipes",
    "info --plan --layers 4-3",
    "eval --model run --data iris.csv",
    "eval --model run --data iris.csv --json",
    "predict --model run --data iris.csv --out -",
    "predict --model run --data iris.csv --out p.csv --json",
    "check --backend cpu",
    "bench --list",
    "bench --list --json",
    "report run --out page.html",
    "train --train iris.csv --recipe none --epochs 1",
    "train --train iris.csv --recipe none --epochs 1 --json",
    "sweep --train iris.csv --recipe none --epochs 1 --folds 2 --vary lr=0.1,0.2 --plan",
    "sweep --train iris.csv --recipe none --epochs 1 --folds 2 --vary lr=0.1,0.2 --refit no --json"};

/* Whoever calls must not take half an answer for a whole one. */
Test(cli_folder, output_that_cannot_be_written_fails_every_command) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  cr_assert_eq(symlink("/dev/full", "call.out"), 0);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int status = 0;
    const pid_t pid = tool_start(calls[i], "call");
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    char *text = tool_read("call.err", NULL);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s: %d: %s", calls[i], status, text);
    SAYS(text, "the results could not be written to standard output");
    cr_assert(strstr(text, "standard output: 120 rows") == NULL, "what was not written is told as if it were: %s",
              text);
    free(text);
  }
}

/* A closed stream is not the next file that is opened. */
Test(cli_folder, what_is_printed_without_a_standard_output_is_in_no_file) {
  fflush(NULL);
  const pid_t pid = fork();
  if (pid == 0) {
    close(0);
    close(1);
    close(2);
    execl(TOOL_PATH, "vise", "train", "--train", "iris.csv", "--recipe", "none", "--epochs", "2", "--log-every", "1",
          "--out", "run", (char *)NULL);
    _exit(127);
  }
  int status = 0;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d", status);
  tool_expect_ok("report run");
  tool_expect_ok("train --resume run --epochs 3");
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

/* Interruption by signals, and --resume. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 120);
}

TestSuite(cli_resume, .init = enter, .fini = tool_leave);

/* A run that lasts until it is stopped: more epochs than any test waits for. */
#define ENDLESS                                                                                               \
  "train --train iris.csv --recipe none --layers 3-16-3 --momentum 0.9 --val-fraction 0.2 --seed 3 --epochs " \
  "100000000 "

static void sleep_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void wait_for(const char *path) {
  for (int i = 0; i < 3000 && !tool_exists(path); i++) sleep_ms(10);
  cr_assert(tool_exists(path), "%s did not appear", path);
}

/* Waits until the file contains `part`. */
static void wait_for_text(const char *path, const char *part) {
  bool said = false;
  for (int i = 0; i < 3000 && !said; i++) {
    char *text = tool_read(path, NULL);
    said = strstr(text, part) != NULL;
    free(text);
    if (!said) sleep_ms(10);
  }
  cr_assert(said, "%s never said \"%s\"", path, part);
}

/* Interrupts an endless run with a signal in the middle of its work; returns the step it stopped at. */
static long interrupt(const char *arguments, int number, int code, const char *dir) {
  pid_t pid = tool_start(arguments, "call");
  wait_for_text("call.err", "epoch ");
  cr_assert_eq(kill(pid, number), 0);

  tool_result result = tool_wait(pid, "call");
  cr_assert_eq(result.code, code, "%d: %s", result.code, result.err);
  cr_assert_not(result.killed);

  const char *line = strstr(result.err, "interrupted at step ");
  cr_assert(line != NULL, "%s", result.err);
  char resume[256];
  snprintf(resume, sizeof resume, "; resume with: vise train --resume %s\n", dir);
  SAYS(line, resume);

  long step = strtol(line + 20, NULL, 10);
  tool_free(&result);
  return step;
}

Test(cli_resume, after_ctrl_c_equals_an_uninterrupted_run) {
  long step = interrupt(ENDLESS "--out run", SIGINT, 130, "run");
  char arguments[512];
  snprintf(arguments, sizeof arguments, "train --resume run --steps %ld --quiet", step + 25);
  tool_expect_ok(arguments);
  snprintf(arguments, sizeof arguments, ENDLESS "--out whole --steps %ld --quiet", step + 25);
  tool_expect_ok(arguments);
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
  json_t *config = tool_json("run/config.json");
  cr_assert_eq(json_integer_value(json_object_get(config, "steps")), step + 25);
  json_decref(config);
}

Test(cli_resume, after_sigterm_is_143_and_twice) {
  long first = interrupt(ENDLESS "--out run --backend cpu64 --checkpoint-every 1000", SIGTERM, 143, "run");
  long second = interrupt("train --resume run", SIGTERM, 143, "run");
  cr_assert(second >= first, "%ld after %ld", second, first);
}

Test(cli_resume, without_out_says_that_nothing_is_saved) {
  size_t before = tool_count_files() + 2;
  pid_t pid = tool_start(ENDLESS, "call");
  wait_for_text("call.err", "epoch 1/");
  cr_assert_eq(kill(pid, SIGINT), 0);
  tool_result result = tool_wait(pid, "call");
  cr_assert_eq(result.code, 130);
  SAYS(result.err, "nothing was saved: give --out DIR");
  cr_assert_eq(tool_count_files(), before);
  tool_free(&result);
}

/* The number of threads changes no bit. */
Test(cli_resume, more_epochs_equal_one_long_run) {
  tool_expect_ok(
      "train --train iris.csv --recipe none --layers 3-9-3 --optimizer adam --batch 32 --epochs 3 --threads 1 --quiet "
      "--out run");
  tool_expect_ok("train --resume run --epochs 7 --threads 2 --log-every 1");
  tool_expect_ok(
      "train --train iris.csv --recipe none --layers 3-9-3 --optimizer adam --batch 32 --epochs 7 --threads 1 --quiet "
      "--out whole");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
}

Test(cli_resume, tells_where_it_goes_on) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 3 --quiet --out run");
  tool_result result = tool_run("train --resume run --epochs 5 --no-quiet");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "10 steps, 5 epochs, resumed from step 6");
  SAYS(result.err, "epoch 4/5");
  SAYS_NOT(result.err, "epoch 3/5");
  tool_free(&result);
}

Test(cli_resume, refuses_changes_of_what_is_computed) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --lr 0.1 --quiet --out run");
  static const char *const changes[] = {"--lr 0.2",      "--seed 1",          "--layers 3-4-3",   "--batch 5",
                                        "--clamp 1",     "--clamp-layer 0=1", "--no-bias",        "--shuffle no",
                                        "--train x.csv", "--nonfinite halt",  "--optimizer adam", "--backend cpu64"};

  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    char arguments[256], says[64];
    snprintf(arguments, sizeof arguments, "train --resume run --epochs 4 %s", changes[i]);
    snprintf(says, sizeof says, "%.*s cannot be changed by --resume", (int)strcspn(changes[i], " "), changes[i]);
    tool_expect_refused(arguments, says);
  }

  /* Repeating a value is not a change. */
  tool_expect_ok(
      "train --resume run --epochs 3 --lr 1e-1 --train iris.csv --recipe none --batch 64 --layers 3-3 --backend cpu");
}

Test(cli_resume, refuses_limits_under_a_schedule_that_plans) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --lr-schedule cosine --quiet --out cosine");
  tool_expect_refused("train --resume cosine --epochs 4",
                      "--epochs cannot be changed by --resume: under a linear or cosine");
  tool_expect_refused("train --resume cosine --stop-loss 0.1", "--stop-loss cannot be changed");
  tool_expect_ok("train --resume cosine --epochs 2 --log-every 5");

  tool_expect_ok(
      "train --train iris.csv --recipe none --epochs 2 --clamp 1 --clamp-schedule linear --clamp-final-ratio 0.5 "
      "--quiet "
      "--out box");
  tool_expect_refused("train --resume box --steps 9", "--steps cannot be changed");

  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --lr-schedule step --quiet --out step");
  tool_expect_ok("train --resume step --epochs 4");
}

Test(cli_resume, passes_over_a_damaged_checkpoint) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 3 --checkpoint-every epoch --quiet --out run");
  tool_write_text("run/checkpoints/step-000000006/state.json", "{");
  tool_result result = tool_run("train --resume run --epochs 4");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "step-000000006");
  SAYS(result.out, "resumed from step 4");
  cr_assert(tool_exists("run/checkpoints/step-000000006.damaged/state.json"));
  tool_free(&result);
}

/* Waits until the process has a handler for SIGTERM. */
static void wait_for_handler(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);

  for (int i = 0; i < 30000; i++) {
    char *text = tool_read(path, NULL);
    const char *mask = strstr(text, "SigCgt:");
    bool handled = mask != NULL && (strtoull(mask + 7, NULL, 16) >> (SIGTERM - 1) & 1) != 0;
    free(text);
    if (handled) return;
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
  }

  cr_assert_fail("SIGTERM was never handled");
}

Test(cli_resume, a_signal_before_the_first_step_is_kept) {
  tool_write_classes("big.csv", 60000); /* takes a while to read */
  pid_t pid = tool_start("train --train big.csv --layers 3-4-3 --epochs 2 --threads 1 --out run", "call");
  wait_for_handler(pid);
  cr_assert_eq(kill(pid, SIGTERM), 0);

  tool_result result = tool_wait(pid, "call");
  cr_assert_eq(result.code, 143, "%d: %s", result.code, result.err);
  cr_assert_not(result.killed);
  SAYS(result.err, "resume with: vise train --resume run");
  tool_free(&result);

  tool_expect_ok("train --resume run --quiet");
  tool_expect_ok("train --train big.csv --layers 3-4-3 --epochs 2 --threads 1 --quiet --out whole");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
}

Test(cli_resume, a_second_signal_kills) {
  pid_t pid = tool_start(ENDLESS "--out run", "call");
  wait_for("run/metrics.jsonl");
  cr_assert_eq(kill(pid, SIGSTOP), 0);
  cr_assert_eq(kill(pid, SIGINT), 0);
  cr_assert_eq(kill(pid, SIGTERM), 0);
  cr_assert_eq(kill(pid, SIGCONT), 0);

  tool_result result = tool_wait(pid, "call");
  /* Both were pending: whichever came first was remembered, the other had its default effect. */
  cr_assert(result.killed, "%d: %s", result.code, result.err);
  tool_free(&result);
}

Test(cli_resume, a_file_that_may_not_grow_further_is_an_error_and_the_run_goes_on_later) {
  const struct rlimit before = {RLIM_INFINITY, RLIM_INFINITY}, low = {32 << 10, RLIM_INFINITY};
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
  tool_result result = tool_run(ENDLESS "--log-every 1 --quiet --out run");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);

  cr_assert_eq(result.code, 1, "%d: %s", result.code, result.err);
  cr_assert_not(result.killed);
  SAYS(result.err, "run/metrics.jsonl: cannot be written: File too large");
  tool_free(&result);

  tool_expect_ok("train --resume run --epochs 200 --quiet");
  tool_expect_ok(
      "train --train iris.csv --recipe none --layers 3-16-3 --momentum 0.9 --val-fraction 0.2 --seed 3 --epochs 200 "
      "--quiet "
      "--out whole");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
}

/* ---- runs that begin with a file of weights ------------------------------------------------------------------------- */

/* start: weights and scaling of a table; the others keep both, and a mask. */
#define FROM_START \
  "train --train line.csv --recipe none --init start/model.safetensors --mask mask.safetensors --seed 5 "

static void make_start(void) {
  tool_write_line("line.csv", 90);
  tool_write_line("other.csv", 40);
  tool_expect_ok("train --train other.csv --layers auto-8-auto --epochs 2 --out start");
  tool_expect_ok(
      "prune --model start/model.safetensors --weight-op prune --weight-op-fraction 0.4 --out pruned.safetensors "
      "--mask-out mask.safetensors");
}

static void expect_same_run(const char *a, const char *b) {
  static const char *const files[] = {"model.safetensors", "mask.safetensors"};
  for (size_t i = 0; i < 2; i++) {
    char first[80], second[80];
    snprintf(first, sizeof first, "%s/%s", a, files[i]);
    snprintf(second, sizeof second, "%s/%s", b, files[i]);
    cr_assert(tool_same_bytes(first, second), "%s and %s differ", first, second);
  }
}

Test(cli_resume, goes_on_with_the_scaling_of_init) {
  make_start();
  tool_expect_ok(FROM_START "--epochs 6 --out whole");
  tool_expect_ok(FROM_START "--epochs 3 --out cut");
  tool_expect_ok("train --resume cut --epochs 6");
  expect_same_run("whole", "cut");

  tool_expect_ok("train --config whole/config.json --out again");
  expect_same_run("whole", "again");
}

/* As one that was killed before its first checkpoint. */
Test(cli_resume, starts_again_with_the_weights_and_the_mask_it_had) {
  make_start();
  tool_expect_ok(FROM_START "--epochs 3 --out whole");
  tool_expect_ok(FROM_START "--epochs 3 --out cut");
  cr_assert_eq(system("rm -r cut/checkpoints"), 0);
  cr_assert_eq(unlink("cut/model.safetensors"), 0);
  cr_assert_eq(unlink("cut/mask.safetensors"), 0);
  tool_expect_ok("train --resume cut");
  expect_same_run("whole", "cut");

  cr_assert_eq(system("rm -r cut/checkpoints"), 0);
  cr_assert_eq(unlink("cut/model.safetensors"), 0);
  cr_assert_eq(unlink("start/model.safetensors"), 0);
  tool_expect_refused("train --resume cut", "start/model.safetensors: cannot be opened");
}

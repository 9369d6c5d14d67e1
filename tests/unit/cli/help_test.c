/* Help, version, and commands that do not exist. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

TestSuite(cli_help, .init = tool_enter, .fini = tool_leave);

/* The options of each command that scripts rely on. */
static const char *const train_options[] = {"train",
                                            "train-labels",
                                            "target",
                                            "test",
                                            "test-labels",
                                            "val-fraction",
                                            "stratify",
                                            "fold",
                                            "fold-repeat",
                                            "fold-seed",
                                            "group",
                                            "time-order",
                                            "val",
                                            "val-labels",
                                            "row-weights",
                                            "class-weights",
                                            "label-smoothing",
                                            "scale",
                                            "scale-target",
                                            "layers",
                                            "no-bias",
                                            "init-scheme",
                                            "activation",
                                            "loss",
                                            "mse-reduction",
                                            "optimizer",
                                            "lr",
                                            "momentum",
                                            "nesterov",
                                            "rho",
                                            "beta1",
                                            "beta2",
                                            "eps",
                                            "lr-schedule",
                                            "warmup-steps",
                                            "lr-final-ratio",
                                            "lr-gamma",
                                            "lr-step-epochs",
                                            "l2",
                                            "l1",
                                            "norm-penalty",
                                            "penalty-convention",
                                            "decoupled-decay",
                                            "prox-l1",
                                            "penalize-bias",
                                            "clip-value",
                                            "clip-norm",
                                            "clip-norm-type",
                                            "clip-norm-p",
                                            "clip-norm-torch-eps",
                                            "clip-scope",
                                            "max-update",
                                            "clamp",
                                            "clamp-layer",
                                            "clamp-bias",
                                            "clamp-init",
                                            "max-norm",
                                            "max-norm-scope",
                                            "row-l1",
                                            "row-l1-layer",
                                            "row-l1-sided",
                                            "row-l1-sided-layer",
                                            "row-l1-schedule",
                                            "row-l1-final-ratio",
                                            "weight-op",
                                            "weight-op-at",
                                            "weight-op-t",
                                            "weight-op-fraction",
                                            "mask",
                                            "sign",
                                            "monotone",
                                            "batch",
                                            "epochs",
                                            "steps",
                                            "shuffle",
                                            "drop-last",
                                            "seed",
                                            "stop-after-epoch",
                                            "stop-loss",
                                            "stop-stall",
                                            "stop-projected-gradient",
                                            "patience",
                                            "patience-by",
                                            "keep-best",
                                            "min-delta",
                                            "nonfinite",
                                            "max-skips",
                                            "backend",
                                            "step",
                                            "steps-per-launch",
                                            "precision",
                                            "threads",
                                            "device",
                                            "device-memory-limit",
                                            "init",
                                            "resume",
                                            "out",
                                            "overwrite",
                                            "checkpoint-every",
                                            "log-every",
                                            "quiet",
                                            "config",
                                            "help",
                                            "version",
                                            "clip-schedule",
                                            "clamp-schedule",
                                            "clip-final-ratio",
                                            "clamp-final-ratio",
                                            "assert-projection",
                                            "weight-op-literal",
                                            "weight-op-scope",
                                            NULL};
static const char *const use_options[] = {"model",     "data", "labels", "target", "batch",   "backend", "threads",
                                          "precision", "json", "config", "help",   "version", NULL};
static const char *const predict_options[] = {"model",     "data", "labels", "target", "batch",  "backend", "threads",
                                              "precision", "json", "out",    "output", "config", NULL};
static const char *const prune_options[] = {"model",
                                            "json",
                                            "weight-op",
                                            "weight-op-t",
                                            "weight-op-literal",
                                            "weight-op-fraction",
                                            "weight-op-scope",
                                            "weight-op-layers",
                                            "mask",
                                            "out",
                                            "mask-out",
                                            "config",
                                            "help",
                                            NULL};
static const char *const certify_options[] = {"model", "data",       "target", "inputs", "activation", "delimiter",
                                              "json",  "keep-model", "out",    "config", "help",       NULL};
static const char *const export_options[] = {"model", "data",   "inputs",  "activation", "format", "name", "json",
                                             "out",   "config", "vectors", "as",         "help",   NULL};
static const char *const info_options[] = {"json", "plan", "plan-sms", "config", "help", "version", NULL};

static const char *const bench_options[] = {
    "case",   "grid",   "layers",           "batch",  "mode", "precision",     "seconds",
    "csv",    "json",   "threads",          "quick",  "list", "total-seconds", "tolerance",
    "widths", "depths", "steps-per-launch", "device", "help", "config",        NULL};

static void expect_options(const char *command, const char *const *options) {
  tool_result result = tool_run(command);
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert_str_eq(result.err, "");

  for (size_t i = 0; options[i] != NULL; i++) {
    char with_value[64], flag[64], last[64];
    snprintf(with_value, sizeof with_value, "--%s=", options[i]);
    snprintf(flag, sizeof flag, "--%s ", options[i]);
    snprintf(last, sizeof last, "--%s\n", options[i]);
    cr_assert(strstr(result.out, with_value) || strstr(result.out, flag) || strstr(result.out, last),
              "%s does not list --%s", command, options[i]);
  }

  tool_free(&result);
}

Test(cli_help, lists_every_option) {
  expect_options("train --help-all", train_options);
  expect_options("check --help-all", train_options);
  expect_options("eval --help-all", use_options);
  expect_options("predict --help-all", predict_options);
  expect_options("prune --help-all", prune_options);
  expect_options("certify --help-all", certify_options);
  expect_options("export --help-all", export_options);
  expect_options("info --help-all", info_options);
  expect_options("bench --help-all", bench_options);
}

Test(cli_help, names_defaults_and_groups) {
  tool_result result = tool_run("train --help-all");
  SAYS(result.out, "default 0.01)");
  SAYS(result.out, "default 64)");
  SAYS(result.out, "cosine; default");
  SAYS(result.out, "Clipping of gradients:");
  SAYS(result.out, "--no-nesterov");
  SAYS_NOT(result.out, "external");
  tool_free(&result);
}

Test(cli_help, writes_whole_numbers_with_all_digits) {
  tool_result result = tool_run("sweep --help-all");
  SAYS(result.out, "from 1 to 100000;");
  SAYS_NOT(result.out, "e+0");
  tool_free(&result);
}

Test(cli_help, tells_where_other_defaults_hold) {
  tool_result train = tool_run("train --help"), eval = tool_run("eval --help");
  SAYS(train.out, "Defaults are those of arrays; 'vise info --recipes' lists those of tables.");
  SAYS_NOT(eval.out, "--recipes");
  tool_free(&train);
  tool_free(&eval);
}

Test(cli_help, names_the_commands) {
  const char *const words[] = {"--help", "-h", "help"};
  for (size_t i = 0; i < 3; i++) {
    tool_result result = tool_run(words[i]);
    cr_assert_eq(result.code, 0);
    SAYS(result.out, "train");
    SAYS(result.out, "predict");
    SAYS(result.out, "sweep");
    SAYS(result.out, "export");
    tool_free(&result);
  }
}

/* Lines of a text; none may be wider than 80 columns. */
static size_t count_lines(const char *text, const char *call) {
  size_t n = 0;
  for (const char *line = text; *line != '\0'; n++) {
    const size_t width = strcspn(line, "\n");
    cr_expect(width <= 80, "%s: %.*s", call, (int)width, line);
    line += width + (line[width] == '\n');
  }
  return n;
}

static void expect_lines(const char *call, size_t least, size_t most) {
  tool_result result = tool_run(call);
  const size_t n = count_lines(result.out, call);
  cr_assert_eq(result.code, 0, "%s: %s", call, result.err);
  cr_expect(n >= least && n <= most, "%s: %zu lines", call, n);
  tool_free(&result);
}

Test(cli_help, fits_on_one_screen_unless_all_is_asked_for) {
  static const char *const commands[] = {"train",   "check",  "eval",  "predict", "prune",
                                         "certify", "export", "bench", "info"};
  expect_lines("--help", 10, 24);

  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    char call[64];
    snprintf(call, sizeof call, "%s --help", commands[i]);
    expect_lines(call, 8, 40);
    snprintf(call, sizeof call, "help %s", commands[i]);
    expect_lines(call, 8, 40);
    snprintf(call, sizeof call, "%s --help-all", commands[i]);
    expect_lines(call, 12, 400);
  }
}

Test(cli_help, begins_with_examples_and_says_how_to_see_all) {
  tool_result result = tool_run("train --help");
  SAYS(result.out, "Usage: vise train [OPTION...]\n\n  vise train --train data.csv");
  SAYS(result.out, "vise train --help-all lists every option");
  SAYS(result.out, "Clipping    --clip-value");
  SAYS(result.out, "--clamp X|LO:HI");
  SAYS_NOT(result.out, "--lr-gamma");
  tool_free(&result);
}

Test(cli_help, tells_about_one_option) {
  static const char *const calls[] = {"help clip-norm", "help --clip-norm"};
  for (size_t i = 0; i < 2; i++) {
    tool_result result = tool_run(calls[i]);
    cr_assert_eq(result.code, 0);
    SAYS(result.out, "vise train, sweep, check: --clip-norm X\n");
    SAYS(result.out, "(a number above 0, or off; default off)");
    SAYS(result.out, "In C: clip_norm\n");
    tool_free(&result);
  }

  tool_result result = tool_run("help out"); /* of three commands, each with its own */
  SAYS(result.out, "vise train, sweep, check: --out DIR");
  SAYS(result.out, "vise predict: --out FILE");
  SAYS(result.out, "vise prune: --out FILE");
  tool_free(&result);
}

/* -h is help, but not where it is a value. */
Test(cli_help, is_not_asked_for_by_a_value) {
  tool_result result = tool_run("train -h");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "Usage: vise train");
  tool_free(&result);
  tool_expect_refused("train --train -h", "-h");
  tool_expect_refused("info --json --plan-sms --plan", "--plan-sms: '--plan' is not a whole number");
}

Test(cli_help, prints_the_version) {
  const char *const calls[] = {"--version", "train --version", "info --version"};
  for (size_t i = 0; i < 3; i++) {
    tool_result result = tool_run(calls[i]);
    cr_assert_eq(result.code, 0, "%s", calls[i]);
    cr_assert(strncmp(result.out, "vise 0.", 7) == 0, "%s", result.out);
    tool_free(&result);
  }
}

Test(cli_help, refuses_commands_that_are_not_there) {
  tool_expect_refused("serve --model a", "unknown command 'serve'");
  tool_expect_refused("trian", "unknown command 'trian'; did you mean 'train'?");
  tool_expect_refused("evla", "did you mean 'eval'?");
  tool_expect_refused("help clip-nrom", "unknown command or option 'clip-nrom'; did you mean 'clip-norm'?");
  tool_expect_refused("help --frobnicate", "unknown command or option '--frobnicate'\n");
  tool_expect_refused("--frobnicate", "unknown option");
  tool_expect_refused("", "Usage: vise");
}

Test(cli_help, info_tells_backends) {
  tool_result result = tool_run("info");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "cpu64");
  SAYS(result.out, "available");
  tool_free(&result);

  result = tool_run("info --json");
  json_t *info = tool_json_text(result.out);
  cr_assert(json_array_size(json_object_get(info, "backends")) >= 3);
  cr_assert(json_is_string(json_object_get(info, "version")));
  cr_assert(json_is_string(json_object_get(info, "build")));
  json_decref(info);
  tool_free(&result);
}

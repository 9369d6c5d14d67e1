/* Options that change nothing beside the others are told. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 60);
}

TestSuite(cli_idle, .init = enter, .fini = tool_leave);

#define TRAIN "train --train iris.csv --recipe none --epochs 1 --quiet "

Test(cli_idle, what_does_nothing_is_told_with_the_reason) {
  static const char *const cases[][2] = {
      {"--rho 0.5", "--rho does nothing: it is for --optimizer rmsprop"},
      {"--beta1 0.5", "--beta1 does nothing: it is for --optimizer adam and lion"},
      {"--optimizer rmsprop --beta2 0.5", "--beta2 does nothing"},
      {"--eps 1e-3 --optimizer lion", "--eps does nothing"},
      {"--nonfinite halt --max-skips 3", "--max-skips does nothing: it is for --nonfinite skip"},
      {"--lr-final-ratio 0.5", "--lr-final-ratio does nothing: it is for --lr-schedule linear and cosine"},
      {"--lr-gamma 0.5 --lr-schedule cosine", "--lr-gamma does nothing: no schedule is step"},
      {"--lr-step-epochs 2", "--lr-step-epochs does nothing"},
      {"--clip-schedule linear", "--clip-schedule does nothing: there is no --clip-norm or --clip-value"},
      {"--clip-norm 1 --clip-final-ratio 0.5", "--clip-final-ratio does nothing"},
      {"--clamp-schedule linear", "--clamp-schedule does nothing"},
      {"--clamp 1 --clamp-final-ratio 0.5", "--clamp-final-ratio does nothing"},
      {"--row-l1-schedule linear", "--row-l1-schedule does nothing"},
      {"--row-l1 1 --row-l1-gamma 0.5", "--row-l1-gamma does nothing"},
      {"--row-l1 1 --row-l1-step-epochs 5", "--row-l1-step-epochs does nothing"},
      {"--row-l1 1 --row-l1-final-ratio 0.5", "--row-l1-final-ratio does nothing"},
      {"--prox-l1", "--prox-l1 does nothing: --l1 is 0"},
      {"--penalize-bias", "--penalize-bias does nothing: there is no penalty"},
      {"--clip-norm-type unit", "--clip-norm-type does nothing: there is no --clip-norm"},
      {"--clip-norm-p inf", "--clip-norm-p does nothing"},
      {"--clip-norm-torch-eps", "--clip-norm-torch-eps does nothing"},
      {"--max-norm-scope tensor", "--max-norm-scope does nothing: there is no --max-norm"},
      {"--weight-op-scope row", "--weight-op-scope does nothing: it is for --weight-op prune"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[256];
    snprintf(line, sizeof line, TRAIN "%s", cases[i][0]);
    tool_result result = tool_run(line);
    cr_assert_eq(result.code, 0, "%s: %s", line, result.err);
    cr_assert(strstr(result.err, cases[i][1]) != NULL, "%s: %s", line, result.err);
    tool_free(&result);
  }
}

Test(cli_idle, what_does_something_is_not_told) {
  static const char *const cases[] = {
      "--optimizer rmsprop --rho 0.5 --eps 1e-3",
      "--optimizer adam --beta1 0.5 --beta2 0.5 --eps 1e-3 --lr 0.01",
      "--optimizer sgd --beta1 0.9 --rho 0.9 --eps 1e-8 --lr-gamma 0.1 --clip-norm-p 2",
      "--clip-norm 1 --clip-norm-type unit --clip-norm-p inf --clip-schedule step --lr-gamma 0.5 --lr-step-epochs 1",
      "--lr-schedule linear --lr-final-ratio 0.5 --clamp-layer 0=-1:1 --clamp-schedule cosine --clamp-final-ratio 0.1",
      "--row-l1-layer 0=1 --row-l1-schedule step --row-l1-gamma 0.5 --row-l1-step-epochs 1",
      "--row-l1-sided 1 --row-l1-schedule cosine --row-l1-final-ratio 0.5",
      "--prox-l1 --l1 1e-3 --penalize-bias --max-norm 1 --max-norm-scope tensor",
      "--weight-op prune --weight-op-fraction 0.5 --weight-op-scope row --weight-op-at epoch:1",
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[256];
    snprintf(line, sizeof line, TRAIN "%s", cases[i]);
    tool_result result = tool_run(line);
    cr_assert_eq(result.code, 0, "%s: %s", line, result.err);
    cr_assert(strstr(result.err, "does nothing") == NULL, "%s: %s", line, result.err);
    tool_free(&result);
  }
}

Test(cli_idle, an_operation_after_the_end_is_refused) {
  static const char operation[] = TRAIN "--weight-op prune --weight-op-fraction 0.5 --batch 20 --weight-op-at ";
  char line[256];
  snprintf(line, sizeof line, "%sstep:4", operation);
  tool_expect_refused(line, "--weight-op-at step:4: the run ends before, at the 3 steps of --epochs 1");
  snprintf(line, sizeof line, "%sstep:3", operation);
  tool_expect_ok(line);
}

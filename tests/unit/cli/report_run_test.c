/* What the page of a run says of predictions and limits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
  tool_write_line("line.csv", 400);
}

TestSuite(cli_run_page, .init = enter, .fini = tool_leave);

/* Trains with these options, and has the page of it; to be freed. */
static char *page_of(const char *options) {
  char command[600];
  snprintf(command, sizeof command, "train %s --quiet --overwrite --out run", options);
  tool_expect_ok(command);
  tool_expect_ok("report run --quiet");
  return tool_read("run/report.html", NULL);
}

static void expect_advice(const char *options, const char *const *says) {
  char *page = page_of(options);
  for (; *says != NULL; says++) cr_expect(strstr(page, *says) != NULL, "%s: the page lacks: %s", options, *says);
  free(page);
}

static json_t *end_of(const char *folder) {
  char path[80];
  snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
  char *metrics = tool_read(path, NULL);
  json_t *end = tool_json_text(strstr(metrics, "{\"event\":\"end\""));
  free(metrics);
  return end;
}

/* ---- predictions ---------------------------------------------------------------------------------------------------- */

Test(cli_run_page, has_the_confusion_matrix) {
  char *page = page_of("--train people.csv --drop who --layers auto-5-auto --test-fraction 0.4 --epochs 3"), text[80];
  json_t *end = end_of("run");
  const json_t *matrix = json_object_get(json_object_get(json_object_get(end, "metrics"), "test"), "confusion");
  size_t n_cells = 0;

  for (size_t i = 0; i < json_array_size(matrix); i++) {
    const json_t *row = json_array_get(matrix, i);
    json_int_t all = 0;
    for (size_t j = 0; j < json_array_size(row); j++) all += json_integer_value(json_array_get(row, j));
    for (size_t j = 0; j < json_array_size(row); j++) {
      const json_int_t n = json_integer_value(json_array_get(row, j));
      snprintf(text, sizeof text, "<title>%d of %d</title></rect>", (int)n, (int)all);
      if (n == 0) continue;
      cr_expect(strstr(page, text) != NULL, "%s", text);
      n_cells++;
    }
  }

  cr_expect(n_cells > 2);
  cr_expect(strstr(page, "On the test rows.") != NULL);
  cr_expect(strstr(page, "Mistaken most often: ") != NULL);
  json_decref(end);
  free(page);
}

/* As predict says it, for rows here and there. */
Test(cli_run_page, has_predicted_and_true_numbers) {
  char *page = page_of("--train line.csv --test line.csv --recipe none --epochs 5");
  cr_expect(strstr(page, "<section id=\"rows\"") != NULL);
  cr_expect(strstr(page, "y: predicted over true</h3>") != NULL);
  free(page);

  tool_expect_ok("predict --model run --data line.csv --out answers.csv");
  char *answers = tool_read("answers.csv", NULL), *line = strchr(answers, '\n') + 1;
  json_t *end = end_of("run");
  const json_t *test = json_object_get(json_object_get(end, "metrics"), "test"),
               *sample = json_array_get(json_object_get(test, "sample"), 0),
               *predicted = json_object_get(sample, "predicted");
  cr_assert_eq(json_array_size(predicted), 200); /* every second */
  cr_assert_eq(json_array_size(json_object_get(sample, "true")), 200);
  for (size_t i = 0; i < 200; i++) {
    const double wanted = strtod(line, NULL);
    const double got = json_number_value(json_array_get(predicted, i));
    cr_expect(fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted)), "row %zu: %g, not %g", 2 * i, got, wanted);
    line = strchr(strchr(line, '\n') + 1, '\n') + 1;
  }
  json_decref(end);
  free(answers);

  /* What is there for charts alone is not printed. */
  tool_result result = tool_run("train --train line.csv --recipe none --epochs 2 --json --quiet");
  cr_expect(strstr(result.out, "\"sample\"") == NULL);
  tool_free(&result);
}

/* ---- limits --------------------------------------------------------------------------------------------------------- */

Test(cli_run_page, says_which_limit_binds) {
  static const char *const box[] = {
      "The limit that binds most is <strong>the box</strong>.",
      "it does most of the regularizing. If the training loss is too high, widen it first",
      "--vary clamp=off,0.005,0.01,0.02", NULL};
  static const char *const norm[] = {"The limit that binds most is <strong>the clip of norms</strong>.",
                                     "it sets the length of nearly every step", NULL};
  static const char *const value[] = {"The limit that binds most is <strong>the clip of values</strong>.", NULL};
  static const char *const max_norm[] = {"The limit that binds most is <strong>the bound on norms</strong>.",
                                         "it does most of the regularizing. If the training loss is too high, raise",
                                         "</td><td>1 of 1 bounded norms", NULL};
  static const char *const none[] = {"No limit binds.", "does next to nothing. Half its width", "a safety net", NULL};
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 20 --clamp 0.01", box);
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 20 --clip-norm 1e-4", norm);
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 20 --clip-value 1e-4", value);
  expect_advice("--train line.csv --recipe none --layers auto-auto --epochs 20 --max-norm 0.01", max_norm);

  static const char *const idle[] = {"No limit binds.", "</td><td>0 of 2 bounded norms",
                                     "of the layers: it does next to nothing.", NULL};
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 5 --max-norm 99 --max-norm-scope tensor",
                idle);

  static const char *const signs[] = {"The limit that binds most is <strong>the signs</strong>.",
                                      "much of the net is off", "</td><td>1 of 1 weights with a sign", NULL};
  expect_advice("--train line.csv --recipe none --epochs 20 --layers auto-auto --monotone x=-", signs);

  static const char *const sums[] = {"norms at their bound</th><td>off</td>",
                                     "weights with a sign that are 0</th><td>none</td>",
                                     "The limit that binds most is <strong>the bound on sums of rows</strong>.",
                                     "<strong>The bound on sums of rows</strong> holds back",
                                     "raise <code>--row-l1</code>",
                                     NULL};
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 20 --row-l1 0.01", sums);
  expect_advice("--train line.csv --recipe none --layers auto-4-auto --epochs 5 --clamp 50 --clip-norm 1e6", none);
}

Test(cli_run_page, says_what_to_try) {
  static const char *const held_out[] = {"No rows were held out", NULL};
  static const char *const falling[] = {"The validation loss was still falling", NULL};
  static const char *const rose[] = {"The validation loss rose</strong> after epoch", NULL};
  static const char *const penalty[] = {"they pull harder than the data", NULL};
  expect_advice("--train line.csv --recipe none --epochs 3", held_out);
  expect_advice("--train line.csv --recipe none --epochs 20 --val-fraction 0.3 --lr 1e-4", falling);
  expect_advice(
      "--train people.csv --drop who --recipe none --layers auto-64-64-auto --epochs 400 --lr 0.3 --batch 8 "
      "--val-fraction 0.4",
      rose);
  expect_advice("--train line.csv --recipe none --epochs 3 --norm-penalty 100 --lr 1e-5", penalty);
}

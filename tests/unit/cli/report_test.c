/* What a training tells: the object of --json, the end event, best epochs and warnings. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 150);
}

TestSuite(cli_report, .init = enter, .fini = tool_leave);

static json_t *train_json(const char *options) {
  char arguments[512];
  snprintf(arguments, sizeof arguments, "train --json %s", options);
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *object = tool_json_text(result.out); /* and nothing else */
  tool_free(&result);
  return object;
}

/* The last line of a metrics.jsonl, which is an "end" event, without the word itself. */
static json_t *end_event(const char *path) {
  char *text = tool_read(path, NULL), *line = text;
  for (char *at = text; (at = strchr(at, '\n')) != NULL && at[1] != '\0';) line = ++at;
  json_t *event = tool_json_text(line);
  cr_assert_str_eq(json_string_value(json_object_get(event, "event")), "end");
  (void)json_object_del(event, "event");
  free(text);
  return event;
}

/* A member at a path such as "data.target.kind"; fails without it. */
static const json_t *member(const json_t *object, const char *path) {
  char key[64];
  const char *at = path;
  while (*at != '\0') {
    const size_t n = strcspn(at, ".");
    snprintf(key, sizeof key, "%.*s", (int)n, at);
    object = json_object_get(object, key);
    cr_assert(object != NULL, "no %s in %s", key, path);
    at += n + (at[n] == '.');
  }
  return object;
}

static double number(const json_t *object, const char *path) {
  return json_number_value(member(object, path));
}

static const char *text(const json_t *object, const char *path) {
  return json_string_value(member(object, path));
}

static bool warns(const json_t *object, const char *part) {
  size_t i;
  json_t *warning;
  json_array_foreach(member(object, "warnings"), i, warning) {
    if (strstr(json_string_value(warning), part) != NULL) return true;
  }
  return false;
}

Test(cli_report, json_is_one_object_that_the_end_event_holds_too) {
  json_t *object = train_json("--train iris.csv --val-fraction 0.2 --test iris.csv --epochs 3 --out run");
  json_t *event = end_event("run/metrics.jsonl");
  cr_assert(json_equal(object, event));

  cr_assert_str_eq(text(object, "reason"), "epochs");
  cr_assert_eq(number(object, "data.rows"), 120);
  cr_assert_eq(number(object, "data.validation_rows"), 30);
  cr_assert_eq(number(object, "data.test_rows"), 150);
  cr_assert_eq(number(object, "data.rows_left_out"), 0);
  cr_assert_str_eq(text(object, "data.delimiter"), ",");
  cr_assert(json_is_true(member(object, "data.header")));
  cr_assert_eq(json_array_size(member(object, "data.columns")), 4);
  cr_assert_eq(json_array_size(member(object, "data.target.classes")), 3);
  cr_assert_eq(json_array_size(member(object, "net.widths")), 3);
  cr_assert_str_eq(text(object, "recipe"), "table");
  cr_assert_str_eq(text(object, "options.optimizer"), "adam");
  cr_assert_eq(number(object, "options.epochs"), 3);
  cr_assert_eq(json_array_size(member(object, "metrics.test.confusion")), 3);
  cr_assert(number(object, "metrics.train.accuracy") > 0.3);
  cr_assert_eq(number(object, "metrics.validation.rows"), 30);
  cr_assert_str_eq(text(object, "saved"), "run/model.safetensors");
  cr_assert_eq(number(object, "regularization.boxed_weights"), 0);

  json_decref(object);
  json_decref(event);
}

Test(cli_report, numbers_have_their_metrics) {
  tool_write_line("line.csv", 90);
  json_t *object = train_json("--train line.csv --test line.csv --quiet");
  const double rmse = number(object, "metrics.test.rmse"), mae = number(object, "metrics.test.mae");
  cr_assert(mae > 0 && mae <= rmse);
  cr_assert(number(object, "metrics.test.r2") > 0.5);
  cr_assert(json_is_null(member(object, "best_epoch")) && json_is_null(member(object, "saved")));
  cr_assert_str_eq(text(object, "data.target.kind"), "numbers");
  json_decref(object);
}

Test(cli_report, says_what_was_dropped_filled_and_grouped) {
  FILE *stream = fopen("mixed.csv", "w");
  cr_assert(stream != NULL);
  fputs("id,age,color,when,kind\n", stream);
  for (int i = 0; i < 60; i++) {
    fprintf(stream, "%d,%s,%c,2026-11-%02d,%s\n", i, i % 7 == 0 ? "" : (i % 2 == 0 ? "1.5" : "2.5"), 'a' + i % 5,
            1 + i % 28, i == 3 ? "" : (i % 2 == 0 ? "even" : "odd"));
  }
  fclose(stream);

  json_t *object = train_json("--train mixed.csv --max-categories 3 --test mixed.csv --steps 20 --quiet");
  const json_t *columns = member(object, "data.columns");
  cr_assert_str_eq(text(json_array_get(columns, 0), "role"), "dropped");
  cr_assert(strstr(text(json_array_get(columns, 0), "reason"), "id") != NULL);
  cr_assert(json_is_true(member(json_array_get(columns, 1), "marks_gaps")));
  cr_assert_eq(number(json_array_get(columns, 1), "gaps"), 9);
  cr_assert_eq(number(json_array_get(columns, 2), "grouped"), 2);
  cr_assert_str_eq(text(json_array_get(columns, 3), "kind"), "date");
  cr_assert_eq(number(object, "data.rows_left_out"), 1);
  json_decref(object);
}

Test(cli_report, an_interrupted_run_has_an_object_without_metrics) {
  pid_t pid = tool_start("train --json --train iris.csv --epochs 1000000 --steps 100000000 --out run", "long");
  while (!tool_exists("run/metrics.jsonl")) usleep(10000);
  usleep(50000);
  cr_assert_eq(kill(pid, SIGINT), 0);
  tool_result result = tool_wait(pid, "long");
  cr_assert_eq(result.code, 130, "%s", result.err);
  json_t *object = tool_json_text(result.out);
  cr_assert_str_eq(text(object, "reason"), "interrupted");
  cr_assert(json_is_null(member(object, "metrics.train")));
  json_decref(object);
  tool_free(&result);
}

/* ---- best epoch ----------------------------------------------------------------------------------------------- */

/* The lowest val_loss of a metrics.jsonl and its epoch. */
static double lowest(const char *path, json_int_t *epoch) {
  char *lines = tool_read(path, NULL), *rest = NULL;
  double best = 1e300;
  for (char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    json_t *event = tool_json_text(line);
    const json_t *loss = json_object_get(event, "val_loss");
    if (loss != NULL && json_number_value(loss) < best) {
      best = json_number_value(loss);
      *epoch = json_integer_value(json_object_get(event, "epoch"));
    }
    json_decref(event);
  }
  free(lines);
  return best;
}

/* iris.csv with the labels of other rows: the better the net, the worse its loss here. */
static void write_wrong(const char *path) {
  char *rows = tool_read("iris.csv", NULL), *rest = NULL;
  FILE *stream = fopen(path, "w");
  cr_assert(stream != NULL);
  for (char *line = strtok_r(rows, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    char *label = strrchr(line, ',') + 1;
    if (*label >= '0' && *label <= '2') *label = (char)('0' + (*label - '0' + 1) % 3);
    fprintf(stream, "%s\n", line);
  }
  fclose(stream);
  free(rows);
}

Test(cli_report, the_best_epoch_is_told_without_patience) {
  json_int_t epoch = 0;
  write_wrong("wrong.csv");
  json_t *object = train_json("--train iris.csv --val wrong.csv --recipe none --lr 0.1 --epochs 12 --quiet --out run");
  const double loss = lowest("run/metrics.jsonl", &epoch);
  cr_assert(epoch > 0 && epoch < 12, "epoch %d", (int)epoch);
  cr_assert_eq(number(object, "best_epoch.epoch"), (double)epoch);
  cr_assert_eq(number(object, "best_epoch.validation_loss"), loss);
  cr_assert(json_is_false(member(object, "best_epoch.kept")));
  cr_assert(json_is_false(member(object, "best_epoch.class_weighted")));
  cr_assert(number(object, "metrics.validation.loss") != loss); /* those of the last step */
  json_decref(object);

  tool_result result = tool_run("train --train iris.csv --val wrong.csv --recipe none --lr 0.1 --epochs 12 --quiet");
  SAYS(result.out, "with validation loss ");
  SAYS(result.out, "those of the last step were kept, see --patience");
  tool_free(&result);

  object = train_json("--train iris.csv --val wrong.csv --recipe none --lr 0.1 --epochs 12 --patience 12");
  cr_assert_eq(number(object, "best_epoch.epoch"), (double)epoch);
  cr_assert(json_is_true(member(object, "best_epoch.kept")));
  cr_assert_eq(number(object, "metrics.validation.loss"), loss);
  json_decref(object);
}

Test(cli_report, a_weighted_loss_is_called_weighted) {
  tool_result result = tool_run(
      "train --train iris.csv --val-fraction 0.2 --recipe none --epochs 2 --class-weights 1,5,1 --out weighted");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "val weighted loss ");
  SAYS(result.err, "train weighted loss ");
  SAYS(result.out, "with weighted validation loss ");
  SAYS(result.out, "without class weights");
  tool_free(&result);
  char *lines = tool_read("weighted/metrics.jsonl", NULL);
  SAYS(lines, "\"class_weighted\":true");
  free(lines);
  json_t *event = end_event("weighted/metrics.jsonl");
  cr_assert(json_is_true(member(event, "best_epoch.class_weighted")));

  /* The one without weights is that of eval. */
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --class-weights 1,5,1 --test iris.csv --out again");
  json_t *again = end_event("again/metrics.jsonl");
  result = tool_run("eval --model again --data iris.csv --json");
  json_t *evaluated = tool_json_text(result.out);
  cr_assert_eq(number(evaluated, "loss"), number(again, "metrics.test.loss"));
  cr_assert(json_equal(member(evaluated, "confusion"), member(again, "metrics.test.confusion")));
  json_decref(evaluated);
  json_decref(again);
  json_decref(event);
  tool_free(&result);

  result = tool_run("train --train iris.csv --val-fraction 0.2 --recipe none --epochs 2");
  SAYS_NOT(result.err, "weighted");
  SAYS_NOT(result.out, "weighted");
  tool_free(&result);
}

/* ---- warnings ------------------------------------------------------------------------------------------------- */

Test(cli_report, warns_of_classes_of_few_rows) {
  char table[1024] = "x,y\n";
  for (int i = 0; i < 40; i++) snprintf(table + strlen(table), 16, "%d,%s\n", i, i == 7 ? "rare" : i < 20 ? "a" : "b");
  tool_write_text("few.csv", table);
  json_t *object = train_json("--train few.csv --steps 5 --test few.csv");
  cr_assert(warns(object, "1 class of fewer than 5 training rows, hard to learn and to judge: \"rare\" (1)"));
  json_decref(object);

  tool_result result = tool_run("train --train iris.csv --steps 5 --test iris.csv");
  SAYS_NOT(result.err, "fewer than");
  tool_free(&result);
}

Test(cli_report, warns_of_scales_that_lie_far_apart) {
  char table[2048] = "small,large,y\n";
  for (int i = 0; i < 60; i++) snprintf(table + strlen(table), 32, "%g,%d,%c\n", i * 0.01, 1000 * i, 'a' + i % 2);
  tool_write_text("scales.csv", table);
  json_t *object = train_json("--train scales.csv --scale none --steps 5 --test scales.csv");
  cr_assert(warns(object, "the values of \"small\" span 0.59, those of \"large\" 5.9e+04"));
  json_decref(object);

  object = train_json("--train scales.csv --steps 5 --test scales.csv");
  cr_assert(!warns(object, "span"));
  json_decref(object);
}

Test(cli_report, warns_of_a_result_no_better_than_a_constant) {
  json_t *object = train_json("--train iris.csv --recipe none --lr 0 --epochs 1 --init-scheme zeros --test iris.csv");
  cr_assert(warns(object, "on the test rows is no better than always guessing the most frequent class (33.33 %)"));
  json_decref(object);

  tool_write_line("line.csv", 60);
  object = train_json("--train line.csv --recipe none --lr 0 --epochs 1 --init-scheme zeros --scale-target");
  cr_assert(warns(object, "on the train rows is no better than always guessing the mean"));
  json_decref(object);

  object = train_json("--train line.csv --test line.csv");
  cr_assert(!warns(object, "no better"));
  json_decref(object);
}

Test(cli_report, warns_of_classes_where_there_are_some) {
  FILE *file = fopen("whole.csv", "w");
  fputs("x,y\n", file);
  for (int i = 0; i < 40; i++) fprintf(file, "%d,%d\n", i, 3 * i + i * i % 7);
  fclose(file);
  json_t *object = train_json("--train whole.csv --steps 5 --cross-validate no"); /* numbers, if whole ones */
  cr_assert(!warns(object, "class"));
  json_decref(object);

  object = train_json("--train iris.csv --layers auto-8-5 --steps 5");
  cr_assert(warns(object, "the net has 5 outputs but iris.csv has 3 classes: the others are never right"));
  json_decref(object);
}

/* The score on new rows, estimated by cross-validation. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"
#include "vise/vise.h"

enum { N = 60, K = 5 };

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", N);
}

TestSuite(cli_estimate, .init = enter, .fini = tool_leave);

static json_t *train_json(const char *options) {
  char arguments[512];
  snprintf(arguments, sizeof arguments, "train --json --quiet %s", options);
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *object = tool_json_text(result.out);
  tool_free(&result);
  return object;
}

/* The member "estimate", or NULL for null; lives as long as object. */
static const json_t *estimate_of(const json_t *object) {
  const json_t *estimate = json_object_get(object, "estimate");
  cr_assert(estimate != NULL);
  return json_is_null(estimate) ? NULL : estimate;
}

static bool has_estimate(const char *options) {
  json_t *object = train_json(options);
  const bool has = estimate_of(object) != NULL;
  json_decref(object);
  return has;
}

static double score_of_fold(const json_t *estimate, size_t fold) {
  return json_number_value(json_array_get(json_object_get(estimate, "scores"), fold - 1));
}

Test(cli_estimate, comes_with_small_tables_and_leaves_the_model_as_it_is) {
  tool_result result = tool_run("train --train iris.csv --out with");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "on new rows     accuracy ");
  SAYS(result.out, "(estimated by 5-fold cross-validation)");
  tool_free(&result);

  result = tool_run("train --train iris.csv --cross-validate no --out without");
  SAYS_NOT(result.out, "on new rows");
  tool_free(&result);
  cr_assert(tool_same_bytes("with/model.safetensors", "without/model.safetensors"));
}

Test(cli_estimate, is_the_mean_of_its_folds) {
  json_t *object = train_json("--train iris.csv");
  const json_t *estimate = estimate_of(object);
  double mean = 0, squares = 0;
  for (size_t k = 1; k <= K; k++) mean += score_of_fold(estimate, k) / K;
  for (size_t k = 1; k <= K; k++) squares += pow(score_of_fold(estimate, k) - mean, 2) / K;
  cr_assert(fabs(json_number_value(json_object_get(estimate, "mean")) - mean) < 1e-12);
  cr_assert(fabs(json_number_value(json_object_get(estimate, "deviation")) - sqrt(squares)) < 1e-12);
  cr_assert_eq(json_array_size(json_object_get(estimate, "scores")), K);
  cr_assert_str_eq(json_string_value(json_object_get(estimate, "score")), "accuracy");
  json_decref(object);
}

/* The rows of line.csv that are in the fold, or those that are not, as a file. */
static void write_rows(const char *path, const size_t folds[N], size_t fold, bool in) {
  char *rows = tool_read("line.csv", NULL), *rest = NULL;
  FILE *stream = fopen(path, "w");
  cr_assert(stream != NULL);
  size_t i = 0;
  for (char *line = strtok_r(rows, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), i++) {
    if (i == 0 || (folds[i - 1] == fold) == in) fprintf(stream, "%s\n", line);
  }
  fclose(stream);
  free(rows);
}

/* Of the folds of line.csv; asserts that each is what a training with these options makes without its rows. */
static json_t *expect_folds(const char *how) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  size_t folds[N];
  cr_assert_eq(vise_table_read("line.csv", NULL, &table, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_table_folds(table, NULL, NULL, folds, N, &err), VISE_OK, "%s", err.text);
  vise_table_free(table);

  char options[384];
  snprintf(options, sizeof options, "--train line.csv %s", how);
  json_t *object = train_json(options);
  bool differ = false;

  for (size_t k = 1; k <= K; k++) {
    write_rows("kept.csv", folds, k, false);
    write_rows("held.csv", folds, k, true);
    snprintf(options, sizeof options, "--train kept.csv --test held.csv %s", how);
    json_t *single = train_json(options);
    const json_t *test = json_object_get(json_object_get(single, "metrics"), "test");
    cr_assert_eq(json_integer_value(json_object_get(test, "rows")), N / K);
    cr_assert_eq(json_number_value(json_object_get(test, "r2")), score_of_fold(estimate_of(object), k));
    differ = differ || score_of_fold(estimate_of(object), k) != score_of_fold(estimate_of(object), 1);
    json_decref(single);
  }
  cr_assert(differ);
  return object;
}

#define HOW "--steps 60 --decoupled-decay 1 --seed 3 --threads 1"

Test(cli_estimate, a_fold_is_a_training_without_its_rows) {
  tool_write_line("line.csv", N);
  json_decref(expect_folds(HOW));
}

/* y rises with x, so that a net that must fall with it is another; its signs are the same from a file. */
Test(cli_estimate, the_nets_of_folds_have_the_signs) {
  tool_write_line("line.csv", N);
  tool_expect_ok("train --train line.csv --monotone x=- --steps 1 --cross-validate no --quiet --out run");
  json_t *free_one = train_json("--train line.csv " HOW), *falls = expect_folds(HOW " --monotone x=-"),
         *signs = expect_folds(HOW " --sign run/signs.safetensors --cross-validate yes");
  const double fall = json_number_value(json_object_get(estimate_of(falls), "mean"));
  cr_assert(fall < 0.7 * json_number_value(json_object_get(estimate_of(free_one), "mean")), "%g", fall);
  cr_assert(json_equal(json_object_get(estimate_of(falls), "scores"), json_object_get(estimate_of(signs), "scores")));
  json_decref(free_one);
  json_decref(falls);
  json_decref(signs);
}

/* A category of few rows is missing in a fold, whose net has an input less. */
Test(cli_estimate, signs_for_other_sizes_are_told) {
  char text[2048];
  size_t n = (size_t)snprintf(text, sizeof text, "x,color,y\n");
  for (int i = 0; i < N; i++) {
    n += (size_t)snprintf(text + n, sizeof text - n, "%d,%s,%d\n", i * 7 % 11,
                          i == 7       ? "blue"
                          : i % 2 == 0 ? "red"
                                       : "green",
                          i * 7 % 11 + i % 3);
  }

  tool_write_text("line.csv", text);
  tool_expect_ok("train --train line.csv --monotone x=+ --steps 5 --cross-validate no --max-categories 9 --out run");
  tool_result result = tool_run("train --train line.csv --sign run/signs.safetensors --steps 5 --max-categories 9");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "note: the score on new rows cannot be estimated: --sign: without a fifth of the rows the net has");
  SAYS_NOT(result.out, "on new rows");
  tool_free(&result);

  result = tool_run("train --train line.csv --monotone x=+ --steps 5 --max-categories 9");
  SAYS(result.out, "on new rows     R^2");
  tool_free(&result);
}

Test(cli_estimate, is_off_where_rows_are_held_out_or_the_recipe_is) {
  tool_write_npy("x.npy", "y.npy", N);
  tool_write_classes("large.csv", 1000);
  cr_assert(!has_estimate("--train iris.csv --recipe none --epochs 2"));
  cr_assert(!has_estimate("--train iris.csv --test iris.csv --steps 5"));
  cr_assert(!has_estimate("--train iris.csv --val iris.csv --steps 5"));
  cr_assert(!has_estimate("--train iris.csv --test-fraction 0.2 --steps 5"));
  cr_assert(!has_estimate("--train x.npy --train-labels y.npy --epochs 2"));
  cr_assert(!has_estimate("--train large.csv --steps 5"));

  cr_assert(has_estimate("--train iris.csv --recipe none --epochs 2 --cross-validate yes"));
  cr_assert(has_estimate("--train iris.csv --test-fraction 0.2 --steps 5 --cross-validate yes"));
  cr_assert(has_estimate("--train large.csv --steps 5 --cross-validate yes"));
}

Test(cli_estimate, is_refused_where_it_cannot_be) {
  tool_write_npy("x.npy", "y.npy", N);
  tool_expect_refused("train --train iris.csv --val-fraction 0.2 --cross-validate yes",
                      "--cross-validate and --val-fraction contradict each other");
  tool_expect_refused("train --train iris.csv --val iris.csv --cross-validate yes", "contradict each other");
  tool_expect_refused("train --train x.npy --train-labels y.npy --cross-validate yes", "is for tables");

  /* What config.json says gives way. */
  tool_expect_ok("train --train iris.csv --steps 5 --quiet --out run");
  cr_assert(has_estimate("--config run/config.json"));
  cr_assert(!has_estimate("--config run/config.json --val-fraction 0.2"));
}

Test(cli_estimate, numbers_have_r2_and_rmse) {
  tool_write_line("line.csv", N);
  json_t *object = train_json("--train line.csv");
  const json_t *estimate = estimate_of(object);
  cr_assert_str_eq(json_string_value(json_object_get(estimate, "score")), "r2");
  cr_assert(json_number_value(json_object_get(estimate, "mean")) > 0.5);
  cr_assert_eq(json_array_size(json_object_get(estimate, "rmse")), K);
  json_decref(object);

  tool_result result = tool_run("train --train line.csv --quiet");
  SAYS(result.out, "on new rows     R^2 0.");
  SAYS(result.out, ", RMSE ");
  tool_free(&result);
}

/* A table whose rows are written by a function of their number. */
static void write_table(const char *header, int n_rows, void (*row)(FILE *stream, int i)) {
  FILE *stream = fopen("made.csv", "w");
  cr_assert(stream != NULL);
  fprintf(stream, "%s\n", header);
  for (int i = 0; i < n_rows; i++) row(stream, i);
  fclose(stream);
}

static void rare_row(FILE *stream, int i) {
  fprintf(stream, "%d,%c,%s\n", i % 7, "xyz"[i == 5 ? 2 : i % 2], i == 11 ? "lonely" : i % 3 == 0 ? "a" : "b");
}

static void code_row(FILE *stream, int i) {
  fprintf(stream, "%g,%d\n", i * 0.5, i % 6 == 5 ? 7 : i % 6);
}

Test(cli_estimate, survives_rare_classes_categories_and_codes) {
  write_table("n,c,y", 40, rare_row); /* a class, and a category, of one row */
  cr_assert(has_estimate("--train made.csv --steps 20"));
  write_table("x,y", 30, code_row); /* five rows a class: four of them are left, and they stay classes */
  json_t *object = train_json("--train made.csv --steps 20");
  cr_assert_str_eq(json_string_value(json_object_get(estimate_of(object), "score")), "accuracy");
  json_decref(object);
  cr_assert(has_estimate("--train iris.csv --class-weights 1,2,3 --steps 20"));
}

Test(cli_estimate, of_too_few_rows_there_is_none_but_a_note) {
  tool_write_text("tiny.csv", "x,y\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n");
  tool_result result = tool_run("train --train tiny.csv --steps 5");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "the score on new rows cannot be estimated: it takes at least 10 rows, and there are 7");
  SAYS_NOT(result.out, "on new rows");
  tool_free(&result);
}

Test(cli_estimate, a_signal_ends_it_and_the_model_stays) {
  pid_t pid = tool_start("train --train iris.csv --steps 20000 --out run", "long");
  for (int i = 0; i < 12000 && !tool_exists("run/model.safetensors"); i++) usleep(5000);
  cr_assert_eq(kill(pid, SIGINT), 0);
  tool_result result = tool_wait(pid, "long");
  cr_assert_eq(result.code, 130, "%d %s", result.code, result.err);
  SAYS(result.err, "interrupted while the score on new rows was estimated; the model is saved");
  SAYS(result.out, "ended by        steps");
  SAYS_NOT(result.out, "on new rows");
  tool_free(&result);
  tool_expect_ok("eval --model run --data iris.csv");
}

Test(cli_estimate, judges_what_is_no_better_than_a_guess) {
  json_t *object = train_json("--train iris.csv --lr 0 --init-scheme zeros --steps 5");
  const json_t *warnings = json_object_get(object, "warnings");
  cr_assert_eq(json_array_size(warnings), 2);
  SAYS(json_string_value(json_array_get(warnings, 0)), "in cross-validation is no better than always guessing");
  SAYS(json_string_value(json_array_get(warnings, 1)), "every weight of layer 0 is 0");
  json_decref(object);
}

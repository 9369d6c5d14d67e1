/* train --fold: one fit of a cross-validation, and --stop-after-epoch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"
#include "vise/vise.h"

enum { N = 60, K = 5 };

/* x is the row's number, which the mean of the training rows tells of; 12 patients of 5 rows, of two classes each. */
static void write_patients(const char *path) {
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL);
  fprintf(file, "x,patient,y\n");
  for (int i = 0; i < N; i++) fprintf(file, "%d,p%d,%s\n", i, i % 12, i / 12 % 2 == 0 ? "well" : "ill");
  fclose(file);
}

static void enter(void) {
  tool_enter();
  write_patients("patients.csv");
  tool_write_line("line.csv", N);
  tool_write_npy("x.npy", "y.npy", N);
}

TestSuite(cli_fold, .init = enter, .fini = tool_leave);

static json_t *train_json(const char *options) {
  char arguments[512];
  snprintf(arguments, sizeof arguments, "train --json --quiet %s", options);
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s: %s", options, result.err);
  json_t *object = tool_json_text(result.out);
  tool_free(&result);
  return object;
}

/* The same with a fold, "%d" in options being its number. */
static json_t *train_fold(const char *options, int fold) {
  char text[512];
  snprintf(text, sizeof text, "--fold %d/%d %s", fold, K, options);
  return train_json(text);
}

static long count_of(const json_t *object, const char *key) {
  return (long)json_integer_value(json_object_get(json_object_get(object, "data"), key));
}

static const json_t *column(const json_t *object, size_t c) {
  return json_array_get(json_object_get(json_object_get(object, "data"), "columns"), c);
}

/* Sum of x over the training rows, by the mean that x is shifted by. */
static double sum_of_x(const json_t *object) {
  return json_number_value(json_object_get(column(object, 0), "shift")) * (double)count_of(object, "rows");
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

/* The validation folds are all rows, each once; preprocessing knows the others alone. */
Test(cli_fold, folds_are_all_rows_and_each_is_unknown_to_its_net) {
  const double all = N * (N - 1) / 2.0;
  double held_out = 0;
  long n_held_out = 0;
  bool differ = false;

  for (int fold = 1; fold <= K; fold++) {
    json_t *object = train_fold("--train patients.csv --drop patient --steps 5", fold);
    const double sum = sum_of_x(object);
    cr_assert_eq(count_of(object, "rows") + count_of(object, "validation_rows"), N);
    n_held_out += count_of(object, "validation_rows");
    held_out += all - sum;
    differ = differ || fabs(all - sum - all / K) > 1;
    const json_t *validation = json_object_get(json_object_get(object, "metrics"), "validation");
    cr_assert_eq(json_integer_value(json_object_get(validation, "rows")), count_of(object, "validation_rows"));
    cr_assert_eq(json_number_value(json_object_get(object, "val_loss")),
                 json_number_value(json_object_get(validation, "loss")));
    cr_assert(json_is_null(json_object_get(object, "estimate")));
    json_decref(object);
  }
  cr_assert_eq(n_held_out, N);
  cr_assert(fabs(held_out - all) < 1e-6, "%g of %g", held_out, all);
  cr_assert(differ, "the mean of x says nothing of the rows");
}

/* The folds are those of the library's call, and of the estimate. */
Test(cli_fold, scores_are_those_of_the_estimate) {
  static const char how[] = "--train line.csv --steps 60 --decoupled-decay 1 --seed 3";
  json_t *whole = train_json(how);
  const json_t *scores = json_object_get(json_object_get(whole, "estimate"), "scores");
  for (int fold = 1; fold <= K; fold++) {
    json_t *object = train_fold(how, fold);
    const json_t *validation = json_object_get(json_object_get(object, "metrics"), "validation");
    cr_assert_eq(json_number_value(json_object_get(validation, "r2")),
                 json_number_value(json_array_get(scores, (size_t)fold - 1)), "fold %d", fold);
    json_decref(object);
  }
  json_decref(whole);
}

Test(cli_fold, depends_on_its_seed_and_repeat_alone) {
  static const char how[] = "--train patients.csv --drop patient --steps 5";
  static const char *const same[] = {"--seed 7", "--shuffle no", "--batch 7 --lr 0.5", "--fold-repeat 0 --fold-seed 0"};
  static const char *const others[] = {"--fold-repeat 1", "--fold-seed 1", "--stratify no"};
  char options[256];
  json_t *object = train_fold(how, 2);
  const double sum = sum_of_x(object);
  json_decref(object);

  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    snprintf(options, sizeof options, "%s %s", how, same[i]);
    object = train_fold(options, 2);
    cr_assert(fabs(sum_of_x(object) - sum) < 1e-6, "%s", same[i]);
    json_decref(object);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    snprintf(options, sizeof options, "%s %s", how, others[i]);
    object = train_fold(options, 2);
    cr_assert(fabs(sum_of_x(object) - sum) > 0.5, "%s", others[i]);
    json_decref(object);
  }
}

Test(cli_fold, is_told_of) {
  tool_result result = tool_run("train --train patients.csv --group patient --fold 2/4 --fold-repeat 3 --steps 5");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "data            patients.csv: 45 rows, 3 columns to 1 input, 2 classes\n");
  SAYS(result.out, "left out: patient, it is the --group\n");
  SAYS(result.out, "\nvalidation      fold 2 of 4, repeat 3: 15 rows\n");
  SAYS_NOT(result.out, "on new rows");
  tool_free(&result);

  json_t *object = train_json("--train patients.csv --fold 3/4 --fold-repeat 1 --fold-seed 9 --steps 5");
  const json_t *fold = json_object_get(json_object_get(object, "data"), "fold");
  cr_assert_eq(json_integer_value(json_object_get(fold, "number")), 3);
  cr_assert_eq(json_integer_value(json_object_get(fold, "folds")), 4);
  cr_assert_eq(json_integer_value(json_object_get(fold, "repeat")), 1);
  cr_assert_eq(json_integer_value(json_object_get(fold, "seed")), 9);
  cr_assert_eq(count_of(object, "rows_left_out"), 0);
  json_decref(object);
}

/* 12 groups of 5 rows: with 5 folds two have 3 of them. */
Test(cli_fold, groups_stay_together_and_are_no_feature) {
  long n_held_out = 0;
  for (int fold = 1; fold <= K; fold++) {
    json_t *object = train_fold("--train patients.csv --group patient --steps 5 --overwrite --out run", fold);
    const long n = count_of(object, "validation_rows");
    cr_assert(n == 10 || n == 15, "%ld", n);
    n_held_out += n;
    cr_assert_eq(count_of(object, "inputs"), 1);
    cr_assert_str_eq(json_string_value(json_object_get(column(object, 1), "role")), "dropped");
    json_decref(object);
  }
  cr_assert_eq(n_held_out, N);

  tool_write_text("new.csv", "x\n3\n50\n");
  tool_expect_ok("predict --model run --data new.csv --out answers.csv");
  tool_expect_refused("train --train patients.csv --group y --fold 1/2",
                      "column \"y\" is the target and the --group; it can be one of them");
  tool_expect_refused("train --train patients.csv --group x --features x,patient --fold 1/2",
                      "column \"x\" is in --features and the --group");
  tool_expect_refused("train --train patients.csv --group nobody --fold 1/2", "--group names \"nobody\"");
  tool_expect_refused("train --train patients.csv --group patient --fold 1/13",
                      "patients.csv: 12 groups in column \"patient\" are too few for 13 folds");
  tool_write_text("gap.csv", "x,g,y\n1,a,0.5\n2,,1.5\n3,b,2.5\n");
  tool_expect_refused("train --train gap.csv --group g --fold 1/2",
                      "gap.csv:3: column \"g\": the field is empty or a gap; every row needs a --group");
}

/* A model of --init knows nothing of groups, and is refused if it does. */
Test(cli_fold, groups_go_with_init) {
  tool_expect_ok("train --train patients.csv --drop patient --steps 5 --quiet --out without");
  json_t *object = train_json("--train patients.csv --init without/model.safetensors --group patient --fold 1/4");
  cr_assert_eq(count_of(object, "validation_rows"), 15);
  json_decref(object);
  tool_expect_ok("train --train patients.csv --steps 5 --quiet --out with");
  tool_expect_refused("train --train patients.csv --init with/model.safetensors --group patient --fold 1/4",
                      "--group and --init contradict each other: the column is a feature of that model");
}

Test(cli_fold, test_rows_are_taken_off_first) {
  json_t *plain = train_json("--train patients.csv --drop patient --test-fraction 0.25 --steps 5");
  double held_out = 0;
  for (int fold = 1; fold <= K; fold++) {
    json_t *object = train_fold("--train patients.csv --drop patient --test-fraction 0.25 --steps 5", fold);
    cr_assert_eq(count_of(object, "test_rows"), 15);
    cr_assert_eq(count_of(object, "rows") + count_of(object, "validation_rows"), 45);
    cr_assert_eq(count_of(object, "rows_left_out"), 0);
    held_out += sum_of_x(plain) - sum_of_x(object);
    json_decref(object);
  }
  cr_assert(fabs(held_out - sum_of_x(plain)) < 1e-6, "the others are in one fold each");
  json_decref(plain);
}

/* Blocks of 10 rows each: fold 2 is rows 20 to 29. */
Test(cli_fold, order_of_time_trains_on_the_past) {
  json_t *object = train_fold("--train patients.csv --drop patient --time-order --steps 5", 2);
  cr_assert_eq(count_of(object, "rows"), 20);
  cr_assert_eq(count_of(object, "validation_rows"), 10);
  cr_assert_eq(count_of(object, "rows_left_out"), 0);
  const json_t *fold = json_object_get(json_object_get(object, "data"), "fold");
  cr_assert_eq(json_integer_value(json_object_get(fold, "later_rows")), 30);
  cr_assert(fabs(sum_of_x(object) - 190) < 1e-9);
  json_decref(object);

  tool_result result = tool_run("train --train patients.csv --drop patient --time-order --fold 2/5 --steps 5");
  SAYS(result.out, "\nvalidation      fold 2 of 5: 10 rows, and 30 later rows left out\n");
  tool_free(&result);
}

/* Few of one class: whether whole numbers are classes is judged by all rows, not by those of a fold. */
Test(cli_fold, all_rows_say_what_the_target_is) {
  FILE *file = fopen("codes.csv", "w");
  cr_assert(file != NULL);
  fprintf(file, "x,y\n");
  for (int i = 0; i < 30; i++) fprintf(file, "%g,%d\n", i * 0.5, i % 6 == 5 ? 7 : i % 6);
  fclose(file);
  for (int fold = 1; fold <= K; fold++) {
    json_t *object = train_fold("--train codes.csv --steps 5", fold);
    cr_assert_eq(count_of(object, "classes"), 6);
    json_decref(object);
  }
}

/* Many rows have no further validation rows, and patience watches the fold. */
Test(cli_fold, takes_the_place_of_the_recipes_validation_rows) {
  tool_write_classes("many.csv", 1000);
  json_t *object = train_fold("--train many.csv --epochs 2 --out run", 1);
  cr_assert_eq(count_of(object, "rows") + count_of(object, "validation_rows"), 1000);
  cr_assert_eq(count_of(object, "validation_rows"), 200);
  json_decref(object);
  json_t *config = tool_json("run/config.json");
  cr_assert_str_eq(json_string_value(json_object_get(config, "fold")), "1/5");
  cr_assert(json_is_null(json_object_get(config, "val-fraction")));
  cr_assert_eq(json_integer_value(json_object_get(config, "patience")), 10);
  json_decref(config);
}

/* ---- arrays --------------------------------------------------------------------------------------------------- */

/* 20 rows of each of three classes. */
Test(cli_fold, arrays_have_folds_by_their_labels) {
  for (int fold = 1; fold <= 4; fold++) {
    char options[256];
    snprintf(options, sizeof options, "--train x.npy --train-labels y.npy --fold %d/4 --epochs 1", fold);
    json_t *object = train_json(options);
    const json_t *validation = json_object_get(json_object_get(object, "metrics"), "validation");
    cr_assert_eq(count_of(object, "rows"), 45);
    for (size_t k = 0; k < 3; k++) {
      const json_t *of_class = json_array_get(json_object_get(validation, "classes"), k);
      cr_assert_eq(json_integer_value(json_object_get(of_class, "rows")), 5);
    }
    json_decref(object);
  }

  tool_result result = tool_run("train --train x.npy --train-labels y.npy --test-fraction 0.5 --fold 2/3 --epochs 1");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "data            x.npy: 20 rows");
  SAYS(result.out, "\nvalidation      fold 2 of 3: 10 rows\n");
  tool_free(&result);
  tool_expect_refused("train --train x.npy --train-labels y.npy --fold 1/61",
                      "x.npy: 60 rows with a target are too few for 61 folds");
}

/* Whole numbers are no classes under a loss of numbers: each row, though alone with its number, is in a fold. */
Test(cli_fold, arrays_of_numbers_are_not_stratified) {
  char text[N * 8] = "n\n";
  for (int i = 0; i < N; i++) snprintf(text + strlen(text), 8, "%d\n", i);
  tool_write_text("n.csv", text);
  json_t *object = train_fold("--train x.npy --train-labels n.csv --loss mse --epochs 1", 1);
  cr_assert_eq(count_of(object, "validation_rows"), 12);
  json_decref(object);
  tool_expect_refused("train --train x.npy --train-labels y.npy --loss mse --group 0 --fold 1/2",
                      "--group and --train-labels contradict each other");
}

Test(cli_fold, a_table_has_folds_by_labels_of_their_own_file) {
  char text[N * 8] = "y\n";
  for (int i = 0; i < N; i++) snprintf(text + strlen(text), 8, "%d\n", i < 12);
  tool_write_text("labels.csv", text);
  json_t *object = train_fold("--train line.csv --train-labels labels.csv --layers 3-2 --steps 5", 1);
  const json_t *validation = json_object_get(json_object_get(object, "metrics"), "validation");
  const json_t *rare = json_array_get(json_object_get(validation, "classes"), 1);
  const long n = (long)json_integer_value(json_object_get(rare, "rows"));
  cr_assert(n == 2 || n == 3, "%ld", n);
  json_decref(object);

  tool_write_text("few.csv", "y\n0\n1\n");
  tool_expect_refused("train --train line.csv --train-labels few.csv --layers 3-2 --fold 1/2",
                      "few.csv: 2 rows of targets, but line.csv has 60 rows of features");
}

/* ---- what cannot be ------------------------------------------------------------------------------------------- */

Test(cli_fold, contradictions_are_refused) {
  static const struct {
    const char *options, *says;
  } rows[] = {
      {"--fold 2", "--fold '2': expected I/K, as in 2/5: fold I of K, K at least 2"},
      {"--fold a/5", "--fold 'a/5': expected I/K"},
      {"--fold 1/5x", "--fold '1/5x': expected I/K"},
      {"--fold 1/1", "--fold '1/1': expected I/K"},
      {"--fold 0/5", "--fold '0/5': folds are counted from 1 to 5"},
      {"--fold 6/5", "--fold '6/5': folds are counted from 1 to 5"},
      {"--fold 1/99999999999999999999", "expected I/K"},
      {"--fold 1/2 --val line.csv", "--fold and --val contradict each other"},
      {"--fold 1/2 --val-fraction 0.2", "--fold and --val-fraction contradict each other"},
      {"--fold 1/2 --cross-validate yes", "--cross-validate and --fold contradict each other"},
      {"--fold 1/2 --time-order --group patient", "--time-order and --group contradict each other"},
      {"--fold 1/2 --time-order --stratify yes", "--time-order and --stratify yes contradict each other"},
      {"--fold 1/2 --time-order --fold-repeat 1", "--time-order and --fold-repeat contradict each other"},
      {"--fold 1/2 --time-order --fold-seed 1", "--time-order and --fold-seed contradict each other"},
      {"--fold-repeat 1", "--fold-repeat needs --fold"},
      {"--fold-seed 0", "--fold-seed needs --fold"},
      {"--group patient", "--group needs --fold"},
      {"--time-order", "--time-order needs --fold"},
      {"--fold 1/61", "patients.csv: 60 rows with a target are too few for 61 folds"},
  };

  char arguments[256];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    snprintf(arguments, sizeof arguments, "train --train patients.csv %s", rows[i].options);
    tool_expect_refused(arguments, rows[i].says);
  }
  tool_expect_refused("train --train x.npy --group 0 --fold 1/2",
                      "--group is a column of a table, and x.npy is an array");
  tool_write_text("config.json", "{\"val-fraction\": 0.1}");
  tool_expect_refused("train --train patients.csv --config config.json --fold 1/2",
                      "--fold and --val-fraction contradict each other");
}

/* ---- going on ------------------------------------------------------------------------------------------------- */

static const char long_run[] =
    "train --train patients.csv --group patient --fold 3/4 --fold-seed 4 --fold-repeat 2 --epochs 6 --lr-schedule "
    "cosine "
    "--batch 8 --log-every 1 --quiet";

static void run_long(const char *more) {
  char arguments[512];
  snprintf(arguments, sizeof arguments, "%s %s", long_run, more);
  tool_expect_ok(arguments);
}

/* The first n lines of steps are the same in both. 45 rows: 6 steps in an epoch. */
static void expect_same_steps(const char *a, const char *b, int n) {
  char *first = tool_read(a, NULL), *second = tool_read(b, NULL), *rest[2] = {NULL};
  int n_steps = 0;
  char *x = strtok_r(first, "\n", &rest[0]), *y = strtok_r(second, "\n", &rest[1]);
  for (; x != NULL && y != NULL && n_steps < n;
       x = strtok_r(NULL, "\n", &rest[0]), y = strtok_r(NULL, "\n", &rest[1])) {
    if (strstr(x, "\"step\",") == NULL) continue;
    cr_assert_str_eq(x, y);
    n_steps++;
  }
  cr_assert_eq(n_steps, n);
  free(first);
  free(second);
}

Test(cli_fold, stop_after_epoch_leaves_the_rest_to_resume) {
  run_long("--out whole");
  run_long("--stop-after-epoch 2 --out part");
  json_t *config = tool_json("part/config.json");
  cr_assert_eq(json_integer_value(json_object_get(config, "stop-after-epoch")), 2);
  cr_assert_eq(json_integer_value(json_object_get(config, "epochs")), 6);
  json_decref(config);
  expect_same_steps("whole/metrics.jsonl", "part/metrics.jsonl", 12);
  cr_assert_not(tool_same_bytes("whole/model.safetensors", "part/model.safetensors"));

  /* Nothing is left to do up to there; then a later end, and none. */
  tool_result result = tool_run("train --resume part");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "ended by        stop-after-epoch (as asked)\ndone            12 steps, 2 epochs");
  tool_free(&result);
  tool_expect_ok("train --resume part --stop-after-epoch 3");
  tool_expect_ok("train --resume part --stop-after-epoch off");
  cr_assert(tool_same_bytes("whole/model.safetensors", "part/model.safetensors"));
  config = tool_json("part/config.json");
  cr_assert_str_eq(json_string_value(json_object_get(config, "fold")), "3/4");
  cr_assert_str_eq(json_string_value(json_object_get(config, "group")), "patient");
  cr_assert_eq(json_integer_value(json_object_get(config, "fold-seed")), 4);
  json_decref(config);

  tool_expect_refused("train --resume part --fold 2/4", "--fold cannot be changed by --resume");
  tool_expect_refused("train --resume part --fold-repeat 1", "--fold-repeat cannot be changed by --resume");
}

Test(cli_fold, of_time_and_of_arrays_go_on) {
  static const char *const data[] = {"--train patients.csv --drop patient --time-order",
                                     "--train x.npy --train-labels y.npy --fold-repeat 1"};
  static const char how[] = "--fold 2/4 --epochs 4 --batch 8 --lr-schedule linear --quiet";
  char arguments[512];
  for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
    snprintf(arguments, sizeof arguments, "train %s %s --overwrite --out whole", data[i], how);
    tool_expect_ok(arguments);
    snprintf(arguments, sizeof arguments, "train %s %s --stop-after-epoch 1 --overwrite --out part", data[i], how);
    tool_expect_ok(arguments);
    tool_expect_ok("train --resume part --stop-after-epoch off");
    cr_assert(tool_same_bytes("whole/model.safetensors", "part/model.safetensors"), "%s", data[i]);
  }
}

/* It ends a run by itself, and earlier reasons come first. */
Test(cli_fold, stop_after_epoch_is_a_limit_of_its_own) {
  tool_result result = tool_run("train --train x.npy --train-labels y.npy --epochs off --stop-after-epoch 3");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "ended by        stop-after-epoch (as asked)");
  SAYS(result.err, "epoch 3/3");
  tool_free(&result);
  result = tool_run("train --train x.npy --train-labels y.npy --epochs 2 --stop-after-epoch 3");
  SAYS(result.out, "ended by        epochs");
  tool_free(&result);
  result = tool_run("train --train x.npy --train-labels y.npy --epochs 2 --stop-after-epoch 2");
  SAYS(result.out, "ended by        epochs");
  tool_free(&result);
  tool_expect_refused("train --train x.npy --train-labels y.npy --epochs off --stop-after-epoch 3 --lr-schedule cosine",
                      "cosine needs --epochs or --steps");
  tool_expect_refused("train --train x.npy --train-labels y.npy --stop-after-epoch 0", "at least 1, or off");
}

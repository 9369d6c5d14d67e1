/* vise sweep: its fits are those of train --fold, scored as train and eval score. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
  tool_write_line("line.csv", 60);
  tool_write_npy("x.npy", "y.npy", 60);
}

TestSuite(cli_sweep, .init = enter, .fini = tool_leave);

/* Every stride-th fit of a sweep is that of train. */
static void expect_alone(const char *dir, const char *options, int k, size_t stride) {
  json_t *fits = sweep_fits(dir);
  cr_assert_gt(json_array_size(fits), 0);
  for (size_t i = 0; i < json_array_size(fits); i += stride) {
    const json_t *fit = json_array_get(fits, i);
    if (strcmp(json_string_value(json_object_get(fit, "status")), "stopped") == 0) continue;
    sweep_expect_alone(fit, options, k);
  }
  json_decref(fits);
}

static size_t n_fits(const char *dir) {
  json_t *fits = sweep_fits(dir);
  const size_t n = json_array_size(fits);
  json_decref(fits);
  return n;
}

/* ---- tables --------------------------------------------------------------------------------------------------------- */

Test(cli_sweep, fits_of_groups_are_those_of_train) {
  static const char how[] = "--train people.csv --group who --fold-seed 3 --seed 5 --steps 40";
  sweep_ok(
      "%s --vary layers=auto-6-auto,auto-4-4-auto --vary batch-norm=yes,no --vary scale=none,standard --folds 3 "
      "--repeats 2 --refit no --jobs 2 --out dir",
      how);
  cr_assert_eq(n_fits("dir"), 8 * 3 * 2);
  expect_alone("dir", how, 3, 5);
}

Test(cli_sweep, fits_in_order_of_time_are_those_of_train) {
  static const char how[] = "--train line.csv --time-order --epochs 6 --recipe none --optimizer adam --lr 0.05";
  sweep_ok("%s --vary patience=off,1 --vary dropout=0,0.2 --layers auto-5-auto --folds 3 --refit no --out dir", how);
  char options[256];
  snprintf(options, sizeof options, "%s --layers auto-5-auto", how);
  expect_alone("dir", options, 3, 1);
}

/* What is left to a recipe, a class by class, and a list that has commas. */
Test(cli_sweep, fits_with_lists_and_the_recipe_are_those_of_train) {
  static const char how[] = "--train people.csv --drop who --stratify no --steps 30";
  sweep_ok(
      "%s --vary clip-value=-1:0.5,off,0.1 --vary l2=off,1e-2 --vary missing=auto,error --folds 2 --refit no "
      "--out dir",
      how);
  cr_assert_eq(n_fits("dir"), 24);
  expect_alone("dir", how, 2, 5);
}

Test(cli_sweep, fits_limited_by_a_varied_epoch_are_those_of_train) {
  static const char how[] = "--train line.csv --recipe none --epochs 5 --batch 8";
  sweep_ok("%s --vary stop-after-epoch=off,1,3 --folds 2 --refit no --out dir", how);
  json_t *fits = sweep_fits("dir");
  cr_assert_eq(sweep_number(sweep_fit(fits, 0, 0, 1), "epochs"), 5);
  cr_assert_eq(sweep_number(sweep_fit(fits, 1, 0, 1), "epochs"), 1);
  json_decref(fits);
  expect_alone("dir", how, 2, 1);
}

/* What a weight operation needs may be what is varied. */
Test(cli_sweep, fits_of_varied_operations_are_those_of_train) {
  static const char prune[] = "--train line.csv --recipe none --epochs 3 --weight-op prune --weight-op-at epoch:2";
  sweep_ok("%s --vary weight-op-fraction=0.2,0.6 --folds 2 --refit no --out dir", prune);
  cr_assert_eq(n_fits("dir"), 4);
  expect_alone("dir", prune, 2, 1);

  static const char how[] = "--train line.csv --recipe none --epochs 3 --weight-op-t 0.5";
  sweep_ok(
      "%s --vary weight-op=rel-clip,rel-retain --vary weight-op-at=step:2,epoch:2 --folds 2 --refit no --overwrite "
      "--out dir",
      how);
  cr_assert_eq(n_fits("dir"), 8);
  expect_alone("dir", how, 2, 1);
  tool_expect_refused("sweep --train line.csv --recipe none --weight-op-at epoch:1 --vary weight-op=none,prune",
                      "--weight-op of --vary needs --weight-op-fraction");
}

/* A stall is counted over the rounds. */
Test(cli_sweep, fits_of_halving_that_stall_are_those_of_train) {
  static const char how[] =
      "--train people.csv --drop who --recipe none --optimizer adam --batch 16 --epochs 24 --layers auto-8-auto "
      "--stop-stall 2 --min-delta 0.03";
  sweep_ok("%s --vary lr=1e-4,1e-2,3e-2,0.3 --vary seed=0,7 --halving 2 --folds 2 --refit no --jobs 2 --out dir", how);

  json_t *fits = sweep_fits("dir");
  size_t n_stalled = 0;
  for (size_t i = 0; i < json_array_size(fits); i++) {
    const json_t *fit = json_array_get(fits, i);
    const bool is_ok = strcmp(json_string_value(json_object_get(fit, "status")), "ok") == 0;
    if (!is_ok) continue;
    const bool stalled = sweep_number(fit, "epochs") < 24;
    n_stalled += stalled && sweep_number(fit, "round") > 1;
    sweep_expect_alone(fit, how, 2);
  }
  cr_assert_gt(n_stalled, 0, "none stalled in a later round");
  json_decref(fits);
}

/* A fit that ended at its last rung is one that never stopped; the others are those that end after their epochs. */
Test(cli_sweep, fits_of_halving_are_those_of_train) {
  static const char how[] =
      "--train people.csv --drop who --recipe none --optimizer adam --batch 16 --epochs 9 --lr-schedule cosine "
      "--layers auto-8-auto --batch-norm --dropout 0.1 --weight-op prune --weight-op-fraction 0.2 --weight-op-at "
      "epoch:2";
  sweep_ok(
      "%s --vary lr=1e-3,1e-2,3e-2,0.1 --vary seed=0,7 --vary patience=off,2 --halving 2 --folds 2 --repeats 2 "
      "--refit no --jobs 3 --out dir",
      how);

  json_t *fits = sweep_fits("dir");
  size_t n_of_rung[5] = {0};
  for (size_t i = 0; i < json_array_size(fits); i++) {
    const json_t *fit = json_array_get(fits, i);
    const double rung = sweep_number(fit, "rung"), epochs = sweep_number(fit, "epochs");
    if (strcmp(json_string_value(json_object_get(fit, "status")), "stopped") == 0) {
      char options[512];
      snprintf(options, sizeof options, "%s --stop-after-epoch %g", how, epochs);
      cr_assert_eq(epochs, ceil(9 / pow(2, 4 - rung)), "rung %g: %g", rung, epochs);
      if (i % 16 == 0) sweep_expect_alone(fit, options, 2);
    } else if (n_of_rung[4] % 3 == 0) {
      sweep_expect_alone(fit, how, 2);
    }
    n_of_rung[(int)rung]++;
  }
  cr_assert_gt(n_of_rung[1], 16);
  cr_assert_gt(n_of_rung[4], 4);
  json_decref(fits);
  cr_assert_not(tool_exists("dir/states"));
}

/* Which go on: the better half by the mean over all folds. */
Test(cli_sweep, halving_takes_the_best_on) {
  sweep_ok(
      "--train line.csv --recipe none --epochs 8 --vary lr=1e-4,1e-3,1e-2,0.1,0.2 --halving 2 --folds 3 --refit no "
      "--jobs 1 --out dir");
  json_t *fits = sweep_fits("dir");
  static const size_t expected[] = {5, 3, 2};
  size_t at = 0;
  bool goes_on[5] = {true, true, true, true, true};

  for (size_t rung = 0; rung < 3; rung++) {
    double means[5] = {0};
    for (size_t i = 0; i < expected[rung] * 3; i++, at++) {
      const json_t *fit = json_array_get(fits, at);
      const int config = (int)sweep_number(fit, "config");
      cr_assert_eq(sweep_number(fit, "rung"), rung + 1);
      cr_assert(goes_on[config], "configuration %d at rung %zu", config, rung);
      means[config] += sweep_number(fit, "score") / 3;
    }
    for (int i = 0; i < 5; i++) {
      size_t n_better = 0;
      for (int k = 0; k < 5; k++) n_better += goes_on[k] && means[k] < means[i];
      goes_on[i] = goes_on[i] && n_better < (expected[rung] + 1) / 2;
    }
  }
  cr_assert_eq(at, json_array_size(fits));
  json_decref(fits);
}

/* ---- arrays and single splits --------------------------------------------------------------------------------------- */

Test(cli_sweep, fits_of_arrays_are_those_of_train) {
  static const char how[] = "--train x.npy --train-labels y.npy --epochs 4 --backend cpu64 --test-fraction 0.2";
  sweep_ok("%s --vary layers=3-5-3,3-3 --vary scale=none,standard --folds 4 --refit no --out dir", how);
  cr_assert_eq(n_fits("dir"), 16);
  expect_alone("dir", how, 4, 3);
}

Test(cli_sweep, one_fold_has_the_rows_of_val) {
  static const char of_file[] = "--train people.csv --val more.csv --steps 20";
  static const char of_fraction[] = "--train x.npy --train-labels y.npy --val-fraction 0.25 --epochs 3";
  sweep_write_people("more.csv", 30);
  sweep_ok("%s --vary l2=off,0.1 --folds 1 --refit no --out file", of_file);
  expect_alone("file", of_file, 1, 1);
  sweep_ok("%s --vary lr=0.1,0.2 --seed 4 --folds 1 --refit no --out fraction", of_fraction);
  char options[256];
  snprintf(options, sizeof options, "%s --seed 4", of_fraction);
  expect_alone("fraction", options, 1, 1);

  /* One fold has no error. */
  sweep_table results = sweep_results("file");
  cr_assert_str_eq(sweep_field(&results, 0, "se_test_score"), "");
  cr_assert_eq(sweep_value(&results, 0, "std_test_score"), 0);
  sweep_table_free(&results);
}

Test(cli_sweep, fits_from_a_model_are_those_of_train) {
  tool_expect_ok("train --train people.csv --drop who --layers auto-4-auto --steps 10 --quiet --out begun");
  static const char how[] = "--train people.csv --drop who --init begun/model.safetensors --steps 20";
  sweep_ok("%s --vary l2=off,0.1 --vary clamp=off,0.5 --folds 2 --out dir", how);
  expect_alone("dir", how, 2, 1);
  tool_expect_ok("predict --model dir/best --data people.csv --out answers.csv");
}

/* ---- what does not matter ------------------------------------------------------------------------------------------- */

Test(cli_sweep, jobs_change_nothing) {
  static const char how[] =
      "--train people.csv --drop who --steps 60 --vary lr=1e-3,1e-2,0.1 --vary "
      "layers=auto-5-auto,auto-auto --halving 3 --folds 3 --refit no --quiet";
  sweep_ok("%s --jobs 1 --out one", how);
  sweep_ok("%s --jobs 3 --out three", how);
  sweep_expect_same_fits("one", "three");
  char *one = sweep_results_without_times("one"), *three = sweep_results_without_times("three");
  cr_assert_str_eq(one, three);
  free(one);
  free(three);
}

/* Without a folder the states of halving are in nameless files, and the choice is the same. */
Test(cli_sweep, a_folder_changes_nothing) {
  static const char how[] =
      "--train line.csv --recipe none --epochs 4 --vary lr=1e-3,1e-2,0.1 --vary seed=1,2 --halving "
      "2 --folds 2 --json --refit no";
  tool_result with = sweep_run("%s --out dir", how);
  const size_t n_files = tool_count_files();
  tool_result without = sweep_run("%s", how);
  cr_assert_eq(with.code, 0, "%s", with.err);
  cr_assert_eq(without.code, 0, "%s", without.err);
  cr_assert_eq(tool_count_files(), n_files);

  json_t *a = tool_json_text(with.out), *b = tool_json_text(without.out);
  json_object_del(a, "seconds");
  json_object_del(b, "seconds");
  cr_assert(json_equal(a, b), "%s%s", with.out, without.out);
  cr_assert_eq(json_integer_value(json_object_get(a, "fits")), 12 + 6 + 4);
  json_decref(a);
  json_decref(b);
  tool_free(&with);
  tool_free(&without);
}

/* ---- scores ------------------------------------------------------------------------------------------------------------- */

/* A score of the validation rows in the last event of a training. */
static double score_alone(const json_t *end, const char *score) {
  const json_t *validation = json_object_get(json_object_get(end, "metrics"), "validation");
  const bool f1 = strcmp(score, "f1") == 0;
  if (!f1 && strcmp(score, "balanced-accuracy") != 0) return sweep_number(validation, score);

  /* As scikit-learn has them: over the classes that there are, of F1 also those that are predicted. */
  const json_t *classes = json_object_get(validation, "classes"), *confusion = json_object_get(validation, "confusion");
  double sum = 0, n = 0;
  for (size_t k = 0; k < json_array_size(classes); k++) {
    const json_t *of_class = json_array_get(classes, k);
    double n_predicted = 0;
    for (size_t i = 0; i < json_array_size(confusion); i++) {
      n_predicted += json_number_value(json_array_get(json_array_get(confusion, i), k));
    }
    if (sweep_number(of_class, "rows") == 0 && (!f1 || n_predicted == 0)) continue;
    sum += sweep_number(of_class, f1 ? "f1" : "recall");
    n++;
  }
  return sum / n;
}

static void expect_scored(const char *score, const char *vary, const char *options) {
  sweep_ok("%s --vary %s --score %s --folds 2 --refit no --overwrite --out dir", options, vary, score);
  json_t *fits = sweep_fits("dir");
  for (size_t i = 0; i < json_array_size(fits); i++) {
    const json_t *fit = json_array_get(fits, i);
    json_t *end = sweep_alone(fit, options, 2);
    const double got = sweep_number(fit, "score"), wanted = score_alone(end, score);
    cr_assert(fabs(got - wanted) < 1e-14, "%s: %.17g, alone %.17g", score, got, wanted);
    json_decref(end);
  }
  json_decref(fits);
}

Test(cli_sweep, scores_of_classes_are_those_of_train) {
  static const char *const scores[] = {"accuracy", "balanced-accuracy", "f1"};
  for (size_t i = 0; i < 3; i++) {
    expect_scored(scores[i], "class-weights=1,2,1;1,5,0.5;off",
                  "--train people.csv --drop who,kind --target color --steps 20");
  }
}

Test(cli_sweep, scores_of_two_classes_and_of_numbers_are_those_of_train) {
  static const char *const scores[] = {"rmse", "mae", "r2"};
  char text[60 * 2 + 3] = "y\n";
  for (int i = 0; i < 60; i++) strcat(text, i * 7 % 5 < 2 ? "0\n" : "1\n");
  tool_write_text("two.csv", text);
  expect_scored("auc", "l2=off,0.1", "--train x.npy --train-labels two.csv --layers 3-4-2 --epochs 3");
  for (size_t i = 0; i < 3; i++) expect_scored(scores[i], "scale-target=yes,no", "--train line.csv --steps 20");
}

/* Whole numbers that are to be predicted are no classes. */
Test(cli_sweep, the_start_tells_of_rows_and_classes) {
  tool_result result = sweep_run("--train people.csv --vary lr=0.01,0.1 --folds 2 --steps 4");
  SAYS(result.out, "people.csv: 72 rows");
  SAYS(result.out, "3 classes");
  tool_free(&result);
  tool_write_text("counts.csv", "x,y\n1,3\n2,5\n3,9\n4,1\n5,20\n6,11\n7,2\n8,8\n9,4\n");
  result = sweep_run("--train counts.csv --loss mse --vary lr=0.01,0.1 --folds 2 --steps 4");
  SAYS_NOT(result.out, "classes\n");
  tool_free(&result);
}

/* A plan trains nothing and leaves nothing behind. */
Test(cli_sweep, a_plan_tells_of_launches_and_memory) {
  tool_result result = sweep_run(
      "--train people.csv --vary lr=0.01,0.1 --vary layers=auto-8-auto,auto-6-5-auto --folds 3 --out p --plan");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert(strstr(result.out, "12 fits") != NULL, "%s", result.out);
  cr_assert(strstr(result.out, "-8-") != NULL && strstr(result.out, "-6-5-") != NULL, "%s", result.out);
  cr_assert(strstr(result.out, "6 nets in each") != NULL, "%s", result.out);
  cr_assert(strstr(result.out, "s expected") != NULL, "%s", result.out);
  tool_free(&result);
  cr_assert(access("p", F_OK) != 0);
}

/* vise sweep: results.csv, the winner, warnings, and the winner on all rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
  tool_write_line("line.csv", 60);
}

TestSuite(cli_sweep_choice, .init = enter, .fini = tool_leave);

#define LINE "--train line.csv --recipe none --quiet "
#define PEOPLE "--train people.csv --drop who --quiet "

static json_t *choice_of(const char *dir) {
  char path[256];
  snprintf(path, sizeof path, "%s/sweep.json", dir);
  json_t *root = tool_json(path), *choice = json_incref(json_object_get(root, "choice"));
  cr_assert(json_is_object(choice));
  json_decref(root);
  return choice;
}

/* ---- results.csv ------------------------------------------------------------------------------------------------------ */

static double squared(double x) {
  return x * x;
}

/* A row's numbers, by those of its splits. */
static void expect_summary(const sweep_table *results, size_t row, const json_t *fits, size_t n_repeats,
                           size_t n_folds) {
  const double n = (double)(n_repeats * n_folds);
  double sum = 0, squares = 0, error = 0, seconds = 0;
  for (size_t split = 0; split < n_repeats * n_folds; split++) {
    char name[64];
    const json_t *fit = sweep_fit(fits, (long)row, (long)(split / n_folds), (long)(split % n_folds) + 1);
    snprintf(name, sizeof name, "split%zu_test_score", split);
    cr_assert(sweep_value(results, row, name) == sweep_number(fit, "score"), "%s of row %zu", name, row);
    snprintf(name, sizeof name, "split%zu_train_score", split);
    const double value = sweep_value(results, row, name), wanted = sweep_number(fit, "train_score");
    cr_assert(value == wanted || (isnan(value) && isnan(wanted)), "%s of row %zu: %g", name, row, value);
    sum += sweep_number(fit, "score");
    seconds += sweep_number(fit, "seconds");
  }

  for (size_t repeat = 0; repeat < n_repeats; repeat++) {
    double of_repeat = 0, around = 0;
    for (size_t fold = 1; fold <= n_folds; fold++) {
      of_repeat += sweep_number(sweep_fit(fits, (long)row, (long)repeat, (long)fold), "score") / (double)n_folds;
    }
    for (size_t fold = 1; fold <= n_folds; fold++) {
      const double score = sweep_number(sweep_fit(fits, (long)row, (long)repeat, (long)fold), "score");
      around += squared(score - of_repeat);
      squares += squared(score - sum / n);
    }
    error += sqrt(around / ((double)n_folds - 1) / (double)n_folds) / (double)n_repeats;
  }
  cr_assert(fabs(sweep_value(results, row, "mean_test_score") - sum / n) < 1e-14);
  cr_assert(fabs(sweep_value(results, row, "std_test_score") - sqrt(squares / n)) < 1e-14);
  cr_assert(fabs(sweep_value(results, row, "se_test_score") - error) < 1e-14);
  cr_assert(fabs(sweep_value(results, row, "mean_fit_time") - seconds / n) < 1e-12);
}

Test(cli_sweep_choice, results_are_summed_up_as_scikit_learn_does) {
  sweep_ok(LINE
           "--vary l2=off,0.1 --vary scale-target=yes,no --vary clip-norm=off,1 --score rmse --folds 3 --repeats 2 "
           "--epochs 4 --refit no --out dir");
  sweep_table results = sweep_results("dir");
  json_t *fits = sweep_fits("dir");
  cr_assert_eq(results.n_rows, 8);
  cr_assert_eq(strncmp(results.text, "mean_fit_time", 13), 0);

  for (size_t row = 0; row < 8; row++) {
    size_t n_better = 0;
    expect_summary(&results, row, fits, 2, 3);
    for (size_t i = 0; i < 8; i++) {
      n_better += sweep_value(&results, i, "mean_test_score") < sweep_value(&results, row, "mean_test_score");
    }
    cr_assert_eq(sweep_value(&results, row, "rank_test_score"), n_better + 1);
    cr_assert_eq(sweep_value(&results, row, "config"), row);
    cr_assert_str_eq(sweep_field(&results, row, "param_l2"), row < 4 ? "off" : "0.1");
    cr_assert_str_eq(sweep_field(&results, row, "param_scale_target"), row / 2 % 2 == 0 ? "yes" : "no");
    cr_assert_str_eq(sweep_field(&results, row, "param_clip_norm"), row % 2 == 0 ? "off" : "1");
    cr_assert_eq(sweep_value(&results, row, "mean_epochs"), 4);
    cr_assert_eq(sweep_value(&results, row, "n_nonfinite"), 0);
    cr_assert_str_eq(sweep_field(&results, row, "mean_at_bound"), "");
  }
  json_decref(fits);
  sweep_table_free(&results);
}

Test(cli_sweep_choice, shares_of_weights_at_bounds_and_of_clipped_steps) {
  sweep_ok(LINE
           "--vary clamp=off,0.01,9 --vary clip-norm=1e-9,1e9 --folds 2 --epochs 30 --lr 0.1 --refit no --out dir");
  sweep_table results = sweep_results("dir");
  cr_assert_str_eq(sweep_field(&results, 0, "mean_at_bound"), "");
  cr_assert_eq(sweep_value(&results, 0, "mean_clipped_steps"), 1);
  cr_assert_eq(sweep_value(&results, 3, "mean_at_bound"), 1);
  cr_assert_eq(sweep_value(&results, 3, "mean_clipped_steps"), 0);
  cr_assert_eq(sweep_value(&results, 5, "mean_at_bound"), 0);
  sweep_table_free(&results);
}

/* Values with commas are quoted; a larger accuracy is better, and of equals both have the rank. */
Test(cli_sweep_choice, larger_scores_come_first) {
  sweep_ok(PEOPLE
           "--steps 20 --vary class-weights=1,1,1;1,9,1;9,1,1 --vary nonfinite=skip,halt --score accuracy --folds 2 "
           "--refit no --out dir");
  sweep_table results = sweep_results("dir");
  cr_assert_str_eq(sweep_field(&results, 2, "param_class_weights"), "1,9,1");
  for (size_t row = 0; row < 6; row++) {
    size_t n_better = 0;
    for (size_t i = 0; i < 6; i++) {
      n_better += sweep_value(&results, i, "mean_test_score") > sweep_value(&results, row, "mean_test_score");
    }
    cr_assert_eq(sweep_value(&results, row, "rank_test_score"), n_better + 1);
  }
  cr_assert_eq(sweep_value(&results, 0, "rank_test_score"), sweep_value(&results, 1, "rank_test_score"));
  sweep_table_free(&results);
}

/* ---- the winner ------------------------------------------------------------------------------------------------------- */

static void expect_winner(const char *options, const char *name, const char *value) {
  tool_result result = sweep_run(LINE "--folds 3 --epochs 40 --lr 0.1 --json %s", options);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *choice = tool_json_text(result.out);
  const json_t *params = json_object_get(json_object_get(choice, "winner"), "params");
  cr_assert_str_eq(json_string_value(json_object_get(params, name)), value, "%s: %s", options, result.out);
  json_decref(choice);
  tool_free(&result);
}

Test(cli_sweep_choice, one_se_takes_the_most_regularised) {
  expect_winner("--vary decoupled-decay=off,1e-3,2e-3,3", "decoupled-decay", "off");
  expect_winner("--vary decoupled-decay=off,1e-3,2e-3,3 --select one-se", "decoupled-decay", "2e-3");
  expect_winner("--vary l2=off,1e-9,1e-8 --select one-se", "l2", "1e-8");
  expect_winner("--vary clamp=1e9,1e8 --select one-se", "clamp", "1e8");
  expect_winner("--vary batch=30,29 --select one-se --complexity batch:max", "batch", "30");
  expect_winner("--vary batch=30,29 --select one-se --complexity batch:min", "batch", "29");
  sweep_refused("--complexity needs --select one-se", LINE "--vary l2=1,2 --complexity l2");
  sweep_refused("--complexity: there is no option 'nobody'", LINE "--vary l2=1,2 --select one-se --complexity nobody");
}

Test(cli_sweep_choice, is_told_as_json_and_kept_in_sweep_json) {
  tool_result result = sweep_run(LINE "--vary lr=0.01,0.1 --folds 2 --epochs 5 --json --out dir");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *told = tool_json_text(result.out), *kept = choice_of("dir");
  const char *name;
  json_t *value;
  json_object_foreach(kept, name, value) cr_assert(json_equal(value, json_object_get(told, name)), "%s", name);
  cr_assert_str_eq(json_string_value(json_object_get(told, "model")), "dir/best/model.safetensors");
  cr_assert_eq(json_integer_value(json_object_get(told, "fits")), 4);
  cr_assert_str_eq(json_string_value(json_object_get(told, "select")), "best");

  sweep_table results = sweep_results("dir");
  const json_t *winner = json_object_get(told, "winner");
  const size_t row = (size_t)sweep_number(winner, "config");
  cr_assert_eq(sweep_value(&results, row, "rank_test_score"), 1);
  cr_assert(sweep_value(&results, row, "mean_test_score") == sweep_number(winner, "score"));
  sweep_table_free(&results);
  json_decref(told);
  json_decref(kept);
  tool_free(&result);
}

Test(cli_sweep_choice, is_told_on_the_terminal) {
  tool_result result = sweep_run(
      "--train people.csv --group who --steps 5 --vary l2=off,1e-3,1e-2 --vary max-norm=off,2 "
      "--folds 3 --refit no");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "data            people.csv: 72 rows, ");
  SAYS(result.out, "sweep           6 configurations (grid: l2, max-norm), 3 folds: 18 fits, scored by loss\n");
  SAYS(result.out, "trained         18 fits in ");
  SAYS(result.out, "\n  5     ");
  SAYS_NOT(result.out, "\n  6     ");
  SAYS(result.out, "\nwinner (best)   ");
  tool_free(&result);

  /* Draws that are the same are one. */
  result =
      sweep_run(LINE "--vary batch=7..9:int --search random --configs 9 --epochs 2 --folds 2 --refit no --no-quiet");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out,
       "sweep           9 configurations (random: batch), 6 of them equal to earlier ones, 2 folds: 6 fits");
  const char *first = strstr(result.out, "batch=8");
  cr_assert(first != NULL);
  SAYS_NOT(first + 1, "batch=8\n  ");
  tool_free(&result);
}

/* ---- warnings ---------------------------------------------------------------------------------------------------------- */

static void expect_warned(const char *says, const char *options) {
  tool_result result = sweep_run(LINE "%s", options);
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, says);
  tool_free(&result);
}

Test(cli_sweep_choice, warnings) {
  expect_warned("the winner's lr, 1e-2, is at the upper edge of what was tried: larger values may be better",
                "--folds 2 --epochs 2 --vary lr=1e-4,1e-3,1e-2");
  expect_warned("the winner's lr, 0.1, is at the lower edge of what was tried: smaller values may be better",
                "--folds 2 --epochs 20 --batch full --vary lr=0.1,3,4");
  expect_warned("3 of 3 configurations are within one standard error of the best: their differences may be chance",
                "--folds 2 --epochs 2 --vary l2=1e-9,1e-8,1e-7");
  expect_warned("--patience chose each fit's epoch by the rows that score it, so the scores are a little too good",
                "--folds 2 --epochs 4 --patience 1 --vary l2=off,0.1");

  tool_result result = sweep_run(LINE "--folds 2 --epochs 50 --vary lr=1e-6,0.1,3 --json");
  SAYS_NOT(result.err, "edge");
  SAYS_NOT(result.err, "nonfinite");
  tool_free(&result);
}

/* Whatever they are scored by, a fit that is not finite is the worst, is named, and hurts no other. */
Test(cli_sweep_choice, fits_that_are_not_finite_are_named) {
  static const char *const scores[] = {"loss", "r2", "mae"};
  for (size_t i = 0; i < 3; i++) {
    tool_result result = sweep_run(LINE
                                   "--layers auto-16-16-16-auto --folds 2 --epochs 1 --batch full --vary "
                                   "lr=1e24,0.1 --score %s --overwrite --refit no --out dir",
                                   scores[i]);
    cr_assert_eq(result.code, 0, "%s: %s", scores[i], result.err);
    SAYS(result.err,
         "2 fits of 1 configuration were not finite and scored worst; the first is configuration 0 (lr=1e24), "
         "fold 1; fits.jsonl says why");
    tool_free(&result);

    json_t *fits = sweep_fits("dir");
    const json_t *fit = sweep_fit(fits, 0, 0, 2);
    cr_assert_str_eq(json_string_value(json_object_get(fit, "status")), "nonfinite");
    SAYS(json_string_value(json_object_get(fit, "error")), "not finite");
    cr_assert(json_is_null(json_object_get(fit, "score")));
    json_decref(fits);

    sweep_table results = sweep_results("dir");
    cr_assert_eq(sweep_value(&results, 0, "rank_test_score"), 2);
    cr_assert_eq(sweep_value(&results, 0, "n_nonfinite"), 2);
    cr_assert_eq(sweep_value(&results, 0, "mean_test_score"), i == 1 ? -INFINITY : INFINITY);
    cr_assert_eq(sweep_value(&results, 1, "rank_test_score"), 1);
    sweep_table_free(&results);
  }

  tool_result result =
      sweep_run(LINE "--layers auto-16-16-16-auto --folds 2 --epochs 1 --batch full --vary lr=1e24,1e25");
  cr_assert_eq(result.code, 1, "%d: %s", result.code, result.err);
  SAYS(result.err, "no configuration has finite scores on all folds; smaller learning rates");
  tool_free(&result);
}

/* ---- the winner on all rows -------------------------------------------------------------------------------------------- */

static json_t *end_of(const char *dir) {
  char path[256];
  snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
  char *text = tool_read(path, NULL), *line = strstr(text, "{\"event\":\"end\"");
  cr_assert(line != NULL);
  line[strcspn(line, "\n")] = '\0';
  json_t *end = tool_json_text(line);
  free(text);
  return end;
}

/* It is what train makes of its options; all values of text are inputs, one of which the training rows of a fold lack. */
Test(cli_sweep_choice, refit_is_train_on_all_rows) {
  sweep_ok(PEOPLE "--steps 30 --seed 3 --vary l2=1e-3 --vary lr=0.01 --folds 3 --out dir");
  tool_expect_ok("train " PEOPLE "--steps 30 --seed 3 --l2 1e-3 --lr 0.01 --out whole");
  cr_assert(tool_same_bytes("dir/best/model.safetensors", "whole/model.safetensors"));

  json_t *end = end_of("dir/best");
  const json_t *data = json_object_get(end, "data");
  cr_assert_eq(sweep_number(data, "rows"), 72);
  cr_assert_eq(sweep_number(data, "inputs"), 3 + 3);
  json_decref(end);
  sweep_ok(PEOPLE "--steps 30 --vary l2=1e-3,1e-2 --folds 2 --refit no --out without");
  cr_assert_not(tool_exists("without/best"));
}

Test(cli_sweep_choice, refit_has_no_group_and_tests_on_test_rows) {
  sweep_ok("--train people.csv --group who --steps 5 --vary drop=a,b --folds 3 --test-fraction 0.25 --quiet --out dir");
  json_t *end = end_of("dir/best");
  const json_t *data = json_object_get(end, "data");
  cr_assert_eq(sweep_number(data, "rows"), 54);
  cr_assert_eq(sweep_number(data, "test_rows"), 18);
  cr_assert_eq(sweep_number(data, "inputs"), 2 + 3);
  json_decref(end);

  tool_write_text("new.csv", "a,b,c,color\n1,2,3,red\n");
  tool_expect_ok("predict --model dir/best --data new.csv --out answers.csv");
  tool_write_text("comma.csv", "\"g,h\",x,z,y\n1,5,2,7\n2,4,3,8\n1,3,4,7.5\n2,3,3,8.5\n3,1,2,8\n3,9,9,9\n");
  sweep_ok("--train comma.csv --group g,h --drop z --steps 2 --vary l2=1,2 --folds 2 --quiet --out comma");
  end = end_of("comma/best");
  cr_assert_eq(sweep_number(json_object_get(end, "data"), "inputs"), 1);
  json_decref(end);
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

Test(cli_sweep_choice, refit_takes_the_median_of_the_best_epochs) {
  sweep_ok(LINE
           "--layers auto-8-auto --vary lr=0.2 --vary seed=4 --epochs 60 --batch 8 --patience 2 --folds 4 --out dir");
  json_t *fits = sweep_fits("dir"), *config = tool_json("dir/best/config.json"), *end = end_of("dir/best");
  double epochs[4];
  for (long i = 0; i < 4; i++) epochs[i] = sweep_number(sweep_fit(fits, 0, 0, i + 1), "best_epoch");
  qsort(epochs, 4, sizeof *epochs, by_size);
  cr_assert_lt(epochs[0], epochs[3]);

  cr_assert_eq(sweep_number(config, "stop-after-epoch"), epochs[2]);
  cr_assert_eq(sweep_number(config, "epochs"), 60);
  cr_assert(json_is_null(json_object_get(config, "patience")));
  cr_assert_eq(sweep_number(end, "epochs"), epochs[2]);
  cr_assert_eq(sweep_number(json_object_get(end, "data"), "rows"), 60);
  json_decref(fits);
  json_decref(config);
  json_decref(end);

  /* No epoch ended: nothing was the best. */
  sweep_ok(LINE "--vary lr=0.2 --steps 1 --batch 4 --patience 2 --folds 2 --out short");
}

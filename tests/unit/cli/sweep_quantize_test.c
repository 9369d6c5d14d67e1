/* Sweeps of nets in integers: each fit is the net that train makes, and is scored as that. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 80);
}

TestSuite(cli_sweep_quantize, .init = enter, .fini = tool_leave);

#define HOW "--train people.csv --drop who --layers auto-8-auto --epochs 12 "

/* Asserts that a fit has the score that train tells of the rows held out, digit for digit. */
static void expect_score(const json_t *fit, const char *name, const char *options) {
  if (strcmp(name, "loss") == 0) sweep_expect_alone(fit, options, 2);
  json_t *end = sweep_alone(fit, options, 2);
  const json_t *held_out = json_object_get(json_object_get(end, "metrics"), "validation");
  const double got = sweep_number(fit, "score"), wanted = sweep_number(held_out, name);
  cr_assert(got == wanted, "%s: %.17g, alone %.17g", name, got, wanted);
  json_decref(end);
}

static void expect_all(const char *name, const char *options, size_t n) {
  json_t *fits = sweep_fits("dir");
  cr_assert_eq(json_array_size(fits), n);
  for (size_t i = 0; i < n; i++) expect_score(json_array_get(fits, i), name, options);
  json_decref(fits);
}

/* The loss that is watched on the way is of floats, in which an output has no unit: with few bits there it differs. */
static bool differs_from_floats(const json_t *fit, const char *options) {
  json_t *end = sweep_alone(fit, options, 2);
  const json_t *best = json_object_get(end, "best_epoch");
  const bool differs = sweep_number(best, "validation_loss") != sweep_number(fit, "score");
  json_decref(end);
  return differs;
}

Test(cli_sweep_quantize, fits_are_those_of_train_with_a_format_for_all) {
  static const char *const backends[] = {"cpu", "cpu64"};
  for (size_t i = 0; i < 2; i++) {
    char options[256];
    snprintf(options, sizeof options, HOW "--backend %s --quantize int8,acc14,in5", backends[i]);
    sweep_ok("%s --vary l2=off,1e-2 --folds 2 --jobs 2 --refit no --overwrite --out dir", options);
    expect_all("loss", options, 4);

    json_t *fits = sweep_fits("dir");
    bool differs = false;
    for (size_t k = 0; k < 4; k++) differs = differs || differs_from_floats(json_array_get(fits, k), options);
    cr_assert(differs);
    json_decref(fits);
  }
}

Test(cli_sweep_quantize, fits_are_those_of_train_where_formats_are_varied) {
  static const char *const backends[] = {"cpu", "cpu64"}, *const scores[] = {"loss", "accuracy"};
  for (size_t i = 0; i < 2; i++) {
    char options[256];
    snprintf(options, sizeof options, HOW "--backend %s", backends[i]);
    sweep_ok(
        "%s --vary quantize=off;int8,acc16;int8,acc12,act3 --score %s --folds 2 --jobs 2 --refit no --overwrite "
        "--out dir",
        options, scores[i]);
    expect_all(scores[i], options, 6);
  }
}

/* The losses of a net in floats and of one in integers are both those of training, so that they can be compared. */
Test(cli_sweep_quantize, losses_are_weighted_by_class) {
  static const char options[] = HOW "--backend cpu --class-weights 1,40,1";
  sweep_ok("%s --vary quantize=off;int8,acc16 --folds 2 --jobs 2 --refit no --out dir", options);
  json_t *fits = sweep_fits("dir");
  cr_assert_eq(json_array_size(fits), 4);
  for (size_t i = 0; i < 4; i++) sweep_expect_alone(json_array_get(fits, i), options, 2);

  double sums[2] = {0, 0};
  for (size_t i = 0; i < 4; i++) {
    const json_t *fit = json_array_get(fits, i);
    sums[(size_t)sweep_number(fit, "config")] += sweep_number(fit, "score");
  }
  cr_assert(fabs(sums[0] - sums[1]) < 0.05 * sums[0], "in floats %g, in integers %g", sums[0], sums[1]);
  json_decref(fits);
}

/* A score that only the model can tell. */
Test(cli_sweep_quantize, f1_is_that_of_the_integers) {
  sweep_ok(HOW
           "--backend cpu --vary quantize=int8,acc10,act2,in2;int8,acc16 --score f1 --folds 2 --refit no --out dir");
  json_t *fits = sweep_fits("dir");
  for (size_t i = 0; i < json_array_size(fits); i++) {
    const json_t *fit = json_array_get(fits, i);
    json_t *end = sweep_alone(fit, HOW "--backend cpu", 2);
    const json_t *classes = json_object_get(json_object_get(json_object_get(end, "metrics"), "validation"), "classes");
    double sum = 0;
    for (size_t k = 0; k < json_array_size(classes); k++) sum += sweep_number(json_array_get(classes, k), "f1");
    cr_assert(fabs(sweep_number(fit, "score") - sum / (double)json_array_size(classes)) < 1e-14);
    json_decref(end);
  }
  json_decref(fits);
}

/* Those that go on from a rung, with the scales that they had. */
Test(cli_sweep_quantize, fits_of_halving_are_those_of_train) {
  sweep_ok(
      HOW
      "--backend cpu --quantize int8,acc12,act4 --vary lr=1e-3,1e-2,3e-2,0.1 --halving 2 --folds 2 --jobs 2 --refit "
      "no --out dir");
  json_t *fits = sweep_fits("dir");
  size_t n_last = 0;
  for (size_t i = 0; i < json_array_size(fits); i++) {
    const json_t *fit = json_array_get(fits, i);
    const bool stopped = strcmp(json_string_value(json_object_get(fit, "status")), "stopped") == 0;
    char options[256];
    snprintf(options, sizeof options, HOW "--backend cpu --quantize int8,acc12,act4 --stop-after-epoch %g",
             sweep_number(fit, "epochs"));
    expect_score(fit, "loss", options);
    n_last += !stopped;
  }
  cr_assert_gt(n_last, 0);
  json_decref(fits);
}

Test(cli_sweep_quantize, the_winner_is_a_net_in_integers) {
  sweep_ok(HOW "--backend cpu --vary quantize=int8,acc14;int8,acc16 --folds 2 --out dir");
  tool_result result = tool_run("export --model dir/best --format c --out c");
  cr_assert_eq(result.code, 0, "%s", result.err);
  tool_free(&result);
}

Test(cli_sweep_quantize, a_plan_has_them_on_the_cpu) {
  tool_result result = sweep_run(HOW "--vary quantize=off;int8,acc16;int8,acc14,act4 --folds 2 --plan");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "-8-3: 2 fits of ");
  SAYS(result.out, "in integers     4 fits: not on a GPU, but on the CPU\n");
  tool_free(&result);
}

Test(cli_sweep_quantize, what_cannot_be_is_refused) {
  sweep_refused("'int8' is no format: those have commas, so part them by semicolons", HOW "--vary quantize=int8,acc16");
  sweep_refused("configuration 1 (quantize=int8,acc9)", HOW "--vary quantize=off;int8,acc9");
  sweep_refused("--clamp: not with --quantize", HOW "--quantize int8,acc16 --vary clamp=off,1");
  sweep_refused("training is for weights of 8 bits", HOW "--vary quantize=off;int16,acc32");
  sweep_refused("--quantize: a sweep trains integer nets on the CPU",
                HOW "--backend cuda --quantize int8,acc16 --vary l2=0,1");
}

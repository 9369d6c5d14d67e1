/* Means, errors, ranks and the choice, against numbers worked out by hand. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/support/unit.h"
#include "vise/search.h"

static vise_scores scores_of(const double *values, size_t n_configs, size_t n_repeats, size_t n_folds) {
  vise_scores scores;
  vise_scores_init(&scores);
  scores.values = values;
  scores.n_configs = n_configs;
  scores.n_repeats = n_repeats;
  scores.n_folds = n_folds;
  return scores;
}

Test(scores, mean_and_error_of_one_repeat) {
  /* Deviations -2, -1, 0, 3: sd = sqrt(14 / 3), divided by sqrt(4). */
  static const double values[] = {1, 2, 3, 6, 0.5, 0.5, 0.5, 0.5};
  const vise_scores scores = scores_of(values, 2, 1, 4);
  vise_error err = VISE_ERROR_INIT;
  double means[2], errors[2];
  EXPECT_OK(vise_scores_summarize(&scores, means, errors, &err), err);

  EXPECT_NEAR(means[0], 3, 0);
  EXPECT_NEAR(errors[0], 1.0801234497346435, 1e-15);
  EXPECT_NEAR(means[1], 0.5, 0);
  EXPECT_NEAR(errors[1], 0, 0);
}

Test(scores, errors_of_repeats_are_averaged) {
  /* Repeat 1: sd 1, error 1 / sqrt(3); repeat 2: sd 2, error 2 / sqrt(3). As six folds it would be 0.654. */
  static const double values[] = {1, 2, 3, 1, 3, 5};
  vise_scores scores = scores_of(values, 1, 2, 3);
  vise_error err = VISE_ERROR_INIT;
  double mean, error;
  EXPECT_OK(vise_scores_summarize(&scores, &mean, &error, &err), err);
  EXPECT_NEAR(mean, 2.5, 0);
  EXPECT_NEAR(error, 0.8660254037844386, 1e-15);

  scores.larger_is_better = true;
  EXPECT_OK(vise_scores_summarize(&scores, &mean, &error, &err), err);
  EXPECT_NEAR(mean, 2.5, 0);
  EXPECT_NEAR(error, 0.8660254037844386, 1e-15);
}

Test(scores, what_is_not_finite_is_worst) {
  static const double values[] = {1, NAN, 2, INFINITY, 3, -INFINITY, 4, 4};
  vise_scores scores = scores_of(values, 4, 1, 2);
  vise_error err = VISE_ERROR_INIT;
  double means[4], errors[4];
  size_t ranks[4], winner = 9;

  for (int larger = 0; larger < 2; larger++) {
    scores.larger_is_better = larger;
    EXPECT_OK(vise_scores_summarize(&scores, means, errors, &err), err);
    EXPECT_OK(vise_scores_rank(&scores, ranks, &err), err);
    EXPECT_OK(vise_scores_choose(&scores, VISE_SELECT_BEST, NULL, 0, &winner, &err), err);
    for (size_t i = 0; i < 3; i++) {
      cr_expect(isinf(means[i]) && (means[i] < 0) == larger && isnan(errors[i]) && ranks[i] == 2, "%zu: %g", i,
                means[i]);
    }
    cr_expect(ranks[3] == 1 && winner == 3);
  }
}

Test(scores, without_a_finite_one_there_is_no_choice) {
  static const double values[] = {NAN, INFINITY};
  const vise_scores scores = scores_of(values, 2, 1, 1);
  vise_error err = VISE_ERROR_INIT;
  size_t winner = 9;
  EXPECT_ERROR(vise_scores_choose(&scores, VISE_SELECT_BEST, NULL, 0, &winner, &err), &err, VISE_ERR_VALUE,
               "none of the 2 configurations has a score that is finite on every fold");
  cr_expect_eq(winner, 9);
}

Test(scores, ranks_are_those_of_scikit_learn) {
  static const double values[] = {0.3, 0.1, 0.3, 0.2, NAN, 0.1, NAN};
  static const size_t smaller[] = {4, 1, 4, 3, 6, 1, 6}, larger[] = {1, 4, 1, 3, 6, 4, 6};
  vise_scores scores = scores_of(values, 7, 1, 1);
  vise_error err = VISE_ERROR_INIT;
  size_t ranks[7];

  EXPECT_OK(vise_scores_rank(&scores, ranks, &err), err);
  for (size_t i = 0; i < 7; i++) cr_expect_eq(ranks[i], smaller[i], "%zu: %zu", i, ranks[i]);

  scores.larger_is_better = true;
  EXPECT_OK(vise_scores_rank(&scores, ranks, &err), err);
  for (size_t i = 0; i < 7; i++) cr_expect_eq(ranks[i], larger[i], "%zu: %zu", i, ranks[i]);
}

static size_t choose(const vise_scores *scores, vise_select select, const double *keys, size_t n_keys) {
  vise_error err = VISE_ERROR_INIT;
  size_t winner = 99;
  EXPECT_OK(vise_scores_choose(scores, select, keys, n_keys, &winner, &err), err);
  return winner;
}

/* A path of strengths with two repeats of 4 folds. The best mean is that of configuration 1, 0.40; its errors are
   sqrt(0.0008 / 3 / 4) = 0.008165 and sqrt(0.0032 / 3 / 4) = 0.016330, on average 0.012247: the limit is 0.412247.
   As 8 folds the error would be 0.008452, and configuration 3 beyond the limit. */
static const double path[] = {
    0.42, 0.44, 0.42, 0.44, 0.42, 0.44, 0.42, 0.44, /* 0: 0.43 */
    0.38, 0.40, 0.40, 0.42, 0.36, 0.40, 0.40, 0.44, /* 1: 0.40 */
    0.40, 0.41, 0.40, 0.41, 0.40, 0.41, 0.40, 0.41, /* 2: 0.405 */
    0.41, 0.41, 0.41, 0.41, 0.41, 0.41, 0.41, 0.41, /* 3: 0.41 */
    0.41, 0.42, 0.41, 0.42, 0.41, 0.42, 0.41, 0.42, /* 4: 0.415 */
    0.41, 0.41, 0.41, 0.41, 0.41, 0.41, 0.41, 0.41, /* 5: 0.41 */
};

Test(scores, one_se_takes_the_most_regularised_within_an_error) {
  static const double keys[] = {0, 1, 2, 3, 4, 0.5};
  const vise_scores scores = scores_of(path, 6, 2, 4);
  vise_error err = VISE_ERROR_INIT;
  double means[6], errors[6];

  EXPECT_OK(vise_scores_summarize(&scores, means, errors, &err), err);
  EXPECT_NEAR(means[1], 0.40, 1e-15);
  EXPECT_NEAR(errors[1], 0.012247448713915891, 1e-14);
  cr_expect_eq(choose(&scores, VISE_SELECT_BEST, keys, 1), 1);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 3);
}

Test(scores, one_se_of_what_is_to_be_large) {
  static const double keys[] = {0, 1, 2, 3, 4, 0.5};
  double accuracies[sizeof path / sizeof *path];
  for (size_t i = 0; i < sizeof path / sizeof *path; i++) accuracies[i] = 1 - path[i];
  vise_scores scores = scores_of(accuracies, 6, 2, 4);
  scores.larger_is_better = true;

  cr_expect_eq(choose(&scores, VISE_SELECT_BEST, NULL, 0), 1);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 3);
}

Test(scores, keys_are_compared_one_after_the_other) {
  const vise_scores scores = scores_of(path, 6, 2, 4);
  const double second[] = {9, 9, 1, 1, 1, 1, 1, 2, 9, 9, 1, 2};            /* [6][2]: 3 and 5 are equal */
  const double nan_first[] = {9, 9, NAN, 5, NAN, 6, NAN, 1, 9, 9, NAN, 2}; /* 2 by the second key */
  const double nan_second[] = {9, 9, 0, 5, NAN, 6, NAN, 1, 9, 9, NAN, 2};  /* which is below 0 */
  const double nan_third[] = {9, 9, NAN, 6, 0, 5, NAN, 1, 9, 9, NAN, 2};
  const double with_infinity[] = {9, -1, -2, -INFINITY, 9, -0.5};

  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, second, 2), 3, "of equal means the first");
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, nan_first, 2), 2);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, nan_second, 2), 1);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, nan_third, 2), 2);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, with_infinity, 1), 5);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, (const double[]){9, 1, 1, 1, 9, 1}, 1), 1, "the better mean");
}

Test(scores, one_se_includes_its_limit) {
  static const double values[] = {0, 2, 2, 2, 2, 2.5}, keys[] = {0, 1, 2}; /* 1, with an error of 1 */
  vise_scores scores = scores_of(values, 3, 1, 2);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 1);

  static const double accuracies[] = {4, 2, 2, 2, 2, 1.5};
  scores.values = accuracies;
  scores.larger_is_better = true;
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 1);
}

Test(scores, one_se_of_equally_regularised_ones_is_the_better) {
  static const double values[] = {1.5, 1.5, 0, 2, 1.25, 1.25}, keys[] = {1, 1, 1};
  const vise_scores scores = scores_of(values, 3, 1, 2);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 1);
}

Test(scores, of_equals_the_first_is_best) {
  static const double values[] = {2, 1, 1, 3}, keys[] = {0, 0, 1, 2};
  const vise_scores scores = scores_of(values, 4, 1, 1);
  cr_expect_eq(choose(&scores, VISE_SELECT_BEST, NULL, 0), 1);
  cr_expect_eq(choose(&scores, VISE_SELECT_ONE_SE, keys, 1), 1, "one fold has no error: the best");
}

Test(scores, says_what_is_missing) {
  static const double values[] = {1};
  vise_scores scores = scores_of(values, 1, 1, 1);
  vise_error err = VISE_ERROR_INIT;
  size_t winner = 9;

  EXPECT_ERROR(vise_scores_choose(&scores, VISE_SELECT_ONE_SE, NULL, 1, &winner, &err), &err, VISE_ERR_USAGE,
               "keys is NULL, and one-se compares them");
  EXPECT_ERROR(vise_scores_choose(&scores, (vise_select)7, NULL, 1, &winner, &err), &err, VISE_ERR_USAGE,
               "select: 7 is not one of its 2 values");
  scores.n_folds = 0;
  EXPECT_ERROR(vise_scores_rank(&scores, &winner, &err), &err, VISE_ERR_USAGE, "`n_folds` 0: each must be at least 1");
  scores.values = NULL;
  EXPECT_ERROR(vise_scores_rank(&scores, &winner, &err), &err, VISE_ERR_USAGE, "`values` is NULL");
}

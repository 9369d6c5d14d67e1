/*
 * The main function of the native GPU tests. Without a usable GPU it runs nothing and exits with 77, which CTest
 * reports as skipped; with VISE_REQUIRE_GPU=1 that is a failure, and so are a skipped test and a program without tests.
 * --timeout applies to each test.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>
#include <criterion/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/device.h"

enum { SKIPPED = 77 };

static size_t n_run, n_skipped;

ReportHook(POST_ALL)(struct criterion_global_stats *stats) {
  n_run = stats->nb_tests;
  n_skipped = stats->tests_skipped;
}

/* Criterion 2.4 accepts the option and ignores it; a test with its own limit keeps it. */
static void limit_each(const struct criterion_test_set *tests, double seconds) {
  FOREACH_SET(struct criterion_suite_set * suite, tests->suites) {
    FOREACH_SET(struct criterion_test * test, suite->tests) {
      if (!(test->data->timeout > 0)) test->data->timeout = seconds;
    }
  }
}

static int run(int argc, char **argv, bool required) {
  struct criterion_test_set *tests = criterion_initialize();
  int code = 0;

  if (criterion_handle_args(argc, argv, true)) {
    if (criterion_options.timeout > 0) limit_each(tests, criterion_options.timeout);
    code = criterion_run_all_tests(tests) ? 0 : 1;
    if (n_run == 0 || (required && n_skipped > 0)) {
      fprintf(stderr, "%zu tests ran, %zu were skipped: that is no pass\n", n_run - n_skipped, n_skipped);
      code = 1;
    }
  }

  criterion_finalize(tests);
  return code;
}

/* Criterion runs each test in a process that starts at main, which it finds by name: it must not be hidden. */
__attribute__((visibility("default"))) int main(int argc, char **argv) {
  const char *why_not = NULL, *require = getenv("VISE_REQUIRE_GPU");
  const bool required = require != NULL && strcmp(require, "1") == 0;
  if (vise_i_cuda_find(&why_not) != NULL) return run(argc, argv, required);
  fprintf(stderr, "%s: %s\n", required ? "VISE_REQUIRE_GPU=1" : "skipped", why_not);
  return required ? 1 : SKIPPED;
}

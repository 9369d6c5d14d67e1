/* Every allocation by Vise fails once while the benchmark runs: it says so, leaks nothing, and reports no row that was
   not measured. */
#include <math.h>
#include <stdlib.h>

#include "host/bench/bench.h"
#include "tests/support/allocation_fault.h"
#include "tests/unit/train/rig.h"

typedef struct heard {
  size_t n_rows, n_notes;
} heard;

static void on_row(void *user, const vise_bench_row *row) {
  heard *h = user;
  h->n_rows++;
  cr_expect(row->verified && row->us_median > 0 && isfinite(row->steps_per_s));
}

static void on_note(void *user, const char *text) {
  heard *h = user;
  h->n_notes++;
  cr_expect(strstr(text, "left out: ") != NULL, "%s", text);
}

Test(bench_memory, every_allocation_may_fail) {
  const size_t widths[] = {4, 3, 2};
  const vise_bench_machine machine = {.n_rates = 0};
  vise_bench_case c;
  vise_bench_config config;
  heard h;

  OK(vise_bench_make_case(widths, 2, 3000, &c, &rig_err));
  vise_bench_config_init(&config);
  config.cases = &c;
  config.n_cases = 1;
  config.machine = &machine;
  config.modes = 1u << VISE_BENCH_CPU | 1u << VISE_BENCH_CPU64;
  config.seconds = 1e-4;
  config.n_threads = 1;
  config.report = on_row;
  config.note = on_note;
  config.user = &h;

  size_t i = 0, n_cases_left_out = 0, n_rows_left_out = 0;
  for (; i < 10000; i++) {
    vise_error err = VISE_ERROR_INIT;
    vise_bench_result result = {0, 0, 0};
    h = (heard){0, 0};

    fault_arm(i);
    const vise_status status = vise_bench_run(&config, &result, &err);
    fault_disarm();
    if (!fault.has_failed) break;

    cr_assert(status == VISE_OK && h.n_notes == 1, "allocation %zu: %s: %s", i, vise_status_name(status), err.text);
    cr_assert(result.n_rows == h.n_rows && result.n_rows <= 1 && result.n_failed == 0);
    n_cases_left_out += result.n_rows == 0;
    n_rows_left_out += result.n_rows == 1;
  }

  cr_expect_eq(h.n_rows, 2);
  cr_expect(i > 20 && n_cases_left_out > 10 && n_rows_left_out > 5, "%zu allocations, %zu cases, %zu rows left out", i,
            n_cases_left_out, n_rows_left_out);
}

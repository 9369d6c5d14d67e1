/* Every allocation by Vise fails once while the benchmark runs: it says so, leaks nothing, and reports no row that was
   not measured. */
#include <math.h>

#include "host/bench/bench.h"
#include "tests/support/allocation_fault.h"
#include "tests/support/bench_rig.h"
#include "tests/unit/train/rig.h"

static bool is_measured(const vise_bench_row *row) {
  return row->verified && row->us_median > 0 && isfinite(row->steps_per_s);
}

Test(bench_memory, every_allocation_may_fail) {
  const size_t widths[] = {4, 3, 2};
  const vise_bench_machine machine = {.n_rates = 0};
  vise_bench_case c;
  bench_heard h;

  OK(vise_bench_make_case(widths, 2, 3000, &c, &rig_err));
  vise_bench_config config = bench_rig_config(&c, 1, &h);
  config.machine = &machine;
  config.modes = 1u << VISE_BENCH_CPU | 1u << VISE_BENCH_CPU64;
  config.seconds = 1e-4;

  size_t i = 0, n_cases_left_out = 0, n_rows_left_out = 0;
  for (; i < 10000; i++) {
    vise_error err = VISE_ERROR_INIT;
    vise_bench_result result = {0, 0, 0};
    h = (bench_heard){.n_rows = 0};

    fault_arm(i);
    const vise_status status = vise_bench_run(&config, &result, &err);
    fault_disarm();
    if (!fault.has_failed) break;

    cr_assert(status == VISE_OK && h.n_notes == 1, "allocation %zu: %s: %s", i, vise_status_name(status), err.text);
    cr_assert(strstr(h.notes, "left out: ") != NULL, "allocation %zu: %s", i, h.notes);
    cr_assert(result.n_rows == h.n_rows && result.n_rows <= 1 && result.n_failed == 0);
    if (h.n_rows == 1) cr_assert(is_measured(&h.rows[0]), "allocation %zu", i);
    n_cases_left_out += result.n_rows == 0;
    n_rows_left_out += result.n_rows == 1;
  }

  cr_assert_eq(h.n_rows, 2);
  cr_expect(is_measured(&h.rows[0]) && is_measured(&h.rows[1]));
  cr_expect(i > 20 && n_cases_left_out > 10 && n_rows_left_out > 5, "%zu allocations, %zu cases, %zu rows left out", i,
            n_cases_left_out, n_rows_left_out);
}

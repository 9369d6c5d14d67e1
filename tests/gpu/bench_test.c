/* vise bench on the device: every mode and precision is verified and timed, launches are counted, phases add up. */
#include "vise/bench.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/emulation/host/emulation.h"
#include "tests/support/bench_rig.h"

/* Only the emulated device can be told to fail. */
extern void emu_fail_products_after(uint64_t calls) __attribute__((weak));

enum { STEPS_PER_LAUNCH = 4 };

/* The device's modes on a small net. */
static vise_bench_config short_config(bench_heard *h) {
  static vise_bench_case c;
  c = bench_rig_case();
  vise_bench_config config = bench_rig_config(&c, 1, h);
  config.modes =
      1u << VISE_BENCH_UNFUSED | 1u << VISE_BENCH_UNFUSED_GRAPH | 1u << VISE_BENCH_FUSED | 1u << VISE_BENCH_FUSED_MANY;
  config.steps_per_launch = STEPS_PER_LAUNCH;
  return config;
}

static void run(unsigned precisions, bool with_phases, bench_heard *h, vise_bench_machine *machine) {
  vise_error err = VISE_ERROR_INIT;
  vise_bench_result result;
  vise_bench_config config = short_config(h);
  config.precisions = precisions;
  if (with_phases) config.phase = bench_rig_on_phase;
  cr_assert_eq(vise_bench_measure_machine(&config, machine, &err), VISE_OK, "%s", err.text);
  config.machine = machine;
  cr_assert_eq(vise_bench_run(&config, &result, &err), VISE_OK, "%s", err.text);
  cr_expect(result.n_failed == 0 && result.n_errors == 0, "%s", h->notes);
  cr_expect_eq(result.n_rows, h->n_rows);
}

static bool is_fused(vise_bench_mode mode) {
  return mode == VISE_BENCH_FUSED || mode == VISE_BENCH_FUSED_MANY;
}

static bool has(const bench_heard *h, vise_bench_mode mode, vise_precision precision) {
  for (size_t i = 0; i < h->n_rows; i++) {
    if (h->rows[i].mode == mode && h->rows[i].precision == precision) return true;
  }
  return false;
}

static void check_row(const vise_bench_row *row, const vise_bench_machine *machine) {
  const char *name = vise_bench_mode_name(row->mode);

  cr_expect(row->verified && row->worst_error <= row->tolerance, "%s", name);
  cr_expect(row->us_median > 0 && row->us_host > 0 && row->us_launches > 0, "%s: %g, %g, %g", name, row->us_median,
            row->us_host, row->us_launches);
  cr_expect(row->us_launches <= row->us_median * 1.01, "%s: launches %g of %g", name, row->us_launches, row->us_median);
  cr_expect(isfinite(row->floor_us) == is_fused(row->mode), "%s", name);
  cr_expect(isfinite(row->share_of_floor) == is_fused(row->mode), "%s", name);
  cr_expect(row->x_unfused > 0 && row->x_unfused_graph > 0, "%s", name);
  cr_expect(row->share_of_copy > 0, "%s", name);
  cr_expect(row->share_of_gemm > 0 || machine->device_note[0] != '\0', "%s", name);

  switch (row->mode) {
    case VISE_BENCH_FUSED:
      cr_expect_eq(row->launches_per_step, 1);
      break;
    case VISE_BENCH_FUSED_MANY: /* a call of fewer steps takes a launch of its own */
      cr_expect(row->launches_per_step >= 1.0 / STEPS_PER_LAUNCH && row->launches_per_step <= 1, "%g",
                row->launches_per_step);
      break;
    default:
      cr_expect(row->launches_per_step >= 8, "%s: %g", name, row->launches_per_step);
  }
}

Test(bench, every_mode_is_verified_and_timed) {
  bench_heard h;
  vise_bench_machine machine;
  run(0, false, &h, &machine);

  cr_expect_eq(h.n_phases, 0, "clocks are read unasked");
  cr_expect(strstr(machine.device, "compute capability ") != NULL && strstr(machine.device, "runtime CUDA ") != NULL,
            "%s", machine.device);

  cr_expect_eq(machine.n_rates, 5);
  for (size_t i = 2; i < machine.n_rates; i++) cr_expect(machine.rates[i].copy_bytes_per_s > 0);
  for (size_t i = 0; i < h.n_rows; i++) check_row(&h.rows[i], &machine);

  const vise_precision precisions[] = {VISE_FP32, VISE_TF32, VISE_BF16};
  for (size_t p = 0; p < 3; p++) {
    cr_expect(has(&h, VISE_BENCH_FUSED, precisions[p]) && has(&h, VISE_BENCH_FUSED_MANY, precisions[p]), "%s", h.notes);
    if (machine.device_note[0] != '\0') continue; /* no cuBLAS */
    cr_expect(has(&h, VISE_BENCH_UNFUSED, precisions[p]), "%s", h.notes);
    cr_expect(has(&h, VISE_BENCH_UNFUSED_GRAPH, precisions[p]), "%s", h.notes);
  }

  /* The steps of one launch share its cost. */
  double floors[2] = {NAN, NAN};
  for (size_t i = 0; i < h.n_rows; i++) {
    if (h.rows[i].precision == VISE_FP32 && is_fused(h.rows[i].mode)) {
      floors[h.rows[i].mode == VISE_BENCH_FUSED_MANY] = h.rows[i].floor_us;
    }
  }

  cr_expect(floors[1] > 0 && floors[1] < floors[0], "%g, %g", floors[0], floors[1]);
}

Test(bench, phases_add_up) {
  bench_heard h;
  vise_bench_machine machine;
  static const char *const names[] = {"start", "gather", "forward 0", "rows", "gradient", "update", "end"};
  enum { N = sizeof names / sizeof *names };

  run(1u << VISE_FP32, true, &h, &machine);
  cr_assert_eq(h.n_phases, 2 * N);
  /* Rows wait only for the rows they are compared with. */
  cr_expect_eq(h.n_rows_before_phases, machine.device_note[0] == '\0' ? 2 : 0);

  for (size_t i = 0; i < h.n_phases; i += N) {
    double sum = 0;
    const bool many = h.phases[i].mode == VISE_BENCH_FUSED_MANY;

    for (size_t k = 0; k < N; k++) {
      const vise_bench_phase *p = &h.phases[i + k];
      cr_expect_str_eq(p->name, names[k]);
      cr_expect_eq(p->is_first, k == 0);
      cr_expect_eq(p->mode, h.phases[i].mode);
      /* Steps of a launch of many end while the team meets, and start after that. */
      cr_expect_eq(isnan(p->us_work), many && k == N - 1, "%s", p->name);
      cr_expect_eq(isnan(p->us_wait), k == 0 ? !many : k < 3 || k == N - 1, "%s", p->name);
      cr_expect_eq(isnan(p->us_skew), isnan(p->us_wait), "%s", p->name);
      cr_expect(!(p->us_work < 0) && !(p->us_wait < 0) && !(p->us_skew < 0), "%s", p->name);
      cr_expect_gt(p->n_steps, 0);
      cr_expect(p->clock_mhz > 0);
      if (!isnan(p->share_wait)) sum += p->share_wait;
      if (!isnan(p->share_work)) sum += p->share_work;
    }

    cr_expect_float_eq(sum, 1, 1e-9);
  }

  cr_expect_neq(h.phases[0].mode, h.phases[N].mode);
  for (size_t i = 0; i < h.n_rows; i++) check_row(&h.rows[i], &machine);
}

/* cuBLAS fails midway through the first mode: the others are measured, or left out for lack of products. */
Test(bench, an_error_leaves_the_other_rows) {
  enum { PRODUCTS = 5, MORE = 2 };
  bench_heard h;
  vise_bench_machine machine;
  vise_bench_result result;
  vise_error err = VISE_ERROR_INIT;

  if (!emu_fail_products_after) return;

  vise_bench_config config = short_config(&h);
  config.precisions = 1u << VISE_FP32;
  cr_assert_eq(vise_bench_measure_machine(&config, &machine, &err), VISE_OK, "%s", err.text);
  config.machine = &machine;

  emu_fail_products_after(PRODUCTS + MORE); /* each is tried once before the first step */
  cr_assert_eq(vise_bench_run(&config, &result, &err), VISE_OK, "%s", err.text);
  emu_fail_products_after(UINT64_MAX);

  cr_expect(result.n_rows == 2 && result.n_failed == 1 && result.n_errors == 1, "%zu rows, %zu failed, %zu errors",
            result.n_rows, result.n_failed, result.n_errors);
  cr_expect(has(&h, VISE_BENCH_FUSED, VISE_FP32) && has(&h, VISE_BENCH_FUSED_MANY, VISE_FP32));
  for (size_t i = 0; i < h.n_rows; i++) {
    cr_expect(h.rows[i].verified && h.rows[i].us_median > 0 && isnan(h.rows[i].x_unfused));
  }
  cr_expect(strstr(h.notes, "unfused fp32: failed: cuBLAS status") != NULL, "%s", h.notes);
  cr_expect(strstr(h.notes, "unfused-graph fp32: left out: ") != NULL, "%s", h.notes);
}

Test(bench, a_rate_that_cublas_refuses_is_empty) {
  bench_heard h;
  vise_bench_machine machine;
  vise_error err = VISE_ERROR_INIT;

  if (!emu_fail_products_after) return;

  const vise_bench_config config = short_config(&h);
  emu_fail_products_after(1);
  cr_assert_eq(vise_bench_measure_machine(&config, &machine, &err), VISE_OK, "%s", err.text);
  emu_fail_products_after(UINT64_MAX);

  cr_expect(strstr(machine.device_note, "cuBLAS status") != NULL, "%s", machine.device_note);
  for (size_t i = 2; i < machine.n_rates; i++) {
    cr_expect(machine.rates[i].copy_bytes_per_s > 0 && isnan(machine.rates[i].gemm_flop_per_s));
  }
}

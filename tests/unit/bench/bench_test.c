/* The benchmark verifies before it times, catches a step that is wrong, and counts and summarizes correctly. */
#include "host/bench/bench.h"

#include <math.h>
#include <stdlib.h>

#include "host/model/model.h"
#include "tests/support/bench_rig.h"
#include "tests/unit/train/rig.h"

Test(bench, names_its_cases) {
  const size_t n_named = vise_bench_list_cases(VISE_BENCH_NAMED, NULL, 0);
  const size_t n_grid = vise_bench_list_cases(VISE_BENCH_GRID, NULL, 0);
  vise_bench_case *all = calloc(n_named + n_grid, sizeof *all), found;

  cr_assert_eq(n_named, 7);
  cr_assert_eq(n_grid, 3 * 8 * 10);

  vise_bench_list_cases(VISE_BENCH_NAMED, all, n_named);
  vise_bench_list_cases(VISE_BENCH_GRID, all + n_named, n_grid);
  for (size_t i = 0; i < n_named + n_grid; i++) {
    OK(vise_i_bench_check_case(&all[i], &rig_err));
    OK(vise_bench_find_case(all[i].name, &found, &rig_err));
    cr_assert(memcmp(&found, &all[i], sizeof found) == 0, "%s is found as another", all[i].name);
  }

  cr_assert_str_eq(all[n_named + n_grid - 1].name, "grid-w4096-l8-b16384");
  free(all);
  REFUSED(vise_bench_find_case("mnist", &found, &rig_err), VISE_ERR_USAGE, "mnist-64");
}

Test(bench, refuses_cases_without_sense) {
  bench_heard h;
  vise_bench_case c = bench_rig_case();
  vise_bench_config config = bench_rig_config(&c, 0, &h);
  const size_t widths[] = {3, 0, 2};

  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_USAGE, "no cases");
  REFUSED(vise_bench_make_case(widths, 2, 16, &c, &rig_err), VISE_ERR_SHAPE, "0");
  REFUSED(vise_bench_make_case(widths, 0, 16, &c, &rig_err), VISE_ERR_USAGE, "0 layers");

  config.n_cases = 1;
  config.seconds = 0;
  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_USAGE, "must be > 0");
  config.seconds = 1;
  c.batch = 0;
  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_USAGE, "batch of 0");
}

Test(bench, counts_the_work_of_a_step) {
  vise_bench_case c;
  OK(vise_bench_find_case("mnist-64", &c, &rig_err));
  /* Forward pass and weight gradient of both layers, input gradient of the second. */
  cr_assert_float_eq(vise_bench_step_flop(&c), 2.0 * 64 * (2 * 784 * 128 + 3 * 128 * 10), 0.5);
  cr_assert_float_eq(vise_bench_step_bytes(&c, 4), 64.0 * (784 + 4) + 8.0 * (785 * 128 + 129 * 10), 0.5);
  OK(vise_bench_find_case("policy", &c, &rig_err));
  cr_assert_float_eq(vise_bench_step_bytes(&c, 8), 64.0 * 4 * (17 + 6) + 16.0 * (18 * 64 + 65 * 64 + 65 * 6), 0.5);
}

Test(bench, makes_whole_batches_that_are_not_zero) {
  vise_bench_case c = bench_rig_case();
  cr_assert_eq(vise_i_bench_n_rows(&c), 60000 / 16 * 16);
  c.batch = 50000;
  cr_assert_eq(vise_i_bench_n_rows(&c), 4 * 50000);
  c.widths[0] = 4096;
  cr_assert_eq(vise_i_bench_n_rows(&c), 50000);

  for (int bytes = 0; bytes < 2; bytes++) {
    vise_i_bench_data data = {0};
    double x[9], y[1];
    size_t n_nonzero = 0;

    c = bench_rig_case();
    c.byte_features = bytes;
    bench_heard h;
    const vise_bench_config config = bench_rig_config(&c, 1, &h);
    OK(vise_i_bench_data_make(&config, &c, &data, &rig_err));

    for (size_t r = 0; r < 100; r++) {
      OK(vise_dataset_get_features(data.rows, r, x, &rig_err));
      OK(vise_dataset_get_targets(data.rows, r, y, &rig_err));
      for (size_t i = 0; i < 9; i++) n_nonzero += x[i] != 0;
      cr_assert(y[0] >= 0 && y[0] < 3);
    }

    cr_assert(n_nonzero > (bytes ? 100 : 890), "%zu of 900", n_nonzero);
    vise_i_bench_data_free(&data);
  }
}

Test(bench, nets_have_the_layers_that_are_asked_for) {
  bench_heard h;
  const vise_bench_case c = bench_rig_case();
  vise_bench_config config = bench_rig_config(&c, 1, &h);
  vise_i_bench_data data = {0};
  const vise_i_bench_training training = {&config, &c, &data, {VISE_BENCH_CPU, VISE_FP32}, c.batch};
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_bench_result result;

  config.batch_norm = true;
  config.dropout = 0.25;
  config.input_dropout = 0.125;
  OK(vise_i_bench_data_make(&config, &c, &data, &rig_err));
  OK(vise_i_bench_trainer_make(&training, &model, &trainer, &rig_err));
  cr_expect_eq(vise_model_n_listed(model), 6); /* dropout; linear, batch norm, activation, dropout; linear */
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_i_bench_data_free(&data);

  config.modes = 1u << VISE_BENCH_CPU;
  OK(vise_bench_run(&config, &result, &rig_err));
  cr_expect(result.n_rows == 1 && result.n_failed == 0 && h.rows[0].verified, "%s", h.notes);
}

/* A training to compare with, and a copy of it. */
typedef struct traces {
  vise_model *model;
  vise_i_bench_trace reference, got;
} traces;

static traces make_traces(void) {
  traces t = {0};
  bench_heard h;
  const vise_bench_case c = bench_rig_case();
  const vise_bench_config config = bench_rig_config(&c, 1, &h);
  vise_i_bench_data data = {0};
  const vise_i_bench_training reference = {&config, &c, &data, {VISE_BENCH_CPU64, VISE_PRECISION_AUTO}, c.batch};
  const vise_i_bench_training got = {&config, &c, &data, {VISE_BENCH_CPU, VISE_FP32}, c.batch};
  vise_trainer *trainer = NULL;

  OK(vise_i_bench_data_make(&config, &c, &data, &rig_err));
  OK(vise_i_bench_trainer_make(&got, &t.model, &trainer, &rig_err));
  OK(vise_i_bench_trace_make(&reference, 3, &t.reference, &rig_err));
  OK(vise_i_bench_trace_make(&got, 3, &t.got, &rig_err));

  vise_trainer_free(trainer);
  vise_i_bench_data_free(&data);
  return t;
}

static bool agrees(const traces *t, vise_precision precision) {
  vise_bench_row row = {.verified = false};
  vise_i_bench_compare(vise_i_model_net(t->model), &t->reference, &t->got, precision, 1, &row);
  return row.verified;
}

/* How far the reference moved a tensor. */
static double way_of(const traces *t, const vise_i_tensor *tensor) {
  double sum = 0;
  for (size_t i = tensor->offset; i < tensor->offset + tensor->n_rows * tensor->n_cols; i++) {
    const double moved = t->reference.params[i] - t->reference.start[i];
    sum += moved * moved;
  }
  return sqrt(sum);
}

Test(bench, catches_a_wrong_step) {
  traces t = make_traces();
  const vise_i_net *net = vise_i_model_net(t.model);
  const size_t n = vise_model_n_parameters(t.model);
  cr_assert(agrees(&t, VISE_FP32));

  for (size_t k = 0; k < net->n_tensors; k++) {
    const vise_i_tensor *tensor = &net->tensors[k];
    const double off = 0.02 * way_of(&t, tensor);

    for (size_t i = tensor->offset; i < tensor->offset + tensor->n_rows * tensor->n_cols; i++) {
      const double kept = t.got.params[i];
      t.got.params[i] = kept + off;
      cr_assert(!agrees(&t, VISE_FP32), "%s: weight %zu is off by %g", tensor->name, i, off);
      t.got.params[i] = NAN;
      cr_assert(!agrees(&t, VISE_FP32));
      cr_assert(!agrees(&t, VISE_BF16));
      t.got.params[i] = kept;
    }
  }
  cr_assert(agrees(&t, VISE_FP32));

  const double loss = t.got.loss[2];
  t.got.loss[2] = loss * 1.001;
  cr_assert(!agrees(&t, VISE_FP32));
  cr_assert(agrees(&t, VISE_TF32));
  t.got.loss[2] = loss * 1.05;
  cr_assert(!agrees(&t, VISE_BF16));
  t.got.loss[2] = loss;

  /* No step at all, and fewer steps than asked for. */
  for (size_t i = 0; i < n; i++) t.got.params[i] = t.got.start[i];
  cr_assert(!agrees(&t, VISE_FP32));
  cr_assert(!agrees(&t, VISE_BF16));
  memcpy(t.got.params, t.reference.params, n * sizeof *t.got.params);
  cr_assert(agrees(&t, VISE_FP32));
  t.got.n_steps = 2;
  cr_assert(!agrees(&t, VISE_FP32));

  vise_i_bench_trace_free(&t.reference);
  vise_i_bench_trace_free(&t.got);
  vise_model_free(t.model);
}

Test(bench, a_later_comparison_does_not_mend_an_earlier_one) {
  traces t = make_traces();
  vise_bench_row row = {.verified = false};
  const double kept = t.got.params[0];

  t.got.params[0] = 7;
  vise_i_bench_compare(vise_i_model_net(t.model), &t.reference, &t.got, VISE_FP32, 1, &row);
  t.got.params[0] = kept;
  vise_i_bench_compare(vise_i_model_net(t.model), &t.reference, &t.got, VISE_FP32, 1, &row);

  cr_assert(!row.verified);
  vise_i_bench_trace_free(&t.reference);
  vise_i_bench_trace_free(&t.got);
  vise_model_free(t.model);
}

Test(bench, verifies_large_steps_on_fewer_rows) {
  vise_bench_machine machine = {.n_rates = 2};
  vise_i_bench_check checks[VISE_I_BENCH_MAX_CHECKS];
  vise_bench_case c;
  OK(vise_bench_find_case("large-4096x4", &c, &rig_err));

  const double flop = vise_bench_step_flop(&c);
  machine.rates[0] = (vise_bench_rate){VISE_BACKEND_CPU, VISE_FP32, 1e10, flop};
  machine.rates[1] = (vise_bench_rate){VISE_BACKEND_CPU64, VISE_PRECISION_AUTO, 1e10, flop / 2};

  cr_assert_eq(vise_i_bench_plan(&c, &machine, 6.5, checks), 1);
  cr_assert(checks[0].batch == 4096 && checks[0].n_steps == 3);
  cr_assert_eq(vise_i_bench_plan(&c, &machine, 2.5, checks), 1);
  cr_assert(checks[0].batch == 4096 && checks[0].n_steps == 1);

  cr_assert_eq(vise_i_bench_plan(&c, &machine, 1, checks), 2);
  cr_assert(checks[0].reference == VISE_BENCH_CPU64 && checks[0].batch == 2048);
  cr_assert(checks[1].reference == VISE_BENCH_CPU && checks[1].batch == 4096 && checks[1].n_steps == 1);
  cr_assert_eq(vise_i_bench_plan(&c, &machine, 0.001, checks), 1);
  cr_assert_eq(checks[0].batch, 16);
}

Test(bench, summarizes_times) {
  double times[] = {9, 1, 5, 3, 7}, one[] = {4};
  vise_bench_row row = {0};
  vise_i_bench_summarize(times, 5, &row);
  cr_assert(row.us_min == 1 && row.us_q1 == 3 && row.us_median == 5 && row.us_q3 == 7 && row.us_max == 9);
  vise_i_bench_summarize(times, 4, &row); /* 1 3 5 7 */
  cr_assert(row.us_q1 == 2.5 && row.us_median == 4 && row.us_q3 == 5.5);
  vise_i_bench_summarize(one, 1, &row);
  cr_assert(row.us_min == 4 && row.us_q1 == 4 && row.us_median == 4 && row.us_max == 4);
}

Test(bench, runs_what_the_machine_has) {
  vise_bench_case cases[3] = {bench_rig_case(), bench_rig_case(), bench_rig_case()};
  bench_heard h;
  vise_bench_config config = bench_rig_config(cases, 3, &h);
  vise_bench_machine machine;
  vise_bench_result result;
  const char *why_not = NULL;

  cases[1].byte_features = true;
  cases[2].loss = VISE_LOSS_MSE;
  OK(vise_bench_measure_machine(&config, &machine, &rig_err));
  cr_assert(machine.cpu[0] != '\0' && machine.n_processors >= 1);
  for (size_t i = 0; i < machine.n_rates; i++) {
    if (machine.rates[i].backend == VISE_BACKEND_CUDA) continue;
    cr_assert(machine.rates[i].copy_bytes_per_s > 1e8 && machine.rates[i].gemm_flop_per_s > 1e8);
  }

  config.machine = &machine;
  config.modes = 1u << VISE_BENCH_CPU | 1u << VISE_BENCH_CPU64 | 1u << VISE_BENCH_FUSED;
  OK(vise_bench_run(&config, &result, &rig_err));
  if (vise_i_backend_find(VISE_BACKEND_CUDA, &why_not) == NULL) {
    cr_assert_eq(result.n_rows, 6);
    cr_assert(strstr(h.notes, "fused: left out: ") != NULL && strstr(h.notes, why_not) != NULL, "%s", h.notes);
  }

  cr_assert(result.n_rows == h.n_rows && result.n_rows >= 6 && result.n_failed == 0);
  for (size_t i = 0; i < h.n_rows; i++) {
    const vise_bench_row *row = &h.rows[i];
    const vise_bench_case *c = &cases[row->bench_case - cases];

    cr_assert(row->verified && row->is_reference == (row->mode == VISE_BENCH_CPU64));
    cr_assert(row->us_min > 0 && row->us_min <= row->us_q1 && row->us_q1 <= row->us_median);
    cr_assert(row->us_median <= row->us_q3 && row->us_q3 <= row->us_max);
    cr_assert_float_eq(row->steps_per_s * row->us_median, 1e6, 1);
    cr_assert_float_eq(row->flop_per_s / row->steps_per_s / vise_bench_step_flop(c), 1, 1e-9);
    if (row->mode == VISE_BENCH_CPU) cr_assert(row->worst_error > 0 && row->worst_error <= row->tolerance);
    if (row->mode != VISE_BENCH_FUSED) cr_assert(isnan(row->launches_per_step) && row->share_of_gemm > 0);
    if (row->mode != VISE_BENCH_FUSED) cr_assert(row->n_threads == 1 && isnan(row->x_unfused));
    if (row->mode != VISE_BENCH_FUSED)
      cr_assert_float_eq(row->share_of_peak * row->peak_flop_per_s / row->flop_per_s, 1, 1e-9);
    if (row->mode == VISE_BENCH_FUSED) cr_assert(isnan(row->peak_flop_per_s) && isnan(row->share_of_peak));
  }
}

Test(bench, measures_cores) {
  vise_bench_cores one, two;
  OK(vise_bench_measure_cores(1, &one, &rig_err));
  OK(vise_bench_measure_cores(2, &two, &rig_err));
  cr_assert(strcmp(one.instructions, "portable") == 0 || strncmp(one.instructions, "avx", 3) == 0);
  cr_assert_str_eq(one.instructions, two.instructions);

  cr_assert(one.n_threads == 1 && two.n_threads == 2);
  cr_assert(one.fp32_flop_per_s > 1e8 && one.fp64_flop_per_s > 1e8 && two.fp32_flop_per_s > 1e8);
  cr_assert(isnan(one.round_trip_ns) && two.round_trip_ns > 0);

  REFUSED(vise_bench_measure_cores(0, &one, &rig_err), VISE_ERR_USAGE, "0 threads, expected 1 to");
}

Test(bench, takes_rows_of_the_caller) {
  static uint8_t x[100 * 9];
  static int32_t y[100];
  bench_heard h;
  vise_bench_case c = bench_rig_case();
  vise_bench_config config = bench_rig_config(&c, 1, &h);
  vise_bench_result result;
  vise_dataset *given = NULL;
  vise_i_bench_data data = {0};
  double row[9], label;

  for (size_t i = 0; i < 100; i++) {
    y[i] = (int32_t)(i % 3);
    for (size_t k = 0; k < 9; k++) x[9 * i + k] = (uint8_t)(i + k);
  }
  const vise_array features = vise_array_of(x, VISE_U8, 100, 9), targets = vise_array_of(y, VISE_I32, 100, 1);
  OK(vise_dataset_from_arrays(&features, &targets, NULL, false, &given, &rig_err));
  config.data = given;

  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_SHAPE, "are u8, those of the case 9-7-3 f32");
  c.byte_features = true;
  c.widths[0] = 8;
  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_SHAPE, "has 9 features, the case 9-7-3 8 inputs");
  c.widths[0] = 9;
  c.batch = 101;
  REFUSED(vise_bench_run(&config, NULL, &rig_err), VISE_ERR_SHAPE, "has 100 rows, a batch of the case 9-7-3 101");
  c.batch = 16;

  /* Whole batches of them, in another order. */
  OK(vise_i_bench_data_make(&config, &c, &data, &rig_err));
  cr_assert_eq(vise_dataset_n_rows(data.rows), 96);
  size_t n_moved = 0;
  for (size_t i = 0; i < 96; i++) {
    OK(vise_dataset_get_features(data.rows, i, row, &rig_err));
    OK(vise_dataset_get_targets(data.rows, i, &label, &rig_err));
    cr_assert(row[8] == row[0] + 8 && label == (double)((size_t)row[0] % 3));
    n_moved += row[0] != (double)i;
  }
  cr_assert(n_moved > 80);
  vise_i_bench_data_free(&data);

  config.modes = 1u << VISE_BENCH_CPU;
  OK(vise_bench_run(&config, &result, &rig_err));
  cr_assert(result.n_rows == 1 && result.n_failed == 0 && h.rows[0].verified, "%s", h.notes);
  vise_dataset_free(given);
}

Test(bench, marks_what_is_not_verified_and_does_not_time_it) {
  const vise_bench_case c = bench_rig_case();
  bench_heard h;
  vise_bench_config config = bench_rig_config(&c, 1, &h);
  vise_bench_result result;
  config.modes = 1u << VISE_BENCH_CPU;
  config.tolerance_factor = 0;
  OK(vise_bench_run(&config, &result, &rig_err));
  cr_assert(result.n_rows == 1 && result.n_failed == 1);
  cr_assert(!h.rows[0].verified && isnan(h.rows[0].us_median) && isnan(h.rows[0].steps_per_s));
}

Test(bench, leaves_out_what_would_take_too_long) {
  vise_bench_case cases[2] = {bench_rig_case(), bench_rig_case()};
  bench_heard h;
  vise_bench_config config = bench_rig_config(cases, 2, &h);
  vise_bench_result result;

  OK(vise_bench_find_case("large-4096x4", &cases[1], &rig_err));
  config.modes = 1u << VISE_BENCH_CPU | 1u << VISE_BENCH_CPU64;
  OK(vise_bench_run(&config, &result, &rig_err));
  cr_assert_eq(result.n_rows, 2);
  cr_assert(strstr(h.notes, "large-4096x4, cpu fp32: left out: three steps") != NULL, "%s", h.notes);

  config.total_seconds = 1e-3;
  config.n_cases = 1;
  memset(&h, 0, sizeof h);
  OK(vise_bench_run(&config, &result, &rig_err));
  cr_assert_eq(result.n_rows, 0);
  cr_assert(strstr(h.notes, "1 of 1 cases: left out") != NULL, "%s", h.notes);
}

/* The benchmark: cases x modes x precisions, each verified, then timed. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/struct.h"
#include "host/bench/bench.h"
#include "host/model/model.h"
#include "host/train/trainer.h"

enum { MAX_WAYS = vise_bench_mode_count_ * vise_precision_count_ };
/* Time that cpu64 may take to verify a mode, relative to timing it; and how many times `seconds` the three repeats of
   a large step may take. */
#define VERIFY_SHARE 2.0
#define LONGEST_ROW 10.0

/* A run, and what its rows have in common. */
typedef struct bench_run {
  const vise_bench_config *config;
  const vise_bench_machine *machine;
  double start;
  vise_i_bench_way ways[MAX_WAYS];
  size_t n_ways;
  vise_bench_result result;
  struct {
    int n_threads; /* 0: not measured */
    double flop_per_s;
  } peaks[2]; /* of float32 and float64 */
} bench_run;

/* One case at work. */
typedef struct case_run {
  const vise_bench_case *bench_case;
  vise_i_bench_data data;
  vise_i_bench_check checks[VISE_I_BENCH_MAX_CHECKS];
  vise_i_bench_trace references[VISE_I_BENCH_MAX_CHECKS];
  size_t n_checks;
  vise_bench_row rows[MAX_WAYS];
  size_t n_rows, n_reported;
} case_run;

static void note(const bench_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(const bench_run *run, const char *format, ...) {
  char text[VISE_ERROR_TEXT_BYTES + 128];
  va_list arguments;
  if (run->config->note == NULL) return;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  run->config->note(run->config->user, text);
}

/* ---- what there is ---------------------------------------------------------------------------------------------- */

static bool is_asked(unsigned bits, int which) {
  return bits == 0 || (bits >> which & 1u) != 0;
}

static bool is_there(vise_bench_mode mode, const char **why_not) {
  return vise_i_backend_find(vise_i_bench_backend(mode), why_not) != NULL;
}

static bool has_way(const bench_run *run, vise_bench_mode mode) {
  for (size_t i = 0; i < run->n_ways; i++) {
    if (run->ways[i].mode == mode) return true;
  }
  return false;
}

static void add_way(bench_run *run, vise_bench_mode mode, vise_precision precision) {
  const char *why_not = NULL;
  if (!is_asked(run->config->modes, mode) || !is_there(mode, &why_not)) return;
  if (mode != VISE_BENCH_CPU64 && !is_asked(run->config->precisions, (int)precision)) return;
  run->ways[run->n_ways++] = (vise_i_bench_way){mode, precision};
}

/* All ways asked for that this build has; those that the ratios of the others need come first. */
static void choose_ways(bench_run *run) {
  static const vise_precision precisions[] = {VISE_FP32, VISE_TF32, VISE_BF16};
  static const vise_bench_mode on_device[] = {VISE_BENCH_UNFUSED, VISE_BENCH_UNFUSED_GRAPH, VISE_BENCH_FUSED,
                                              VISE_BENCH_FUSED_MANY};
  add_way(run, VISE_BENCH_CPU, VISE_FP32);
  add_way(run, VISE_BENCH_CPU64, VISE_PRECISION_AUTO);
  for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
    for (size_t m = 0; m < sizeof on_device / sizeof *on_device; m++) add_way(run, on_device[m], precisions[p]);
  }
}

/* One note for the modes missing from this build, and one for each that has none of the precisions. */
static void note_missing(const bench_run *run) {
  char missing[160] = "";
  const char *why = NULL;

  for (int m = 0; m < vise_bench_mode_count_; m++) {
    const vise_bench_mode mode = (vise_bench_mode)m;
    const char *why_not = NULL;

    if (!is_asked(run->config->modes, m) || has_way(run, mode)) continue;
    if (is_there(mode, &why_not)) {
      note(run, "%s: left out: it has none of the precisions asked for", vise_bench_mode_name(mode));
      continue;
    }

    const size_t used = strlen(missing);
    (void)snprintf(missing + used, sizeof missing - used, "%s%s", used > 0 ? ", " : "", vise_bench_mode_name(mode));
    why = why_not;
  }

  if (why != NULL) note(run, "%s: left out: %s", missing, why);
}

/* ---- one case --------------------------------------------------------------------------------------------------- */

static const char *precision_name(vise_precision precision) {
  return precision == VISE_PRECISION_AUTO ? "fp64" : vise_precision_name(precision);
}

static vise_i_bench_training training_of(const bench_run *run, const case_run *c, const vise_i_bench_way *way,
                                         size_t batch) {
  return (vise_i_bench_training){run->config, c->bench_case, &c->data, *way, batch};
}

/* The trainings that the modes are compared with. The second reference must itself agree with the first. */
static vise_status make_references(const bench_run *run, case_run *c, vise_error *err) {
  vise_status status = VISE_OK;
  c->n_checks = vise_i_bench_plan(c->bench_case, run->machine, VERIFY_SHARE * run->config->seconds, c->checks);
  for (size_t i = 0; i < c->n_checks; i++) {
    const vise_i_bench_way way = {c->checks[i].reference,
                                  c->checks[i].reference == VISE_BENCH_CPU64 ? VISE_PRECISION_AUTO : VISE_FP32};
    const vise_i_bench_training training = training_of(run, c, &way, c->checks[i].batch);
    VISE_TRY(vise_i_bench_trace_make(&training, c->checks[i].n_steps, &c->references[i], err));
  }
done:
  return status;
}

static vise_status verify(const bench_run *run, case_run *c, const vise_i_bench_way *way, const vise_i_net *net,
                          vise_bench_row *row, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_bench_trace trace = {0};

  row->verified_batch = c->checks[0].batch;
  if (way->mode == VISE_BENCH_CPU64) {
    row->is_reference = row->verified = true;
    return VISE_OK;
  }

  for (size_t i = 0; i < c->n_checks; i++) {
    if (c->checks[i].reference == way->mode) continue;
    const vise_i_bench_training training = training_of(run, c, way, c->checks[i].batch);
    VISE_TRY(vise_i_bench_trace_make(&training, c->checks[i].n_steps, &trace, err));
    vise_i_bench_compare(net, &c->references[i], &trace, way->precision, run->config->tolerance_factor, row);
    vise_i_bench_trace_free(&trace);
    if (!row->verified) break;
  }

done:
  return status;
}

static bool is_fused(vise_bench_mode mode) {
  return mode == VISE_BENCH_FUSED || mode == VISE_BENCH_FUSED_MANY;
}

static double floor_of(const vise_trainer *trainer, const vise_bench_case *bench_case, uint64_t steps_per_launch) {
  const vise_i_meter *meter = vise_i_meter_find(trainer->which);
  const size_t element = bench_case->byte_features ? 1 : sizeof(float);
  const size_t n_targets = bench_case->loss == VISE_LOSS_CROSS_ENTROPY ? 1 : bench_case->widths[bench_case->n_layers];
  if (meter == NULL) return NAN;
  return meter->floor_us(trainer->backend, bench_case->widths[0] * element + n_targets * sizeof(float),
                         steps_per_launch);
}

/* The peak of the threads that row used, measured anew when their number changes. */
static vise_status find_peak(bench_run *run, vise_bench_row *row, vise_error *err) {
  vise_status status = VISE_OK;
  const bool is_double = row->mode == VISE_BENCH_CPU64;
  if (row->n_threads == 0) return VISE_OK;

  if (run->peaks[is_double].n_threads != row->n_threads) {
    double measured;
    VISE_TRY(vise_i_bench_peak(row->n_threads, is_double, run->config->seconds, &measured, err));
    run->peaks[is_double].n_threads = row->n_threads;
    run->peaks[is_double].flop_per_s = measured;
  }
  row->peak_flop_per_s = run->peaks[is_double].flop_per_s;

done:
  return status;
}

/* Verifies and times a row. */
static vise_status measure(bench_run *run, case_run *c, const vise_i_bench_way *way, vise_bench_row *row,
                           vise_error *err) {
  vise_status status;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  const vise_i_bench_training training = training_of(run, c, way, c->bench_case->batch);
  const size_t multiple = way->mode == VISE_BENCH_FUSED_MANY ? (size_t)run->config->steps_per_launch : 1;

  VISE_TRY(vise_i_bench_trainer_make(&training, &model, &trainer, err));
  if (vise_trainer_backend(trainer) != VISE_BACKEND_CUDA) row->n_threads = vise_trainer_n_threads(trainer);

  VISE_TRY(verify(run, c, way, vise_i_model_net(model), row, err));
  if (!row->verified) goto done;

  VISE_TRY(vise_i_bench_time(trainer, run->config->seconds, multiple, row, err));
  row->floor_us = floor_of(trainer, c->bench_case, multiple);
  VISE_TRY(find_peak(run, row, err));
  vise_i_bench_derive(run->machine, row);
  if (run->config->phase != NULL && is_fused(way->mode)) {
    VISE_TRY(vise_i_bench_phases(run->config, c->bench_case, way, trainer, err));
  }

done:
  vise_trainer_free(trainer);
  vise_model_free(model);
  return status;
}

/* Whether three steps in this way would take far longer than a row should. */
static bool is_too_slow(const bench_run *run, const vise_bench_case *bench_case, const vise_i_bench_way *way) {
  const vise_bench_rate *rate = vise_i_bench_find_rate(run->machine, vise_i_bench_backend(way->mode), way->precision);
  return rate != NULL &&
         3 * vise_bench_step_flop(bench_case) / rate->gemm_flop_per_s > LONGEST_ROW * run->config->seconds;
}

static bool is_any_timed(const bench_run *run, const vise_bench_case *bench_case) {
  for (size_t i = 0; i < run->n_ways; i++) {
    if (!is_too_slow(run, bench_case, &run->ways[i])) return true;
  }
  return false;
}

/* Why a way, or a whole case, was not measured. Something missing is not a failure; the run goes on anyway. */
static void note_error(bench_run *run, const char *what, vise_status status, const vise_error *error) {
  const bool lacks = status == VISE_ERR_UNSUPPORTED || status == VISE_ERR_MEMORY;
  note(run, "%s: %s: %s", what, lacks ? "left out" : "failed", error->text);
  if (lacks) return;
  run->result.n_failed++;
  run->result.n_errors++;
}

static void measure_way(bench_run *run, case_run *c, const vise_i_bench_way *way) {
  char what[160];
  vise_error inner = VISE_ERROR_INIT;
  vise_bench_row row = {.bench_case = c->bench_case, .mode = way->mode, .precision = way->precision};

  (void)snprintf(what, sizeof what, "%s, %s %s", c->bench_case->name, vise_bench_mode_name(way->mode),
                 precision_name(way->precision));

  if (is_too_slow(run, c->bench_case, way)) {
    note(run, "%s: left out: three steps would take more than %g s", what, LONGEST_ROW * run->config->seconds);
    return;
  }

  row.us_median = row.us_min = row.us_q1 = row.us_q3 = row.us_max = NAN;
  row.steps_per_s = row.bytes_per_s = row.flop_per_s = row.launches_per_step = NAN;
  row.us_host = row.us_launches = row.floor_us = row.share_of_floor = NAN;
  row.x_unfused = row.x_unfused_graph = row.share_of_copy = row.share_of_gemm = NAN;
  row.peak_flop_per_s = row.share_of_peak = NAN;

  const vise_status status = measure(run, c, way, &row, &inner);
  if (status != VISE_OK) {
    note_error(run, what, status, &inner);
    return;
  }

  if (!row.verified) run->result.n_failed++;
  c->rows[c->n_rows++] = row;
}

static double median_of(const case_run *c, vise_bench_mode mode, vise_precision precision) {
  for (size_t i = 0; i < c->n_rows; i++) {
    if (c->rows[i].mode == mode && c->rows[i].precision == precision) return c->rows[i].us_median;
  }
  return NAN;
}

/* Whether a way from number `next` on is one that rows of this precision are compared with. */
static bool is_awaited(const bench_run *run, size_t next, vise_precision precision) {
  for (size_t i = next; i < run->n_ways; i++) {
    const vise_i_bench_way *way = &run->ways[i];
    const bool is_compared_with = way->mode == VISE_BENCH_UNFUSED || way->mode == VISE_BENCH_UNFUSED_GRAPH;
    if (is_compared_with && way->precision == precision) return true;
  }
  return false;
}

/* Rows, in their order, as soon as their ratios are known: what is reported is not lost when the run is stopped. */
static void report_rows(bench_run *run, case_run *c, size_t next) {
  for (; c->n_reported < c->n_rows; c->n_reported++) {
    vise_bench_row *row = &c->rows[c->n_reported];
    if (is_awaited(run, next, row->precision)) return;
    row->x_unfused = median_of(c, VISE_BENCH_UNFUSED, row->precision) / row->us_median;
    row->x_unfused_graph = median_of(c, VISE_BENCH_UNFUSED_GRAPH, row->precision) / row->us_median;
    if (run->config->report != NULL) run->config->report(run->config->user, row);
    run->result.n_rows++;
  }
}

static vise_status prepare_case(const bench_run *run, case_run *c, vise_error *err) {
  vise_status status = VISE_OK;
  if (!is_any_timed(run, c->bench_case)) return VISE_OK;
  VISE_TRY(vise_i_bench_data_make(run->config, c->bench_case, &c->data, err));
  VISE_TRY(make_references(run, c, err));
done:
  return status;
}

static void run_case(bench_run *run, const vise_bench_case *bench_case) {
  case_run c = {.bench_case = bench_case};
  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = prepare_case(run, &c, &inner);
  if (status != VISE_OK) note_error(run, bench_case->name, status, &inner);
  for (size_t i = 0; i < run->n_ways && status == VISE_OK; i++) {
    measure_way(run, &c, &run->ways[i]);
    report_rows(run, &c, i + 1);
  }
  for (size_t i = 0; i < VISE_I_BENCH_MAX_CHECKS; i++) vise_i_bench_trace_free(&c.references[i]);
  vise_i_bench_data_free(&c.data);
}

/* ---- the run ---------------------------------------------------------------------------------------------------- */

/* Rough time of a case: verification, warm-up, timing, and three repeats where steps are too long for that. */
static double expected_seconds(const bench_run *run, const vise_bench_case *bench_case) {
  double sum = VERIFY_SHARE * run->config->seconds;
  for (size_t i = 0; i < run->n_ways; i++) {
    const vise_bench_rate *rate =
        vise_i_bench_find_rate(run->machine, vise_i_bench_backend(run->ways[i].mode), run->ways[i].precision);
    const double step =
        rate == NULL || isnan(rate->gemm_flop_per_s) ? 0 : vise_bench_step_flop(bench_case) / rate->gemm_flop_per_s;
    const double row = 1.3 * run->config->seconds + 6 * step;
    if (!is_too_slow(run, bench_case, &run->ways[i])) sum += row;
  }
  return sum;
}

static vise_status check_config(const vise_bench_config *config, vise_error *err) {
  if (config->cases == NULL || config->n_cases == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "the benchmark has no cases");
  }
  if (!(config->seconds > 0) || !(config->total_seconds >= 0) || !(config->tolerance_factor >= 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "the benchmark: seconds %g must be > 0, total seconds %g and the tolerance's factor %g >= 0",
                       config->seconds, config->total_seconds, config->tolerance_factor);
  }

  for (size_t i = 0; i < config->n_cases; i++) {
    vise_status status = vise_i_bench_check_case(&config->cases[i], err);
    if (status == VISE_OK) status = vise_i_bench_check_data(config, &config->cases[i], err);
    if (status != VISE_OK) return status;
  }

  return VISE_OK;
}

vise_status vise_bench_run_sized(size_t out_bytes, const vise_bench_config *config, vise_bench_result *out,
                                 vise_error *err) {
  vise_status status;
  vise_bench_machine measured;
  vise_bench_config own;
  bench_run run = {.config = &own, .start = vise_i_now()};
  size_t n_late = 0;

  VISE_ENTER(err, config);
  VISE_TRY(vise_i_bench_take_config(config, &own, err));
  config = &own;
  VISE_TRY(check_config(config, err));
  run.machine = config->machine;
  if (run.machine == NULL) {
    VISE_TRY(vise_bench_measure_machine(config, &measured, err));
    run.machine = &measured;
  }

  choose_ways(&run);
  note_missing(&run);

  for (size_t i = 0; i < config->n_cases && run.n_ways > 0; i++) {
    const double left = config->total_seconds - (vise_i_now() - run.start);
    if (config->total_seconds > 0 && expected_seconds(&run, &config->cases[i]) > left) {
      n_late++;
      continue;
    }
    run_case(&run, &config->cases[i]);
  }

  if (n_late > 0) {
    note(&run, "%zu of %zu cases: left out: they would not have ended within %g s", n_late, config->n_cases,
         config->total_seconds);
  }
  vise_i_struct_give(out, out_bytes, &run.result, sizeof run.result);

done:
  return status;
}

vise_status(vise_bench_run)(const vise_bench_config *config, vise_bench_result *out, vise_error *err) {
  return vise_bench_run_sized(VISE_I_BYTES_UP_TO(vise_bench_result, n_errors), config, out, err);
}

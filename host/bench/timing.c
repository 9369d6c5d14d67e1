/* Timing whole calls of the trainer, and what follows from the times. */
#include <math.h>
#include <stdlib.h>

#include "host/base/file.h"
#include "host/bench/bench.h"
#include "host/train/trainer.h"

enum { MIN_REPEATS = 3, MAX_REPEATS = 9, MAX_STEPS = 10000000 };

/* Times of a call: by the clock that counts, by the host's, and of its launches alone (NaN without a device). */
typedef struct call_time {
  double seconds, host, launches;
} call_time;

/* Takes n_steps steps in one call. It returns with their statistics, so a device has finished by then. */
static vise_status run(vise_trainer *trainer, size_t n_steps, call_time *out, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(trainer->which);
  if (meter != NULL) VISE_TRY(meter->clock_start(trainer->backend, err));
  const double start = vise_i_now();
  VISE_TRY(vise_trainer_step(trainer, n_steps, NULL, NULL, err));
  const double host = vise_i_now() - start;
  *out = (call_time){host, host, NAN};
  if (meter != NULL) VISE_TRY(meter->clock_stop(trainer->backend, &out->seconds, &out->launches, err));
done:
  return status;
}

/* Steps for at least `seconds`, in calls that double; *step_seconds: a step of the fastest. */
static vise_status warm_up(vise_trainer *trainer, double seconds, double *step_seconds, vise_error *err) {
  vise_status status = VISE_OK;
  const double end = vise_i_now() + seconds;
  size_t n_steps = 1;
  call_time took = {0, 0, 0};

  do {
    VISE_TRY(run(trainer, n_steps, &took, err));
    *step_seconds = fmin(*step_seconds, took.host / (double)n_steps);
    if (took.host < 0.25 * seconds && n_steps < MAX_STEPS) n_steps *= 2;
  } while (vise_i_now() < end);

done:
  return status;
}

static double quantile(const double *sorted, size_t n, double q) {
  const double at = q * (double)(n - 1);
  const size_t below = (size_t)at;
  return below + 1 < n ? sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]) : sorted[n - 1];
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double vise_i_bench_median(double *numbers, size_t n) {
  qsort(numbers, n, sizeof *numbers, compare);
  return quantile(numbers, n, 0.5);
}

void vise_i_bench_summarize(double *times_us, size_t n, vise_bench_row *row) {
  qsort(times_us, n, sizeof *times_us, compare);
  row->us_min = times_us[0];
  row->us_q1 = quantile(times_us, n, 0.25);
  row->us_median = quantile(times_us, n, 0.5);
  row->us_q3 = quantile(times_us, n, 0.75);
  row->us_max = times_us[n - 1];
}

/* Steps of one repeat and how many repeats, for steps of about step_seconds. */
static void plan(double seconds, double step_seconds, size_t multiple, vise_bench_row *row) {
  const double n = seconds / fmax(step_seconds, 1e-9);
  row->n_repeats = n < MIN_REPEATS ? MIN_REPEATS : n > MAX_REPEATS ? MAX_REPEATS : (size_t)n;
  row->steps_per_repeat = (size_t)fmin(fmax(n / (double)row->n_repeats, 1), MAX_STEPS);
  if (multiple > 1 && row->steps_per_repeat >= multiple) row->steps_per_repeat -= row->steps_per_repeat % multiple;
}

vise_status vise_i_bench_time(vise_trainer *trainer, double seconds, size_t steps_multiple, vise_bench_row *row,
                              vise_error *err) {
  vise_status status;
  double step_seconds = INFINITY, times[MAX_REPEATS], by_host[MAX_REPEATS], launching[MAX_REPEATS];
  call_time took = {0, 0, 0};

  VISE_TRY(warm_up(trainer, 0.2 * seconds, &step_seconds, err));
  plan(seconds, step_seconds, steps_multiple, row);

  const uint64_t launches = trainer->ops->n_launches(trainer->backend);
  for (size_t r = 0; r < row->n_repeats; r++) {
    const double us = 1e6 / (double)row->steps_per_repeat;
    VISE_TRY(run(trainer, row->steps_per_repeat, &took, err));
    times[r] = us * took.seconds;
    by_host[r] = us * took.host;
    launching[r] = us * took.launches;
  }

  const double n_launches = (double)(trainer->ops->n_launches(trainer->backend) - launches);
  if (trainer->which == VISE_BACKEND_CUDA) {
    row->launches_per_step = n_launches / (double)(row->n_repeats * row->steps_per_repeat);
    row->us_launches = vise_i_bench_median(launching, row->n_repeats);
  }
  row->us_host = vise_i_bench_median(by_host, row->n_repeats);
  vise_i_bench_summarize(times, row->n_repeats, row);

done:
  return status;
}

const vise_bench_rate *vise_i_bench_find_rate(const vise_bench_machine *machine, vise_backend backend,
                                              vise_precision precision) {
  for (size_t i = 0; i < machine->n_rates; i++) {
    const vise_bench_rate *rate = &machine->rates[i];
    if (rate->backend == backend && rate->precision == precision) return rate;
  }
  return NULL;
}

void vise_i_bench_derive(const vise_bench_machine *machine, vise_bench_row *row) {
  const size_t element_bytes = row->mode == VISE_BENCH_CPU64 ? sizeof(double) : sizeof(float);
  const vise_bench_rate *rate = vise_i_bench_find_rate(machine, vise_i_bench_backend(row->mode), row->precision);
  row->steps_per_s = 1e6 / row->us_median;
  row->bytes_per_s = row->steps_per_s * vise_bench_step_bytes(row->bench_case, element_bytes);
  row->flop_per_s = row->steps_per_s * vise_bench_step_flop(row->bench_case);
  row->share_of_floor = row->floor_us / row->us_median;
  row->share_of_peak = row->flop_per_s / row->peak_flop_per_s;
  if (rate == NULL) return;
  row->share_of_copy = row->bytes_per_s / rate->copy_bytes_per_s;
  row->share_of_gemm = row->flop_per_s / rate->gemm_flop_per_s;
}

/* Where the time of a fused step goes, by the clocks that its launches record. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/bench/bench.h"
#include "host/train/trainer.h"

/* Length of the launch that measures the clock: long enough that the overhead of a launch is small. */
#define CLOCK_SECONDS 5e-3
#define MOST_HOST_SECONDS 0.1 /* an emulated device has a clock of its own */
enum { FEW_STEPS = 8 };

/* One of the numbers of a part. */
typedef enum number { WAIT, SKEW, WORK } number;

static double number_of(const vise_i_meter_part *part, number which) {
  return which == WAIT ? part->wait : which == SKEW ? part->skew : part->work;
}

/* The median of one number of part p over the steps that have it; NaN where most have none. */
static double median_of(const vise_i_meter_steps *calls, size_t n, size_t p, number which) {
  double numbers[VISE_I_BENCH_PHASE_CALLS * VISE_I_METER_STEPS];
  size_t n_numbers = 0, n_steps = 0;

  for (size_t i = 0; i < n; i++) {
    for (size_t s = 0; s < calls[i].n; s++, n_steps++) {
      const double x = number_of(&calls[i].steps[s].parts[p], which);
      if (!isnan(x)) numbers[n_numbers++] = x;
    }
  }

  return n_numbers > 0 && 2 * n_numbers >= n_steps ? vise_i_bench_median(numbers, n_numbers) : NAN;
}

size_t vise_i_bench_phases_summarize(const vise_i_meter_steps *calls, size_t n, double clocks_per_us,
                                     vise_bench_phase out[VISE_I_METER_MOST_PARTS]) {
  double sum = 0;
  size_t n_steps = 0;
  const size_t n_parts = calls[0].steps[0].n;
  if (n > VISE_I_BENCH_PHASE_CALLS) n = VISE_I_BENCH_PHASE_CALLS;
  for (size_t i = 0; i < n; i++) n_steps += calls[i].n;

  for (size_t p = 0; p < n_parts; p++) {
    vise_bench_phase *phase = &out[p];
    *phase = (vise_bench_phase){.is_first = p == 0, .n_steps = n_steps, .clock_mhz = clocks_per_us};
    memcpy(phase->name, calls[0].steps[0].parts[p].name, sizeof phase->name);
    phase->us_wait = median_of(calls, n, p, WAIT) / clocks_per_us;
    phase->us_skew = median_of(calls, n, p, SKEW) / clocks_per_us;
    phase->us_work = median_of(calls, n, p, WORK) / clocks_per_us;
    if (!isnan(phase->us_wait)) sum += phase->us_wait;
    if (!isnan(phase->us_work)) sum += phase->us_work;
  }

  for (size_t p = 0; p < n_parts; p++) {
    out[p].share_wait = out[p].us_wait / sum;
    out[p].share_work = out[p].us_work / sum;
  }

  return n_parts;
}

/* Takes *n steps of one epoch in one call of the backend, so that no epoch ends in between. Where an epoch has fewer,
 *n becomes that. */
static vise_status step_within_epoch(vise_trainer *t, size_t *n, bool *is_long, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_meter *meter = vise_i_meter_find(t->which);
  const size_t left = (size_t)(t->steps_per_epoch - t->state.steps_in_epoch);
  double seconds = 0, launches = 0;

  if (*n > t->steps_per_epoch) *n = (size_t)t->steps_per_epoch;
  if (left < *n) VISE_TRY(vise_trainer_step(t, left, NULL, NULL, err));

  VISE_TRY(meter->clock_start(t->backend, err));
  const double start = vise_i_now();
  VISE_TRY(vise_trainer_step(t, *n, NULL, NULL, err));
  VISE_TRY(meter->clock_stop(t->backend, &seconds, &launches, err));
  *is_long = launches >= CLOCK_SECONDS || vise_i_now() - start >= MOST_HOST_SECONDS;

done:
  return status;
}

/* Clocks of a multiprocessor per microsecond, from one launch of many steps and the events around it. */
static vise_status measure_clock(vise_trainer *t, vise_i_meter_steps *parts, double *clocks_per_us, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(t->which);
  bool is_long = false;
  size_t n = FEW_STEPS, taken;

  VISE_TRY(meter->parts_open(t->backend, t->segment_steps, err));
  do {
    taken = n;
    VISE_TRY(step_within_epoch(t, &taken, &is_long, err));
    n *= 2;
  } while (!is_long && taken == n / 2 && n <= t->segment_steps); /* fewer: an epoch has no more */

  VISE_TRY(meter->parts_read(t->backend, parts, err));
  *clocks_per_us = parts->launch_clocks / (1e6 * parts->launch_seconds);
  if (!(*clocks_per_us > 0) || !isfinite(*clocks_per_us)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_DEVICE, "the clocks of the device stand still: %g in %g s", parts->launch_clocks,
                         parts->launch_seconds));
  }

done:
  return status;
}

/* The steps of one call whose launches begin and end as most do: all but the last launch, which records none. */
static vise_status sample(vise_trainer *t, uint64_t steps_per_launch, vise_i_meter_steps *out, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(t->which);
  const size_t n_launches = steps_per_launch == 1 ? VISE_I_METER_STEPS + 1 : 2;
  bool is_long;
  size_t n = n_launches * (size_t)steps_per_launch;
  VISE_TRY(step_within_epoch(t, &n, &is_long, err));
  VISE_TRY(meter->parts_read(t->backend, out, err));
done:
  return status;
}

/* As many steps as the mode puts in a launch, but at least two launches an epoch. */
static uint64_t steps_of_launch(const vise_bench_config *config, const vise_trainer *t, vise_bench_mode mode) {
  const uint64_t most = t->steps_per_epoch >= 2 ? t->steps_per_epoch / 2 : 1;
  const uint64_t asked = mode == VISE_BENCH_FUSED ? 1 : config->steps_per_launch;
  return asked < most ? asked : most;
}

vise_status vise_i_bench_phases(const vise_bench_config *config, const vise_bench_case *bench_case,
                                const vise_i_bench_way *way, vise_trainer *trainer, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(trainer->which);
  const uint64_t steps_per_launch = steps_of_launch(config, trainer, way->mode);
  vise_i_meter_steps *calls = NULL;
  vise_bench_phase phases[VISE_I_METER_MOST_PARTS];
  double clocks_per_us = NAN;

  if (meter == NULL) return VISE_OK;

  VISE_TRY(vise_i_alloc(&calls, VISE_I_BENCH_PHASE_CALLS, sizeof *calls, "phases of a step", err));
  VISE_TRY(measure_clock(trainer, &calls[0], &clocks_per_us, err));
  VISE_TRY(meter->parts_open(trainer->backend, steps_per_launch, err));
  for (size_t i = 0; i < VISE_I_BENCH_PHASE_CALLS; i++) {
    VISE_TRY(sample(trainer, steps_per_launch, &calls[i], err));
  }

  const size_t n = vise_i_bench_phases_summarize(calls, VISE_I_BENCH_PHASE_CALLS, clocks_per_us, phases);
  for (size_t p = 0; p < n; p++) {
    phases[p].bench_case = bench_case;
    phases[p].mode = way->mode;
    phases[p].precision = way->precision;
    config->phase(config->user, &phases[p]);
  }

done:
  if (meter != NULL) meter->parts_close(trainer->backend);
  free(calls);
  return status;
}

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

/* The median of one number of part p over the launches; NaN where one has none. */
static double median_of(const vise_i_meter_parts *launches, size_t n, size_t p, bool wait, double *scratch) {
  for (size_t i = 0; i < n; i++) {
    scratch[i] = wait ? launches[i].parts[p].wait : launches[i].parts[p].work;
    if (isnan(scratch[i])) return NAN;
  }
  return vise_i_bench_median(scratch, n);
}

size_t vise_i_bench_phases_summarize(const vise_i_meter_parts *launches, size_t n, double clocks_per_us,
                                     vise_bench_phase out[VISE_I_METER_MOST_PARTS]) {
  double scratch[VISE_I_BENCH_PHASE_LAUNCHES], sum = 0;
  const size_t n_parts = launches[0].n;
  if (n > VISE_I_BENCH_PHASE_LAUNCHES) n = VISE_I_BENCH_PHASE_LAUNCHES;

  for (size_t p = 0; p < n_parts; p++) {
    vise_bench_phase *phase = &out[p];
    *phase = (vise_bench_phase){.is_first = p == 0, .n_launches = n, .clock_mhz = clocks_per_us};
    memcpy(phase->name, launches[0].parts[p].name, sizeof phase->name);
    phase->us_wait = median_of(launches, n, p, true, scratch) / clocks_per_us;
    phase->us_work = median_of(launches, n, p, false, scratch) / clocks_per_us;
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
static vise_status measure_clock(vise_trainer *t, double *clocks_per_us, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(t->which);
  vise_i_meter_parts parts;
  bool is_long = false;
  size_t n = FEW_STEPS, taken;

  VISE_TRY(meter->parts_open(t->backend, t->segment_steps, err));
  do {
    taken = n;
    VISE_TRY(step_within_epoch(t, &taken, &is_long, err));
    n *= 2;
  } while (!is_long && taken == n / 2 && n <= t->segment_steps); /* fewer: an epoch has no more */

  VISE_TRY(meter->parts_read(t->backend, &parts, err));
  *clocks_per_us = parts.launch_clocks / (1e6 * parts.launch_seconds);
  if (!(*clocks_per_us > 0) || !isfinite(*clocks_per_us)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_DEVICE, "the clocks of the device stand still: %g in %g s", parts.launch_clocks,
                         parts.launch_seconds));
  }

done:
  return status;
}

/* One launch that begins and ends as most do: the one before the last of a call. */
static vise_status sample(vise_trainer *t, uint64_t steps_per_launch, vise_i_meter_parts *out, vise_error *err) {
  vise_status status;
  const vise_i_meter *meter = vise_i_meter_find(t->which);
  const size_t n_launches = steps_per_launch == 1 ? 3 : 2;
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
  vise_i_meter_parts *launches = NULL;
  vise_bench_phase phases[VISE_I_METER_MOST_PARTS];
  double clocks_per_us = NAN;

  if (meter == NULL) return VISE_OK;

  VISE_TRY(vise_i_alloc(&launches, VISE_I_BENCH_PHASE_LAUNCHES, sizeof *launches, "phases of a step", err));
  VISE_TRY(measure_clock(trainer, &clocks_per_us, err));
  VISE_TRY(meter->parts_open(trainer->backend, steps_per_launch, err));
  for (size_t i = 0; i < VISE_I_BENCH_PHASE_LAUNCHES; i++) {
    VISE_TRY(sample(trainer, steps_per_launch, &launches[i], err));
  }

  const size_t n = vise_i_bench_phases_summarize(launches, VISE_I_BENCH_PHASE_LAUNCHES, clocks_per_us, phases);
  for (size_t p = 0; p < n; p++) {
    phases[p].bench_case = bench_case;
    phases[p].mode = way->mode;
    phases[p].precision = way->precision;
    config->phase(config->user, &phases[p]);
  }

done:
  if (meter != NULL) meter->parts_close(trainer->backend);
  free(launches);
  return status;
}

/* The clock of the device around steps, the floor of the plan, and the clocks within the fused step. */
#include "host/backend/meter.h"

#include <math.h>
#include <stdlib.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/cuda/rates.h"
#include "host/backend/step_parts.h"
#include "host/base/memory.h"

static size_t clocks_bytes(const vise_i_cuda *b) {
  return vise_k_n_clocks(b->train.step.n_members) * sizeof *b->watch.clocks;
}

static void release_clocks(vise_i_cuda *b) {
  char *memory = (char *)b->watch.clocks;
  vise_i_cuda_release(b->cx, &memory, clocks_bytes(b));
  b->watch.clocks = NULL;
}

/* ---- events ---- */

void vise_i_cuda_watch_free(vise_i_cuda *b) {
  vise_i_cuda_watch *w = &b->watch;
  cudaEvent_t const events[] = {w->began, w->ended, w->first, w->last};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (events[i]) (void)cudaEventDestroy(events[i]);
  }
  release_clocks(b);
  *w = (vise_i_cuda_watch){0};
}

static vise_status make_events(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_watch *w = &b->watch;
  cudaEvent_t *const events[] = {&w->began, &w->ended, &w->first, &w->last};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (!*events[i]) VISE_I_CUDA_TRY(b->cx, cudaEventCreate(events[i]));
  }
done:
  return status;
}

vise_status vise_i_cuda_watch_begin(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  if (b->watch.runs) VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.first, b->cx->steps));
done:
  return status;
}

vise_status vise_i_cuda_watch_launched(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  if (b->watch.runs) VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.last, b->cx->steps));
done:
  return status;
}

vise_status vise_i_cuda_watch_end(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  float ms = 0;
  if (!b->watch.runs) return VISE_OK;
  VISE_I_CUDA_TRY(b->cx, cudaEventElapsedTime(&ms, b->watch.first, b->watch.last));
  b->watch.launch_seconds += 1e-3 * (double)ms;
done:
  return status;
}

static vise_status clock_start(vise_i_backend *backend, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(make_events(b, err));
  b->watch.launch_seconds = 0;
  b->watch.runs = true;
  VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.began, b->cx->steps));
done:
  return status;
}

static vise_status clock_stop(vise_i_backend *backend, double *seconds, double *launch_seconds, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  float ms = 0;

  b->watch.runs = false;
  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.ended, b->cx->steps));
  VISE_I_CUDA_TRY(b->cx, cudaEventSynchronize(b->watch.ended));
  VISE_I_CUDA_TRY(b->cx, cudaEventElapsedTime(&ms, b->watch.began, b->watch.ended));

  *seconds = 1e-3 * (double)ms;
  *launch_seconds = b->watch.launch_seconds;

done:
  return status;
}

/* ---- the floor ---- */

static double floor_us(const vise_i_backend *backend, size_t row_bytes, uint64_t steps_per_launch) {
  const vise_i_cuda *b = (const vise_i_cuda *)backend;
  vise_i_plan_cost cost;
  if (b->unfused) return NAN;
  vise_i_plan_cost_of(&b->train.plan, row_bytes, &cost);
  /* Steps of one launch share its cost. All but the last end with an exchange; then none follows the gather. */
  const double later = steps_per_launch > 1 ? 1 - 1 / (double)steps_per_launch : 0;
  const double ends = b->train.plan.step.near_rows > 0 ? cost.exchange_us : 0;
  return cost.floor_us - later * (cost.launch_us - ends);
}

/* ---- clocks ---- */

/* A launch of n steps, from step `at` of a block on, records clocks. */
void vise_i_cuda_watch_step(vise_i_cuda *b, size_t at, size_t n, bool is_first_of_block) {
  vise_i_cuda_watch *w = &b->watch;
  if (is_first_of_block || n > 1 || !w->launches_of_one_step) w->first_step = (uint32_t)at;
  w->end_step = (uint32_t)(at + n);
  w->launches_of_one_step = n == 1;
}

static vise_status parts_open(vise_i_backend *backend, uint64_t steps_per_launch, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  vise_i_cuda_watch *w = &b->watch;
  char *memory = NULL;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (b->unfused) VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "only the fused step has phases with clocks"));

  if (!w->clocks) {
    VISE_TRY(vise_i_cuda_alloc(b->cx, clocks_bytes(b), "clocks", &memory, err));
    w->clocks = (uint64_t *)(void *)memory;
    VISE_I_CUDA_TRY(b->cx, cudaMemsetAsync(w->clocks, 0, clocks_bytes(b), b->cx->steps));
    w->steps_per_launch = b->base.spec.steps_per_launch;
    w->end_step = 0;
  }

  b->base.spec.steps_per_launch = steps_per_launch;

done:
  return status;
}

static vise_status parts_read(vise_i_backend *backend, vise_i_meter_steps *out, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  const vise_i_cuda_watch *w = &b->watch;
  uint64_t *clocks = NULL;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!w->clocks || w->end_step == 0) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: no launch has noted clocks"));

  VISE_TRY(vise_i_alloc(&clocks, vise_k_n_clocks(b->train.step.n_members), sizeof *clocks, "clocks", err));
  VISE_TRY(vise_i_cuda_download(b->cx, clocks, w->clocks, clocks_bytes(b), err));
  vise_i_step_parts(&b->train.step, &(vise_i_step_clocks){clocks, w->first_step, w->end_step, w->launches_of_one_step},
                    out);
  out->launch_seconds = w->launch_seconds;

done:
  free(clocks);
  return status;
}

static void parts_close(vise_i_backend *backend) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  if (!b->watch.clocks) return;
  release_clocks(b);
  b->base.spec.steps_per_launch = b->watch.steps_per_launch;
}

const vise_i_meter *vise_i_cuda_meter(void) {
  static const vise_i_meter meter = {
      .describe = vise_i_cuda_rates_describe,
      .measure = vise_i_cuda_rates_measure,
      .clock_start = clock_start,
      .clock_stop = clock_stop,
      .floor_us = floor_us,
      .parts_open = parts_open,
      .parts_read = parts_read,
      .parts_close = parts_close,
  };

  return &meter;
}
